/**
 * What a Session object answers to a batch of a Topic object: what nobody there wanted or somebody could not take, what slow clients are not
 * ready for, and who has what was to be receipted.
 */

import { type CountsOfRecord, readCounts, writeCounts } from "./receipt.ts";
import { RecordError, RecordReader, RecordWriter } from "./record.ts";

/** As that of batches: versions mix. */
const ANSWER_VERSION = 3;

/** Of an answer with counts, to who has asked for them. */
const COUNTING_VERSION = 4;

/** Something in a batch that the Session object did not take, or not for everyone. */
export interface Unwanted {
  /** The number of the record in the batch, from 0. */
  readonly record: number;
  /** The shared subscription that no member took it for; undefined: those with subscriptions of their own. */
  readonly share: string | undefined;
  /** There is somebody who wants it, whose queue is full. */
  readonly full: boolean;
}

/** What a Session object answers to a batch. */
export interface DeliveryAnswer {
  /** The version of its interests when it looked. */
  readonly version: number;
  readonly unwanted: readonly Unwanted[];
  /** The numbers of records, from 0, that all have who want them, and whose publishers are to wait: RECORD_CAUGHT_UP says how long. */
  readonly slow: readonly number[];
  /** Of the records whose messages have receipts. */
  readonly counts: readonly CountsOfRecord[];
}

export function encodeDeliveryAnswer({ version, unwanted, slow, counts }: DeliveryAnswer): Uint8Array {
  const writer = new RecordWriter(16 + unwanted.length * 4 + slow.length * 2);
  writer.byte(counts.length === 0 ? ANSWER_VERSION : COUNTING_VERSION);
  writer.integer(version);
  writer.integer(slow.length);
  for (const record of slow) writer.integer(record);
  if (counts.length > 0) writeCounts(writer, counts);
  for (const { record, share, full } of unwanted) {
    writer.integer(record);
    writer.string(share ?? "");
    writer.byte(full ? 1 : 0);
  }
  return writer.finish();
}

/** @throws RecordError when the bytes are of another version or end too early */
export function decodeDeliveryAnswer(bytes: Uint8Array): DeliveryAnswer {
  const reader = new RecordReader(bytes);
  const answerVersion = reader.byte();
  if (answerVersion !== ANSWER_VERSION && answerVersion !== COUNTING_VERSION)
    throw new RecordError(`an answer of version ${answerVersion}, where ${ANSWER_VERSION} or ${COUNTING_VERSION} was expected`);
  const version = reader.integer();
  const slow = reader.list(() => reader.integer());
  const counts = answerVersion === COUNTING_VERSION ? readCounts(reader) : NO_COUNTS;
  const unwanted: Unwanted[] = [];
  while (reader.more) {
    unwanted.push({ record: reader.integer(), share: reader.string() || undefined, full: reader.byte() === 1 });
  }
  return { version, unwanted, slow, counts };
}

const NO_COUNTS: readonly CountsOfRecord[] = [];
