/** PINGREQ that a relay answers by itself: all of a tick in one frame, as frames are what costs, and so many in a time and no more. */

import { RELAYED_PINGS_MAX, RELAYED_PINGS_MS } from "../limits.ts";
import { concatenate } from "../mqtt/bytes.ts";
import { encodePacket } from "../mqtt/encode.ts";
import { PINGREQ, PINGRESP } from "../mqtt/packet.ts";

const PINGRESP_BYTES = encodePacket({ type: PINGRESP }, 4);

export function isPing(packet: Uint8Array): boolean {
  return packet[0] === PINGREQ << 4 && packet.length === 2;
}

export class Pings {
  /** To be answered. */
  #open = 0;
  /** Since the time behind it: nothing shows here whether the answers are read. */
  #counted = 0;
  #countedFrom = 0;

  /** One came. @returns false when there are more than a client may send */
  take(now: number): boolean {
    if (now - this.#countedFrom >= RELAYED_PINGS_MS) {
      this.#countedFrom = now;
      this.#counted = 0;
    }
    this.#open += 1;
    this.#counted += 1;
    return this.#counted <= RELAYED_PINGS_MAX;
  }

  /** The answers to all that are open, once; undefined when none is. */
  answers(): Uint8Array | undefined {
    if (this.#open === 0) return undefined;
    const answers = concatenate(new Array<Uint8Array>(this.#open).fill(PINGRESP_BYTES));
    this.#open = 0;
    return answers;
  }
}
