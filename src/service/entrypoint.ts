/**
 * The entrypoint of the broker for other Workers, by a service binding: what it is asked it looks at, and passes on to the objects that own it.
 * Every public method can be called by whoever is bound.
 */

import { WorkerEntrypoint } from "cloudflare:workers";
import type { MessageToPublish } from "../hooks/contract.ts";
import { draftProblem, publishOf } from "../hooks/message-draft.ts";
import { PUBLISHERS } from "../limits.ts";
import { NO_MATCHING_SUBSCRIBERS, SUCCESS, UNSPECIFIED_ERROR } from "../mqtt/reason-code.ts";
import type { Definition } from "../objects/definition.ts";
import { type BrokerEnv, stubs } from "../objects/env.ts";
import { sessionObjectName } from "../objects/names.ts";
import type { Settings } from "../settings.ts";
import { hash } from "../topic/hash.ts";
import { expectClientId, expectFilter, expectNamespace, expectOptions, expectPageSize } from "./arguments.ts";
import type {
  ClientsOptions,
  ClientsPage,
  FromCursor,
  InNamespace,
  MqttService,
  PublishReceipt,
  RetainedPage,
  ServicePublishOptions,
} from "./contract.ts";
import { refused } from "./error.ts";
import { clientsPage, retainedPage } from "./pages.ts";

export class ServiceEntrypoint extends WorkerEntrypoint<BrokerEnv> implements MqttService {
  readonly #definition: Definition;

  constructor(ctx: ExecutionContext, env: BrokerEnv, definition: Definition) {
    super(ctx, env);
    this.#definition = definition;
  }

  async publish(topic: string, payload: MessageToPublish["payload"], options?: ServicePublishOptions): Promise<PublishReceipt> {
    const settings = this.#settings();
    const { namespace: named, ...rest } = expectOptions("publish", options, ["qos", "retain", "properties", "namespace"]);
    const namespace = expectNamespace("publish", settings, named);
    const message = { topic, payload, ...rest };
    const publish = draftProblem(message) ?? publishOf(message, settings.limits);
    if (typeof publish === "string") throw new TypeError(`publish: ${publish}`);
    return this.#put(settings, namespace, message);
  }

  /** In the Session object of a publisher that stands for the topic: messages of one topic stay in order, and no object publishes all. */
  async #put(settings: Settings, namespace: string, message: MessageToPublish): Promise<PublishReceipt> {
    const publisher = sessionObjectName(settings, namespace, `service-${hash(message.topic) % PUBLISHERS}`);
    const reasonCode = await stubs(this.env.SESSIONS)(publisher).put(message);
    // Nothing is promised of it, and nobody is asked.
    if ((message.qos ?? 0) === 0) return { reasonCode: SUCCESS, matched: undefined };
    if (reasonCode >= UNSPECIFIED_ERROR) throw refused("publish: not everyone has the message", reasonCode);
    return { reasonCode, matched: reasonCode !== NO_MATCHING_SUBSCRIBERS };
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

  #settings(): Settings {
    return this.#definition.requireSettings(this.env);
  }
}
