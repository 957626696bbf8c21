/**
 * The data representations that need more than a shift: UTF-8 strings and Variable Byte Integers, read and written in place.
 * Knows no packet; nothing here throws or reads outside the range it is given.
 *
 * Policy for strings: only what MUST be refused is refused. Control characters (U+0001 to U+001F, U+007F to U+009F) and
 * non-characters MAY be refused by the specification and are accepted in every string field [5.0/1.5.4/disallowed]
 * [3.1.1/1.5.3/disallowed].
 */

export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

/** The longest string or binary field, bytes: its length is a Two Byte Integer. */
export const FIELD_BYTES_MAX = 65_535;

export const VARIABLE_BYTE_INTEGER_MAX = 268_435_455;

/** Answers of readVariableByteInteger that are no value. */
export const INCOMPLETE = -1;
export const TOO_LONG = -2;
export const NOT_MINIMAL = -3;

const encoder = new TextEncoder();
// Strict [MQTT5-1.5.4-1] [MQTT311-1.5.3-1]; ignoreBOM keeps EF BB BF as the character it is [MQTT5-1.5.4-3] [MQTT311-1.5.3-3].
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text up to this length is decoded and encoded in place; above it the platform is faster (measured 2026-11, Node 24). */
const SHORT_STRING_BYTES = 64;

/**
 * Decodes bytes[start, end), strictly.
 * @returns the string, or undefined when the bytes are ill-formed or hold U+0000
 */
export function decodeUtf8(bytes: Uint8Array, start = 0, end = bytes.length): string | undefined {
  const length = end - start;
  if (length <= SHORT_STRING_BYTES) {
    const units: number[] = new Array(length);
    let i = 0;
    for (; i < length; i++) {
      const byte = bytes[start + i];
      if (byte === 0 || byte >= 0x80) break;
      units[i] = byte;
    }
    if (i === length) return String.fromCharCode(...units);
  }
  try {
    const text = decoder.decode(bytes.subarray(start, end));
    // [MQTT5-1.5.4-2] [MQTT311-1.5.3-2]
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The UTF-8 form of a string; unpaired surrogates become U+FFFD. */
export function utf8Encode(text: string): Uint8Array {
  // The platform's encoder costs as much as a tenth of all that is done with a small message.
  if (text.length > SHORT_STRING_BYTES) return encoder.encode(text);
  const bytes = new Uint8Array(utf8Length(text));
  writeUtf8(bytes, 0, text);
  return bytes;
}

/** How many bytes utf8Encode(text) has. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) length += 1;
    else {
      length += 2;
      const paired = unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
      // A pair has four bytes for two units.
      if (paired) i += 1;
    }
  }
  return length;
}

/** The longest beginning of a string that has at most so many bytes of UTF-8 and ends with a whole character. */
export function cutUtf8(text: string, bytesMax: number): string {
  // No unit has more than three bytes.
  if (text.length * 3 <= bytesMax) return text;
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const paired = unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    length += paired ? 4 : unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    if (length > bytesMax) return text.slice(0, i);
    if (paired) i += 1;
  }
  return text;
}

/**
 * Writes the UTF-8 form of a string.
 * @param target must have room for utf8Length(text) bytes from offset
 * @returns the offset behind it
 */
export function writeUtf8(target: Uint8Array, offset: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return offset + i + encoder.encodeInto(text.slice(i), target.subarray(offset + i)).written;
    target[offset + i] = unit;
  }
  return offset + text.length;
}

/** Bytes of the shortest form of n, 0 to 268,435,455 [MQTT5-1.5.5-1]. */
export function variableByteIntegerLength(n: number): number {
  return n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x20_0000 ? 3 : 4;
}

/** Writes n, 0 to 268,435,455, in its shortest form [MQTT5-1.5.5-1]. @returns the offset behind it */
export function writeVariableByteInteger(target: Uint8Array, offset: number, n: number): number {
  let at = offset;
  let rest = n;
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** The shortest form of n, 0 to 268,435,455. */
export function encodeVariableByteInteger(n: number): Uint8Array {
  const bytes = new Uint8Array(variableByteIntegerLength(n));
  writeVariableByteInteger(bytes, 0, n);
  return bytes;
}

/**
 * Reads a Variable Byte Integer at offset. Only the shortest form is a value, so variableByteIntegerLength(value) is its length.
 * @returns the value; INCOMPLETE when `end` comes first; TOO_LONG when a fifth byte is announced; NOT_MINIMAL when padded
 */
export function readVariableByteInteger(bytes: Uint8Array, offset: number, end: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    if (offset + i >= end) return INCOMPLETE;
    const byte = bytes[offset + i];
    value |= (byte & 0x7f) << (7 * i);
    // [MQTT5-1.5.5-1]: a last byte of zero adds nothing.
    if (byte < 0x80) return byte === 0 && i > 0 ? NOT_MINIMAL : value;
  }
  // [5.0/1.5.5/five-bytes] [3.1.1/2.2.3/length]
  return TOO_LONG;
}

/** From this length on bytes are not gathered with others: to copy them costs more than a frame (workerd, measured 2026-11). */
export const LARGE_BYTES = 16 * 1024;

/** Packets as frames, in their order: those that are small share one, for a frame costs more than a packet. */
export function framesOf(packets: readonly Uint8Array[]): readonly Uint8Array[] {
  if (packets.length < 2) return packets;
  const frames: Uint8Array[] = [];
  let from = 0;
  for (let index = 0; index < packets.length; index += 1) {
    const packet = packets[index]!;
    if (packet.length < LARGE_BYTES) continue;
    if (from < index) frames.push(concatenate(packets.slice(from, index)));
    frames.push(packet);
    from = index + 1;
  }
  if (from < packets.length) frames.push(concatenate(from === 0 ? packets : packets.slice(from)));
  return frames;
}

/** All in one. A single one is returned as it is. */
export function concatenate(packets: readonly Uint8Array[]): Uint8Array {
  if (packets.length === 1) return packets[0]!;
  let length = 0;
  for (const packet of packets) length += packet.length;
  const frame = new Uint8Array(length);
  let offset = 0;
  for (const packet of packets) {
    frame.set(packet, offset);
    offset += packet.length;
  }
  return frame;
}
