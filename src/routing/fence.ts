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

export class Fence {
  readonly #lives = new Map<string, Life>();

  /**
   * @param epoch of the sender's life; later lives have greater ones
   * @returns whether the call is to be handled
   */
  admits(sender: string, epoch: number, now: number): boolean {
    const known = this.#lives.get(sender);
    if (known !== undefined && epoch < known.epoch && Math.abs(now - known.at) < FENCE_MS) return false;
    if (known?.epoch === epoch) known.at = now;
    else this.#lives.set(sender, { epoch, at: now });
    return true;
  }
}
