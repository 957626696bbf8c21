/**
 * Bytes of the broker's own: what travels between objects and what is stored. Not MQTT, but made of its pieces: two-byte lengths
 * before strings, Variable Byte Integers (here of any size up to 2^53). A reader of stored or sent bytes must survive what an older
 * or broken version wrote: it throws RecordError, which the one who opened the record turns into "skip it and log".
 */

import { concatenate, LARGE_BYTES, utf8Length, writeUtf8 } from "./bytes.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: false });

export const NO_BYTES = new Uint8Array(0);

/** The bytes end too early or too late, their version is unknown, or they say what can't be. */
export class RecordError extends Error {}

/** What a store says of a row besides what is in it. */
export interface StoredRow {
  /** Its bytes are not those that were written. */
  readonly damaged?: true;
}

/** @throws RecordError when the row is damaged */
export function intact<Row extends StoredRow>(row: Row): Row {
  if (row.damaged) throw new RecordError("its bytes have changed since they were written");
  return row;
}

/** What a buffer may keep for what is written next, bytes: most batches between objects fit, and no ledger counts it. */
const KEPT_BYTES_MAX = 256 * 1024;

interface Large {
  /** What was collected before it. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Collects bytes in one growing buffer; what is large (`LARGE_BYTES`) stays beside it, and is copied once, when all is put together. */
export class RecordWriter {
  #bytes: Uint8Array;
  /** Of them, what was written. */
  #at = 0;
  #large: Large[] = [];
  #largeBytes = 0;

  /** @param capacity what will be written, about */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(Math.min(capacity, LARGE_BYTES));
  }

  get length(): number {
    return this.#at + this.#largeBytes;
  }

  #reserve(more: number): void {
    const needed = this.#at + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  /** @param value a whole number from 0 to 2^53 - 1, seven bits a byte, the lowest first */
  integer(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  /** @param bytes must not change before `finish` */
  raw(bytes: Uint8Array): void {
    if (bytes.length >= LARGE_BYTES) {
      this.#large.push({ at: this.#at, bytes });
      this.#largeBytes += bytes.length;
      return;
    }
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Bytes with their length before them. */
  bytes(bytes: Uint8Array): void {
    this.integer(bytes.length);
    this.raw(bytes);
  }

  string(value: string): void {
    const length = utf8Length(value);
    this.integer(length);
    this.#reserve(length);
    writeUtf8(this.#bytes, this.#at, value);
    this.#at += length;
  }

  optionalString(value: string | undefined): void {
    this.byte(value === undefined ? 0 : 1);
    if (value !== undefined) this.string(value);
  }

  /** Keeps four bytes free for a length that is known later. @returns the place to give to `endLength` */
  beginLength(): number {
    this.#reserve(4);
    this.#at += 4;
    return this.#at - 4;
  }

  endLength(place: number): void {
    let length = this.#at - place - 4;
    for (const { at, bytes } of this.#large) if (at > place) length += bytes.length;
    this.#bytes[place] = length >>> 24;
    this.#bytes[place + 1] = length >>> 16;
    this.#bytes[place + 2] = length >>> 8;
    this.#bytes[place + 3] = length;
  }

  clear(): void {
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = new Uint8Array(LARGE_BYTES);
    this.#at = 0;
    this.#large = [];
    this.#largeBytes = 0;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    if (this.#large.length === 0) return this.#bytes.slice(0, this.#at);
    const parts: Uint8Array[] = [];
    let from = 0;
    for (const { at, bytes } of this.#large) {
      parts.push(this.#bytes.subarray(from, at), bytes);
      from = at;
    }
    parts.push(this.#bytes.subarray(from, this.#at));
    return concatenate(parts);
  }
}

/** Strings up to this length are remembered. */
const KNOWN_BYTES_MAX = 64;
const KNOWN_STRINGS = 1024;

const known: (string | undefined)[] = new Array(KNOWN_STRINGS).fill(undefined);

/**
 * The string of UTF-8 bytes. Names of objects, clients and topics come again and again: one that was met lately is not made anew, which
 * would cost more than all else that is done with a small record (measured 2026-11).
 */
export function textOf(bytes: Uint8Array): string {
  const { length } = bytes;
  if (length > KNOWN_BYTES_MAX) return decoder.decode(bytes);
  let hash = length;
  for (let index = 0; index < length; index += 1) hash = (Math.imul(hash, 31) + bytes[index]!) | 0;
  const place = (hash ^ (hash >>> 16)) & (KNOWN_STRINGS - 1);
  const met = known[place];
  if (met !== undefined && isAscii(met, bytes)) return met;
  const text = decoder.decode(bytes);
  known[place] = text;
  return text;
}

/** Whether the bytes are this string in ASCII. */
function isAscii(text: string, bytes: Uint8Array): boolean {
  if (text.length !== bytes.length) return false;
  for (let index = 0; index < bytes.length; index += 1) if (text.charCodeAt(index) !== bytes[index] || bytes[index]! >= 0x80) return false;
  return true;
}

/** Reads what a RecordWriter wrote; throws RecordError where the bytes end too early. */
export class RecordReader {
  readonly #bytes: Uint8Array;
  #offset: number;
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#offset = 0;
    this.#end = bytes.length;
  }

  get more(): boolean {
    return this.#offset < this.#end;
  }

  get offset(): number {
    return this.#offset;
  }

  /** A view of what was read since an offset. */
  since(offset: number): Uint8Array {
    return this.#bytes.subarray(offset, this.#offset);
  }

  byte(): number {
    if (this.#offset >= this.#end) throw new RecordError(`the record ends at byte ${this.#offset}, where one more was expected`);
    return this.#bytes[this.#offset++]!;
  }

  integer(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
      if (factor > Number.MAX_SAFE_INTEGER) throw new RecordError("a number in the record is larger than 2^53");
    }
  }

  /** Nothing may follow. @throws RecordError when something does: these are not the bytes that were written */
  end(): void {
    if (this.more) throw new RecordError(`the record has ${this.#end - this.#offset} bytes more than expected`);
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    const end = this.#offset + length;
    if (end > this.#end) throw new RecordError(`the record ends at byte ${this.#end}, where ${end} were expected`);
    const view = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return view;
  }

  bytes(): Uint8Array {
    return this.raw(this.integer());
  }

  string(): string {
    return textOf(this.bytes());
  }

  optionalString(): string | undefined {
    return this.byte() === 0 ? undefined : this.string();
  }

  /** Items with their number before them. */
  list<Item>(read: () => Item): Item[] {
    const items: Item[] = [];
    for (let count = this.integer(); count > 0; count -= 1) items.push(read());
    return items;
  }

  /** A view of the bytes that `beginLength` and `endLength` enclosed. */
  lengthPrefixed(): Uint8Array {
    const head = this.raw(4);
    return this.raw(((head[0]! << 24) | (head[1]! << 16) | (head[2]! << 8) | head[3]!) >>> 0);
  }

  rest(): Uint8Array {
    return this.raw(this.#end - this.#offset);
  }
}
