/** The entrypoint of the broker for other Workers, by a service binding: every public method can be called by whoever is bound. */

import { WorkerEntrypoint } from "cloudflare:workers";
import { serveTcp } from "../edge/tcp.ts";
import type { HookMessage, MessageToPublish } from "../hooks/contract.ts";
import type { Definition } from "../objects/definition.ts";
import type { BrokerEnv } from "../objects/env.ts";
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
import { Service } from "./service.ts";
import type { ServiceSubscription } from "./subscription.ts";

export class ServiceEntrypoint extends WorkerEntrypoint<BrokerEnv> implements MqttService {
  readonly #definition: Definition;

  constructor(ctx: ExecutionContext, env: BrokerEnv, definition: Definition) {
    super(ctx, env);
    this.#definition = definition;
  }

  async publish(topic: string, payload: MessageToPublish["payload"], options?: ServicePublishOptions): Promise<PublishReceipt> {
    return this.#service().publish(topic, payload, options);
  }

  async request(topic: string, payload: MessageToPublish["payload"], options?: ServiceRequestOptions): Promise<HookMessage> {
    return this.#service().request(topic, payload, options);
  }

  async subscribe(filters: string | readonly string[], options?: ServiceSubscribeOptions): Promise<ServiceSubscription> {
    return this.#service().subscribe(filters, options);
  }

  async retained(filter: string, options?: FromCursor): Promise<RetainedPage> {
    return this.#service().retained(filter, options);
  }

  async clients(options?: ClientsOptions): Promise<ClientsPage> {
    return this.#service().clients(options);
  }

  async disconnect(clientId: string, options?: InNamespace): Promise<boolean> {
    return this.#service().disconnect(clientId, options);
  }

  /** MQTT over TCP: `env.MQTT.connect("broker:1883")`. */
  override connect(socket: Socket): Promise<void> {
    return serveTcp(socket, this.env, this.#definition);
  }

  #service(): Service {
    const settings = this.#definition.requireSettings(this.env);
    return new Service({ env: this.env, settings, waitUntil: (promise) => this.ctx.waitUntil(promise) });
  }
}
