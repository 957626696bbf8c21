/**
 * The one way from an object to another: first in, first out, one call in flight. What comes while a call is under way is the next
 * batch. A failed call is repeated as it was, because it may have run; the receiver recognises what it has done already. Pure: the
 * host makes the call and says how it went. Ordering, batching and backpressure live here and nowhere else.
 */

import type { Account, Ledger } from "../ledger.ts";
import {
  BATCH_BYTES_MAX,
  BATCH_ITEMS_MAX,
  CALL_GATHER_ITEMS,
  CALL_GATHER_MS,
  OUTBOX_BYTES_MAX,
  RETRY_MS_FIRST,
  RETRY_MS_MAX,
  RETRY_MS_TOTAL,
} from "../limits.ts";

/** Something to send; the one who put it in hears how it went. */
export interface Outgoing {
  /** About how many bytes it will have. */
  readonly size: number;
  /** It could not be delivered: the receiver was out of reach for too long. */
  abandoned(): void;
}

export class Outbox<Item extends Outgoing> {
  readonly #held: Account | undefined;
  #waiting: Item[] = [];
  #waitingBytes = 0;
  #flying: readonly Item[] | undefined;
  #flyingBytes = 0;
  #attempts = 0;
  #failingSince = 0;
  /** How many items the last batch had. */
  #taken = 1;
  /** When it was taken, milliseconds since the epoch. */
  #takenAt = 0;

  /** @param ledger counts what waits, and what flies twice, for it is there as a batch as well */
  constructor(ledger?: Ledger) {
    this.#held = ledger?.account("outboxes");
  }

  /** Items that wait or fly. */
  get length(): number {
    return this.#waiting.length + (this.#flying?.length ?? 0);
  }

  /** Items that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#waitingBytes;
  }

  /** What is in memory of all that waits or flies. */
  get heldBytes(): number {
    return this.#waitingBytes + 2 * this.#flyingBytes;
  }

  /**
   * @param beyond it is taken however much waits
   * @returns false when the outbox is full: the item was not taken and is settled by its owner
   */
  add(item: Item, beyond = false): boolean {
    if (!beyond && this.#waitingBytes + item.size > OUTBOX_BYTES_MAX) return false;
    this.#waiting.push(item);
    this.#waitingBytes += item.size;
    this.#count(item.size);
    return true;
  }

  #count(bytes: number): void {
    this.#held?.add(bytes);
  }

  get #ready(): boolean {
    return this.#flying === undefined && this.#waiting.length > 0;
  }

  /**
   * For how many milliseconds what waits should gather more before it is taken: the longer the more came with the last batch. One message after
   * the other waits for nobody, and where two came it is a little, for then each may wait for the answer to the other.
   */
  gatherMs(now: number): number {
    if (!this.#ready || this.#waiting.length >= CALL_GATHER_ITEMS) return 0;
    const ageMs = now - this.#takenAt;
    // A clock that was set back must not hold anything up.
    return ageMs < 0 ? 0 : Math.max(0, Math.min(CALL_GATHER_MS, (this.#taken - 1) ** 2) - ageMs);
  }

  /** The next batch to send, or undefined while one is in flight or nothing waits. */
  take(now: number): readonly Item[] | undefined {
    if (!this.#ready) return undefined;
    this.#takenAt = now;
    let bytes = 0;
    let count = 0;
    for (const { size } of this.#waiting) {
      if (count === BATCH_ITEMS_MAX || (count > 0 && bytes + size > BATCH_BYTES_MAX)) break;
      bytes += size;
      count += 1;
    }
    this.#flying = count === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, count);
    this.#waiting = count === this.#waiting.length ? [] : this.#waiting.slice(count);
    this.#waitingBytes -= bytes;
    this.#flyingBytes = bytes;
    this.#count(bytes);
    this.#taken = count;
    return this.#flying;
  }

  /** Items that must be sent again, ahead of all that wait; they find room. To be called while nothing is in flight. */
  putBack(items: readonly Item[]): void {
    this.#waiting = [...items, ...this.#waiting];
    for (const { size } of items) {
      this.#waitingBytes += size;
      this.#count(size);
    }
  }

  #landed(): void {
    this.#flying = undefined;
    this.#count(-2 * this.#flyingBytes);
    this.#flyingBytes = 0;
  }

  /** The call was answered. */
  succeeded(): void {
    this.#landed();
    this.#attempts = 0;
  }

  /**
   * The call failed; whether it ran is not known.
   * @returns after how many milliseconds the same batch is to be sent again; undefined when the receiver was out of reach for too
   *   long: then the batch and all that waits behind it are abandoned
   * @param abandon tells each of them
   */
  failed(now: number, abandon: (item: Item) => void = (item) => item.abandoned()): number | undefined {
    if (this.#attempts === 0) this.#failingSince = now;
    this.#attempts += 1;
    if (now - this.#failingSince < RETRY_MS_TOTAL) return Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** (this.#attempts - 1));
    const given = [...(this.#flying ?? []), ...this.#waiting];
    this.#landed();
    this.#count(-this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#attempts = 0;
    for (const item of given) abandon(item);
    return undefined;
  }
}
