/**
 * The benchmark for a moment: every scenario runs against the compact broker and tells figures that can be; so it is there when it is
 * needed. What the figures are is not tested: that depends on the machine.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BILL_CASES, freeMessagesADay, priceOfMillion, runBill } from "../../bench/bill.ts";
import { AEDES, COMPACT, contenders, type Running } from "../../bench/brokers.ts";
import type { Load } from "../../bench/load/options.ts";
import { unmeasured } from "../../bench/report.ts";
import type { BillRow } from "../../bench/results.ts";
import { measure } from "../../bench/run.ts";
import { SCENARIOS } from "../../bench/scenarios.ts";
import { barChart } from "../../bench/svg.ts";

const MOMENT = { warmUpSeconds: 0, seconds: 0.05 };

/** As many clients and messages as a moment allows. */
function small(load: Load): Load {
  if ("publishers" in load && "subscribers" in load) {
    const shape = { publishers: Math.min(load.publishers, 10), subscribers: Math.min(load.subscribers, 10) };
    return { ...load, ...shape };
  }
  if (load.kind === "idle") return { ...load, connections: 30, first: 10, settleSeconds: 0.05 };
  return load.kind === "retained" ? { ...load, topics: 50 } : load;
}

/** One of each kind: what differs in sizes and windows alone runs if one of them does. */
function kinds(): [string, Load][] {
  const ofEach = new Map<string, [string, Load]>();
  for (const { key, load } of SCENARIOS) {
    const { kind, version, qos } = load;
    const shape = "wants" in load ? load.wants : "";
    const framing = "framing" in load ? load.framing : "";
    const of = [kind, shape, framing, version === 5, qos > 0].join();
    if (!ofEach.has(of)) ofEach.set(of, [key, load]);
  }
  return [...ofEach.values()];
}

describe("every kind of scenario runs", () => {
  let running: Running;
  beforeAll(async () => {
    running = await COMPACT.start();
  });
  afterAll(() => running.stop());

  test.each(kinds())("%s", async (_key, load) => {
    const sample = await measure(running, small(load), MOMENT);
    expect(sample.count).toBeGreaterThan(0);
    expect(sample.lost).toBe(0);
    expect(sample.perSecond).toBeCloseTo(sample.count / sample.seconds);
    if (load.kind === "ping" || load.kind === "paced" || load.kind === "arrive") {
      expect(sample.mean).toBeGreaterThan(0);
      expect(sample.p50).toBeGreaterThan(0);
      expect(sample.p99).toBeGreaterThanOrEqual(sample.p50!);
    }
  });

  test("the load program says why it stops", async () => {
    const nobody: Running = { ...running, target: () => ({ url: "ws://127.0.0.1:9/mqtt", idInUrl: false }) };
    await expect(measure(nobody, SCENARIOS[0]!.load, MOMENT)).rejects.toThrow("ECONNREFUSED");
  });
});

describe("those to compare with", () => {
  test.each(contenders().filter((each) => each.mirror || each === AEDES))("$key serves the same load", async (contender) => {
    const running = await contender.start();
    try {
      for (const key of ["pairs-0", "fan-in-1", "wildcard-2", "storm"]) {
        const sample = await measure(running, small(SCENARIOS.find((scenario) => scenario.key === key)!.load), MOMENT);
        expect([key, sample.count > 0, sample.lost]).toEqual([key, true, 0]);
      }
    } finally {
      await running.stop();
    }
  });
});

test("a table is written of all that is in it or not at all: what has no figures yet is named", () => {
  const samples = Object.fromEntries(contenders().map(({ key }) => [key, []]));
  const rest = { at: "", broker: "", loadAverage: 0, rounds: 1, seconds: 1, failures: {} };
  const scenarios = SCENARIOS.map(({ key }) => ({ key, samples, ...rest }));
  const row = {} as never;
  const results = { scenarios, bill: [row], micro: [], long: [], taken: {} };
  expect(unmeasured(results, { of: SCENARIOS })).toEqual([]);
  expect([unmeasured(results, { of: "bill" }), unmeasured(results, { of: "micro" })]).toEqual([[], ["micro"]]);
  expect(unmeasured({ ...results, scenarios: [] }, { of: SCENARIOS })).toEqual(SCENARIOS.map(({ key }) => key));
  const [first, ...others] = scenarios;
  expect(unmeasured({ ...results, scenarios: [{ ...first!, samples: { compact: [] } }, ...others] }, { of: SCENARIOS })).toEqual([
    first!.key,
  ]);
});

describe("the bill", () => {
  test("counts what docs/costs.md says: packets, calls and rows of single messages", async () => {
    const keys = ["single-1", "fan-out-single"];
    const rows = await runBill(500, keys);
    const per = (contender: string, key: string): number[] => {
      const row = rows.find((each) => each.contender === contender && each.scenario === key)!;
      return [row.socketMessages, row.calls, row.rowsWritten].map((count) => count / row.messages);
    };
    expect(per("compact", "single-1")).toEqual([2, 0, 0]);
    expect(per("handed", "single-1")).toEqual([2, 2, 0]);
    expect(per("relayed", "single-1")).toEqual([2, 2, 0]);
    expect(per("relayed", "fan-out-single")).toEqual([1, 5, 0]);
  }, 180_000);

  test("multiplies units with prices", () => {
    const row: BillRow = {
      scenario: BILL_CASES[0]!.key,
      contender: "compact",
      messages: 1000,
      deliveries: 1000,
      requests: 0,
      calls: 1000,
      socketMessages: 2000,
      alarms: 0,
      rowsRead: 0,
      rowsWritten: 1000,
      objectSeconds: 0,
    };
    // One call, a tenth of a request and a row for each message.
    expect(priceOfMillion(row)).toBeCloseTo(1.1 * 0.15 + 1);
    expect(freeMessagesADay(row)).toBeCloseTo(100_000 / 1.1);
  });
});

test("a plot has a bar for each figure, as long as the figure says", () => {
  const bar = (label: string, value: number | undefined) => ({ label, value, text: String(value), colour: "#000" });
  const svg = barChart("title", "a < b", [{ title: "group", bars: [bar("one", 10), bar("two", 5), bar("none", undefined)] }]);
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
  expect(widths).toHaveLength(2);
  expect(widths[0]! / widths[1]!).toBeCloseTo(2);
  expect(svg).toContain("a &lt; b");
  expect(svg).toContain("not measured");
});
