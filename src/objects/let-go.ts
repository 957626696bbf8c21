/**
 * workerd keeps the TCP connection of a hibernatable socket over which nothing ever came, which was closed from here, and whose client has
 * answered Close, until its garbage is collected (measured 2026-11; any other ends at once). Some clients wait for that: those of the library
 * `ws` for 30 s. Where the runtime lets its code collect garbage, as that of `npm start` does, this is asked for.
 */

import { LET_GO_MS } from "../limits.ts";
import type { Runtime, Timer } from "../runtime.ts";

/** When garbage was collected last, milliseconds since the epoch: for all objects of the process, which share it. */
let collectedAt = 0;

export class LetGo {
  readonly #runtime: Runtime;
  #timer: Timer | undefined;
  /** Milliseconds since the epoch. */
  #answeredAt = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** A client has answered Close. */
  answered(): void {
    const { gc } = globalThis as { gc?: () => void };
    if (gc === undefined) return;
    this.#answeredAt = this.#runtime.now();
    // Of each object: what is collected of one that does nothing is not let go of before it does something.
    this.#timer ??= this.#runtime.after(LET_GO_MS, () => {
      this.#timer = undefined;
      if (collectedAt > this.#answeredAt) return;
      collectedAt = this.#runtime.now();
      gc();
    });
  }
}
