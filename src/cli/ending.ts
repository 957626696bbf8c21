/**
 * What ends a command that goes on: a signal, a time, that all is done, or a failure. The first SIGINT or SIGTERM asks for a clean end; the second
 * one ends the process as it does without this. Whoever waits leaves nothing behind: a command may wait a million times before its end.
 */

import { systemClock } from "../client/platform.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export class Ending {
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  #cancel: () => void = () => {};
  #isReached = false;
  #problem: Error | undefined;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#stopped);
  }

  /** Aborted by a signal of the system: what is under way is to be given up. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get isReached(): boolean {
    return this.#isReached;
  }

  readonly #stopped = (): void => {
    this.#reach(undefined);
    this.#stop.abort();
  };

  finish(): void {
    this.#reach(undefined);
  }

  fail(problem: Error): void {
    this.#reach(problem);
  }

  /** It ends after this time at the latest. */
  after(ms: number): void {
    this.#cancel = systemClock.after(ms, () => this.finish());
  }

  /** @returns when it is to end @throws what it fails with */
  async reached(): Promise<void> {
    await this.or(new Promise<never>(() => {}));
  }

  /**
   * Waits for something unless the end comes before.
   * @param late is given what came after the end
   * @returns what the promise gives; undefined when the end came before
   * @throws what the promise is rejected with, or what the command fails with
   */
  or<Value>(promise: Promise<Value>, late: (value: Value) => unknown = () => {}): Promise<Value | undefined> {
    return new Promise((resolve, reject) => {
      const over = (): void => (this.#problem === undefined ? resolve(undefined) : reject(this.#problem));
      const settled = (): boolean => this.#waiting.delete(over);
      this.#waiting.add(over);
      promise.then(
        (value) => (settled() ? resolve(value) : late(value)),
        // What was given up is rejected for that.
        (error) => settled() && reject(error),
      );
      if (this.#isReached && settled()) over();
    });
  }

  /** Waits so long, and no longer than until the end. */
  async pause(ms: number): Promise<void> {
    let cancel = (): void => {};
    const over = new Promise<void>((resolve) => {
      cancel = systemClock.after(ms, resolve);
    });
    try {
      await this.or(over);
    } finally {
      cancel();
    }
  }

  #reach(problem: Error | undefined): void {
    if (this.#isReached) return;
    this.#isReached = true;
    this.#problem = problem;
    this.dispose();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const over of waiting) over();
  }

  /** Signals are the process's own again. */
  dispose(): void {
    for (const signal of SIGNALS) process.off(signal, this.#stopped);
    this.#cancel();
  }
}
