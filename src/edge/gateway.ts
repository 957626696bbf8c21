/** Whom a gateway speaks for when it asks for a WebSocket: believed where its statement is signed, refused where it is not. */

import { GATEWAY_HEADER, readStatement } from "../auth/gateway-statement.ts";
import { PLATFORM } from "../runtime.ts";
import type { Caller } from "../session/ports.ts";
import type { Settings } from "../settings.ts";
import { sentence } from "./answers.ts";

/**
 * @param caller who asks, as far as platform and URL tell
 * @returns the client behind the gateway, or who asks where there is no gateway; 401 for a statement that is not believed, so that its operator
 *   hears of it: without it all of its clients would be at one address, and none certified
 */
export async function behindGateway(headers: Headers, { gatewaySecret }: Settings, caller: Caller): Promise<Caller | Response> {
  const text = headers.get(GATEWAY_HEADER);
  if (text === null) return caller;
  if (gatewaySecret.length === 0) return disbelieved("this broker has no GATEWAY_SECRET");
  const statement = await readStatement(gatewaySecret, text, PLATFORM.now());
  if (typeof statement === "string") return disbelieved(statement);
  const { address, userName } = statement;
  return { ...caller, address, ...(userName === undefined ? {} : { certifiedUserName: userName }) };
}

function disbelieved(why: string): Response {
  return sentence(401, `What the gateway says of its client is not believed: ${why}.`);
}
