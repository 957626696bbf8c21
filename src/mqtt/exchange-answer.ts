/**
 * What a Topic object answers to a batch: one Reason Code for each record, PENDING where the outcome depends on a Session object that is
 * slow or out of reach. Those outcomes are asked for later (RECORD_AWAITED).
 */

import { type CountsOfRecord, readCounts, writeCounts } from "./receipt.ts";
import { RecordError, RecordReader, RecordWriter } from "./record.ts";

const ANSWER_VERSION = 1;

/** Of an answer with counts, to who has asked for them. */
const COUNTING_VERSION = 2;

/** In the place of a Reason Code: not known yet. No Reason Code has this value. */
export const PENDING = 0xff;

/** The outcome of RECORD_ASK where nothing more is retained: no page comes. */
export const NOTHING_RETAINED = 0x10;

/**
 * The outcome of RECORD_SHARE that is known and in no row, for only how many members are connected is new: who tells it tells it again, with the
 * same version, when it has stood for a while.
 */
export const NOT_WRITTEN = 0x12;

export interface Outcomes {
  /** The number of the batch. */
  readonly batch: number;
  /** One for each of its records. */
  readonly codes: Uint8Array;
  /** Of the records whose messages have receipts: those count once they have a code. */
  readonly counts: readonly CountsOfRecord[];
}

export interface ExchangeAnswer {
  /** Names the life of the Topic object that knows what is pending. */
  readonly life: string;
  /** Undefined: the batch was not handled, because the Topic object has lost its memory and with it what it had left pending. */
  readonly codes: Uint8Array | undefined;
  /** As of `late`. */
  readonly counts: readonly CountsOfRecord[];
  /** Of earlier batches that were asked for, as far as known. */
  readonly late: readonly Outcomes[];
}

export function encodeExchangeAnswer({ life, codes, counts, late }: ExchangeAnswer): Uint8Array {
  const writer = new RecordWriter(64 + (codes?.length ?? 0));
  const isCounting = counts.length > 0 || late.some((outcomes) => outcomes.counts.length > 0);
  writer.byte(isCounting ? COUNTING_VERSION : ANSWER_VERSION);
  writer.string(life);
  writer.byte(codes === undefined ? 0 : 1);
  writer.bytes(codes ?? new Uint8Array(0));
  if (isCounting) writeCounts(writer, counts);
  for (const outcomes of late) {
    writer.integer(outcomes.batch);
    writer.bytes(outcomes.codes);
    if (isCounting) writeCounts(writer, outcomes.counts);
  }
  return writer.finish();
}

/** @throws RecordError when the bytes are of another version or end too early */
export function decodeExchangeAnswer(bytes: Uint8Array): ExchangeAnswer {
  const reader = new RecordReader(bytes);
  const version = reader.byte();
  if (version !== ANSWER_VERSION && version !== COUNTING_VERSION)
    throw new RecordError(`an answer of version ${version}, where ${ANSWER_VERSION} or ${COUNTING_VERSION} was expected`);
  const countsNext = (): readonly CountsOfRecord[] => (version === COUNTING_VERSION ? readCounts(reader) : NO_COUNTS);
  const life = reader.string();
  const handled = reader.byte() === 1;
  const codes = reader.bytes();
  const counts = countsNext();
  const late: Outcomes[] = [];
  while (reader.more) late.push({ batch: reader.integer(), codes: reader.bytes(), counts: countsNext() });
  return { life, codes: handled ? codes : undefined, counts, late };
}

const NO_COUNTS: readonly CountsOfRecord[] = [];
