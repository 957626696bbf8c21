/**
 * The message log: every QoS 1 and 2 message for stored sessions, once per Session object, with the list of sessions that still have
 * to get it. Records share rows ("chunks"): a chunk takes records until it has CHUNK_BYTES, and writing it again costs one row
 * however many it holds. A chunk whose records are all done is deleted; the newest one is overwritten instead, so that a subscriber
 * that keeps up costs one row a flush. Only the newest is in memory: of the others it is known how many still need something, and what
 * is needed is read. Keeps the law: what a publisher was told is safe stands in a row before it is told.
 */

import type { Message } from "../mqtt/message.ts";
import { CHUNK_BYTES, RECIPIENT_BYTES_MAX } from "../storage-limits.ts";
import type { Waiting } from "./backlog.ts";
import { encodeRecord, type Recipient } from "./chunk.ts";
import type { Head } from "./chunk-heads.ts";
import { ChunkRows, type Damaged, type Found, found } from "./chunk-rows.ts";
import { addRecord, type Chunk, compact, emptyChunk, type LogRecord, lastNotAbove, recordOf } from "./log-record.ts";
import { lifeOf } from "./numbers.ts";
import type { SessionStore } from "./ports.ts";
import type { Repeats } from "./repeats.ts";

export class MessageLog {
  readonly #rows: ChunkRows;
  readonly #chunkBytes: number;
  #nextSequence: number;
  #nextChunk = 1;
  /** The newest chunk, which takes more. */
  #tail: Chunk | undefined;
  /** Records that no row holds yet. */
  #fresh: LogRecord[] = [];
  /** Those of them that have the message at hand, in their order. */
  #sharing: LogRecord[] = [];
  #isToRemember = false;
  /** What is left of it is needed for repeats: it stays until something is added. */
  #isKept = false;
  /** Chunks whose last record was done since the last flush. */
  readonly #finished = new Set<Chunk>();

  constructor(store: SessionStore, repeats: Repeats, firstSequence: number, damaged: Damaged, chunkBytes = CHUNK_BYTES) {
    this.#nextSequence = firstSequence;
    this.#rows = new ChunkRows(store, repeats, damaged, chunkBytes);
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

  /**
   * A record of the message at hand for one more session; several share one. What a session has in rows comes in the order of its records, each
   * at most once.
   * @param above the sequence of the session's last record
   */
  recordFor(message: Message, above: number): LogRecord {
    if (this.#sharing.at(0)?.message !== message) this.#sharing = [];
    const first = lastNotAbove(this.#sharing, above, ({ sequence }) => sequence) + 1;
    for (let index = first; index < this.#sharing.length; index += 1) {
      const record = this.#sharing[index]!;
      if (!this.isFull(record)) return record;
    }
    const record = this.append(message);
    this.#sharing.push(record);
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

  /** Whether the next flush writes it: those that are added as recipients later are in no row. */
  isToBeWritten({ sequence }: LogRecord): boolean {
    return recordOf(this.#fresh, sequence) !== undefined;
  }

  /** One recipient needs the record no longer. */
  release(sequence: number): void {
    const record = this.#inMemory(sequence);
    if (record !== undefined) record.open -= 1;
    const chunk = record === undefined ? this.#rows.of(sequence) : record.chunk;
    if (chunk === undefined) return;
    chunk.open -= 1;
    if (chunk.open === 0) this.#finished.add(chunk);
  }

  /**
   * What a session needs to be sent that waits for it.
   * @returns undefined when it can't be read any more
   */
  find(waiting: Waiting, sessionNumber: number): Found | undefined {
    const { sequence, packetId } = waiting;
    const isSought = (recipient: Recipient): boolean => recipient.sessionNumber === sessionNumber && recipient.packetId === packetId;
    const record = this.#inMemory(sequence);
    if (record !== undefined) return found(record.message, record.recipients.find(isSought));
    return this.#rows.find(waiting, isSought);
  }

  /** What is remembered of repeats is written with the next flush, whether there are new records or not. */
  writeRepeats(): void {
    this.#isToRemember = true;
  }

  /** Writes what is new and deletes what is done: one row for all new records that fit the newest chunk, one for each finished one. */
  flush(): void {
    if (this.unwritten + this.#finished.size === 0) return;
    const fresh = this.#fresh.filter((record) => record.open > 0);
    this.#fresh = [];
    this.#sharing = [];
    if (fresh.length > 0 || this.#isToRemember) {
      let chunk = compact(this.#tail ?? this.#begin());
      let grown = false;
      for (const record of fresh) {
        const bytes = encodeRecord(record);
        if (chunk.bytes > 0 && chunk.bytes + bytes.length > this.#chunkBytes) {
          if (grown) this.#rows.write(chunk);
          this.#seal(chunk);
          chunk = this.#begin();
        }
        this.#rows.extend(chunk, record.sequence);
        addRecord(chunk, record, bytes);
        record.message.keep();
        grown = true;
      }
      this.#rows.write(chunk);
      this.#isToRemember = false;
      this.#isKept = false;
    }
    for (const chunk of this.#finished) {
      if (chunk.open === 0 && chunk !== this.#tail) this.#rows.delete(chunk);
    }
    this.#finished.clear();
  }

  /** What the next flush writes. */
  get unwritten(): number {
    return this.#fresh.length + (this.#isToRemember ? 1 : 0);
  }

  /** Whether the newest chunk holds nothing that anybody needs: `tidy` would delete its row. */
  get untidy(): boolean {
    return this.#tail !== undefined && this.#tail.open === 0 && this.#tail.stored && !this.#isKept;
  }

  /** When its last message came, at the earliest: when that life began, milliseconds since the epoch. */
  get lastAt(): number {
    return lifeOf(this.#tail?.last ?? 0);
  }

  /** What is left stays, for what it remembers, until something is added. */
  keep(): void {
    this.#isKept = true;
  }

  /** Deletes the newest chunk if nothing in it is needed: what remains of a log that everybody has read is nothing. */
  tidy(): void {
    if (!this.untidy) return;
    this.#rows.delete(this.#tail!);
    this.#tail = undefined;
  }

  /**
   * Learns after a start what the log holds.
   * @param take is told of each recipient of each record, and tells whether it still needs that; the object is used again
   * @param damaged is told instead of who is told later
   */
  restore(take: (head: Head) => boolean, damaged: Damaged): void {
    const chunks = this.#rows.restore(take, damaged);
    for (const { last } of chunks) this.raiseSequence(last);
    const newest = chunks.pop();
    if (newest === undefined) return;
    for (const chunk of chunks) if (chunk.open === 0) this.#finished.add(chunk);
    this.#nextChunk = newest.number + 1;
    if (!newest.damaged) this.#tail = newest;
  }

  /** A record that no full chunk holds. */
  #inMemory(sequence: number): LogRecord | undefined {
    return recordOf(this.#fresh, sequence) ?? (this.#tail && recordOf(this.#tail.records, sequence));
  }

  #begin(): Chunk {
    const number = this.#nextChunk++;
    this.#tail = emptyChunk(number, false);
    return this.#tail;
  }

  #seal(chunk: Chunk): void {
    chunk.records = [];
    if (chunk.open === 0) this.#finished.add(chunk);
  }
}
