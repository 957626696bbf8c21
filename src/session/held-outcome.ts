/** The outcome of a message whose publisher waits for slow subscribers. Data; who waits for whom is decided in `catch-up.ts`. */

import type { Deque } from "./deque.ts";

/** Whoever publishers wait for: a session, or a consumer. */
export interface Slowed {
  /** Outcomes that wait for it to catch up, oldest first; undefined while there was none. */
  holds: Deque<Hold> | undefined;
  /** It has acknowledged nothing for so long that nobody waits for it any more. */
  stuck: boolean;
  /** Milliseconds since the epoch: it acknowledged something last. */
  readonly acknowledgedAt: number;
  /** How many messages wait for it. */
  readonly waiting: number;
  readonly waitingBytes: number;
}

/** An outcome that waits for one slow session or several. */
export class HeldOutcome {
  #awaited: number;
  readonly #settle: () => void;

  constructor(awaited: number, settle: () => void) {
    this.#awaited = awaited;
    this.#settle = settle;
  }

  release(): void {
    this.#awaited -= 1;
    if (this.#awaited === 0) this.#settle();
  }
}

/** One outcome that waits for one session. */
export interface Hold {
  readonly outcome: HeldOutcome;
  /** Milliseconds since the epoch. */
  readonly since: number;
}
