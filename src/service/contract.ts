/**
 * What another Worker is offered by a service binding to the entrypoint `MqttService`: types alone, which are public. The binding is the
 * right: whoever is bound may publish and subscribe to everything in every namespace that the broker serves.
 */

import type { HookMessage, MessageProperties } from "../hooks/contract.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { ClientView } from "../objects/calls.ts";

/** Where something is. */
export interface InNamespace {
  /** `default` by default. */
  readonly namespace?: string | undefined;
}

/** What a message has besides topic and payload. */
export interface ServicePublishOptions extends InNamespace {
  /** 0 by default. */
  readonly qos?: QoS | undefined;
  /** False by default. */
  readonly retain?: boolean | undefined;
  readonly properties?: MessageProperties | undefined;
  /**
   * What the receipt waits for, above QoS 0. `stored`, by default: the message is as safe as PUBACK would say. `acknowledged`: besides, each
   * session that was given it at QoS 1 or 2 has acknowledged it (PUBACK, PUBREC), or its client has gone, or will never do so; or the time is
   * over. It is not waited for clients that are away: the receipt says how many.
   */
  readonly wait?: "stored" | "acknowledged" | undefined;
  /** How long acknowledgements are waited for; 10,000 by default, at most 60,000. Until then the objects of all who have to acknowledge stay awake. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait for acknowledgements as the time does. Goes over a call where both Workers have the compatibility flag `enable_abortsignal_rpc`. */
  readonly signal?: AbortSignal | undefined;
}

/** What is known of a message that was published. At QoS 0 nobody is asked who has it. */
export interface PublishReceipt {
  /** That of MQTT 5.0: 0x00, or 0x10 where nobody takes it. */
  readonly reasonCode: number;
  /** Whether somebody takes it: a session, or a consumer (`onMessages`). Undefined at QoS 0. */
  readonly matched: boolean | undefined;
  /** Sessions that have it: it was sent to their clients, or waits for them. Undefined at QoS 0. */
  readonly sessions: number | undefined;
  /** Those of them that are to acknowledge it and whose clients are not connected: it waits for them. Undefined at QoS 0. */
  readonly away: number | undefined;
  /** With `wait: "acknowledged"`: those of them that have acknowledged it. */
  readonly acknowledged: number | undefined;
  /**
   * With `wait: "acknowledged"`: those of them whose clients are connected, as far as is known, and have not acknowledged it in time. Who is in
   * none of the three never will: it was given it at QoS 0, has refused it, or its session has ended.
   */
  readonly pending: number | undefined;
}

/** What a request has besides topic and payload, and how long it waits. */
export interface ServiceRequestOptions extends InNamespace {
  /** Of the request; 1 by default. */
  readonly qos?: QoS | undefined;
  /** All but `responseTopic` and `correlationData`, by which the response is found. */
  readonly properties?: Omit<MessageProperties, "responseTopic" | "correlationData"> | undefined;
  /**
   * Where the response comes, a Topic Name that does not begin with `$share/`, for those who respond to a place that is agreed on; by default a topic of its own. The first message
   * there is taken that has the Correlation Data of the request, or none.
   */
  readonly responseTopic?: string | undefined;
  /** How long the response may take; 30,000 by default, at most 300,000. */
  readonly timeoutMs?: number | undefined;
  /** Ends the request: it throws the signal's reason. Goes over a call where both Workers have the compatibility flag `enable_abortsignal_rpc`. */
  readonly signal?: AbortSignal | undefined;
}

/** How another Worker subscribes. */
export interface ServiceSubscribeOptions extends InNamespace {
  /** 0 by default. */
  readonly qos?: QoS | undefined;
  /** Whether retained messages come first; true by default. */
  readonly retained?: boolean | undefined;
}

/**
 * What comes for a subscription, with the methods of an async iterator:
 * `for await (const message of { [Symbol.asyncIterator]: () => subscription }) ...`.
 */
export interface MessageSubscription extends Rpc.RpcTargetBranded {
  /**
   * The next message, when there is one. To ask for it acknowledges the one before: at QoS 1 and 2 one that was not acknowledged is given again,
   * to another member where the subscription is shared. Of QoS 0 some thousand wait for a slow reader; those beyond are dropped.
   * @throws RefusedError when the subscription has ended
   */
  next(): Promise<IteratorResult<HookMessage, undefined>>;
  /** Ends the subscription. So does disposing of it, and the end of the call in which it was asked for. */
  return(): Promise<IteratorResult<HookMessage, undefined>>;
}

/** Where a walk through pages goes on. */
export interface FromCursor extends InNamespace {
  /** Of the page before. */
  readonly cursor?: string | undefined;
}

/** Where a page of clients begins, and how long it is. */
export interface ClientsOptions extends FromCursor {
  /** The most of a page: 1 to 1000; 100 by default. */
  readonly limit?: number | undefined;
}

/** Some of the clients, in no order that would mean something. */
export interface ClientsPage {
  /** Sessions, of clients that are connected and of others. What changes meanwhile may be missing, or be told as it was. */
  readonly clients: readonly ClientView[];
  /** Undefined on the last page. A page may have few clients, or none, and not be the last. */
  readonly cursor: string | undefined;
}

/** Some of the retained messages. */
export interface RetainedPage {
  readonly messages: readonly HookMessage[];
  /** Undefined on the last page. A page may have few messages, or none, and not be the last. */
  readonly cursor: string | undefined;
}

/**
 * The methods of the entrypoint. What is wrong with arguments is a TypeError that names it and what was expected; what the broker could not
 * do is an error of the name `RefusedError` with a `reasonCode`.
 */
export interface MqttService extends Rpc.WorkerEntrypointBranded {
  /**
   * Publishes a message. No rights are asked; `onPublish` of the broker's code is, with a context whose `source` is `service`, and consumers
   * (`onMessages`) are given it.
   * @param payload a text is sent as UTF-8
   * @returns at QoS 1 and 2 once it is as safe as PUBACK would say: all sessions that are to keep it have it in rows, or later, if the options
   *   say so (`wait`); at QoS 0 when it is on its way
   * @throws RefusedError when `onPublish` has refused it, with that Reason Code, and when not everyone has it
   */
  publish(topic: string, payload: string | Uint8Array | ArrayBuffer, options?: ServicePublishOptions): Promise<PublishReceipt>;
  /**
   * Publishes a request, and waits for its response: a message to the Response Topic with the Correlation Data of the request. Whoever
   * responds needs the right to publish to `responses/#`, or to what RESPONSE_INFORMATION says.
   * @throws TimeoutError when there is none in time; RefusedError when nobody is subscribed to the topic (0x10)
   */
  request(topic: string, payload: string | Uint8Array | ArrayBuffer, options?: ServiceRequestOptions): Promise<HookMessage>;
  /** Subscribes. @param filters one Topic Filter or several, shared ones too @returns when they are granted */
  subscribe(filters: string | readonly string[], options?: ServiceSubscribeOptions): Promise<MessageSubscription>;
  /** A page of the retained messages whose topics match. */
  retained(filter: string, options?: FromCursor): Promise<RetainedPage>;
  /**
   * A page of the clients. Where each has an object of its own (`SESSION_SHARDS` of 0) the directory has to know them: those that have connected
   * since ADMIN_TOKEN was set, on pages of up to 15, each of them a call that wakes its object.
   * @throws TypeError where that is so and there is no directory
   */
  clients(options?: ClientsOptions): Promise<ClientsPage>;
  /**
   * Ends the connection of a client: one of 5.0 hears 0x98. Its will is published, its session stays, and it may connect again.
   * @returns whether it was connected
   */
  disconnect(clientId: string, options?: InNamespace): Promise<boolean>;
}
