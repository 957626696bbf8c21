/** Packets built byte by byte, for tests that send what the encoder refuses to write. */

import { bytesFrom } from "./mqtt-client.ts";

export type Bytes = Uint8Array | readonly number[] | string;

/** A field with its two-byte length: of a text, or of bytes that may be no text. */
export function field(content: string | Uint8Array | readonly number[]): Uint8Array {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : Uint8Array.from(content);
  return Uint8Array.of(bytes.length >> 8, bytes.length & 0xff, ...bytes);
}

/** A packet: its first byte, the Remaining Length that is right for the rest, and the rest (strings are hex). */
export function rawPacket(firstByte: number, ...rest: readonly Bytes[]): Uint8Array {
  const body = Buffer.concat(rest.map(bytesFrom));
  const length: number[] = [];
  let left = body.length;
  do {
    length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>= 7;
  } while (left > 0);
  return Uint8Array.from([firstByte, ...length, ...body]);
}

export interface RawConnect {
  readonly name?: string;
  readonly level?: number;
  readonly flags?: number;
  readonly keepAlive?: number;
  readonly firstByte?: number;
}

/** A CONNECT of 3.1.1 unless told otherwise, Clean Session set, with this payload. */
export function rawConnect({ name = "MQTT", level = 4, flags = 0x02, keepAlive = 0, firstByte = 0x10 }: RawConnect, ...payload: Bytes[]) {
  return rawPacket(firstByte, field(name), [level, flags, keepAlive >> 8, keepAlive & 0xff], ...payload);
}
