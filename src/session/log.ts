/**
 * The message log: every QoS 1 and 2 message for stored sessions, once per Session object, with the list of sessions that still have
 * to get it. Records share rows ("chunks"): a chunk takes records until it has CHUNK_BYTES, and writing it again costs one row
 * however many it holds. A chunk whose records are all done is deleted; the newest one is overwritten instead, so that a subscriber
 * that keeps up costs one row a flush. Only the newest is in memory: of the others it is known how many still need something, and what
 * is needed is read. Keeps the law: what a publisher was told is safe stands in a row before it is told.
 */

import type { Message } from "../mqtt/message.ts";
import { intact, RecordError, RecordWriter } from "../mqtt/record.ts";
import { CHUNK_BYTES, HEADS_AT_ONCE, RECIPIENT_BYTES_MAX, REPEATS_CHUNKS_MAX } from "../storage-limits.ts";
import type { Waiting } from "./backlog.ts";
import { decodeRecord, encodeRecord, FLAG_DETAILED, messageIn, type Recipient, recordsIn, sequenceOf, writeChunk } from "./chunk.ts";
import { decodeHeads, encodeHead, encodeHeads, type Head, type Heads, headFlags } from "./chunk-heads.ts";
import type { ChunkHeads, SessionStore } from "./ports.ts";
import type { Repeats } from "./repeats.ts";

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

interface Chunk {
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

export class MessageLog {
  readonly #store: SessionStore;
  readonly #repeats: Repeats;
  #damaged: Damaged;
  readonly #chunkBytes: number;
  #nextSequence: number;
  #nextChunk = 1;
  /** Those that have records, in the order of their numbers and sequences. */
  #chunks: Chunk[] = [];
  /** The newest of them, which takes more. */
  #tail: Chunk | undefined;
  /** Records that no row holds yet. */
  #fresh: LogRecord[] = [];
  /** Chunks whose last record was done since the last flush. */
  readonly #finished = new Set<Chunk>();
  /** The chunk that was read last. */
  #read: Read | undefined;

  constructor(store: SessionStore, repeats: Repeats, firstSequence: number, damaged: Damaged, chunkBytes = CHUNK_BYTES) {
    this.#nextSequence = firstSequence;
    this.#store = store;
    this.#repeats = repeats;
    this.#damaged = damaged;
    this.#chunkBytes = chunkBytes;
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
      head: undefined,
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
  release(sequence: number): void {
    const record = this.#inMemory(sequence);
    if (record !== undefined) record.open -= 1;
    const chunk = record === undefined ? this.#chunkOf(sequence) : record.chunk;
    if (chunk === undefined) return;
    chunk.open -= 1;
    if (chunk.open === 0) this.#finished.add(chunk);
  }

  /**
   * What a session needs to be sent that waits for it.
   * @returns undefined when it can't be read any more
   */
  find({ sequence, packetId, flags }: Waiting, sessionNumber: number): Found | undefined {
    const isSought = (recipient: Recipient): boolean => recipient.sessionNumber === sessionNumber && recipient.packetId === packetId;
    const record = this.#inMemory(sequence);
    if (record !== undefined) return found(record.message, record.recipients.find(isSought));
    const chunk = this.#chunkOf(sequence);
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

  /** Writes what is new and deletes what is done: one row for all new records that fit the newest chunk, one for each finished one. */
  flush(): void {
    if (this.#fresh.length + this.#finished.size === 0) return;
    const fresh = this.#fresh.filter((record) => record.open > 0);
    this.#fresh = [];
    if (fresh.length > 0) {
      let chunk = this.#compact(this.#tail ?? this.#begin());
      let grown = false;
      for (const record of fresh) {
        const bytes = encodeRecord(record);
        if (chunk.bytes > 0 && chunk.bytes + bytes.length > this.#chunkBytes) {
          if (grown) this.#write(chunk);
          this.#seal(chunk);
          chunk = this.#begin();
        }
        this.#extend(chunk, record.sequence);
        this.#add(chunk, record, bytes);
        record.message.keep();
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
   * Learns after a start what the log holds; reads the newest chunk, and of the others what is known of repeats.
   * @param take is told of each recipient of each record, and tells whether it still needs that; the object is used again
   * @param damaged is told instead of who is told later
   */
  restore(take: (head: Head) => boolean, damaged: Damaged): void {
    const later = this.#damaged;
    this.#damaged = damaged;
    try {
      this.#restore(take);
    } finally {
      this.#damaged = later;
    }
  }

  #restore(take: (head: Head) => boolean): void {
    let newest: ChunkHeads | undefined;
    for (let after = 0; ; ) {
      const rows = this.#store.chunkHeads(after, HEADS_AT_ONCE);
      for (const row of rows) {
        if (newest !== undefined) this.#restoreFull(newest, take);
        newest = row;
      }
      if (rows.length < HEADS_AT_ONCE) break;
      after = rows.at(-1)!.number;
    }
    if (newest === undefined) return;
    this.#nextChunk = newest.number + 1;
    if (decodeHeads(newest)?.whole !== true) this.#restoreRepeats();
    const tail = this.#restoreRecords(newest.number, take, true);
    if (!tail.damaged) this.#tail = tail;
  }

  /** A chunk that takes no more. */
  #restoreFull(row: ChunkHeads, take: (head: Head) => boolean): void {
    const known = decodeHeads(row);
    const chunk = known === undefined ? this.#restoreRecords(row.number, take, false) : this.#restoreHeads(row.number, known, take);
    if (chunk.open === 0) this.#finished.add(chunk);
  }

  #restoreHeads(number: number, { whole, first, last, numbers }: Heads, take: (head: Head) => boolean): Chunk {
    const chunk: Chunk = { number, first, last, records: [], bytes: 0, open: 0, stored: true, whole, damaged: false };
    if (last !== 0) this.#chunks.push(chunk);
    this.raiseSequence(last);
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
    const chunk: Chunk = { number, first: 0, last: 0, records: [], bytes: 0, open: 0, stored: true, whole: false, damaged: false };
    try {
      for (const bytes of recordsIn(this.#rowOf(number), this.#repeats)) {
        const { sequence, message, recipients } = decodeRecord(bytes);
        if (sequence <= chunk.last) throw new RecordError(`the record ${sequence} behind ${chunk.last}`);
        this.#extend(chunk, sequence);
        this.raiseSequence(sequence);
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
        this.#add(chunk, record, encodeRecord(record));
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

  /** A record that no full chunk holds. */
  #inMemory(sequence: number): LogRecord | undefined {
    return recordOf(this.#fresh, sequence) ?? (this.#tail && recordOf(this.#tail.records, sequence));
  }

  /** The full chunk, or the newest, that holds a record. */
  #chunkOf(sequence: number): Chunk | undefined {
    const chunk = this.#chunks[lastNotAbove(this.#chunks, sequence, ({ first }) => first)];
    return chunk !== undefined && sequence <= chunk.last ? chunk : undefined;
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

  /** A chunk has a record; from its first one on it is among those in which records are sought. */
  #extend(chunk: Chunk, sequence: number): void {
    if (chunk.last === 0) {
      chunk.first = sequence;
      this.#chunks.push(chunk);
    }
    chunk.last = sequence;
  }

  #add(chunk: Chunk, record: LogRecord, bytes: Uint8Array): void {
    record.bytes = bytes;
    record.head = encodeHead(record);
    record.chunk = chunk;
    chunk.records.push(record);
    chunk.bytes += bytes.length;
    chunk.open += record.open;
  }

  /** Forgets the records of a chunk that nobody needs: they are not written again. */
  #compact(chunk: Chunk): Chunk {
    chunk.records = chunk.records.filter((record) => record.open > 0);
    chunk.bytes = chunk.records.reduce((sum, record) => sum + record.bytes!.length, 0);
    return chunk;
  }

  #begin(): Chunk {
    const number = this.#nextChunk++;
    this.#tail = { number, first: 0, last: 0, records: [], bytes: 0, open: 0, stored: false, whole: false, damaged: false };
    return this.#tail;
  }

  #seal(chunk: Chunk): void {
    chunk.records = [];
    if (chunk.open === 0) this.#finished.add(chunk);
  }

  #write(chunk: Chunk): void {
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

  #delete(chunk: Chunk): void {
    const index = this.#chunks.indexOf(chunk);
    if (index >= 0) this.#chunks.splice(index, 1);
    if (this.#read?.number === chunk.number) this.#read = undefined;
    if (chunk.stored && !chunk.damaged) this.#store.deleteChunk(chunk.number);
    chunk.stored = false;
  }
}

function found(message: Message, recipient: Recipient | undefined): Found {
  return { message, identifiers: recipient?.identifiers, share: recipient?.share ?? "" };
}

function recordOf(records: readonly LogRecord[], sequence: number): LogRecord | undefined {
  const record = records[lastNotAbove(records, sequence, (each) => each.sequence)];
  return record?.sequence === sequence ? record : undefined;
}

/** The index of the last item that is not above a number, among those that grow; -1 when all are. */
function lastNotAbove<Item>(items: readonly Item[], number: number, numberOf: (item: Item) => number): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numberOf(items[middle]!) <= number) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
