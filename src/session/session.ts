/**
 * A Session, the state that belongs to a Client Identifier, and the Network Connection that it has or has not: they name each other, so
 * they stand together. Data and its bookkeeping; a connection knows how to say something to its client in its client's version, not
 * what to say. What is decided with them stands in the files of the packets.
 */

import { CountedMap, CountedSet, type Ledger } from "../ledger.ts";
import { KEEP_ALIVE_FACTOR, LIVENESS_MS, type Limits, PACKET_ID_MAX } from "../limits.ts";
import { MEMORY } from "../memory-limits.ts";
import { DISCONNECT, NO_PROPERTIES, type Packet, type ProtocolVersion, type QoS, type SubscriptionRequest } from "../mqtt/packet.ts";
import { SHARE_PREFIX } from "../topic/filter.ts";
import type { Asked } from "./asked.ts";
import { Backlog } from "./backlog.ts";
import { ClientAliases } from "./client-aliases.ts";
import { CLOSE_NORMAL, closeCodeOf, closeReason } from "./close-code.ts";
import { type ConnectionFacts, encodeFor } from "./connection-facts.ts";
import { Deliveries } from "./deliveries.ts";
import type { Delivery, Incoming } from "./delivery.ts";
import { Deque } from "./deque.ts";
import type { Given } from "./given.ts";
import type { Hold } from "./held-outcome.ts";
import { OpenExchangeSet } from "./open-exchanges.ts";
import { OutgoingAliases } from "./outgoing-aliases.ts";
import { OwedCursors } from "./owed-cursors.ts";
import type { Pace } from "./paces.ts";
import { type PendingWill, willBytes } from "./pending-will.ts";
import type { Identity, PublishAsker, Reauthentication, Unhandled, Wire } from "./ports.ts";
import { Reading } from "./reading.ts";
import { ReceivedExchanges } from "./received.ts";
import type { RecentExchanges } from "./recent-exchanges.ts";
import type { Taking } from "./taking.ts";

/** Session Expiry Interval 0xFFFFFFFF: never [5.0/3.1.2.11.2/default]. */
export const NEVER_EXPIRES = 0xffff_ffff;

export interface Subscription {
  readonly session: Session;
  readonly request: SubscriptionRequest;
  /** 0 when it has none. */
  readonly identifier: number;
}

/** A Session object that a session came from. */
export interface FormerOwner {
  readonly object: string;
  /** The number of the last delivery that it gave away. */
  readonly through: number;
}

/** How a connection ended, for people who look at the client. */
export interface Parted {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Of the DISCONNECT that came or was sent, or would have been in 5.0; undefined: its socket was closed or lost without one. */
  readonly reasonCode: number | undefined;
  /** For people; cut, and may be empty. */
  readonly reason: string;
}

export class Session {
  readonly clientId: string;
  /** Names the session in rows; 0 when it is not stored: then it lives in its socket's attachment and ends with it. */
  number: number;
  /** `setIdentity` changes it. */
  identity: Identity;
  /** Its subscriptions and what waits for it have been looked at under the rights of its identity. */
  isJudged = false;
  /** Whether what comes for it is looked at one by one; undefined until something comes. */
  limitsReceive: boolean | undefined;
  /** How many of those that wait to be sent may have come under other rights than it has now. */
  doubted = 0;
  connection: Connection | undefined;
  /** Session Expiry Interval, seconds; 0 = ends with its connection. */
  expirySeconds = 0;
  /** Milliseconds since the epoch when it ends; 0 while connected, Infinity for never. */
  expiresAt = 0;
  /** How its last connection ended; undefined where that is not known. */
  parted: Parted | undefined;
  #will: PendingWill | undefined;
  /** Its socket was lost with the object's memory: its client gets time to come back before the will is published. */
  inGrace = false;

  readonly subscriptions: CountedMap<string, Subscription>;
  /** UTF-8 bytes of their filters. */
  subscriptionBytes = 0;
  /** Those of them that Topic objects have not answered yet, the last one for each filter. */
  asked: Map<string, Asked<Subscription>> | undefined;
  /** QoS 1 and 2 messages not yet acknowledged, in the order of their Packet Identifiers' allocation, sent or not. */
  readonly deliveries: Deliveries;
  /** Those behind them, which are in rows alone: all while the client is away, what it can't take soon while it is connected. */
  readonly backlog: Backlog;
  /** Those of `deliveries` that were sent on an earlier connection and wait to be sent again on this one, in order. */
  readonly resending = new Deque<Delivery>();
  /** Those of `deliveries` that wait to be sent, in order. */
  readonly queued = new Deque<Delivery>();
  /** Bytes of those of them that count against the bounds of the queue. */
  queuedBytes = 0;
  /** How many of `queued` are retained messages that the session is owed: they count against no bound. */
  queuedOwed = 0;
  /** Bytes of topic, properties and payload of those that were sent on this connection. */
  inflightBytes = 0;
  /** Outcomes that wait for its client to catch up, oldest first; undefined while there was none. */
  holds: Deque<Hold> | undefined;
  /** Its client has acknowledged nothing for so long that nobody waits for it any more. */
  stuck = false;
  /** Milliseconds since the epoch: its client acknowledged something last. */
  acknowledgedAt = 0;
  /** Packet Identifiers whose PUBREC has come and whose PUBREL is out, in that order [MQTT5-4.3.3-6]. */
  readonly released: CountedSet<number>;
  /** Incoming QoS 2 exchanges that are not over, by Packet Identifier [MQTT5-4.3.3-10]. */
  readonly received: ReceivedExchanges;
  /** Those whose message the publisher may repeat after a loss of memory: no row says that it is safe. Packet Identifiers by sequence. */
  readonly openExchanges: CountedMap<number, number>;
  /** Those that began last: what is bounded for all is shared out. */
  recentExchanges: RecentExchanges | undefined;
  /** Of a session that moved here: QoS 2 messages that it was offered where it was before. */
  readonly had = new OpenExchangeSet();
  /** Of a session that moved here: QoS 2 messages that were offered here before it came, and not where it was. */
  readonly lacks = new OpenExchangeSet();
  /** Of one without rows: what it was given at QoS 2 lately; undefined until it is. */
  given: Given | undefined;
  /** Retained messages that its subscriptions are still owed, in the order in which they are asked for. */
  readonly owed: OwedCursors;
  /** Its row says that something is owed. */
  owedInRow = false;
  /** There is so much of it that each cursor has a row of its own; until none is left. */
  owedApart = false;
  /** Cursors that are over and whose rows are to be deleted. */
  owedOver: number[] = [];
  nextPacketId = 1;
  /** Log records up to this one were sent or dropped: of them only those in `deliveries` still need something. */
  handledThrough = 0;
  /** The last log record that it was given in this life. */
  lastSequence = 0;
  /** Its state is too large for an attachment: for as long as this connection lasts it is kept in its row. */
  oversized = false;
  /** The Session objects that it came from and that have not heard yet that it is here. */
  cameFrom: readonly FormerOwner[] = [];
  /** Another Session object has asked for it: until that has said what became of it, the session may be there and newer. */
  offered = false;
  /** It is there: what is here is a copy without subscriptions, and nobody may take it for the session. */
  retired = false;
  /** Milliseconds since the epoch: it moved here in this life of the object; 0 when it did not. */
  movedAt = 0;
  /** It is on its way here from another object, which keeps it safe until it has arrived. */
  arriving = false;
  /** Nothing comes through its subscriptions any more: they are being taken out. */
  isDeaf = false;
  /** The row differs from memory in a way that must be written before anything leaves. */
  rowChanged = false;

  /** What the message being delivered has found so far; `matchSerial` tells whether that is of this message. */
  matchSerial = 0;
  matchQoS: QoS = 0;
  matchRetain = false;
  matchIdentifiers: number[] | undefined;

  readonly #ledger: Ledger;

  /** @param ledger what it holds is counted there, for as long as it holds it */
  constructor(clientId: string, number: number, identity: Identity, ledger: Ledger) {
    this.clientId = clientId;
    this.number = number;
    this.identity = identity;
    this.#ledger = ledger;
    this.subscriptions = new CountedMap(ledger, "subscriptions", subscriptionBytes);
    this.deliveries = new Deliveries(ledger);
    this.backlog = new Backlog(ledger);
    this.released = new CountedSet(ledger, "exchanges", MEMORY.numberBytes);
    this.received = new ReceivedExchanges(ledger);
    this.openExchanges = new CountedMap(ledger, "exchanges", numberBytes);
    this.owed = new OwedCursors(ledger);
  }

  get will(): PendingWill | undefined {
    return this.#will;
  }

  set will(will: PendingWill | undefined) {
    this.#ledger.add("wills", willBytes(will?.will) - willBytes(this.#will?.will));
    this.#will = will;
  }

  get stored(): boolean {
    return this.number !== 0;
  }

  /** How many messages wait to be sent for the first time, but for what the session is owed. */
  get waiting(): number {
    return this.queued.length - this.queuedOwed + this.backlog.unsent - this.backlog.owed;
  }

  /** Deliveries that were sent on this connection and await an acknowledgement, PUBREL included. */
  get inflight(): number {
    return this.deliveries.size - this.resending.length - this.queued.length + this.released.size;
  }

  /** How many deliveries are not over, wherever they are. */
  get outstanding(): number {
    return this.deliveries.size + this.backlog.count;
  }

  /** Those of them that were never sent, or wait to be loaded. */
  get unsent(): number {
    return this.queued.length + this.backlog.unsent;
  }

  /** Their bytes. */
  get waitingBytes(): number {
    return this.queuedBytes + this.backlog.bytes;
  }

  /** The Packet Identifier that was allocated last. */
  get lastPacketId(): number {
    return this.nextPacketId === 1 ? PACKET_ID_MAX : this.nextPacketId - 1;
  }

  /** The next Packet Identifier that is not in use [MQTT5-2.2.1-4]: 1, 2, 3 ... and round again. */
  allocatePacketId(): number {
    for (;;) {
      const packetId = this.nextPacketId;
      this.nextPacketId = packetId === PACKET_ID_MAX ? 1 : packetId + 1;
      if (!this.#isInUse(packetId)) return packetId;
    }
  }

  /** One that is not in use, from anywhere on. */
  findPacketId(from: number): number {
    let packetId = (from % PACKET_ID_MAX) + 1;
    while (this.#isInUse(packetId)) packetId = (packetId % PACKET_ID_MAX) + 1;
    return packetId;
  }

  #isInUse(packetId: number): boolean {
    const { deliveries, released, backlog, connection } = this;
    return deliveries.has(packetId) || released.has(packetId) || backlog.has(packetId) || connection?.reading.isAsked(packetId) === true;
  }
}

function numberBytes(): number {
  return MEMORY.numberBytes;
}

/** What a subscription costs in memory, the trees of filters and the share included. */
export function subscriptionBytes(filter: string): number {
  const share = filter.startsWith(SHARE_PREFIX) ? MEMORY.shareBytes : 0;
  return MEMORY.subscriptionBytes + share + MEMORY.characterBytes * filter.length;
}

/** A re-authentication that is under way. */
export interface OpenReauthentication {
  readonly exchange: Reauthentication;
  /** The broker has spoken last. */
  clientsTurn: boolean;
}

/** One Network Connection whose CONNECT was accepted. */
export class Connection {
  readonly wire: Wire;
  readonly session: Session;
  readonly facts: ConnectionFacts;
  /** How many deliveries may be unacknowledged at this client: its Receive Maximum and our own limit. */
  readonly window: number;
  /** QoS 1 and 2 messages from this client in the order of their arrival, until they are answered [MQTT311-4.6.0-2] [MQTT311-4.6.0-3]. */
  readonly incoming: Deque<Incoming>;
  /** The client's Topic Aliases: gone with the connection [MQTT5-3.3.2-7]. */
  readonly aliases: ClientAliases;
  /** Our Topic Aliases towards the client. Not kept through hibernation: an alias may be given to a topic anew at any time. */
  readonly ownAliases: OutgoingAliases;
  /** A re-authentication that is under way. */
  reauthentication: OpenReauthentication | undefined;
  /** How many of `incoming` are QoS 1: with the open QoS 2 exchanges of the session they count against our Receive Maximum. */
  unansweredQoS1 = 0;
  /** Asks the Worker's code about its messages; undefined where that has nothing to say. */
  asker: PublishAsker | undefined;
  /** What its host has not handled. */
  unhandled: Unhandled | undefined;
  /** How fast it may send; from the first packet on that is limited. */
  pace: Pace | undefined;
  /** Of the packet at hand, as it came. */
  packetBytes = 0;
  /** When that was, milliseconds since the epoch. */
  packetCameAt = 0;
  /** Milliseconds since the epoch. */
  lastSeenAt: number;
  /** When its CONNECT was accepted, milliseconds since the epoch; 0 = not known. */
  connectedAt: number;
  /** `lastSeenAt` as the attachment has it. */
  attachedSeenAt = 0;
  /** The attachment no longer says what memory says. */
  changed = false;
  /** What comes is taken, and what is to be said is sent: until its end, or a fault of ours that leads to it. */
  open = true;
  /** Its socket is closed or was told to close. */
  #isOver = false;
  readonly reading: Reading;
  /** Its SUBSCRIBE and UNSUBSCRIBE packets; from the first one on. */
  taking: Taking | undefined;

  /** @param ledger what it holds is counted there until `forget` */
  constructor(wire: Wire, session: Session, facts: ConnectionFacts, limits: Limits, ledger: Ledger, now: number) {
    this.wire = wire;
    this.session = session;
    this.facts = facts;
    this.window = Math.min(facts.receiveMaximum, limits.inflightMax);
    this.reading = new Reading(ledger);
    const exchanges = ledger.account("exchanges");
    this.incoming = new Deque((count) => exchanges.add(count * MEMORY.incomingBytes));
    this.aliases = new ClientAliases(ledger);
    this.ownAliases = new OutgoingAliases(facts.topicAliasMaximum, ledger);
    this.lastSeenAt = now;
    this.connectedAt = now;
  }

  /** Sends a whole packet. */
  write(bytes: Uint8Array): void {
    this.reading.sent(bytes.length);
    this.wire.send(bytes);
  }

  /** It is over: nothing that belongs to it alone is kept. */
  forget(): void {
    this.#isOver = true;
    this.taking?.end();
    this.incoming.clear();
    this.aliases.clear();
    this.ownAliases.clear();
  }

  get version(): ProtocolVersion {
    return this.facts.version;
  }

  /**
   * Subscription Options mean something to its client. In a session that another version began, a 3.x client finds subscriptions as it
   * knows them; the options are there again for the next client that knows them too.
   */
  get seesOptions(): boolean {
    return this.facts.version === 5 || this.facts.bridge;
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
    // Who had room for CONNACK has it for every bare answer but a long list of codes, which is looked at before (`subscribe.ts`).
    if (bytes !== undefined) this.write(bytes);
  }

  /**
   * Tells a 5.0 client why [MQTT5-4.13.1-1]; a 3.x client is just closed [3.1.1/3.14/server]. Also one that a fault of ours happened to, which
   * is not open any more: whatever ends a connection first closes its socket.
   */
  disconnect(reasonCode: number, message: string): void {
    if (this.#isOver) return;
    this.open = false;
    this.#isOver = true;
    try {
      if (this.version === 5) {
        this.send({ type: DISCONNECT, reasonCode, properties: message === "" ? NO_PROPERTIES : { reasonString: message } });
      }
    } finally {
      this.wire.close(closeCodeOf(reasonCode), closeReason(message));
    }
  }

  /** Closes without a word: the client said DISCONNECT. */
  close(): void {
    if (this.#isOver) return;
    this.open = false;
    this.#isOver = true;
    this.wire.close(CLOSE_NORMAL, "");
  }
}
