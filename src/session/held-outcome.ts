/** The outcome of a message whose publisher waits for slow subscribers. Data; who waits for whom is decided in `catch-up.ts`. */

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
