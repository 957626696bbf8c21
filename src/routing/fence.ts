/**
 * Keeps out what an earlier life of an object sent: a call that was on its way when its sender lost its memory may arrive after the
 * calls of the sender's next life, and would turn the order of messages. Nobody waits for its answer, and what it carried was not
 * acknowledged.
 */

import { FENCE_MS } from "../limits.ts";

interface Life {
  readonly epoch: number;
  at: number;
}

/** So many senders are remembered without a look at how old they are. */
const LIVES_LEAST = 64;

export class Fence {
  readonly #lives = new Map<string, Life>();
  /** With so many it is looked which of them decide nothing any more: with twice as many as were left of the last look. */
  #lookAt = LIVES_LEAST;

  /** Senders that are remembered. */
  get size(): number {
    return this.#lives.size;
  }

  /**
   * @param epoch of the sender's life; later lives have greater ones
   * @returns whether the call is to be handled
   */
  admits(sender: string, epoch: number, now: number): boolean {
    const known = this.#lives.get(sender);
    if (known !== undefined && epoch < known.epoch && decides(known, now)) return false;
    if (known?.epoch === epoch) known.at = now;
    else this.#lives.set(sender, { epoch, at: now });
    if (this.#lives.size >= this.#lookAt) this.#forget(now);
    return true;
  }

  /** With an object for each client there may be very many senders, most of which never come again. */
  #forget(now: number): void {
    for (const [sender, life] of this.#lives) if (!decides(life, now)) this.#lives.delete(sender);
    this.#lookAt = Math.max(LIVES_LEAST, 2 * this.#lives.size);
  }
}

/** Whether a call of an earlier life may still be on its way; after a clock was set back nobody knows. */
function decides({ at }: Life, now: number): boolean {
  return Math.abs(now - at) < FENCE_MS;
}
