/**
 * The chunks of the message log as rows: which of them holds a record, and reading, writing and deleting them. After a start of all but the
 * newest only heads are read; the rest is read when a record is needed, and of that the chunk that was read last stays. A row that can't be
 * read is told of and left alone: what can be read of it is used.
 */

import type { Message } from "../mqtt/message.ts";
import { intact, RecordError, RecordWriter } from "../mqtt/record.ts";
import { HEADS_AT_ONCE, REPEATS_CHUNKS_MAX } from "../storage-limits.ts";
import type { Waiting } from "./backlog.ts";
import { decodeRecord, encodeRecord, FLAG_DETAILED, messageIn, type Recipient, recordsIn, sequenceOf, writeChunk } from "./chunk.ts";
import { decodeHeads, encodeHeads, type Head, type Heads, headFlags } from "./chunk-heads.ts";
import { addRecord, type Chunk, emptyChunk, type LogRecord, lastNotAbove } from "./log-record.ts";
import type { ChunkHeads, SessionStore } from "./ports.ts";
import type { Repeats } from "./repeats.ts";

/** What the log knows of a delivery that `Waiting` does not. */
export type Found = Pick<Recipient, "identifiers" | "share"> & { readonly message: Message };

/** A chunk that was read. */
interface Read {
  readonly number: number;
  readonly records: ReadonlyMap<number, Uint8Array>;
  /** Those that were needed. */
  readonly messages: Map<number, Message>;
}

/** Is told of each chunk that can't be read, or not to its end, once; it stays in the store, untouched. */
export type Damaged = (chunk: number, error: RecordError) => void;

export class ChunkRows {
  readonly #store: SessionStore;
  readonly #repeats: Repeats;
  #damaged: Damaged;
  readonly #chunkBytes: number;
  /** Those that have records, in the order of their numbers and sequences. */
  readonly #chunks: Chunk[] = [];
  /** The chunk that was read last. */
  #read: Read | undefined;

  constructor(store: SessionStore, repeats: Repeats, damaged: Damaged, chunkBytes: number) {
    this.#store = store;
    this.#repeats = repeats;
    this.#damaged = damaged;
    this.#chunkBytes = chunkBytes;
  }

  /** The full chunk, or the newest, that holds a record. */
  of(sequence: number): Chunk | undefined {
    const chunk = this.#chunks[lastNotAbove(this.#chunks, sequence, ({ first }) => first)];
    return chunk !== undefined && sequence <= chunk.last ? chunk : undefined;
  }

  /** A chunk has a record; from its first one on it is among those in which records are sought. */
  extend(chunk: Chunk, sequence: number): void {
    if (chunk.last === 0) {
      chunk.first = sequence;
      this.#chunks.push(chunk);
    }
    chunk.last = sequence;
  }

  /** What a record that is in a row alone says. @returns undefined when it can't be read any more */
  find({ sequence, flags }: Waiting, isSought: (recipient: Recipient) => boolean): Found | undefined {
    const chunk = this.of(sequence);
    const read = chunk && this.#load(chunk);
    const bytes = read?.records.get(sequence);
    if (read === undefined || bytes === undefined) return undefined;
    try {
      const message = read.messages.get(sequence) ?? messageIn(bytes);
      read.messages.set(sequence, message);
      return found(message, (flags & FLAG_DETAILED) === 0 ? undefined : decodeRecord(bytes).recipients.find(isSought));
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.#tellDamaged(chunk!, error);
      return undefined;
    }
  }

  /** @returns what of a chunk can be read */
  #load(chunk: Chunk): Read {
    if (this.#read?.number === chunk.number) return this.#read;
    const records = new Map<number, Uint8Array>();
    try {
      for (const bytes of recordsIn(this.#rowOf(chunk.number), undefined)) records.set(sequenceOf(bytes), bytes);
    } catch (error) {
      this.#tellDamaged(chunk, error);
    }
    this.#read = { number: chunk.number, records, messages: new Map() };
    return this.#read;
  }

  write(chunk: Chunk): void {
    const writer = new RecordWriter(this.#chunkBytes);
    chunk.whole = writeChunk(
      writer,
      this.#repeats,
      chunk.records.flatMap(({ bytes }) => bytes ?? []),
    );
    const heads = encodeHeads(
      chunk.records.flatMap(({ head }) => head ?? []),
      chunk.whole,
    );
    this.#store.putChunk({ number: chunk.number, heads, records: writer.finish() });
    chunk.stored = true;
  }

  delete(chunk: Chunk): void {
    const index = this.#chunks.indexOf(chunk);
    if (index >= 0) this.#chunks.splice(index, 1);
    if (this.#read?.number === chunk.number) this.#read = undefined;
    if (chunk.stored && !chunk.damaged) this.#store.deleteChunk(chunk.number);
    chunk.stored = false;
  }

  /**
   * Learns after a start what the rows hold; reads the newest chunk, and of the others what is known of repeats.
   * @param take is told of each recipient of each record, and tells whether it still needs that; the object is used again
   * @param damaged is told instead of who is told later
   * @returns all chunks in their order; of the newest the records may be written again
   */
  restore(take: (head: Head) => boolean, damaged: Damaged): Chunk[] {
    const later = this.#damaged;
    this.#damaged = damaged;
    try {
      return this.#restore(take);
    } finally {
      this.#damaged = later;
    }
  }

  #restore(take: (head: Head) => boolean): Chunk[] {
    const all: Chunk[] = [];
    let newest: ChunkHeads | undefined;
    for (let after = 0; ; ) {
      const rows = this.#store.chunkHeads(after, HEADS_AT_ONCE);
      for (const row of rows) {
        if (newest !== undefined) all.push(this.#restoreFull(newest, take));
        newest = row;
      }
      if (rows.length < HEADS_AT_ONCE) break;
      after = rows.at(-1)!.number;
    }
    if (newest === undefined) return all;
    if (decodeHeads(newest)?.whole !== true) this.#restoreRepeats();
    all.push(this.#restoreRecords(newest.number, take, true));
    return all;
  }

  /** A chunk that takes no more. */
  #restoreFull(row: ChunkHeads, take: (head: Head) => boolean): Chunk {
    const known = decodeHeads(row);
    return known === undefined ? this.#restoreRecords(row.number, take, false) : this.#restoreHeads(row.number, known, take);
  }

  #restoreHeads(number: number, { whole, first, last, numbers }: Heads, take: (head: Head) => boolean): Chunk {
    const chunk = emptyChunk(number, true);
    chunk.first = first;
    chunk.last = last;
    chunk.whole = whole;
    if (last !== 0) this.#chunks.push(chunk);
    const head = { sequence: 0, size: 0, sessionNumber: 0, packetId: 0, flags: 0 };
    for (let index = 0; index < numbers.length; index += 5) {
      head.sequence = numbers[index]!;
      head.size = numbers[index + 1]!;
      head.sessionNumber = numbers[index + 2]!;
      head.packetId = numbers[index + 3]!;
      head.flags = numbers[index + 4]!;
      if (take(head)) chunk.open += 1;
    }
    return chunk;
  }

  /** Reads a chunk as a whole, its repeats too. @param isNewest its records may be written again */
  #restoreRecords(number: number, take: (head: Head) => boolean, isNewest: boolean): Chunk {
    const chunk = emptyChunk(number, true);
    try {
      for (const bytes of recordsIn(this.#rowOf(number), this.#repeats)) {
        const { sequence, message, recipients } = decodeRecord(bytes);
        if (sequence <= chunk.last) throw new RecordError(`the record ${sequence} behind ${chunk.last}`);
        this.extend(chunk, sequence);
        const needed = recipients.filter((recipient) => {
          const { sessionNumber, packetId } = recipient;
          return take({ sequence, size: message.size, sessionNumber, packetId, flags: headFlags(recipient) });
        });
        if (needed.length === 0) continue;
        const record: LogRecord = {
          ...{ sequence, message, recipients, recipientBytes: 0, open: needed.length },
          ...{ chunk: undefined, bytes: undefined, head: undefined },
        };
        if (isNewest) message.keep();
        addRecord(chunk, record, encodeRecord(record));
      }
    } catch (error) {
      this.#tellDamaged(chunk, error);
    }
    if (!isNewest || chunk.damaged) chunk.records = [];
    return chunk;
  }

  /** What chunks remember of repeats, from the last one on that remembers all. */
  #restoreRepeats(): void {
    let from = this.#chunks.length;
    const least = Math.max(0, from - REPEATS_CHUNKS_MAX);
    while (from > least && !this.#chunks[from]?.whole) from -= 1;
    for (const chunk of this.#chunks.slice(from)) {
      try {
        recordsIn(this.#rowOf(chunk.number), this.#repeats).next();
      } catch (error) {
        this.#tellDamaged(chunk, error);
      }
    }
  }

  #rowOf(number: number): Uint8Array {
    const row = this.#store.chunk(number);
    if (row === undefined) throw new RecordError("its row is gone");
    return intact(row).records;
  }

  #tellDamaged(chunk: Chunk, error: unknown): void {
    if (!(error instanceof RecordError)) throw error;
    if (!chunk.damaged) this.#damaged(chunk.number, error);
    chunk.damaged = true;
  }
}

export function found(message: Message, recipient: Recipient | undefined): Found {
  return { message, identifiers: recipient?.identifiers, share: recipient?.share ?? "" };
}
