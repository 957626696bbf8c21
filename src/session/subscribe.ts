/**
 * SUBSCRIBE and UNSUBSCRIBE, filter by filter (`taking.ts` tells when). A subscription counts in this object at once; it is written and acknowledged when every Topic object
 * concerned knows that this object wants its filter, so that nothing published after SUBACK is missed. Interest is aggregated: Topic
 * objects hear of the first subscription to a filter here and of the end of the last.
 */

import { REASONS_CHARACTERS_MAX } from "../limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import {
  NO_PROPERTIES,
  type Properties,
  type QoS,
  SUBACK,
  type Subscribe,
  type SubscriptionRequest,
  UNSUBACK,
  type Unsubscribe,
} from "../mqtt/packet.ts";
import {
  IMPLEMENTATION_SPECIFIC_ERROR,
  NO_SUBSCRIPTION_EXISTED,
  NOT_AUTHORIZED,
  PACKET_TOO_LARGE,
  PROTOCOL_ERROR,
  QUOTA_EXCEEDED,
  SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
  SUBACK_FAILURE,
  SUCCESS,
  TOPIC_FILTER_INVALID,
  WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
} from "../mqtt/reason-code.ts";
import { type ParsedFilter, parseFilter, SHARE_PREFIX } from "../topic/filter.ts";
import { isTopicProblem, quote } from "../topic/name.ts";
import { filterOfPresence, isOfPresence } from "../topic/presence.ts";
import { Asked } from "./asked.ts";
import { MEMORY_SHORT } from "./close-code.ts";
import { hasRoomFor } from "./connection-facts.ts";
import type { SessionCore } from "./core.ts";
import { addSubscription, forgetSubscription, interestIn } from "./interest.ts";
import { violated } from "./lifecycle.ts";
import { askOwed, forgetUnpromised, keepOwed, oweRetained, promiseOwed } from "./owed-retained.ts";
import type { Ticket } from "./ports.ts";
import type { Connection, Session, Subscription } from "./session.ts";
import { announce } from "./share.ts";
import { goOn } from "./share-backlog.ts";
import { checkWork, filterWork, Taking } from "./taking.ts";

const NOT_REGISTERED = "the filter could not be registered; try again";

/** Why filters were refused, for people: each reason once, and no more of them than somebody reads. */
class Reasons {
  readonly #said = new Set<string>();
  #characters = 0;
  #unsaid = 0;

  add(reason: string): void {
    if (this.#said.has(reason)) return;
    if (this.#characters + reason.length > REASONS_CHARACTERS_MAX) {
      this.#unsaid += 1;
      return;
    }
    this.#characters += reason.length;
    this.#said.add(reason);
  }

  get text(): string {
    const all = [...this.#said].join("; ");
    return this.#unsaid === 0 ? all : `${all}; and ${this.#unsaid} more`;
  }
}

/** Who waits for what becomes of filters. */
interface Pending {
  /** A Reason Code for each filter: the QoS that it is granted, or why it is not. */
  readonly codes: number[];
  /** A Topic object could not be told of one of them. */
  isOutOfReach: boolean;
  refuse(index: number, requested: QoS, reasonCode: number, reason: string): void;
  /** One more is not settled. */
  await(): void;
  /** One of them is. */
  done(): void;
}

/** One SUBSCRIBE until all its filters are settled; then its one SUBACK leaves [MQTT5-3.8.4-5] [MQTT311-3.8.4-4]. */
class PendingSubscribe implements Pending {
  readonly codes: number[] = [];
  readonly #connection: Connection;
  readonly #packetId: number;
  readonly #reasons = new Reasons();
  /** One for the loop over the filters itself. */
  #waiting = 1;
  isOutOfReach = false;

  constructor(connection: Connection, packetId: number) {
    this.#connection = connection;
    this.#packetId = packetId;
  }

  /** 3.1 can't say no: there the filter is granted in words only [3.1/suback/no-0x80]. */
  refuse(index: number, requested: QoS, reasonCode: number, reason: string): void {
    const { version } = this.#connection;
    this.codes[index] = version === 5 ? reasonCode : version === 4 ? SUBACK_FAILURE : requested;
    this.#reasons.add(reason);
  }

  await(): void {
    this.#waiting += 1;
  }

  done(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0 || !this.#connection.open) return;
    const reasonString = this.#reasons.text;
    const properties: Properties = reasonString === "" ? NO_PROPERTIES : { reasonString };
    this.#connection.send({ type: SUBACK, packetId: this.#packetId, reasonCodes: this.codes, properties });
  }
}

export function handleSubscribe(core: SessionCore, connection: Connection, packet: Subscribe): void {
  // [MQTT5-3.8.3-4]
  if (packet.subscriptions.some(({ filter, noLocal }) => noLocal && filter.startsWith(SHARE_PREFIX))) {
    violated(core, connection, PROTOCOL_ERROR, "No Local is not allowed on a Shared Subscription");
    return;
  }
  if (!hasRoomForCodes(core, connection, SUBACK, packet.subscriptions.length)) return;
  const isInTime = core.paces.takesSubscribe(connection, core.now);
  begin(connection, packet.subscriptions.length, takeSubscribe(core, connection, packet, isInTime));
}

/** [MQTT5-3.10.4-4] [MQTT311-3.10.4-5]: always answered, whatever was removed. */
export function handleUnsubscribe(core: SessionCore, connection: Connection, packet: Unsubscribe): void {
  const { length } = packet.filters;
  if (hasRoomForCodes(core, connection, UNSUBACK, length)) begin(connection, length, takeUnsubscribe(core, connection, packet));
}

/** The packet is taken filter by filter from now on. */
function begin(connection: Connection, filters: number, steps: Iterator<number>): void {
  connection.taking ??= new Taking();
  connection.taking.begin(connection.packetBytes, filters, steps);
}

/** Ends the connection, before anything is done, where the client has no room for as many codes: they can't be left out. */
function hasRoomForCodes(core: SessionCore, connection: Connection, type: typeof SUBACK | typeof UNSUBACK, count: number): boolean {
  const answer = { type, packetId: 1, reasonCodes: new Array<number>(count).fill(SUCCESS), properties: NO_PROPERTIES };
  // [MQTT5-3.1.2-24]
  if (hasRoomFor(answer, connection.facts)) return true;
  violated(core, connection, PACKET_TOO_LARGE, `the client's Maximum Packet Size leaves no room for ${count} Reason Codes`);
  return false;
}

/** Ends the connection, before any filter is taken, for filters of 3.x that are none, which no answer of 3.x can say. */
function* checkFilters(
  core: SessionCore,
  connection: Connection,
  filters: Iterable<string>,
  isKnown: (filter: string) => boolean,
): Generator<number> {
  if (connection.version === 5) return;
  for (const filter of filters) {
    const parsed = isKnown(filter) ? undefined : parseFilter(filter, core.limits);
    // [MQTT311-4.7.1-2] [MQTT311-4.7.1-3] [MQTT311-4.7.3-1]
    if (isTopicProblem(parsed)) violated(core, connection, PROTOCOL_ERROR, parsed.message);
    yield checkWork(filter);
  }
}

/** @param isInTime the client may send a SUBSCRIBE now */
function* takeSubscribe(core: SessionCore, connection: Connection, packet: Subscribe, isInTime: boolean): Generator<number> {
  const { subscriptions, packetId, properties } = packet;
  const identifier = properties.subscriptionIdentifiers?.[0] ?? 0;
  const filters = subscriptions.map(({ filter }) => filter);
  yield* checkFilters(core, connection, filters, () => false);
  const pending = new PendingSubscribe(connection, packetId);
  for (const [index, request] of subscriptions.entries()) {
    const parsed = parseFilter(request.filter, core.limits);
    const refuse = (reasonCode: number, reason: string): void => pending.refuse(index, request.qos, reasonCode, reason);
    let isTaken = false;
    if (isTopicProblem(parsed)) refuse(TOPIC_FILTER_INVALID, parsed.message);
    else if (!isInTime) refuse(QUOTA_EXCEEDED, "the client subscribes more often than it may; try again later");
    // The others would wait for as long, one slice after the other.
    else if (pending.isOutOfReach) refuse(IMPLEMENTATION_SPECIFIC_ERROR, NOT_REGISTERED);
    else {
      const wanted = connection.facts.bridge ? asOfBridge(request, parsed) : request;
      isTaken = subscribe(core, connection, wanted, parsed, identifier, index, pending);
    }
    yield isTaken ? filterWork(request.filter) : checkWork(request.filter);
  }
  pending.done();
}

function* takeUnsubscribe(core: SessionCore, connection: Connection, { filters, packetId }: Unsubscribe): Generator<number> {
  const { session } = connection;
  // One that is subscribed was valid, though the limits may be others by now.
  yield* checkFilters(core, connection, filters, (filter) => session.subscriptions.has(filter));
  const reasonCodes: number[] = [];
  for (const filter of filters) {
    const isSubscribed = session.subscriptions.has(filter);
    if (isSubscribed) {
      unsubscribe(core, connection, filter);
      reasonCodes.push(SUCCESS);
    } else reasonCodes.push(isTopicProblem(parseFilter(filter, core.limits)) ? TOPIC_FILTER_INVALID : NO_SUBSCRIPTION_EXISTED);
    yield isSubscribed ? filterWork(filter) : checkWork(filter);
  }
  connection.send({ type: UNSUBACK, packetId, reasonCodes, properties: NO_PROPERTIES });
}

/** What bridges of 5.0 ask for and those of 3.x only mean: nothing that it brought comes back to it, and RETAIN says what is retained. */
function asOfBridge(request: SubscriptionRequest, { shareName }: ParsedFilter): SubscriptionRequest {
  return { ...request, noLocal: shareName === undefined, retainAsPublished: true };
}

/** @returns whether it was taken: what becomes of it is known soon */
function subscribe(
  core: SessionCore,
  connection: Connection,
  request: SubscriptionRequest,
  parsed: ParsedFilter,
  identifier: number,
  index: number,
  pending: Pending,
): boolean {
  const { session } = connection;
  const { topicFilter, shareName } = parsed;
  const { filter } = request;
  if (!core.authorizer.maySubscribe(session.identity, session.clientId, topicFilter, request.qos)) {
    pending.refuse(index, request.qos, NOT_AUTHORIZED, `not authorized to subscribe to ${quote(filter)}`);
    return false;
  }
  const refused = presenceRefusal(core, parsed);
  if (refused !== undefined) {
    pending.refuse(index, request.qos, ...refused);
    return false;
  }
  const previous = session.subscriptions.get(filter);
  if (previous === undefined && session.subscriptions.size >= core.limits.subscriptionsMax) {
    pending.refuse(index, request.qos, QUOTA_EXCEEDED, `a session has at most ${core.limits.subscriptionsMax} subscriptions`);
    return false;
  }
  if (previous === undefined && !core.userShares.takes(core, "subscriptions", session.identity)) {
    pending.refuse(index, request.qos, QUOTA_EXCEEDED, MEMORY_SHORT);
    return false;
  }
  const { subscriptionBytesMax } = core.limits;
  if (previous === undefined && session.subscriptionBytes + utf8Length(filter) > subscriptionBytesMax) {
    pending.refuse(index, request.qos, QUOTA_EXCEEDED, `the filters of a session have at most ${subscriptionBytesMax} bytes`);
    return false;
  }
  if (previous === undefined && session.stored && core.room.isFull) {
    pending.refuse(index, request.qos, QUOTA_EXCEEDED, "the broker's storage is full");
    return false;
  }
  // [MQTT5-3.8.4-3] [MQTT311-3.8.4-3]: replaced without a gap.
  const subscription: Subscription = { session, request, identifier };
  addSubscription(core, session, subscription);
  pending.codes[index] = request.qos;
  pending.await();
  const { taking } = connection;
  const weight = filterWork(filter);
  taking?.sent(weight);
  const asked = new Asked(subscription, previous, session.asked?.get(filter));
  session.asked ??= new Map();
  session.asked.set(filter, asked);
  const ticket: Ticket = {
    settled(reasonCode) {
      // Others are told of their outcomes in the same step.
      core.failures.guard("answering its SUBSCRIBE", session, () => {
        const standing = session.isDeaf ? undefined : session.subscriptions.get(filter);
        if (reasonCode < 0x80) {
          if (asked.grant() && standing !== undefined) keepSubscription(core, session, subscription);
        } else {
          asked.refuse();
          if (standing === subscription) goBack(core, session, filter, asked.instead);
        }
        if (session.asked?.get(filter)?.isOpen === false) session.asked.delete(filter);
        if (session.asked?.size === 0) session.asked = undefined;
        if (reasonCode >= 0x80) pending.refuse(index, request.qos, reasonCode, NOT_REGISTERED);
        if (reasonCode === IMPLEMENTATION_SPECIFIC_ERROR) pending.isOutOfReach = true;
        pending.done();
        goOn(core, session);
      });
      taking?.settled(weight);
    },
  };
  if (shareName !== undefined) {
    // [5.0/4.8.2/no-retained]
    announce(core, core.shares.get(filter)!, ticket);
    return true;
  }
  // [MQTT5-3.3.1-9] [MQTT5-3.3.1-10] [MQTT5-3.3.1-11]
  const wantsRetained = request.retainHandling === 0 || (request.retainHandling === 1 && previous === undefined);
  if (wantsRetained) oweRetained(core, session, filter);
  else if (previous !== undefined) keepOwed(session, previous);
  interestIn(core, subscription, wantsRetained, ticket);
  if (wantsRetained) askOwed(core, session);
  return true;
}

/** Why nobody can be told who is there by such a filter; undefined where it is no such filter, or one that is served. */
function presenceRefusal({ choices }: SessionCore, parsed: ParsedFilter): [reasonCode: number, reason: string] | undefined {
  const { topicFilter, shareName, hasWildcard } = parsed;
  if (!isOfPresence(topicFilter)) return undefined;
  if (!choices.presence) return [IMPLEMENTATION_SPECIFIC_ERROR, "who is there is not told here: the operator has not set PRESENCE"];
  if (shareName !== undefined)
    return [SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, "who is there is told to each subscriber, and not to one of several"];
  if (hasWildcard)
    return [WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "who is there is told of one filter at a time: what follows $presence/ has no wildcards"];
  const filter = filterOfPresence(topicFilter);
  if (filter === "" || filter.startsWith(SHARE_PREFIX))
    return [TOPIC_FILTER_INVALID, "who is there is told of a filter that is not shared: $presence/FILTER was expected"];
  return undefined;
}

function unsubscribe(core: SessionCore, connection: Connection, filter: string): void {
  const { session } = connection;
  if (session.stored) core.rowChanges.deleteSubscription(session, filter);
  forgetSubscription(core, session, filter);
  core.clients.unsubscribed(session.identity, session.clientId, filter);
  core.changes.mark(connection);
}

/**
 * The operator subscribes a client to a filter, within its rights and its limits.
 * @param answered called once: the QoS that is granted, or a Reason Code from 0x80 on and its reason in words
 */
export function subscribeOnBehalf(
  core: SessionCore,
  connection: Connection,
  request: SubscriptionRequest,
  answered: (reasonCode: number, reason: string) => void,
): void {
  const parsed = parseFilter(request.filter, core.limits);
  if (isTopicProblem(parsed)) {
    answered(TOPIC_FILTER_INVALID, parsed.message);
    return;
  }
  let said = "";
  const pending: Pending = {
    codes: [],
    isOutOfReach: false,
    refuse(_index, _requested, reasonCode, reason) {
      this.codes[0] = reasonCode;
      said = reason;
    },
    await() {},
    done() {
      answered(this.codes[0]!, said);
    },
  };
  if (!subscribe(core, connection, request, parsed, 0, 0, pending)) pending.done();
}

/** The operator ends a subscription of a client. @returns whether there was one */
export function unsubscribeOnBehalf(core: SessionCore, connection: Connection, filter: string): boolean {
  if (!connection.session.subscriptions.has(filter)) return false;
  unsubscribe(core, connection, filter);
  return true;
}

/** A subscription was refused: what stood before it stands again. */
function goBack(core: SessionCore, session: Session, filter: string, instead: Subscription | undefined): void {
  if (instead === undefined) forgetSubscription(core, session, filter);
  else {
    addSubscription(core, session, instead);
    // Nor is it owed what the other one would have been.
    if (session.asked?.get(filter)?.isOpen === false) forgetUnpromised(core, session, filter);
  }
}

function keepSubscription(core: SessionCore, session: Session, subscription: Subscription): void {
  if (session.stored) core.rowChanges.putSubscription(session, subscription);
  if (session.owed.size > 0) promiseOwed(core, session, subscription.request.filter);
  if (session.connection !== undefined) core.changes.mark(session.connection);
  core.clients.subscribed(session.identity, session.clientId, subscription.request);
}
