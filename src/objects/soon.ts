/**
 * When to write down what an object counts: some seconds after something was, while the object is awake anyway, so that one that has nothing to do
 * is woken by nothing; where there is always something, once in a minute.
 */

import type { Runtime, Timer } from "../runtime.ts";
import { SAMPLE_DELAY_MS } from "../storage-limits.ts";

export interface SoonOptions<Counts> {
  readonly runtime: Runtime;
  /** What is counted until now. */
  readonly now: () => Counts;
  readonly isSame: (a: Counts, b: Counts) => boolean;
  /** @param minute to which it belongs, since the epoch */
  readonly write: (minute: number, counts: Counts) => void;
}

export class Soon<Counts> {
  readonly #options: SoonOptions<Counts>;
  #timer: Timer | undefined;

  constructor(options: SoonOptions<Counts>) {
    this.#options = options;
  }

  /** It is to be written, or will be already. */
  get isDue(): boolean {
    return this.#timer !== undefined;
  }

  begin(counts: Counts): void {
    this.#after(minuteOf(this.#options.runtime.now()), counts);
  }

  #after(minute: number, before: Counts): void {
    const { runtime, now, isSame, write } = this.#options;
    this.#timer = runtime.after(SAMPLE_DELAY_MS, () => {
      this.#timer = undefined;
      const counts = now();
      if (minuteOf(runtime.now()) === minute && !isSame(counts, before)) this.#after(minute, counts);
      else write(minute, counts);
    });
  }
}

/** Since the epoch. */
export function minuteOf(ms: number): number {
  return Math.floor(ms / 60_000);
}
