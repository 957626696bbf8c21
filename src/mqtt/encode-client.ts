/**
 * Encodes what a client sends, of MQTT 3.1, 3.1.1 or 5.0, in its shortest form. Counts first, allocates once. What a version does not have
 * (properties, Reason Codes) is left out; everything else is the caller's to get right. What only servers send is in encode.ts, and what
 * makes their explanations fit: a client does not carry that along.
 */

import { encodeConnect } from "./encode-connect.ts";
import { reservedFlags } from "./fixed-header.ts";
import {
  type Acknowledgement,
  AUTH,
  type Auth,
  CONNECT,
  type Connack,
  DISCONNECT,
  type Disconnect,
  type Packet,
  PINGREQ,
  type Pingresp,
  type ProtocolVersion,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type Publish,
  SUBSCRIBE,
  type Suback,
  type Subscribe,
  type SubscriptionRequest,
  UNSUBSCRIBE,
  type Unsuback,
  type Unsubscribe,
} from "./packet.ts";
import { propertiesLength } from "./property.ts";
import { SUCCESS } from "./reason-code.ts";
import { sectionLength, stringFieldLength, Writer } from "./writer.ts";

/** What a client may send, and a server as far as it sends the same. */
export type ClientPacket = Exclude<Packet, Connack | Suback | Unsuback | Pingresp>;

/**
 * Encodes one packet. A PUBLISH is encoded from `properties`; `propertyBytes` is not looked at.
 * @param version that of the Network Connection; ignored for CONNECT, which carries its own
 * @returns and throws as `encodePacket` does
 */
export function encodeClientPacket(packet: ClientPacket, version: ProtocolVersion): Uint8Array {
  switch (packet.type) {
    case PUBLISH:
      return encodePublish(packet, version);
    case PUBACK:
    case PUBREC:
    case PUBREL:
    case PUBCOMP:
      return encodeAcknowledgement(packet, version);
    case CONNECT:
      return encodeConnect(packet);
    case SUBSCRIBE:
      return encodeSubscribe(packet, version);
    case UNSUBSCRIBE:
      return encodeUnsubscribe(packet, version);
    case PINGREQ:
      return new Writer(packet.type << 4, 0).bytes;
    case DISCONNECT:
    case AUTH:
      return encodeEnd(packet, version);
  }
}

/** @throws RangeError for what is none */
export function checkPacketId(packetId: number): void {
  // [MQTT5-2.2.1-3] [MQTT5-2.2.1-4] [MQTT311-2.3.1-1] [MQTT311-2.3.1-4]
  if (!(packetId >= 1 && packetId <= 0xffff)) throw new RangeError(`Packet Identifier: ${packetId} is not in 1 to 65535`);
}

function encodePublish(packet: Publish, version: ProtocolVersion): Uint8Array {
  const { qos, topic, packetId, payload } = packet;
  let remainingLength = stringFieldLength("Topic Name", topic) + payload.length;
  // [MQTT5-2.2.1-2] [MQTT311-2.3.1-5]
  if (qos !== 0) {
    checkPacketId(packetId);
    remainingLength += 2;
  }
  const properties = version === 5 ? propertiesLength(packet.properties, PUBLISH) : 0;
  if (version === 5) remainingLength += sectionLength(properties);
  // [MQTT5-3.3.1-2] [MQTT311-3.3.1-2]
  const dup = packet.dup && qos !== 0 ? 0x08 : 0;
  const writer = new Writer((PUBLISH << 4) | dup | (qos << 1) | (packet.retain ? 1 : 0), remainingLength);
  writer.string(topic);
  if (qos !== 0) writer.uint16(packetId);
  if (version === 5) writer.properties(packet.properties, properties);
  writer.raw(payload);
  return writer.bytes;
}

function encodeAcknowledgement(packet: Acknowledgement, version: ProtocolVersion): Uint8Array {
  const { type, packetId, reasonCode } = packet;
  checkPacketId(packetId);
  const properties = version === 5 ? propertiesLength(packet.properties, type) : 0;
  // [5.0/3.4.2.1/short] [MQTT5-2.2.2-1]
  const hasCode = version === 5 && (reasonCode !== SUCCESS || properties !== 0);
  const remainingLength = 2 + (hasCode ? 1 : 0) + (properties === 0 ? 0 : sectionLength(properties));
  const writer = new Writer((type << 4) | reservedFlags(type), remainingLength);
  // [MQTT5-2.2.1-5] [MQTT311-2.3.1-6]
  writer.uint16(packetId);
  if (hasCode) writer.byte(reasonCode);
  if (properties !== 0) writer.properties(packet.properties, properties);
  return writer.bytes;
}

function optionsByte(request: SubscriptionRequest, version: ProtocolVersion): number {
  if (version !== 5) return request.qos;
  return request.qos | (request.noLocal ? 0x04 : 0) | (request.retainAsPublished ? 0x08 : 0) | (request.retainHandling << 4);
}

function encodeSubscribe(packet: Subscribe, version: ProtocolVersion): Uint8Array {
  checkPacketId(packet.packetId);
  const properties = version === 5 ? propertiesLength(packet.properties, SUBSCRIBE) : 0;
  let remainingLength = version === 5 ? 2 + sectionLength(properties) : 2;
  for (const request of packet.subscriptions) remainingLength += stringFieldLength("Topic Filter", request.filter) + 1;
  const writer = new Writer((SUBSCRIBE << 4) | reservedFlags(SUBSCRIBE), remainingLength);
  writer.uint16(packet.packetId);
  if (version === 5) writer.properties(packet.properties, properties);
  for (const request of packet.subscriptions) {
    writer.string(request.filter);
    writer.byte(optionsByte(request, version));
  }
  return writer.bytes;
}

function encodeUnsubscribe(packet: Unsubscribe, version: ProtocolVersion): Uint8Array {
  checkPacketId(packet.packetId);
  const properties = version === 5 ? propertiesLength(packet.properties, UNSUBSCRIBE) : 0;
  let remainingLength = version === 5 ? 2 + sectionLength(properties) : 2;
  for (const filter of packet.filters) remainingLength += stringFieldLength("Topic Filter", filter);
  const writer = new Writer((UNSUBSCRIBE << 4) | reservedFlags(UNSUBSCRIBE), remainingLength);
  writer.uint16(packet.packetId);
  if (version === 5) writer.properties(packet.properties, properties);
  for (const filter of packet.filters) writer.string(filter);
  return writer.bytes;
}

function encodeEnd(packet: Disconnect | Auth, version: ProtocolVersion): Uint8Array {
  const { type, reasonCode } = packet;
  if (type === AUTH && version !== 5) throw new RangeError("AUTH: expected version 5");
  const properties = version === 5 ? propertiesLength(packet.properties, type) : 0;
  // [5.0/3.14.2.1/short] [MQTT5-2.2.2-1]
  const hasCode = version === 5 && (reasonCode !== SUCCESS || properties !== 0);
  const writer = new Writer(type << 4, (hasCode ? 1 : 0) + (properties === 0 ? 0 : sectionLength(properties)));
  if (hasCode) writer.byte(reasonCode);
  if (properties !== 0) writer.properties(packet.properties, properties);
  return writer.bytes;
}
