/**
 * An Application Message on its way through the broker: what a PUBLISH or a Will Message became, without the things of one Network
 * Connection (Packet Identifier, DUP, Topic Alias). Topic, properties and payload stay the bytes they came as and are copied once
 * for each packet that leaves. Messages never change.
 */

import { KEPT_BYTES_BESIDE_MAX, KEPT_FACTOR_MAX } from "../memory-limits.ts";
import { utf8Encode, utf8Length, variableByteIntegerLength, writeVariableByteInteger } from "./bytes.ts";
import { type Properties, type ProtocolVersion, PUBLISH, type Publish, type QoS, type Will } from "./packet.ts";
import { encodeProperties } from "./property.ts";
import type { Receipt } from "./receipt.ts";
import { NO_BYTES, RecordError, type RecordReader, type RecordWriter, textOf } from "./record.ts";

export class Message {
  readonly topic: string;
  readonly qos: QoS;
  /** As published. */
  readonly retain: boolean;
  readonly payload: Uint8Array;
  /** The properties that are forwarded unaltered, as bytes [MQTT5-3.3.2-4] [MQTT5-3.3.2-15..18] [MQTT5-3.3.2-20]. */
  readonly propertyBytes: Uint8Array;
  /** How many keep it in memory for later: what is kept is counted once. */
  holders = 0;
  /** Where whoever gives it to sessions counts them; undefined where nobody wants to know, and in all that was read from rows. */
  receipt: Receipt | undefined = undefined;
  /** Milliseconds since the epoch after which nobody gets it any more; 0 = never. */
  readonly expiresAt: number;
  /** The Client Identifier of the publisher, for No Local. */
  readonly publisher: string;
  /** The Session object where it entered the broker, and its number there: together they name it wherever it goes. */
  readonly origin: string;
  readonly sequence: number;
  /**
   * Its publisher sent it again after the object where it entered had lost its memory, so that it may be known under its number; or it comes behind
   * others of its object with greater numbers. That those have come says nothing of it.
   */
  readonly repeated: boolean;
  /**
   * 0 unless its publisher may send it again like that. Else: every such message of the same object with a smaller sequence is settled
   * and will not be repeated any more.
   */
  readonly settledBelow: number;
  /** Under which name its publisher may send it again, where another object has given it a name of its own meanwhile. */
  readonly formerly: MessageName | undefined;
  #topicBytes: Uint8Array | undefined;
  /** The record that it was read from, which it is written as again. */
  #record: Uint8Array | undefined;

  /** @param record what `writeMessage` made of the same fields */
  constructor(fields: MessageFields, record?: Uint8Array) {
    this.#record = record;
    this.topic = fields.topic;
    this.qos = fields.qos;
    this.retain = fields.retain;
    this.payload = fields.payload;
    this.propertyBytes = fields.propertyBytes;
    this.expiresAt = fields.expiresAt;
    this.publisher = fields.publisher;
    this.origin = fields.origin;
    this.sequence = fields.sequence;
    this.repeated = fields.repeated;
    this.settledBelow = fields.settledBelow;
    this.formerly = fields.formerly;
    this.#topicBytes = fields.topicBytes;
  }

  /** The topic as UTF-8, without its length. */
  get topicBytes(): Uint8Array {
    this.#topicBytes ??= utf8Encode(this.topic);
    return this.#topicBytes;
  }

  get record(): Uint8Array | undefined {
    return this.#record;
  }

  /** What the message holds in memory and in a queue, bytes. */
  get size(): number {
    return this.topicBytes.length + this.propertyBytes.length + this.payload.length;
  }

  /**
   * The message is kept for longer: where it is a view of something far larger (a frame or batch with many others, a buffer that packets
   * are cut from), it gets bytes of its own, so that what stays in memory is what is counted.
   */
  keep(): void {
    const { payload, propertyBytes } = this;
    const most = KEPT_FACTOR_MAX * this.size + KEPT_BYTES_BESIDE_MAX;
    if (payload.buffer.byteLength <= most && propertyBytes.buffer.byteLength <= most) return;
    // What it was read from holds all of it; it is written as that again.
    const record = this.#record?.slice();
    const from = this.#record?.byteOffset ?? 0;
    const copyOf = (bytes: Uint8Array): Uint8Array => {
      // A view of nothing keeps what it is a view of as well.
      if (bytes.length === 0) return NO_BYTES;
      const at = bytes.byteOffset - from;
      return record === undefined ? bytes.slice() : record.subarray(at, at + bytes.length);
    };
    Object.assign(this, { payload: copyOf(payload), propertyBytes: copyOf(propertyBytes) });
    if (record !== undefined) this.#topicBytes = copyOf(this.topicBytes);
    this.#record = record;
  }
}

export interface MessageFields {
  readonly topic: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly payload: Uint8Array;
  readonly propertyBytes: Uint8Array;
  readonly expiresAt: number;
  readonly publisher: string;
  readonly origin: string;
  readonly sequence: number;
  readonly repeated: boolean;
  readonly settledBelow: number;
  readonly formerly?: MessageName | undefined;
  readonly topicBytes?: Uint8Array;
}

/** Where a message entered the broker, and its number there. */
export type MessageName = Pick<MessageFields, "origin" | "sequence">;

/** Where a message entered the broker. */
export type Origin = Pick<MessageFields, "publisher" | "origin" | "sequence" | "repeated" | "settledBelow">;

/** An origin without its incarnation: the object. */
export function objectOf(origin: string): string {
  const at = origin.lastIndexOf("@");
  return at < 0 ? origin : origin.slice(0, at);
}

/** The message under another name, by which it may go where it was before; its publisher may repeat it by the first one. */
export function renamed(message: Message, name: Origin): Message {
  const { origin, sequence, settledBelow } = message;
  const formerly = settledBelow > 0 ? { origin, sequence } : message.formerly;
  return new Message({ ...message, ...name, formerly });
}

/** A message that its publisher may send again as it comes behind others of its object that have greater numbers. */
export function outOfTurn(message: Message): Message {
  const late = new Message({ ...message, repeated: true });
  late.receipt = message.receipt;
  return late;
}

/**
 * The message of a PUBLISH. Its payload and properties stay views of the received bytes.
 * @param topic the Topic Name, which a Topic Alias may stand for in the packet [5.0/3.3.2.3.4/no-leak]
 * @param now milliseconds since the epoch: the Message Expiry Interval counts from here
 */
export function messageOfPublish(publish: Publish, topic: string, from: Origin, now: number): Message {
  const { properties } = publish;
  const altered = properties.messageExpiryInterval !== undefined || properties.topicAlias !== undefined;
  return new Message({
    topic,
    qos: publish.qos,
    retain: publish.retain,
    payload: publish.payload,
    propertyBytes: altered ? forwardedProperties(properties) : publish.propertyBytes,
    expiresAt: expiry(properties, now),
    // One by one: a spread behind other fields costs more than all of them.
    publisher: from.publisher,
    origin: from.origin,
    sequence: from.sequence,
    repeated: from.repeated,
    settledBelow: from.settledBelow,
  });
}

/** The message of a Will; its Message Expiry Interval counts from its publication [5.0/3.1.3.2.4/will-expiry]. */
export function messageOfWill(will: Will, from: Origin, now: number): Message {
  return new Message({
    topic: will.topic,
    qos: will.qos,
    retain: will.retain,
    payload: will.payload,
    propertyBytes: forwardedProperties(will.properties),
    expiresAt: expiry(will.properties, now),
    ...from,
  });
}

function expiry(properties: Properties, now: number): number {
  const seconds = properties.messageExpiryInterval;
  return seconds === undefined ? 0 : now + seconds * 1000;
}

/** Without what belongs to one connection (alias) and what changes on the way (expiry), in the order of the specification. */
function forwardedProperties(properties: Properties): Uint8Array {
  const { topicAlias, messageExpiryInterval, willDelayInterval, subscriptionIdentifiers, ...forwarded } = properties;
  return encodeProperties(forwarded, PUBLISH);
}

const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Whether a payload is well-formed UTF-8, as Payload Format Indicator 1 says of it. */
export function isUtf8Text(payload: Uint8Array): boolean {
  try {
    strictDecoder.decode(payload);
    return true;
  } catch {
    return false;
  }
}

export interface PublishOptions {
  readonly version: ProtocolVersion;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 at QoS 0. */
  readonly packetId: number;
  /** Milliseconds since the epoch, for the remaining Message Expiry Interval. */
  readonly now: number;
  /** All matching ones of the subscriber [MQTT5-3.3.4-4]. */
  readonly subscriptionIdentifiers?: readonly number[] | undefined;
  /** 0 = none. Only in 5.0. */
  readonly topicAlias?: number;
  /** The client knows the alias: the topic is left out. */
  readonly aliasKnown?: boolean;
}

const EXPIRY_SECONDS_MAX = 0xffff_ffff;

/**
 * The whole seconds that are left of a message's life [MQTT5-3.3.2-6], at least 1 for one that is delivered at all; never more than a Message Expiry
 * Interval can be, for the clock of another object may be behind.
 */
export function remainingSeconds({ expiresAt }: Pick<Message, "expiresAt">, now: number): number {
  return Math.min(EXPIRY_SECONDS_MAX, Math.max(1, Math.ceil((expiresAt - now) / 1000)));
}

/** Encodes a message as PUBLISH for one subscriber; 3.x gets the 3.x form without properties [5.0/compat/props]. */
export function encodePublish(message: Message, options: PublishOptions): Uint8Array {
  const { version, qos, packetId } = options;
  const alias = options.topicAlias ?? 0;
  const topic = options.aliasKnown ? NO_BYTES : message.topicBytes;
  const { payload, propertyBytes } = message;
  const identifiers = options.subscriptionIdentifiers;
  let propertiesLength = 0;
  let remaining = 2 + topic.length + (qos > 0 ? 2 : 0) + payload.length;
  if (version === 5) {
    propertiesLength = propertyBytes.length + (message.expiresAt === 0 ? 0 : 5) + (alias === 0 ? 0 : 3);
    if (identifiers !== undefined) for (const identifier of identifiers) propertiesLength += 1 + variableByteIntegerLength(identifier);
    remaining += variableByteIntegerLength(propertiesLength) + propertiesLength;
  }
  const bytes = new Uint8Array(1 + variableByteIntegerLength(remaining) + remaining);
  bytes[0] = 0x30 | (options.dup ? 8 : 0) | (qos << 1) | (options.retain ? 1 : 0);
  let offset = writeVariableByteInteger(bytes, 1, remaining);
  bytes[offset++] = topic.length >> 8;
  bytes[offset++] = topic.length & 0xff;
  bytes.set(topic, offset);
  offset += topic.length;
  if (qos > 0) {
    bytes[offset++] = packetId >> 8;
    bytes[offset++] = packetId & 0xff;
  }
  if (version === 5) {
    offset = writeVariableByteInteger(bytes, offset, propertiesLength);
    if (message.expiresAt !== 0) {
      const seconds = remainingSeconds(message, options.now);
      bytes[offset++] = 0x02;
      bytes[offset++] = seconds >>> 24;
      bytes[offset++] = (seconds >>> 16) & 0xff;
      bytes[offset++] = (seconds >>> 8) & 0xff;
      bytes[offset++] = seconds & 0xff;
    }
    if (alias !== 0) {
      bytes[offset++] = 0x23;
      bytes[offset++] = alias >> 8;
      bytes[offset++] = alias & 0xff;
    }
    if (identifiers !== undefined) {
      for (const identifier of identifiers) {
        bytes[offset++] = 0x0b;
        offset = writeVariableByteInteger(bytes, offset, identifier);
      }
    }
    bytes.set(propertyBytes, offset);
    offset += propertyBytes.length;
  }
  bytes.set(payload, offset);
  return bytes;
}

const FLAG_RETAIN = 0x04;
const FLAG_EXPIRES = 0x08;
const FLAG_REPEATED = 0x10;
const FLAG_REPEATABLE = 0x20;
const FLAG_RENAMED = 0x40;

/** Behind the origin of a renamed message stands its first name, in one string: to earlier builds both are an origin, of which this is all that comes. */
const FIRST_NAME = "\0";

/** Writes a message as a record: its envelope (flags, expiry, publisher, sequence) and a PUBLISH body in MQTT 5.0 form. */
export function writeMessage(writer: RecordWriter, message: Message): void {
  if (message.record !== undefined) {
    writer.raw(message.record);
    return;
  }
  const expires = message.expiresAt === 0 ? 0 : FLAG_EXPIRES;
  const repeats = (message.repeated ? FLAG_REPEATED : 0) | (message.settledBelow === 0 ? 0 : FLAG_REPEATABLE);
  const { formerly } = message;
  writer.byte(message.qos | (message.retain ? FLAG_RETAIN : 0) | expires | repeats | (formerly === undefined ? 0 : FLAG_RENAMED));
  if (message.expiresAt !== 0) writer.integer(message.expiresAt);
  if (message.settledBelow !== 0) writer.integer(message.settledBelow);
  writer.string(message.publisher);
  writer.string(formerly === undefined ? message.origin : [message.origin, formerly.origin, formerly.sequence].join(FIRST_NAME));
  writer.integer(message.sequence);
  writer.bytes(message.topicBytes);
  writer.bytes(message.propertyBytes);
  writer.bytes(message.payload);
}

/** What writeMessage writes, bytes, without numbers. */
export function messageRecordBytes(message: Message): number {
  const { record, publisher, origin, formerly } = message;
  if (record !== undefined) return record.length;
  return message.size + utf8Length(publisher) + utf8Length(origin) + (formerly === undefined ? 0 : utf8Length(formerly.origin));
}

/** Reads what writeMessage wrote; its bytes stay views. Throws RecordError where they end too early. */
export function readMessage(reader: RecordReader): Message {
  const start = reader.offset;
  const flags = reader.byte();
  const expiresAt = (flags & FLAG_EXPIRES) === 0 ? 0 : reader.integer();
  const settledBelow = (flags & FLAG_REPEATABLE) === 0 ? 0 : reader.integer();
  const publisher = reader.string();
  const named = reader.string();
  const sequence = reader.integer();
  const topicBytes = reader.bytes();
  const propertyBytes = reader.bytes();
  const payload = reader.bytes();
  const { origin, formerly } = (flags & FLAG_RENAMED) === 0 ? { origin: named, formerly: undefined } : namesIn(named);
  const fields: MessageFields = {
    topic: textOf(topicBytes),
    qos: (flags & 0x03) as QoS,
    retain: (flags & FLAG_RETAIN) !== 0,
    propertyBytes,
    payload,
    expiresAt,
    publisher,
    origin,
    sequence,
    repeated: (flags & FLAG_REPEATED) !== 0,
    settledBelow,
    formerly,
    topicBytes,
  };
  return new Message(fields, reader.since(start));
}

function namesIn(named: string): Pick<MessageFields, "origin" | "formerly"> {
  const [origin, first, sequence] = named.split(FIRST_NAME);
  if (first === undefined || !Number.isSafeInteger(Number(sequence))) throw new RecordError("a renamed message without its first name");
  return { origin: origin!, formerly: { origin: first, sequence: Number(sequence) } };
}
