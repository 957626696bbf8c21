/**
 * The session machine: the events that come to one Session object, each with its time, and who handles them. Nothing is awaited; what
 * is to happen leaves through the ports of the core. It decides nothing itself.
 */

import type { RetainedPage } from "../mqtt/batch.ts";
import type { Message } from "../mqtt/message.ts";
import type { Connect, Packet, SubscriptionRequest } from "../mqtt/packet.ts";
import * as Packets from "../mqtt/packet.ts";
import { PROTOCOL_ERROR } from "../mqtt/reason-code.ts";
import type { Receipt } from "../mqtt/receipt.ts";
import type { ShareTarget } from "../mqtt/share-target.ts";
import type { Violation } from "../mqtt/violation.ts";
import { DEADLINE_WORK } from "../work-limits.ts";
import { handlePuback, handlePubcomp, handlePubrec } from "./acknowledge.ts";
import { endPatience, hold } from "./catch-up.ts";
import { goOnWithChores } from "./chores.ts";
import { CLOSE_INTERNAL_ERROR, FAILED } from "./close-code.ts";
import { type ConnectOptions, handleConnect } from "./connect.ts";
import { keepConsumerWithinBounds } from "./consume.ts";
import { Consumer, type ConsumerBatch } from "./consumer.ts";
import { failed, handled, handleWatch, takeBatch } from "./consumer-batch.ts";
import type { SessionCore } from "./core.ts";
import {
  CONSUME,
  type Deadline,
  KEEP_ALIVE,
  LOGIN_END,
  RETAINED,
  SESSION_EXPIRY,
  SLOW,
  UNREAD,
  WILL_DELAY,
  WILL_WATCH,
} from "./deadlines.ts";
import { countAgain, deliver, deliverShared, type Outcome } from "./deliver.ts";
import { type DirectOutcome, deliverDirectly } from "./direct.ts";
import { connectionLost, handleDisconnect, handleKeepAlive, handleWillDelay, violated } from "./lifecycle.ts";
import { handleSessionExpiry } from "./moved-copy.ts";
import { askOwed, clientHeard, takePage } from "./owed-retained.ts";
import type { Identity, Wire } from "./ports.ts";
import { handlePublish, handlePubrel } from "./publish.ts";
import { handleSlow } from "./queue.ts";
import { boundsOf } from "./queue-bounds.ts";
import { handleAuth } from "./reauthenticate.ts";
import { type Judge, revoke } from "./revoke.ts";
import { handleLoginEnd } from "./rights.ts";
import { tidy } from "./rows.ts";
import type { Connection, Session } from "./session.ts";
import { handleSubscribe, handleUnsubscribe, subscribeOnBehalf, unsubscribeOnBehalf } from "./subscribe.ts";
import { askAll, endUnread, handleUnread } from "./unread.ts";
import { handleWillWatch } from "./will.ts";

export class SessionMachine {
  readonly #core: SessionCore;

  constructor(core: SessionCore) {
    this.#core = core;
  }

  /**
   * A CONNECT that passed `validateConnect` and whose identity is known.
   * @returns the connection; undefined when it was refused: CONNACK and close are on the wire then
   */
  connect(wire: Wire, connect: Connect, identity: Identity, options: ConnectOptions, now: number): Connection | undefined {
    const core = this.#core;
    core.now = now;
    try {
      return handleConnect(core, wire, connect, identity, options);
    } catch (error) {
      const session = core.sessions.get(connect.clientId);
      // Another connection of this client has no part in it.
      const isOther = session?.connection !== undefined && session.connection.wire !== wire;
      core.failures.caught(error, "handling CONNECT", isOther ? undefined : session);
      if (session?.connection?.wire !== wire)
        core.failures.guard("closing its connection", undefined, () => wire.close(CLOSE_INTERNAL_ERROR, FAILED));
      return undefined;
    }
  }

  /**
   * A packet of a connection; ignored once the connection has ended, and not to be called while one is half taken (`Connection.taking`).
   * @param packetBytes as it came
   * @param cameAt when it came: before now if it had to wait
   * @returns what it has cost beside itself, in packets: its filters, and whom its message was for
   */
  handle(connection: Connection, packet: Packet | Violation, now: number, packetBytes = 0, cameAt = now): number {
    const core = this.#core;
    core.now = now;
    if (!connection.open) return 0;
    this.#seen(connection);
    connection.packetBytes = packetBytes;
    connection.packetCameAt = cameAt;
    const before = core.work;
    let taken = 0;
    try {
      this.#dispatch(connection, packet);
      taken = connection.taking?.take(core.slices.share) ?? 0;
      clientHeard(core, connection);
      endUnread(core, connection);
    } catch (error) {
      this.#failed(connection, error);
    }
    return taken + core.work - before;
  }

  /** Takes more of a packet that is half taken, for about so much work. @returns how much it was */
  goOn(connection: Connection, work: number, now: number): number {
    this.#core.now = now;
    try {
      return connection.taking?.take(work) ?? 0;
    } catch (error) {
      this.#failed(connection, error);
      return 0;
    }
  }

  #failed(connection: Connection, error: unknown): void {
    // Of one whose connection is over already nothing is left to end.
    this.#core.failures.caught(error, "handling a packet", connection.session.connection === connection ? connection.session : undefined);
  }

  #dispatch(connection: Connection, packet: Packet | Violation): void {
    const core = this.#core;
    switch (packet.type) {
      case Packets.PUBLISH:
        handlePublish(core, connection, packet);
        return;
      case Packets.PUBACK:
        handlePuback(core, connection, packet);
        return;
      case Packets.PUBREC:
        handlePubrec(core, connection, packet);
        return;
      case Packets.PUBREL:
        handlePubrel(core, connection, packet);
        return;
      case Packets.PUBCOMP:
        handlePubcomp(core, connection, packet);
        return;
      case Packets.SUBSCRIBE:
        handleSubscribe(core, connection, packet);
        return;
      case Packets.UNSUBSCRIBE:
        handleUnsubscribe(core, connection, packet);
        return;
      case Packets.PINGREQ:
        // [MQTT5-3.12.4-1] [MQTT311-3.12.4-1]; a relay has answered already and only shows that its client lives.
        if (!connection.facts.relayed) connection.send({ type: Packets.PINGRESP });
        return;
      case Packets.DISCONNECT:
        handleDisconnect(core, connection, packet);
        return;
      case Packets.CONNECT:
        // [MQTT5-3.1.0-2] [MQTT311-3.1.0-2]
        violated(core, connection, PROTOCOL_ERROR, "a second CONNECT on one connection");
        return;
      case Packets.AUTH:
        handleAuth(core, connection, packet);
        return;
      case Packets.CONNACK:
      case Packets.SUBACK:
      case Packets.UNSUBACK:
      case Packets.PINGRESP:
        // [5.0/2.1.2/type0] [3.1.1/2.2.1/types]
        violated(core, connection, PROTOCOL_ERROR, "a packet that only a Server may send");
        return;
      default:
        violated(core, connection, packet.reasonCode, packet.message);
    }
  }

  /** Any packet shows that the client lives [5.0/3.1.2.10/zero]. The attachment may lag by a third of the Keep Alive. */
  #seen(connection: Connection): void {
    const { now, changes } = this.#core;
    connection.lastSeenAt = now;
    const { keepAliveMs } = connection;
    if (keepAliveMs > 0 && now - connection.attachedSeenAt > keepAliveMs / 3) changes.mark(connection);
  }

  /** The socket closed or failed. */
  lost(connection: Connection, now: number): void {
    this.#core.now = now;
    connectionLost(this.#core, connection);
  }

  /** The operator's word about sessions: `revoke.ts`. @param judged called when all of them have been */
  revoke(judge: Judge, now: number, judged: () => void): void {
    this.#core.now = now;
    revoke(this.#core, judge, judged);
  }

  /** The operator ends a client's connection; its session stays, and its will is published. @returns whether it had one */
  disconnect(clientId: string, reasonCode: number, message: string, now: number): boolean {
    this.#core.now = now;
    const connection = this.#core.sessions.get(clientId)?.connection;
    if (connection === undefined) return false;
    violated(this.#core, connection, reasonCode, message);
    return true;
  }

  /**
   * The operator subscribes a connected client, or ends a subscription of it (`subscribe.ts`).
   * @returns false when it is not connected: then nothing is done
   */
  subscribe(clientId: string, request: SubscriptionRequest, now: number, answered: (reasonCode: number, reason: string) => void): boolean {
    return this.#onBehalf(clientId, now, (connection) => subscribeOnBehalf(this.#core, connection, request, answered));
  }

  /** @param answered called at once: whether there was such a subscription */
  unsubscribe(clientId: string, filter: string, now: number, answered: (wasThere: boolean) => void): boolean {
    return this.#onBehalf(clientId, now, (connection) => answered(unsubscribeOnBehalf(this.#core, connection, filter)));
  }

  #onBehalf(clientId: string, now: number, act: (connection: Connection) => void): boolean {
    this.#core.now = now;
    const connection = this.#core.sessions.get(clientId)?.connection;
    if (!connection?.open) return false;
    act(connection);
    return true;
  }

  /** A message for one connected client, whatever it is subscribed to: `direct.ts`. */
  deliverDirectly(clientId: string, message: Message, now: number): DirectOutcome {
    this.#core.now = now;
    return deliverDirectly(this.#core, clientId, message);
  }

  /** A Topic object tells which events somebody wants. */
  learnEvents(events: number, now: number): void {
    this.#core.now = now;
    this.#core.events.learn(events);
  }

  /** A Topic object wants to be told who is there under a filter, from now on. */
  watchPresence(filter: string, now: number): void {
    this.#core.now = now;
    this.#core.presence.watch(filter);
  }

  /** Its socket is no more: what waited in it is gone. */
  gone(connection: Connection): void {
    connection.reading.end();
    this.#core.lingering.delete(connection);
  }

  /** A live message from the routing side. */
  deliver(message: Message, now: number): Outcome {
    this.#core.now = now;
    this.#core.slowing.begin(message);
    return deliver(this.#core, message, false);
  }

  /** A message that was here before. Only a session that was not may still be due it. */
  deliverRepeat(message: Message, now: number): void {
    this.#core.now = now;
    if (this.#core.moved.size > 0) deliver(this.#core, message, true);
  }

  /** A message for one member of a shared subscription. @param of so many that it is for */
  deliverShared(message: Message, target: ShareTarget, now: number, of = 1): Outcome {
    const core = this.#core;
    core.now = now;
    core.slowing.begin(message);
    core.isForMany = of > core.slices.many;
    try {
      return deliverShared(core, message, target, message.receipt);
    } finally {
      core.isForMany = false;
    }
  }

  /** A message that was here before has a receipt. @param shares that it was given to a member of */
  countAgain(message: Message, receipt: Receipt, live: boolean, shares: number): void {
    countAgain(this.#core, message, receipt, live, shares);
  }

  /** The message that came last is with all who want it here. @returns whether its publisher is to wait: `whenCaughtUp` tells how long */
  get isSlow(): boolean {
    return this.#core.slowing.end();
  }

  /** @param settle called once, when slow clients have caught up or too much time has passed */
  whenCaughtUp(settle: () => void): void {
    hold(this.#core, this.#core.slowing.take(), settle);
  }

  /** Retained messages that a subscription is owed and that were asked for. */
  takePage(page: RetainedPage, now: number): void {
    this.#core.now = now;
    takePage(this.#core, page);
  }

  /** What the handler of a consumer is given next; undefined when there is nothing. What is `counted` is to be in rows before. */
  takeBatch(consumer: Consumer, most: number, now: number): ConsumerBatch | undefined {
    this.#core.now = now;
    return takeBatch(this.#core, consumer, most);
  }

  /** The handler of a consumer has handled what it was given, or has not. */
  consumed(consumer: Consumer, isHandled: boolean, now: number): void {
    this.#core.now = now;
    if (isHandled) handled(this.#core, consumer);
    else failed(this.#core, consumer);
  }

  /**
   * Handles deadlines that are due and goes on with long jobs, for about so much work; harmless when called too often.
   * @returns whether more is left
   */
  proceed(now: number, work: number): boolean {
    const core = this.#core;
    const { deadlines } = core;
    core.now = now;
    askAll(core);
    if (core.endedAsleep.size > 0 && now >= core.endedAsleepUntil) core.endedAsleep.clear();
    const end = core.work + work;
    while (core.work < end && deadlines.isDue(now)) {
      core.work += DEADLINE_WORK;
      this.#runDeadline(deadlines.takeDue(now)!);
    }
    goOnWithChores(core, end);
    while (core.events.isLeft && core.work < end) {
      core.work += 1;
      core.events.publishNext();
    }
    while (core.presence.isLeft && core.work < end) {
      core.work += 1;
      core.presence.tellNext();
    }
    return deadlines.isDue(now) || core.chores.length > 0;
  }

  #runDeadline(due: Deadline): void {
    try {
      this.#handleDue(due);
    } catch (error) {
      // The others fall due all the same.
      this.#core.failures.caught(error, "handling a deadline", sessionOf(due));
    }
  }

  #handleDue({ kind, subject }: Deadline): void {
    const core = this.#core;
    if (subject instanceof Consumer) this.#handleConsumer(kind, subject);
    else if (kind === KEEP_ALIVE) handleKeepAlive(core, subject as Connection);
    else if (kind === WILL_DELAY) handleWillDelay(core, subject as Session);
    else if (kind === SESSION_EXPIRY) handleSessionExpiry(core, subject as Session);
    else if (kind === WILL_WATCH) handleWillWatch(core);
    else if (kind === UNREAD) handleUnread(core, subject as Connection);
    else if (kind === LOGIN_END) handleLoginEnd(core, subject as Connection);
    else if (kind === RETAINED) askOwed(core, subject as Session);
    else if (kind === SLOW) handleSlow(core, subject as Session);
    else tidy(core);
  }

  #handleConsumer(kind: number, consumer: Consumer): void {
    const core = this.#core;
    if (kind === CONSUME) {
      handleWatch(core, consumer);
      return;
    }
    endPatience(core, consumer);
    keepConsumerWithinBounds(core, consumer, boundsOf(core));
  }
}

/** Whose deadline it is; undefined for the object's own. */
function sessionOf({ kind, subject }: Deadline): Session | undefined {
  if (subject === undefined || subject instanceof Consumer) return undefined;
  return kind === KEEP_ALIVE || kind === UNREAD || kind === LOGIN_END ? (subject as Connection).session : (subject as Session);
}
