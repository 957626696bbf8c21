/** A store that refuses a row makes its object start again, once, with one line in the log. */

import { afterEach, beforeEach, expect, type MockInstance, test, vi } from "vitest";
import { guardedStore, StoreRefused, startAgain } from "../../src/objects/guarded-store.ts";

let log: MockInstance<typeof console.log>;
beforeEach(() => {
  log = vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => void log.mockRestore());

class Store {
  readonly #rows: string[] = [];

  put(row: string): number {
    if (row === "") throw new Error("the disk is full");
    return this.#rows.push(row);
  }
}

test("what storage takes passes; what it refuses makes the object start again, and its caller hears of that only", () => {
  const aborted: string[] = [];
  const state = { abort: (reason: string) => void aborted.push(reason) };
  const store = guardedStore(new Store(), "default/topic/0", state);
  expect([store.put("a"), store.put("b"), aborted]).toEqual([1, 2, []]);
  let refusal: unknown;
  try {
    store.put("");
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(StoreRefused);
  // Whoever catches it where rows are flushed says nothing twice.
  startAgain("default/topic/0", state, refusal);
  expect(aborted).toEqual(["rows could not be written: the disk is full"]);
  expect(log.mock.calls.map(([line]) => JSON.parse(line as string))).toEqual([
    { event: "rows could not be written; the object starts again", object: "default/topic/0", problem: "the disk is full" },
  ]);
});
