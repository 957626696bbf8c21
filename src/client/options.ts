/** What users of the client say and are told: options, and what a server can do. Types of the language alone, of no platform. */

import type { Properties, ProtocolVersion, QoS } from "../mqtt/packet.ts";
import type { AbortSignalLike } from "./abort.ts";
import type { Authenticator } from "./authentication.ts";
import type { MqttError } from "./error.ts";
import type { Message, MessageProperties } from "./message.ts";
import type { Clock } from "./platform.ts";
import type { SocketConstructor } from "./socket.ts";

/** A text is sent as UTF-8. */
export type Payload = string | Uint8Array | ArrayBuffer;

/** How a message is published; the properties of MQTT 5.0 stand beside these and are left out in 3.x. */
export interface PublishOptions extends MessageProperties {
  /** 0 by default. */
  readonly qos?: QoS;
  /** The server keeps it for subscriptions to come; with an empty payload it forgets the one that it has. False by default. */
  readonly retain?: boolean;
  /** Takes it back while it waits; what was sent is only not waited for any more. */
  readonly signal?: AbortSignalLike;
}

/** How a request is published, at QoS 1 by default, and how long its response may take. */
export interface RequestOptions extends Omit<PublishOptions, "responseTopic" | "correlationData"> {
  /** From the request to its response, ms; 30,000 by default. */
  readonly timeoutMs?: number;
}

/** The message that the server publishes when the connection is lost: nothing does after `end`, unless that asks for it. */
export interface WillOptions extends Omit<PublishOptions, "signal"> {
  /** A Topic Name. */
  readonly topic: string;
  /** Empty by default. */
  readonly payload?: Payload;
  /** How long after the loss of the connection it is published, seconds (0 by default); not at all when the client is back before. */
  readonly willDelayInterval?: number;
}

/** Takes a message. A QoS 1 or 2 message is acknowledged when what it returns has settled; the next one comes after that. */
export type MessageHandler = (message: Message) => unknown;

/** What is wanted of the filters of one `subscribe`. `noLocal` to `userProperties` are of MQTT 5.0, and left out in 3.x. */
export interface SubscribeOptions {
  /** Messages come at this QoS at most; 0 by default. */
  readonly qos?: QoS;
  /** Without it the Subscription is an async iterable. */
  readonly onMessage?: MessageHandler;
  /** Not what this client publishes itself. False by default, and not for shared subscriptions. */
  readonly noLocal?: boolean;
  /** Messages keep the RETAIN flag that they were published with. False by default: only messages that the server had kept have it. */
  readonly retainAsPublished?: boolean;
  /** Retained messages: 0: are sent (the default); 1: only if the subscription is new; 2: are not sent. */
  readonly retainHandling?: 0 | 1 | 2;
  /** Of SUBSCRIBE. */
  readonly userProperties?: Properties["userProperties"];
  /** Ends the Subscription, whether it is granted already or not. */
  readonly signal?: AbortSignalLike;
}

/** How a client ends. */
export interface EndOptions {
  /** 0x00 (the default), or 0x04 so that the will is published: in 3.x the connection is closed without DISCONNECT then. */
  readonly reasonCode?: 0x00 | 0x04;
  /** Why, for the people who read what the server logs (MQTT 5.0). */
  readonly reasonString?: string;
  /** How long the server keeps the session from now, seconds, instead of what CONNECT said (MQTT 5.0). */
  readonly sessionExpirySeconds?: number;
  /** How long to wait until what was published is acknowledged, ms; 5000 by default, 0: not at all. */
  readonly timeoutMs?: number;
}

/** When to connect again after a connection was lost, and how long to wait before. */
export interface ReconnectOptions {
  /** The first wait is below this, ms (1000 by default); each further one may be twice as long. Chance chooses from 0. */
  readonly minMs?: number;
  /** No wait is longer, ms; 60,000 by default. */
  readonly maxMs?: number;
  /**
   * Whether to try again after this error; by default unless trying again would not help.
   * @param attempt the one that would be made, counted from 1 since the last good connection
   */
  readonly when?: (error: MqttError, attempt: number) => boolean;
}

/** What `connect` may be told. Everything has a default. */
export interface ConnectOptions {
  /** 5 by default; 4 is MQTT 3.1.1, 3 is MQTT 3.1. */
  readonly version?: ProtocolVersion;
  /** A random one by default; with an empty one the server chooses, and the client keeps to that. */
  readonly clientId?: string;
  /** None by default. */
  readonly userName?: string;
  /** A function is asked before each connection, for tokens that are renewed. */
  readonly password?: Payload | (() => Payload | Promise<Payload>);
  /** Begin with a new session (true, the default) or resume that of the Client Identifier (false). */
  readonly clean?: boolean;
  /** How long the server keeps the session after a loss of the connection, seconds; 300 by default, a day with `clean: false`. */
  readonly sessionExpirySeconds?: number;
  /** PINGREQ leaves within this, seconds; 50 by default, 0: none. The server may say another one. */
  readonly keepAliveSeconds?: number;
  /** Published by the server when the connection is lost. */
  readonly will?: WillOptions;
  /** The exchange of AUTH packets (MQTT 5.0). */
  readonly authentication?: Authenticator;
  /** QoS 1 and 2 messages that the server may send before the first is acknowledged, 1 to 65,535; 256 by default (MQTT 5.0). */
  readonly receiveMaximum?: number;
  /** Larger packets are not taken, bytes, and a server of 5.0 is told; by default what the protocol has. */
  readonly maximumPacketSize?: number;
  /** Topic Aliases that the server may use; 64 by default, 0: none (MQTT 5.0). */
  readonly topicAliasMaximum?: number;
  /** Asks the server where responses are to come (MQTT 5.0). False by default. */
  readonly requestResponseInformation?: boolean;
  /** False asks the server to leave out Reason Strings and User Properties (MQTT 5.0). True by default. */
  readonly requestProblemInformation?: boolean;
  /** Of CONNECT (MQTT 5.0). */
  readonly userProperties?: Properties["userProperties"];
  /** Takes what belongs to no Subscription: messages of a session that is resumed. */
  readonly onMessage?: MessageHandler;
  /** Where responses to `request` come; by default what the server says, or `responses/CLIENT`. */
  readonly responseTopic?: string;
  /** Waits before new connections; false: there is one connection. */
  readonly reconnect?: false | ReconnectOptions;
  /** From the beginning of an attempt to CONNACK, ms; 30,000 by default. */
  readonly connectTimeoutMs?: number;
  /** Gives the first connection up; from then on `end` ends the client. */
  readonly signal?: AbortSignalLike;
  /** Messages that were published and are not settled yet, 10,000 by default; the next is refused. */
  readonly queueMax?: number;
  /** Listeners that are there before the first connection is. */
  readonly on?: Partial<ClientEvents>;
  /** Instead of the platform's. */
  readonly WebSocket?: SocketConstructor;
  /** Instead of the platform's, for tests. */
  readonly clock?: Clock;
  /** Instead of the platform's, for tests: 0 to 1, without 1. */
  readonly random?: () => number;
}

/** What CONNACK said. */
export interface Server {
  /** The server had the session; in 3.1, which does not tell, that it was asked for. */
  readonly sessionPresent: boolean;
  /** That of the client, which the server may have chosen. */
  readonly clientId: string;
  /** The server's, or else that of the options. */
  readonly keepAliveSeconds: number;
  /** All that it said in properties of MQTT 5.0; what is not there, it can. */
  readonly properties: Properties;
}

/** The end of one connection, or of an attempt at one. */
export interface Disconnection {
  /** Why, with the Reason Code where the server gave one. */
  readonly error: MqttError;
  /** False: `closed` follows. */
  readonly willReconnect: boolean;
}

/** The wait before the next attempt at a connection. */
export interface Reconnection {
  /** Counted from 1 since the last good connection, which is one that lived for 10 s. */
  readonly attempt: number;
  /** It begins after this, ms. */
  readonly delayMs: number;
}

/** The events of a client, with what their listeners are given. What a listener throws is an unhandled rejection. */
export interface ClientEvents {
  /** The server has accepted the client: for the first time, or again. */
  connected(server: Server): void;
  /** The server has granted a subscription: for the first time, or again where it had lost the session. */
  subscribed(filters: readonly string[]): void;
  /** A connection, or an attempt at another one, is over. Not after `end`. */
  disconnected(disconnection: Disconnection): void;
  /** There will be another attempt. */
  reconnecting(reconnection: Reconnection): void;
  /** The last event: by `end` without an error. */
  closed(error: MqttError | undefined): void;
  /** A handler threw, or a subscription could not be made again. Where nobody listens, it is an unhandled rejection. */
  failed(error: unknown, message: Message | undefined): void;
  /** A message that belongs to no subscription was let go of. */
  unclaimed(message: Message): void;
}

/** What became of a message: its Reason Code (0x10: nobody was subscribed) and what came with it. */
export interface Receipt {
  /** 0x00 or 0x10; 0x00 at QoS 0 and in 3.x, where the server says nothing. */
  readonly reasonCode: number;
  /** Of PUBACK or PUBREC: Reason String, User Properties. */
  readonly properties: Properties;
}
