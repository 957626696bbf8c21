/** A session moves here: its new owner takes it, with what came here since it was asked for. */

import { JointOutcome } from "../mqtt/joint-outcome.ts";
import { type Message, objectOf, readMessage } from "../mqtt/message.ts";
import { SUCCESS } from "../mqtt/reason-code.ts";
import { RecordReader } from "../mqtt/record.ts";
import { SHARE_PREFIX } from "../topic/filter.ts";
import type { SessionCore } from "./core.ts";
import type { Delivery } from "./delivery.ts";
import { setIdentity } from "./identity.ts";
import { addSubscription, forgetSubscriptions, interestIn } from "./interest.ts";
import { beginGrace } from "./lifecycle.ts";
import type { Moving, MovingDelivery, MovingPart, MovingSubscription } from "./move.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import { oweAsBefore, renewPlaces } from "./owed-retained.ts";
import { NOBODY, type Ticket } from "./ports.ts";
import { restoreIncoming } from "./publish.ts";
import { requeue, take } from "./queue.ts";
import { forgetDeliveries } from "./redistribute.ts";
import { beginStoring } from "./rows.ts";
import { Session } from "./session.ts";
import { announce } from "./share.ts";
import { decodeSessionState, decodeWill, subscriptionRequest } from "./state.ts";

/** The session is on its way here: it gets live messages as soon as it subscribes (`subscribeArriving`). */
export function beginArrival(core: SessionCore, clientId: string): Session {
  const session = new Session(clientId, 0, NOBODY, core.ledger);
  session.arriving = true;
  core.moved.add(session);
  core.sessions.set(clientId, session);
  return session;
}

/**
 * It gets the live messages of these subscriptions too, in memory only, for its old owner gets them as well. Those of shared ones go to one
 * member only: of those it becomes one when it is here.
 * @param ticket settled once every Topic object concerned sends here what they want
 */
export function subscribeArriving(core: SessionCore, session: Session, subscriptions: readonly MovingSubscription[], ticket: Ticket): void {
  subscribeAsBefore(core, session, subscriptions, false);
  confirmInterests(core, session, subscriptions, ticket);
}

/** @param shared the shared subscriptions, or all others */
function subscribeAsBefore(core: SessionCore, session: Session, subscriptions: readonly MovingSubscription[], shared: boolean): void {
  for (const { filter, options, identifier } of subscriptions) {
    if (filter.startsWith(SHARE_PREFIX) !== shared) continue;
    addSubscription(core, session, { session, request: subscriptionRequest(filter, options), identifier });
  }
}

/** Settles a ticket once every Topic object concerned knows of these subscriptions of a session. */
export function confirmInterests(
  core: SessionCore,
  session: Session,
  wanted: readonly { readonly filter: string }[],
  ticket: Ticket,
): void {
  const standing = wanted.flatMap(({ filter }) => session.subscriptions.get(filter) ?? []);
  const all = new JointOutcome((reasonCode) => ticket.settled(reasonCode), standing.length + 1);
  for (const subscription of standing) {
    const share = core.shares.get(subscription.request.filter);
    if (share !== undefined) announce(core, share, all);
    else interestIn(core, subscription, false, all);
  }
  all.settled(SUCCESS);
}

/** The session could not be fetched; its old owner still has it. */
export function cancelArrival(core: SessionCore, session: Session): void {
  forgetDeliveries(core, session, false);
  forgetSubscriptions(core, session, false);
  core.sessions.delete(session.clientId);
  core.moved.delete(session);
}

/**
 * The session is here, as its old owner had it and with what came here since; the next flush stores it. Before the old
 * owner may forget it, `confirmInterests`.
 * @throws RecordError when a part can't be read
 */
export function completeArrival(core: SessionCore, session: Session, { from, subscriptions, parts }: Moving): void {
  // The last part knows what was offered there while the ones before it were fetched.
  const last = parts.at(-1)!;
  const state = decodeSessionState(last.state);
  const will = last.will && decodeWill(last.will);
  const waiting = parts
    .flatMap(({ deliveries }) => deliveries)
    .map((each) => ({ ...each, message: readMessage(new RecordReader(each.message)) }));
  const came = [...session.deliveries.values()];
  forgetDeliveries(core, session, false);
  session.arriving = false;
  // It may have been there before: what had come late then is in what it takes along now.
  session.cameFrom = [...state.cameFrom.filter(({ object }) => object !== from), { object: from, through: last.through }];
  setIdentity(core, session, state.identity);
  session.expirySeconds = state.expirySeconds;
  session.expiresAt = state.expiresAt;
  session.parted = state.parted;
  session.nextPacketId = state.nextPacketId;
  for (const packetId of state.released) session.released.add(packetId);
  subscribeAsBefore(core, session, subscriptions, true);
  beginStoring(core, session);
  for (const exchange of state.received) restoreIncoming(core, session, { ...exchange, begunAt: exchange.begunAt ?? from });
  oweAsBefore(session, state);
  renewPlaces(core, session);
  session.had.add([...state.had, ...last.had]);
  takeWaiting(core, session, waiting);
  requeue(core, session);
  takeWhatCame(core, session, came, last.settled, new Set(waiting.map(({ message }) => nameOf(message))));
  session.lacks.add(lacking(core, session, state.lacks));
  session.movedAt = core.now;
  if (will !== undefined) session.will = will;
  beginGrace(core, session);
  core.changes.markRow(session);
}

/** What came here while the session did, unless it was offered that where it was. */
function takeWhatCame(
  core: SessionCore,
  session: Session,
  came: readonly Delivery[],
  settled: MovingPart["settled"],
  here: ReadonlySet<string>,
): void {
  for (const { message, qos, retain, identifiers, share } of inOrder(came)) {
    if (here.has(nameOf(message))) continue;
    const object = objectOf(message.origin);
    if (message.settledBelow > 0) {
      if (session.had.has(object, message.sequence) || message.sequence < (settled.get(object) ?? 0)) continue;
      session.had.add([{ object, sequences: [message.sequence] }]);
    }
    take(core, session, message, { qos, retain, identifiers, share, owed: false }, core.log.append(message));
  }
}

type Arrived = Delivery & { message: Message };

/**
 * While it arrives it takes repeats as well, of what came before it was here: those stand behind what is newer. What one client published to
 * one topic is put into the order in which it did; all else stays as it came.
 */
function inOrder(came: readonly Delivery[]): Arrived[] {
  const all = came.flatMap((delivery) => (delivery.message === undefined ? [] : { ...delivery, message: delivery.message }));
  const groups = new Map<string, Arrived[]>();
  for (const delivery of all) {
    const way = wayOf(delivery.message);
    const group = groups.get(way) ?? [];
    placeInOrder(group, delivery);
    groups.set(way, group);
  }
  const next = new Map([...groups].map(([way, group]) => [way, group.values()]));
  return all.map(({ message }) => next.get(wayOf(message))!.next().value!);
}

/** Its publisher and topic: no client ID has a zero. */
function wayOf({ publisher, topic }: Message): string {
  return `${publisher}\0${topic}`;
}

/** Before the first one that is newer. Those before one that is older, and entered at the same object, are older. */
function placeInOrder(group: Arrived[], delivery: Arrived): void {
  const { origin, sequence, repeated } = delivery.message;
  let place = group.length;
  for (let index = group.length - 1; index >= 0; index -= 1) {
    const other = group[index]!.message;
    const isOfOneObject = objectOf(other.origin) === objectOf(origin);
    // One that its publisher's session repeats at another object than where it began is older than all that was published there.
    if ((isOfOneObject || repeated) && other.sequence > sequence) place = index;
    else if (isOfOneObject) break;
  }
  group.splice(place, 0, delivery);
}

/** What was offered here and not to the session, where it was or on its way. */
function lacking(core: SessionCore, session: Session, before: readonly OpenExchanges[]): OpenExchanges[] {
  return [...before, ...core.repeats.openExchanges()].map(({ object, sequences }) => ({
    object,
    sequences: sequences.filter((sequence) => !session.had.has(object, sequence)),
  }));
}

/** One that its publisher may repeat keeps its number in another life of the object where it entered. */
function nameOf({ origin, sequence, settledBelow }: Message): string {
  return `${settledBelow > 0 ? objectOf(origin) : origin} ${sequence}`;
}

/** What the old owner had for the session, under its Packet Identifiers. */
function takeWaiting(
  core: SessionCore,
  session: Session,
  waiting: readonly (Omit<MovingDelivery, "message"> & { message: Message })[],
): void {
  for (const { message, ...due } of waiting) {
    const record = core.log.append(message);
    core.log.addRecipient(record, { sessionNumber: session.number, ...due });
    if (due.sent) session.handledThrough = record.sequence;
    const delivery: Delivery = { ...due, message, sequence: record.sequence, size: message.size, flags: 0 };
    session.deliveries.set(due.packetId, delivery);
  }
}

/** The number of the last delivery that a session has taken from an object where it was before. */
export function takenThrough({ state }: MovingPart, object: string): number {
  return decodeSessionState(state).cameFrom.find((owner) => owner.object === object)?.through ?? Number.POSITIVE_INFINITY;
}

/** Takes what came late. @throws RecordError when it can't be read */
export function takeLate(core: SessionCore, session: Session, late: readonly MovingDelivery[]): void {
  for (const { qos, retain, identifiers, share, message: bytes } of late.filter((each) => each.share !== "")) {
    const message = readMessage(new RecordReader(bytes));
    take(core, session, message, { qos, retain, identifiers, share, owed: false }, core.log.append(message));
  }
}
