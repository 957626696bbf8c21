/**
 * What a start has to know of a piece of the message log without reading it: for each recipient of each record a few bytes, enough to
 * count what waits for a session and to find it again. Stands in the same row as the records, before them.
 */

import { RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import { HEADS_BYTES_MAX } from "../storage-limits.ts";
import { checkNumber } from "../topic/stored-message.ts";
import { checkRecipient, FLAG_DETAILED, FLAG_SHARED, flagsOf, type Recipient, type StoredRecord } from "./chunk.ts";
import type { ChunkHeads } from "./ports.ts";

const HEADS_VERSION = 1;
/** What stands where there are no heads: they would be too large, or older code wrote the row. */
const NO_HEADS = Uint8Array.of(0);

/** The flags of a recipient as they stand in heads. */
export function headFlags(recipient: Pick<Recipient, "qos" | "retain" | "owed" | "identifiers" | "share">): number {
  const shared = recipient.share !== "";
  const detailed = shared || recipient.identifiers !== undefined;
  return flagsOf(recipient) | (detailed ? FLAG_DETAILED : 0) | (shared ? FLAG_SHARED : 0);
}

/** One message for one recipient. */
export interface Head {
  readonly sequence: number;
  /** Bytes of topic, properties and payload. */
  readonly size: number;
  readonly sessionNumber: number;
  readonly packetId: number;
  readonly flags: number;
}

/** The heads of one record. */
export function encodeHead({ sequence, message, recipients }: StoredRecord): Uint8Array {
  const writer = new RecordWriter(16 + 12 * recipients.length);
  writer.integer(sequence);
  writer.integer(message.size);
  writer.integer(recipients.length);
  for (const recipient of recipients) {
    writer.integer(recipient.sessionNumber);
    writer.integer(recipient.packetId);
    writer.byte(headFlags(recipient));
  }
  return writer.finish();
}

/** @param whole the chunk remembers all that was known of repeats when it was written */
export function encodeHeads(heads: readonly Uint8Array[], whole: boolean): Uint8Array {
  const bytes = heads.reduce((sum, head) => sum + head.length, 0);
  if (bytes > HEADS_BYTES_MAX) return NO_HEADS;
  const writer = new RecordWriter(bytes + 8);
  writer.byte(HEADS_VERSION);
  writer.byte(whole ? 1 : 0);
  writer.integer(heads.length);
  for (const head of heads) writer.raw(head);
  return writer.finish();
}

export interface Heads {
  readonly whole: boolean;
  readonly first: number;
  readonly last: number;
  /** Five numbers for each recipient of each record: a start reads so many that they are no objects. */
  readonly numbers: readonly number[];
}

/** @returns undefined when there are none, or they can't be read: then what they say is read from the records */
export function decodeHeads({ heads, damaged }: ChunkHeads): Heads | undefined {
  if (damaged || heads[0] !== HEADS_VERSION) return undefined;
  try {
    return readHeads(new RecordReader(heads));
  } catch (error) {
    if (error instanceof RecordError) return undefined;
    throw error;
  }
}

function readHeads(reader: RecordReader): Heads {
  reader.byte();
  const whole = reader.byte() === 1;
  const numbers: number[] = [];
  let [first, last] = [0, 0];
  for (let records = reader.integer(); records > 0; records -= 1) {
    const sequence = reader.integer();
    const size = reader.integer();
    checkNumber(sequence);
    if (sequence <= last) throw new RecordError(`the record ${sequence} behind ${last}`);
    first ||= sequence;
    last = sequence;
    for (let count = reader.integer(); count > 0; count -= 1) {
      const sessionNumber = reader.integer();
      const packetId = reader.integer();
      const flags = reader.byte();
      checkRecipient(packetId, flags);
      numbers.push(sequence, size, sessionNumber, packetId, flags);
    }
  }
  reader.end();
  return { whole, first, last, numbers };
}
