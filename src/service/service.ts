/**
 * What the broker does for code that is no MQTT client: other Workers, by the entrypoint, and the HTTP API. It looks at what it is asked, and passes
 * it on to the objects that own it. No rights are asked: whoever has a `Service` may do everything in every namespace that the broker serves.
 */

import { PUBLISHERS, REQUEST_MS, REQUEST_MS_MAX } from "../code-limits.ts";
import type { HookMessage, MessageToPublish } from "../hooks/contract.ts";
import { NO_MATCHING_SUBSCRIBERS, SERVER_UNAVAILABLE, SUCCESS, UNSPECIFIED_ERROR } from "../mqtt/reason-code.ts";
import type { AcknowledgedWait, ClientView, PutOutcome } from "../objects/calls.ts";
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
import { ArgumentError, refused, ServiceError } from "./error.ts";
import { clientsPage, retainedPage } from "./pages.ts";
import { request } from "./request.ts";
import { type ServiceSubscription, subscribe } from "./subscription.ts";

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
function unreachable({ message }: Error): ServiceError {
  return refused("publish: its object could not be reached", SERVER_UNAVAILABLE, message);
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

  async publish(topic: string, payload: MessageToPublish["payload"], options?: ServicePublishOptions): Promise<PublishReceipt> {
    const settings = this.#settings;
    const known = expectOptions("publish", options, ["qos", "retain", "properties", "wait", "timeoutMs", "signal", "namespace"]);
    const { namespace: named, wait, timeoutMs, signal, ...rest } = known;
    const namespace = expectNamespace("publish", settings, named);
    const message = { topic, payload, ...rest };
    expectMessage("publish", settings.limits, message);
    return this.#put({ method: "publish", settings, namespace, message, wait: expectWait(known) });
  }

  async #put({ method, settings, namespace, message, wait }: Put): Promise<PublishReceipt> {
    const publisher = publisherOf(settings, namespace, message.topic);
    const outcome = outcomeOf(method, await stubs(this.#env.SESSIONS)(publisher).put(message, wait));
    if (outcome instanceof ServiceError) throw outcome;
    return outcome;
  }

  /**
   * Publishes messages, those of one topic in their order, with one call to each object that has some to publish.
   * @returns for each, in their order, its receipt, or what went wrong with it alone
   * @throws TypeError where one of them is no message, before anything is done
   */
  async publishAll(messages: readonly MessageToPublish[], options?: InNamespace): Promise<readonly (PublishReceipt | ServiceError)[]> {
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
      const outcomes = await session.putAll(indexes.map((index) => messages[index]!)).catch((error: Error) => error);
      for (const [at, index] of indexes.entries())
        published[index] = outcomes instanceof Error ? unreachable(outcomes) : outcomeOf("publish", outcomes[at]!);
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
    if (responseTopic !== undefined)
      expectMessage("request", settings.limits, { ...message, properties: { ...properties, responseTopic } });
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
    const settings = this.#settings;
    const { namespace: named, cursor, limit } = expectOptions("clients", options, ["cursor", "limit", "namespace"]);
    const namespace = expectNamespace("clients", settings, named);
    return clientsPage({ env: this.#env, settings, namespace, cursor }, expectPageSize(limit));
  }

  /** @returns undefined for one that has no session */
  async client(clientId: string, options?: InNamespace): Promise<ClientView | undefined> {
    const settings = this.#settings;
    const namespace = expectNamespace("client", settings, options?.namespace);
    expectClientId("client", clientId);
    return stubs(this.#env.SESSIONS)(sessionObjectName(settings, namespace, clientId)).client(clientId);
  }

  async disconnect(clientId: string, options?: InNamespace): Promise<boolean> {
    const settings = this.#settings;
    const { namespace: named } = expectOptions("disconnect", options, ["namespace"]);
    const namespace = expectNamespace("disconnect", settings, named);
    expectClientId("disconnect", clientId);
    return stubs(this.#env.SESSIONS)(sessionObjectName(settings, namespace, clientId)).disconnect(clientId);
  }
}
