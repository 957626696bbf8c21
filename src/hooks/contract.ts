/**
 * What a Worker gives to `defineBroker`, and what its hooks are given: types alone, which are public. A hook runs where the client's socket
 * is, in the Session object that owns its Client Identifier (`authenticate` also in the Worker), the same on every topology. Whatever a hook
 * does wrong, throws or never answers harms the client and message that it was called for, and nobody else; what happens then stands beside
 * each of them.
 */

import type { AuthenticationAnswer, AuthenticationRequest } from "../auth/service-contract.ts";
import type { QoS, UserProperty } from "../mqtt/packet.ts";
import type { CodeSettings } from "../settings.ts";

/** The bindings that the broker needs. The types of a Worker's own `Env` have them, or extend this. */
export interface BrokerBindings {
  /** The class `SessionObject`. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever class the author's own types name for the binding
  readonly SESSIONS: DurableObjectNamespace<any>;
  /** The class `TopicObject`. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever class the author's own types name for the binding
  readonly TOPICS: DurableObjectNamespace<any>;
  /** The class `DirectoryObject`; only where ADMIN_TOKEN is set. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever class the author's own types name for the binding
  readonly DIRECTORY?: DurableObjectNamespace<any> | undefined;
}

/** What every hook is given last. */
export interface HookContext<Env = unknown> {
  /** The Worker's bindings and variables. */
  readonly env: Env;
  /** `default`, or that of the URL. */
  readonly namespace: string;
  /**
   * Publishes a message of the broker's own, of no client: no rights are asked, and `onPublish` does not see it.
   * @returns resolves when all who are to keep it have it in rows; rejects with a sentence when the message is none (before anything is
   *   done) or could not be given to everyone. Nobody has to wait for it: what it rejects with is logged too
   */
  publish(message: MessageToPublish): Promise<void>;
}

/** What `onPublish` is given last. */
export interface PublishContext<Env = unknown> extends HookContext<Env> {
  /** Who publishes: a client; the broker, a client's Will Message; another Worker that is bound to `MqttService`, of which the client says nothing. */
  readonly source: "client" | "will" | "service";
}

/** A client, as its login made it known. */
export interface HookClient {
  /** Empty for another Worker. */
  readonly clientId: string;
  /** Undefined for an anonymous client. */
  readonly userName: string | undefined;
  /** Where the client is; empty when that is not known. */
  readonly address: string;
  /** `client_attrs` of the login. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Properties of a message that go with it to its subscribers; what is missing the message does not have. */
export interface MessageProperties {
  /** 1 says that the payload is UTF-8. */
  readonly payloadFormatIndicator?: 0 | 1 | undefined;
  /** Seconds until nobody is to be given it any more. */
  readonly messageExpiryInterval?: number | undefined;
  /** A MIME type, by custom. */
  readonly contentType?: string | undefined;
  /** A Topic Name: of a request, where its response goes. */
  readonly responseTopic?: string | undefined;
  /** What the response has to bring back. */
  readonly correlationData?: Uint8Array | undefined;
  /** In order, with repeats. */
  readonly userProperties?: readonly UserProperty[] | undefined;
}

/** A message as a hook is given it. */
export interface HookMessage {
  /** The Topic Name, also where the client sent a Topic Alias for it. */
  readonly topic: string;
  /** A copy. */
  readonly payload: Uint8Array;
  /** That which it was published with. */
  readonly qos: QoS;
  /** It is to be kept for subscriptions to come; with an empty payload it removes the one that is kept. */
  readonly retain: boolean;
  /** Of a 3.x client empty. */
  readonly properties: MessageProperties;
}

/** A message as code publishes it. */
export interface MessageToPublish {
  /** A Topic Name. */
  readonly topic: string;
  /** A text is sent as UTF-8. */
  readonly payload: string | Uint8Array | ArrayBuffer;
  /** 0 by default. */
  readonly qos?: QoS | undefined;
  /** Whether it is kept for subscriptions to come; with an empty payload it removes the one that is kept. False by default. */
  readonly retain?: boolean | undefined;
  /** None by default. */
  readonly properties?: MessageProperties | undefined;
}

/** A client wants to do something. */
export interface Question {
  /** `receive`: a message that a subscription brings is about to be given to the client. */
  readonly action: "publish" | "subscribe" | "receive";
  /** A Topic Name; of `subscribe` a Topic Filter, without `$share/NAME/`. */
  readonly topic: string;
  /** Of `receive` 0. */
  readonly qos: QoS;
  /** Of `publish`. */
  readonly retain: boolean;
  readonly client: HookClient;
}

/** A message as a consumer is given it. */
export interface ConsumedMessage extends HookMessage {
  /**
   * The same each time that this message is given, and of no other one: by it a handler knows what it has handled before. Up to 400 characters.
   * A client that sends a message of QoS 1 again, because it has not heard that it came, makes another one of it.
   */
  readonly id: string;
  /** The Client Identifier of its publisher; empty for a message of the broker's own. */
  readonly publisher: string;
}

/** What the handler of a consumer is given last. */
export interface ConsumeContext<Env = unknown> extends HookContext<Env> {
  /** Aborted when the handler has taken too long: from then on the same messages may be given again. */
  readonly signal: AbortSignal;
}

/**
 * Code that is given the messages of a filter. It runs in the Session objects in which they are published, each of which has a queue of its
 * own: one batch at a time in each, in the order in which they came. Messages of QoS 1 and 2 are given at least once, those of QoS 0 at most
 * once.
 */
export interface MessageConsumer<Env = unknown> {
  /** A Topic Filter, not a shared one. */
  readonly filter: string;
  /** Names its queue; by default the filter. What waits under a name that the code does not have any more is gone at the object's next start. */
  readonly name?: string | undefined;
  /** A batch has at most so many `messages` (100), and is given when those have come or the first of them is `ms` (1000) old. */
  readonly batch?: { readonly messages?: number | undefined; readonly ms?: number | undefined } | undefined;
  /** How often each message is given at most (10); then it is given up, counted and told in the log. */
  readonly attempts?: number | undefined;
  /**
   * Resolves when all of the messages are handled. When it throws, rejects or takes longer than 30 s, none of them is: after some time, which
   * grows, the same ones are given again, once as they were and then one by one.
   */
  handle(messages: readonly ConsumedMessage[], context: ConsumeContext<Env>): Promise<void> | void;
}

/** A message goes nowhere. */
export interface Refuse {
  /** The Reason Code of PUBACK or PUBREC for a 5.0 client: 0x80, 0x83, 0x87, 0x90, 0x97 or 0x99. */
  readonly refuse: number;
  /** For a 5.0 client; at most HOOK_REASON_BYTES_MAX. */
  readonly reason?: string | undefined;
}

/** What `onPublish` makes of a message: nothing = it goes as it is; some fields = it goes with these; or it is refused. */
export type PublishAnswer = undefined | Partial<MessageToPublish> | Refuse;

/** A client that has connected. */
export interface ConnectedClient extends HookClient {
  /** 3 = MQTT 3.1, 4 = 3.1.1, 5 = 5.0. */
  readonly protocolVersion: 3 | 4 | 5;
  /** It goes on with a session that was kept. */
  readonly sessionPresent: boolean;
  /** 0 = none. */
  readonly keepAliveSeconds: number;
  /** How long the session outlives the connection; 4294967295 = for ever. */
  readonly sessionExpirySeconds: number;
}

/** Why a client is no longer connected. */
export interface Disconnection {
  /** Of the DISCONNECT that it sent or was sent, for 3.x what 5.0 would have said; undefined: its socket was closed or lost without one. */
  readonly reasonCode: number | undefined;
  /** For people; may be empty. */
  readonly reason: string;
  /** Its Will Message was due with that. */
  readonly willPublished: boolean;
}

/** A subscription as it was granted: the options of the last SUBSCRIBE count. */
export interface GrantedSubscription {
  /** `$share/NAME/` included. */
  readonly filter: string;
  /** Messages are delivered at this QoS at most. */
  readonly qos: QoS;
  /** The client is not given what it publishes itself. */
  readonly noLocal: boolean;
  /** Messages keep the RETAIN flag that they were published with. */
  readonly retainAsPublished: boolean;
  /** Retained messages: 0: are sent; 1: only if the subscription is new; 2: are not sent. */
  readonly retainHandling: 0 | 1 | 2;
}

/** What a Worker may define. Every hook is optional, and costs nothing where it is missing. */
export interface BrokerHooks<Env = unknown> {
  /**
   * Says whether a client may connect, and with which rights: in the place of the binding AUTH, which is not asked then, as the link
   * `service` of AUTH_CHAIN. Runs in the Worker, or in the object where that reads CONNECT. What it throws, answers wrongly, or does not
   * answer within HTTP_AUTH_TIMEOUT_MS refuses that client (0x88; 3.x: return code 3) and no other.
   */
  authenticate?(request: AuthenticationRequest, context: HookContext<Env>): AuthenticationAnswer | Promise<AuthenticationAnswer>;

  /**
   * Says at once whether a client may do something: true, false, or nothing, and then rules decide (ACL and what came with the login).
   * Asked for every PUBLISH, SUBSCRIBE and Will Message, for every delivery, and again for the subscriptions of a session that is resumed.
   * What a subscription brings that it has allowed is given unless it, or a rule, denies that. What it throws, a promise, or anything else
   * than these answers denies, and is logged.
   */
  authorize?(question: Question, context: HookContext<Env>): boolean | undefined;

  /**
   * Told after a client was let in. What it throws, rejects with, or does not finish within HOOK_MS_MAX is logged, and changes nothing: so it is
   * with the next three as well. For one client they are told one after the other, in the order in which it happened; the next one waits
   * until the last has returned, or its promise is settled. An object that is reset (a deploy, a crash) loses its connections without a
   * word, and what had not been told by then is not.
   */
  onConnect?(client: ConnectedClient, context: HookContext<Env>): void | Promise<void>;

  /** Told after the connection of a client is over, however it ended. */
  onDisconnect?(client: HookClient, disconnection: Disconnection, context: HookContext<Env>): void | Promise<void>;

  /** Told after subscriptions were granted: new ones, and those that took the place of others of the same filters. */
  onSubscribe?(client: HookClient, subscriptions: readonly GrantedSubscription[], context: HookContext<Env>): void | Promise<void>;

  /** Told after subscriptions were ended while their session lives: by UNSUBSCRIBE, or because the client may not have them any more. */
  onUnsubscribe?(client: HookClient, filters: readonly string[], context: HookContext<Env>): void | Promise<void>;

  /**
   * Asked about every PUBLISH, every Will Message when it is published, and every message of another Worker (`MqttService`), after rights and
   * before anything is done with it; not about what hooks themselves publish, so that none of them is asked about its own, nor about topics
   * below `$SYS/`. A QoS 2 message that its client repeats is asked about once, unless the object was reset before it was safe.
   *
   * - nothing: it goes as it is.
   * - a message: it goes with these fields, under another topic whatever the client's rights are; QoS not above, retained only if it was.
   * - `{ refuse, reason }`: it goes nowhere. A 5.0 client hears it in PUBACK or PUBREC; one of 3.x gets what ACL_DENY_ACTION says, as for a
   *   topic it may not publish to; at QoS 0 nobody hears anything.
   * - a promise of these: what the client sent behind the message waits, in its order, and so does its PINGREQ. Others do not.
   *
   * What it throws, rejects with, does not answer within HOOK_MS_MAX, or answers that is none of these (a wildcard in the topic, a packet
   * above PACKET_BYTES_MAX, an unknown field), is logged, and the message goes nowhere: a 5.0 client hears 0x83; the connection of a 3.x
   * client ends without an acknowledgement, so that it sends the message again; at QoS 0, and a Will Message, it is lost.
   *
   * While it takes its time: if the client closes its socket, what it had sent before is still asked about, for HOOK_MS_MAX together. If it
   * connects anew, or its connection is ended, what was not answered goes nowhere: a client sends QoS 1 and 2 messages again. So it
   * does after a reset of the object, and the hook is asked again.
   *
   * Another Worker whose message is refused, or whose hook fails, is thrown a `RefusedError` at every QoS.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: an async function that returns nothing is one of these
  onPublish?(message: HookMessage, client: HookClient, context: PublishContext<Env>): PublishAnswer | void | Promise<PublishAnswer | void>;
}

/** What `defineBroker` takes. */
export interface BrokerOptions<Env = unknown> extends BrokerHooks<Env> {
  /**
   * Settings by the names of the variables (docs/settings.md), as text, number or boolean, or a function of the Worker's bindings; they win
   * over variables of the same name.
   */
  readonly settings?: CodeSettings | ((env: Env) => CodeSettings) | undefined;
  /** Code that is given messages, besides the subscribers. */
  readonly onMessages?: readonly MessageConsumer<Env>[] | undefined;
  /** Where the broker lives, such as `/broker`: its paths are below. Empty by default. */
  readonly path?: string | undefined;
}
