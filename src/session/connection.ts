/**
 * One Network Connection whose CONNECT was accepted, as the core sees it. Knows how to say something to its client in its client's
 * version; not what to say.
 */

import type { Limits } from "../limits.ts";
import { CLOSE_REASON_BYTES_MAX, KEEP_ALIVE_FACTOR, LIVENESS_MS } from "../limits.ts";
import { encodePacket } from "../mqtt/encode.ts";
import { type Connect, DISCONNECT, NO_PROPERTIES, type Packet, type Properties, type ProtocolVersion } from "../mqtt/packet.ts";
import { Deque } from "./deque.ts";
import type { Wire } from "./ports.ts";
import type { Incoming, Session } from "./session.ts";

/** WebSocket close codes (RFC 6455 7.4.1, and its registry). */
export const CLOSE_NORMAL = 1000;
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_PROTOCOL_ERROR = 1002;
export const CLOSE_UNSUPPORTED_DATA = 1003;
export const CLOSE_POLICY = 1008;
export const CLOSE_TOO_BIG = 1009;
export const CLOSE_TRY_AGAIN = 1013;

export interface ConnectionFacts {
  readonly version: ProtocolVersion;
  readonly keepAliveSeconds: number;
  /** The client's Receive Maximum [MQTT5-3.3.4-9]; 65535 when it said nothing, and in 3.x. */
  readonly receiveMaximum: number;
  /** The client's Maximum Packet Size [MQTT5-3.1.2-24]; Infinity when it said nothing. */
  readonly packetBytesMax: number;
  /** Request Problem Information [MQTT5-3.1.2-29]. */
  readonly problemInformation: boolean;
  /** A relay stands before the socket: it answers PINGREQ and enforces Keep Alive. */
  readonly relayed: boolean;
}

export class Connection {
  readonly wire: Wire;
  readonly session: Session;
  readonly facts: ConnectionFacts;
  /** How many deliveries may be unacknowledged at this client: its Receive Maximum and our own limit. */
  readonly window: number;
  /** QoS 1 and 2 messages from this client in the order of their arrival, until they are answered [MQTT311-4.6.0-2] [MQTT311-4.6.0-3]. */
  readonly incoming = new Deque<Incoming>();
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
  disconnect(reasonCode: number, message: string, closeCode: number): void {
    if (!this.open) return;
    this.open = false;
    if (this.version === 5) {
      this.send({ type: DISCONNECT, reasonCode, properties: message === "" ? NO_PROPERTIES : { reasonString: message } });
    }
    this.wire.close(closeCode, closeReason(message));
  }

  /** Closes without a word: the client said DISCONNECT. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.wire.close(CLOSE_NORMAL, "");
  }
}

/** What a CONNECT says about its connection. */
export function connectionFacts(connect: Connect, relayed: boolean): ConnectionFacts {
  const { properties } = connect;
  return {
    version: connect.version,
    keepAliveSeconds: connect.keepAliveSeconds,
    receiveMaximum: properties.receiveMaximum ?? 65_535,
    packetBytesMax: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    problemInformation: properties.requestProblemInformation !== 0,
    relayed,
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

const encoder = new TextEncoder();

/** Cuts a sentence to what a WebSocket close frame can carry. */
export function closeReason(message: string): string {
  if (encoder.encode(message).length <= CLOSE_REASON_BYTES_MAX) return message;
  let cut = message.slice(0, CLOSE_REASON_BYTES_MAX);
  while (encoder.encode(cut).length > CLOSE_REASON_BYTES_MAX) cut = cut.slice(0, -1);
  return cut;
}
