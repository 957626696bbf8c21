/**
 * QoS 2 messages whose publishers may repeat them after a loss of memory, named by the Session object where they entered and their
 * number there. What a session that moved here had, or lacks, of them where this object as a whole knows otherwise.
 */

import { MOVED_EXCHANGES_MAX } from "../limits.ts";
import { type Message, objectOf } from "../mqtt/message.ts";

/** Those of one object, as they are stored and travel. */
export interface OpenExchanges {
  readonly object: string;
  readonly sequences: readonly number[];
}

export class OpenExchangeSet {
  /** Undefined while there are none: hardly any session has some, and each session has two of these. */
  #sequences: Map<string, Set<number>> | undefined;

  get size(): number {
    return this.#sequences?.size ?? 0;
  }

  add(all: readonly OpenExchanges[]): void {
    for (const { object, sequences } of all) {
      const known = this.#sequences?.get(object) ?? new Set();
      for (const sequence of sequences) known.add(sequence);
      if (known.size === 0) continue;
      this.#sequences ??= new Map();
      this.#sequences.set(object, known);
    }
    this.#keepWithinBounds();
  }

  /** They stand in the row of their session: with very many objects the first ones are forgotten. */
  #keepWithinBounds(): void {
    let tooMany = -MOVED_EXCHANGES_MAX;
    for (const known of this.#sequences?.values() ?? []) tooMany += known.size;
    for (const [object, known] of this.#sequences ?? []) {
      for (const sequence of known) {
        if (tooMany <= 0) return;
        known.delete(sequence);
        tooMany -= 1;
      }
      this.#sequences!.delete(object);
    }
  }

  /** Forgets those that are settled by what a message says of its origin. */
  settle({ origin, settledBelow }: Message): void {
    const object = objectOf(origin);
    const known = this.#sequences?.get(object);
    if (known === undefined) return;
    for (const sequence of known) if (sequence < settledBelow) known.delete(sequence);
    if (known.size === 0) this.#sequences?.delete(object);
  }

  has(object: string, sequence: number): boolean {
    return this.#sequences?.get(object)?.has(sequence) === true;
  }

  delete(object: string, sequence: number): void {
    const known = this.#sequences?.get(object);
    known?.delete(sequence);
    if (known?.size === 0) this.#sequences?.delete(object);
  }

  toList(): OpenExchanges[] {
    return [...(this.#sequences ?? [])].map(([object, sequences]) => ({ object, sequences: [...sequences] }));
  }
}
