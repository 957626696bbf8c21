/**
 * Deliveries of a stored session that wait in rows alone, in their order: sixteen bytes each, whatever their messages are. What is sent of
 * them is loaded first (`waiting.ts`).
 */

import type { Ledger } from "../ledger.ts";
import { MEMORY } from "../memory-limits.ts";
import { isOwed, isShared } from "./chunk.ts";

/** What is known of a delivery without its message. */
export interface Waiting {
  /** Of its record in the log. */
  readonly sequence: number;
  /** Bytes of topic, properties and payload. */
  readonly size: number;
  readonly packetId: number;
  /** As in `chunk-heads.ts`. */
  readonly flags: number;
  /** PUBLISH went out at least once. */
  readonly sent: boolean;
}

const WORDS = 4;
const SENT = 0x80;
const TWO_TO_32 = 2 ** 32;
const NOTHING = new Uint32Array(0);

export class Backlog {
  readonly #ledger: Ledger;
  /** Four words each: the sequence in two, the size, and the Packet Identifier above the flags. */
  #words = NOTHING;
  #head = 0;
  #count = 0;
  /** Of those that were not sent. */
  unsent = 0;
  /** How many of those are retained messages that the session is owed. */
  owed = 0;
  /** Bytes of the others of those. */
  bytes = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  get count(): number {
    return this.#count;
  }

  /** How much memory it takes. */
  get memoryBytes(): number {
    return this.#words.length === 0 ? 0 : MEMORY.backlogBytes + this.#words.byteLength;
  }

  push(sequence: number, size: number, packetId: number, flags: number, sent: boolean): void {
    if ((this.#head + this.#count + 1) * WORDS > this.#words.length) this.#resize();
    this.#write((this.#head + this.#count) * WORDS, sequence, size, packetId, flags, sent);
    this.#count += 1;
    this.#counted(size, flags, sent, 1);
  }

  /** Puts others before those that are there. */
  unshift(all: readonly Waiting[]): void {
    if (all.length === 0) return;
    const behind = [...this];
    this.clear();
    for (const { sequence, size, packetId, flags, sent } of [...all, ...behind]) this.push(sequence, size, packetId, flags, sent);
  }

  at(index: number): Waiting {
    const place = (this.#head + index) * WORDS;
    const words = this.#words;
    const last = words[place + 3]!;
    return {
      sequence: words[place]! * TWO_TO_32 + words[place + 1]!,
      size: words[place + 2]!,
      packetId: last >>> 8,
      flags: last & 0x7f,
      sent: (last & SENT) !== 0,
    };
  }

  /** Takes one out; those near the head cost nothing. */
  remove(index: number): Waiting {
    const waiting = this.at(index);
    const from = this.#head * WORDS;
    this.#words.copyWithin(from + WORDS, from, from + index * WORDS);
    this.#head += 1;
    this.#count -= 1;
    this.#counted(waiting.size, waiting.flags, waiting.sent, -1);
    if (this.#count === 0) this.clear();
    else if (this.#head > 64 && this.#head * 4 > (this.#words.length / WORDS) * 3) this.#resize();
    return waiting;
  }

  /** The oldest that was not sent and is not owed; -1 when there is none. */
  oldestDroppable(): number {
    for (let index = 0; index < this.#count; index += 1) {
      const last = this.#words[(this.#head + index) * WORDS + 3]!;
      if ((last & SENT) === 0 && !isOwed(last)) return index;
    }
    return -1;
  }

  firstUnsent(): Waiting | undefined {
    for (const waiting of this) if (!waiting.sent) return waiting;
    return undefined;
  }

  has(packetId: number): boolean {
    const end = (this.#head + this.#count) * WORDS;
    for (let place = this.#head * WORDS + 3; place < end; place += WORDS) if (this.#words[place]! >>> 8 === packetId) return true;
    return false;
  }

  /** Whether one that was not sent came through a shared subscription. */
  get holdsShared(): boolean {
    for (const { sent, flags } of this) if (!sent && isShared(flags)) return true;
    return false;
  }

  /** Where one stands that was sent; -1 when there is none. They come before those that were not. */
  sentIndex(packetId: number): number {
    for (let index = 0; index < this.#count; index += 1) {
      const last = this.#words[(this.#head + index) * WORDS + 3]!;
      if ((last & SENT) === 0) return -1;
      if (last >>> 8 === packetId) return index;
    }
    return -1;
  }

  clear(): void {
    this.#replace(NOTHING);
    this.#head = 0;
    this.#count = 0;
    this.unsent = 0;
    this.owed = 0;
    this.bytes = 0;
  }

  *[Symbol.iterator](): Generator<Waiting> {
    for (let index = 0; index < this.#count; index += 1) yield this.at(index);
  }

  #write(place: number, sequence: number, size: number, packetId: number, flags: number, sent: boolean): void {
    const words = this.#words;
    words[place] = Math.floor(sequence / TWO_TO_32);
    words[place + 1] = sequence;
    words[place + 2] = size;
    words[place + 3] = (packetId << 8) | flags | (sent ? SENT : 0);
  }

  #counted(size: number, flags: number, sent: boolean, by: 1 | -1): void {
    if (sent) return;
    this.unsent += by;
    if (isOwed(flags)) this.owed += by;
    else this.bytes += by * size;
  }

  /** Room for a third more than there are. */
  #resize(): void {
    const words = new Uint32Array(Math.max(4, Math.ceil(this.#count * 1.33) + 1) * WORDS);
    words.set(this.#words.subarray(this.#head * WORDS, (this.#head + this.#count) * WORDS));
    this.#replace(words);
    this.#head = 0;
  }

  #replace(words: Uint32Array<ArrayBuffer>): void {
    const before = this.memoryBytes;
    this.#words = words;
    this.#ledger.add("messages", this.memoryBytes - before);
  }
}
