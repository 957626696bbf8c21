/** The one way between objects: order, batches, retries, giving up, being full. */

import { describe, expect, test } from "vitest";
import {
  BATCH_BYTES_MAX,
  CALL_GATHER_ITEMS,
  CALL_GATHER_MS,
  OUTBOX_BYTES_MAX,
  REPEAT_WINDOW_MS,
  RETRY_MS_FIRST,
  RETRY_MS_MAX,
  RETRY_MS_TOTAL,
} from "../../src/limits.ts";
import { Outbox, type Outgoing } from "../../src/routing/outbox.ts";

class Item implements Outgoing {
  readonly number: number;
  readonly size: number;
  given = 0;

  constructor(number: number, size = 100) {
    this.number = number;
    this.size = size;
  }

  abandoned(): void {
    this.given += 1;
  }
}

function filled(count: number, size?: number) {
  const outbox = new Outbox<Item>();
  const items = [...Array(count).keys()].map((number) => new Item(number, size));
  for (const item of items) expect(outbox.add(item)).toBe(true);
  return { outbox, items };
}

const numbers = (batch: readonly Item[] | undefined): number[] | undefined => batch?.map(({ number }) => number);

test("one call in flight: what comes meanwhile is the next batch, in order", () => {
  const { outbox } = filled(3);
  expect(numbers(outbox.take(0))).toEqual([0, 1, 2]);
  outbox.add(new Item(3));
  outbox.add(new Item(4));
  expect(outbox.take(0)).toBeUndefined();
  expect(outbox.length).toBe(5);
  outbox.succeeded();
  expect(numbers(outbox.take(0))).toEqual([3, 4]);
  outbox.succeeded();
  expect([outbox.take(0), outbox.length, outbox.bytes]).toEqual([undefined, 0, 0]);
});

test("a batch is bounded, except that one item always goes", () => {
  const half = BATCH_BYTES_MAX / 2;
  const { outbox } = filled(3, half);
  expect(numbers(outbox.take(0))).toEqual([0, 1]);
  expect(outbox.bytes).toBe(half);
  outbox.succeeded();
  outbox.take(0);
  outbox.succeeded();
  outbox.add(new Item(9, BATCH_BYTES_MAX + 1));
  outbox.add(new Item(10));
  expect(numbers(outbox.take(0))).toEqual([9]);
});

test("a full outbox takes nothing more until something has left", () => {
  const { outbox } = filled(OUTBOX_BYTES_MAX / BATCH_BYTES_MAX, BATCH_BYTES_MAX);
  expect(outbox.bytes).toBe(OUTBOX_BYTES_MAX);
  expect(outbox.add(new Item(1, 1))).toBe(false);
  outbox.take(0);
  expect(outbox.add(new Item(1, BATCH_BYTES_MAX))).toBe(true);
  expect(outbox.add(new Item(1, 1))).toBe(false);
});

describe("dense traffic", () => {
  test.each([
    [2, 1],
    [3, CALL_GATHER_MS],
    [15, CALL_GATHER_MS],
  ])("after a batch of %i, what waits gathers until that one is %i ms old", (count, ms) => {
    const { outbox } = filled(count);
    expect(outbox.gatherMs(1000)).toBe(0);
    outbox.take(1000);
    outbox.succeeded();
    expect(outbox.gatherMs(1000)).toBe(0);
    outbox.add(new Item(count));
    expect(outbox.gatherMs(1000)).toBe(ms);
    expect(outbox.gatherMs(1000 + ms)).toBe(0);
  });

  test("one message after the other waits for nobody", () => {
    const { outbox } = filled(1);
    outbox.take(1000);
    outbox.succeeded();
    outbox.add(new Item(1));
    expect(outbox.gatherMs(1000)).toBe(0);
  });

  test("much waits for nobody, and neither does what was taken before the clock was set back", () => {
    const { outbox } = filled(2);
    outbox.take(1000);
    outbox.succeeded();
    outbox.add(new Item(2));
    expect(outbox.gatherMs(999)).toBe(0);
    for (let number = 3; number < 2 + CALL_GATHER_ITEMS; number += 1) outbox.add(new Item(number));
    expect(outbox.gatherMs(1000)).toBe(0);
  });
});

describe("failures", () => {
  test("the same batch is repeated after growing pauses; a success begins anew", () => {
    const { outbox } = filled(2);
    outbox.take(0);
    const pauses = [...Array(9).keys()].map(() => outbox.failed(1000));
    expect(pauses).toEqual([50, 100, 200, 400, 800, 1600, 3200, RETRY_MS_MAX, RETRY_MS_MAX]);
    outbox.add(new Item(2));
    expect(outbox.take(0)).toBeUndefined();
    outbox.succeeded();
    outbox.take(0);
    expect(outbox.failed(999_999_999)).toBe(RETRY_MS_FIRST);
  });

  test("after too long everything is given up, once, and the outbox begins anew", () => {
    const { outbox, items } = filled(2);
    outbox.take(0);
    outbox.failed(1000);
    const late = new Item(2);
    outbox.add(late);
    expect(outbox.failed(1000 + RETRY_MS_TOTAL - 1)).toBe(100);
    expect(outbox.failed(1000 + RETRY_MS_TOTAL)).toBeUndefined();
    expect([...items, late].map(({ given }) => given)).toEqual([1, 1, 1]);
    expect([outbox.length, outbox.bytes]).toEqual([0, 0]);
    outbox.add(new Item(3));
    expect(numbers(outbox.take(0))).toEqual([3]);
    expect(outbox.failed(2 * RETRY_MS_TOTAL + 1000)).toBe(RETRY_MS_FIRST);
  });

  test("what is added while the rest is given up is not given up", () => {
    const outbox = new Outbox<Outgoing>();
    const again = new Item(1);
    outbox.add({ size: 1, abandoned: () => void outbox.add(again) });
    outbox.take(0);
    outbox.failed(0);
    expect(outbox.failed(RETRY_MS_TOTAL)).toBeUndefined();
    expect([again.given, outbox.length]).toEqual([0, 1]);
  });

  test("no repeat comes after the receiver has forgotten the first", () => {
    const { outbox } = filled(1);
    outbox.take(0);
    let last = 0;
    for (let repeats = 0; repeats < 100; repeats += 1) {
      const pause = outbox.failed(last);
      if (pause === undefined) break;
      last += pause;
    }
    expect(last).toBeLessThan(REPEAT_WINDOW_MS);
    expect(last).toBeGreaterThanOrEqual(RETRY_MS_TOTAL);
  });
});
