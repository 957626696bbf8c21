/**
 * A Session: the state that belongs to a Client Identifier, with or without a Network Connection. Data and its bookkeeping; what is
 * decided with it stands in the files of the packets.
 */

import { PACKET_ID_MAX } from "../limits.ts";
import type { Message } from "../mqtt/message.ts";
import type { QoS, SubscriptionRequest, Will } from "../mqtt/packet.ts";
import type { Connection } from "./connection.ts";
import { Deque } from "./deque.ts";
import type { LogRecord } from "./log.ts";
import { OpenExchangeSet } from "./open-exchanges.ts";
import type { Identity, Ticket } from "./ports.ts";

/** Session Expiry Interval 0xFFFFFFFF: never [5.0/3.1.2.11.2/default]. */
export const NEVER_EXPIRES = 0xffff_ffff;

export interface Subscription {
  readonly session: Session;
  readonly request: SubscriptionRequest;
  /** 0 when it has none. */
  readonly identifier: number;
}

/** One Application Message on its way to one Session at QoS 1 or 2. Exists until it is acknowledged, expired or dropped. */
export interface Delivery {
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly identifiers: readonly number[] | undefined;
  /** Undefined after hibernation when only its acknowledgement is still awaited. */
  readonly message: Message | undefined;
  /** Where the message is stored; undefined for sessions that are not, or were not when it came. */
  record: LogRecord | undefined;
  /** The shared subscription that it came through, `$share/` included; empty for none. */
  readonly share: string;
  /** PUBLISH went out at least once: the next one carries DUP [MQTT5-3.3.1-1], and expiry no longer applies [MQTT5-4.3.3-7]. */
  sent: boolean;
}

/** A Session object that a session came from. */
export interface FormerOwner {
  readonly object: string;
  /** The number of the last delivery that it gave away. */
  readonly through: number;
}

/** A Will Message that may have to be published. */
export interface PendingWill {
  readonly will: Will;
  /** Milliseconds since the epoch; 0 while the client is connected. */
  readonly dueAt: number;
  /** It waits for a client that was lost with the object's memory, which may know nothing of it: back in time, it has its will discarded. */
  readonly inGrace: boolean;
}

/** An incoming QoS 1 or 2 PUBLISH between its arrival and the end of its exchange. */
export interface Incoming extends Ticket {
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly sequence: number;
  /** The Session object that gave it its sequence, for an exchange that moved here with its session; undefined: this one. */
  readonly begunAt: string | undefined;
  /** The routing side has it; false for one that a restart found and whose publisher has not repeated it yet. */
  handedOn: boolean;
  /** Undefined until every Session object concerned has the message. */
  reasonCode: number | undefined;
}

export class Session {
  readonly clientId: string;
  /** Names the session in rows; 0 when it is not stored: then it lives in its socket's attachment and ends with it. */
  number: number;
  identity: Identity;
  connection: Connection | undefined;
  /** Session Expiry Interval, seconds; 0 = ends with its connection. */
  expirySeconds = 0;
  /** Milliseconds since the epoch when it ends; 0 while connected, Infinity for never. */
  expiresAt = 0;
  will: PendingWill | undefined;
  /** Its socket was lost with the object's memory: its client gets time to come back before the will is published. */
  inGrace = false;

  readonly subscriptions = new Map<string, Subscription>();
  /** QoS 1 and 2 messages not yet acknowledged, in the order of their Packet Identifiers' allocation, sent or not. */
  readonly deliveries = new Map<number, Delivery>();
  /** Those of `deliveries` that were sent on an earlier connection and wait to be sent again on this one, in order. */
  readonly resending = new Deque<Delivery>();
  /** Those of `deliveries` that wait to be sent, in order. */
  readonly queued = new Deque<Delivery>();
  queuedBytes = 0;
  /** Bytes of topic, properties and payload of those that were sent on this connection. */
  inflightBytes = 0;
  /** Packet Identifiers whose PUBREC has come and whose PUBREL is out, in that order [MQTT5-4.3.3-6]. */
  readonly released = new Set<number>();
  /** Incoming QoS 2 exchanges that are not over, by Packet Identifier [MQTT5-4.3.3-10]. */
  readonly received = new Map<number, Incoming>();
  /** Sequences of those whose message the publisher may repeat after a loss of memory: no row says that it is safe. */
  readonly openExchanges = new Set<number>();
  /** Of a session that moved here: QoS 2 messages that it was offered where it was before. */
  readonly had = new OpenExchangeSet();
  /** Of a session that moved here: QoS 2 messages that were offered here before it came, and not where it was. */
  readonly lacks = new OpenExchangeSet();
  nextPacketId = 1;
  /** Log records up to this one were sent or dropped: of them only those in `deliveries` still need something. */
  handledThrough = 0;
  /** Its state is too large for an attachment: for as long as this connection lasts it is kept in its row. */
  oversized = false;
  /** The Session objects that it came from and that have not heard yet that it is here. */
  cameFrom: readonly FormerOwner[] = [];
  /** Another Session object has asked for it: until that has said what became of it, the session may be there and newer. */
  offered = false;
  /** Milliseconds since the epoch: it moved here in this life of the object; 0 when it did not. */
  movedAt = 0;
  /** It is on its way here from another object, which keeps it safe until it has arrived. */
  arriving = false;
  /** The row differs from memory in a way that must be written before anything leaves. */
  rowChanged = false;

  /** What the message being delivered has found so far; `matchSerial` tells whether that is of this message. */
  matchSerial = 0;
  matchQoS: QoS = 0;
  matchRetain = false;
  matchIdentifiers: number[] | undefined;

  constructor(clientId: string, number: number, identity: Identity) {
    this.clientId = clientId;
    this.number = number;
    this.identity = identity;
  }

  get stored(): boolean {
    return this.number !== 0;
  }

  /** Deliveries that were sent on this connection and await an acknowledgement, PUBREL included. */
  get inflight(): number {
    return this.deliveries.size - this.resending.length - this.queued.length + this.released.size;
  }

  /** The next Packet Identifier that is not in use [MQTT5-2.2.1-4]: 1, 2, 3 ... and round again. */
  allocatePacketId(): number {
    for (;;) {
      const packetId = this.nextPacketId;
      this.nextPacketId = packetId === PACKET_ID_MAX ? 1 : packetId + 1;
      if (!this.deliveries.has(packetId) && !this.released.has(packetId)) return packetId;
    }
  }
}
