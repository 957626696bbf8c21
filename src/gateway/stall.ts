/** Notices that somebody takes nothing although something waits for him. */

import type { Clock } from "../client/platform.ts";
import { STALLED_MS } from "./limits.ts";

export class Stall {
  readonly #clock: Clock;
  readonly #stalled: () => void;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, stalled: () => void) {
    this.#clock = clock;
    this.#stalled = stalled;
  }

  /** Something waits from now on, or was taken just now and more waits. */
  moved(): void {
    this.#cancel?.();
    this.#cancel = this.#clock.after(STALLED_MS, this.#stalled);
  }

  /** Nothing waits any more. */
  over(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
