/** Subscriptions to one filter that follow each other before they are answered. */

import { describe, expect, test } from "vitest";
import { Asked, grantedOf } from "../../src/session/asked.ts";

function three(): [Asked<string>, Asked<string>, Asked<string>] {
  const first = new Asked("first", "before", undefined);
  const second = new Asked("second", "first", first);
  return [first, second, new Asked("third", "second", second)];
}

describe("subscriptions to one filter, one after the other", () => {
  test("each that is granted has its row, until a later one has", () => {
    const [first, second, third] = three();
    expect(first.grant()).toBe(true);
    expect(third.grant()).toBe(true);
    expect(second.grant()).toBe(false);
    expect(third.isOpen).toBe(false);
  });

  test("where the last is refused, the one before it stands, and what stood first where all are", () => {
    const [first, second, third] = three();
    third.refuse();
    expect([third.instead, third.isOpen]).toEqual(["second", true]);
    second.refuse();
    expect(third.instead).toBe("first");
    first.refuse();
    expect([third.instead, third.isOpen]).toEqual(["before", false]);
  });

  test("what is granted is the last that was, or what stood before", () => {
    const [first, second, third] = three();
    const all = new Map([
      ["filter", "third"],
      ["other", "granted"],
    ]);
    const granted = (): string[] => grantedOf(all, new Map([["filter", third]]));
    expect(granted()).toEqual(["before", "granted"]);
    first.grant();
    second.refuse();
    expect(granted()).toEqual(["first", "granted"]);
    third.grant();
    expect(granted()).toEqual(["third", "granted"]);
    expect(grantedOf(new Map([["new", "asked"]]), new Map([["new", new Asked("asked", undefined, undefined)]]))).toEqual([]);
  });

  test("UNSUBSCRIBE stands, whatever is answered to what came before it", () => {
    const [first, second, third] = three();
    third.overtake();
    expect([first.grant(), second.grant(), third.grant()]).toEqual([false, false, false]);
  });
});
