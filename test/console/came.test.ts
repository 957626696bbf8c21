/** How many rows have come before those that are read. */

import { expect, it } from "vitest";
import { CameCount } from "../../src/console/parts/came.ts";
import { Histories } from "../../src/console/topics/histories.ts";

const ids = (...all: number[]) => all.map((id) => ({ id }));

it("counts what came among those that are shown, also when the oldest go", () => {
  const came = new CameCount();
  const first = came.next("a", ids(1, 3));
  expect(came.next("a", ids(1, 3)) - first).toBe(0);
  expect(came.next("a", ids(1, 3, 8)) - first).toBe(1);
  expect(came.next("a", ids(8, 9, 20)) - first).toBe(3);
  expect(came.next("a", []) - first).toBe(3);
});

it("counts nothing when others are shown, or all were forgotten", () => {
  const came = new CameCount();
  const first = came.next("a", ids(5));
  expect(came.next("b", ids(5, 6, 7)) - first).toBe(0);
  expect(came.next("b", ids(1)) - first).toBe(0);
  expect(came.next("b", ids(1, 2)) - first).toBe(1);
});

it("a history counts all that came, also those that it holds no more", () => {
  const histories = new Histories();
  histories.begin("a", []);
  const value = { payload: new Uint8Array(), size: 0, qos: 0, retain: false, time: 0, properties: {} };
  for (let count = 0; count < 1005; count += 1) histories.came("a", value);
  expect([histories.values("a").length, histories.count("a")]).toEqual([1000, 1005]);
  histories.clear();
  expect([histories.values("a").length, histories.count("a"), histories.count("b")]).toEqual([0, 0, 0]);
});
