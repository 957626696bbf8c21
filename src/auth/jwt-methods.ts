/**
 * Tokens as Authentication Data (MQTT 5.0, 4.12): under a name of its own, and under two that other brokers' clients know. The client says
 * its token, and that is all; in AUTH 0x19 a fresh one goes on with the same connection. CONNECT's user name and password are not
 * looked at.
 */

import { NOT_AUTHORIZED } from "../mqtt/reason-code.ts";
import type { AuthenticationExchange, AuthenticationStep, Caller, EnhancedAuthenticator } from "../session/ports.ts";
import type { Tokens } from "./jwt.ts";

const METHODS = ["JWT", "OAUTH2-JWT", "CUSTOM-JWT"];

const NO_TOKEN = { reasonCode: NOT_AUTHORIZED, message: "the Authentication Data must be a token" };

export class JwtMethods implements EnhancedAuthenticator {
  readonly methods = METHODS;
  readonly #tokens: Tokens;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  begin(method: string, clientId: string, caller: Caller): AuthenticationExchange | undefined {
    if (!METHODS.includes(method)) return undefined;
    const bearer = { ...caller, clientId, userName: undefined };
    return {
      step: async (data): Promise<AuthenticationStep> => {
        const answer = (await this.#tokens.login(new TextDecoder().decode(data), bearer, NOT_AUTHORIZED)) ?? NO_TOKEN;
        return "reasonCode" in answer ? answer : { kind: "success", identity: answer, data: undefined };
      },
    };
  }
}
