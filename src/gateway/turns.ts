/** Lets so many be under way at a time; the others wait in the order in which they came. */

export class Turns {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(most: number) {
    this.#free = most;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs something when it is its turn, at once if it can.
   * @returns what ends the turn, or the wait for it; to be called once
   */
  take(run: () => void): () => void {
    let isRunning = false;
    const begin = (): void => {
      isRunning = true;
      run();
    };
    const end = (): void => {
      if (isRunning) this.#next();
      else this.#waiting.delete(begin);
    };
    if (this.#free > 0) {
      this.#free -= 1;
      begin();
    } else this.#waiting.add(begin);
    return end;
  }

  #next(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
