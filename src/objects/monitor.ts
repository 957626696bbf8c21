/**
 * What a Session object has counted in each of the last minutes, for whoever looks at curves (`MONITOR`). It is in rows soon after something was
 * counted, while the object is awake anyway, so that an object that has nothing to do is woken by nothing; where there is always something, a
 * row is written once in a minute. What was counted in the seconds before the object lost its memory is not told.
 */

import type { Runtime, Timer } from "../runtime.ts";
import type { SessionCore } from "../session/core.ts";
import { droppedTotal } from "../session/counters.ts";
import type { Sample, SqliteSampleStore } from "../storage/sqlite-sample-store.ts";
import { SAMPLE_DELAY_MS } from "../storage-limits.ts";
import { unlessRefused } from "./guarded-store.ts";

export interface MonitorOptions {
  readonly core: SessionCore;
  readonly store: SqliteSampleStore;
  readonly runtime: Runtime;
}

/** Since the object woke, or now. */
type Counted = Omit<Sample, "minute">;

const NOTHING: Counted = { received: 0, sent: 0, dropped: 0, connections: 0, sessions: 0, subscriptions: 0 };

function minuteOf(ms: number): number {
  return Math.floor(ms / 60_000);
}

export class Monitor {
  readonly #options: MonitorOptions;
  /** As rows have it. */
  #written = NOTHING;
  #timer: Timer | undefined;

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  /** To be called when something may have been counted. */
  counted(): void {
    if (this.#timer !== undefined) return;
    const now = this.#now();
    if (!isSame(now, this.#written)) this.#soon(minuteOf(this.#options.runtime.now()), now);
  }

  samplesSince(minute: number): readonly Sample[] {
    return this.#options.store.since(minute);
  }

  /** @param minute to which what was counted until now belongs */
  #soon(minute: number, before: Counted): void {
    const { runtime } = this.#options;
    this.#timer = runtime.after(SAMPLE_DELAY_MS, () => {
      this.#timer = undefined;
      const now = this.#now();
      if (minuteOf(runtime.now()) === minute && !isSame(now, before)) this.#soon(minute, now);
      else this.#write(minute, now);
    });
  }

  #write(minute: number, now: Counted): void {
    const { store } = this.#options;
    try {
      const known = store.find(minute) ?? NOTHING;
      const counted = (field: "received" | "sent" | "dropped"): number => known[field] + now[field] - this.#written[field];
      store.put({ ...now, minute, received: counted("received"), sent: counted("sent"), dropped: counted("dropped") });
      this.#written = now;
    } catch (error) {
      unlessRefused(error);
    }
  }

  #now(): Counted {
    const { counters, connections, sessions, subscriptions } = this.#options.core;
    return {
      received: counters.messagesReceived,
      sent: counters.messagesDelivered,
      dropped: droppedTotal(counters),
      connections: connections.size,
      sessions: sessions.size,
      subscriptions: subscriptions.size,
    };
  }
}

function isSame(a: Counted, b: Counted): boolean {
  return (Object.keys(a) as (keyof Counted)[]).every((field) => a[field] === b[field]);
}
