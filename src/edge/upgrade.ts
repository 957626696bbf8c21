/**
 * The way of a WebSocket upgrade: to a namespace that exists, with a subprotocol that is spoken here, and either handed to the Session
 * object that is known by now, or accepted here and relayed once CONNECT has told which object it is.
 */

import type { BrokerEnv } from "../objects/env.ts";
import { onlySessionObject, sessionObjectName } from "../objects/names.ts";
import { NAMESPACE_PATTERN, type Settings } from "../settings.ts";
import { chooseSubprotocol, encodeHandover, HANDOVER_HEADER, type Handover, switchingProtocols } from "./handover.ts";
import { relay } from "./relay.ts";

/** The namespace of /mqtt. */
export const DEFAULT_NAMESPACE = "default";

/**
 * Answers a request to `/mqtt` or `/{namespace}/mqtt`.
 * @returns 101 with the socket; 400, 404 or 426 with a sentence
 */
export async function upgrade(request: Request, env: BrokerEnv, settings: Settings, namespace: string): Promise<Response> {
  if (!exists(settings, namespace)) return noNamespace(namespace);
  if (request.headers.get("Upgrade")?.toLowerCase() !== "websocket") {
    return sentence(426, "This path speaks MQTT over WebSocket: connect an MQTT client to it.", { Upgrade: "websocket" });
  }
  if (!chooseSubprotocol(request).accepted) {
    return sentence(400, "None of the WebSocket subprotocols offered is spoken here. Offer mqtt or mqttv3.1, or none.");
  }
  const clientId = new URL(request.url).searchParams.get("clientId") ?? "";
  if (clientId !== "") {
    return handOver(request, env, sessionObjectName(settings, namespace, clientId), { relayed: false, expectedClientId: clientId });
  }
  const only = onlySessionObject(settings, namespace);
  if (only !== undefined) return handOver(request, env, only, { relayed: false });
  const { 0: outer, 1: inner } = new WebSocketPair();
  relay(inner, request, env, settings, namespace);
  return switchingProtocols(outer, request);
}

export function noNamespace(namespace: string): Response {
  return sentence(404, `There is no namespace ${JSON.stringify(namespace)} here. Its operator can add it to NAMESPACES.`);
}

/** Whether the broker serves a namespace. */
export function exists(settings: Settings, namespace: string): boolean {
  return settings.namespaces === "*" ? NAMESPACE_PATTERN.test(namespace) : settings.namespaces.includes(namespace);
}

/** Passes an upgrade on to a Session object. */
export function handOver(request: Request, env: BrokerEnv, objectName: string, handover: Handover): Promise<Response> {
  const headers = new Headers(request.headers);
  headers.set(HANDOVER_HEADER, encodeHandover(handover));
  return env.SESSIONS.get(env.SESSIONS.idFromName(objectName)).fetch(new Request(request.url, { headers }));
}

export function sentence(status: number, text: string, headers: HeadersInit = {}): Response {
  return new Response(`${text}\n`, { status, headers: { "Content-Type": "text/plain; charset=utf-8", ...headers } });
}
