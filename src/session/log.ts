/**
 * The message log: every QoS 1 and 2 message for stored sessions, once per Session object, with the list of sessions that still have
 * to get it. Records share rows ("chunks"): a chunk takes records until it has CHUNK_BYTES, and writing it again costs one row
 * however many it holds. A chunk whose records are all done is deleted; the newest one is overwritten instead, so that a subscriber
 * that keeps up costs one row a flush. Keeps the law: what a publisher was told is safe stands in a row before it is told.
 */

import { CHUNK_BYTES, PACKET_ID_MAX, RECIPIENT_BYTES_MAX } from "../limits.ts";
import { type Message, writeMessage } from "../mqtt/message.ts";
import { intact, RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import { checkNumber, readStoredMessage } from "../topic/stored-message.ts";
import type { SessionStore } from "./ports.ts";
import type { Repeats } from "./repeats.ts";
import { AS_PUBLISHED, type Retain } from "./retain.ts";

/** Version 1 did not say how many records there are. */
const CHUNK_VERSION = 2;

const FLAG_RETAIN = 4;
/** Older code does not look at it. */
const FLAG_AS_PUBLISHED = 8;
/** Older code neither wrote nor looked at it: to it such a message is one of the queue. */
const FLAG_OWED = 16;

/** Who gets a record: what is needed to send it, and to send it again under the same Packet Identifier. */
export interface Recipient {
  readonly sessionNumber: number;
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly retain: Retain;
  readonly identifiers: readonly number[] | undefined;
  /** The shared subscription that it came through; empty for none. */
  readonly share: string;
  /** A retained message that its subscription is owed. */
  readonly owed: boolean;
}

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
  /** Its bytes while its chunk may be written again. */
  bytes: Uint8Array | undefined;
}

interface Chunk {
  readonly number: number;
  /** Records that may be written again; empty once the chunk is full. */
  records: LogRecord[];
  /** The size of `records`. */
  bytes: number;
  /** Records that somebody still needs. */
  open: number;
  stored: boolean;
}

/** What a restart found in the log. */
export interface RestoredRecord {
  readonly record: LogRecord;
  readonly recipients: readonly Recipient[];
}

export class MessageLog {
  readonly #store: SessionStore;
  readonly #repeats: Repeats;
  #nextSequence: number;
  #nextChunk = 1;
  #tail: Chunk | undefined;
  /** Records that no row holds yet. */
  #fresh: LogRecord[] = [];
  /** Chunks whose last record was done since the last flush. */
  readonly #finished = new Set<Chunk>();

  constructor(store: SessionStore, repeats: Repeats, firstSequence: number) {
    this.#nextSequence = firstSequence;
    this.#store = store;
    this.#repeats = repeats;
  }

  /** Records from now on have sequences above this one. */
  raiseSequence(above: number): void {
    this.#nextSequence = Math.max(this.#nextSequence, above + 1);
  }

  /** Adds a message; recipients may be added until the next flush. */
  append(message: Message): LogRecord {
    const record: LogRecord = {
      sequence: this.#nextSequence++,
      message,
      recipients: [],
      recipientBytes: 0,
      open: 0,
      chunk: undefined,
      bytes: undefined,
    };
    this.#fresh.push(record);
    return record;
  }

  addRecipient(record: LogRecord, recipient: Recipient): void {
    record.recipients.push(recipient);
    // A character of a filter has up to three bytes.
    record.recipientBytes += 16 + 4 * (recipient.identifiers?.length ?? 0) + 3 * recipient.share.length;
    record.open += 1;
  }

  /** Whether further recipients of the message need a further record: a row is bounded, the number of sessions is not. */
  isFull(record: LogRecord): boolean {
    return record.recipientBytes >= RECIPIENT_BYTES_MAX;
  }

  /** One recipient needs the record no longer. */
  release(record: LogRecord): void {
    record.open -= 1;
    if (record.open > 0 || record.chunk === undefined) return;
    record.chunk.open -= 1;
    if (record.chunk.open === 0) this.#finished.add(record.chunk);
  }

  /** Writes what is new and deletes what is done: one row for all new records that fit the newest chunk, one for each finished one. */
  flush(): void {
    const fresh = this.#fresh.filter((record) => record.open > 0);
    this.#fresh = [];
    if (fresh.length > 0) {
      let chunk = this.#compact(this.#tail ?? this.#begin());
      let grown = false;
      for (const record of fresh) {
        const bytes = encodeRecord(record);
        if (chunk.bytes > 0 && chunk.bytes + bytes.length > CHUNK_BYTES) {
          if (grown) this.#write(chunk);
          this.#seal(chunk);
          chunk = this.#begin();
        }
        record.bytes = bytes;
        record.chunk = chunk;
        chunk.records.push(record);
        chunk.bytes += bytes.length;
        chunk.open += 1;
        grown = true;
      }
      this.#write(chunk);
    }
    for (const chunk of this.#finished) {
      if (chunk.open === 0 && chunk !== this.#tail) this.#delete(chunk);
    }
    this.#finished.clear();
  }

  /** Records that the next flush writes. */
  get unwritten(): number {
    return this.#fresh.length;
  }

  /** Whether the newest chunk holds nothing that anybody needs: `tidy` would delete its row. */
  get untidy(): boolean {
    return this.#tail !== undefined && this.#tail.open === 0 && this.#tail.stored;
  }

  /** Deletes the newest chunk if nothing in it is needed: what remains of a log that everybody has read is nothing. */
  tidy(): void {
    if (!this.untidy) return;
    this.#delete(this.#tail!);
    this.#tail = undefined;
  }

  /**
   * Reads the log after a start.
   * @param keep tells whether the recipient still needs the record
   * @param damaged is told of each chunk that could not be read; it stays in the store, untouched
   */
  restore(keep: (recipient: Recipient, sequence: number) => boolean, damaged: (chunk: number, problem: string) => void): RestoredRecord[] {
    const restored: RestoredRecord[] = [];
    for (const row of this.#store.chunks()) {
      this.#nextChunk = Math.max(this.#nextChunk, row.number + 1);
      if (this.#tail !== undefined) this.#seal(this.#tail);
      const chunk: Chunk = { number: row.number, records: [], bytes: 0, open: 0, stored: true };
      this.#tail = chunk;
      try {
        for (const { record, recipients } of decodeChunk(intact(row).records, this.#repeats)) {
          this.#nextSequence = Math.max(this.#nextSequence, record.sequence + 1);
          const open = recipients.filter((recipient) => keep(recipient, record.sequence));
          if (open.length === 0) continue;
          record.open = open.length;
          record.chunk = chunk;
          record.bytes = encodeRecord(record);
          chunk.records.push(record);
          chunk.bytes += record.bytes.length;
          chunk.open += 1;
          restored.push({ record, recipients: open });
        }
      } catch (error) {
        damaged(row.number, error instanceof Error ? error.message : String(error));
        this.#tail = undefined;
      }
    }
    return restored;
  }

  /** Forgets the records of a chunk that nobody needs: they are not written again. */
  #compact(chunk: Chunk): Chunk {
    if (chunk.records.length > chunk.open) {
      chunk.records = chunk.records.filter((record) => record.open > 0);
      chunk.bytes = chunk.records.reduce((sum, record) => sum + record.bytes!.length, 0);
    }
    return chunk;
  }

  #begin(): Chunk {
    const chunk: Chunk = { number: this.#nextChunk++, records: [], bytes: 0, open: 0, stored: false };
    this.#tail = chunk;
    return chunk;
  }

  #seal(chunk: Chunk): void {
    for (const record of chunk.records) record.bytes = undefined;
    chunk.records = [];
    if (chunk.open === 0) this.#finished.add(chunk);
  }

  #write(chunk: Chunk): void {
    const writer = new RecordWriter(CHUNK_BYTES);
    writer.byte(CHUNK_VERSION);
    this.#repeats.write(writer);
    const records = chunk.records.flatMap(({ bytes }) => bytes ?? []);
    writer.integer(records.length);
    for (const record of records) writer.raw(record);
    this.#store.putChunk({ number: chunk.number, records: writer.finish() });
    chunk.stored = true;
  }

  #delete(chunk: Chunk): void {
    if (chunk.stored) this.#store.deleteChunk(chunk.number);
    chunk.stored = false;
  }
}

function flagsOf({ qos, retain, owed }: Recipient): number {
  return qos | (retain ? FLAG_RETAIN : 0) | (retain === AS_PUBLISHED ? FLAG_AS_PUBLISHED : 0) | (owed ? FLAG_OWED : 0);
}

function encodeRecord(record: LogRecord): Uint8Array {
  const writer = new RecordWriter(record.message.size + 128);
  const place = writer.beginLength();
  writer.integer(record.sequence);
  writeMessage(writer, record.message);
  writer.integer(record.recipients.length);
  for (const recipient of record.recipients) {
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

function* decodeChunk(bytes: Uint8Array, repeats: Repeats): Generator<{ record: LogRecord; recipients: Recipient[] }> {
  const reader = new RecordReader(bytes);
  const version = reader.byte();
  if (version < 1 || version > CHUNK_VERSION) throw new RecordError(`a chunk of version ${version}, where ${CHUNK_VERSION} was expected`);
  repeats.read(reader);
  const records = version === 1 ? undefined : reader.integer();
  for (let read = 0; records === undefined ? reader.more : read < records; read += 1) {
    const part = new RecordReader(reader.lengthPrefixed());
    const sequence = part.integer();
    checkNumber(sequence);
    const message = readStoredMessage(part);
    const recipients: Recipient[] = [];
    for (let count = part.integer(); count > 0; count -= 1) {
      const sessionNumber = part.integer();
      const packetId = part.integer();
      const flags = part.byte();
      if (packetId === 0 || packetId > PACKET_ID_MAX || (flags & 3) % 3 === 0) {
        throw new RecordError(`a recipient with Packet Identifier ${packetId} at QoS ${flags & 3}`);
      }
      const identifiers: number[] = [];
      for (let more = part.integer(); more > 0; more -= 1) identifiers.push(part.integer());
      recipients.push({
        sessionNumber,
        packetId,
        qos: (flags & 3) as 1 | 2,
        retain: (flags & FLAG_RETAIN) !== 0 && ((flags & FLAG_AS_PUBLISHED) === 0 || AS_PUBLISHED),
        owed: (flags & FLAG_OWED) !== 0,
        identifiers: identifiers.length > 0 ? identifiers : undefined,
        share: part.string(),
      });
    }
    part.end();
    yield { record: { sequence, message, recipients, recipientBytes: 0, open: 0, chunk: undefined, bytes: undefined }, recipients };
  }
  reader.end();
}
