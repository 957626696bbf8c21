/**
 * `durable-mqtt/client`: an MQTT client (5.0, 3.1.1, 3.1) over WebSocket for browsers, Workers and Node. What is not exported here is not
 * for its users.
 */

export type { Properties, ProtocolVersion, QoS, UserProperty } from "../mqtt/packet.ts";
export type { AbortSignalLike } from "./abort.ts";
export type { Authenticator, Exchange } from "./authentication.ts";
export { type Client, connect } from "./client.ts";
export { MqttError, type MqttErrorKind, reasonText } from "./error.ts";
export type { Message, MessageProperties } from "./message.ts";
export type {
  ClientEvents,
  ConnectOptions,
  Disconnection,
  EndOptions,
  MessageHandler,
  Payload,
  PublishOptions,
  Receipt,
  Reconnection,
  ReconnectOptions,
  RequestOptions,
  Server,
  SubscribeOptions,
  WillOptions,
} from "./options.ts";
export type { Clock } from "./platform.ts";
export type { Socket, SocketConstructor, SocketEvent, SocketFactory } from "./socket.ts";
export type { Granted, Subscription } from "./subscription.ts";
