/**
 * How a session moves to another Session object because their number has changed. The old owner keeps it until the new one has stored
 * it; the new one subscribes to what it subscribes to before it asks for what waits. So each message is at least in one of them, and
 * one that is in both is recognised by its name. Pure: `objects/arrivals.ts` makes the calls in between.
 */

import { BATCH_BYTES_MAX, DEADLINE_COARSE_MS, REPEAT_WINDOW_MS, RESTART_GRACE_MS } from "../limits.ts";
import { JointOutcome } from "../mqtt/joint-outcome.ts";
import { type Message, objectOf, readMessage, writeMessage } from "../mqtt/message.ts";
import { SUCCESS } from "../mqtt/reason-code.ts";
import { RecordReader, RecordWriter } from "../mqtt/record.ts";
import { SHARE_PREFIX } from "../topic/filter.ts";
import { isShared } from "./chunk.ts";
import { takeOver } from "./connect.ts";
import type { SessionCore } from "./core.ts";
import { SESSION_EXPIRY } from "./deadlines.ts";
import type { Delivery } from "./delivery.ts";
import { forgetExchanges } from "./exchanges.ts";
import { addSubscription, forgetSubscription, interestIn } from "./interest.ts";
import { beginWaiting, endSession } from "./lifecycle.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import { owedCursors, renewPlaces } from "./owed-retained.ts";
import type { Ticket } from "./ports.ts";
import { restoreIncoming } from "./publish.ts";
import { requeue, take } from "./queue.ts";
import { forgetDeliveries } from "./redistribute.ts";
import type { Retain } from "./retain.ts";
import { beginStoring, forgetRow } from "./rows.ts";
import { Session } from "./session.ts";
import { announce } from "./share.ts";
import { decodeSessionState, decodeWill, encodeSessionState, encodeWill, subscriptionOptions, subscriptionRequest } from "./state.ts";
import { inRows, peek } from "./waiting.ts";
import { discardWill, scheduleWill, willDelayMs } from "./will.ts";

/** Why the next owner asks for a session. */
export type MoveReason =
  /** Its client is back to resume it. */
  | "resume"
  /** Its client is back and wants none of it: Clean Start 1. */
  | "end";

export interface MovingSubscription {
  readonly filter: string;
  /** As in its row. */
  readonly options: number;
  readonly identifier: number;
}

export interface MovingDelivery {
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly retain: Retain;
  readonly identifiers: readonly number[] | undefined;
  readonly share: string;
  readonly owed: boolean;
  readonly sent: boolean;
  /** As `writeMessage` writes it. */
  readonly message: Uint8Array;
}

/** One part of what a session is and of what waits for it. */
export interface MovingPart {
  /** As in its row. */
  readonly state: Uint8Array;
  /** As in its row. */
  readonly will: Uint8Array | undefined;
  /** QoS 2 messages that this object has seen and that may be repeated, by the object where they entered. */
  readonly had: readonly OpenExchanges[];
  /** By object: QoS 2 messages with smaller numbers are settled. What came of them was here. */
  readonly settled: ReadonlyMap<string, number>;
  readonly deliveries: readonly MovingDelivery[];
  /** The number of the last of them here; of the ones before when there are none. */
  readonly through: number;
  /** Where the next part begins; undefined after the last one. */
  readonly next: number | undefined;
}

/**
 * The old owner: what the session subscribes to.
 * @returns undefined when there is nothing to move, or nothing any more: a session that can't be resumed ends here
 */
export function offerSession(core: SessionCore, clientId: string, reason: MoveReason): MovingSubscription[] | undefined {
  takeOver(core, core.sessions.get(clientId));
  const session = core.sessions.get(clientId);
  if (session === undefined || session.arriving) return undefined;
  if (reason === "end" || session.expirySeconds === 0 || session.expiresAt <= core.now) {
    // Its client is back within the grace: the will was never due.
    if (session.inGrace) discardWill(core, session);
    endSession(core, session);
    return undefined;
  }
  clientIsBack(core, session);
  return [...session.subscriptions.values()].map(({ request, identifier }) => ({
    filter: request.filter,
    options: subscriptionOptions(request),
    identifier,
  }));
}

/** Its client connects just now: should it not stay, the session has its whole time again, and the will the grace of a restart. */
function clientIsBack(core: SessionCore, session: Session): void {
  session.inGrace = true;
  beginWaiting(core, session);
  scheduleWill(core, session, Math.max(RESTART_GRACE_MS, willDelayMs(session)));
}

/**
 * The old owner: a part of the session, which stays here.
 * @param from the number of the first delivery that is asked for; 0 = all
 * @returns undefined when there is no such session
 */
export function exportSession(core: SessionCore, clientId: string, from: number): MovingPart | undefined {
  const session = core.sessions.get(clientId);
  if (session === undefined) return undefined;
  session.offered = true;
  core.changes.markRow(session);
  const deliveries: MovingDelivery[] = [];
  let bytes = 0;
  let through = Math.max(0, from - 1);
  let next: number | undefined;
  for (const waiting of inRows(session)) {
    const { sequence, size } = waiting;
    if (sequence < from) continue;
    if (bytes >= BATCH_BYTES_MAX) {
      next = sequence;
      break;
    }
    const delivery = peek(core, session, waiting);
    if (delivery === undefined) continue;
    bytes += size + 64;
    through = sequence;
    deliveries.push(movingDelivery(delivery, delivery.message));
  }
  return {
    state: encodeSessionState(session, core.numbers.next(), true),
    will: session.will && encodeWill(session.will),
    had: exchangesHad(core, session),
    settled: core.repeats.settledBelow(),
    deliveries,
    through,
    next,
  };
}

function movingDelivery({ packetId, qos, retain, identifiers, share, owed, sent }: Delivery, message: Message): MovingDelivery {
  const writer = new RecordWriter(message.size + 128);
  writeMessage(writer, message);
  return { packetId, qos, retain, identifiers, share, owed, sent, message: writer.finish() };
}

/** What the session was offered: what was here, but for what it lacks since it came here itself. */
function exchangesHad(core: SessionCore, session: Session): OpenExchanges[] {
  return core.repeats.openExchanges().map(({ object, sequences }) => ({
    object,
    sequences: sequences.filter((sequence) => !session.lacks.has(object, sequence)),
  }));
}

/** The number of the last delivery that a session has taken from an object where it was before. */
export function takenThrough({ state }: MovingPart, object: string): number {
  return decodeSessionState(state).cameFrom.find((owner) => owner.object === object)?.through ?? Number.POSITIVE_INFINITY;
}

/**
 * The old owner: the session is stored elsewhere, and a member of its shared subscriptions there. Here it is one no longer: what comes
 * through them goes to others.
 */
export function leaveShares(core: SessionCore, clientId: string): void {
  const session = core.sessions.get(clientId);
  if (session === undefined) return;
  for (const filter of [...session.subscriptions.keys()].filter((each) => each.startsWith(SHARE_PREFIX))) {
    core.rowChanges.deleteSubscription(session, filter);
    forgetSubscription(core, session, filter);
  }
}

/** The new owner: takes what came late. @throws RecordError when it can't be read */
export function takeLate(core: SessionCore, session: Session, late: readonly MovingDelivery[]): void {
  for (const { qos, retain, identifiers, share, message: bytes } of late.filter((each) => each.share !== "")) {
    const message = readMessage(new RecordReader(bytes));
    take(core, session, message, { qos, retain, identifiers, share, owed: false }, core.log.append(message));
  }
}

/** The old owner: all of the session is elsewhere; nothing is published or said about it. */
export function letGo(core: SessionCore, clientId: string): void {
  const session = core.sessions.get(clientId);
  if (session === undefined) return;
  retire(core, session);
  setAside(core, clientId);
  dropCopy(core, session);
}

/** The session is elsewhere: what is left of it here is a copy, which gets nothing any more. */
export function retire(core: SessionCore, session: Session): void {
  leaveRest(core, session);
  discardWill(core, session);
  for (const filter of [...session.subscriptions.keys()]) {
    if (session.stored) core.rowChanges.deleteSubscription(session, filter);
    forgetSubscription(core, session, filter);
  }
  core.changes.markRow(session);
}

/** The new owner: the retired copy makes room for the session, which is fetched back. Its rows stay until that is here. */
export function setAside(core: SessionCore, clientId: string): Session | undefined {
  const copy = core.sessions.get(clientId);
  if (copy === undefined) return undefined;
  core.sessions.delete(clientId);
  core.aside.add(copy);
  core.deadlines.forget(copy);
  return copy;
}

/** The new owner: the session could not be fetched. */
export function putBack(core: SessionCore, copy: Session): void {
  core.aside.delete(copy);
  if (!copy.stored) {
    forgetDeliveries(core, copy, false);
    forgetExchanges(copy);
    return;
  }
  core.sessions.set(copy.clientId, copy);
  if (copy.expiresAt !== Number.POSITIVE_INFINITY)
    core.deadlines.add({ at: copy.expiresAt, kind: SESSION_EXPIRY, subject: copy, slackMs: DEADLINE_COARSE_MS });
}

/**
 * The new owner: the session is here. It takes what came for it through shared subscriptions since it went: nobody else has that.
 * @param through the number of the last delivery that it took with it
 */
export function mergeCopy(core: SessionCore, session: Session, copy: Session, through: number): void {
  for (const waiting of [...inRows(copy)]) {
    if (!isShared(waiting.flags) || waiting.sequence <= through) continue;
    const delivery = peek(core, copy, waiting);
    if (delivery === undefined) continue;
    const { share, message, qos, retain, identifiers } = delivery;
    take(core, session, message, { qos, retain, identifiers, share, owed: false }, core.log.append(message));
  }
  dropCopy(core, copy);
}

function dropCopy(core: SessionCore, copy: Session): void {
  core.aside.delete(copy);
  forgetDeliveries(core, copy, false);
  forgetRow(core, copy);
  forgetExchanges(copy);
}

/** What is left of sessions that moved away, as a session that no client can ask for: no Client Identifier has U+0000. */
const REST = "\0moved";

/**
 * For a while after sessions have left: their numbers are not given again, should the clock be set back, and their QoS 2 exchanges,
 * whose publishers repeat them at their new owners under the names they have from here, are not called settled.
 */
function leaveRest(core: SessionCore, session: Session): void {
  const rest = core.sessions.get(REST) ?? new Session(REST, core.numbers.next(), { userName: undefined }, core.ledger);
  core.sessions.set(REST, rest);
  for (const [packetId, { sequence, reasonCode, begunAt }] of session.received) {
    if (!session.openExchanges.has(sequence)) continue;
    session.received.delete(packetId);
    restoreIncoming(core, rest, { packetId: rest.allocatePacketId(), sequence, settled: reasonCode !== undefined, begunAt });
    core.openExchanges.set(sequence, rest);
    session.openExchanges.delete(sequence);
  }
  rest.expirySeconds = REPEAT_WINDOW_MS / 1000;
  beginWaiting(core, rest);
}

/**
 * The new owner: the session gets live messages from now on, in memory only, for its old owner gets them too. Messages of shared
 * subscriptions go to one member only: of those it becomes one when it is here.
 * @param ticket settled once every Topic object concerned sends here what the session subscribes to
 */
export function beginArrival(core: SessionCore, clientId: string, subscriptions: readonly MovingSubscription[], ticket: Ticket): Session {
  const session = new Session(clientId, 0, { userName: undefined }, core.ledger);
  session.arriving = true;
  core.moved.add(session);
  core.sessions.set(clientId, session);
  subscribeAsBefore(core, session, subscriptions, false);
  confirmInterests(core, session, ticket);
  return session;
}

/** @param shared the shared subscriptions, or all others */
function subscribeAsBefore(core: SessionCore, session: Session, subscriptions: readonly MovingSubscription[], shared: boolean): void {
  for (const { filter, options, identifier } of subscriptions) {
    if (filter.startsWith(SHARE_PREFIX) !== shared) continue;
    addSubscription(core, session, { session, request: subscriptionRequest(filter, options), identifier });
  }
}

/** The new owner: settled once every Topic object concerned knows what the session subscribes to. */
export function confirmInterests(core: SessionCore, session: Session, ticket: Ticket): void {
  const all = new JointOutcome((reasonCode) => ticket.settled(reasonCode), session.subscriptions.size + 1);
  for (const subscription of session.subscriptions.values()) {
    const share = core.shares.get(subscription.request.filter);
    if (share !== undefined) announce(core, share, all);
    else interestIn(core, subscription, false, all);
  }
  all.settled(SUCCESS);
}

/** The new owner: the session could not be fetched; its old owner still has it. */
export function cancelArrival(core: SessionCore, session: Session): void {
  forgetDeliveries(core, session, false);
  for (const filter of [...session.subscriptions.keys()]) forgetSubscription(core, session, filter);
  core.sessions.delete(session.clientId);
  core.moved.delete(session);
}

/** What the new owner was told by the old one. */
export interface Moving {
  /** The name of the old owner. */
  readonly from: string;
  readonly subscriptions: readonly MovingSubscription[];
  readonly parts: readonly MovingPart[];
}

/**
 * The new owner: the session is here, as its old owner had it and with what came here since; the next flush stores it. Before the old
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
  session.cameFrom = [...state.cameFrom, { object: from, through: last.through }];
  session.identity = { userName: state.userName };
  session.expirySeconds = state.expirySeconds;
  session.expiresAt = state.expiresAt;
  session.nextPacketId = state.nextPacketId;
  for (const packetId of state.released) session.released.add(packetId);
  subscribeAsBefore(core, session, subscriptions, true);
  beginStoring(core, session);
  for (const exchange of state.received) restoreIncoming(core, session, { ...exchange, begunAt: exchange.begunAt ?? from });
  session.owed = owedCursors(state);
  renewPlaces(core, session);
  session.had.add([...state.had, ...last.had]);
  takeWaiting(core, session, waiting);
  requeue(core, session);
  takeWhatCame(core, session, came, last.settled, new Set(waiting.map(({ message }) => nameOf(message))));
  session.lacks.add(lacking(core, session, state.lacks));
  session.movedAt = core.now;
  if (will !== undefined) session.will = will;
  clientIsBack(core, session);
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
  for (const { message, qos, retain, identifiers, share } of came) {
    if (message === undefined || here.has(nameOf(message))) continue;
    const object = objectOf(message.origin);
    if (message.settledBelow > 0) {
      if (session.had.has(object, message.sequence) || message.sequence < (settled.get(object) ?? 0)) continue;
      session.had.add([{ object, sequences: [message.sequence] }]);
    }
    take(core, session, message, { qos, retain, identifiers, share, owed: false }, core.log.append(message));
  }
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
