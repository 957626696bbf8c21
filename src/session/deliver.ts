/**
 * Outgoing messages: who of this object's sessions gets one, at which QoS, and the QoS 1 and 2 handshakes with each of them.
 * Overlapping subscriptions of one client give one copy, at the highest QoS, with all Subscription Identifiers.
 */

import { INFLIGHT_BYTES_MAX } from "../limits.ts";
import { encodePublish, type Message, objectOf } from "../mqtt/message.ts";
import { type Acknowledgement, NO_PROPERTIES, PUBREL, type QoS } from "../mqtt/packet.ts";
import { PACKET_IDENTIFIER_NOT_FOUND, SUCCESS } from "../mqtt/reason-code.ts";
import type { Connection } from "./connection.ts";
import type { SessionCore } from "./core.ts";
import type { LogRecord } from "./log.ts";
import type { Delivery, Session, Subscription } from "./session.ts";
import { redistribute } from "./share.ts";

/** Finds the sessions whose subscriptions match one message, and what they are due together. */
export class Matching {
  #serial = 0;
  #message!: Message;
  readonly sessions: Session[] = [];
  /** A subscription matched but its owner is the publisher and wants none of its own: the interest is there all the same. */
  heldBack = false;

  begin(message: Message): void {
    this.#serial += 1;
    this.#message = message;
    this.sessions.length = 0;
    this.heldBack = false;
  }

  readonly visit = (subscription: Subscription): void => {
    const { session, request, identifier } = subscription;
    // [MQTT5-3.8.3-3]
    if (request.noLocal && session.clientId === this.#message.publisher) {
      this.heldBack = true;
      return;
    }
    if (session.matchSerial !== this.#serial) {
      session.matchSerial = this.#serial;
      session.matchQoS = request.qos;
      session.matchRetain = request.retainAsPublished;
      session.matchIdentifiers = identifier === 0 ? undefined : [identifier];
      this.sessions.push(session);
      return;
    }
    // [MQTT5-3.3.4-2] [MQTT311-3.3.5-1]
    if (request.qos > session.matchQoS) session.matchQoS = request.qos;
    if (request.retainAsPublished) session.matchRetain = true;
    // [MQTT5-3.3.4-4] [5.0/3.3.4/same-id]
    if (identifier !== 0) {
      if (session.matchIdentifiers === undefined) session.matchIdentifiers = [identifier];
      else session.matchIdentifiers.push(identifier);
    }
  };
}

/** What became of a message: everybody here has it, nobody here wants it, or somebody's queue is full and it was not taken. */
export type Outcome = "taken" | "unwanted" | "full";

/**
 * Gives a live message to every session here that wants it.
 * @param repeated it was here before
 */
export function deliver(core: SessionCore, message: Message, repeated: boolean): Outcome {
  const { matching } = core;
  matching.begin(message);
  core.subscriptions.match(message.topic, matching.visit);
  let record: LogRecord | undefined;
  let isFull = false;
  for (const session of matching.sessions) {
    if (core.moved.size > 0 && hadBefore(core, session, message, repeated)) continue;
    // [MQTT5-3.8.4-8] [MQTT311-3.8.4-6]
    const qos = Math.min(message.qos, session.matchQoS) as QoS;
    // [MQTT5-3.3.1-12] [MQTT5-3.3.1-13] [MQTT311-3.3.1-9]
    const retain = message.retain && session.matchRetain;
    if (qos === 0) {
      sendQoS0(core, session, message, retain, session.matchIdentifiers);
      continue;
    }
    if (session.stored && (record === undefined || core.log.isFull(record))) record = core.log.append(message);
    const due = { qos, retain, identifiers: session.matchIdentifiers, share: "" };
    isFull = !enqueue(core, session, message, due, session.stored ? record : undefined) || isFull;
  }
  if (isFull) return "full";
  return matching.sessions.length > 0 || matching.heldBack ? "taken" : "unwanted";
}

/** Whether a session, which may have moved here, was offered a message before. */
function hadBefore(core: SessionCore, session: Session, message: Message, repeated: boolean): boolean {
  if (!core.moved.has(session)) return repeated;
  // What is in doubt while it arrives is told apart when it has.
  if (session.arriving) return false;
  const { had, lacks } = session;
  const object = objectOf(message.origin);
  const lacked = lacks.has(object, message.sequence);
  const offered = repeated ? !lacked : had.has(object, message.sequence);
  if (lacked) {
    lacks.delete(object, message.sequence);
    core.markRowChanged(session);
  }
  for (const exchanges of [had, lacks]) exchanges.settle(message);
  if (had.size + lacks.size === 0) core.moved.delete(session);
  return offered;
}

/** Gives a retained message to the one subscription that asked for it, if it still stands. */
export function deliverRetained(core: SessionCore, message: Message, clientId: string, filter: string): void {
  const session = core.sessions.get(clientId);
  const subscription = session?.subscriptions.get(filter);
  if (session === undefined || subscription === undefined) return;
  // [MQTT5-3.8.3-3]
  if (subscription.request.noLocal && message.publisher === clientId) return;
  const qos = Math.min(message.qos, subscription.request.qos) as QoS;
  // [5.0/3.3.4/retained-id]
  const identifiers = subscription.identifier === 0 ? undefined : [subscription.identifier];
  // [MQTT311-3.3.1-8] [5.0/3.3.1.3/subscribe-flag]
  if (qos === 0) sendQoS0(core, session, message, true, identifiers);
  else
    enqueue(core, session, message, { qos, retain: true, identifiers, share: "" }, session.stored ? core.log.append(message) : undefined);
}

/** Gives a message to one member of a shared subscription; where its queue is full, to another one. */
export function deliverShared(core: SessionCore, message: Message, filter: string, key: number): Outcome {
  const share = core.shares.get(filter);
  const chosen = share?.choose(core.choices.sharedStrategy, key);
  if (share === undefined || chosen === undefined) return "unwanted";
  if (giveShared(core, chosen, message, filter)) return "taken";
  for (const member of share.members) if (member !== chosen && giveShared(core, member, message, filter)) return "taken";
  return "full";
}

/** @returns false when the member's queue is full */
function giveShared(core: SessionCore, session: Session, message: Message, filter: string): boolean {
  const subscription = session.subscriptions.get(filter)!;
  // [MQTT5-4.8.2-3]
  const qos = Math.min(message.qos, subscription.request.qos) as QoS;
  const retain = message.retain && subscription.request.retainAsPublished;
  // [5.0/3.3.4/shared-id]
  const identifiers = subscription.identifier === 0 ? undefined : [subscription.identifier];
  if (qos !== 0) {
    const due = { qos, retain, identifiers, share: filter };
    return enqueue(core, session, message, due, session.stored ? core.log.append(message) : undefined);
  }
  sendQoS0(core, session, message, retain, identifiers);
  return true;
}

function sendQoS0(
  core: SessionCore,
  session: Session,
  message: Message,
  retain: boolean,
  identifiers: readonly number[] | undefined,
): void {
  const { connection } = session;
  if (connection === undefined || !connection.open) return;
  if (expired(message, core.now)) {
    core.counters.messagesDropped.expired += 1;
    return;
  }
  const { version, packetBytesMax } = connection.facts;
  if (version === 5 && (identifiers !== undefined || connection.ownAliases.available)) {
    if (!sendPublish(core, connection, message, { qos: 0, retain, dup: false, packetId: 0, identifiers }))
      core.counters.messagesDropped.too_large += 1;
    return;
  }
  const bytes = message.encodeQoS0(version, retain, core.now);
  // [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]
  if (bytes.length > packetBytesMax) {
    core.counters.messagesDropped.too_large += 1;
    return;
  }
  core.counters.messagesDelivered += 1;
  connection.wire.send(bytes);
}

interface PublishShape {
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly packetId: number;
  readonly identifiers: readonly number[] | undefined;
}

/**
 * Sends one PUBLISH of its own, with a Topic Alias where the client takes one.
 * @returns false when it is larger than the client accepts: then nothing was sent
 */
function sendPublish(core: SessionCore, connection: Connection, message: Message, shape: PublishShape): boolean {
  const { alias, known } = connection.ownAliases.choose(message.topic);
  const bytes = encodePublish(message, {
    version: connection.version,
    qos: shape.qos,
    retain: shape.retain,
    dup: shape.dup,
    packetId: shape.packetId,
    now: core.now,
    subscriptionIdentifiers: shape.identifiers,
    topicAlias: alias,
    aliasKnown: known,
  });
  // [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]
  if (bytes.length > connection.facts.packetBytesMax) return false;
  if (alias !== 0 && !known) connection.ownAliases.sent(message.topic, alias);
  core.counters.messagesDelivered += 1;
  connection.wire.send(bytes);
  return true;
}

/**
 * Sends a message if it is its turn, or lets it wait.
 * @returns false when the queue is full and takes nothing new
 */
export function enqueue(
  core: SessionCore,
  session: Session,
  message: Message,
  due: Pick<Delivery, "qos" | "retain" | "identifiers" | "share">,
  record: LogRecord | undefined,
): boolean {
  const { connection } = session;
  const isNext = session.queued.length === 0 && session.resending.length === 0;
  const mayGo = isNext && session.inflightBytes < INFLIGHT_BYTES_MAX && session.inflight < (connection?.open ? connection.window : 0);
  if (!mayGo && core.choices.queuePolicy === "reject_new" && isFull(core, session, message)) {
    core.counters.messagesDropped.queue_full += 1;
    return false;
  }
  const { qos, retain, identifiers, share } = due;
  const packetId = session.allocatePacketId();
  const delivery: Delivery = { packetId, qos, retain, identifiers, message, record, share, sent: false };
  if (record !== undefined) core.log.addRecipient(record, { sessionNumber: session.number, packetId, qos, retain, identifiers, share });
  session.deliveries.set(packetId, delivery);
  if (mayGo) {
    send(core, connection!, delivery, message);
    return true;
  }
  session.queued.push(delivery);
  session.queuedBytes += message.size;
  if (record === undefined) core.waitingInMemory.add(session);
  keepWithinBounds(core, session);
  return true;
}

/** Whether one more message would not fit. */
function isFull({ limits }: SessionCore, { queued, queuedBytes }: Session, message: Message): boolean {
  return queued.length >= limits.queueMessagesMax || queuedBytes + message.size > limits.queueBytesMax;
}

/** Gives rows to messages that wait in memory alone, each one message for all sessions that it waits for. */
export function storeQueued(core: SessionCore, sessions: Iterable<Session>): void {
  const records = new Map<Message, LogRecord>();
  for (const session of sessions) {
    for (const delivery of session.queued) {
      const { message, packetId, qos, retain, identifiers, share } = delivery;
      if (message === undefined || delivery.record !== undefined) continue;
      let record = records.get(message);
      if (record === undefined || core.log.isFull(record)) {
        record = core.log.append(message);
        records.set(message, record);
      }
      core.log.addRecipient(record, { sessionNumber: session.number, packetId, qos, retain, identifiers, share });
      delivery.record = record;
    }
  }
}

/** A queue that is too long drops its oldest messages: what is new tells more. What was sent once is in flight and is not dropped. */
export function keepWithinBounds(core: SessionCore, session: Session): void {
  const { queueMessagesMax, queueBytesMax } = core.limits;
  while (session.queued.length > queueMessagesMax || session.queuedBytes > queueBytesMax) {
    const oldest = session.queued.shift()!;
    session.queuedBytes -= oldest.message?.size ?? 0;
    core.counters.messagesDropped.queue_full += 1;
    finish(core, session, oldest);
  }
}

function expired(message: Message, now: number): boolean {
  return message.expiresAt !== 0 && message.expiresAt <= now;
}

/** Sends one delivery, or drops it where it may not be sent any more. */
function send(core: SessionCore, connection: Connection, delivery: Delivery, message: Message): void {
  const { session } = connection;
  // [MQTT5-3.3.2-5] [MQTT5-4.3.3-7]
  if (!delivery.sent && expired(message, core.now)) {
    core.counters.messagesDropped.expired += 1;
    finish(core, session, delivery);
    return;
  }
  const { qos, retain, packetId, identifiers } = delivery;
  if (!sendPublish(core, connection, message, { qos, retain, dup: delivery.sent, packetId, identifiers })) {
    core.counters.messagesDropped.too_large += 1;
    finish(core, session, delivery);
    return;
  }
  delivery.sent = true;
  session.inflightBytes += message.size;
  if (delivery.record !== undefined) session.handledThrough = Math.max(session.handledThrough, delivery.record.sequence);
  core.markChanged(connection);
}

/** Sends what waits as far as the client's window allows. */
export function pump(core: SessionCore, session: Session): void {
  const { connection, resending, queued } = session;
  if (!connection?.open) return;
  while (resending.length + queued.length > 0 && session.inflight < connection.window && session.inflightBytes < INFLIGHT_BYTES_MAX) {
    const delivery = resending.shift() ?? queued.shift()!;
    const { message } = delivery;
    if (message === undefined) continue;
    if (!delivery.sent) session.queuedBytes -= message.size;
    send(core, connection, delivery, message);
  }
  if (queued.length === 0) core.waitingInMemory.delete(session);
}

/** After a resume: PUBREL and PUBLISH that were not acknowledged go out again, in order, under their identifiers [MQTT5-4.4.0-1]. */
export function resend(core: SessionCore, session: Session): void {
  const connection = session.connection!;
  for (const packetId of session.released) {
    connection.send({ type: PUBREL, packetId, reasonCode: SUCCESS, properties: NO_PROPERTIES });
  }
  requeue(session);
  pump(core, session);
}

/** The deliveries that `waits` tells wait (again), in order. */
export function requeue(session: Session, waits: (delivery: Delivery) => boolean = () => true): void {
  clearQueues(session);
  for (const delivery of session.deliveries.values()) {
    if (delivery.message === undefined || !waits(delivery)) continue;
    if (delivery.sent) {
      session.resending.push(delivery);
      continue;
    }
    session.queued.push(delivery);
    session.queuedBytes += delivery.message.size;
  }
}

function clearQueues(session: Session): void {
  session.resending.clear();
  session.queued.clear();
  session.queuedBytes = 0;
  session.inflightBytes = 0;
}

/** A delivery is over: acknowledged, expired or dropped. */
export function finish(core: SessionCore, session: Session, delivery: Delivery): void {
  session.deliveries.delete(delivery.packetId);
  // One that was sent on an earlier connection only was not counted on this one.
  if (delivery.sent) session.inflightBytes = Math.max(0, session.inflightBytes - (delivery.message?.size ?? 0));
  if (delivery.record !== undefined) {
    session.handledThrough = Math.max(session.handledThrough, delivery.record.sequence);
    core.log.release(delivery.record);
  }
  if (session.connection !== undefined) core.markChanged(session.connection);
}

/**
 * All deliveries of a session are over here.
 * @param over it has ended: what came through a shared subscription goes to another member
 */
export function forgetDeliveries(core: SessionCore, session: Session, over: boolean): void {
  for (const { message, record, share, qos, sent } of session.deliveries.values()) {
    // [MQTT5-4.8.2-5]: a QoS 2 message that was begun goes to nobody else.
    if (over && share !== "" && message !== undefined && !(qos === 2 && sent)) redistribute(core, message, share);
    if (record !== undefined) core.log.release(record);
  }
  session.deliveries.clear();
  clearQueues(session);
  core.waitingInMemory.delete(session);
}

/** PUBACK [MQTT5-4.3.2-3]; one for an unknown Packet Identifier has no effect. */
export function handlePuback(core: SessionCore, connection: Connection, packet: Acknowledgement): void {
  const { session } = connection;
  const delivery = session.deliveries.get(packet.packetId);
  if (delivery === undefined || !delivery.sent || delivery.qos !== 1) return;
  finish(core, session, delivery);
  pump(core, session);
}

/** PUBREC: recorded before PUBREL leaves, so that no crash can make the message appear again [MQTT5-4.3.3-6]. */
export function handlePubrec(core: SessionCore, connection: Connection, packet: Acknowledgement): void {
  const { session } = connection;
  const { packetId } = packet;
  const delivery = session.deliveries.get(packetId);
  const refused = packet.reasonCode >= 0x80;
  if (delivery?.sent && delivery.qos === 2) {
    finish(core, session, delivery);
    core.markRowChanged(session);
    if (refused) pump(core, session);
    else session.released.add(packetId);
  }
  // [MQTT5-4.4.0-2]: a refusal ends the exchange, there is nothing to release.
  if (refused) return;
  // [MQTT5-4.3.3-4]; [5.0/3.6.2.1/unknown]
  const reasonCode = connection.version !== 5 || session.released.has(packetId) ? SUCCESS : PACKET_IDENTIFIER_NOT_FOUND;
  connection.send({ type: PUBREL, packetId, reasonCode, properties: NO_PROPERTIES });
}

/** PUBCOMP ends the exchange [MQTT5-4.3.3-5]; one for an unknown Packet Identifier has no effect. */
export function handlePubcomp(core: SessionCore, connection: Connection, packet: Acknowledgement): void {
  const { session } = connection;
  if (!session.released.delete(packet.packetId)) return;
  core.markChanged(connection);
  pump(core, session);
}
