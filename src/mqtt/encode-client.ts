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
    case DISCONNECT:
    case AUTH:
      return encodeOutcome(packet, version);
    case CONNECT:
      return encodeConnect(packet);
    case SUBSCRIBE:
      return encodeSubscribe(packet, version);
    case UNSUBSCRIBE:
      return encodeUnsubscribe(packet, version);
    case PINGREQ:
      return new Writer(packet.type << 4, 0).bytes;
  }
}

function encodePublish(packet: Publish, version: ProtocolVersion): Uint8Array {
  const { qos, topic, packetId, payload } = packet;
  let remainingLength = stringFieldLength("Topic Name", topic) + payload.length;
  // [MQTT5-2.2.1-2] [MQTT311-2.3.1-5]
  if (qos !== 0) remainingLength += 2;
  const properties = version === 5 ? propertiesLength(packet.properties, PUBLISH) : 0;
  if (version === 5) remainingLength += sectionLength(properties);
  // [MQTT5-3.3.1-2] [MQTT311-3.3.1-2]
  const dup = packet.dup && qos !== 0 ? 0x08 : 0;
  const writer = new Writer((PUBLISH << 4) | dup | (qos << 1) | (packet.retain ? 1 : 0), remainingLength);
  writer.string(topic);
  if (qos !== 0) writer.packetId(packetId);
  if (version === 5) writer.properties(packet.properties, properties);
  writer.raw(payload);
  return writer.bytes;
}

/** PUBACK and its like, DISCONNECT and AUTH: a Reason Code and properties, both of which may be left out. */
function encodeOutcome(packet: Acknowledgement | Disconnect | Auth, version: ProtocolVersion): Uint8Array {
  const { type, reasonCode } = packet;
  if (type === AUTH && version !== 5) throw new RangeError("AUTH: expected version 5");
  const properties = version === 5 ? propertiesLength(packet.properties, type) : 0;
  // [5.0/3.4.2.1/short] [5.0/3.14.2.1/short] [MQTT5-2.2.2-1]
  const hasCode = version === 5 && (reasonCode !== SUCCESS || properties !== 0);
  const hasId = "packetId" in packet;
  const remainingLength = (hasId ? 2 : 0) + (hasCode ? 1 : 0) + (properties === 0 ? 0 : sectionLength(properties));
  const writer = new Writer((type << 4) | reservedFlags(type), remainingLength);
  // [MQTT5-2.2.1-5] [MQTT311-2.3.1-6]
  if (hasId) writer.packetId(packet.packetId);
  if (hasCode) writer.byte(reasonCode);
  if (properties !== 0) writer.properties(packet.properties, properties);
  return writer.bytes;
}

function optionsByte(request: SubscriptionRequest, version: ProtocolVersion): number {
  if (version !== 5) return request.qos;
  return request.qos | (request.noLocal ? 0x04 : 0) | (request.retainAsPublished ? 0x08 : 0) | (request.retainHandling << 4);
}

/** SUBSCRIBE and UNSUBSCRIBE up to their payload. @param payloadBytes its length */
function beginFilters(packet: Subscribe | Unsubscribe, payloadBytes: number, version: ProtocolVersion): Writer {
  const { type } = packet;
  const properties = version === 5 ? propertiesLength(packet.properties, type) : 0;
  const remainingLength = 2 + (version === 5 ? sectionLength(properties) : 0) + payloadBytes;
  const writer = new Writer((type << 4) | reservedFlags(type), remainingLength);
  writer.packetId(packet.packetId);
  if (version === 5) writer.properties(packet.properties, properties);
  return writer;
}

function encodeSubscribe(packet: Subscribe, version: ProtocolVersion): Uint8Array {
  let length = 0;
  for (const request of packet.subscriptions) length += stringFieldLength("Topic Filter", request.filter) + 1;
  const writer = beginFilters(packet, length, version);
  for (const request of packet.subscriptions) {
    writer.string(request.filter);
    writer.byte(optionsByte(request, version));
  }
  return writer.bytes;
}

function encodeUnsubscribe(packet: Unsubscribe, version: ProtocolVersion): Uint8Array {
  let length = 0;
  for (const filter of packet.filters) length += stringFieldLength("Topic Filter", filter);
  const writer = beginFilters(packet, length, version);
  for (const filter of packet.filters) writer.string(filter);
  return writer.bytes;
}
