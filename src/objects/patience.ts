/** The time that a client has for what it has begun: a CONNECT that has not come, or a packet of which a part has. */

import type { Timer } from "../runtime.ts";
import type { EqualTimers } from "./equal-timers.ts";

export class Patience {
  readonly #timers: EqualTimers;
  readonly #ended: () => void;
  /** What is incomplete is only in memory: the pending timer also keeps the object awake. */
  #timer: Timer | undefined;

  /** @param ended called when the time is over */
  constructor(timers: EqualTimers, ended: () => void) {
    this.#timers = timers;
    this.#ended = ended;
  }

  /** Something is incomplete; what is so already has no more time than it had. */
  begin(): void {
    this.#timer ??= this.#timers.set(this.#ended);
  }

  /** It is whole, or nobody waits for it any longer. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
