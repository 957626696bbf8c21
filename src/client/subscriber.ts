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
import { said } from "./said.ts";
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
    const renewals = isKnown ? [] : [...this.#held].filter(({ isMade }) => isMade).map((held) => this.#renewal(held));
    this.#asks.attach(link, server, renewals, isKnown);
  }

  detach(): void {
    this.#asks.detach();
  }

  close(error: MqttError, isFailure: boolean): void {
    this.#asks.close(error);
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

  subscribe(filters: readonly string[], options: SubscribeOptions): Promise<Subscription> {
    const topicFilters = filters.map((filter) => expectFilter(filter, options));
    if (filters.length === 0) throw new MqttError("invalid", "Subscribe: expected at least one filter");
    const inbox = new Inbox(options.onMessage, this.#events.failed);
    const identifier = ++this.#identifiers;
    const held: Held = { filters: new Set(filters), options, identifier, inbox, isMade: false };
    this.#held.add(held);
    for (const [index, filter] of filters.entries()) this.#filters.add(filter, topicFilters[index]!, identifier, inbox);
    for (const arrival of this.#unclaimed.claim()) this.route(arrival, undefined);
    return new Promise((resolve, reject) => {
      const made = (granted: readonly Granted[]): void => {
        held.isMade = true;
        resolve(new Subscription(granted, inbox, () => this.#end(held)));
      };
      this.#asks.ask(this.#subscribing(held, false, made, reject));
    });
  }

  /** The server has lost it. Nobody waits for the answer. */
  #renewal(held: Held): Ask {
    return this.#subscribing(
      held,
      true,
      () => {},
      (error) => {
        held.inbox.close(error);
        this.#events.failed(error, undefined);
      },
    );
  }

  #subscribing(held: Held, isRenewal: boolean, made: (granted: readonly Granted[]) => void, refused: (error: MqttError) => void): Ask {
    // As they are now: some may be unsubscribed before the answer is there.
    const filters = [...held.filters];
    const failed = (error: MqttError, granted: readonly string[] = []): void => {
      this.#forget(held);
      if (granted.length > 0) this.#unsubscribing(granted, noop, noop);
      refused(error);
    };
    return {
      isRenewal,
      filters,
      packet: ({ properties }, packetId) => subscribePacket(filters, held, properties, packetId),
      failed,
      answered: ({ reasonCodes, properties }) => {
        const refusedAt = reasonCodes.findIndex((code) => code >= UNSPECIFIED_ERROR);
        if (refusedAt < 0) {
          made(filters.map((filter, index) => ({ filter, qos: reasonCodes[index] as QoS })));
          return;
        }
        // All or nothing: a part of what was asked for would be taken for all of it.
        const others = filters.filter((filter, index) => reasonCodes[index]! < UNSPECIFIED_ERROR && this.#isLast(filter, held));
        failed(notGranted(filters, reasonCodes, refusedAt, properties), others);
      },
    };
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
    if (filters.length > 0) await new Promise<void>((resolve, reject) => this.#unsubscribing(filters, resolve, reject));
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
    return new Promise((resolve, reject) => this.#unsubscribing(filters, resolve, reject));
  }

  #unsubscribing(filters: readonly string[], resolve: () => void, reject: (error: MqttError) => void): void {
    this.#asks.ask({
      isRenewal: false,
      filters,
      packet: (_server, packetId) => ({ type: UNSUBSCRIBE, packetId, filters, properties: NO_PROPERTIES }),
      failed: reject,
      answered({ reasonCodes, properties }) {
        const at = reasonCodes.findIndex((code) => code >= UNSPECIFIED_ERROR);
        if (at < 0) resolve();
        else reject(refusal("refused", `Unsubscribe from ${filters[at]} was refused`, reasonCodes[at]!, properties, filters[at]));
      },
    });
  }
}

const noop = (): void => {};

/** @returns what topics are matched against */
function expectFilter(filter: string, { noLocal = false }: SubscribeOptions): string {
  // [MQTT5-3.8.3-4]
  if (noLocal && isShared(filter)) {
    throw new MqttError("invalid", `Subscribe to ${filter}: expected no noLocal with a shared subscription`, { filter });
  }
  return topicFilterOf(filter);
}

/** @throws MqttError for what this server has not */
function subscribePacket(filters: readonly string[], { options, identifier }: Held, server: Properties, packetId: number): Subscribe {
  const lacks = (filter: string | undefined, what: string, reasonCode: number): void => {
    if (filter === undefined) return;
    throw new MqttError("invalid", `Subscribe to ${filter}: this server has no ${what}`, { filter, reasonCode });
  };
  if (server.sharedSubscriptionAvailable === 0) lacks(filters.find(isShared), "shared subscriptions", SHARED_SUBSCRIPTIONS_NOT_SUPPORTED);
  if (server.wildcardSubscriptionAvailable === 0) {
    lacks(
      filters.find((filter) => /[+#]/.test(filter)),
      "wildcards",
      WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
    );
  }
  const { qos = 0, noLocal = false, retainAsPublished = false, retainHandling = 0, userProperties } = options;
  const subscriptions = filters.map((filter) => ({ filter, qos, noLocal, retainAsPublished, retainHandling }));
  const subscriptionIdentifiers = server.subscriptionIdentifierAvailable === 0 ? [] : [identifier];
  return { type: SUBSCRIBE, packetId, subscriptions, properties: said({ subscriptionIdentifiers, userProperties }) };
}

function notGranted(filters: readonly string[], reasonCodes: readonly number[], at: number, properties: Properties): MqttError {
  const all = filters.filter((_filter, index) => reasonCodes[index]! >= UNSPECIFIED_ERROR).join(", ");
  return refusal("refused", `Subscribe to ${all} was refused`, reasonCodes[at]!, properties, filters[at]);
}
