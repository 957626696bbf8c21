/** What a CONNECT says about its Network Connection for as long as that lasts, and packets in the form that its client takes. */

import type { Limits } from "../limits.ts";
import { encodePacket } from "../mqtt/encode.ts";
import { type Connect, DISCONNECT, type Packet, type Properties, type ProtocolVersion } from "../mqtt/packet.ts";

export interface ConnectionFacts {
  readonly version: ProtocolVersion;
  readonly keepAliveSeconds: number;
  /** The client's Receive Maximum [MQTT5-3.3.4-9]; 65535 when it said nothing, and in 3.x. */
  readonly receiveMaximum: number;
  /** The client's Maximum Packet Size [MQTT5-3.1.2-24]; Infinity when it said nothing. */
  readonly packetBytesMax: number;
  /** The client's Topic Alias Maximum [MQTT5-3.1.2-26] [MQTT5-3.1.2-27]; 0 when it said nothing. */
  readonly topicAliasMaximum: number;
  /** Request Problem Information [MQTT5-3.1.2-29]. */
  readonly problemInformation: boolean;
  /** A relay stands before the socket: it answers PINGREQ and enforces Keep Alive. */
  readonly relayed: boolean;
  /** A 3.x client that says it is a bridge of another broker. */
  readonly bridge: boolean;
  /** The Authentication Method by which the client came in, and by which alone it may authenticate anew; undefined without one. */
  readonly authenticationMethod: string | undefined;
}

/**
 * The Keep Alive that is enforced, seconds: the operator's maximum where a 5.0 client asks for more or for none, which CONNACK then
 * says [MQTT5-3.2.2-22]; a 3.x client can't be told and keeps its own.
 */
export function effectiveKeepAliveSeconds(connect: Connect, limits: Limits): number {
  const { keepAliveSeconds, version } = connect;
  const max = limits.keepAliveSecondsMax;
  if (version !== 5 || max === 0) return keepAliveSeconds;
  return keepAliveSeconds === 0 ? max : Math.min(keepAliveSeconds, max);
}

/** What a CONNECT says about its connection. */
export function connectionFacts(connect: Connect, relayed: boolean): ConnectionFacts {
  const { properties } = connect;
  return {
    version: connect.version,
    keepAliveSeconds: connect.keepAliveSeconds,
    receiveMaximum: properties.receiveMaximum ?? 65_535,
    packetBytesMax: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    topicAliasMaximum: properties.topicAliasMaximum ?? 0,
    problemInformation: properties.requestProblemInformation !== 0,
    relayed,
    bridge: connect.bridge === true,
    authenticationMethod: properties.authenticationMethod,
  };
}

/** Packets on which Request Problem Information 0 forbids explanations are all but CONNACK and DISCONNECT [MQTT5-3.1.2-29]. */
const EXPLAINED_ALWAYS = new Set([2, DISCONNECT]);

/**
 * Encodes a packet for a client: explanations (Reason String, User Properties) are left out where it asked for none, and where
 * with them the packet would be larger than it accepts [MQTT5-3.2.2-19] [MQTT5-3.4.2-2] [MQTT5-3.9.2-1] [MQTT5-3.14.2-3].
 * @returns undefined when it is larger without them too: it must not be sent [MQTT5-3.1.2-24]
 */
export function encodeFor(
  packet: Packet,
  facts: Pick<ConnectionFacts, "version" | "packetBytesMax" | "problemInformation">,
): Uint8Array | undefined {
  const within = (bytes: Uint8Array): Uint8Array | undefined => (bytes.length <= facts.packetBytesMax ? bytes : undefined);
  const explained =
    "properties" in packet && (packet.properties.reasonString !== undefined || packet.properties.userProperties !== undefined);
  if (!explained) return within(encodePacket(packet, facts.version));
  if (facts.problemInformation || EXPLAINED_ALWAYS.has(packet.type)) {
    const bytes = within(encodePacket(packet, facts.version));
    if (bytes !== undefined) return bytes;
  }
  const { reasonString, userProperties, ...rest } = packet.properties as Properties;
  return within(encodePacket({ ...packet, properties: rest } as Packet, facts.version));
}

/** Whether a packet can be sent to a client, at least without its explanations. Most have said no limit: then nothing is encoded for it. */
export function hasRoomFor(packet: Packet, facts: Parameters<typeof encodeFor>[1]): boolean {
  return facts.packetBytesMax === Number.POSITIVE_INFINITY || encodeFor(packet, facts) !== undefined;
}
