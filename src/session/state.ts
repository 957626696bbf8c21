/**
 * What a session and a will are as bytes, in rows; what is said of a session stands in socket attachments as well (`attachment.ts`).
 * Versioned: whoever opens bytes of another version gets a RecordError and goes on without them.
 */

import { PACKET_ID_MAX } from "../limits.ts";
import type { QoS, SubscriptionRequest } from "../mqtt/packet.ts";
import { decodeProperties, encodeProperties, WILL } from "../mqtt/property.ts";
import { RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import { checkNumber } from "../topic/stored-message.ts";
import { qosIn } from "./chunk.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import type { RetainedCursor } from "./owed-cursors.ts";
import type { PendingWill } from "./pending-will.ts";
import { type Identity, NOBODY } from "./ports.ts";
import { type ReceivedExchange, readReceived, writeReceived } from "./received.ts";
import type { FormerOwner, Parted, Session } from "./session.ts";

/**
 * Version 2 says of incoming exchanges where they began, and what a session that moved had before: a session of version 1 never moved.
 * Version 3 says which retained messages are owed. Version 4 has Topic Aliases with the connection, which they belong to, and may have
 * incoming exchanges elsewhere. Version 5 says all of an identity, in wills as well; those were the same in the three versions before.
 */
export const STATE_VERSION = 5;
const STATE_VERSIONS_READ: readonly number[] = [1, 2, 3, 4, 5];

const FLAG_RESENDING = 4;

const FLAG_OFFERED = 1;
const FLAG_RETIRED = 2;
/** Older code can't read what follows, and says so of the row. */
const FLAG_PARTED = 4;
/** The same holds of this. */
const FLAG_WITHOUT_OWN = 8;

/** A delivery that was sent and is not yet acknowledged. */
export interface SentDelivery {
  readonly packetId: number;
  readonly qos: 1 | 2;
  /** The log record, 0 for a session that is not stored. */
  readonly recordSequence: number;
  /** It was sent on an earlier connection and still has to be sent again on this one. */
  readonly resending: boolean;
}

export interface StoredSubscription {
  readonly request: SubscriptionRequest;
  readonly identifier: number;
}

/** A `RetainedCursor` as it is stored. */
export type OwedRetained = Omit<RetainedCursor, "withoutOwn" | "asked" | "promised" | "superseded" | "storedFrom">;

export interface SessionState {
  readonly expirySeconds: number;
  /** Milliseconds since the epoch; 0 = a client is connected. */
  readonly expiresAt: number;
  readonly identity: Identity;
  readonly nextPacketId: number;
  readonly handledThrough: number;
  readonly sent: readonly SentDelivery[];
  readonly released: readonly number[];
  readonly received: readonly ReceivedExchange[];
  readonly had: readonly OpenExchanges[];
  readonly lacks: readonly OpenExchanges[];
  readonly cameFrom: readonly FormerOwner[];
  readonly offered: boolean;
  readonly retired: boolean;
  readonly owed: readonly OwedRetained[];
  /** Which cursors are without the client's own messages, those in rows of their own as well. */
  readonly withoutOwn: readonly number[];
  readonly parted: Parted | undefined;
  /** `received` is in rows of its own. */
  readonly paged: boolean;
  /** The client's Topic Aliases; from version 4 on they are with its connection. */
  readonly aliases: readonly (readonly [alias: number, topic: string])[];
}

/** @returns the version */
export function readHeader(reader: RecordReader, what: string): number {
  const version = reader.byte();
  if (!STATE_VERSIONS_READ.includes(version)) {
    throw new RecordError(`${what} of version ${version}, where ${STATE_VERSIONS_READ.join(", ")} was expected`);
  }
  return version;
}

/** @throws RecordError when a number that was read can't be: the bytes are damaged */
export function checkRange(value: number, least: number, most: number, what: string): void {
  if (!(value >= least && value <= most)) throw new RecordError(`${what} is ${value}, where ${least} to ${most} were expected`);
}

/** Infinity (never) is written as 1, which no clock shows. */
function writeTime(writer: RecordWriter, time: number): void {
  writer.integer(time === Number.POSITIVE_INFINITY ? 1 : Math.floor(time));
}

function readTime(reader: RecordReader): number {
  const time = reader.integer();
  return time === 1 ? Number.POSITIVE_INFINITY : time;
}

function writeIdentity(writer: RecordWriter, { userName, address, grants, expiresAt }: Identity): void {
  writer.optionalString(userName);
  writer.string(address);
  writer.string(grants);
  writeTime(writer, expiresAt);
}

/** Before version 5 there was nothing but the user name. */
function readIdentity(reader: RecordReader, version: number): Identity {
  const userName = reader.optionalString();
  if (version < 5) return { ...NOBODY, userName };
  return { userName, address: reader.string(), grants: reader.string(), expiresAt: readTime(reader) };
}

/** How many deliveries were sent: they stand before those that were not, and those in memory before those in rows. */
function countSent({ deliveries, backlog }: Session): number {
  let count = 0;
  for (const { sent } of deliveries.values()) {
    if (!sent) return count;
    count += 1;
  }
  for (const { sent } of backlog) {
    if (!sent) return count;
    count += 1;
  }
  return count;
}

/** Twice through all costs less than a list of them: it is done for each connection that was sent something, in every tick. */
function writeSent(writer: RecordWriter, session: Session): void {
  const { deliveries, backlog, resending } = session;
  const again = resending.length > 0 ? new Set(resending) : undefined;
  let left = countSent(session);
  writer.integer(left);
  for (const delivery of deliveries.values()) {
    if (left === 0) return;
    left -= 1;
    writer.integer(delivery.packetId);
    writer.byte(delivery.qos | (again?.has(delivery) ? FLAG_RESENDING : 0));
    writer.integer(delivery.sequence);
  }
  for (const { packetId, flags, sequence } of backlog) {
    if (left === 0) return;
    left -= 1;
    writer.integer(packetId);
    writer.byte(qosIn(flags) | FLAG_RESENDING);
    writer.integer(sequence);
  }
}

/** @param whole with the exchanges that are in rows of their own */
export function writeSession(writer: RecordWriter, session: Session, whole: boolean): void {
  writer.integer(session.expirySeconds);
  writeTime(writer, session.expiresAt);
  writeIdentity(writer, session.identity);
  writer.integer(session.nextPacketId);
  writer.integer(session.handledThrough);
  writeSent(writer, session);
  writer.integer(session.released.size);
  for (const packetId of session.released) writer.integer(packetId);
  const paged = session.received.paged && !whole;
  writer.byte(paged ? 1 : 0);
  writeReceived(writer, paged ? [] : [...session.received.values()]);
  writeExchanges(writer, session.had.toList());
  writeExchanges(writer, session.lacks.toList());
  writer.integer(session.cameFrom.length);
  for (const { object, through } of session.cameFrom) {
    writer.string(object);
    writer.integer(through);
  }
  const { parted } = session;
  // What a SUBSCRIBE would be owed that is not granted yet belongs to no subscription that is on record: another one may stand there.
  const promised = (): RetainedCursor[] => [...session.owed].filter((cursor) => cursor.promised);
  const owed = session.owedApart && !whole ? [] : promised();
  const withoutOwn = session.owed.isAnyWithoutOwn ? promised().filter((cursor) => cursor.withoutOwn) : [];
  const elsewhere = (session.offered ? FLAG_OFFERED : 0) | (session.retired ? FLAG_RETIRED : 0);
  writer.byte(elsewhere | (parted === undefined ? 0 : FLAG_PARTED) | (withoutOwn.length === 0 ? 0 : FLAG_WITHOUT_OWN));
  writer.integer(owed.length);
  for (const { filter, id, place, from } of owed) {
    writer.string(filter);
    writer.integer(id);
    writer.string(place);
    writer.string(from);
  }
  if (parted !== undefined) writeParted(writer, parted);
  if (withoutOwn.length === 0) return;
  writer.integer(withoutOwn.length);
  for (const { id } of withoutOwn) writer.integer(id);
}

/** No Reason Code is written as 0, and others as one more than they are. */
function writeParted(writer: RecordWriter, { at, reasonCode, reason }: Parted): void {
  writer.integer(Math.floor(at));
  writer.integer(reasonCode === undefined ? 0 : reasonCode + 1);
  writer.string(reason);
}

function readParted(reader: RecordReader): Parted {
  const [at, code] = [reader.integer(), reader.integer()];
  checkRange(code, 0, 256, "a Reason Code");
  return { at, reasonCode: code === 0 ? undefined : code - 1, reason: reader.string() };
}

export function readSession(reader: RecordReader, version: number): SessionState {
  const expirySeconds = reader.integer();
  const expiresAt = readTime(reader);
  const identity = readIdentity(reader, version);
  const nextPacketId = reader.integer();
  const handledThrough = reader.integer();
  checkNumber(handledThrough);
  const sent = reader.list(() => {
    const packetId = reader.integer();
    const byte = reader.byte();
    checkRange(packetId, 1, PACKET_ID_MAX, "a Packet Identifier");
    checkRange(byte & 3, 1, 2, "a QoS");
    return { packetId, qos: (byte & 3) as 1 | 2, recordSequence: reader.integer(), resending: (byte & FLAG_RESENDING) !== 0 };
  });
  const released = reader.list(() => reader.integer());
  const paged = version > 3 && reader.byte() === 1;
  const received = version > 3 ? readReceived(reader) : reader.list(() => readExchange(reader, version));
  const had = version === 1 ? [] : readExchanges(reader);
  const lacks = version === 1 ? [] : readExchanges(reader);
  const cameFrom = version === 1 ? [] : reader.list(() => ({ object: reader.string(), through: reader.integer() }));
  const elsewhere = version > 1 ? reader.byte() : 0;
  const owed = version < 3 ? [] : reader.list(() => readOwed(reader));
  const aliases = version > 3 ? [] : readAliases(reader);
  const parted = (elsewhere & FLAG_PARTED) === 0 ? undefined : readParted(reader);
  const withoutOwn = (elsewhere & FLAG_WITHOUT_OWN) === 0 ? [] : reader.list(() => reader.integer());
  return {
    expirySeconds,
    expiresAt,
    identity,
    nextPacketId,
    handledThrough,
    sent,
    released,
    received,
    had,
    lacks,
    cameFrom,
    offered: (elsewhere & FLAG_OFFERED) !== 0,
    retired: (elsewhere & FLAG_RETIRED) !== 0,
    owed,
    withoutOwn,
    parted,
    paged,
    aliases,
  };
}

function readOwed(reader: RecordReader): OwedRetained {
  const filter = reader.string();
  const id = reader.integer();
  checkNumber(id);
  return { filter, id, place: reader.string(), from: reader.string() };
}

/** Before version 4. */
function readExchange(reader: RecordReader, version: number): ReceivedExchange {
  return {
    packetId: reader.integer(),
    sequence: reader.integer(),
    settled: reader.byte() === 1,
    begunAt: version === 1 ? undefined : reader.optionalString(),
  };
}

export function readAliases(reader: RecordReader): (readonly [alias: number, topic: string])[] {
  return reader.list(() => [reader.integer(), reader.string()] as const);
}

function writeExchanges(writer: RecordWriter, all: readonly OpenExchanges[]): void {
  writer.integer(all.length);
  for (const { object, sequences } of all) {
    writer.string(object);
    writer.integer(sequences.length);
    for (const sequence of sequences) writer.integer(sequence);
  }
}

function readExchanges(reader: RecordReader): OpenExchanges[] {
  return reader.list(() => ({ object: reader.string(), sequences: reader.list(() => reader.integer()) }));
}

/** What a SessionRow says. */
export interface StoredState extends SessionState {
  /** The last number that the object had given when it wrote the row. */
  readonly lastNumber: number;
}

/**
 * The state of a SessionRow.
 * @param whole with the exchanges that are in rows of their own: for another object
 */
export function encodeSessionState(session: Session, lastNumber: number, whole = false): Uint8Array {
  const writer = new RecordWriter(128);
  writer.byte(STATE_VERSION);
  writer.integer(lastNumber);
  writeSession(writer, session, whole);
  return writer.finish();
}

/** @throws RecordError when the bytes are of another version or end too early */
export function decodeSessionState(bytes: Uint8Array): StoredState {
  const reader = new RecordReader(bytes);
  const version = readHeader(reader, "a session");
  const lastNumber = reader.integer();
  checkNumber(lastNumber);
  const session = readSession(reader, version);
  reader.end();
  return { ...session, lastNumber };
}

/** The options byte of SUBSCRIBE (3.8.3.1). */
export function subscriptionOptions(request: SubscriptionRequest): number {
  return request.qos | (request.noLocal ? 0x04 : 0) | (request.retainAsPublished ? 0x08 : 0) | (request.retainHandling << 4);
}

export function subscriptionRequest(filter: string, options: number): SubscriptionRequest {
  return {
    filter,
    qos: (options & 0x03) as QoS,
    noLocal: (options & 0x04) !== 0,
    retainAsPublished: (options & 0x08) !== 0,
    retainHandling: ((options >> 4) & 0x03) as 0 | 1 | 2,
  };
}

/** @throws RecordError when no SUBSCRIBE has such options */
export function storedRequest(filter: string, options: number): SubscriptionRequest {
  checkRange(options & 0x03, 0, 2, "a QoS");
  checkRange(options, 0, 0x2f, "the options of a subscription");
  return subscriptionRequest(filter, options);
}

const FLAG_WILL_RETAIN = 4;
/** Older code neither wrote nor looked at it: to it the will only waits. */
const FLAG_WILL_IN_GRACE = 8;

/** The will of a WillRow. @param identity whose it is */
export function encodeWill({ will, dueAt, inGrace }: PendingWill, identity: Identity): Uint8Array {
  const writer = new RecordWriter(will.payload.length + 256);
  writer.byte(STATE_VERSION);
  writeTime(writer, dueAt);
  writer.byte(will.qos | (will.retain ? FLAG_WILL_RETAIN : 0) | (inGrace ? FLAG_WILL_IN_GRACE : 0));
  writer.string(will.topic);
  writer.bytes(will.payload);
  writer.bytes(encodeProperties(will.properties, WILL));
  writeIdentity(writer, identity);
  return writer.finish();
}

export interface StoredWill extends PendingWill {
  /** Whose it is; undefined before version 5. */
  readonly identity: Identity | undefined;
}

/** @throws RecordError when the bytes are of another version, end too early or hold properties that a will can't have */
export function decodeWill(bytes: Uint8Array): StoredWill {
  const reader = new RecordReader(bytes);
  const version = readHeader(reader, "a will");
  const dueAt = readTime(reader);
  const flags = reader.byte();
  const topic = reader.string();
  const payload = reader.bytes();
  const properties = decodeProperties(reader.bytes(), WILL);
  const identity = version < 5 ? undefined : readIdentity(reader, version);
  reader.end();
  checkRange(flags & 3, 0, 2, "a QoS");
  if ("type" in properties) throw new RecordError(`a will whose properties can't be read: ${properties.message}`);
  const will = { qos: (flags & 3) as QoS, retain: (flags & FLAG_WILL_RETAIN) !== 0, topic, payload, properties };
  return { dueAt, inGrace: (flags & FLAG_WILL_IN_GRACE) !== 0, will, identity };
}
