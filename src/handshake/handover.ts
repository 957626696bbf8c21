/**
 * What the Worker tells a Session object about a socket it passes on, in one request header. The object can't be reached but through
 * the Worker, which always sets this header itself: a client's own header of that name never arrives.
 */

import { type Admission, type Caller, NOBODY } from "../session/ports.ts";

export interface Handover {
  /** A relay stands before the socket: it has read and checked CONNECT, answers PINGREQ and enforces Keep Alive. */
  readonly relayed: boolean;
  /** The Client Identifier that CONNECT must have, or gets where it has none: the URL's, by which the object was chosen. */
  readonly expectedClientId?: string;
  /** The Client Identifier that the relay assigned because CONNECT had none. */
  readonly assignedClientId?: string;
  /** Of whom the object has to find out who it is. */
  readonly caller?: Caller;
  /** Who the client is, where the Worker knows it: the relay has found out, or the Worker speaks for itself. */
  readonly admission?: Admission;
  /** What CONNACK has to say last in the exchange of an Authentication Method, in Base64. */
  readonly authenticationData?: string;
}

/** Where a client is, as the platform tells it; empty when that is not known. */
export function addressOf(request: Request): string {
  return request.headers.get("CF-Connecting-IP") ?? "";
}

export function unknownCaller(namespace: string): Caller {
  return { namespace, address: "", token: "" };
}

export const HANDOVER_HEADER = "Durable-MQTT-Handover";

/** While a new build spreads, an object of the one before may read it: that knows the user name alone, beside the rest. */
export function encodeHandover(handover: Handover): string {
  return encodeURIComponent(JSON.stringify({ ...handover, userName: handover.admission?.userName }));
}

/** JSON has neither undefined nor Infinity; and a Worker of the build before says the user name alone. */
export function decodeHandover(header: string): Handover {
  const { admission, userName, ...handover } = JSON.parse(decodeURIComponent(header)) as Handover & { userName?: string };
  if (!handover.relayed && admission === undefined) return handover;
  const expiresAt = admission?.expiresAt ?? Number.POSITIVE_INFINITY;
  return { ...handover, admission: { ...NOBODY, ...admission, userName, expiresAt } };
}

/** The WebSocket subprotocols that are spoken here: that of the specification, and names that clients have made for one version. */
const SUBPROTOCOLS = ["mqtt", "mqttv3.1", "mqttv3.1.1", "mqttv5", "mqttv5.0"];

export type Subprotocol = { readonly accepted: true; readonly name: string | undefined } | { readonly accepted: false };

/**
 * Chooses among the subprotocols that the client offers, `mqtt` if it can [MQTT5-6.0.0-4] [MQTT311-6.0.0-4]; offering none is accepted.
 * @returns the name as the client wrote it: some compare it letter by letter
 */
export function chooseSubprotocol(headers: Headers): Subprotocol {
  const header = headers.get("Sec-WebSocket-Protocol");
  if (header === null) return { accepted: true, name: undefined };
  const offered = header.split(",").map((each) => each.trim());
  const spoken = offered.filter((each) => SUBPROTOCOLS.includes(each.toLowerCase()));
  const name = spoken.find((each) => each.toLowerCase() === "mqtt") ?? spoken[0];
  return name === undefined ? { accepted: false } : { accepted: true, name };
}

/** The 101 answer. @param subprotocol that was chosen; undefined = none */
export function switchingProtocols(webSocket: WebSocket, subprotocol: string | undefined): Response {
  const headers: Record<string, string> = subprotocol === undefined ? {} : { "Sec-WebSocket-Protocol": subprotocol };
  return new Response(null, { status: 101, webSocket, headers });
}

/** A Client Identifier for a client that has none, not used by any session [MQTT5-3.2.2-16] [MQTT311-3.1.3-6]. */
export function assignClientId(): string {
  return `auto-${crypto.randomUUID()}`;
}
