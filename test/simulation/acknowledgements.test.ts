/** Acknowledgements that are told from object to object while somebody waits for them: told late, twice, or not at all. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { RETRY_MS_FIRST, RETRY_MS_TOTAL } from "../../src/limits.ts";
import { Receipt } from "../../src/mqtt/receipt.ts";
import { Acknowledgements } from "../../src/objects/acknowledgements.ts";
import type { Acknowledged } from "../../src/objects/calls.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { Receipts } from "../../src/session/receipts.ts";
import { Session } from "../../src/session/session.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("acknowledgements that are waited for", () => {
  const receipt = (number: number, waitMs: number, object = "n/session/0"): Receipt => new Receipt({ object, number, waitMs });

  /** @param call each tells another object something */
  function acknowledgements(call: (object: string, all: readonly Acknowledged[]) => Promise<void> = async () => {}) {
    const runtime = PLATFORM;
    const receipts = new Receipts(new Ledger(1 << 30));
    const waits = new Acknowledgements({
      ...{ name: "n/session/0", receipts: () => receipts, runtime },
      peers: (object) => ({ acknowledged: (_name, all) => call(object, all) }),
    });
    return { waits, receipts, runtime };
  }

  test("what was told before and comes late changes nothing", async () => {
    const { waits, runtime } = acknowledgements();
    const one = receipt(1, 1000);
    one.add({ sessions: 3, awaited: 3, away: 0 });
    waits.expect(one);
    const waited = waits.wait(one, runtime.now() + 1000, undefined);
    waits.take("n/session/1", [{ number: 1, acknowledged: 2, over: 0, away: 0 }]);
    waits.take("n/session/1", [{ number: 1, acknowledged: 1, over: 0, away: 0 }]);
    // Of what nobody waits for nothing is kept.
    waits.take("n/session/1", [{ number: 2, acknowledged: 1, over: 0, away: 0 }]);
    waits.take("n/session/2", [{ number: 1, acknowledged: 0, over: 1, away: 0 }]);
    expect(await waited).toEqual({ acknowledged: 2, over: 1, away: 0 });
    waits.take("n/session/2", [{ number: 1, acknowledged: 3, over: 1, away: 0 }]);
  });

  test("a signal ends the wait, also one that was given before", async () => {
    const { waits, runtime } = acknowledgements();
    const one = receipt(1, 1000);
    one.add({ sessions: 1, awaited: 1, away: 0 });
    const controller = new AbortController();
    waits.expect(one);
    const waited = waits.wait(one, runtime.now() + 1000, controller.signal);
    controller.abort();
    expect(await waited).toEqual({ acknowledged: 0, over: 0, away: 0 });
    waits.expect(one);
    expect(await waits.wait(one, runtime.now() + 1000, controller.signal)).toEqual({ acknowledged: 0, over: 0, away: 0 });
  });

  test("an object that can't be told is told again, of all, until nobody waits any more; one call at a time", async () => {
    const told: (readonly Acknowledged[])[] = [];
    let fails = 2;
    const { waits, receipts, runtime } = acknowledgements(async (_object, all) => {
      told.push(all);
      fails -= 1;
      if (fails >= 0) throw new Error("the call failed");
    });
    const sessions = ["a", "b"].map((name) => {
      const session = new Session(name, 1, NOBODY, new Ledger(1 << 30));
      Object.assign(session, { connection: { open: true, reading: { isAsked: () => false } } });
      return session;
    });
    const give = (session: Session, number: number, waitMs: number): void => {
      const packetId = session.allocatePacketId();
      const due = { qos: 1, retain: false, identifiers: undefined, share: "", owed: false } as const;
      session.deliveries.set(packetId, { ...due, packetId, message: undefined, sequence: 0, size: 0, flags: 0, sent: true });
      receipts.given(session, receipt(number, waitMs, "n/session/9"), runtime.now());
    };
    const [a, b] = sessions as [Session, Session];
    give(a, 1, 100_000);
    give(b, 1, 100_000);
    give(b, 2, 1);
    receipts.answered(a, 1, true);
    waits.serve();
    receipts.answered(b, 1, true);
    receipts.answered(b, 2, true);
    waits.serve();
    await vi.advanceTimersByTimeAsync(0);
    // Told when it was: the rest comes with the next try.
    expect(told).toEqual([[{ number: 1, acknowledged: 1, over: 0, away: 0 }]]);
    for (let tries = 0; tries < 2; tries += 1) {
      await vi.advanceTimersByTimeAsync(RETRY_MS_FIRST * 2 ** tries);
    }
    // The second of them nobody waits for any more.
    const both = [{ number: 1, acknowledged: 2, over: 0, away: 0 }];
    expect(told.slice(1)).toEqual([both, both]);
    await vi.advanceTimersByTimeAsync(RETRY_MS_TOTAL);
    expect(told.length).toBe(3);
  });
});
