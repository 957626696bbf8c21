/**
 * Who may hash a password now. Hashing is slow by design, and in one isolate it holds up everybody for as long: so one hash runs at a
 * time, a pause follows each, addresses take turns, and whoever finds too many waiting is refused before anything is hashed. Connections
 * that stand feel one hash at the most, however many passwords are tried.
 */

import { HASH_PAUSE_MS, HASHES_WAITING_MAX, HASHES_WAITING_PER_ADDRESS_MAX } from "../limits.ts";

export class HashTurns {
  /** By address, those whose turn came longest ago first; each has at least one that waits. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #count = 0;
  #busy = false;

  /**
   * Runs a hash when it is its turn.
   * @param address where the client is; empty when that is not known
   * @returns undefined when too many wait already
   */
  async run<Result>(address: string, hash: () => Promise<Result>): Promise<Result | undefined> {
    if (this.#busy) {
      const others = this.#waiting.get(address)?.length ?? 0;
      // Where addresses are not known, on one's own machine, they can't be told apart.
      const othersMax = address === "" ? HASHES_WAITING_MAX : HASHES_WAITING_PER_ADDRESS_MAX;
      if (this.#count >= HASHES_WAITING_MAX || others >= othersMax) return undefined;
      await new Promise<void>((resolve) => this.#enter(address, resolve));
    }
    this.#busy = true;
    try {
      return await hash();
    } finally {
      setTimeout(() => this.#next(), HASH_PAUSE_MS);
    }
  }

  #enter(address: string, turn: () => void): void {
    const waiting = this.#waiting.get(address) ?? [];
    waiting.push(turn);
    this.#waiting.set(address, waiting);
    this.#count += 1;
  }

  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#busy = false;
      return;
    }
    const [address, waiting] = first;
    const turn = waiting.shift()!;
    this.#count -= 1;
    this.#waiting.delete(address);
    if (waiting.length > 0) this.#waiting.set(address, waiting);
    turn();
  }
}
