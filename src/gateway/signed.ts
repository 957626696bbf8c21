/** What is said of a client to a broker that has the same secret. */

import { GATEWAY_HEADER, signStatement } from "../auth/gateway-statement.ts";
import { PLATFORM } from "../runtime.ts";
import type { Broker } from "./upstream.ts";

/** @param secret the broker's GATEWAY_SECRET; undefined: nothing is said, and the broker sees all clients where the gateway is */
export function sayingBy(secret: Uint8Array | undefined): Pick<Broker, "headersOf" | "isSigned"> {
  if (secret === undefined) return { headersOf: () => ({}), isSigned: false };
  return { headersOf: async (peer) => ({ [GATEWAY_HEADER]: await signStatement(secret, peer, PLATFORM.now()) }), isSigned: true };
}
