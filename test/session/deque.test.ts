/** The queue of deliveries, against an array. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { Deque } from "../../src/session/deque.ts";

test("does what an array does, whatever the order of pushes and shifts", () => {
  const action = fc.oneof(
    fc.record({ push: fc.nat() }),
    fc.record({ shift: fc.integer({ min: 1, max: 40 }) }),
    fc.constant("clear" as const),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 300 }), (actions) => {
      const deque = new Deque<number>();
      let model: number[] = [];
      for (const each of actions) {
        if (each === "clear") {
          deque.clear();
          model = [];
        } else if ("push" in each) {
          for (let count = 0; count < 10; count += 1) deque.push(each.push + count);
          model.push(...[...Array(10).keys()].map((count) => each.push + count));
        } else {
          for (let count = 0; count < each.shift; count += 1) expect(deque.shift()).toBe(model.shift());
        }
        expect([deque.length, deque.peek(), [...deque]]).toEqual([model.length, model[0], model]);
      }
    }),
    { numRuns: 60, seed: 7 },
  );
});
