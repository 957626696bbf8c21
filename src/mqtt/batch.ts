/**
 * What travels between a Session object and a Topic object: a batch is one Uint8Array of records, its answer another. Versions mix
 * while the platform rolls out a deploy, so each begins with one; a record of an unknown kind is an error of its batch, which the
 * sender tries again until both sides speak alike.
 *
 * To a Topic object: PUBLISH (a message), OWNED (one to be retained, with the user whom it counts for), SUBSCRIBE (an interest), UNSUBSCRIBE, ASK (for retained messages that a subscription is owed),
 * SHARE (the members in a shared subscription), REDISTRIBUTE (a message for another member), BARRIER (settled once all
 * that now waits for a Session object has arrived there), AWAITED (the first record of a batch whose sender awaits outcomes of earlier
 * ones), CAUGHT_UP (slow clients are ready for the next message), AGAIN (all this was sent before). Its answer is in `exchange-answer.ts`.
 * To a Session object: LIVE (a message), SHARED (a message for members of shared subscriptions, and perhaps for everyone), PAGE (retained
 * messages that were asked for), BARRIER (nothing), WATCH (it is to tell who is there under a filter). Its answer is in `delivery-answer.ts`.
 * To both: RECEIPT (somebody wants to know who takes the message of the record behind it), EVENTS (which events of the broker its sender tells, or
 * knows somebody to want; where there are none it is not said).
 */

import { firstNumber } from "./batch-number.ts";
import { type Message, readMessage, writeMessage } from "./message.ts";
import type { QoS } from "./packet.ts";
import { type ReceiptOfRecord, readReceipt, writeReceipt } from "./receipt.ts";
import { RecordError, RecordReader, RecordWriter } from "./record.ts";
import { ANY_QUEUE, AT_ONCE, IF_GIVEN, KEEPS_UP, SHORT_QUEUE, type ShareDemand, type ShareTarget } from "./share-target.ts";

/**
 * Version 2 has the shape that its sender knows; with version 3 retained messages are asked for, members of shared subscriptions may
 * decline a message, and slow clients hold up its publisher.
 */
const BATCH_VERSION = 3;

export const RECORD_PUBLISH = 1;
export const RECORD_SUBSCRIBE = 2;
export const RECORD_UNSUBSCRIBE = 3;
export const RECORD_LIVE = 4;
export const RECORD_SHARE = 6;
export const RECORD_REDISTRIBUTE = 7;
export const RECORD_SHARED = 8;
export const RECORD_BARRIER = 9;
export const RECORD_AWAITED = 10;
export const RECORD_ASK = 11;
export const RECORD_PAGE = 12;
export const RECORD_CAUGHT_UP = 13;
/** A PUBLISH that says whose it is; it is read as RECORD_PUBLISH. */
const RECORD_OWNED = 14;
/** Says of the batch that an earlier life of its receiver may have handled what is in it; it is no record of its own to who reads it. */
const RECORD_AGAIN = 15;
/** Says of the record behind it that its message has a receipt. */
const RECORD_RECEIPT = 16;

/** Says of the sender of the batch which events it tells or knows somebody to want. */
const RECORD_EVENTS = 17;

export const RECORD_WATCH = 18;

/** A subscription is owed retained messages and can take some now. */
export interface RetainedAsk {
  readonly clientId: string;
  readonly filter: string;
  /** Names what is owed: the page that answers says the same. */
  readonly id: number;
  /** The topic from which on they are owed. */
  readonly from: string;
}

/** Some retained messages that were asked for, in the order of their topics. */
export interface RetainedPage {
  readonly clientId: string;
  readonly id: number;
  /** As it was asked for. */
  readonly from: string;
  /** The topic from which on more may be owed; undefined when this is all. */
  readonly next: string | undefined;
  readonly messages: readonly Message[];
}

export type BatchRecord =
  | {
      readonly kind: typeof RECORD_PUBLISH;
      readonly message: Message;
      /** The user whom it counts for while it is retained (`userNumber`); missing: nobody. */
      readonly owner?: number;
    }
  | { readonly kind: typeof RECORD_LIVE; readonly message: Message }
  | {
      readonly kind: typeof RECORD_SUBSCRIBE;
      readonly filter: string;
      readonly qos: QoS;
      readonly version: number;
      /** It is to be in a row before it is answered; one that is not may be forgotten, and is told again. */
      readonly lasting: boolean;
    }
  | {
      readonly kind: typeof RECORD_SHARE;
      readonly filter: string;
      readonly members: number;
      readonly online: number;
      readonly version: number;
    }
  | { readonly kind: typeof RECORD_REDISTRIBUTE; readonly message: Message; readonly filter: string }
  | {
      readonly kind: typeof RECORD_SHARED;
      readonly message: Message;
      readonly live: boolean;
      readonly shares: readonly ShareTarget[];
    }
  | {
      readonly kind: typeof RECORD_CAUGHT_UP;
      /** The number of a batch that its receiver sent. */
      readonly batch: number;
      /** One of those in it that were answered as slow. */
      readonly record: number;
    }
  | { readonly kind: typeof RECORD_BARRIER; readonly sessionObject: string }
  | {
      readonly kind: typeof RECORD_AWAITED;
      /** The life of the receiver that left outcomes pending. */
      readonly life: string;
      /** The numbers of all batches of which something is pending, or none when nothing is asked for. */
      readonly batches: readonly number[];
    }
  | { readonly kind: typeof RECORD_UNSUBSCRIBE; readonly filter: string; readonly version: number }
  | { readonly kind: typeof RECORD_WATCH; readonly filter: string }
  | ({ readonly kind: typeof RECORD_ASK } & RetainedAsk)
  | ({ readonly kind: typeof RECORD_PAGE } & RetainedPage);

/** The client that a record is for or from, as far as it says so. */
export function clientOf(record: BatchRecord): string | undefined {
  if (record.kind === RECORD_ASK || record.kind === RECORD_PAGE) return record.clientId;
  return "message" in record ? record.message.publisher : undefined;
}

/** @throws RecordError when there is no such demand */
function demandOf(number: number): ShareDemand {
  if (number === ANY_QUEUE || number === AT_ONCE || number === SHORT_QUEUE || number === KEEPS_UP || number === IF_GIVEN) return number;
  throw new RecordError(`a demand of ${number} for the members of a shared subscription`);
}

/** Gathers records into a batch. */
export class BatchWriter {
  readonly #writer = new RecordWriter(1024);
  readonly #sender: string;
  readonly #epoch: number;
  readonly #shape: number;
  #number: number;

  /**
   * @param sender the name of the object that sends it
   * @param epoch of the sender's life: greater than those of its earlier ones
   * @param shape what the sender knows of the shape (`shapeNumber`)
   * @param salt of the life, any whole number: another one than that of a life that began in the same millisecond (`batch-number.ts`)
   */
  constructor(sender: string, epoch: number, shape: number, salt: number) {
    this.#number = firstNumber(salt);
    this.#sender = sender;
    this.#epoch = epoch;
    this.#shape = shape;
    this.begin();
  }

  /** Starts the next batch. */
  begin(): void {
    this.#writer.clear();
    this.#writer.byte(BATCH_VERSION);
    this.#writer.string(this.#sender);
    this.#writer.integer(this.#epoch);
    this.#writer.integer(this.#shape);
    this.#number += 1;
    this.#writer.integer(this.#number);
  }

  /** An earlier life of the receiver may have handled some of it. */
  again(): void {
    this.#writer.byte(RECORD_AGAIN);
  }

  /** @param events (`topic/events.ts`) that the sender tells, or knows somebody to want; 0 is not said */
  events(events: number): void {
    if (events === 0) return;
    this.#writer.byte(RECORD_EVENTS);
    this.#writer.integer(events);
  }

  get length(): number {
    return this.#writer.length;
  }

  /** The number of the batch that was begun last. */
  get number(): number {
    return this.#number;
  }

  add(record: BatchRecord): void {
    const writer = this.#writer;
    // One that goes to another member of a shared subscription later on is followed no further.
    if ("message" in record && record.message.receipt !== undefined && record.kind !== RECORD_REDISTRIBUTE) {
      writer.byte(RECORD_RECEIPT);
      writeReceipt(writer, record.message.receipt);
    }
    if (record.kind === RECORD_PUBLISH && record.owner !== undefined) {
      writer.byte(RECORD_OWNED);
      writeMessage(writer, record.message);
      writer.integer(record.owner);
      return;
    }
    writer.byte(record.kind);
    switch (record.kind) {
      case RECORD_PUBLISH:
      case RECORD_LIVE:
        writeMessage(writer, record.message);
        return;
      case RECORD_ASK:
        writer.string(record.clientId);
        writer.string(record.filter);
        writer.integer(record.id);
        writer.string(record.from);
        return;
      case RECORD_PAGE:
        writePage(writer, record);
        return;
      case RECORD_SUBSCRIBE:
        writer.string(record.filter);
        writer.byte(record.qos | (record.lasting ? 0 : 8));
        writer.integer(record.version);
        return;
      case RECORD_BARRIER:
        writer.string(record.sessionObject);
        return;
      case RECORD_AWAITED:
        writer.string(record.life);
        writer.integer(record.batches.length);
        for (const batch of record.batches) writer.integer(batch);
        return;
      case RECORD_SHARE:
        writer.string(record.filter);
        writer.integer(record.members);
        writer.integer(record.online);
        writer.integer(record.version);
        return;
      case RECORD_REDISTRIBUTE:
        writeMessage(writer, record.message);
        writer.string(record.filter);
        return;
      case RECORD_SHARED:
        writeMessage(writer, record.message);
        writer.byte(record.live ? 1 : 0);
        writer.integer(record.shares.length);
        for (const { filter, key, demand } of record.shares) {
          writer.string(filter);
          writer.integer(key);
          writer.byte(demand);
        }
        return;
      case RECORD_CAUGHT_UP:
        writer.integer(record.batch);
        writer.integer(record.record);
        return;
      case RECORD_WATCH:
        writer.string(record.filter);
        return;
      default:
        writer.string(record.filter);
        writer.integer(record.version);
    }
  }

  finish(): Uint8Array {
    return this.#writer.finish();
  }
}

export interface Batch {
  readonly sender: string;
  readonly epoch: number;
  /** What its sender knows of the shape (`shapeNumber`). */
  readonly shape: number;
  /** Counts the batches of its writer from the first one of its life on (`batch-number.ts`): one that is sent again has the same. */
  readonly number: number;
  readonly records: readonly BatchRecord[];
  /** An earlier life of its receiver may have handled some of it. */
  readonly again: boolean;
  /** The events that its sender tells, or knows somebody to want. */
  readonly events: number;
  /** Those of the messages in it. */
  readonly receipts: readonly ReceiptOfRecord[];
}

/** Of most batches. */
const NO_RECEIPTS: readonly ReceiptOfRecord[] = [];

/** The batch as it is sent when its call has failed. */
export function sentAgain(batch: Uint8Array): Uint8Array {
  const again = new Uint8Array(batch.length + 1);
  again.set(batch);
  again[batch.length] = RECORD_AGAIN;
  return again;
}

/** @throws RecordError when the bytes are of another version or end too early */
export function decodeBatch(bytes: Uint8Array): Batch {
  const reader = new RecordReader(bytes);
  const version = reader.byte();
  if (version !== BATCH_VERSION) throw new RecordError(`a batch of version ${version}, where ${BATCH_VERSION} was expected`);
  const sender = reader.string();
  const epoch = reader.integer();
  const shape = reader.integer();
  const number = reader.integer();
  const records: BatchRecord[] = [];
  let again = false;
  let events = 0;
  let some: ReceiptOfRecord[] | undefined;
  while (reader.more) {
    const kind = reader.byte();
    if (kind === RECORD_AGAIN) again = true;
    else if (kind === RECORD_EVENTS) events = reader.integer();
    else if (kind === RECORD_RECEIPT) {
      some ??= [];
      some.push({ record: records.length, receipt: readReceipt(reader) });
    } else records.push(decodeRecord(kind, reader));
  }
  const receipts = some ?? NO_RECEIPTS;
  for (const { record, receipt } of receipts) {
    const of = records[record];
    if (of === undefined || !("message" in of)) throw new RecordError("a receipt of no message");
    of.message.receipt = receipt;
  }
  return { sender, epoch, shape, number, records, again, events, receipts };
}

function decodeRecord(kind: number, reader: RecordReader): BatchRecord {
  switch (kind) {
    case RECORD_PUBLISH:
    case RECORD_LIVE:
      return { kind, message: readMessage(reader) };
    case RECORD_OWNED:
      return { kind: RECORD_PUBLISH, message: readMessage(reader), owner: reader.integer() };
    case RECORD_ASK:
      return { kind, clientId: reader.string(), filter: reader.string(), id: reader.integer(), from: reader.string() };
    case RECORD_PAGE:
      return { kind, ...readPage(reader) };
    case RECORD_SUBSCRIBE: {
      const filter = reader.string();
      const flags = reader.byte();
      return { kind, filter, qos: (flags & 3) as QoS, version: reader.integer(), lasting: (flags & 8) === 0 };
    }
    case RECORD_SHARE:
      return { kind, filter: reader.string(), members: reader.integer(), online: reader.integer(), version: reader.integer() };
    case RECORD_REDISTRIBUTE:
      return { kind, message: readMessage(reader), filter: reader.string() };
    case RECORD_SHARED: {
      const message = readMessage(reader);
      const live = reader.byte() === 1;
      const shares: ShareTarget[] = [];
      for (let count = reader.integer(); count > 0; count -= 1) {
        shares.push({ filter: reader.string(), key: reader.integer(), demand: demandOf(reader.byte()) });
      }
      return { kind, message, live, shares };
    }
    case RECORD_CAUGHT_UP:
      return { kind, batch: reader.integer(), record: reader.integer() };
    case RECORD_BARRIER:
      return { kind, sessionObject: reader.string() };
    case RECORD_AWAITED:
      return { kind, life: reader.string(), batches: reader.list(() => reader.integer()) };
    case RECORD_UNSUBSCRIBE:
      return { kind, filter: reader.string(), version: reader.integer() };
    case RECORD_WATCH:
      return { kind, filter: reader.string() };
    default:
      throw new RecordError(`a record of kind ${kind}, which this version does not know`);
  }
}

function writePage(writer: RecordWriter, { clientId, id, from, next, messages }: RetainedPage): void {
  writer.string(clientId);
  writer.integer(id);
  writer.string(from);
  writer.optionalString(next);
  writer.integer(messages.length);
  for (const message of messages) writeMessage(writer, message);
}

function readPage(reader: RecordReader): RetainedPage {
  const clientId = reader.string();
  const id = reader.integer();
  const from = reader.string();
  const next = reader.optionalString();
  return { clientId, id, from, next, messages: reader.list(() => readMessage(reader)) };
}
