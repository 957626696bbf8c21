/**
 * The session core: all sessions of one Session object and what happens to them. Events go in with the time; what is to happen
 * leaves through the ports. Nothing is awaited. What must be stored is gathered and written by `flush`, which the host calls before it
 * sends what the wires gathered: so nothing leaves that is not safe, and a tick costs few rows.
 */

import type { Choices } from "../choices.ts";
import { ATTACHMENT_BYTES_MAX, type Limits, REPEAT_WINDOW_MS } from "../limits.ts";
import type { Message, Origin } from "../mqtt/message.ts";
import {
  AUTH,
  CONNACK,
  CONNECT,
  type Connect,
  DISCONNECT,
  type Packet,
  PINGREQ,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from "../mqtt/packet.ts";
import { PROTOCOL_ERROR } from "../mqtt/reason-code.ts";
import type { Violation } from "../mqtt/violation.ts";
import { FilterTree } from "../topic/filter-tree.ts";
import { handlePuback, handlePubcomp, handlePubrec } from "./acknowledge.ts";
import { type ConnectOptions, handleConnect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { createCounters } from "./counters.ts";
import { Deadlines, KEEP_ALIVE, LOG_TIDY, SESSION_EXPIRY, WILL_DELAY, WILL_WATCH } from "./deadlines.ts";
import { deliver, deliverRetained, deliverShared, Matching, type Outcome } from "./deliver.ts";
import { RecentExchanges } from "./exchanges.ts";
import type { Interest } from "./interest.ts";
import { connectionLost, handleDisconnect, handleKeepAlive, handleSessionExpiry } from "./lifecycle.ts";
import { MessageLog } from "./log.ts";
import type { Authorizer, Identity, ReauthenticationPort, RouterPort, SessionStore, Wire } from "./ports.ts";
import { handlePublish, handlePubrel } from "./publish.ts";
import { storeQueued } from "./queue.ts";
import { handleAuth } from "./reauthenticate.ts";
import { Repeats } from "./repeats.ts";
import { RowChanges } from "./row-changes.ts";
import type { Session, Subscription } from "./session.ts";
import type { LocalShare } from "./share.ts";
import { encodeAttachment, encodeSessionState } from "./state.ts";
import { handleSubscribe, handleUnsubscribe } from "./subscribe.ts";
import { handleWillDelay, handleWillWatch } from "./will.ts";

export interface SessionCoreOptions {
  /** The object's name, with something after an `@` that no earlier incarnation of the object had. */
  readonly origin: string;
  readonly limits: Limits;
  readonly store: SessionStore;
  readonly router: RouterPort;
  readonly authorizer: Authorizer;
  readonly reauthentication: ReauthenticationPort;
  readonly choices: Choices;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export class SessionCore {
  readonly limits: Limits;
  readonly store: SessionStore;
  readonly router: RouterPort;
  readonly authorizer: Authorizer;
  readonly reauthentication: ReauthenticationPort;
  readonly choices: Choices;
  readonly sessions = new Map<string, Session>();
  readonly connections = new Set<Connection>();
  /** Every subscription of every session here, by filter and Client Identifier. */
  readonly subscriptions = new FilterTree<Subscription>();
  /** The members here of each shared subscription, by its whole filter. */
  readonly shares = new Map<string, LocalShare>();
  readonly interests = new Map<string, Interest>();
  readonly deadlines = new Deadlines();
  readonly repeats = new Repeats();
  /** Incoming QoS 2 exchanges of stored sessions that no row says are safe, by sequence, the oldest first. */
  readonly openExchanges = new Map<number, Session>();
  readonly recentExchanges = new RecentExchanges();
  readonly log: MessageLog;
  /** Of subscriptions and wills. */
  readonly rowChanges: RowChanges;
  readonly matching = new Matching();
  readonly counters = createCounters();
  /** Milliseconds since the epoch, of the event at hand. */
  now: number;
  readonly #origin: string;
  /** Grows over restarts because it starts from the clock: a thousand numbers for every millisecond of life. */
  #number: number;
  #changedConnections: Connection[] = [];
  #changedSessions: Session[] = [];
  /** Sessions that came from another object and differ in what they had from the others here. */
  readonly moved = new Set<Session>();
  /** Sessions without rows for which messages wait. */
  readonly waitingInMemory = new Set<Session>();
  /** An alarm is set for wills that nothing else would wake the object for. */
  watchesWills = false;
  #tidyAt = 0;

  constructor(options: SessionCoreOptions) {
    this.limits = options.limits;
    this.store = options.store;
    this.router = options.router;
    this.authorizer = options.authorizer;
    this.reauthentication = options.reauthentication;
    this.choices = options.choices;
    this.now = options.now;
    this.#origin = options.origin;
    this.#number = options.now * 1000;
    this.log = new MessageLog(options.store, this.repeats, this.#number);
    this.rowChanges = new RowChanges(options.store);
  }

  /** A number that this object never gave before: for messages, versions of interest, sessions. */
  nextNumber(): number {
    this.#number += 1;
    return this.#number;
  }

  /** Numbers from now on are above this one, which was given before a restart: the clock may have been set back since. */
  raiseNumbers(above: number): void {
    this.#number = Math.max(this.#number, above);
    this.log.raiseSequence(above);
  }

  /** How a message that enters the broker here is named. */
  nextOrigin(publisher: string): Origin {
    this.counters.messagesReceived += 1;
    return { publisher, origin: this.#origin, sequence: this.nextNumber(), repeated: false, settledBelow: 0 };
  }

  /** Every QoS 2 message that entered here with a smaller sequence is over, or on record as safe: it is not repeated any more. */
  get settledBelow(): number {
    return this.openExchanges.keys().next().value ?? this.#number + 1;
  }

  /**
   * A CONNECT that passed `validateConnect` and whose identity is known.
   * @returns the connection; undefined when it was refused: CONNACK and close are on the wire then
   */
  connect(wire: Wire, connect: Connect, identity: Identity, options: ConnectOptions, now: number): Connection | undefined {
    this.now = now;
    return handleConnect(this, wire, connect, identity, options);
  }

  /** A packet of a connection; ignored once the connection has ended. */
  handle(connection: Connection, packet: Packet | Violation, now: number): void {
    this.now = now;
    if (!connection.open) return;
    this.#seen(connection);
    switch (packet.type) {
      case PUBLISH:
        handlePublish(this, connection, packet);
        return;
      case PUBACK:
        handlePuback(this, connection, packet);
        return;
      case PUBREC:
        handlePubrec(this, connection, packet);
        return;
      case PUBREL:
        handlePubrel(this, connection, packet);
        return;
      case PUBCOMP:
        handlePubcomp(this, connection, packet);
        return;
      case SUBSCRIBE:
        handleSubscribe(this, connection, packet);
        return;
      case UNSUBSCRIBE:
        handleUnsubscribe(this, connection, packet);
        return;
      case PINGREQ:
        // [MQTT5-3.12.4-1] [MQTT311-3.12.4-1]; a relay has answered already and only shows that its client lives.
        if (!connection.facts.relayed) connection.send({ type: PINGRESP });
        return;
      case DISCONNECT:
        handleDisconnect(this, connection, packet);
        return;
      case CONNECT:
        // [MQTT5-3.1.0-2] [MQTT311-3.1.0-2]
        this.violated(connection, PROTOCOL_ERROR, "a second CONNECT on one connection");
        return;
      case AUTH:
        handleAuth(this, connection, packet);
        return;
      case CONNACK:
      case SUBACK:
      case UNSUBACK:
      case PINGRESP:
        // [5.0/2.1.2/type0] [3.1.1/2.2.1/types]
        this.violated(connection, PROTOCOL_ERROR, "a packet that only a Server may send");
        return;
      default:
        this.violated(connection, packet.reasonCode, packet.message);
    }
  }

  /** [MQTT5-4.13.1-1] [MQTT311-4.8.0-1]: the connection ends, and nothing but the connection; its will is published. */
  violated(connection: Connection, reasonCode: number, message: string): void {
    connection.disconnect(reasonCode, message);
    connectionLost(this, connection);
  }

  /** Any packet shows that the client lives [5.0/3.1.2.10/zero]. The attachment may lag by a third of the Keep Alive. */
  #seen(connection: Connection): void {
    connection.lastSeenAt = this.now;
    const { keepAliveMs } = connection;
    if (keepAliveMs > 0 && this.now - connection.attachedSeenAt > keepAliveMs / 3) this.markChanged(connection);
  }

  /** The socket closed or failed. */
  lost(connection: Connection, now: number): void {
    this.now = now;
    connectionLost(this, connection);
  }

  /** A live message from the routing side. */
  deliver(message: Message, now: number): Outcome {
    this.now = now;
    return deliver(this, message, false);
  }

  /** A message that was here before. Only a session that was not may still be due it. */
  deliverRepeat(message: Message, now: number): void {
    this.now = now;
    if (this.moved.size > 0) deliver(this, message, true);
  }

  /**
   * A message for one member of a shared subscription.
   * @param key which member, for strategies by which the Topic object chooses
   */
  deliverShared(message: Message, filter: string, key: number, now: number): Outcome {
    this.now = now;
    return deliverShared(this, message, filter, key);
  }

  /** A retained message for one new subscription. */
  deliverRetained(message: Message, clientId: string, filter: string, now: number): void {
    this.now = now;
    deliverRetained(this, message, clientId, filter);
  }

  /** Handles every deadline that is due; harmless when called too often. */
  runDeadlines(now: number): void {
    this.now = now;
    for (let due = this.deadlines.takeDue(now); due !== undefined; due = this.deadlines.takeDue(now)) {
      if (due.kind === KEEP_ALIVE) handleKeepAlive(this, due.subject as Connection);
      else if (due.kind === WILL_DELAY) handleWillDelay(this, due.subject as Session);
      else if (due.kind === SESSION_EXPIRY) handleSessionExpiry(this, due.subject as Session);
      else if (due.kind === WILL_WATCH) handleWillWatch(this);
      else this.#tidy();
    }
  }

  /** Long after the last message: nothing of the log remains if nobody needs it, and nobody repeats anything any more. */
  #tidy(): void {
    this.#tidyAt = 0;
    this.repeats.forget(this.now);
    if (!this.repeats.remembersExchanges) this.log.tidy();
  }

  /** What its attachment says of a connection has changed. */
  markChanged(connection: Connection): void {
    if (connection.changed) return;
    connection.changed = true;
    this.#changedConnections.push(connection);
  }

  /** The session's row, if it has one, must be written before anything leaves. */
  markRowChanged(session: Session): void {
    if (session.connection !== undefined) this.markChanged(session.connection);
    if (session.rowChanged || !session.stored) return;
    session.rowChanged = true;
    this.#changedSessions.push(session);
  }

  /** The session has ended. */
  forgetRow(session: Session): void {
    for (const sequence of session.openExchanges) this.openExchanges.delete(sequence);
    this.moved.delete(session);
    this.rowChanges.forget(session);
    if (session.stored) this.store.deleteSession(session.number);
  }

  /** Whether messages wait in memory alone: those of sessions without rows whose clients acknowledge too slowly. */
  get holdsMessagesInMemory(): boolean {
    return this.waitingInMemory.size > 0;
  }

  /** Messages that wait in memory alone, and the sessions they wait for, have rows from the next flush on: the object may hibernate. */
  storeWaiting(): void {
    // One that is arriving is safe where it comes from.
    const waiting = [...this.waitingInMemory].filter(({ arriving }) => !arriving);
    for (const session of waiting) {
      if (!session.stored) this.beginStoring(session);
      this.markRowChanged(session);
    }
    storeQueued(this, waiting);
    this.waitingInMemory.clear();
  }

  /** How many messages and sessions the next flush has to write. */
  get unwritten(): number {
    return this.log.unwritten + this.#changedSessions.length;
  }

  /** Writes everything that must be safe before what the wires gathered is sent. */
  flush(): void {
    this.log.flush();
    const sessions = this.#changedSessions;
    this.#changedSessions = [];
    for (const session of sessions) {
      session.rowChanged = false;
      if (this.sessions.get(session.clientId) === session) this.#putRow(session);
    }
    const connections = this.#changedConnections;
    this.#changedConnections = [];
    for (const connection of connections) {
      connection.changed = false;
      if (connection.open) this.#attach(connection);
    }
    // Behind the rows of their sessions, which an attachment that grew too large may have needed as well.
    this.rowChanges.write();
    if (this.log.untidy && this.#tidyAt === 0) {
      this.#tidyAt = this.now + REPEAT_WINDOW_MS;
      this.deadlines.add({ at: this.#tidyAt, kind: LOG_TIDY, subject: undefined, slackMs: REPEAT_WINDOW_MS * 12 });
    }
  }

  #putRow(session: Session): void {
    this.store.putSession({ number: session.number, clientId: session.clientId, state: encodeSessionState(session, this.#number) });
    if (session.openExchanges.size > 0) this.#closeExchanges(session);
  }

  /** The row says of these exchanges that they are over or safe. */
  #closeExchanges(session: Session): void {
    const unsettled = new Set<number>();
    for (const { sequence, reasonCode } of session.received.values()) if (reasonCode === undefined) unsettled.add(sequence);
    for (const sequence of session.openExchanges) {
      if (unsettled.has(sequence)) continue;
      session.openExchanges.delete(sequence);
      this.openExchanges.delete(sequence);
    }
  }

  #attach(connection: Connection): void {
    const { session } = connection;
    let bytes = encodeAttachment(connection, session.oversized);
    if (bytes.length > ATTACHMENT_BYTES_MAX) {
      session.oversized = true;
      if (!session.stored) this.beginStoring(session);
      bytes = encodeAttachment(connection, true);
    }
    if (session.oversized) this.#putRow(session);
    connection.attachedSeenAt = connection.lastSeenAt;
    connection.wire.attach(bytes);
  }

  /**
   * The session has rows from now on. One that ends with its connection gets them when it is too large for an attachment, or when its
   * client lets messages wait; then for as long as it lasts.
   */
  beginStoring(session: Session): void {
    session.number = this.nextNumber();
    for (const subscription of session.subscriptions.values()) this.rowChanges.putSubscription(session, subscription);
  }
}
