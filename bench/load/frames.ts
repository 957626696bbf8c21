/**
 * Packets and frames of the load program, encoded once and copied afterwards, so that the program costs little beside the broker that it
 * drives. Every byte that a client sends is masked, as RFC 6455 asks; the mask is four equal bytes, so that it does not matter where in
 * a frame a packet stands. (It is not zero: some servers leave out the work for that.)
 */

import { encodePacket } from "../../src/mqtt/encode.ts";
import { CONNECT, DISCONNECT, NO_PROPERTIES, PUBLISH, type QoS, SUBSCRIBE } from "../../src/mqtt/packet.ts";

export const MASK = 0x5a;

const BINARY = 0x82;
const CLOSE = 0x88;

/** A frame around masked bytes. */
export function frame(masked: readonly Uint8Array[], opcode = BINARY): Buffer {
  let length = 0;
  for (const part of masked) length += part.length;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const bytes = Buffer.allocUnsafe(6 + extended + length);
  bytes[0] = opcode;
  bytes[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) bytes.writeUInt16BE(length, 2);
  else if (extended === 8) bytes.writeBigUInt64BE(BigInt(length), 2);
  bytes.fill(MASK, 2 + extended, 6 + extended);
  let at = 6 + extended;
  for (const part of masked) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function masked(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => byte ^ MASK);
}

export function connectFrame(clientId: string, version: 4 | 5, kept: boolean): Buffer {
  const packet = { type: CONNECT, version, clean: !kept, keepAliveSeconds: 0, clientId, properties: NO_PROPERTIES } as const;
  return frame([masked(encodePacket({ ...packet, will: undefined, userName: undefined, password: undefined }, version))]);
}

export function subscribeFrame(filters: readonly string[], qos: QoS, version: 4 | 5): Buffer {
  const subscriptions = filters.map((filter) => ({ filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 }) as const);
  return frame([masked(encodePacket({ type: SUBSCRIBE, packetId: 1, subscriptions, properties: NO_PROPERTIES }, version))]);
}

/** DISCONNECT, and the end of the WebSocket. */
export function farewell(version: 4 | 5): Buffer {
  const packet = masked(encodePacket({ type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES }, version));
  return Buffer.concat([frame([packet]), frame([masked(new Uint8Array([0x03, 0xe8]))], CLOSE)]);
}

/** PUBLISH packets to one topic, alike but for their Packet Identifiers. */
export class PublishTemplate {
  readonly #packet: Uint8Array;
  /** Where the Packet Identifier stands; 0 at QoS 0. */
  readonly #idAt: number;

  constructor(topic: string, qos: QoS, payloadBytes: number, version: 4 | 5, retain = false) {
    const packet = { type: PUBLISH, dup: false, qos, retain, topic, packetId: qos === 0 ? 0 : 1 } as const;
    const payload = new Uint8Array(payloadBytes).fill(0x61);
    const bytes = encodePacket({ ...packet, properties: NO_PROPERTIES, propertyBytes: new Uint8Array(0), payload }, version);
    let lengthBytes = 1;
    while (bytes[lengthBytes]! >= 0x80) lengthBytes += 1;
    this.#idAt = qos === 0 ? 0 : 1 + lengthBytes + 2 + Buffer.byteLength(topic);
    this.#packet = masked(bytes);
  }

  /** @param nextId gives the Packet Identifier of each, in order */
  frame(count: number, nextId: () => number): Buffer {
    const bytes = frame(new Array<Uint8Array>(count).fill(this.#packet));
    if (this.#idAt === 0) return bytes;
    const { length } = this.#packet;
    for (let at = bytes.length - count * length + this.#idAt; at < bytes.length; at += length) {
      const id = nextId();
      bytes[at] = (id >> 8) ^ MASK;
      bytes[at + 1] = (id & 0xff) ^ MASK;
    }
    return bytes;
  }
}
