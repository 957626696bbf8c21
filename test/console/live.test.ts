/** The curves of the last minute, worked out from what objects have counted. */

import { expect, it } from "vitest";
import { type Figures, retainedOf } from "../../src/console/overview/figures.ts";
import { Live } from "../../src/console/overview/live.ts";

/** @param counted messages that each object has received, undefined: it did not answer in time */
function look(live: Live, seconds: number, ...counted: (number | undefined)[]): number | undefined {
  const metrics = counted.map((count, index) => ({
    node: `topic-${index}`,
    up: count !== undefined,
    "messages.received": count ?? 0,
  }));
  const figures: Figures = { stats: metrics, metrics, time: seconds * 1000 };
  const points = live.look(figures);
  expect(live.look(figures)).toBe(points);
  return points.at(-1)?.received;
}

it("are what came between two looks", () => {
  const live = new Live();
  expect(look(live, 0, 1000, 500)).toBeUndefined();
  expect(look(live, 2, 1010, 520)).toBe(15);
  // One that has woken anew counts from nothing.
  expect(look(live, 4, 8, 520)).toBe(4);
  expect(look(live, 120, 8, 520)).toBe(0);
  expect(live.points).toHaveLength(1);
});

it("have no peak where an object answered too late once", () => {
  const live = new Live();
  look(live, 0, 1_000_000, 500);
  expect(look(live, 2, 1_000_020, 500)).toBe(10);
  expect(look(live, 4, undefined, 510)).toBe(5);
  expect(look(live, 6, 1_000_060, 510)).toBe(10);
});

it("say nothing of an object before it has answered twice", () => {
  const live = new Live();
  look(live, 0, undefined, 0);
  expect(look(live, 2, 5000, 0)).toBe(0);
  expect(look(live, 4, 5010, 0)).toBe(5);
});

it("how many retained messages there are is not known where one does not know", () => {
  const of = (...counts: (number | undefined)[]) =>
    retainedOf(counts.map((count, index) => ({ node: `${index}`, up: true, ...(count !== undefined && { "retained.count": count }) })));
  expect([of(1, 0, 2), of(1, undefined), of()]).toEqual([3, undefined, 0]);
});
