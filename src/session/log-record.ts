/**
 * What memory has of the message log: a record, which is a message with those who still have to get it, and the chunk whose row it shares
 * with others.
 */

import type { Message } from "../mqtt/message.ts";
import type { Recipient } from "./chunk.ts";
import { encodeHead } from "./chunk-heads.ts";

export interface LogRecord {
  /** Counts the records of this object; grows with time. */
  readonly sequence: number;
  readonly message: Message;
  readonly recipients: Recipient[];
  /** About how many bytes the recipients have. */
  recipientBytes: number;
  /** How many recipients still need it. */
  open: number;
  chunk: Chunk | undefined;
  /** It and its heads as bytes while its chunk may be written again. */
  bytes: Uint8Array | undefined;
  head: Uint8Array | undefined;
}

/** Records that share a row. */
export interface Chunk {
  readonly number: number;
  /** Sequences of its first and last record. */
  first: number;
  last: number;
  /** Records that may be written again; empty once the chunk is full. */
  records: LogRecord[];
  /** The size of `records`. */
  bytes: number;
  /** How many recipients of its records still need them. */
  open: number;
  stored: boolean;
  /** Its row remembers all that was known of repeats. */
  whole: boolean;
  /** It can't be read, or not to its end: its row is left alone. */
  damaged: boolean;
}

export function emptyChunk(number: number, stored: boolean): Chunk {
  return { number, first: 0, last: 0, records: [], bytes: 0, open: 0, stored, whole: false, damaged: false };
}

/** @param bytes those of the record */
export function addRecord(chunk: Chunk, record: LogRecord, bytes: Uint8Array): void {
  record.bytes = bytes;
  record.head = encodeHead(record);
  record.chunk = chunk;
  chunk.records.push(record);
  chunk.bytes += bytes.length;
  chunk.open += record.open;
}

/** Forgets the records of a chunk that nobody needs: they are not written again. */
export function compact(chunk: Chunk): Chunk {
  chunk.records = chunk.records.filter((record) => record.open > 0);
  chunk.bytes = chunk.records.reduce((sum, record) => sum + record.bytes!.length, 0);
  return chunk;
}

/** The record of this sequence, among those that are in order. */
export function recordOf(records: readonly LogRecord[], sequence: number): LogRecord | undefined {
  const record = records[lastNotAbove(records, sequence, (each) => each.sequence)];
  return record?.sequence === sequence ? record : undefined;
}

/** The index of the last item that is not above a number, among those that grow; -1 when all are. */
export function lastNotAbove<Item>(items: readonly Item[], number: number, numberOf: (item: Item) => number): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numberOf(items[middle]!) <= number) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
