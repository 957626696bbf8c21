/**
 * What an object did that is billed, month by month (`MONITOR`), so that somebody can look at the bill before it comes. What was counted in the seconds
 * before the object lost its memory is missing; and so is what the Worker did, which no object sees.
 */

import type { Runtime } from "../runtime.ts";
import { BILLED, type Billed, type SqliteSampleStore } from "../storage/sqlite-sample-store.ts";
import { SAMPLE_DELAY_MS } from "../storage-limits.ts";
import { unlessRefused } from "./guarded-store.ts";
import type { Meter } from "./meter.ts";
import { Soon } from "./soon.ts";

export interface BillOptions {
  readonly meter: Meter;
  readonly store: SqliteSampleStore;
  readonly runtime: Runtime;
}

/** Since the object woke, or now. */
type Counted = Omit<Billed, "month">;

export class Bill {
  readonly #options: BillOptions;
  readonly #soon: Soon<Counted>;
  /** As rows have it. */
  #written = Object.fromEntries(BILLED.map((field) => [field, 0])) as Counted;
  /** How long the object was kept in memory by what it had to do, ms, as far as it knows: none of it sees itself sleep. */
  #awakeMs = 0;
  #last = 0;

  constructor(options: BillOptions) {
    this.#options = options;
    const { runtime } = options;
    this.#soon = new Soon({ runtime, isSame, now: () => this.#now(), write: (_minute, now) => this.#write(now) });
  }

  /** To be called when something may have been counted. */
  counted(): void {
    const now = this.#options.runtime.now();
    // It is awake until what it has counted is written.
    this.#awakeMs += Math.min(now - this.#last, SAMPLE_DELAY_MS);
    this.#last = now;
    if (!this.#soon.isDue) this.#soon.begin(this.#now());
  }

  /** The last months, the earliest first. */
  months(): readonly Billed[] {
    return this.#options.store.months();
  }

  #write(now: Counted): void {
    const { store, runtime } = this.#options;
    try {
      store.bill(monthOf(runtime.now()), (field) => now[field] - this.#written[field]);
      this.#written = now;
    } catch (error) {
      unlessRefused(error);
    }
  }

  #now(): Counted {
    return { ...this.#options.meter.usage(), awakeMs: this.#awakeMs };
  }
}

/** Nothing was to be done between them: that somebody asked for figures is no reason to wait on. */
function isSame(a: Counted, b: Counted): boolean {
  return a.awakeMs === b.awakeMs;
}

/** Months since the year 0, of UTC as bills are. */
function monthOf(ms: number): number {
  const date = new Date(ms);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}
