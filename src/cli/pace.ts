/**
 * So many in a second and no more. What could not be done in its time, because this machine or the server was not quick enough, is not made up
 * for: it would be a burst that nobody has asked for.
 */

/** How late one may be, ms: timers are. */
const LATE_MS = 50;

export class Pace {
  readonly #perMs: number;
  readonly #burst: number;
  #done = 0;
  /** Those whose time is over. */
  missed = 0;

  /** @param rate in a second */
  constructor(rate: number) {
    this.#perMs = rate / 1000;
    this.#burst = Math.max(1, Math.floor(this.#perMs * LATE_MS));
  }

  /** @param ms since the beginning @returns how many are due now, each of which is told once */
  due(ms: number): number {
    const earned = Math.floor(ms * this.#perMs) + 1 - this.#done - this.missed;
    const due = Math.max(0, Math.min(earned, this.#burst));
    this.missed += Math.max(0, earned - due);
    this.#done += due;
    return due;
  }

  /** @param ms since the beginning @returns how long it is until the next is due, ms */
  wait(ms: number): number {
    return Math.max(1, (this.#done + this.missed) / this.#perMs - ms);
  }
}
