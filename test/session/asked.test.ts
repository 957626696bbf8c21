/** Subscriptions to one filter that follow each other before they are answered. */

import { describe, expect, test } from "vitest";
import { Asked } from "../../src/session/asked.ts";

function three(): [Asked<string>, Asked<string>, Asked<string>] {
  const first = new Asked("first", "before", undefined);
  const second = new Asked("second", "first", first);
  return [first, second, new Asked("third", "second", second)];
}

describe("subscriptions to one filter, one after the other", () => {
  test("each that is granted has its row, until a later one has", () => {
    const [first, second, third] = three();
    expect(first.granted()).toBe(true);
    expect(third.granted()).toBe(true);
    expect(second.granted()).toBe(false);
    expect(third.isOpen).toBe(false);
  });

  test("where the last is refused, the one before it stands, and what stood first where all are", () => {
    const [first, second, third] = three();
    third.refused();
    expect([third.instead, third.isOpen]).toEqual(["second", true]);
    second.refused();
    expect(third.instead).toBe("first");
    first.refused();
    expect([third.instead, third.isOpen]).toEqual(["before", false]);
  });

  test("UNSUBSCRIBE stands, whatever is answered to what came before it", () => {
    const [first, second, third] = three();
    third.overtake();
    expect([first.granted(), second.granted(), third.granted()]).toEqual([false, false, false]);
  });
});
