/**
 * What a Session object has counted in each of the last minutes, for whoever looks at curves (`MONITOR`). What was counted in the seconds before the
 * object lost its memory is not told.
 */

import type { Runtime } from "../runtime.ts";
import type { SessionCore } from "../session/core.ts";
import { droppedTotal } from "../session/counters.ts";
import type { Sample, SqliteSampleStore } from "../storage/sqlite-sample-store.ts";
import { unlessRefused } from "./guarded-store.ts";
import { minuteOf, Soon } from "./soon.ts";

export interface MonitorOptions {
  readonly core: SessionCore;
  readonly store: SqliteSampleStore;
  readonly runtime: Runtime;
}

/** Since the object woke, or now. */
type Counted = Omit<Sample, "minute">;

const NOTHING: Counted = { received: 0, sent: 0, dropped: 0, connections: 0, sessions: 0, subscriptions: 0 };

export class Monitor {
  readonly #options: MonitorOptions;
  /** As rows have it; undefined before it was asked for. */
  #written: Counted | undefined;
  readonly #soon: Soon<Counted>;

  constructor(options: MonitorOptions) {
    this.#options = options;
    const { runtime } = options;
    this.#soon = new Soon({ runtime, isSame, now: () => this.#now(), write: (minute, now) => this.#write(minute, now) });
  }

  /** To be called when something may have been counted. */
  counted(): void {
    if (this.#soon.isDue) return;
    const now = this.#now();
    this.#written ??= this.#lastWritten();
    if (!isSame(now, this.#written)) this.#soon.begin(now);
  }

  /** What rows have of the life before is what there was: who has left since the object last wrote, asleep or by a reset, is missing now. */
  #lastWritten(): Counted {
    const { store, runtime } = this.#options;
    try {
      const { connections, sessions, subscriptions } = store.last(minuteOf(runtime.now())) ?? NOTHING;
      return { ...NOTHING, connections, sessions, subscriptions };
    } catch (error) {
      unlessRefused(error);
      return NOTHING;
    }
  }

  samplesSince(minute: number): readonly Sample[] {
    return this.#options.store.since(minute);
  }

  #write(minute: number, now: Counted): void {
    const { store } = this.#options;
    try {
      const known = store.find(minute) ?? NOTHING;
      const written = this.#written ?? NOTHING;
      const counted = (field: "received" | "sent" | "dropped"): number => known[field] + now[field] - written[field];
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
