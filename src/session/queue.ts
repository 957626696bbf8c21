/**
 * What waits for a session's client and what is in flight to it: messages of QoS 1 and 2 go out in their order, as far as the client's
 * window allows, and again after it comes back.
 */

import { INFLIGHT_BYTES_MAX, packetIdsLeft, SLOW_FILL } from "../limits.ts";
import type { Message } from "../mqtt/message.ts";
import { NO_PROPERTIES, PUBREL } from "../mqtt/packet.ts";
import { SUCCESS } from "../mqtt/reason-code.ts";
import { MESSAGE_DROPPED } from "../topic/events.ts";
import { caughtUp, endPatience, hold, keepsUp, mayHold } from "./catch-up.ts";
import { isShared } from "./chunk.ts";
import { headFlags } from "./chunk-heads.ts";
import type { SessionCore } from "./core.ts";
import type { DropReason } from "./counters.ts";
import type { Delivery } from "./delivery.ts";
import { dropped } from "./dropped.ts";
import type { Due } from "./due.ts";
import { noted } from "./given.ts";
import { HandedOn } from "./handed-on.ts";
import { mayReceive, mayStillHave } from "./identity.ts";
import type { LogRecord } from "./log-record.ts";
import { boundsOf, isFull, type QueueBounds } from "./queue-bounds.ts";
import { expired, sendPublish } from "./send.ts";
import type { Connection, Session } from "./session.ts";
import { dueOfShare } from "./share-due.ts";
import { mayBeSent } from "./unread-bound.ts";
import { clearQueues, deliveryOf, loadNext, noteBacklog, noteBacklogs, queue, waitsInRows, withoutMessage } from "./waiting.ts";

/**
 * Sends a message that has just come if it is its turn, or lets it wait.
 * @returns false when the queue, or memory, is full and takes nothing new
 */
export function enqueue(core: SessionCore, session: Session, message: Message, due: Due, record: LogRecord | undefined): boolean {
  const goes = mayGo(core, session);
  if (!goes && !mayWait(core, session, message)) return false;
  add(core, session, message, due, record, goes);
  return true;
}

/** Where a message that has just come stands in rows for a session; undefined where it waits in memory alone. */
export function recordFor(core: SessionCore, session: Session, message: Message): LogRecord | undefined {
  return waitsInMemory(core, session) ? undefined : core.log.recordFor(message, session.lastSequence);
}

/** The same of one that is for this session alone. */
export function ownRecordFor(core: SessionCore, session: Session, message: Message): LogRecord | undefined {
  return waitsInMemory(core, session) ? undefined : core.log.append(message);
}

/** A session has no rows, or has them from now on and messages that wait without: what comes now stands behind those. */
function waitsInMemory({ waitingInMemory }: SessionCore, session: Session): boolean {
  return !session.stored || waitingInMemory.has(session);
}

/** Whether one more message would leave at once: the client is there and reads, nothing waits for it and its window is not full. */
export function mayGo(core: SessionCore, session: Session): boolean {
  const { connection, queued, resending, backlog } = session;
  if (queued.length + resending.length + backlog.count > 0 || !connection?.open) return false;
  return hasWindow(session, connection) && mayBeSent(core, connection);
}

function hasWindow({ inflight, inflightBytes }: Session, { window }: Connection): boolean {
  return inflight < window && inflightBytes < INFLIGHT_BYTES_MAX;
}

/** Whether one more message may wait; counts it as dropped when not. */
function mayWait(core: SessionCore, session: Session, message: Message): boolean {
  const { ledger, choices } = core;
  if (!ledger.takes("messages")) {
    dropped(core, "memory", session, message);
    return false;
  }
  if (choices.queuePolicy !== "reject_new") return true;
  const bounds = boundsOf(core);
  if (!isFull(session, message, bounds)) return true;
  if (bounds.short) ledger.refuse("queues");
  dropped(core, "queue_full", session, message);
  return false;
}

/** Sends a message if it is its turn, or lets it wait: one that the session has been promised, whatever the room. */
export function take(core: SessionCore, session: Session, message: Message, due: Due, record: LogRecord | undefined): void {
  add(core, session, message, due, record, mayGo(core, session));
}

function add(core: SessionCore, session: Session, message: Message, due: Due, record: LogRecord | undefined, goes: boolean): void {
  const packetId = session.allocatePacketId();
  const { size } = message;
  const sequence = record?.sequence ?? 0;
  if (record !== undefined) {
    core.log.addRecipient(record, { ...due, sessionNumber: session.number, packetId });
    session.lastSequence = sequence;
  } else if (due.qos === 2 && !due.owed) session.given = noted(session.given, core.repeats, message, due.share);
  if (!goes && record !== undefined && waitsInRows(core, session)) {
    session.backlog.push(sequence, size, packetId, headFlags(due), false);
    if (due.share !== "") noteBacklog(core, session, due.share);
  } else {
    const delivery: Delivery = { ...due, packetId, message, sequence, size, flags: 0, sent: false };
    session.deliveries.set(packetId, delivery);
    if (message.holders === 1) core.lent.add(message);
    if (goes) {
      send(core, session.connection!, delivery, message);
      return;
    }
    queue(core, session, delivery);
    if (record === undefined) core.waitingInMemory.add(session);
  }
  const bounds = boundsOf(core);
  const isHeld = session.connection !== undefined && core.slowing.isSlow(session, message, bounds, core.limits.receiveMaximum);
  keepWithinBounds(core, session, bounds, isHeld ? 1 : 0);
}

/** A delivery that was queued is not any more. */
function unqueue(session: Session, { owed, size }: Delivery): void {
  if (owed) session.queuedOwed -= 1;
  else session.queuedBytes -= size;
}

/** Whether a client that takes what it was sent has room for more. */
export function hasRoom({ queued, resending, backlog, inflight, inflightBytes }: Session, { window }: Connection): boolean {
  return queued.length + resending.length + backlog.count === 0 && 2 * inflight <= window && 2 * inflightBytes <= INFLIGHT_BYTES_MAX;
}

/**
 * Gives rows to messages that wait for a session in memory alone.
 * @param records those of the messages that others have waited for as well
 */
export function storeQueued(core: SessionCore, session: Session, records: Map<Message, LogRecord>): void {
  let last = 0;
  for (const delivery of session.queued) {
    const { message, packetId, qos, retain, identifiers, share, owed } = delivery;
    if (message === undefined || delivery.sequence !== 0) continue;
    let record = records.get(message);
    // What a session has in rows comes in the order of their numbers, each under its own: another one may have had this message without the
    // one before it, and this one may have it twice, for itself and as a member of a shared subscription.
    if (record === undefined || record.sequence <= last || core.log.isFull(record) || !core.log.isToBeWritten(record)) {
      record = core.log.append(message);
      records.set(message, record);
    }
    core.log.addRecipient(record, { sessionNumber: session.number, packetId, qos, retain, identifiers, share, owed });
    delivery.sequence = record.sequence;
    last = record.sequence;
    session.lastSequence = last;
  }
}

/**
 * A queue that is too long drops its oldest messages: what is new tells more. What was sent once is in flight and is not dropped, nor is
 * what the session is owed. What publishers do not take for safe yet may stand behind a full queue, unless memory is short.
 * @param held messages whose publishers are just to be made to wait
 * @param elsewhere nobody has looked yet whether other objects have members for what came through shared subscriptions
 */
export function keepWithinBounds(
  core: SessionCore,
  session: Session,
  { messages, bytes, short }: QueueBounds,
  held = 0,
  elsewhere = false,
): void {
  const unsettled = short ? 0 : Math.min((session.holds?.length ?? 0) + held, packetIdsLeft(core.limits));
  // What comes last has a place, however large it is.
  while (session.waiting > messages + unsettled || (session.waitingBytes > bytes && session.waiting > 1)) {
    if (short) core.ledger.refuse("queues");
    const oldest = takeOldest(core, session);
    if (passOn(core, session, oldest, elsewhere, "queue_full")) continue;
    dropped(core, "queue_full", session, oldest.message);
    over(core, session, oldest);
  }
}

/**
 * What a member of a shared subscription has no place for goes to another one that keeps up, if there is one.
 * @param reason why it may not stay
 * @returns whether there was one
 */
function passOn(core: SessionCore, session: Session, delivery: Delivery, elsewhere: boolean, reason: DropReason): boolean {
  const { message, share, qos } = delivery;
  // [MQTT5-4.8.2-5]: it may be begun where the session is, too.
  if (share === "" || message === undefined || (qos === 2 && session.offered)) return false;
  // A reset would bring it back.
  if (qos === 2 && waitsBefore(session, delivery.sequence)) return false;
  const taker = takerOf(core, session, share, message.topic);
  if (taker !== undefined) {
    handOver(core, session, delivery, taker);
    return true;
  }
  if (!elsewhere) return false;
  const passed = core.router.redistribute(core.renamed(message), share, new HandedOn(core, message, reason), false);
  if (passed) leave(core, session, delivery);
  return passed;
}

/** Of the members here that keep up the one with the shortest queue. */
function takerOf(core: SessionCore, session: Session, filter: string, topic: string): Session | undefined {
  let taker: Session | undefined;
  for (const member of core.shares.get(filter)?.candidates ?? []) {
    const takes = keepsUp(core, member) && member.subscriptions.get(filter)!.request.qos > 0 && mayHold(core, member);
    if (!takes || member === session || !mayReceive(core, member, topic)) continue;
    if (taker === undefined || member.waiting < taker.waiting) taker = member;
  }
  return taker;
}

/** Gives a member of a shared subscription what has waited for another one. */
export function handOver(core: SessionCore, owner: Session, delivery: Delivery, taker: Session): void {
  const message = delivery.message!;
  leave(core, owner, delivery);
  const { qos, ...due } = dueOfShare(taker, message, delivery.share);
  if (qos === 0) return;
  // It is acknowledged already, and must not drop what is: it has a place above that for as long as it waits.
  if (!mayGo(core, taker) && taker.waiting >= boundsOf(core).messages * SLOW_FILL) hold(core, [taker], () => {});
  take(core, taker, message, { ...due, qos }, ownRecordFor(core, taker, message));
}

/** A delivery that was taken out of the queue is somebody else's. */
function leave(core: SessionCore, session: Session, delivery: Delivery): void {
  over(core, session, delivery);
  // A reset must not bring it back here: at QoS 2 one member has it.
  if (delivery.qos === 2) core.changes.markRow(session);
}

/** A delivery that was taken out of the queue is over without having been sent. */
function over(core: SessionCore, session: Session, { packetId, sequence }: Delivery): void {
  core.receipts.over(session, packetId);
  session.deliveries.delete(packetId);
  const through = session.handledThrough;
  settled(core, session, sequence);
  // The row must not say that all through this one are done.
  if (waitsBefore(session, sequence)) session.handledThrough = through;
}

/** Whether an older one still waits, because the session is owed it. */
function waitsBefore({ queued, backlog }: Session, sequence: number): boolean {
  const first = queued.peek() ?? backlog.firstUnsent();
  return first !== undefined && first.sequence !== 0 && first.sequence < sequence;
}

/** Takes out the oldest that may be dropped; before it there is no more than what one client is sent at once. */
function takeOldest(core: SessionCore, session: Session): Delivery {
  const { queued, backlog } = session;
  if (queued.length === session.queuedOwed) {
    const index = backlog.oldestDroppable();
    const waiting = backlog.at(index);
    // Somebody else may have what came through a shared subscription; nothing else is read for that, unless somebody wants to know what it was.
    const isRead = isShared(waiting.flags) || core.events.wants(MESSAGE_DROPPED);
    const found = isRead ? core.log.find(waiting, session.number) : undefined;
    backlog.remove(index);
    return found === undefined ? withoutMessage(waiting) : deliveryOf(waiting, found);
  }
  const kept: Delivery[] = [];
  let oldest = queued.shift()!;
  for (; oldest.owed; oldest = queued.shift()!) kept.push(oldest);
  for (const delivery of kept.reverse()) queued.unshift(delivery);
  unqueue(session, oldest);
  return oldest;
}

/** Takes out one that waits in memory. */
export function takeOut(session: Session, delivery: Delivery): void {
  session.queued.remove(delivery);
  unqueue(session, delivery);
}

/** Somebody may have waited long enough for a slow client: its queue may hold less from now on. */
export function handleSlow(core: SessionCore, session: Session): void {
  endPatience(core, session);
  keepWithinBounds(core, session, boundsOf(core), 0, true);
}

/** Sends one delivery, or drops it where it may not be sent any more. */
function send(core: SessionCore, connection: Connection, delivery: Delivery, message: Message): void {
  const { session } = connection;
  // [MQTT5-3.3.2-5] [MQTT5-4.3.3-7]
  if (!delivery.sent && expired(message, core.now)) {
    dropped(core, "expired", session, message);
    finish(core, session, delivery);
    return;
  }
  if (!delivery.sent && !mayStillHave(core, session, message.topic)) {
    if (passOn(core, session, delivery, true, "not_authorized")) return;
    dropped(core, "not_authorized", session, message);
    finish(core, session, delivery);
    return;
  }
  const { qos, retain, packetId, identifiers } = delivery;
  let isSent: boolean;
  try {
    isSent = sendPublish(core, connection, message, { qos, retain, dup: delivery.sent, packetId, identifiers });
  } catch (error) {
    waitAgain(session, delivery);
    throw error;
  }
  if (!isSent) {
    dropped(core, "too_large", session, message);
    finish(core, session, delivery);
    return;
  }
  delivery.sent = true;
  connection.reading.awaitSign(packetId);
  session.inflightBytes += message.size;
  session.handledThrough = Math.max(session.handledThrough, delivery.sequence);
  core.changes.mark(connection);
}

/** A delivery that a fault of ours kept from leaving waits again, first of all: until its connection has ended for that it counts. */
function waitAgain(session: Session, delivery: Delivery): void {
  if (delivery.sent) {
    session.resending.unshift(delivery);
    return;
  }
  session.queued.unshift(delivery);
  if (delivery.owed) session.queuedOwed += 1;
  else session.queuedBytes += delivery.size;
}

/** Sends what waits as far as the client's window allows. */
export function pump(core: SessionCore, session: Session): void {
  const { connection, resending, queued } = session;
  if (!connection?.open) return;
  while (hasWindow(session, connection) && mayBeSent(core, connection)) {
    if (resending.length + queued.length === 0 && !loadNext(core, session)) break;
    const delivery = resending.shift() ?? queued.shift();
    if (delivery === undefined) continue;
    const { message } = delivery;
    if (message === undefined) continue;
    if (!delivery.sent) unqueue(session, delivery);
    send(core, connection, delivery, message);
  }
  if (queued.length === 0) core.waitingInMemory.delete(session);
  if (session.holds !== undefined) caughtUp(core, session);
}

/** After a resume: PUBREL and PUBLISH that were not acknowledged go out again, in order, under their identifiers [MQTT5-4.4.0-1]. */
export function resend(core: SessionCore, session: Session): void {
  const connection = session.connection!;
  for (const packetId of session.released) {
    connection.send({ type: PUBREL, packetId, reasonCode: SUCCESS, properties: NO_PROPERTIES });
  }
  requeue(core, session);
  noteBacklogs(core, session);
  pump(core, session);
}

/** The deliveries that are in memory wait (again), in order. */
export function requeue(core: SessionCore, session: Session): void {
  clearQueues(session);
  for (const delivery of session.deliveries.values()) {
    if (delivery.message === undefined) continue;
    if (delivery.sent) {
      session.resending.push(delivery);
      continue;
    }
    queue(core, session, delivery);
  }
}

/** What was sent under this Packet Identifier is acknowledged, perhaps before it was sent again on this connection. */
export function acknowledged(core: SessionCore, session: Session, packetId: number): void {
  const { deliveries, backlog } = session;
  session.acknowledgedAt = core.now;
  session.stuck = false;
  const delivery = deliveries.get(packetId);
  if (delivery !== undefined) finish(core, session, delivery);
  else settled(core, session, backlog.remove(backlog.sentIndex(packetId)).sequence);
}

/** A delivery is over: acknowledged, expired, given to another or too large. */
function finish(core: SessionCore, session: Session, delivery: Delivery): void {
  core.receipts.over(session, delivery.packetId);
  session.deliveries.delete(delivery.packetId);
  // One that waits to be sent again was not counted on this connection. One that was sent before the object slept was, if it is in a row;
  // else its size is 0.
  if (delivery.sent && !session.resending.remove(delivery)) session.inflightBytes = Math.max(0, session.inflightBytes - delivery.size);
  settled(core, session, delivery.sequence);
}

/** Nothing more is to be done about one of its deliveries, in memory or not. @param sequence 0 for one that the log does not have */
export function settled(core: SessionCore, session: Session, sequence: number): void {
  if (sequence !== 0) {
    session.handledThrough = Math.max(session.handledThrough, sequence);
    core.log.release(sequence);
  }
  if (session.connection !== undefined) core.changes.mark(session.connection);
}
