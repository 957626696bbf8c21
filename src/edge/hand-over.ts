/** The way of an upgrade from the Worker to a Session object. */

import { encodeHandover, HANDOVER_HEADER, type Handover } from "../handshake/handover.ts";
import { type BrokerEnv, sessionsOf } from "../objects/env.ts";

/** What the client of a socket that is handed over has offered and its object answers. */
export interface Offered {
  /** The one that was chosen; undefined = none. */
  readonly subprotocol: string | undefined;
  /** Of WebSocket, as the header says them: the platform answers where the socket ends. */
  readonly extensions: string | null;
}

/**
 * Passes an upgrade on to a Session object, with no more of the client's headers than its answer depends on.
 * @param offered undefined for a socket of the Worker's own
 */
export function handOver(env: BrokerEnv, objectName: string, handover: Handover, offered?: Offered): Promise<Response> {
  const headers: Record<string, string> = { Upgrade: "websocket", [HANDOVER_HEADER]: encodeHandover(handover) };
  if (offered?.subprotocol !== undefined) headers["Sec-WebSocket-Protocol"] = offered.subprotocol;
  if (offered?.extensions) headers["Sec-WebSocket-Extensions"] = offered.extensions;
  return sessionsOf(env)(objectName).fetch("https://session/", { headers });
}
