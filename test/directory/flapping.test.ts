/** Clients that connect too often, counted. */

import { describe, expect, test } from "vitest";
import { DIRECTORY_SETTINGS } from "../../src/auth/directory-settings.ts";
import { FLAPPING_COUNTED_MAX } from "../../src/login-limits.ts";
import { FlappingCounter } from "../../src/objects/flapping.ts";

const { parse } = DIRECTORY_SETTINGS.flapping;

describe("FLAPPING", () => {
  test.each([
    ["15/1m", { count: 15, windowMs: 60_000, banMs: 300_000 }],
    ["3/10s/1h", { count: 3, windowMs: 10_000, banMs: 3_600_000 }],
    ["", { count: 0, windowMs: 0, banMs: 0 }],
  ])("%j", (text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test.each(["15", "0/1m", "15/1", "15/2h", "15/1m/", "15/1m/5m/1", "-1/1m", "15/1m/0s", "a/1m"])("%j is wrong", (text) => {
    expect(parse(text)).toBeUndefined();
  });

  test("the first beyond the number within a window that begins with a connection", () => {
    const counter = new FlappingCounter(parse("2/1m")!);
    expect([0, 10, 20].map((now) => counter.counts("a", now))).toEqual([false, false, true]);
    expect([30, 59_000, 60_031].map((now) => counter.counts("a", now))).toEqual([false, false, false]);
    expect(counter.counts("b", 60_032)).toBe(false);
  });

  test("off, it counts nothing; and it counts no more than its bound", () => {
    const off = new FlappingCounter(parse("")!);
    expect(Array.from({ length: 50 }, () => off.counts("a", 0))).not.toContain(true);
    const counter = new FlappingCounter(parse("1/1m")!);
    for (let index = 0; index < FLAPPING_COUNTED_MAX; index += 1) counter.counts(`c${index}`, 0);
    expect([counter.counts("late", 1), counter.counts("late", 2), counter.counts("c0", 3)]).toEqual([false, false, true]);
    expect([counter.counts("late", 60_001), counter.counts("late", 60_002)]).toEqual([false, true]);
  });
});
