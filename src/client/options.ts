/** What users of the client say and are told: options, and what a server can do. Types of the language alone, of no platform. */

import type { Properties, ProtocolVersion, QoS } from "../mqtt/packet.ts";
import type { Authenticator } from "./authentication.ts";
import type { MqttError } from "./error.ts";
import type { Message, MessageProperties } from "./message.ts";
import type { Clock } from "./platform.ts";
import type { SocketConstructor } from "./socket.ts";

export interface PublishOptions extends MessageProperties {
  /** 0 by default. */
  readonly qos?: QoS;
  readonly retain?: boolean;
}

export interface RequestOptions extends Omit<PublishOptions, "responseTopic" | "correlationData"> {
  /** How long the response may take, ms. */
  readonly timeoutMs?: number;
}

export interface WillOptions extends PublishOptions {
  readonly topic: string;
  readonly payload?: string | Uint8Array;
  /** How long after the loss of the connection it is published, seconds; not at all when the client is back before. */
  readonly willDelayInterval?: number;
}

/** Takes a message. A QoS 1 or 2 message is acknowledged when what it returns has settled; the next one comes after that. */
export type MessageHandler = (message: Message) => unknown;

export interface SubscribeOptions {
  /** 0 by default. */
  readonly qos?: QoS;
  /** Without it the Subscription is an async iterable. */
  readonly onMessage?: MessageHandler;
  /** Not what this client publishes itself. */
  readonly noLocal?: boolean;
  /** Messages keep the RETAIN flag that they were published with. */
  readonly retainAsPublished?: boolean;
  /** Retained messages: 0: are sent (the default); 1: only if the subscription is new; 2: are not sent. */
  readonly retainHandling?: 0 | 1 | 2;
  readonly userProperties?: Properties["userProperties"];
}

export interface EndOptions {
  /** 0x00, or 0x04 so that the will is published. */
  readonly reasonCode?: 0x00 | 0x04;
  readonly reasonString?: string;
  /** How long the server keeps the session from now, instead of what CONNECT said. */
  readonly sessionExpirySeconds?: number;
  /** How long to wait until what was published is acknowledged, ms. */
  readonly timeoutMs?: number;
}

export interface ReconnectOptions {
  /** The first wait is below `minMs`; each further one may be twice as long, up to `maxMs`. Chance chooses from there. */
  readonly minMs?: number;
  readonly maxMs?: number;
  /** Whether to try again after this error; by default unless trying again would not help. */
  readonly when?: (error: MqttError, attempt: number) => boolean;
}

export interface ConnectOptions {
  /** 5 by default; 4 is MQTT 3.1.1, 3 is MQTT 3.1. */
  readonly version?: ProtocolVersion;
  /** A random one by default; with an empty one the server chooses, and the client keeps to that. */
  readonly clientId?: string;
  readonly userName?: string;
  /** A function is asked before each connection, for tokens that are renewed. */
  readonly password?: string | Uint8Array | (() => string | Uint8Array | Promise<string | Uint8Array>);
  /** Begin with a new session (the default) or resume that of the Client Identifier. */
  readonly clean?: boolean;
  /** How long the server keeps the session after a loss of the connection. */
  readonly sessionExpirySeconds?: number;
  readonly keepAliveSeconds?: number;
  readonly will?: WillOptions;
  /** The exchange of AUTH packets (MQTT 5.0). */
  readonly authentication?: Authenticator;
  /** QoS 1 and 2 messages that the server may send before the first is acknowledged. */
  readonly receiveMaximum?: number;
  /** Larger packets are not taken, and a server of 5.0 is told. */
  readonly maximumPacketSize?: number;
  /** Topic Aliases that the server may use; 0: none. */
  readonly topicAliasMaximum?: number;
  readonly requestResponseInformation?: boolean;
  readonly requestProblemInformation?: boolean;
  readonly userProperties?: Properties["userProperties"];
  /** Takes what belongs to no Subscription: messages of a session that is resumed. */
  readonly onMessage?: MessageHandler;
  /** Where responses to `request` come; `responses/CLIENT` or what the server says by default. */
  readonly responseTopic?: string;
  readonly reconnect?: false | ReconnectOptions;
  /** From the beginning of an attempt to CONNACK, ms. */
  readonly connectTimeoutMs?: number;
  /** Messages that were published and are not settled yet; the next is refused. */
  readonly queueMax?: number;
  /** Listeners that are there before the first connection is. */
  readonly on?: Partial<ClientEvents>;
  /** Instead of the platform's. */
  readonly WebSocket?: SocketConstructor;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** What CONNACK said. */
export interface Server {
  /** The server had the session; in 3.1, which does not tell, that it was asked for. */
  readonly sessionPresent: boolean;
  /** That of the client, which the server may have chosen. */
  readonly clientId: string;
  readonly keepAliveSeconds: number;
  /** All that it said in properties of MQTT 5.0; what is not there, it can. */
  readonly properties: Properties;
}

export interface Disconnection {
  /** Why, with the Reason Code where the server gave one. */
  readonly error: MqttError;
  readonly willReconnect: boolean;
}

export interface Reconnection {
  /** Counted from 1 since the last good connection. */
  readonly attempt: number;
  readonly delayMs: number;
}

export interface ClientEvents {
  connected(server: Server): void;
  disconnected(disconnection: Disconnection): void;
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
  readonly reasonCode: number;
  readonly properties: Properties;
}
