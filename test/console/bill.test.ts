/** The bill that the console works out from what objects have counted. */

import { expect, test } from "vitest";
import { billOf, type MonthUsage, projected } from "../../src/console/overview/bill.ts";

const NONE: MonthUsage = {
  month: "2026-11",
  requests: 0,
  calls: 0,
  socket_messages: 0,
  alarms: 0,
  rows_read: 0,
  rows_written: 0,
  awake_seconds: 0,
};

test("what is included costs nothing, and what is beyond has its price", () => {
  expect(billOf(NONE).total).toBe(0);
  const within = {
    ...NONE,
    requests: 100_000,
    calls: 400_000,
    alarms: 100_000,
    socket_messages: 8e6,
    rows_written: 50e6,
    awake_seconds: 3e6,
  };
  expect(billOf(within).lines.map(({ units, cost }) => [units, cost])).toEqual([
    [1e6, 0],
    [50e6, 0],
    [0, 0],
    [384_000, 0],
  ]);
  // 8.64 million messages at QoS 1 and a million rows too many.
  const beyond = { ...NONE, socket_messages: 17.28e6, calls: 17.28e6, rows_written: 51e6, awake_seconds: 10e6 };
  const { lines, total } = billOf(beyond);
  expect(lines.map(({ cost }) => Math.round(cost * 100) / 100)).toEqual([2.57, 1, 0, 11]);
  expect(total).toBeCloseTo(14.57, 2);
});

test("a month goes on as it did until now; one that is over is as it was", () => {
  const usage = { ...NONE, calls: 10, rows_written: 3 };
  expect(projected(usage, Date.UTC(2026, 10, 16))).toMatchObject({ month: "2026-11", calls: 20, rows_written: 6 });
  expect(projected(usage, Date.UTC(2027, 1, 1))).toMatchObject({ calls: 10 });
});
