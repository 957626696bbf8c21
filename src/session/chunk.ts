/**
 * A piece of the message log as bytes: what repeats are recognised by, then the records, each a message with its recipients. One record is
 * found and read without the others.
 */

import { PACKET_ID_MAX } from "../limits.ts";
import { type Message, writeMessage } from "../mqtt/message.ts";
import { RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import { checkNumber, readStoredMessage } from "../topic/stored-message.ts";
import type { Due } from "./due.ts";
import { Repeats } from "./repeats.ts";
import { AS_PUBLISHED, type Retain } from "./retain.ts";

/** Version 1 did not say how many records there are, version 2 not where they begin. */
const CHUNK_VERSION = 3;

const FLAG_RETAIN = 4;
/** Older code does not look at it. */
const FLAG_AS_PUBLISHED = 8;
/** Older code neither wrote nor looked at it: to it such a message is one of the queue. */
const FLAG_OWED = 16;

/** In heads only: the recipient has Subscription Identifiers, or a shared subscription, and its record says which. */
export const FLAG_DETAILED = 32;
/** In heads only: it came through a shared subscription. */
export const FLAG_SHARED = 64;

export function isShared(flags: number): boolean {
  return (flags & FLAG_SHARED) !== 0;
}

/** How one recipient gets a message, as bits: QoS, RETAIN, whether it is owed. */
export function flagsOf({ qos, retain, owed }: Pick<Recipient, "qos" | "retain" | "owed">): number {
  return qos | (retain ? FLAG_RETAIN : 0) | (retain === AS_PUBLISHED ? FLAG_AS_PUBLISHED : 0) | (owed ? FLAG_OWED : 0);
}

export function qosIn(flags: number): 1 | 2 {
  return (flags & 3) as 1 | 2;
}

export function retainIn(flags: number): Retain {
  return (flags & FLAG_RETAIN) !== 0 && ((flags & FLAG_AS_PUBLISHED) === 0 || AS_PUBLISHED);
}

export function isOwed(flags: number): boolean {
  return (flags & FLAG_OWED) !== 0;
}

/** @throws RecordError when nobody can get a message like this */
export function checkRecipient(packetId: number, flags: number): void {
  if (packetId === 0 || packetId > PACKET_ID_MAX || (flags & 3) % 3 === 0) {
    throw new RecordError(`a recipient with Packet Identifier ${packetId} at QoS ${flags & 3}`);
  }
}

/** Who gets a record: what is needed to send it, and to send it again under the same Packet Identifier. */
export interface Recipient extends Due {
  readonly sessionNumber: number;
  readonly packetId: number;
}

export interface StoredRecord {
  readonly sequence: number;
  readonly message: Message;
  readonly recipients: Recipient[];
}

export function encodeRecord({ sequence, message, recipients }: StoredRecord): Uint8Array {
  const writer = new RecordWriter(message.size + 128);
  const place = writer.beginLength();
  writer.integer(sequence);
  writeMessage(writer, message);
  writer.integer(recipients.length);
  for (const recipient of recipients) {
    writer.integer(recipient.sessionNumber);
    writer.integer(recipient.packetId);
    writer.byte(flagsOf(recipient));
    const identifiers = recipient.identifiers ?? [];
    writer.integer(identifiers.length);
    for (const identifier of identifiers) writer.integer(identifier);
    writer.string(recipient.share);
  }
  writer.endLength(place);
  return writer.finish();
}

/** @returns whether it remembers all that `repeats` does */
export function writeChunk(writer: RecordWriter, repeats: Repeats, records: readonly Uint8Array[]): boolean {
  writer.byte(CHUNK_VERSION);
  const place = writer.beginLength();
  const whole = repeats.write(writer);
  writer.endLength(place);
  writer.integer(records.length);
  for (const record of records) writer.raw(record);
  return whole;
}

/** The records of a chunk, unread, in their order. @param repeats takes what the chunk remembers; undefined: it is passed over */
export function* recordsIn(bytes: Uint8Array, repeats: Repeats | undefined): Generator<Uint8Array> {
  const reader = new RecordReader(bytes);
  const version = reader.byte();
  if (version < 1 || version > CHUNK_VERSION) throw new RecordError(`a chunk of version ${version}, where ${CHUNK_VERSION} was expected`);
  if (version < 3) (repeats ?? new Repeats()).read(reader);
  else {
    const remembered = new RecordReader(reader.lengthPrefixed());
    repeats?.read(remembered);
    if (repeats !== undefined) remembered.end();
  }
  const records = version === 1 ? undefined : reader.integer();
  for (let read = 0; records === undefined ? reader.more : read < records; read += 1) yield reader.lengthPrefixed();
  reader.end();
}

/** @throws RecordError when the bytes are no record */
export function sequenceOf(record: Uint8Array): number {
  const sequence = new RecordReader(record).integer();
  checkNumber(sequence);
  return sequence;
}

/** A record's message alone. @throws RecordError when it can't be read */
export function messageIn(record: Uint8Array): Message {
  const reader = new RecordReader(record);
  reader.integer();
  return readStoredMessage(reader);
}

/** @throws RecordError when it can't be read */
export function decodeRecord(bytes: Uint8Array): StoredRecord {
  const reader = new RecordReader(bytes);
  const sequence = reader.integer();
  checkNumber(sequence);
  const message = readStoredMessage(reader);
  const recipients = reader.list(() => {
    const sessionNumber = reader.integer();
    const packetId = reader.integer();
    const flags = reader.byte();
    checkRecipient(packetId, flags);
    const identifiers = reader.list(() => reader.integer());
    return {
      sessionNumber,
      packetId,
      qos: qosIn(flags),
      retain: retainIn(flags),
      owed: isOwed(flags),
      identifiers: identifiers.length > 0 ? identifiers : undefined,
      share: reader.string(),
    };
  });
  reader.end();
  return { sequence, message, recipients };
}
