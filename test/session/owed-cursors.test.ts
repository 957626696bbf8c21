/** What a session is owed, found without looking at all of it: as if all of it were looked at each time. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { MEMORY } from "../../src/memory-limits.ts";
import { OwedCursors, type RetainedCursor } from "../../src/session/owed-cursors.ts";

const STEPS = ["add", "add", "many", "delete", "promise", "ask", "answer", "go on", "leave out", "write", "all"] as const;

test("whatever comes and goes, all of it is as a plain list has it", () => {
  const step = fc.tuple(fc.constantFrom(...STEPS), fc.nat(200));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ledger = new Ledger(1 << 30);
      const owed = new OwedCursors(ledger);
      let plain: RetainedCursor[] = [];
      let last = 0;
      const add = (number: number): void => {
        last += 1;
        const [filter, place] = [`f${number % 7}`, `place-${number % 3}`];
        const state = { withoutOwn: false, asked: false, promised: number % 2 === 0, superseded: false, storedFrom: undefined };
        const cursor: RetainedCursor = { filter, id: last, place, from: "", ...state };
        owed.add(cursor);
        plain.push(cursor);
      };
      for (const [what, number] of steps) {
        const cursor = plain[number % plain.length];
        if (what === "add") add(number);
        else if (what === "many") for (let count = 0; count < 20; count += 1) add(number + count);
        else if (what === "write") {
          const unwritten = plain.filter(({ promised, from, storedFrom }) => promised && from !== storedFrom);
          expect(new Set(owed.takeUnwritten())).toEqual(new Set(unwritten));
          expect(unwritten.every(({ from, storedFrom }) => from === storedFrom)).toBe(true);
        } else if (what === "all") {
          for (const each of plain) owed.delete(each);
          plain = [];
        } else if (cursor === undefined) continue;
        else if (what === "delete") {
          const { asked } = cursor;
          expect([owed.delete(cursor), owed.delete(cursor)]).toEqual([asked, false]);
          plain = plain.filter((each) => each !== cursor);
        } else if (what === "promise") owed.promise(cursor);
        else if (what === "go on") owed.goOn(cursor, "t".repeat(number));
        else if (what === "leave out") owed.leaveOutOwn(cursor);
        else owed.setAsked(cursor, what === "ask");
        expect([...owed]).toEqual(plain);
        expect(new Set(owed.filters)).toEqual(new Set(plain.map(({ filter }) => filter)));
        for (const filter of owed.filters) expect(owed.of(filter)).toEqual(plain.filter((each) => each.filter === filter));
        expect(owed.of("another")).toEqual([]);
        expect(owed.asked).toBe(plain.filter(({ asked }) => asked).length);
        expect(owed.isAnyPromised).toBe(plain.some(({ promised }) => promised));
        expect(owed.isAnyWithoutOwn).toBe(plain.some(({ withoutOwn }) => withoutOwn));
        const characters = plain.reduce((sum, { filter, place, from }) => sum + filter.length + place.length + from.length, 0);
        expect(owed.memoryBytes).toBe(MEMORY.cursorBytes * plain.length + MEMORY.characterBytes * characters);
        expect([ledger.total, owed.rowBytes]).toEqual([owed.memoryBytes, 16 * plain.length + characters]);
      }
      for (const { id } of plain) expect(owed.get(id)?.id).toBe(id);
    }),
    { numRuns: 300, seed: 1 },
  );
});
