/**
 * The subscriptions of the client: made, made again where the server has lost the session, and ended. Messages are handed to the inboxes
 * of those that match.
 */

import {
  NO_PROPERTIES,
  type Properties,
  type QoS,
  SUBSCRIBE,
  type Suback,
  type Subscribe,
  UNSUBSCRIBE,
  type Unsuback,
} from "../mqtt/packet.ts";
import { SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, UNSPECIFIED_ERROR, WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED } from "../mqtt/reason-code.ts";
import { abortable } from "./abort.ts";
import type { Arrival } from "./arrival.ts";
import { type Ask, Asks } from "./asks.ts";
import { MqttError, refusal } from "./error.ts";
import { Filters } from "./filters.ts";
import { Inbox } from "./inbox.ts";
import type { Link } from "./link.ts";
import type { Message } from "./message.ts";
import type { MessageHandler, Server, SubscribeOptions } from "./options.ts";
import type { PacketIds } from "./packet-ids.ts";
import type { Clock } from "./platform.ts";
import { type Granted, Subscription } from "./subscription.ts";
import { isShared, topicFilterOf } from "./topic.ts";
import { Unclaimed } from "./unclaimed.ts";

/** A subscription as it is made again. */
interface Held {
  readonly filters: Set<string>;
  readonly options: SubscribeOptions;
  readonly identifier: number;
  readonly inbox: Inbox;
  /** It was granted. */
  isMade: boolean;
}

export interface SubscriberEvents {
  failed(error: unknown, message: Message | undefined): void;
  unclaimed(message: Message): void;
  subscribed(filters: readonly string[]): void;
}

export class Subscriber {
  readonly #asks: Asks;
  readonly #filters = new Filters();
  readonly #held = new Set<Held>();
  readonly #events: SubscriberEvents;
  readonly #unclaimed: Unclaimed;
  readonly #rest: Inbox | undefined;
  #identifiers = 0;

  /** @param rest takes messages that belong to no subscription */
  constructor(ids: PacketIds, clock: Clock, rest: MessageHandler | undefined, events: SubscriberEvents) {
    this.#asks = new Asks(ids, clock);
    this.#events = events;
    this.#unclaimed = new Unclaimed(clock, events.unclaimed);
    this.#rest = rest && new Inbox(rest, events.failed);
  }

  /** @param isFirst the session, if there is one, is of an earlier life */
  attach(link: Link, server: Server, isFirst: boolean): void {
    if (isFirst && server.sessionPresent) this.#unclaimed.wait();
    const isKnown = server.sessionPresent && link.version !== 3;
    this.#asks.attach(link, server, isKnown, () => {
      for (const held of this.#held) if (held.isMade) this.#renew(held);
    });
  }

  detach(): void {
    this.#asks.detach();
  }

  close(error: MqttError, isFailure: boolean): void {
    this.#asks.close(error);
    this.#unclaimed.close();
    for (const { inbox } of this.#held) inbox.close(isFailure ? error : undefined);
    this.#held.clear();
  }

  answered(link: Link, answer: Suback | Unsuback): void {
    this.#asks.answered(link, answer);
  }

  /** Hands a message to those who want it. */
  route(arrival: Arrival, identifiers: readonly number[] | undefined): void {
    const inboxes = this.#filters.inboxesOf(arrival.message.topic, identifiers);
    if (inboxes.size === 0) {
      if (this.#rest === undefined) this.#unclaimed.put(arrival);
      else this.#rest.put(arrival);
      return;
    }
    arrival.holders = inboxes.size;
    for (const inbox of inboxes) inbox.put(arrival);
  }

  async subscribe(filters: readonly string[], options: SubscribeOptions): Promise<Subscription> {
    const topicFilters = filters.map((filter) => expectFilter(filter, options));
    if (filters.length === 0) throw new MqttError("invalid", "Subscribe: expected at least one filter");
    const inbox = new Inbox(options.onMessage, this.#events.failed);
    const identifier = ++this.#identifiers;
    const held: Held = { filters: new Set(filters), options, identifier, inbox, isMade: false };
    const begin = (): Promise<Granted[]> => {
      this.#held.add(held);
      for (const [index, filter] of filters.entries()) this.#filters.add(filter, topicFilters[index]!, identifier, inbox);
      for (const arrival of this.#unclaimed.claim()) this.route(arrival, undefined);
      return this.#make(held, false);
    };
    const abandon = (): void => void this.#end(held).catch(() => {});
    const granted = await abortable(options.signal, begin, abandon);
    options.signal?.addEventListener("abort", abandon);
    return new Subscription(granted, inbox, () => this.#end(held));
  }

  /** The server has lost it. Nobody waits for the answer. */
  #renew(held: Held): void {
    this.#make(held, true).catch((error: MqttError) => {
      // It was ended meanwhile, or the client was.
      if (held.inbox.isClosed) return;
      held.inbox.close(error);
      this.#events.failed(error, undefined);
    });
  }

  /** @throws MqttError; then there is nothing left of it */
  async #make(held: Held, isRenewal: boolean): Promise<Granted[]> {
    // As they are now: some may be unsubscribed before the answer is there.
    const filters = [...held.filters];
    try {
      const answer = await this.#asks.ask({ filters, isRenewal, packet: (server, id) => subscribePacket(filters, held, server, id) });
      const refused = refusalIn("Subscribe to", filters, answer);
      if (refused === undefined) {
        held.isMade = true;
        if (this.#held.has(held)) this.#events.subscribed(filters);
        return filters.map((filter, index) => ({ filter, qos: answer.reasonCodes[index] as QoS }));
      }
      // All or nothing: a part of what was asked for would be taken for all of it.
      const others = filters.filter((filter, index) => answer.reasonCodes[index]! < UNSPECIFIED_ERROR && this.#isLast(filter, held));
      if (others.length > 0) this.#leave(others).catch(() => {});
      throw refused;
    } catch (error) {
      this.#forget(held);
      throw error;
    }
  }

  /** Nobody but this one has the filter. */
  #isLast(filter: string, held: Held): boolean {
    return ![...this.#held].some((other) => other !== held && other.filters.has(filter));
  }

  /** @returns the filters that nobody has any more */
  #forget(held: Held): string[] {
    this.#held.delete(held);
    return [...held.filters].filter((filter) => this.#filters.remove(filter, held.inbox));
  }

  async #end(held: Held): Promise<void> {
    if (!this.#held.has(held)) return;
    const filters = this.#forget(held);
    held.inbox.close();
    if (filters.length > 0) await this.#leave(filters);
  }

  /** Ends these filters, whoever has subscribed to them. */
  unsubscribe(filters: readonly string[]): Promise<void> {
    for (const filter of filters) topicFilterOf(filter);
    if (filters.length === 0) throw new MqttError("invalid", "Unsubscribe: expected at least one filter");
    for (const held of [...this.#held]) {
      for (const filter of filters) if (held.filters.delete(filter)) this.#filters.remove(filter, held.inbox);
      if (held.filters.size > 0) continue;
      this.#held.delete(held);
      held.inbox.close();
    }
    return this.#leave(filters);
  }

  /** @throws MqttError */
  async #leave(filters: readonly string[]): Promise<void> {
    const packet: Ask["packet"] = (_server, packetId) => ({ type: UNSUBSCRIBE, packetId, filters, properties: NO_PROPERTIES });
    const refused = refusalIn("Unsubscribe", filters, await this.#asks.ask({ filters, isRenewal: false, packet }));
    if (refused !== undefined) throw refused;
  }
}

/** @returns what topics are matched against */
function expectFilter(filter: string, { noLocal = false }: SubscribeOptions): string {
  // [MQTT5-3.8.3-4]
  if (noLocal && isShared(filter)) {
    throw new MqttError("invalid", `Subscribe to ${filter}: expected no noLocal where it is shared`, { filter });
  }
  return topicFilterOf(filter);
}

/** @throws MqttError for what this server has not */
function subscribePacket(filters: readonly string[], { options, identifier }: Held, server: Properties, packetId: number): Subscribe {
  const shared = server.sharedSubscriptionAvailable === 0 ? filters.find(isShared) : undefined;
  if (shared) throw refusal("invalid", `Subscribe to ${shared}`, SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, {}, shared);
  const wild = server.wildcardSubscriptionAvailable === 0 ? filters.find((filter) => /[+#]/.test(filter)) : undefined;
  if (wild) throw refusal("invalid", `Subscribe to ${wild}`, WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, {}, wild);
  const { qos = 0, noLocal = false, retainAsPublished = false, retainHandling = 0, userProperties } = options;
  const subscriptions = filters.map((filter) => ({ filter, qos, noLocal, retainAsPublished, retainHandling }));
  const subscriptionIdentifiers = server.subscriptionIdentifierAvailable === 0 ? [] : [identifier];
  return { type: SUBSCRIBE, packetId, subscriptions, properties: { subscriptionIdentifiers, userProperties } as Properties };
}

/** @returns the error that names those that were refused, if any were */
function refusalIn(what: string, filters: readonly string[], { reasonCodes, properties }: Suback | Unsuback): MqttError | undefined {
  const refused = filters.filter((_filter, index) => reasonCodes[index]! >= UNSPECIFIED_ERROR);
  const code = reasonCodes.find((each) => each >= UNSPECIFIED_ERROR);
  return code === undefined ? undefined : refusal("refused", `${what} ${refused.join(", ")}`, code, properties, refused[0]);
}
