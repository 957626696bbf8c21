/**
 * The way of a WebSocket upgrade: to a namespace that exists, with a subprotocol that is spoken here, and either handed to the Session
 * object that is known by now, or accepted here and relayed once CONNECT has told which object it is.
 */

import { ConnectRate } from "../handshake/connect-rate.ts";
import { chooseSubprotocol, switchingProtocols } from "../handshake/handover.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import { onlySessionObject, sessionObjectName } from "../objects/names.ts";
import { PLATFORM } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import { exists, noNamespace, sentence } from "./answers.ts";
import type { Edge } from "./edge.ts";
import { behindGateway } from "./gateway.ts";
import { handOver, type Offered } from "./hand-over.ts";
import { refusesOrigin } from "./origin.ts";
import { relay } from "./start-relay.ts";
import type { UpgradeRequest } from "./upgrade-request.ts";

/** Of this isolate. */
const connectRates = new WeakMap<Settings, ConnectRate>();

function connectRateOf(settings: Settings): ConnectRate {
  const known = connectRates.get(settings) ?? new ConnectRate(settings.rates.addressConnects);
  connectRates.set(settings, known);
  return known;
}

/**
 * Answers a request for a WebSocket to a path at which MQTT is served.
 * @returns 101 with the socket; 400, 401, 403, 404 or 429 with a sentence
 */
export async function upgrade(request: UpgradeRequest, edge: Edge, namespace: string): Promise<Response> {
  const { env, settings } = edge;
  const { url, headers } = request;
  if (!exists(settings, namespace)) return noNamespace(namespace);
  const refused = refusesOrigin(request, settings);
  if (refused !== undefined) return refused;
  const { searchParams } = url;
  const asking = { namespace, address: request.address, token: searchParams.get("token") ?? "" };
  const caller = await behindGateway(headers, settings, asking);
  if (caller instanceof Response) return caller;
  const tooOften = connectRateOf(settings).refusal(caller.address, PLATFORM.now());
  if (tooOften !== undefined) return tooOften;
  const subprotocol = chooseSubprotocol(headers);
  if (!subprotocol.accepted) {
    return sentence(400, "None of the WebSocket subprotocols offered is spoken here. Offer mqtt or none.");
  }
  const clientId = searchParams.get("clientId") ?? "";
  // An object is chosen by it: one that no CONNECT can have wakes none.
  if (!mayBeClientId(clientId, settings)) {
    return sentence(400, `The clientId of the URL must have at most ${settings.limits.clientIdBytesMax} bytes, and no U+0000.`);
  }
  const isKnown = clientId !== "";
  const objectName = isKnown ? sessionObjectName(settings, namespace, clientId) : onlySessionObject(settings, namespace);
  if (objectName !== undefined) {
    const offered: Offered = { subprotocol: subprotocol.name, extensions: headers.get("Sec-WebSocket-Extensions") };
    return handOver(env, objectName, { relayed: false, ...(isKnown ? { expectedClientId: clientId } : {}), caller }, offered);
  }
  const { 0: outer, 1: inner } = new WebSocketPair();
  relay(inner, edge, caller);
  return switchingProtocols(outer, subprotocol.name);
}

function mayBeClientId(clientId: string, { limits }: Settings): boolean {
  return utf8Length(clientId) <= limits.clientIdBytesMax && !clientId.includes("\0");
}
