/** What the records of a batch weigh: a test compares it with what `BatchWriter` writes for each kind. */

import {
  type BatchRecord,
  RECORD_ASK,
  RECORD_AWAITED,
  RECORD_BARRIER,
  RECORD_CAUGHT_UP,
  RECORD_LIVE,
  RECORD_PAGE,
  RECORD_PUBLISH,
  RECORD_SHARED,
} from "./batch.ts";
import { utf8Length } from "./bytes.ts";
import { messageRecordBytes } from "./message.ts";
import { receiptBytes } from "./receipt.ts";

/** What a record has beside its texts and messages at most, bytes, and what each item of a list in it has. */
const RECORD_BYTES = 64;
const ITEM_BYTES = 16;

/**
 * What a record takes in a batch, bytes: no less than `BatchWriter.add` writes for it, and little more. Whoever fills batches fills them by
 * this, for no call between objects may be too large.
 */
export function recordBytes(record: BatchRecord): number {
  let bytes = RECORD_BYTES;
  if ("message" in record) {
    bytes += messageRecordBytes(record.message);
    if (record.message.receipt !== undefined) bytes += receiptBytes(record.message.receipt);
  }
  switch (record.kind) {
    case RECORD_PUBLISH:
    case RECORD_LIVE:
    case RECORD_CAUGHT_UP:
      return bytes;
    case RECORD_SHARED:
      for (const { filter } of record.shares) bytes += ITEM_BYTES + utf8Length(filter);
      return bytes;
    case RECORD_PAGE:
      bytes += utf8Length(record.clientId) + utf8Length(record.from) + utf8Length(record.next ?? "");
      for (const message of record.messages) bytes += RECORD_BYTES + messageRecordBytes(message);
      return bytes;
    case RECORD_ASK:
      return bytes + utf8Length(record.clientId) + utf8Length(record.filter) + utf8Length(record.from);
    case RECORD_BARRIER:
      return bytes + utf8Length(record.sessionObject);
    case RECORD_AWAITED:
      return bytes + utf8Length(record.life) + ITEM_BYTES * record.batches.length;
    default:
      return bytes + utf8Length(record.filter);
  }
}
