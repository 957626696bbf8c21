/**
 * Timers of one length, of which an object has many at a time and which hardly ever run out: how long each client has for its CONNECT. To set
 * and clear one of the platform's for each is 3 % of what connecting costs, so all share one. It runs as long as any of them does, for what
 * they guard must not be forgotten by an object that hibernates, and no longer.
 */

import { type FaultPort, guarded } from "../fault.ts";
import type { Runtime, Timer } from "../runtime.ts";

interface Running extends Timer {
  /** Milliseconds since the epoch. */
  at: number;
  readonly run: () => void;
}

export class EqualTimers {
  readonly #runtime: Runtime;
  readonly #faults: FaultPort;
  readonly #ms: number;
  /** Those that were set first are due first. */
  readonly #running = new Set<Running>();
  #timer: Timer | undefined;

  /** @param ms how long each of them is */
  constructor(runtime: Runtime, faults: FaultPort, ms: number) {
    this.#runtime = runtime;
    this.#faults = faults;
    this.#ms = ms;
  }

  /** Runs something in so many milliseconds, once, unless it is cancelled before. */
  set(run: () => void): Timer {
    const timer: Running = { at: this.#runtime.now() + this.#ms, run, cancel: () => this.#cancel(timer) };
    this.#running.add(timer);
    this.#timer ??= this.#runtime.after(this.#ms, this.#due);
    return timer;
  }

  #cancel(timer: Running): void {
    this.#running.delete(timer);
    if (this.#running.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #due = (): void => {
    this.#timer = undefined;
    const now = this.#runtime.now();
    for (const timer of this.#running) {
      // By a clock that was set back it would run for as much longer.
      timer.at = Math.min(timer.at, now + this.#ms);
      if (timer.at > now) {
        this.#timer ??= this.#runtime.after(timer.at - now, this.#due);
        return;
      }
      this.#running.delete(timer);
      guarded(this.#faults, "running a timer", undefined, timer.run);
    }
  };
}
