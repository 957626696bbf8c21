/**
 * MQTT connections of the broker to itself, for what needs one: a socket is handed to a Session object together with who speaks over it, and
 * spoken by the package's own client. No stranger can say who he is in this way: what comes from outside is handed over without an identity.
 */

import { type Client, connect } from "../client/client.ts";
import { MqttError } from "../client/error.ts";
import type { Message } from "../client/message.ts";
import type { Socket } from "../client/socket.ts";
import { SERVICE_RECEIVE_MAXIMUM } from "../code-limits.ts";
import { handOver } from "../edge/hand-over.ts";
import type { HookMessage, MessageProperties } from "../hooks/contract.ts";
import { SERVER_UNAVAILABLE } from "../mqtt/reason-code.ts";
import type { BrokerEnv } from "../objects/env.ts";
import { sessionObjectName } from "../objects/names.ts";
import { NOBODY, SERVICE_GRANTS } from "../session/ports.ts";
import type { Settings } from "../settings.ts";
import { ServiceError } from "./error.ts";

export interface Destination {
  readonly env: BrokerEnv;
  readonly settings: Settings;
  readonly namespace: string;
}

export interface ServiceConnectOptions {
  /** How long the session outlives a loss of the connection, which happens when its object is reset. 0 keeps no rows. */
  readonly sessionExpirySeconds: number;
  readonly timeoutMs: number;
}

/** By 3.1 too such a Client Identifier is one, whatever the operator allows. */
const CLIENT_ID_DIGITS = 15;

export function connectService({ env, settings, namespace }: Destination, options: ServiceConnectOptions): Promise<Client> {
  const clientId = `service-${crypto.randomUUID().replaceAll("-", "").slice(0, CLIENT_ID_DIGITS)}`;
  const objectName = sessionObjectName(settings, namespace, clientId);
  const admission = { ...NOBODY, grants: SERVICE_GRANTS };
  const open = async (): Promise<Socket> => {
    const { webSocket } = await handOver(env, objectName, { relayed: false, admission });
    if (webSocket === null) throw new Error("the object did not accept the socket");
    return webSocket as unknown as Socket;
  };
  return connect(open, {
    clientId,
    // Both ends learn of a loss without it, and an object that sleeps is not woken.
    keepAliveSeconds: 0,
    receiveMaximum: SERVICE_RECEIVE_MAXIMUM,
    requestResponseInformation: true,
    sessionExpirySeconds: options.sessionExpirySeconds,
    connectTimeoutMs: options.timeoutMs,
  });
}

/** Its session ends with it. */
export function endService(client: Client): Promise<void> {
  return client.end({ sessionExpirySeconds: 0, timeoutMs: 0 });
}

/** A message as values that can go over a call. */
export function messageFor({ topic, payload, qos, retain, properties }: Message): HookMessage {
  return { topic, payload: payload.slice(), qos, retain, properties: { ...properties } as MessageProperties };
}

/** What a client's error is to who has called. */
export function serviceError(method: string, error: unknown): unknown {
  if (!(error instanceof MqttError)) return error;
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  const message = `${method}: ${error.message}${cause}`;
  if (error.kind === "timeout") return new ServiceError("TimeoutError", message);
  return new ServiceError("RefusedError", message, error.reasonCode ?? SERVER_UNAVAILABLE);
}
