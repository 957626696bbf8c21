/** What waits in the relays of one isolate: they share its memory, and there is no ledger. */

import { RELAYED_BYTES_MAX, RELAYED_LEASE_MS } from "../limits.ts";
import { UNFINISHED_BYTES_SHORT } from "../memory-limits.ts";

/** Those that hold something. */
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
    if (bytes === 0) holding.delete(this);
    else holding.add(this);
  }

  /** Whether there is so much in all of them that one with as much as this has to go. */
  isTooMuch(now: number): boolean {
    if (this.#bytes <= UNFINISHED_BYTES_SHORT || total <= RELAYED_BYTES_MAX) return false;
    // The runtime may end a relay without a word.
    for (const each of holding) if (each.#until <= now) each.count(0, now);
    return total > RELAYED_BYTES_MAX;
  }
}
