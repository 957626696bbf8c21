/**
 * Cuts the byte stream of a Network Connection into whole Control Packets, however it was split into chunks [MQTT5-6.0.0-2]
 * [MQTT311-6.0.0-2]. Looks at nothing but the fixed header: the type of a packet is in the first byte of what next() returns.
 *
 * A packet within one chunk is a view of it; only what spans chunks is copied, into a buffer that doubles, so that the cost is linear
 * and the memory follows the bytes that came instead of those that were announced.
 */

import { EMPTY_BYTES, INCOMPLETE, readVariableByteInteger, variableByteIntegerLength } from "./bytes.ts";
import type { ProtocolVersion } from "./packet.ts";
import { Reader } from "./reader.ts";
import { PACKET_TOO_LARGE } from "./reason-code.ts";
import type { Violation } from "./violation.ts";

const SPANNING_BYTES_FIRST = 64;

/** Places of chunks that were read stay in the list up to this many, or half of it: removing each by itself would cost too much. */
const READ_CHUNKS_MAX = 64;

export class PacketStream {
  /** A larger packet, fixed header included, is a violation as soon as its length is known. */
  packetBytesMax: number;
  /** Only chooses the clauses that violations name; set it when CONNECT has told. */
  version: ProtocolVersion = 5;
  #chunks: Uint8Array[] = [];
  /** When each of them came. */
  #times: number[] = [];
  #cameAt = 0;
  /** The chunk being read and the cursor in it. */
  #index = 0;
  #offset = 0;
  /** Of the chunks from there on, before the cursor too. */
  #chunkBytes = 0;
  /** The packet that spans chunks: its first bytes, how many, and its whole length once known, else 0. */
  #spanning = EMPTY_BYTES;
  #spanningBytes = 0;
  #spanningTotal = 0;
  #violation: Violation | undefined = undefined;

  /** @param packetBytesMax bytes of a whole packet with its fixed header */
  constructor(packetBytesMax: number) {
    this.packetBytesMax = packetBytesMax;
  }

  /**
   * Takes the next bytes. Packets are views of them, so that they must not be changed afterwards.
   * @param at for `cameAt`
   */
  push(chunk: Uint8Array, at = 0): void {
    if (this.#violation !== undefined || chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#times.push(at);
    this.#chunkBytes += chunk.length;
  }

  /** Forgets everything that waits: nobody will ask for it. */
  clear(): void {
    this.#chunks = [];
    this.#times = [];
    this.#chunkBytes = 0;
    this.#index = 0;
    this.#offset = 0;
    this.#spanning = EMPTY_BYTES;
    this.#spanningBytes = 0;
    this.#spanningTotal = 0;
  }

  /** Bytes taken and not yet returned as part of a packet. */
  get pendingBytes(): number {
    return this.#spanningBytes - this.#offset + this.#chunkBytes;
  }

  /** Chunks that wait, each of which costs memory beside its bytes. */
  get pendingChunks(): number {
    return this.#chunks.length - this.#index;
  }

  /** When the last bytes of the packet came that `next` gave last. */
  get cameAt(): number {
    return this.#cameAt;
  }

  /**
   * The next whole packet.
   * @returns undefined when more bytes are needed; a Violation, from then on always, when the stream can't be read any further
   */
  next(): Uint8Array | Violation | undefined {
    while (this.#violation === undefined && this.#index < this.#chunks.length) {
      const chunk = this.#chunks[this.#index];
      const packet = this.#spanningBytes === 0 ? this.#cut(chunk) : this.#extend(chunk);
      this.#cameAt = this.#times[this.#index];
      if (this.#offset === chunk.length) this.#advance();
      if (packet !== undefined) return packet;
    }
    return this.#violation;
  }

  #advance(): void {
    this.#offset = 0;
    this.#chunkBytes -= this.#chunks[this.#index].length;
    this.#chunks[this.#index] = EMPTY_BYTES;
    this.#index += 1;
    if (this.#index < this.#chunks.length && (this.#index < READ_CHUNKS_MAX || this.#index * 2 < this.#chunks.length)) return;
    // What was read is let go of, also where something always waits.
    this.#chunks.splice(0, this.#index);
    this.#times.splice(0, this.#index);
    this.#index = 0;
  }

  /** The next packet of a chunk, or undefined when it goes on in the next one or is refused. */
  #cut(chunk: Uint8Array): Uint8Array | undefined {
    const start = this.#offset;
    const total = this.#totalLength(chunk, start, chunk.length);
    if (total > 0 && start + total <= chunk.length) {
      this.#offset = start + total;
      return start === 0 && total === chunk.length ? chunk : chunk.subarray(start, this.#offset);
    }
    if (this.#violation !== undefined) return undefined;
    this.#spanningTotal = total;
    this.#append(chunk, chunk.length - start);
    return undefined;
  }

  /** Adds to the packet that spans chunks and returns it when it is whole. */
  #extend(chunk: Uint8Array): Uint8Array | undefined {
    while (this.#spanningTotal === 0) {
      if (this.#offset === chunk.length) return undefined;
      this.#append(chunk, 1);
      this.#spanningTotal = this.#totalLength(this.#spanning, 0, this.#spanningBytes);
      if (this.#violation !== undefined) return undefined;
    }
    this.#append(chunk, Math.min(this.#spanningTotal - this.#spanningBytes, chunk.length - this.#offset));
    if (this.#spanningBytes < this.#spanningTotal) return undefined;
    const packet = this.#spanning.subarray(0, this.#spanningTotal);
    this.#spanning = EMPTY_BYTES;
    this.#spanningBytes = 0;
    this.#spanningTotal = 0;
    return packet;
  }

  #append(chunk: Uint8Array, count: number): void {
    const needed = this.#spanningBytes + count;
    if (needed > this.#spanning.length) {
      const doubled = Math.max(needed, 2 * this.#spanning.length, SPANNING_BYTES_FIRST);
      const grown = new Uint8Array(this.#spanningTotal === 0 ? doubled : Math.min(doubled, this.#spanningTotal));
      grown.set(this.#spanning.subarray(0, this.#spanningBytes));
      this.#spanning = grown;
    }
    this.#spanning.set(chunk.subarray(this.#offset, this.#offset + count), this.#spanningBytes);
    this.#spanningBytes = needed;
    this.#offset += count;
  }

  /** Bytes of the packet that begins at `start`; 0 when its length is not there yet or is refused. */
  #totalLength(bytes: Uint8Array, start: number, end: number): number {
    const remainingLength = readVariableByteInteger(bytes, start + 1, end);
    if (remainingLength >= 0) {
      const total = 1 + variableByteIntegerLength(remainingLength) + remainingLength;
      if (total <= this.packetBytesMax) return total;
      const message = `packet of ${total} bytes: expected at most ${this.packetBytesMax}`;
      // [MQTT5-3.2.2-15]
      this.#fail(new Reader(bytes, 0, 0, this.version).protocolError("MQTT5-3.2.2-15", "MQTT311-4.8.0-2", message, PACKET_TOO_LARGE));
    } else if (remainingLength !== INCOMPLETE) {
      const reader = new Reader(bytes, start + 1, end, this.version);
      reader.variableByteInteger("Remaining Length");
      this.#fail(reader.violation!);
    }
    return 0;
  }

  #fail(violation: Violation): void {
    this.#violation = violation;
    this.clear();
  }
}
