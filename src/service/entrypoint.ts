/**
 * The entrypoint of the broker for other Workers, by a service binding: what it is asked it looks at, and passes on to the objects that own it.
 * Every public method can be called by whoever is bound.
 */

import { WorkerEntrypoint } from "cloudflare:workers";
import { serveTcp } from "../edge/tcp.ts";
import type { HookMessage, MessageToPublish } from "../hooks/contract.ts";
import { PUBLISHERS, REQUEST_MS, REQUEST_MS_MAX } from "../limits.ts";
import { NO_MATCHING_SUBSCRIBERS, SUCCESS, UNSPECIFIED_ERROR } from "../mqtt/reason-code.ts";
import type { AcknowledgedWait } from "../objects/calls.ts";
import type { Definition } from "../objects/definition.ts";
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
  MqttService,
  PublishReceipt,
  RetainedPage,
  ServicePublishOptions,
  ServiceRequestOptions,
  ServiceSubscribeOptions,
} from "./contract.ts";
import { refused } from "./error.ts";
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

export class ServiceEntrypoint extends WorkerEntrypoint<BrokerEnv> implements MqttService {
  readonly #definition: Definition;

  constructor(ctx: ExecutionContext, env: BrokerEnv, definition: Definition) {
    super(ctx, env);
    this.#definition = definition;
  }

  async publish(topic: string, payload: MessageToPublish["payload"], options?: ServicePublishOptions): Promise<PublishReceipt> {
    const settings = this.#settings();
    const known = expectOptions("publish", options, ["qos", "retain", "properties", "wait", "timeoutMs", "signal", "namespace"]);
    const { namespace: named, wait, timeoutMs, signal, ...rest } = known;
    const namespace = expectNamespace("publish", settings, named);
    const message = { topic, payload, ...rest };
    expectMessage("publish", settings.limits, message);
    return this.#put({ method: "publish", settings, namespace, message, wait: expectWait(known) });
  }

  /** In the Session object of a publisher that stands for the topic: messages of one topic stay in order, and no object publishes all. */
  async #put({ method, settings, namespace, message, wait }: Put): Promise<PublishReceipt> {
    const publisher = sessionObjectName(settings, namespace, `service-${hash(message.topic) % PUBLISHERS}`);
    const { reasonCode, refusal, taken } = await stubs(this.env.SESSIONS)(publisher).put(message, wait);
    if (refusal !== undefined) throw refused(`${method}: the broker does not take the message`, reasonCode, refusal);
    // Nothing is promised of it, and nobody is asked.
    if (taken === undefined) return NOT_ASKED;
    if (reasonCode >= UNSPECIFIED_ERROR) throw refused(`${method}: not everyone has the message`, reasonCode);
    return { reasonCode, matched: reasonCode !== NO_MATCHING_SUBSCRIBERS, ...taken };
  }

  async request(topic: string, payload: MessageToPublish["payload"], options?: ServiceRequestOptions): Promise<HookMessage> {
    const settings = this.#settings();
    const known = expectOptions("request", options, ["qos", "properties", "timeoutMs", "signal", "namespace"]);
    const { namespace: named, timeoutMs = REQUEST_MS, qos = 1, properties = {} } = known;
    const namespace = expectNamespace("request", settings, named);
    const message = { topic, payload, qos, properties };
    expectMessage("request", settings.limits, message);
    expectNoResponseOf(properties);
    return request({
      destination: { env: this.env, settings, namespace },
      message,
      timeoutMs: expectTimeout("request", timeoutMs, REQUEST_MS_MAX),
      signal: expectSignal("request", known.signal),
      put: (sent) => this.#put({ method: "request", settings, namespace, message: sent }),
      waitUntil: (promise) => this.ctx.waitUntil(promise),
    });
  }

  async subscribe(filters: string | readonly string[], options?: ServiceSubscribeOptions): Promise<ServiceSubscription> {
    const settings = this.#settings();
    const { namespace: named, qos = 0, retained = true } = expectOptions("subscribe", options, ["qos", "retained", "namespace"]);
    const namespace = expectNamespace("subscribe", settings, named);
    const wanted = expectFilters(settings.limits, filters);
    expectQoS("subscribe", qos);
    if (typeof retained !== "boolean") throw new TypeError("subscribe: retained must be true or false");
    return subscribe({ env: this.env, settings, namespace }, wanted, { qos, retainHandling: retained ? 0 : 2 });
  }

  async retained(filter: string, options?: FromCursor): Promise<RetainedPage> {
    const settings = this.#settings();
    const { namespace: named, cursor } = expectOptions("retained", options, ["cursor", "namespace"]);
    const namespace = expectNamespace("retained", settings, named);
    expectFilter("retained", settings.limits, filter, false);
    return retainedPage({ env: this.env, settings, namespace, cursor }, filter);
  }

  async clients(options?: ClientsOptions): Promise<ClientsPage> {
    const settings = this.#settings();
    const { namespace: named, cursor, limit } = expectOptions("clients", options, ["cursor", "limit", "namespace"]);
    const namespace = expectNamespace("clients", settings, named);
    return clientsPage({ env: this.env, settings, namespace, cursor }, expectPageSize(limit));
  }

  async disconnect(clientId: string, options?: InNamespace): Promise<boolean> {
    const settings = this.#settings();
    const { namespace: named } = expectOptions("disconnect", options, ["namespace"]);
    const namespace = expectNamespace("disconnect", settings, named);
    expectClientId("disconnect", clientId);
    return stubs(this.env.SESSIONS)(sessionObjectName(settings, namespace, clientId)).disconnect(clientId);
  }

  /** MQTT over TCP: `env.MQTT.connect("broker:1883")`. */
  override connect(socket: Socket): Promise<void> {
    return serveTcp(socket, this.env, this.#definition);
  }

  #settings(): Settings {
    return this.#definition.requireSettings(this.env);
  }
}
