/**
 * Encodes one Control Packet of MQTT 3.1, 3.1.1 or 5.0 in its shortest form: what only servers send here, all else by encode-client.ts.
 * Counts first, allocates once. What a version does not have (properties, Reason Codes, Session Present in 3.1) is left out,
 * explanations that are too long are cut (fitting.ts); everything else is the caller's to get right.
 */

import { encodeClientPacket } from "./encode-client.ts";
import { fitting } from "./fitting.ts";
import {
  AUTH,
  CONNACK,
  type Connack,
  DISCONNECT,
  type Packet,
  PINGRESP,
  type ProtocolVersion,
  PUBACK,
  PUBCOMP,
  PUBREC,
  PUBREL,
  SUBACK,
  type Suback,
  UNSUBACK,
  type Unsuback,
} from "./packet.ts";
import { propertiesLength } from "./property.ts";
import { SUBACK_FAILURE, SUCCESS } from "./reason-code.ts";
import { sectionLength, Writer } from "./writer.ts";

/**
 * Encodes one packet. A PUBLISH is encoded from `properties`; `propertyBytes` is not looked at.
 * @param version that of the Network Connection; ignored for CONNECT, which carries its own
 * @returns bytes that are never written again; they may lie in a buffer shared with other packets, so what serializes whole buffers
 *   (structured clone, RPC) must be given a copy
 * @throws RangeError for what cannot be encoded: a field above 65,535 bytes that is no explanation, a Packet Identifier out of range, a
 *   property that the packet doesn't have or whose value doesn't fit, AUTH in 3.x; each is a programming error
 */
export function encodePacket(packet: Packet, version: ProtocolVersion): Uint8Array {
  switch (packet.type) {
    case CONNACK:
      return encodeConnack(packet, version);
    case SUBACK:
    case UNSUBACK:
      return encodeCodes(packet, version);
    case PINGRESP:
      return new Writer(packet.type << 4, 0).bytes;
    case PUBACK:
    case PUBREC:
    case PUBREL:
    case PUBCOMP:
    case DISCONNECT:
    case AUTH: {
      const said = fitting(packet.properties);
      return encodeClientPacket(said === packet.properties ? packet : { ...packet, properties: said }, version);
    }
    default:
      return encodeClientPacket(packet, version);
  }
}

function encodeConnack(packet: Connack, version: ProtocolVersion): Uint8Array {
  const said = fitting(packet.properties);
  const properties = version === 5 ? propertiesLength(said, CONNACK) : 0;
  const writer = new Writer(CONNACK << 4, version === 5 ? 2 + sectionLength(properties) : 2);
  // [3.1/connack/flags]; never with a refusal [MQTT5-3.2.2-6] [MQTT311-3.2.2-4].
  writer.byte(packet.sessionPresent && packet.reasonCode === SUCCESS && version !== 3 ? 1 : 0);
  writer.byte(packet.reasonCode);
  if (version === 5) writer.properties(said, properties);
  return writer.bytes;
}

function encodeCodes(packet: Suback | Unsuback, version: ProtocolVersion): Uint8Array {
  // UNSUBACK has no payload in 3.x.
  const codes = version !== 5 && packet.type === UNSUBACK ? [] : packet.reasonCodes;
  const said = fitting(packet.properties);
  const properties = version === 5 ? propertiesLength(said, packet.type) : 0;
  const writer = new Writer(packet.type << 4, 2 + (version === 5 ? sectionLength(properties) : 0) + codes.length);
  writer.packetId(packet.packetId);
  if (version === 5) writer.properties(said, properties);
  // [MQTT311-3.9.3-2]: 3.1.1 knows one failure code.
  for (const code of codes) writer.byte(version !== 5 && code > SUBACK_FAILURE ? SUBACK_FAILURE : code);
  return writer.bytes;
}
