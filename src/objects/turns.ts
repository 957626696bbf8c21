/**
 * Whose turn it is in an object: what one client or one batch brings is handled for a bounded share of a tick; the rest waits until all
 * others that wait have had theirs. So between two packets of a client lies a bounded amount of everybody else's work, however much
 * that is. Knows nothing of what is handled.
 */

import type { Runtime, Timer } from "../runtime.ts";
import { Deque } from "../session/deque.ts";
import { CROWDED_MS, SLICES, type Slices } from "../work-limits.ts";

/** Who has more to do than its share. */
export interface Taker {
  /**
   * Does about so much of what waits, in order; if more is left it asks for its next turn. It throws nothing.
   * @returns how much it did
   */
  turn(work: number): number;
}

export class Turns {
  readonly slices: Slices;
  readonly #runtime: Runtime;
  readonly #isCrowded: () => boolean;
  readonly #waiting = new Deque<Taker>();
  #timer: Timer | undefined;
  /** The timer that runs waits for room on the way out. */
  #held = false;
  #round = 0;
  /** Milliseconds since the epoch. */
  #renewedAt = 0;

  /** @param isCrowded whether so much is on its way from here already that nobody should add more than a share to it */
  constructor(runtime: Runtime, isCrowded: () => boolean, slices = SLICES) {
    this.#runtime = runtime;
    this.slices = slices;
    this.#isCrowded = isCrowded;
  }

  /** Everybody has a whole share again when this changes: with every tick, and while the way out is crowded now and then. */
  get round(): number {
    return this.#round;
  }

  get isCrowded(): boolean {
    return this.#isCrowded();
  }

  /** Asks for a turn. */
  wait(taker: Taker): void {
    this.#waiting.push(taker);
    this.#timer ??= this.#runtime.after(0, this.#serve);
  }

  /** A tick is over, or something has left. @param now milliseconds since the epoch */
  renew(now: number): void {
    const elapsedMs = now - this.#renewedAt;
    // A clock that was set back must not hold anything up.
    if (elapsedMs >= 0 && elapsedMs < CROWDED_MS && this.#isCrowded()) return;
    this.#round += 1;
    this.#renewedAt = now;
    if (!this.#held) return;
    this.#timer?.cancel();
    this.#arm(false);
  }

  #arm(held: boolean): void {
    this.#held = held;
    this.#timer = this.#runtime.after(held ? CROWDED_MS : 0, this.#serve);
  }

  readonly #serve = (): void => {
    const crowded = this.#isCrowded();
    // While it is crowded each of those who wait has one turn, and the next one when there is room again or after some time.
    let turns = crowded ? this.#waiting.length : Number.POSITIVE_INFINITY;
    for (let work = 0; work < this.slices.tick && turns > 0 && this.#waiting.length > 0; turns -= 1) {
      work += Math.max(1, this.#waiting.shift()!.turn(this.slices.share));
    }
    this.#timer = undefined;
    this.#held = false;
    if (this.#waiting.length > 0) this.#arm(crowded && turns === 0);
  };
}
