/**
 * Who of this object's sessions gets a message, and at which QoS. Overlapping subscriptions of one client give one copy, at the highest
 * QoS, with all Subscription Identifiers.
 */

import { REPEAT_WINDOW_MS } from "../limits.ts";
import { type Message, objectOf } from "../mqtt/message.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { Receipt } from "../mqtt/receipt.ts";
import type { ShareTarget } from "../mqtt/share-target.ts";
import { DELIVERY_WORK, MATCH_WORK, SHARED_WORK } from "../work-limits.ts";
import type { SessionCore } from "./core.ts";
import { dropped } from "./dropped.ts";
import { mayReceive } from "./identity.ts";
import { enqueue, recordFor } from "./queue.ts";
import { AS_PUBLISHED } from "./retain.ts";
import { sendQoS0 } from "./send.ts";
import type { Session } from "./session.ts";
import { announce } from "./share.ts";
import { dueOfShare } from "./share-due.ts";
import { memberFor } from "./share-member.ts";
import { inRows, peek } from "./waiting.ts";

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
  core.work += DELIVERY_WORK * matching.sessions.length + MATCH_WORK * matching.count;
  core.isForMany = matching.sessions.length > core.slices.many;
  let isFull = false;
  for (const session of matching.sessions) {
    try {
      // Not by whether any session has moved alone: the last of them may just have ceased to be told apart.
      if ((repeated || core.moved.size > 0) && hadBefore(core, session, message, repeated)) continue;
      if (!mayReceive(core, session, message.topic)) {
        dropped(core, "not_authorized", session, message);
        continue;
      }
      // [MQTT5-3.8.4-8] [MQTT311-3.8.4-6]
      const qos = Math.min(message.qos, session.matchQoS) as QoS;
      // [MQTT5-3.3.1-12] [MQTT5-3.3.1-13] [MQTT311-3.3.1-9]
      const retain = message.retain && session.matchRetain && AS_PUBLISHED;
      if (qos === 0) {
        sendQoS0(core, session, message, retain, session.matchIdentifiers);
        if (message.receipt !== undefined) core.receipts.sent(session, message.receipt);
        continue;
      }
      if (session.stored && core.room.isFull) {
        dropped(core, "queue_full", session, message);
        isFull = true;
        continue;
      }
      const due = { qos, retain, identifiers: session.matchIdentifiers, share: "", owed: false };
      if (!enqueue(core, session, message, due, recordFor(core, session, message))) isFull = true;
      else if (message.receipt !== undefined) core.receipts.given(session, message.receipt, core.now);
    } catch (error) {
      // The others get it all the same. What was taken for this one waits for it; of the rest the publisher hears that not everyone has it.
      core.failures.caught(error, "giving it a message", session);
      isFull = isFull || (Math.min(message.qos, session.matchQoS) > 0 && !isTaken(core, session, message));
    }
  }
  core.isForMany = false;
  if (isFull) return "full";
  return matching.sessions.length > 0 || matching.heldBack ? "taken" : "unwanted";
}

/** Whether a message that failed on its way to a client waits for it all the same. */
function isTaken(core: SessionCore, session: Session, message: Message): boolean {
  const { deliveries, backlog, lastPacketId } = session;
  const last = backlog.count > 0 ? backlog.at(backlog.count - 1) : undefined;
  if (last?.packetId === lastPacketId) return core.log.find(last, session.number)?.message === message;
  return deliveries.get(lastPacketId)?.message === message;
}

/** Whether a session, which may have moved here, was offered a message before. */
function hadBefore(core: SessionCore, session: Session, message: Message, repeated: boolean): boolean {
  if (!core.moved.has(session)) return repeated;
  // What is in doubt while it arrives is told apart when it has.
  if (session.arriving) return false;
  const { had, lacks } = session;
  const isRecent = core.now - session.movedAt < REPEAT_WINDOW_MS;
  // Of what no name is kept for nobody knows whether it came where the session was: twice is better than not at all.
  if (repeated && isRecent && message.settledBelow === 0 && message.qos > 0) return waitsFor(core, session, message);
  const object = objectOf(message.origin);
  const lacked = lacks.has(object, message.sequence);
  const offered = repeated ? !lacked : had.has(object, message.sequence);
  if (lacked) {
    lacks.delete(object, message.sequence);
    core.changes.markRow(session);
  }
  for (const exchanges of [had, lacks]) exchanges.settle(message);
  if (had.size + lacks.size === 0 && !isRecent) core.moved.delete(session);
  return offered;
}

/** Whether a message is among those that wait for a session's client. */
function waitsFor(core: SessionCore, session: Session, { origin, sequence }: Message): boolean {
  for (const waiting of inRows(session)) {
    const message = peek(core, session, waiting)?.message;
    if (message?.origin === origin && message.sequence === sequence) return true;
  }
  return false;
}

/**
 * Counts who took a message that comes again, because who passed it on has lost its memory and with it what was counted here before: those
 * whose subscriptions match now.
 * @param shares of which a member has it: of those no more is known than that one is to acknowledge it
 */
export function countAgain(core: SessionCore, message: Message, receipt: Receipt, live: boolean, shares: number): void {
  receipt.add({ sessions: shares, awaited: shares, away: 0 });
  if (!live) return;
  core.matching.begin(message);
  core.subscriptions.match(message.topic, core.matching.visit);
  for (const session of core.matching.sessions) {
    if (!mayReceive(core, session, message.topic)) continue;
    const isHere = session.connection !== undefined;
    const isPromised = Math.min(message.qos, session.matchQoS) > 0;
    if (isHere || isPromised) receipt.add({ sessions: 1, awaited: isHere && isPromised ? 1 : 0, away: isHere ? 0 : 1 });
  }
}

/**
 * Gives a message to one member of a shared subscription; where its queue takes nothing, to another one.
 * @param receipt of one that comes for the first time: where it goes later it is not followed
 */
export function deliverShared(core: SessionCore, message: Message, { filter, key, demand }: ShareTarget, receipt?: Receipt): Outcome {
  core.work += SHARED_WORK;
  const share = core.shares.get(filter);
  const chosen = share?.choose(core.choices.sharedStrategy, key);
  if (share === undefined || chosen === undefined) return "unwanted";
  // With all others away, too; or nobody has told that nobody is connected here any more: by a loss of memory, or in a sleep.
  if (share.online === 0) announce(core, share, undefined);
  if (core.choices.sharedStrategy === "least_inflight") core.work += MATCH_WORK * share.candidates.length;
  const member = memberFor(core, share, message, chosen, demand);
  if (member === undefined) return "full";
  const gives = (to: Session): boolean => giveShared(core, to, message, filter, receipt);
  if (gives(member)) return "taken";
  core.work += DELIVERY_WORK * share.members.size;
  for (const other of share.members) if (other !== member && gives(other)) return "taken";
  for (const each of share.members) if (mayReceive(core, each, message.topic)) return "full";
  dropped(core, "not_authorized", undefined, message);
  return "unwanted";
}

/** @returns false when the member's queue is full, or it can't be given anything */
function giveShared(core: SessionCore, session: Session, message: Message, filter: string, receipt: Receipt | undefined): boolean {
  try {
    return mayReceive(core, session, message.topic) && giveTo(core, session, message, filter, receipt);
  } catch (error) {
    core.failures.caught(error, "giving it a message", session);
    return isTaken(core, session, message);
  }
}

function giveTo(core: SessionCore, session: Session, message: Message, filter: string, receipt: Receipt | undefined): boolean {
  const { qos, ...due } = dueOfShare(session, message, filter);
  if (qos === 0) {
    sendQoS0(core, session, message, due.retain, due.identifiers);
    if (receipt !== undefined) core.receipts.sent(session, receipt);
    return true;
  }
  if (session.stored && core.room.isFull) return false;
  const { unwritten } = core.log;
  const record = recordFor(core, session, message);
  // A session that gets it through several has it in rows as often.
  if (core.log.unwritten > unwritten) core.work += 1 + (message.size >> 12);
  if (!enqueue(core, session, message, { ...due, qos }, record)) return false;
  if (receipt !== undefined) core.receipts.given(session, receipt, core.now);
  return true;
}
