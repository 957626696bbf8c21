/** Numbers that an object never gives twice, over restarts too: they begin with the clock, a thousand for every millisecond of life. */

const PER_MS = 1000;

/** When the life began at the earliest in which a number was given, milliseconds since the epoch. */
export function lifeOf(number: number): number {
  return Math.floor(number / PER_MS);
}

export class Numbers {
  #last: number;

  /** @param now milliseconds since the epoch */
  constructor(now: number) {
    this.#last = now * PER_MS;
  }

  /** The last number given. */
  get last(): number {
    return this.#last;
  }

  /** A number that was never given before: for messages, versions of interest, sessions. */
  next(): number {
    this.#last += 1;
    return this.#last;
  }

  /** Numbers from now on are above this one, which was given before a restart: the clock may have been set back since. */
  raise(above: number): void {
    this.#last = Math.max(this.#last, above);
  }
}
