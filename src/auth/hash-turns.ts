/**
 * Who may hash a password now. Hashing is slow by design, and in one isolate it holds up everybody for as long: so one hash runs at a
 * time, a pause follows each, addresses take turns, and whoever finds too many waiting is refused before anything is hashed. Connections
 * that stand feel one hash at the most, however many passwords are tried.
 *
 * In a Worker each connection has a life of its own: a timer or a promise of one must not be what another waits for (2026-11: it is
 * cancelled with the connection). So whoever waits looks for itself, and one that has stopped looking is passed over.
 */

import { limitedAs } from "../directory/network.ts";
import { HASH_LEASE_MS, HASH_PAUSE_MS, HASHES_WAITING_MAX, HASHES_WAITING_PER_ADDRESS_MAX } from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";

interface Waiter {
  /** Who counts as one (`limitedAs`). */
  readonly address: string;
  /** In each round every address that has somebody waiting has one turn. */
  readonly round: number;
  /** What its hash costs, of the dearest that there are. */
  readonly share: number;
  /** Milliseconds since the epoch: until then it looks again, or is gone. */
  looksUntil: number;
}

export class HashTurns {
  readonly #runtime: Runtime;
  /** In the order in which they came. */
  #waiting: Waiter[] = [];
  #round = 0;
  /** When the next hash may begin, milliseconds since the epoch. */
  #freeAt = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /**
   * Runs a hash when it is its turn.
   * @param address where the client is; empty when that is not known
   * @param hash returns undefined where it turns out that none is needed: then nobody waits for it
   * @param share what it costs, of the dearest hash that there is, 0 to 1: the pause after a cheap one is as much shorter
   * @returns undefined when too many wait already
   */
  async run<Result>(
    address: string,
    hash: () => Promise<Result> | undefined,
    share = 1,
  ): Promise<{ readonly result: Result | undefined } | undefined> {
    if (this.#waiting.length > 0 || this.#runtime.now() < this.#freeAt) {
      const waiter = this.#enter(limitedAs(address), share);
      if (waiter === undefined) return undefined;
      while (!this.#isTurnOf(waiter)) await this.#pause(waiter);
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      this.#round = waiter.round;
    }
    this.#freeAt = this.#runtime.now() + HASH_LEASE_MS;
    let hashing: Promise<Result> | undefined;
    try {
      hashing = hash();
      return { result: await hashing };
    } finally {
      this.#freeAt = this.#runtime.now() + (hashing === undefined ? 0 : HASH_PAUSE_MS * share);
    }
  }

  #enter(address: string, share: number): Waiter | undefined {
    this.#passOver();
    const others = this.#waiting.filter((each) => each.address === address);
    // Where addresses are not known, on one's own machine, they can't be told apart.
    const othersMax = address === "" ? HASHES_WAITING_MAX : HASHES_WAITING_PER_ADDRESS_MAX;
    if (this.#waiting.length >= HASHES_WAITING_MAX || others.length >= othersMax) return undefined;
    const round = Math.max(this.#round, (others.at(-1)?.round ?? 0) + 1);
    const waiter = { address, round, share, looksUntil: Number.POSITIVE_INFINITY };
    this.#waiting.push(waiter);
    return waiter;
  }

  #isTurnOf(waiter: Waiter): boolean {
    this.#passOver();
    return this.#runtime.now() >= this.#freeAt && this.#before(waiter) === 0;
  }

  /** How many have their turns before this one. */
  #before(waiter: Waiter): number {
    const at = this.#waiting.indexOf(waiter);
    return this.#waiting.filter(({ round }, index) => round < waiter.round || (round === waiter.round && index < at)).length;
  }

  async #pause(waiter: Waiter): Promise<void> {
    const ms = Math.min(HASH_LEASE_MS, Math.max(1, (1 + this.#before(waiter)) * (HASH_PAUSE_MS / 2) * waiter.share));
    waiter.looksUntil = this.#runtime.now() + ms + HASH_LEASE_MS;
    await new Promise<void>((resolve) => void this.#runtime.after(ms, resolve));
    waiter.looksUntil = Number.POSITIVE_INFINITY;
    // Passed over while the isolate was busy for so long.
    if (!this.#waiting.includes(waiter)) this.#waiting.push(waiter);
  }

  #passOver(): void {
    const now = this.#runtime.now();
    if (this.#waiting.some(({ looksUntil }) => looksUntil < now))
      this.#waiting = this.#waiting.filter(({ looksUntil }) => looksUntil >= now);
  }
}
