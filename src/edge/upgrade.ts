/**
 * The way of a WebSocket upgrade: to a namespace that exists, with a subprotocol that is spoken here, and either handed to the Session
 * object that is known by now, or accepted here and relayed once CONNECT has told which object it is.
 */

import { ConnectRate } from "../handshake/connect-rate.ts";
import { callerOf, chooseSubprotocol, switchingProtocols } from "../handshake/handover.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import { onlySessionObject, sessionObjectName } from "../objects/names.ts";
import { PLATFORM } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import { exists, noNamespace, sentence } from "./answers.ts";
import type { Edge } from "./edge.ts";
import { behindGateway } from "./gateway.ts";
import { handOver } from "./hand-over.ts";
import { refusesOrigin } from "./origin.ts";
import { relay } from "./relay.ts";

/** Of this isolate. */
const connectRates = new WeakMap<Settings, ConnectRate>();

function connectRateOf(settings: Settings): ConnectRate {
  const known = connectRates.get(settings) ?? new ConnectRate(settings.rates.addressConnects);
  connectRates.set(settings, known);
  return known;
}

/** A HEAD with the headers of an upgrade asks for none (RFC 6455, 4.1). */
export function asksForWebSocket(request: Request): boolean {
  return request.method === "GET" && request.headers.get("Upgrade")?.toLowerCase() === "websocket";
}

/**
 * Answers a request to a path at which MQTT is served.
 * @returns 101 with the socket; 400, 401, 403, 404, 426 or 429 with a sentence
 */
export async function upgrade(request: Request, edge: Edge, namespace: string): Promise<Response> {
  const { env, settings } = edge;
  if (!exists(settings, namespace)) return noNamespace(namespace);
  if (!asksForWebSocket(request)) {
    return sentence(426, "This path speaks MQTT over WebSocket: connect an MQTT client to it.", { Upgrade: "websocket" });
  }
  const refused = refusesOrigin(request, settings);
  if (refused !== undefined) return refused;
  const caller = await behindGateway(request, settings, callerOf(request, namespace));
  if (caller instanceof Response) return caller;
  const tooOften = connectRateOf(settings).refusal(caller.address, PLATFORM.now());
  if (tooOften !== undefined) return tooOften;
  if (!chooseSubprotocol(request).accepted) {
    return sentence(400, "None of the WebSocket subprotocols offered is spoken here. Offer mqtt or none.");
  }
  const clientId = new URL(request.url).searchParams.get("clientId") ?? "";
  if (clientId !== "") {
    // An object is chosen by it: one that no CONNECT can have wakes none.
    if (!mayBeClientId(clientId, settings)) {
      return sentence(400, `The clientId of the URL must have at most ${settings.limits.clientIdBytesMax} bytes, and no U+0000.`);
    }
    return handOver(request, env, sessionObjectName(settings, namespace, clientId), {
      relayed: false,
      expectedClientId: clientId,
      caller,
    });
  }
  const only = onlySessionObject(settings, namespace);
  if (only !== undefined) return handOver(request, env, only, { relayed: false, caller });
  const { 0: outer, 1: inner } = new WebSocketPair();
  relay(inner, request, edge, caller);
  return switchingProtocols(outer, request);
}

function mayBeClientId(clientId: string, { limits }: Settings): boolean {
  return utf8Length(clientId) <= limits.clientIdBytesMax && !clientId.includes("\0");
}
