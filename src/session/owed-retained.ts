/**
 * Retained messages for new subscriptions. A subscription owes its client a place in the topics of each Topic object concerned: a cursor,
 * which is part of the session and so outlives whatever the session outlives. It goes on, page by page, as the client takes messages;
 * a client that is away or slow waits, and nobody waits for it. What a page holds counts against no queue.
 */

import { RETAINED_ASKS_MAX, RETAINED_ASKS_PER_SESSION, RETAINED_RETRY_MS } from "../limits.ts";
import type { RetainedPage } from "../mqtt/batch.ts";
import { NOTHING_RETAINED } from "../mqtt/exchange-answer.ts";
import type { Message } from "../mqtt/message.ts";
import type { QoS } from "../mqtt/packet.ts";
import { compareTopics } from "../topic/order.ts";
import type { SessionCore } from "./core.ts";
import { RETAINED } from "./deadlines.ts";
import { dropped } from "./dropped.ts";
import { mayReceive } from "./identity.ts";
import { isHeldBack } from "./matching.ts";
import type { RetainedCursor } from "./owed-cursors.ts";
import { hasRoom, ownRecordFor, take } from "./queue.ts";
import { sendQoS0 } from "./send.ts";
import type { Connection, Session, Subscription } from "./session.ts";
import type { SessionState } from "./state.ts";
import { hasReadEnough } from "./unread-bound.ts";

/**
 * A new subscription wants the retained messages; they are asked for when the routing side has been told of its filter. What one before it
 * is still owed stays on record until this one is acknowledged: it may be refused, or this object may not live to see it.
 */
export function oweRetained(core: SessionCore, session: Session, filter: string): void {
  const before = session.owed.of(filter);
  for (const cursor of before) {
    if (!cursor.promised) continue;
    cursor.superseded = true;
    answered(core, session, cursor);
  }
  end(core, session, before.filter(isUnpromised));
  for (const place of core.router.places(filter)) session.owed.add(newCursor(core, filter, place, ""));
}

function newCursor({ numbers }: SessionCore, filter: string, place: string, from: string): RetainedCursor {
  return {
    filter,
    id: numbers.next(),
    place,
    from,
    withoutOwn: false,
    asked: false,
    promised: false,
    superseded: false,
    storedFrom: undefined,
  };
}

/**
 * Another subscription that wants no retained messages takes the place of one that may still be owed some: those come, as the new one has
 * them. But what No Local kept from the old one nobody was owed.
 */
export function keepOwed({ owed }: Session, { request: { filter, noLocal } }: Subscription): void {
  if (!noLocal) return;
  for (const cursor of owed.of(filter)) owed.leaveOutOwn(cursor);
}

/** The subscription is about to be acknowledged: what is still owed then is on record. Most are owed no more than came meanwhile. */
export function promiseOwed(core: SessionCore, session: Session, filter: string): void {
  let isWithoutOwn = false;
  const before = session.owed.of(filter).filter(({ superseded }) => superseded);
  end(core, session, before);
  for (const cursor of session.owed.of(filter)) {
    session.owed.promise(cursor);
    isWithoutOwn ||= cursor.withoutOwn;
  }
  core.changes.markOwed(session);
  // That stands in the row of the session, wherever the cursors are.
  if (isWithoutOwn) core.changes.markRow(session);
}

/** The subscription has ended, or another one takes its place. */
export function forgetOwed(core: SessionCore, session: Session, filter: string): void {
  end(core, session, session.owed.of(filter));
}

/** It has no subscriptions any more. */
export function forgetAllOwed(core: SessionCore, session: Session): void {
  if (session.owed.size === 0) return;
  end(core, session, [...session.owed]);
  core.changes.markOwed(session);
}

/** A subscription was refused: what it would have been owed is not, and what the one before it is owed goes on. */
export function forgetUnpromised(core: SessionCore, session: Session, filter: string): void {
  const all = session.owed.of(filter);
  for (const cursor of all) cursor.superseded = false;
  end(core, session, all.filter(isUnpromised));
  askOwed(core, session);
}

function isUnpromised({ promised }: RetainedCursor): boolean {
  return !promised;
}

/** These are owed no more. */
function end(core: SessionCore, session: Session, cursors: readonly RetainedCursor[]): void {
  let asked = 0;
  for (const cursor of cursors) {
    if (session.owed.delete(cursor)) asked += 1;
    if (cursor.storedFrom !== undefined) session.owedOver.push(cursor.id);
    // It stands in a row of its own, or in that of the session.
    if (cursor.storedFrom !== undefined || (cursor.promised && session.owedInRow)) core.changes.markOwed(session);
  }
  if (asked > 0) askOthers(core, asked);
}

/** What a stored session is owed; nobody has been asked for it in this life. */
export function oweAsBefore(session: Session, { owed, withoutOwn }: SessionState): void {
  const own = new Set(withoutOwn);
  for (const cursor of owed) {
    const fixed = { asked: false, promised: true, superseded: false, storedFrom: undefined };
    session.owed.add({ ...cursor, ...fixed, withoutOwn: own.has(cursor.id) });
  }
}

/** After a start or a move: what is owed by Topic objects that are no more is owed by those that are. Some of it may come twice. */
export function renewPlaces(core: SessionCore, session: Session): void {
  for (const filter of session.owed.filters) {
    const cursors = session.owed.of(filter);
    const places = core.router.places(filter);
    if (cursors.every(({ place }) => places.includes(place))) continue;
    const from = cursors.map((cursor) => cursor.from).reduce((least, each) => (compareTopics(each, least) < 0 ? each : least));
    const withoutOwn = cursors.some((cursor) => cursor.withoutOwn);
    forgetOwed(core, session, filter);
    for (const place of places) session.owed.add({ ...newCursor(core, filter, place, from), withoutOwn, promised: true });
    core.changes.markOwed(session);
    if (withoutOwn) core.changes.markRow(session);
  }
}

/** Asks for the next page of what a session is owed, if its client can take it. */
export function askOwed(core: SessionCore, session: Session): void {
  const { owed, connection } = session;
  if (owed.size === 0 || !connection?.open || session.arriving || !hasRoom(session, connection)) return;
  if (core.ledger.isShortFor("queues")) askLater(core, session, RETAINED_RETRY_MS);
  // Else it is asked for when the client has shown that it reads.
  else if (hasReadEnough(core, connection)) askAll(core, session);
}

/** Asks for as many pages as a session may be sent at once. Refused ones count: of many thousands no more are tried at a time. */
function askAll(core: SessionCore, session: Session): void {
  const { owed } = session;
  const refused: RetainedCursor[] = [];
  let left = RETAINED_ASKS_PER_SESSION - owed.asked;
  for (const cursor of owed) {
    if (left <= 0 || owed.asked >= RETAINED_ASKS_PER_SESSION) break;
    if (cursor.asked) continue;
    if (core.asked >= RETAINED_ASKS_MAX) {
      core.waitingToAsk.add(session);
      break;
    }
    // What is owed to a subscription that can't be read waits with it for the version of the code that wrote it.
    if (cursor.superseded || !session.subscriptions.has(cursor.filter)) continue;
    left -= 1;
    ask(core, session, cursor);
    if (!cursor.asked) refused.push(cursor);
  }
  // Those of other Topic objects have their turn first.
  for (const cursor of refused) owed.putBehind(cursor);
}

function ask(core: SessionCore, session: Session, cursor: RetainedCursor): void {
  session.owed.setAsked(cursor, true);
  core.asked += 1;
  const { filter, id, place, from } = cursor;
  const settled = (reasonCode: number): void => {
    // The page came before, which is what counts.
    if (!cursor.asked || cursor.from !== from) return;
    if (reasonCode === NOTHING_RETAINED) {
      takePage(core, { clientId: session.clientId, id, from, next: undefined, messages: [] });
      return;
    }
    answered(core, session, cursor);
    askLater(core, session, RETAINED_RETRY_MS);
  };
  try {
    core.router.ask(place, { clientId: session.clientId, filter, id, from }, { settled });
  } catch (error) {
    // Nobody will answer that.
    answered(core, session, cursor);
    throw error;
  }
}

/** A page has come, or will not. */
function answered(core: SessionCore, session: Session, cursor: RetainedCursor): void {
  if (!cursor.asked) return;
  session.owed.setAsked(cursor, false);
  askOthers(core, 1);
}

/** So many pages have come, or will not. */
function askOthers(core: SessionCore, answers: number): void {
  core.asked -= answers;
  // One whose asking is refused gives its place back here, in the midst of this.
  if (core.isAskingWaiting) return;
  core.isAskingWaiting = true;
  for (const waiting of core.waitingToAsk) {
    if (core.asked >= RETAINED_ASKS_MAX) break;
    core.waitingToAsk.delete(waiting);
    core.failures.guard("asking for what it is owed", waiting, () => askOwed(core, waiting));
  }
  core.isAskingWaiting = false;
}

function askLater(core: SessionCore, session: Session, afterMs: number): void {
  core.deadlines.add({ at: core.now + afterMs, kind: RETAINED, subject: session, slackMs: 0 });
}

/** The client was heard: it may have made room. */
export function clientHeard(core: SessionCore, { session }: Connection): void {
  if (session.owed.size > 0) askOwed(core, session);
}

/** A page has come. One that comes again, or that answers an earlier life of the subscription, is not the one that is owed. */
export function takePage(core: SessionCore, { clientId, id, from, next, messages }: RetainedPage): void {
  const session = core.sessions.get(clientId);
  const cursor = session?.owed.get(id);
  if (session === undefined || cursor === undefined || cursor.from !== from || cursor.superseded) return;
  const subscription = session.subscriptions.get(cursor.filter);
  if (subscription === undefined) return;
  // Who is away is asked for again when back.
  if (session.connection?.open) {
    core.failures.guard("giving it retained messages", session, () => {
      for (const message of messages) deliverRetained(core, session, subscription, cursor, message);
      if (next !== undefined) session.owed.goOn(cursor, next);
      else end(core, session, [cursor]);
      core.changes.markOwed(session);
    });
  }
  // Not before it has gone on: its session may be one that waits to ask.
  answered(core, session, cursor);
  core.failures.guard("asking for what it is owed", session, () => askOwed(core, session));
}

function deliverRetained(
  core: SessionCore,
  session: Session,
  subscription: Subscription,
  { withoutOwn }: RetainedCursor,
  message: Message,
): void {
  if (isHeldBack(session, subscription.request.noLocal || withoutOwn, message)) return;
  if (!mayReceive(core, session, message.topic)) {
    dropped(core, "not_authorized", session, message);
    return;
  }
  const { request, identifier } = subscription;
  const qos = Math.min(message.qos, request.qos) as QoS;
  // [5.0/3.3.4/retained-id]
  const identifiers = identifier === 0 ? undefined : [identifier];
  // [MQTT311-3.3.1-8] [5.0/3.3.1.3/subscribe-flag]
  if (qos > 0) {
    const due = { qos: qos as 1 | 2, retain: true, identifiers, share: "", owed: true };
    take(core, session, message, due, ownRecordFor(core, session, message));
    return;
  }
  sendQoS0(core, session, message, true, identifiers);
}
