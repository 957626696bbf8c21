/** What an object has counted is in rows soon after, once in a minute while that goes on, and survives what it forgets. */

import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { Bill } from "../../src/objects/bill.ts";
import { Meter } from "../../src/objects/meter.ts";
import { Monitor } from "../../src/objects/monitor.ts";
import { PLATFORM, type Runtime, type Timer } from "../../src/runtime.ts";
import type { SessionCore } from "../../src/session/core.ts";
import { createCounters } from "../../src/session/counters.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { SqliteSampleStore } from "../../src/storage/sqlite-sample-store.ts";

const MINUTE_MS = 60_000;

/** A time that passes when it is told to, and the one timer that runs by it. */
class Clock {
  now: number;
  #due: { readonly at: number; readonly run: () => void } | undefined;
  readonly runtime: Runtime;

  constructor(now: number) {
    this.now = now;
    const after = (ms: number, run: () => void): Timer => {
      this.#due = { at: this.now + ms, run };
      return { cancel() {} };
    };
    this.runtime = { ...PLATFORM, now: () => this.now, after };
  }

  get isIdle(): boolean {
    return this.#due === undefined;
  }

  /** Runs what is due within so many ms. */
  pass(ms: number): void {
    for (const end = this.now + ms; this.#due !== undefined && this.#due.at <= end; ) {
      const { at, run } = this.#due;
      this.#due = undefined;
      this.now = at;
      run();
    }
  }
}

test("rows", () =>
  runInDurableObject(env.SESSIONS.getByName(`test/${crypto.randomUUID()}`), async (_object, { storage }) => {
    await storage.deleteAll();
    const meter = createRowMeter();
    const clock = new Clock(100 * MINUTE_MS);
    const woken = (has = { connections: 1, sessions: 2, subscriptions: 3 }) => {
      const counters = createCounters();
      const { connections, sessions, subscriptions } = has;
      const sizes = { connections: { size: connections }, sessions: { size: sessions }, subscriptions: { size: subscriptions } };
      const core = { counters, ...sizes } as unknown as SessionCore;
      const store = new SqliteSampleStore(storage.sql, meter);
      return { counters, monitor: new Monitor({ core, store, runtime: clock.runtime }) };
    };
    const first = woken();
    const rows = (): [number, number][] => first.monitor.samplesSince(0).map(({ minute, received }) => [minute, received]);
    const count = (of: typeof first): void => {
      of.counters.messagesReceived += 1;
      of.monitor.counted();
    };

    first.monitor.counted();
    count(first);
    expect(rows()).toEqual([]);
    clock.pass(10_000);
    expect(rows()).toEqual([[100, 1]]);
    // Nothing new: nothing is written.
    first.monitor.counted();
    expect(clock.isIdle).toBe(true);

    const before = meter.rowsWritten;
    while (clock.now < 102 * MINUTE_MS) {
      count(first);
      clock.now += 1000;
      clock.pass(0);
    }
    clock.pass(10_000);
    const counts = rows().map(([, received]) => received);
    expect(counts.reduce((sum, received) => sum + received, 0)).toBe(first.counters.messagesReceived);
    expect(
      rows()
        .map(([minute]) => minute)
        .slice(0, 2),
    ).toEqual([100, 101]);
    expect(meter.rowsWritten - before).toBeLessThanOrEqual(4);

    // It has slept: what it counts in the same minute is added to what is there.
    const [minute, received] = rows().at(-1)!;
    clock.now = minute * MINUTE_MS + 50_000;
    const second = woken();
    count(second);
    clock.pass(10_000);
    expect(rows().at(-1)).toEqual([minute, received + 1]);

    // Nothing has changed in its sleep, across a midnight: no row.
    clock.now = 1441 * MINUTE_MS;
    woken().monitor.counted();
    expect(clock.isIdle).toBe(true);
    // All have left in it.
    const nobody = { connections: 0, sessions: 0, subscriptions: 0 };
    woken(nobody).monitor.counted();
    clock.pass(10_000);
    expect(first.monitor.samplesSince(1441).at(-1)).toEqual({ minute: 1441, received: 0, sent: 0, dropped: 0, ...nobody });
    for (const later of [1442, 9000]) {
      clock.now = later * MINUTE_MS;
      woken(nobody).monitor.counted();
      expect(clock.isIdle).toBe(true);
    }
  }));

test("what is billed is added to the row of its month, once in a minute at most, also after a sleep", () =>
  runInDurableObject(env.SESSIONS.getByName(`test/${crypto.randomUUID()}`), async (_object, { storage }) => {
    await storage.deleteAll();
    const clock = new Clock(Date.UTC(2026, 10, 30, 23, 58));
    const woken = () => {
      const meter = new Meter();
      const store = new SqliteSampleStore(storage.sql, createRowMeter());
      return { meter, bill: new Bill({ meter, store, runtime: clock.runtime }) };
    };
    const first = woken();
    expect(first.bill.months()).toEqual([]);
    let writes = 0;
    for (let second = 0; second < 60; second += 1) {
      first.meter.calls += 1;
      first.bill.counted();
      const before = JSON.stringify(first.bill.months());
      clock.now += 1000;
      clock.pass(0);
      if (JSON.stringify(first.bill.months()) !== before) writes += 1;
    }
    clock.pass(10_000);
    expect(writes).toBeLessThanOrEqual(2);
    expect(first.bill.months()).toMatchObject([{ month: 2026 * 12 + 10, calls: 60, requests: 0 }]);
    // To be asked for figures, again and again, does not keep it from writing.
    first.meter.calls += 1;
    first.bill.counted();
    for (let second = 0; second < 5; second += 1) {
      clock.now += 1000;
      first.meter.calls += 1;
      clock.pass(0);
    }
    expect(first.bill.months()[0]!.calls).toBeGreaterThanOrEqual(63);
    // It was awake for a minute, and for as long as it takes to write that down.
    expect(first.bill.months()[0]!.awakeMs).toBeGreaterThanOrEqual(60_000);
    expect(first.bill.months()[0]!.awakeMs).toBeLessThanOrEqual(69_000);

    clock.now = Date.UTC(2026, 11, 1);
    const second = woken();
    second.meter.calls += 5;
    second.bill.counted();
    clock.pass(10_000);
    expect(second.bill.months().map(({ month, calls, awakeMs }) => [month % 12, calls, awakeMs > 5000])).toEqual([
      [10, first.bill.months()[0]!.calls, true],
      [11, 5, false],
    ]);
  }));
