/** Incoming QoS 2 exchanges in the order in which they began, from the oldest on that is not settled. */

import type { Ledger } from "../ledger.ts";
import { OPEN_EXCHANGES_MAX } from "../limits.ts";
import { MEMORY } from "../memory-limits.ts";
import { Deque } from "./deque.ts";

export class RecentExchanges {
  readonly #sequences: Deque<number>;

  /** @param ledger where there are many of such lists */
  constructor(ledger?: Ledger) {
    this.#sequences = new Deque(ledger && ((by) => ledger.add("exchanges", MEMORY.sequenceBytes * by)));
  }

  add(sequence: number): void {
    this.#sequences.push(sequence);
    if (this.#sequences.length > OPEN_EXCHANGES_MAX) this.#sequences.shift();
  }

  /** How many have begun from this one on, this one too. Those before it are forgotten: it is the oldest that matters. */
  countFrom(oldest: number): number {
    while (this.#sequences.length > 0 && this.#sequences.peek()! < oldest) this.#sequences.shift();
    return this.#sequences.length;
  }

  clear(): void {
    this.#sequences.clear();
  }
}
