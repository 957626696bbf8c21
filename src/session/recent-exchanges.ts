/** The latest incoming QoS 2 exchanges that began in this life: how far back one may still be unsettled is bounded by their number. */

import { OPEN_EXCHANGES_MAX } from "../limits.ts";
import { Deque } from "./deque.ts";

/** The latest exchanges that began in this life. */
export class RecentExchanges {
  readonly #sequences = new Deque<number>();

  add(sequence: number): void {
    this.#sequences.push(sequence);
    if (this.#sequences.length > OPEN_EXCHANGES_MAX) this.#sequences.shift();
  }

  /** The oldest that may be unsettled when one more begins. */
  get oldestAllowed(): number {
    return this.#sequences.length < OPEN_EXCHANGES_MAX ? 0 : this.#sequences.peek()!;
  }
}
