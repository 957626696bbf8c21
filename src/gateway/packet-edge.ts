/**
 * Follows the byte stream from the broker to a client, however it is cut, and knows where packets end in it: there, and only there, the gateway
 * may say something of its own. Looks at fixed headers alone and keeps nothing.
 */

import { CONNACK } from "../mqtt/packet.ts";

export class PacketEdge {
  /** Bytes of the present packet still to come behind its fixed header. */
  #left = 0;
  /** The value of Remaining Length so far, and how far the next byte of it is shifted; -1: not in a fixed header. */
  #length = 0;
  #shift = -1;
  #hasConnack = false;

  /** The next byte begins a packet. */
  get isBetween(): boolean {
    return this.#left === 0 && this.#shift < 0;
  }

  /** The broker has answered CONNECT: before it, it may have said AUTH. */
  get hasConnack(): boolean {
    return this.#hasConnack;
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - at);
        this.#left -= skipped;
        at += skipped;
      } else {
        this.#header(bytes[at]!);
        at += 1;
      }
    }
  }

  #header(byte: number): void {
    if (this.#shift < 0) {
      this.#hasConnack ||= byte >> 4 === CONNACK;
      this.#length = 0;
      this.#shift = 0;
      return;
    }
    this.#length += (byte & 0x7f) * 2 ** this.#shift;
    this.#shift += 7;
    if (byte >= 0x80) return;
    this.#shift = -1;
    this.#left = this.#length;
  }
}
