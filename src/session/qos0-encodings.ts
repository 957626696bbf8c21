/**
 * What the message that is sent just now is as PUBLISH at QoS 0: the same for all its subscribers of one version and RETAIN flag. It is here and not
 * in the message, which may wait for somebody and then keeps nothing beside what is counted.
 */

import { encodePublish, type Message } from "../mqtt/message.ts";
import type { ProtocolVersion } from "../mqtt/packet.ts";

export class QoS0Encodings {
  #message: Message | undefined;
  /** Version 5 and RETAIN choose one of four. */
  readonly #encoded: (Uint8Array | undefined)[] = [undefined, undefined, undefined, undefined];

  /** A PUBLISH without anything of the subscription in it. @param now milliseconds since the epoch */
  of(message: Message, version: ProtocolVersion, retain: boolean, now: number): Uint8Array {
    if (version === 5 && message.expiresAt !== 0) return encode(message, version, retain, now);
    if (this.#message !== message) {
      this.clear();
      this.#message = message;
    }
    const shape = (version === 5 ? 2 : 0) + (retain ? 1 : 0);
    this.#encoded[shape] ??= encode(message, version, retain, now);
    return this.#encoded[shape];
  }

  clear(): void {
    this.#message = undefined;
    this.#encoded.fill(undefined);
  }
}

function encode(message: Message, version: ProtocolVersion, retain: boolean, now: number): Uint8Array {
  return encodePublish(message, { version, qos: 0, retain, dup: false, packetId: 0, now });
}
