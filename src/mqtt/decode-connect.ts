/**
 * CONNECT, the one packet that carries its version. What the bytes alone forbid is refused here; whether a Client Identifier, a
 * session wish or a credential is accepted is the session core's.
 */

import { CONNECT, type Connect, NO_PROPERTIES, type ProtocolVersion, type QoS, type Will } from "./packet.ts";
import { readProperties, WILL } from "./property.ts";
import { Reader } from "./reader.ts";
import { TOPIC_NAME_INVALID, UNSUPPORTED_PROTOCOL_VERSION } from "./reason-code.ts";
import type { Violation } from "./violation.ts";

const NAME_V3 = [0x4d, 0x51, 0x49, 0x73, 0x64, 0x70]; // MQIsdp
const NAME = [0x4d, 0x51, 0x54, 0x54]; // MQTT

const CLEAN = 0x02;
const WILL_FLAG = 0x04;
const WILL_RETAIN = 0x20;
const PASSWORD_FLAG = 0x40;
const USER_NAME_FLAG = 0x80;

/** Set in the Protocol Level of 3.x by the bridges of other brokers; 5.0 has Subscription Options for what it asks for. */
const BRIDGE = 0x80;

/** Where the Protocol Name's length stands: behind the first byte and the Remaining Length. */
function nameOffset(bytes: Uint8Array): number {
  let offset = 1;
  while (offset < 4 && offset < bytes.length && bytes[offset] >= 0x80) offset += 1;
  return offset + 1;
}

/** Whether the name stands here with a level behind it. */
function isName(bytes: Uint8Array, offset: number, name: readonly number[]): boolean {
  if (offset + 2 + name.length >= bytes.length) return false;
  return bytes[offset] === 0 && bytes[offset + 1] === name.length && name.every((byte, i) => bytes[offset + 2 + i] === byte);
}

function versionAt(bytes: Uint8Array, offset: number): ProtocolVersion | undefined {
  if (isName(bytes, offset, NAME)) {
    const level = bytes[offset + 2 + NAME.length];
    if (level === (4 | BRIDGE)) return 4;
    return level === 4 || level === 5 ? level : undefined;
  }
  // [3.1/connect/name]
  return isName(bytes, offset, NAME_V3) && (bytes[offset + 2 + NAME_V3.length] & ~BRIDGE) === 3 ? 3 : undefined;
}

const isConnect = (bytes: Uint8Array): boolean => bytes.length > 0 && bytes[0] >> 4 === CONNECT;

/**
 * The protocol version that a CONNECT asks for, read as far as possible from bytes that may be malformed or cut short, so that a
 * host knows how to answer a violation.
 * @returns undefined when the bytes are no CONNECT or ask for a version that is not supported
 */
export function connectVersion(bytes: Uint8Array): ProtocolVersion | undefined {
  return isConnect(bytes) ? versionAt(bytes, nameOffset(bytes)) : undefined;
}

/**
 * The Maximum Packet Size of a CONNECT of 5.0 that may be malformed behind it: what refuses it must keep to it as well.
 * @returns Infinity where there is none, or none that can be read
 */
export function connectPacketBytesMax(bytes: Uint8Array): number {
  if (connectVersion(bytes) !== 5) return Number.POSITIVE_INFINITY;
  // Behind the name and its length: the level, Connect Flags and Keep Alive.
  const reader = new Reader(bytes, nameOffset(bytes) + 2 + NAME.length + 4, bytes.length, 5);
  const { maximumPacketSize } = readProperties(reader, CONNECT);
  return maximumPacketSize || Number.POSITIVE_INFINITY;
}

/**
 * The byte behind the Protocol Name of a CONNECT, supported or not: from 5 upwards a client understands a 5.0 CONNACK, below only one
 * of 3.x. Bit 7, which bridges set, is left out.
 * @returns undefined when the bytes are no CONNECT or end before it
 */
export function connectLevel(bytes: Uint8Array): number | undefined {
  const level = levelByte(bytes);
  return level === undefined ? undefined : level & ~BRIDGE;
}

function levelByte(bytes: Uint8Array): number | undefined {
  if (!isConnect(bytes)) return undefined;
  const offset = nameOffset(bytes);
  if (offset + 2 > bytes.length) return undefined;
  const levelOffset = offset + 2 + ((bytes[offset] << 8) | bytes[offset + 1]);
  return levelOffset < bytes.length ? bytes[levelOffset] : undefined;
}

/**
 * Decodes a CONNECT whose fixed header has been checked.
 * @param offset of the variable header
 */
export function decodeConnect(bytes: Uint8Array, offset: number): Connect | Violation {
  const version = versionAt(bytes, offset);
  if (version === undefined) return refuseVersion(bytes, offset);
  const reader = new Reader(bytes, offset + (version === 3 ? 3 + NAME_V3.length : 3 + NAME.length), bytes.length, version);
  const flags = reader.byte("Connect Flags");
  const keepAliveSeconds = reader.uint16("Keep Alive");
  checkFlags(reader, flags);
  const properties = version === 5 ? readProperties(reader, CONNECT) : NO_PROPERTIES;

  // [MQTT5-3.1.3-1] [MQTT311-3.1.3-1]: the order of the payload. [MQTT5-3.1.3-3] [MQTT311-3.1.3-3]
  present(reader, "MQTT5-3.1.3-3", "MQTT311-3.1.3-3", "Client Identifier");
  // [MQTT5-3.1.3-4] [MQTT311-3.1.3-4]
  const clientId = reader.string("Client Identifier");
  const will = (flags & WILL_FLAG) === 0 ? undefined : readWill(reader, flags);
  let userName: string | undefined;
  if ((flags & USER_NAME_FLAG) !== 0 && !endedEarly(reader)) {
    // [MQTT5-3.1.2-17] [MQTT311-3.1.2-19]
    present(reader, "MQTT5-3.1.2-17", "MQTT311-3.1.2-19", "User Name");
    // [MQTT5-3.1.3-12] [MQTT311-3.1.3-11]
    userName = reader.string("User Name");
  }
  let password: Uint8Array | undefined;
  if ((flags & PASSWORD_FLAG) !== 0 && !endedEarly(reader)) {
    // [MQTT5-3.1.2-19] [MQTT311-3.1.2-21]
    present(reader, "MQTT5-3.1.2-19", "MQTT311-3.1.2-21", "Password");
    password = reader.binary("Password");
  }
  checkEnd(reader, flags);
  if (reader.violation !== undefined) return reader.violation;
  const clean = (flags & CLEAN) !== 0;
  const connect: Connect = { type: CONNECT, version, clean, keepAliveSeconds, clientId, will, userName, password, properties };
  return (levelByte(bytes)! & BRIDGE) !== 0 ? { ...connect, bridge: true } : connect;
}

/** Neither a name and level that is served nor bytes that end before them: [MQTT5-3.1.2-1] [MQTT5-3.1.2-2] [MQTT311-3.1.2-2]. */
function refuseVersion(bytes: Uint8Array, offset: number): Violation {
  const level = connectLevel(bytes);
  const reader = new Reader(bytes, offset, bytes.length, level === undefined || level >= 5 ? 5 : 4);
  if (level === undefined) {
    reader.binary("Protocol Name");
    reader.byte("Protocol Level");
    return reader.violation!;
  }
  const nameKnown = isName(bytes, offset, NAME) || isName(bytes, offset, NAME_V3);
  return reader.protocolError(
    nameKnown ? "MQTT5-3.1.2-2" : "MQTT5-3.1.2-1",
    nameKnown ? "MQTT311-3.1.2-2" : "MQTT311-3.1.2-1",
    "Protocol Name and Level: expected MQTT 5, MQTT 4 or MQIsdp 3",
    UNSUPPORTED_PROTOCOL_VERSION,
  );
}

function checkFlags(reader: Reader, flags: number): void {
  // [MQTT5-3.1.2-3] [MQTT311-3.1.2-3]
  if ((flags & 0x01) !== 0) reader.malformed("MQTT5-3.1.2-3", "MQTT311-3.1.2-3", "Connect Flags: expected 0 in the reserved bit 0");
  // In 3.1 the flags of a Will say nothing where there is none.
  if (reader.version !== 3 || (flags & WILL_FLAG) !== 0) checkWillFlags(reader, flags);
  // [MQTT311-3.1.2-22]; 5.0 allows it [5.0/3.1.2.9/pw-only].
  if (reader.version !== 5 && (flags & PASSWORD_FLAG) !== 0 && (flags & USER_NAME_FLAG) === 0) {
    reader.malformed("", "MQTT311-3.1.2-22", "Password Flag: expected together with the User Name Flag");
  }
}

function checkWillFlags(reader: Reader, flags: number): void {
  const willQos = (flags >> 3) & 3;
  if ((flags & WILL_FLAG) === 0) {
    // [MQTT5-3.1.2-11] [MQTT311-3.1.2-13] [MQTT311-3.1.2-11]
    if (willQos !== 0) reader.malformed("MQTT5-3.1.2-11", "MQTT311-3.1.2-13", "Will QoS: expected 0 without a Will");
    // [MQTT5-3.1.2-13] [MQTT311-3.1.2-15]
    if ((flags & WILL_RETAIN) !== 0) reader.malformed("MQTT5-3.1.2-13", "MQTT311-3.1.2-15", "Will Retain: expected 0 without a Will");
  }
  // [MQTT5-3.1.2-12] [MQTT311-3.1.2-14]
  if (willQos === 3) reader.malformed("MQTT5-3.1.2-12", "MQTT311-3.1.2-14", "Will QoS: expected 0, 1 or 2");
}

/** A field that a flag announces must at least begin. */
function present(reader: Reader, clause5: string, clause3: string, field: string): void {
  if (reader.offset >= reader.end) reader.malformed(clause5, clause3, `${field}: expected the field, found the end of the packet`);
}

/** [3.1/connect/username]: in 3.1 the Remaining Length takes precedence over the flags. */
function endedEarly(reader: Reader): boolean {
  return reader.version === 3 && reader.offset === reader.end;
}

function readWill(reader: Reader, flags: number): Will {
  // [MQTT5-3.1.2-9] [MQTT311-3.1.2-9]
  if (reader.version === 5) present(reader, "MQTT5-3.1.2-9", "", "Will Properties");
  const properties = reader.version === 5 ? readProperties(reader, WILL) : NO_PROPERTIES;
  present(reader, "MQTT5-3.1.2-9", "MQTT311-3.1.2-9", "Will Topic");
  // [MQTT5-3.1.3-11] [MQTT311-3.1.3-10]
  const topic = reader.string("Will Topic");
  // [MQTT5-4.7.0-1] [MQTT311-4.7.1-1]
  if (topic.includes("+") || topic.includes("#")) {
    reader.protocolError("MQTT5-4.7.0-1", "MQTT311-4.7.1-1", "Will Topic: expected a Topic Name without + and #", TOPIC_NAME_INVALID);
  }
  // [MQTT5-4.7.3-1] [MQTT311-4.7.3-1]
  if (topic === "") {
    reader.protocolError("MQTT5-4.7.3-1", "MQTT311-4.7.3-1", "Will Topic: expected at least one character", TOPIC_NAME_INVALID);
  }
  present(reader, "MQTT5-3.1.2-9", "MQTT311-3.1.2-9", "Will Payload");
  const payload = reader.binary("Will Payload");
  return { qos: ((flags >> 3) & 3) as QoS, retain: (flags & WILL_RETAIN) !== 0, topic, payload, properties };
}

/** Bytes behind the last announced field most likely belong to one whose flag is missing. */
function checkEnd(reader: Reader, flags: number): void {
  if (reader.offset >= reader.end) return;
  // [MQTT5-3.1.2-16] [MQTT311-3.1.2-18]
  if ((flags & USER_NAME_FLAG) === 0 && (flags & PASSWORD_FLAG) === 0) {
    reader.malformed("MQTT5-3.1.2-16", "MQTT311-3.1.2-18", "User Name Flag: expected 1, found bytes behind the last announced field");
  }
  // [MQTT5-3.1.2-18] [MQTT311-3.1.2-20]
  if ((flags & PASSWORD_FLAG) === 0) {
    reader.malformed("MQTT5-3.1.2-18", "MQTT311-3.1.2-20", "Password Flag: expected 1, found bytes behind the User Name");
  }
  reader.expectEnd("CONNECT");
}
