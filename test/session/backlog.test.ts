/** Deliveries that wait in rows alone, against an array of objects. */

import { expect, test } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { MEMORY } from "../../src/memory-limits.ts";
import { Backlog, type Waiting } from "../../src/session/backlog.ts";
import { seeded } from "../support/core-harness.ts";
import { processorMs } from "../support/processor-time.ts";

const isOwed = ({ flags }: Waiting): boolean => (flags & 16) !== 0;

function expectSame(backlog: Backlog, model: readonly Waiting[]): void {
  expect([...backlog]).toEqual(model);
  expect(backlog.count).toBe(model.length);
  const unsent = model.filter(({ sent }) => !sent);
  const counted = unsent.filter((each) => !isOwed(each));
  expect([backlog.unsent, backlog.owed]).toEqual([unsent.length, unsent.length - counted.length]);
  expect(backlog.bytes).toBe(counted.reduce((sum, { size }) => sum + size, 0));
  expect(backlog.oldestDroppable()).toBe(model.findIndex((each) => !each.sent && !isOwed(each)));
}

test("whatever comes and goes, it holds what an array would hold, and the ledger what it takes", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const chance = seeded(seed);
    const ledger = new Ledger(1 << 20);
    const backlog = new Backlog(ledger);
    let model: Waiting[] = [];
    let packetId = 0;
    const next = (): Waiting => {
      packetId = (packetId % 65_535) + 1;
      const flags = 1 + (chance() < 0.2 ? 16 : 0) + (chance() < 0.2 ? 32 + 64 : 0) + (chance() < 0.5 ? 4 : 0);
      // Numbers begin with the clock and have more than 32 bits.
      return { sequence: 2 ** 51 + packetId * 1000, size: Math.floor(chance() * 2 ** 21), packetId, flags, sent: chance() < 0.2 };
    };
    for (let step = 0; step < 400; step += 1) {
      const dice = chance();
      if (dice < 0.55) {
        const each = next();
        model.push(each);
        backlog.push(each.sequence, each.size, each.packetId, each.flags, each.sent);
      } else if (dice < 0.9 && model.length > 0) {
        const index = chance() < 0.8 ? 0 : Math.floor(chance() * model.length);
        expect(backlog.remove(index)).toEqual(model.splice(index, 1)[0]);
      } else if (dice < 0.97) {
        const some = [next(), next(), next()].slice(0, Math.floor(chance() * 4));
        model = [...some, ...model];
        backlog.unshift(some);
      } else if (dice < 0.98) {
        model = [];
        backlog.clear();
      }
      if (step % 20 === 0) expectSame(backlog, model);
      expect(backlog.has(packetId)).toBe(model.some((each) => each.packetId === packetId));
      expect(ledger.bytes.messages).toBe(backlog.memoryBytes);
    }
    expectSame(backlog, model);
    while (backlog.count > 0) backlog.remove(0);
    expect(ledger.total).toBe(0);
  }
});

test("sixteen bytes each, and a third more at most", () => {
  const ledger = new Ledger(1 << 20);
  const backlog = new Backlog(ledger);
  for (let count = 1; count <= 10_000; count += 1) {
    backlog.push(2 ** 51 + count, 64, count, 1, false);
    expect(ledger.total).toBeLessThanOrEqual(MEMORY.backlogBytes + 16 * (count * 1.34 + 4));
  }
  // From its head it is emptied without moving what is behind.
  const ms = processorMs(() => {
    while (backlog.count > 1) backlog.remove(0);
  });
  expect(ms).toBeLessThan(1000);
  expect(backlog.at(0).packetId).toBe(10_000);
});
