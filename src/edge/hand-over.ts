/** The way of an upgrade from the Worker to a Session object. */

import { encodeHandover, HANDOVER_HEADER, type Handover } from "../handshake/handover.ts";
import type { BrokerEnv } from "../objects/env.ts";

/** Passes an upgrade on to a Session object. */
export function handOver(request: Request, env: BrokerEnv, objectName: string, handover: Handover): Promise<Response> {
  const headers = new Headers(request.headers);
  headers.set(HANDOVER_HEADER, encodeHandover(handover));
  return env.SESSIONS.get(env.SESSIONS.idFromName(objectName)).fetch(new Request(request.url, { headers }));
}
