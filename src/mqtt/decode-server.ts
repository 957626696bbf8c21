/**
 * Decodes what a server sends, of MQTT 3.1, 3.1.1 or 5.0. Refuses what the bytes alone forbid, whoever sent them; what depends on the
 * direction, on the session or on limits is decided by whoever reads the packet. Payloads are views into the given bytes.
 *
 * Whoever takes the packets of clients too gives what reads them (decode.ts): a client does not carry that along.
 */

import { EMPTY_BYTES, readVariableByteInteger, variableByteIntegerLength } from "./bytes.ts";
import { decodeSuback, decodeUnsuback } from "./decode-subscription.ts";
import { flagsAllowed, PACKET_NAMES, reservedFlags } from "./fixed-header.ts";
import {
  type Acknowledgement,
  type AcknowledgementType,
  AUTH,
  type Auth,
  CONNACK,
  type Connack,
  DISCONNECT,
  type Disconnect,
  NO_PROPERTIES,
  type Packet,
  PINGRESP,
  type ProtocolVersion,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type Publish,
  type QoS,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from "./packet.ts";
import { readProperties } from "./property.ts";
import { Reader } from "./reader.ts";
import { REASON_CODES, RETURN_NOT_AUTHORIZED, SUCCESS, TOPIC_NAME_INVALID } from "./reason-code.ts";
import type { Violation } from "./violation.ts";

const PINGRESP_PACKET = { type: PINGRESP } as const;

/** What reads the packets that only clients send. */
export interface ClientPackets {
  /** The version that a CONNECT itself asks for; undefined when the bytes are none. */
  versionOf(bytes: Uint8Array): ProtocolVersion | undefined;
  /** @param offset where the Remaining Length ends */
  decode(type: number, reader: Reader, bytes: Uint8Array, offset: number): Packet | Violation;
}

/** Nobody here takes them. */
const NONE: ClientPackets = {
  versionOf: () => undefined,
  decode: (type, reader) => reader.protocolError("", "", `${PACKET_NAMES[type]}: expected a packet of a server`),
};

/**
 * Decodes one packet.
 * @param bytes exactly one whole packet with its fixed header
 * @param version that of the Network Connection; ignored for CONNECT, which carries its own
 * @returns the packet, with views into `bytes`, or the first violation found; never throws
 */
export function decodeServerPacket(bytes: Uint8Array, version: ProtocolVersion, others: ClientPackets = NONE): Packet | Violation {
  const first = bytes.length > 0 ? bytes[0] : 0;
  const type = first >> 4;
  const remainingLength = readVariableByteInteger(bytes, 1, bytes.length);
  const offset = 1 + variableByteIntegerLength(remainingLength);
  if (remainingLength < 0 || offset + remainingLength !== bytes.length) return refuseLength(bytes, others.versionOf(bytes) ?? version);
  if (type === PUBLISH) return decodePublish(new Reader(bytes, offset, bytes.length, version), first);

  const versionAtHand = others.versionOf(bytes) ?? version;
  const reader = new Reader(bytes, offset, bytes.length, versionAtHand);
  if (type === 0 || (type === AUTH && version !== 5)) {
    // [5.0/2.1.2/type0] [3.1.1/2.2.1/types]
    return reader.malformed("5.0/2.1.2/type0", "3.1.1/2.2.1/types", `${PACKET_NAMES[type]}: expected a type of this version`);
  }
  if (!flagsAllowed(type, first & 0x0f, versionAtHand)) {
    // [MQTT5-2.1.3-1] [MQTT311-2.2.2-1] [MQTT311-2.2.2-2]
    const expected = reservedFlags(type).toString(2).padStart(4, "0");
    return reader.malformed(...(FLAG_CLAUSES[type] ?? ALL_FLAGS), `Flags of ${PACKET_NAMES[type]}: expected ${expected}`);
  }
  switch (type) {
    case CONNACK:
      return decodeConnack(reader);
    case PUBACK:
    case PUBREC:
    case PUBREL:
    case PUBCOMP:
      return decodeAcknowledgement(reader, type);
    case SUBACK:
      return decodeSuback(reader);
    case UNSUBACK:
      return decodeUnsuback(reader);
    case PINGRESP:
      reader.expectEnd(PACKET_NAMES[type]);
      return reader.violation ?? PINGRESP_PACKET;
    case DISCONNECT:
    case AUTH:
      return decodeEnd(reader, type);
    default:
      return others.decode(type, reader, bytes, offset);
  }
}

/** The bytes are not the one packet that their Remaining Length announces [5.0/2.1.4/length]. */
function refuseLength(bytes: Uint8Array, version: ProtocolVersion): Violation {
  const reader = new Reader(bytes, Math.min(1, bytes.length), bytes.length, version);
  const announced = reader.variableByteInteger("Remaining Length");
  if (reader.violation !== undefined) return reader.violation;
  const found = bytes.length - reader.offset;
  return reader.malformed("5.0/2.1.4/length", "MQTT311-4.8.0-1", `Remaining Length: announces ${announced} bytes, found ${found}`);
}

/** The clause about the flags of one type where there is one, else that about all: [5.0, 3.x]. */
const FLAG_CLAUSES: { readonly [packetType: number]: [string, string] } = {
  // [MQTT5-3.6.1-1] [MQTT311-3.6.1-1]
  [PUBREL]: ["MQTT5-3.6.1-1", "MQTT311-3.6.1-1"],
  // [MQTT5-3.8.1-1] [MQTT311-3.8.1-1]
  [SUBSCRIBE]: ["MQTT5-3.8.1-1", "MQTT311-3.8.1-1"],
  // [MQTT5-3.10.1-1] [MQTT311-3.10.1-1]
  [UNSUBSCRIBE]: ["MQTT5-3.10.1-1", "MQTT311-3.10.1-1"],
  // [MQTT5-3.14.1-1] [MQTT311-3.14.1-1]
  [DISCONNECT]: ["MQTT5-3.14.1-1", "MQTT311-3.14.1-1"],
  // [MQTT5-3.15.1-1]
  [AUTH]: ["MQTT5-3.15.1-1", ""],
};
const ALL_FLAGS: [string, string] = ["MQTT5-2.1.3-1", "MQTT311-2.2.2-2"];

function decodePublish(reader: Reader, first: number): Publish | Violation {
  const qos = (first >> 1) & 3;
  const dup = (first & 0x08) !== 0;
  // [MQTT5-3.3.1-4] [MQTT311-3.3.1-4]
  if (qos === 3) return reader.malformed("MQTT5-3.3.1-4", "MQTT311-3.3.1-4", "QoS of PUBLISH: expected 0, 1 or 2");
  // [MQTT5-3.3.1-2] [MQTT311-3.3.1-2]
  if (dup && qos === 0) return reader.malformed("MQTT5-3.3.1-2", "MQTT311-3.3.1-2", "DUP of PUBLISH: expected 0 with QoS 0");
  // [MQTT5-3.3.2-1] [MQTT311-3.3.2-1]
  const topic = reader.string("Topic Name");
  // [MQTT5-3.3.2-2] [MQTT311-3.3.2-2] [MQTT5-4.7.0-1] [MQTT311-4.7.1-1]
  if (topic.includes("+") || topic.includes("#")) {
    return reader.protocolError(
      "MQTT5-3.3.2-2",
      "MQTT311-3.3.2-2",
      "Topic Name: expected none of the wildcards + and #",
      TOPIC_NAME_INVALID,
    );
  }
  // [MQTT5-2.2.1-2] [MQTT311-2.3.1-5]
  const packetId = qos === 0 ? 0 : reader.packetId();
  let properties = NO_PROPERTIES;
  let propertyBytes = EMPTY_BYTES;
  if (reader.version === 5) {
    const start = reader.offset;
    properties = readProperties(reader, PUBLISH);
    if (properties !== NO_PROPERTIES && reader.violation === undefined) {
      const lengthBytes = variableByteIntegerLength(readVariableByteInteger(reader.bytes, start, reader.end));
      propertyBytes = reader.bytes.subarray(start + lengthBytes, reader.offset);
    }
  }
  if (topic === "" && reader.violation === undefined) {
    // [MQTT5-4.7.3-1] [MQTT311-4.7.3-1]
    if (reader.version !== 5) {
      return reader.protocolError("", "MQTT311-4.7.3-1", "Topic Name: expected at least one character", TOPIC_NAME_INVALID);
    }
    // [5.0/3.3.2.1/empty]
    if (properties.topicAlias === undefined) {
      return reader.protocolError("5.0/3.3.2.1/empty", "", "Topic Name: expected at least one character or a Topic Alias");
    }
  }
  if (reader.violation !== undefined) return reader.violation;
  return {
    type: PUBLISH,
    dup,
    qos: qos as QoS,
    retain: (first & 0x01) !== 0,
    topic,
    packetId,
    properties,
    propertyBytes,
    payload: reader.rest(),
  };
}

function decodeConnack(reader: Reader): Connack | Violation {
  const flags = reader.byte("Connect Acknowledge Flags");
  const reasonCode = reader.byte("Connect Reason Code");
  // [MQTT5-3.2.2-1] [3.1.1/3.2.2.1/reserved]; in 3.1 the whole byte is reserved and not looked at [3.1/connack/flags].
  if (reader.version !== 3 && flags > 1) {
    return reader.malformed("MQTT5-3.2.2-1", "3.1.1/3.2.2.1/reserved", "Connect Acknowledge Flags: expected 0 or 1");
  }
  const properties = reader.version === 5 ? readProperties(reader, CONNACK) : NO_PROPERTIES;
  if (reader.version === 5) checkReasonCode(reader, CONNACK, reasonCode);
  else if (reasonCode > RETURN_NOT_AUTHORIZED) reader.protocolError("", "MQTT311-4.8.0-1", "Connect Return Code: expected 0 to 5");
  const sessionPresent = reader.version !== 3 && flags === 1;
  // [MQTT5-3.2.2-6] [MQTT311-3.2.2-4]
  if (sessionPresent && reasonCode !== SUCCESS) {
    reader.protocolError("MQTT5-3.2.2-6", "MQTT311-3.2.2-4", "Session Present: expected 0 when the connection is refused");
  }
  reader.expectEnd("CONNACK");
  return reader.violation ?? { type: CONNACK, sessionPresent, reasonCode, properties };
}

function decodeAcknowledgement(reader: Reader, type: AcknowledgementType): Acknowledgement | Violation {
  const packetId = reader.packetId();
  // [5.0/3.4.2.1/short]
  const { reasonCode, properties } = readOutcome(reader, type);
  return reader.violation ?? { type, packetId, reasonCode, properties };
}

function decodeEnd(reader: Reader, type: Disconnect["type"] | Auth["type"]): Disconnect | Auth | Violation {
  // [5.0/3.14.2.1/short]
  const { reasonCode, properties } = readOutcome(reader, type);
  return reader.violation ?? { type, reasonCode, properties };
}

const OUTCOME_SUCCESS = { reasonCode: SUCCESS, properties: NO_PROPERTIES };

/** Reason Code and properties, either of which may be left out at the end of a 5.0 packet, and the end. */
function readOutcome(reader: Reader, type: number): { reasonCode: number; properties: typeof NO_PROPERTIES } {
  if (reader.offset === reader.end) return OUTCOME_SUCCESS;
  if (reader.version !== 5) {
    reader.expectEnd(PACKET_NAMES[type]);
    return OUTCOME_SUCCESS;
  }
  const reasonCode = reader.byte("Reason Code");
  checkReasonCode(reader, type, reasonCode);
  const properties = reader.offset === reader.end ? NO_PROPERTIES : readProperties(reader, type);
  reader.expectEnd(PACKET_NAMES[type]);
  return { reasonCode, properties };
}

const REASON_CODE_CLAUSES: { readonly [packetType: number]: string } = {
  [CONNACK]: "MQTT5-3.2.2-8",
  [PUBACK]: "MQTT5-3.4.2-1",
  [PUBREC]: "MQTT5-3.5.2-1",
  [PUBREL]: "MQTT5-3.6.2-1",
  [PUBCOMP]: "MQTT5-3.7.2-1",
  [DISCONNECT]: "MQTT5-3.14.2-1",
  [AUTH]: "MQTT5-3.15.2-1",
};

function checkReasonCode(reader: Reader, type: number, reasonCode: number): void {
  if (REASON_CODES[type].has(reasonCode)) return;
  const found = reasonCode.toString(16).padStart(2, "0");
  reader.protocolError(REASON_CODE_CLAUSES[type], "", `Reason Code of ${PACKET_NAMES[type]}: 0x${found} is not one of its codes`);
}
