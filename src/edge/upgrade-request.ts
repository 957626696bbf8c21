/**
 * A request for a WebSocket, as far as anybody looks at it before its client has said something. Whoever takes requests from the platform reads
 * these parts once: each of them is made anew by the platform for whom asks, and several ask.
 */

import { addressOf } from "../handshake/handover.ts";

export interface UpgradeRequest {
  readonly url: URL;
  readonly headers: Headers;
  /** Where its client is, as the platform tells it; empty when that is not known. */
  readonly address: string;
}

/** A HEAD with the headers of an upgrade asks for none (RFC 6455, 4.1). */
export function asksForWebSocket({ method, headers }: Request): boolean {
  return method === "GET" && headers.get("Upgrade")?.toLowerCase() === "websocket";
}

/** @param url of the request */
export function upgradeRequestOf(request: Request, url: URL): UpgradeRequest {
  return { url, headers: request.headers, address: addressOf(request) };
}
