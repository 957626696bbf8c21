/**
 * One Network Connection whose CONNECT was accepted, as the core sees it. Knows how to say something to its client in its client's
 * version; not what to say.
 */

import type { Limits } from "../limits.ts";
import { CLOSE_REASON_BYTES_MAX, KEEP_ALIVE_FACTOR, LIVENESS_MS } from "../limits.ts";
import { cutUtf8 } from "../mqtt/bytes.ts";
import { encodePacket } from "../mqtt/encode.ts";
import { type Connect, DISCONNECT, NO_PROPERTIES, type Packet, type Properties, type ProtocolVersion } from "../mqtt/packet.ts";
import {
  IMPLEMENTATION_SPECIFIC_ERROR,
  MALFORMED_PACKET,
  PACKET_TOO_LARGE,
  PROTOCOL_ERROR,
  QUOTA_EXCEEDED,
  RECEIVE_MAXIMUM_EXCEEDED,
  SERVER_BUSY,
  SERVER_UNAVAILABLE,
  SESSION_TAKEN_OVER,
  TOPIC_ALIAS_INVALID,
} from "../mqtt/reason-code.ts";
import { Deque } from "./deque.ts";
import { OutgoingAliases } from "./outgoing-aliases.ts";
import type { Wire } from "./ports.ts";
import type { OpenReauthentication } from "./reauthenticate.ts";
import type { Incoming, Session } from "./session.ts";

/** WebSocket close codes (RFC 6455 7.4.1, and its registry). */
export const CLOSE_NORMAL = 1000;
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_PROTOCOL_ERROR = 1002;
export const CLOSE_UNSUPPORTED_DATA = 1003;
export const CLOSE_POLICY = 1008;
export const CLOSE_TOO_BIG = 1009;
export const CLOSE_INTERNAL_ERROR = 1011;
export const CLOSE_TRY_AGAIN = 1013;

/** Why a client is disconnected that much was sent to and nothing came from. */
export const UNHEARD = "too much was sent since the client was last heard: it does not read";

/** The close code that goes with a Reason Code, for clients that only see the WebSocket. */
export function closeCodeOf(reasonCode: number): number {
  switch (reasonCode) {
    case SESSION_TAKEN_OVER:
      return CLOSE_NORMAL;
    case PACKET_TOO_LARGE:
      return CLOSE_TOO_BIG;
    case MALFORMED_PACKET:
    case PROTOCOL_ERROR:
    case TOPIC_ALIAS_INVALID:
    case RECEIVE_MAXIMUM_EXCEEDED:
      return CLOSE_PROTOCOL_ERROR;
    case SERVER_UNAVAILABLE:
    case SERVER_BUSY:
    case QUOTA_EXCEEDED:
    case IMPLEMENTATION_SPECIFIC_ERROR:
      return CLOSE_TRY_AGAIN;
    default:
      return CLOSE_POLICY;
  }
}

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
  /** The Authentication Method by which the client came in, and by which alone it may authenticate anew; undefined without one. */
  readonly authenticationMethod: string | undefined;
}

export class Connection {
  readonly wire: Wire;
  readonly session: Session;
  readonly facts: ConnectionFacts;
  /** How many deliveries may be unacknowledged at this client: its Receive Maximum and our own limit. */
  readonly window: number;
  /** QoS 1 and 2 messages from this client in the order of their arrival, until they are answered [MQTT311-4.6.0-2] [MQTT311-4.6.0-3]. */
  readonly incoming = new Deque<Incoming>();
  /** The client's Topic Aliases: gone with the connection [MQTT5-3.3.2-7]. */
  readonly aliases = new Map<number, string>();
  /** Our Topic Aliases towards the client. Not kept through hibernation: an alias may be given to a topic anew at any time. */
  readonly ownAliases: OutgoingAliases;
  /** A re-authentication that is under way. */
  reauthentication: OpenReauthentication | undefined;
  /** How many of `incoming` are QoS 1: with the open QoS 2 exchanges of the session they count against our Receive Maximum. */
  unansweredQoS1 = 0;
  /** Milliseconds since the epoch. */
  lastSeenAt: number;
  /** `lastSeenAt` as the attachment has it. */
  attachedSeenAt = 0;
  /** The attachment no longer says what memory says. */
  changed = false;
  open = true;

  constructor(wire: Wire, session: Session, facts: ConnectionFacts, limits: Limits, now: number) {
    this.wire = wire;
    this.session = session;
    this.facts = facts;
    this.window = Math.min(facts.receiveMaximum, limits.inflightMax);
    this.ownAliases = new OutgoingAliases(facts.topicAliasMaximum);
    this.lastSeenAt = now;
  }

  get version(): ProtocolVersion {
    return this.facts.version;
  }

  /** Milliseconds without any packet after which the client is gone [MQTT5-3.1.2-22] [MQTT311-3.1.2-24]; 0 = never. */
  get keepAliveMs(): number {
    const { keepAliveSeconds, relayed } = this.facts;
    const ms = keepAliveSeconds * 1000 * KEEP_ALIVE_FACTOR;
    // A relay watches the Keep Alive itself and keeps back PINGREQ: here only a relay that is gone can be noticed.
    return relayed && ms > 0 ? 2 * ms + LIVENESS_MS : ms;
  }

  /** Sends a packet that is no PUBLISH, without its explanations where the client wants none or has no room for them. */
  send(packet: Packet): void {
    const bytes = encodeFor(packet, this.facts);
    // [MQTT5-3.1.2-24]: a client that leaves no room even for a bare answer gets none.
    if (bytes.length <= this.facts.packetBytesMax) this.wire.send(bytes);
  }

  /** Tells a 5.0 client why [MQTT5-4.13.1-1]; a 3.x client is just closed [3.1.1/3.14/server]. */
  disconnect(reasonCode: number, message: string): void {
    if (!this.open) return;
    this.open = false;
    if (this.version === 5) {
      this.send({ type: DISCONNECT, reasonCode, properties: message === "" ? NO_PROPERTIES : { reasonString: message } });
    }
    this.wire.close(closeCodeOf(reasonCode), closeReason(message));
  }

  /** Closes without a word: the client said DISCONNECT. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.wire.close(CLOSE_NORMAL, "");
  }
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
    authenticationMethod: properties.authenticationMethod,
  };
}

/** Packets on which Request Problem Information 0 forbids explanations are all but CONNACK and DISCONNECT [MQTT5-3.1.2-29]. */
const EXPLAINED_ALWAYS = new Set([2, DISCONNECT]);

/**
 * Encodes a packet for a client: explanations (Reason String, User Properties) are left out where it asked for none, and where
 * with them the packet would be larger than it accepts [MQTT5-3.2.2-19] [MQTT5-3.4.2-2] [MQTT5-3.9.2-1] [MQTT5-3.14.2-3].
 */
export function encodeFor(packet: Packet, facts: Pick<ConnectionFacts, "version" | "packetBytesMax" | "problemInformation">): Uint8Array {
  const explained =
    "properties" in packet && (packet.properties.reasonString !== undefined || packet.properties.userProperties !== undefined);
  if (!explained) return encodePacket(packet, facts.version);
  if (facts.problemInformation || EXPLAINED_ALWAYS.has(packet.type)) {
    const bytes = encodePacket(packet, facts.version);
    if (bytes.length <= facts.packetBytesMax) return bytes;
  }
  const { reasonString, userProperties, ...rest } = packet.properties as Properties;
  return encodePacket({ ...packet, properties: rest } as Packet, facts.version);
}

/** Cuts a sentence to what a WebSocket close frame can carry. */
export function closeReason(message: string): string {
  return cutUtf8(message, CLOSE_REASON_BYTES_MAX);
}
