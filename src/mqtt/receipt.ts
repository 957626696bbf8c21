/**
 * Who takes a message, for a publisher that wants to know. A receipt goes with its message to every object that passes it on or gives it to
 * sessions; what is counted there comes back with the answers to batches. It is in memory alone: a message that was read from a row has none.
 */

import { utf8Length } from "./bytes.ts";
import type { RecordReader, RecordWriter } from "./record.ts";

export interface Counts {
  /** Sessions that have the message: it was sent to their clients, or waits for them. */
  readonly sessions: number;
  /** Those of them that are to acknowledge it and whose clients were there. */
  readonly awaited: number;
  /** Those of them that are to acknowledge it and whose clients were away. */
  readonly away: number;
}

export class Receipt implements Counts {
  /** The Session object that wants to know, and the number by which it knows the message. */
  readonly object: string;
  readonly number: number;
  /** For so long that object wants to be told of acknowledgements, ms; 0: not at all. */
  readonly waitMs: number;
  sessions = 0;
  awaited = 0;
  away = 0;

  constructor({ object, number, waitMs }: Pick<Receipt, "object" | "number" | "waitMs">) {
    this.object = object;
    this.number = number;
    this.waitMs = waitMs;
  }

  add({ sessions, awaited, away }: Counts): void {
    this.sessions += sessions;
    this.awaited += awaited;
    this.away += away;
  }

  /** An answer says what there is: one of before, which was lost, counts no more. */
  set({ sessions, awaited, away }: Counts): void {
    this.sessions = sessions;
    this.awaited = awaited;
    this.away = away;
  }
}

/** What goes with a message. */
export function writeReceipt(writer: RecordWriter, { object, number, waitMs }: Receipt): void {
  writer.string(object);
  writer.integer(number);
  writer.integer(waitMs);
}

/** What that is at most, bytes. */
export function receiptBytes({ object }: Receipt): number {
  return 24 + utf8Length(object);
}

export function readReceipt(reader: RecordReader): Receipt {
  return new Receipt({ object: reader.string(), number: reader.integer(), waitMs: reader.integer() });
}

/** A receipt and the number of its record in a batch, from 0. */
export interface ReceiptOfRecord {
  readonly record: number;
  readonly receipt: Receipt;
}

/** What an answer to a batch says of one of its records. */
export interface CountsOfRecord extends Counts {
  readonly record: number;
}

/** What receipts say now. */
export function countsOf(receipts: readonly ReceiptOfRecord[]): readonly CountsOfRecord[] {
  return receipts.map(({ record, receipt: { sessions, awaited, away } }) => ({ record, sessions, awaited, away }));
}

export function writeCounts(writer: RecordWriter, counts: readonly CountsOfRecord[]): void {
  writer.integer(counts.length);
  for (const { record, sessions, awaited, away } of counts) {
    writer.integer(record);
    writer.integer(sessions);
    writer.integer(awaited);
    writer.integer(away);
  }
}

export function readCounts(reader: RecordReader): readonly CountsOfRecord[] {
  return reader.list(() => ({
    record: reader.integer(),
    sessions: reader.integer(),
    awaited: reader.integer(),
    away: reader.integer(),
  }));
}
