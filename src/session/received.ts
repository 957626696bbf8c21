/**
 * The incoming QoS 2 exchanges of one session that are not over, by Packet Identifier [MQTT5-4.3.3-10]. A few of them stand in the row of
 * their session. Where there are many they stand in pages, rows of their own by Packet Identifier, so that one more costs one page to
 * write and not all of them: a client of 3.x may have 65,535.
 */

import { CountedMap, type Ledger } from "../ledger.ts";
import { RECEIVED_INLINE_MAX } from "../limits.ts";
import { MEMORY } from "../memory-limits.ts";
import { RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import type { Incoming } from "./delivery.ts";

/** Packet Identifiers of one page, as a power of two. */
const PAGE_BITS = 8;
const PAGE_SIZE = 1 << PAGE_BITS;

const PAGE_VERSION = 1;

export interface ReceivedExchange {
  readonly packetId: number;
  readonly sequence: number;
  /** Every Session object concerned has it. */
  readonly settled: boolean;
  /** The Session object that gave it its sequence; undefined: the one that holds the session. */
  readonly begunAt: string | undefined;
}

function incomingBytes(): number {
  return MEMORY.incomingBytes;
}

export class ReceivedExchanges extends CountedMap<number, Incoming> {
  /** They stand in pages; until none is left. */
  paged = false;
  /** Pages that differ from what is stored. */
  #changed: Set<number> | undefined;

  constructor(ledger: Ledger) {
    super(ledger, "exchanges", incomingBytes);
  }

  override set(packetId: number, exchange: Incoming): this {
    this.touch(packetId);
    return super.set(packetId, exchange);
  }

  override delete(packetId: number): boolean {
    this.touch(packetId);
    return super.delete(packetId);
  }

  override clear(): void {
    for (const packetId of this.keys()) this.touch(packetId);
    super.clear();
  }

  /** An exchange is not what it was. */
  touch(packetId: number): void {
    this.#changed ??= new Set();
    this.#changed.add(packetId >> PAGE_BITS);
  }

  /** After a start: what is stored is what is here. */
  restored(paged: boolean): void {
    this.paged = paged;
    this.#changed = undefined;
  }

  /**
   * What is to be written before the session's row says that it is `paged`, or that it is no longer.
   * @returns pages and their exchanges, none for one that is to be deleted
   */
  takePages(): readonly (readonly [page: number, exchanges: readonly Incoming[]])[] {
    if (!this.paged && this.size > RECEIVED_INLINE_MAX) {
      this.paged = true;
      for (const packetId of this.keys()) this.touch(packetId);
    }
    const pages = this.paged ? [...(this.#changed ?? [])].map((page) => [page, this.#ofPage(page)] as const) : NO_PAGES;
    this.#changed = undefined;
    if (this.size === 0) this.paged = false;
    return pages;
  }

  #ofPage(page: number): Incoming[] {
    const exchanges: Incoming[] = [];
    for (let packetId = page << PAGE_BITS; packetId < (page << PAGE_BITS) + PAGE_SIZE; packetId += 1) {
      const exchange = this.get(packetId);
      if (exchange !== undefined) exchanges.push(exchange);
    }
    return exchanges;
  }
}

const NO_PAGES: readonly (readonly [number, readonly Incoming[]])[] = [];

/** Names of objects are written once, however many exchanges began there. */
export function writeReceived(writer: RecordWriter, exchanges: readonly Incoming[]): void {
  const names = new Map<string, number>();
  for (const { begunAt } of exchanges) if (begunAt !== undefined && !names.has(begunAt)) names.set(begunAt, names.size + 1);
  writer.integer(names.size);
  for (const name of names.keys()) writer.string(name);
  writer.integer(exchanges.length);
  for (const { packetId, sequence, reasonCode, begunAt } of exchanges) {
    writer.integer(packetId);
    writer.integer(sequence);
    writer.byte(reasonCode === undefined ? 0 : 1);
    writer.integer(begunAt === undefined ? 0 : names.get(begunAt)!);
  }
}

/** @throws RecordError when the bytes end too early or name an object that is not there */
export function readReceived(reader: RecordReader): ReceivedExchange[] {
  const names = reader.list(() => reader.string());
  return reader.list(() => {
    const packetId = reader.integer();
    const sequence = reader.integer();
    const settled = reader.byte() === 1;
    const name = reader.integer();
    if (name > names.length) throw new RecordError(`the name ${name} of ${names.length}`);
    return { packetId, sequence, settled, begunAt: name === 0 ? undefined : names[name - 1] };
  });
}

/** The exchanges of an ExchangeRow. */
export function encodePage(exchanges: readonly Incoming[]): Uint8Array {
  const writer = new RecordWriter(16 * exchanges.length + 16);
  writer.byte(PAGE_VERSION);
  writeReceived(writer, exchanges);
  return writer.finish();
}

/** @throws RecordError when the bytes are of another version or damaged */
export function decodePage(bytes: Uint8Array): ReceivedExchange[] {
  const reader = new RecordReader(bytes);
  const version = reader.byte();
  if (version !== PAGE_VERSION) throw new RecordError(`a page of version ${version}, where ${PAGE_VERSION} was expected`);
  const exchanges = readReceived(reader);
  reader.end();
  return exchanges;
}
