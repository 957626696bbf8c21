/** CONNECT as the options want it, and what CONNACK says of the server. */

import { utf8Encode } from "../mqtt/bytes.ts";
import { CONNECT, type Connack, type Connect, type Properties, type ProtocolVersion, type Will } from "../mqtt/packet.ts";
import type { OpenExchange } from "./authentication.ts";
import { MqttError, refusal } from "./error.ts";
import { KEEP_ALIVE_SECONDS, KEPT_SESSION_EXPIRY_SECONDS, RECEIVE_MAXIMUM, SESSION_EXPIRY_SECONDS, TOPIC_ALIAS_MAXIMUM } from "./limits.ts";
import type { ConnectOptions, Payload, Server, WillOptions } from "./options.ts";
import { bytesOf } from "./socket.ts";

/** @throws MqttError for what is no text and no bytes */
export function bytesOfPayload(payload: Payload): Uint8Array {
  const bytes = typeof payload === "string" ? utf8Encode(payload) : payload instanceof Uint8Array ? payload : bytesOf(payload);
  if (bytes === undefined) throw new MqttError("invalid", "Payload: expected a text or bytes");
  return bytes;
}

export interface Introduction {
  readonly version: ProtocolVersion;
  readonly clientId: string;
  readonly clean: boolean;
  readonly password: Payload | undefined;
  readonly exchange: OpenExchange | undefined;
}

export function connectPacket(options: ConnectOptions, { version, clientId, clean, password, exchange }: Introduction): Connect {
  const { keepAliveSeconds = KEEP_ALIVE_SECONDS, will, userName } = options;
  return {
    type: CONNECT,
    version,
    clean,
    keepAliveSeconds,
    clientId,
    will: will && willOf(will),
    userName,
    password: password === undefined ? undefined : bytesOfPayload(password),
    properties: { ...connectProperties(options), ...exchange?.properties },
  };
}

function connectProperties(options: ConnectOptions): Properties {
  const { clean = true, sessionExpirySeconds = clean ? SESSION_EXPIRY_SECONDS : KEPT_SESSION_EXPIRY_SECONDS } = options;
  const { receiveMaximum = RECEIVE_MAXIMUM, topicAliasMaximum = TOPIC_ALIAS_MAXIMUM, maximumPacketSize, userProperties } = options;
  // What is undefined the codec leaves out.
  return {
    sessionExpiryInterval: sessionExpirySeconds,
    receiveMaximum,
    topicAliasMaximum: topicAliasMaximum || undefined,
    maximumPacketSize,
    requestResponseInformation: options.requestResponseInformation ? 1 : undefined,
    requestProblemInformation: options.requestProblemInformation === false ? 0 : undefined,
    userProperties,
  } as Properties;
}

function willOf({ topic, payload = "", qos = 0, retain = false, ...properties }: WillOptions): Will {
  return { topic, payload: bytesOfPayload(payload), qos, retain, properties };
}

/** Reason Codes of the Return Codes of 3.x. */
const REASON_OF_RETURN = [0, 0x84, 0x85, 0x88, 0x86, 0x87];

/** @returns why the server refused; undefined when it did not */
export function refusalOf({ reasonCode, properties }: Connack, version: ProtocolVersion): MqttError | undefined {
  if (reasonCode === 0) return undefined;
  const code = version === 5 ? reasonCode : REASON_OF_RETURN[reasonCode]!;
  return refusal("refused", "The server refused the connection", code, properties);
}

export function serverOf({ sessionPresent, properties }: Connack, connect: Connect): Server {
  return {
    // 3.1 does not tell: there whoever asked for it takes it to be there [3.1/connack/flags].
    sessionPresent: connect.version === 3 ? !connect.clean : sessionPresent,
    clientId: properties.assignedClientIdentifier ?? connect.clientId,
    // [MQTT5-3.1.2-21] [MQTT5-3.2.2-21]
    keepAliveSeconds: properties.serverKeepAlive ?? connect.keepAliveSeconds,
    properties,
  };
}
