/** Lets in whom another Worker lets in, or this Worker's own code. One that throws or never answers refuses the login that it was asked about, and no other. */

import type { Connect } from "../mqtt/packet.ts";
import type { Runtime } from "../runtime.ts";
import type { Admission, Authenticator, Caller, Refusal } from "../session/ports.ts";
import { answerTo, CANT_BE_ASKED, judgeAnswer, passwordText } from "./hook-answer.ts";
import type { AuthenticationRequest } from "./service-contract.ts";
import type { ServiceHook } from "./service-hook.ts";

/** @param context of the hooks of this Worker's code, where the client is asked about */
export type AskAuthentication = (request: AuthenticationRequest, context: object | undefined) => unknown;

export class ServiceAuthenticator implements Authenticator {
  readonly #authenticate: AskAuthentication;
  readonly #hook: ServiceHook;
  readonly #runtime: Runtime;

  constructor(authenticate: AskAuthentication, hook: ServiceHook, runtime: Runtime) {
    this.#authenticate = authenticate;
    this.#hook = hook;
    this.#runtime = runtime;
  }

  async authenticate(connect: Connect, caller: Caller): Promise<Admission | Refusal | undefined> {
    const { clientId, userName, version: protocolVersion } = connect;
    const password = connect.password && passwordText(connect.password);
    if (connect.password !== undefined && password === undefined) return CANT_BE_ASKED;
    const { namespace, address, token } = caller;
    const request = { namespace, clientId, userName, password, address, token, protocolVersion };
    const answer = await this.#hook.ask(caller, async () => this.#authenticate(request, caller.context), judgeAnswer);
    return "value" in answer ? answerTo(answer.value, connect, caller, this.#runtime.now()) : answer;
  }
}
