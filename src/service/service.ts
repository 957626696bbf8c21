/**
 * What the broker does for code that is no MQTT client: other Workers, by the entrypoint, and the HTTP API. It looks at what it is asked, and passes
 * it on to the objects that own it. No rights are asked: whoever has a `Service` may do everything in every namespace that the broker serves.
 */

import { PUBLISHERS, REQUEST_MS, REQUEST_MS_MAX } from "../code-limits.ts";
import type { HookMessage, MessageToPublish } from "../hooks/contract.ts";
import type { SubscriptionRequest } from "../mqtt/packet.ts";
import { NO_MATCHING_SUBSCRIBERS, SERVER_UNAVAILABLE, SUCCESS, UNSPECIFIED_ERROR } from "../mqtt/reason-code.ts";
import type {
  AcknowledgedWait,
  ActOutcome,
  ClientView,
  Once,
  PutOutcome,
  SendOutcome,
  SubscriptionView,
  WaitingAsk,
  WaitingPage,
} from "../objects/calls.ts";
import { type BrokerEnv, stubs } from "../objects/env.ts";
import { sessionObjectName } from "../objects/names.ts";
import type { Settings } from "../settings.ts";
import { hash } from "../topic/hash.ts";
import {
  expectClientId,
  expectFilter,
  expectFilters,
  expectMessage,
  expectNamespace,
  expectNoResponseOf,
  expectNoShare,
  expectOptions,
  expectPageSize,
  expectQoS,
  expectSignal,
  expectTimeout,
  expectWait,
} from "./arguments.ts";
import type {
  ClientsOptions,
  ClientsPage,
  FromCursor,
  InNamespace,
  PublishReceipt,
  RetainedPage,
  ServicePublishOptions,
  ServiceRequestOptions,
  ServiceSubscribeOptions,
} from "./contract.ts";
import { ArgumentError, expectAnswered, refused, ServiceError } from "./error.ts";
import {
  clientsPage,
  type FiltersPage,
  filtersPage,
  type MembersPage,
  membersPage,
  retainedPage,
  type SubscriptionsPage,
  subscriptionsPage,
  type Walk,
} from "./pages.ts";
import { request } from "./request.ts";
import { type ServiceSubscription, subscribe } from "./subscription.ts";
import { openTrace, type Trace } from "./trace.ts";

/** Of QoS 0. */
const NOT_ASKED: PublishReceipt = {
  ...{ reasonCode: SUCCESS, matched: undefined, sessions: undefined, away: undefined, acknowledged: undefined, pending: undefined },
};

interface Put {
  readonly method: string;
  readonly settings: Settings;
  readonly namespace: string;
  readonly message: MessageToPublish;
  readonly wait?: AcknowledgedWait | undefined;
  readonly once?: Once | undefined;
}

/** What is done once however often it is asked for. */
interface DoneOnce {
  readonly once?: Once | undefined;
}

/** A Session object that stands for the topic: messages of one topic stay in order, and no object publishes all. */
function publisherOf(settings: Settings, namespace: string, topic: string): string {
  return sessionObjectName(settings, namespace, `service-${hash(topic) % PUBLISHERS}`);
}

function outcomeOf(method: string, { reasonCode, refusal, taken }: PutOutcome): PublishReceipt | ServiceError {
  if (refusal !== undefined) return refused(`${method}: the broker does not take the message`, reasonCode, refusal);
  // Nothing is promised of it, and nobody is asked.
  if (taken === undefined) return NOT_ASKED;
  if (reasonCode >= UNSPECIFIED_ERROR) return refused(`${method}: not everyone has the message`, reasonCode);
  return { reasonCode, matched: reasonCode !== NO_MATCHING_SUBSCRIBERS, ...taken };
}

/** It may have happened. */
function unreachable(method: string, { message }: Error): ServiceError {
  return refused(`${method}: its object could not be reached`, SERVER_UNAVAILABLE, message);
}

/** @throws ServiceError where the object that is asked can't be */
async function reached<Answer>(method: string, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    throw unreachable(method, error as Error);
  }
}

export interface ServiceOptions {
  readonly env: BrokerEnv;
  readonly settings: Settings;
  /** What goes on when the answer has been given. */
  readonly waitUntil: (promise: Promise<unknown>) => void;
}

export class Service {
  readonly #env: BrokerEnv;
  readonly #settings: Settings;
  readonly #waitUntil: ServiceOptions["waitUntil"];

  constructor({ env, settings, waitUntil }: ServiceOptions) {
    this.#env = env;
    this.#settings = settings;
    this.#waitUntil = waitUntil;
  }

  /** @throws UnansweredError where `once` has another meaning already, or nobody knows what became of it */
  async publish(
    topic: string,
    payload: MessageToPublish["payload"],
    options?: ServicePublishOptions,
    { once }: DoneOnce = {},
  ): Promise<PublishReceipt> {
    const settings = this.#settings;
    const known = expectOptions("publish", options, ["qos", "retain", "properties", "wait", "timeoutMs", "signal", "namespace"]);
    const { namespace: named, wait, timeoutMs, signal, ...rest } = known;
    const namespace = expectNamespace("publish", settings, named);
    const message = { topic, payload, ...rest };
    expectMessage("publish", settings.limits, message);
    return this.#put({ method: "publish", settings, namespace, message, wait: expectWait(known), once });
  }

  async #put({ method, settings, namespace, message, wait, once }: Put): Promise<PublishReceipt> {
    const publisher = publisherOf(settings, namespace, message.topic);
    const answer = await reached(method, async () => stubs(this.#env.SESSIONS)(publisher).put(message, wait, once));
    const outcome = outcomeOf(method, expectAnswered(answer));
    if (outcome instanceof ServiceError) throw outcome;
    return outcome;
  }

  /**
   * Publishes messages, those of one topic in their order, with one call to each object that has some to publish.
   * @returns for each, in their order, its receipt, or what went wrong with it alone
   * @throws TypeError where one of them is no message, before anything is done
   * @throws UnansweredError as `publish`
   */
  async publishAll(
    messages: readonly MessageToPublish[],
    options?: InNamespace,
    { once }: DoneOnce = {},
  ): Promise<readonly (PublishReceipt | ServiceError)[]> {
    const settings = this.#settings;
    const { namespace: named } = expectOptions("publish", options, ["namespace"]);
    const namespace = expectNamespace("publish", settings, named);
    for (const [index, message] of messages.entries()) expectMessage(`publish [${index}]`, settings.limits, message);
    const published = new Array<PublishReceipt | ServiceError>(messages.length);
    const byPublisher = new Map<string, number[]>();
    for (const [index, { topic }] of messages.entries()) {
      const publisher = publisherOf(settings, namespace, topic);
      byPublisher.set(publisher, [...(byPublisher.get(publisher) ?? []), index]);
    }
    const put = async (publisher: string, indexes: readonly number[]): Promise<void> => {
      const session = stubs(this.#env.SESSIONS)(publisher);
      const put = session.putAll(
        indexes.map((index) => messages[index]!),
        once,
      );
      const answer = await put.catch((error: Error) => error);
      const outcomes = answer instanceof Error ? undefined : expectAnswered(answer).outcomes;
      for (const [at, index] of indexes.entries())
        published[index] = outcomes === undefined ? unreachable("publish", answer as Error) : outcomeOf("publish", outcomes[at]!);
    };
    await Promise.all([...byPublisher].map(([publisher, indexes]) => put(publisher, indexes)));
    return published;
  }

  async request(topic: string, payload: MessageToPublish["payload"], options?: ServiceRequestOptions): Promise<HookMessage> {
    const settings = this.#settings;
    const known = expectOptions("request", options, ["qos", "properties", "responseTopic", "timeoutMs", "signal", "namespace"]);
    const { namespace: named, responseTopic, timeoutMs = REQUEST_MS, qos = 1, properties = {} } = known;
    const namespace = expectNamespace("request", settings, named);
    const message = { topic, payload, qos, properties };
    expectMessage("request", settings.limits, message);
    expectNoResponseOf(properties);
    if (responseTopic !== undefined) {
      expectMessage("request", settings.limits, { ...message, properties: { ...properties, responseTopic } });
      expectNoShare(responseTopic);
    }
    return request({
      destination: { env: this.#env, settings, namespace },
      message,
      responseTopic,
      timeoutMs: expectTimeout("request", timeoutMs, REQUEST_MS_MAX),
      signal: expectSignal("request", known.signal),
      put: (sent) => this.#put({ method: "request", settings, namespace, message: sent }),
      waitUntil: this.#waitUntil,
    });
  }

  async subscribe(filters: string | readonly string[], options?: ServiceSubscribeOptions): Promise<ServiceSubscription> {
    const settings = this.#settings;
    const { namespace: named, qos = 0, retained = true } = expectOptions("subscribe", options, ["qos", "retained", "namespace"]);
    const namespace = expectNamespace("subscribe", settings, named);
    const wanted = expectFilters(settings.limits, filters);
    expectQoS("subscribe", qos);
    if (typeof retained !== "boolean") throw new ArgumentError("subscribe: retained must be true or false");
    return subscribe({ env: this.#env, settings, namespace }, wanted, { qos, retainHandling: retained ? 0 : 2 });
  }

  async retained(filter: string, options?: FromCursor): Promise<RetainedPage> {
    const settings = this.#settings;
    const { namespace: named, cursor } = expectOptions("retained", options, ["cursor", "namespace"]);
    const namespace = expectNamespace("retained", settings, named);
    expectFilter("retained", settings.limits, filter, false);
    return retainedPage({ env: this.#env, settings, namespace, cursor }, filter);
  }

  async clients(options?: ClientsOptions): Promise<ClientsPage> {
    const { walk, limit } = this.#walk("clients", options);
    return clientsPage(walk, limit);
  }

  #walk(method: string, options: ClientsOptions | undefined): { readonly walk: Walk; readonly limit: number } {
    const settings = this.#settings;
    const { namespace: named, cursor, limit } = expectOptions(method, options, ["cursor", "limit", "namespace"]);
    const namespace = expectNamespace(method, settings, named);
    return { walk: { env: this.#env, settings, namespace, cursor }, limit: expectPageSize(method, limit) };
  }

  /** The object of a client. */
  #sessionOf(method: string, clientId: string, options: InNamespace | undefined) {
    const settings = this.#settings;
    const { namespace: named } = expectOptions(method, options, ["namespace"]);
    const namespace = expectNamespace(method, settings, named);
    expectClientId(method, clientId);
    return stubs(this.#env.SESSIONS)(sessionObjectName(settings, namespace, clientId));
  }

  /** @returns undefined for one that has no session */
  async client(clientId: string, options?: InNamespace): Promise<ClientView | undefined> {
    return this.#sessionOf("client", clientId, options).client(clientId);
  }

  /**
   * A message for one connected client, whatever it is subscribed to.
   * @throws ServiceError where its object is out of reach
   * @throws UnansweredError as `publish`
   */
  async send(
    clientId: string,
    message: MessageToPublish,
    { wait, once, ...options }: InNamespace & DoneOnce & { readonly wait?: AcknowledgedWait | undefined } = {},
  ): Promise<SendOutcome> {
    expectMessage("send", this.#settings.limits, message);
    const session = this.#sessionOf("send", clientId, options);
    return expectAnswered(await reached("send", async () => session.send(clientId, message, wait, once))).outcome;
  }

  /** Subscriptions of all clients, page by page. */
  async subscriptions(options?: ClientsOptions): Promise<SubscriptionsPage> {
    const { walk, limit } = this.#walk("subscriptions", options);
    return subscriptionsPage(walk, limit);
  }

  /** Those of one client; undefined for one that has no session. */
  async subscriptionsOf(clientId: string, options?: InNamespace): Promise<readonly SubscriptionView[] | undefined> {
    return this.#sessionOf("subscriptions", clientId, options).subscriptionsOf(clientId);
  }

  /** Filters that clients are subscribed to, with the object of each, page by page. */
  async filters(options?: ClientsOptions): Promise<FiltersPage> {
    const { walk, limit } = this.#walk("filters", options);
    return filtersPage(walk, limit);
  }

  /** Who is connected and subscribed to this very filter, page by page. */
  async members(filter: string, options?: ClientsOptions): Promise<MembersPage> {
    const { walk, limit } = this.#walk("presence", options);
    expectFilter("presence", this.#settings.limits, filter, false);
    return membersPage(walk, filter, limit);
  }

  /** Messages of a client that it has not acknowledged; undefined for one that has no session. */
  async waitingOf(clientId: string, ask: WaitingAsk, options?: InNamespace): Promise<WaitingPage | undefined> {
    // The types of calls know no tuples.
    return this.#sessionOf("waiting", clientId, options).waitingOf(clientId, ask) as Promise<WaitingPage | undefined>;
  }

  /** Tells of the packets of a client, which need not be connected yet. */
  async trace(clientId: string, options?: InNamespace): Promise<Trace> {
    const settings = this.#settings;
    const namespace = expectNamespace("trace", settings, options?.namespace);
    expectClientId("trace", clientId);
    return openTrace({ env: this.#env, settings, namespace }, clientId);
  }

  /** Subscribes a client, within its rights and limits; undefined for one that is not connected. */
  async subscribeClient(clientId: string, request: SubscriptionRequest, options?: InNamespace): Promise<ActOutcome | undefined> {
    return this.#sessionOf("subscribe", clientId, options).subscribeClient(clientId, request);
  }

  /** @returns whether there was such a subscription; undefined for a client that is not connected */
  async unsubscribeClient(clientId: string, filter: string, options?: InNamespace): Promise<boolean | undefined> {
    return this.#sessionOf("unsubscribe", clientId, options).unsubscribeClient(clientId, filter);
  }

  async disconnect(clientId: string, options?: InNamespace): Promise<boolean> {
    return this.#sessionOf("disconnect", clientId, options).disconnect(clientId);
  }
}
