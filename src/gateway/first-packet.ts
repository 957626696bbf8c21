/**
 * The first packet of a client, however many segments it comes in, bounded in size. It is read for three things alone: the Client Identifier, by
 * which a connection is handed over, and version and Maximum Packet Size, by which the gateway can answer. All the rest is the broker's to judge:
 * it gets the bytes as they came, also where they are malformed.
 */

import { concatenate, utf8Length } from "../mqtt/bytes.ts";
import { connectPacketBytesMax, connectVersion, decodePacket } from "../mqtt/decode.ts";
import { CONNECT, type Connect, type ProtocolVersion } from "../mqtt/packet.ts";
import { PacketStream } from "../mqtt/packet-stream.ts";
import { CLIENT_ID_BYTES_MAX, CONNECT_BYTES_MAX } from "./limits.ts";

export interface First {
  /** All that has come so far, CONNECT first. */
  readonly bytes: Uint8Array;
  /** Undefined where the broker has to say that it does not speak it. */
  readonly version: ProtocolVersion | undefined;
  /** Of what the client takes. */
  readonly packetBytesMax: number;
  /** Empty where it has none, or none that may stand in a URL. */
  readonly clientId: string;
}

/** The first byte of CONNECT: its flags are reserved. */
const FIRST_BYTE = CONNECT << 4;

export class FirstPacket {
  readonly #stream = new PacketStream(CONNECT_BYTES_MAX);
  #isBegun = false;

  /** What is held of it. */
  get pendingBytes(): number {
    return this.#stream.pendingBytes;
  }

  /** @returns undefined while it is not whole; a few words where it can be none */
  push(chunk: Uint8Array): First | string | undefined {
    if (!this.#isBegun && chunk[0] !== FIRST_BYTE) return "not MQTT";
    this.#isBegun = true;
    this.#stream.push(chunk);
    const packet = this.#stream.next();
    if (packet === undefined) return undefined;
    if (!(packet instanceof Uint8Array)) return "CONNECT too large";
    const behind = this.#stream.pendingBytes;
    const bytes = behind === 0 ? packet : concatenate([packet, chunk.subarray(chunk.length - behind)]);
    const decoded = decodePacket(packet, 5);
    return {
      bytes,
      version: connectVersion(packet),
      packetBytesMax: connectPacketBytesMax(packet),
      clientId: decoded.type === CONNECT ? handedOverBy(decoded) : "",
    };
  }
}

function handedOverBy({ clientId }: Connect): string {
  return utf8Length(clientId) <= CLIENT_ID_BYTES_MAX ? clientId : "";
}
