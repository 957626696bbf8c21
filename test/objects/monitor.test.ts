/** What an object has counted is in rows soon after, once in a minute while that goes on, and survives what it forgets. */

import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { Monitor } from "../../src/objects/monitor.ts";
import { PLATFORM, type Timer } from "../../src/runtime.ts";
import type { SessionCore } from "../../src/session/core.ts";
import { createCounters } from "../../src/session/counters.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { SqliteSampleStore } from "../../src/storage/sqlite-sample-store.ts";

const MINUTE_MS = 60_000;

test("rows", () =>
  runInDurableObject(env.SESSIONS.getByName(`test/${crypto.randomUUID()}`), async (_object, { storage }) => {
    await storage.deleteAll();
    const meter = createRowMeter();
    let now = 100 * MINUTE_MS;
    let due: { readonly at: number; readonly run: () => void } | undefined;
    const after = (ms: number, run: () => void): Timer => {
      due = { at: now + ms, run };
      return { cancel() {} };
    };
    const woken = () => {
      const counters = createCounters();
      const core = { counters, connections: { size: 1 }, sessions: { size: 2 }, subscriptions: { size: 3 } } as unknown as SessionCore;
      const store = new SqliteSampleStore(storage.sql, meter);
      return { counters, monitor: new Monitor({ core, store, runtime: { ...PLATFORM, now: () => now, after } }) };
    };
    const pass = (ms: number): void => {
      for (const end = now + ms; due !== undefined && due.at <= end; ) {
        const { at, run } = due;
        due = undefined;
        now = at;
        run();
      }
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
    pass(10_000);
    expect(rows()).toEqual([[100, 1]]);
    // Nothing new: nothing is written.
    first.monitor.counted();
    expect(due).toBeUndefined();

    const before = meter.rowsWritten;
    while (now < 102 * MINUTE_MS) {
      count(first);
      now += 1000;
      pass(0);
    }
    pass(10_000);
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
    now = minute * MINUTE_MS + 50_000;
    const second = woken();
    count(second);
    pass(10_000);
    expect(rows().at(-1)).toEqual([minute, received + 1]);
  }));
