/** The time that a client has for what it has begun: a CONNECT that has not come, or a packet of which a part has. */

import type { Runtime, Timer } from "../runtime.ts";

export class Patience {
  readonly #runtime: Runtime;
  readonly #ms: number;
  readonly #ended: () => void;
  /** What is incomplete is only in memory: the pending timer also keeps the object awake. */
  #timer: Timer | undefined;

  /** @param ended called when the time is over */
  constructor(runtime: Runtime, seconds: number, ended: () => void) {
    this.#runtime = runtime;
    this.#ms = seconds * 1000;
    this.#ended = ended;
  }

  /** Something is incomplete; what is so already has no more time than it had. */
  begin(): void {
    this.#timer ??= this.#runtime.after(this.#ms, this.#ended);
  }

  /** It is whole, or nobody waits for it any longer. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
