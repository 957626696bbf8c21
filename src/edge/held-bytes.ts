/** What waits in the relays of one isolate: they share its memory, and there is no ledger. */

import {
  RELAYED_BYTES_FULL,
  RELAYED_BYTES_MAX,
  RELAYED_BYTES_SHORT,
  RELAYED_LEASE_MS,
  RELAYED_STRANGERS_BYTES_FULL,
  RELAYED_STRANGERS_BYTES_MAX,
} from "../limits.ts";
import { UNFINISHED_BYTES_SHORT } from "../memory-limits.ts";

/** Those that hold something: who was heard last stands last. */
const holding = new Set<HeldBytes>();
let total = 0;

/** What waits in one relay, counted for all. */
export class HeldBytes {
  #bytes = 0;
  #until = 0;

  /** @param now milliseconds since the epoch */
  count(bytes: number, now: number): void {
    if (bytes === 0 && this.#bytes === 0) return;
    total += bytes - this.#bytes;
    this.#bytes = bytes;
    this.#until = now + RELAYED_LEASE_MS;
    holding.delete(this);
    if (bytes > 0) holding.add(this);
  }

  /**
   * Whether there is so much in all of them that one with as much as this has to go.
   * @param isStranger its client is not let in yet
   */
  isTooMuch(isStranger: boolean, now: number): boolean {
    if (this.#bytes <= freeBytes(isStranger)) return false;
    // The runtime may end a relay without a word.
    for (const each of holding) {
      if (each.#until > now) break;
      each.count(0, now);
    }
    return this.#bytes > freeBytes(isStranger);
  }
}

/** What each may hold, by what there is in all. */
function freeBytes(isStranger: boolean): number {
  if (total > (isStranger ? RELAYED_STRANGERS_BYTES_FULL : RELAYED_BYTES_FULL)) return RELAYED_BYTES_SHORT;
  return total > (isStranger ? RELAYED_STRANGERS_BYTES_MAX : RELAYED_BYTES_MAX) ? UNFINISHED_BYTES_SHORT : Number.POSITIVE_INFINITY;
}
