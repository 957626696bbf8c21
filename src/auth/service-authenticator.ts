/** Lets in whom another Worker lets in. One that throws or never answers refuses the login that it was asked about, and no other. */

import type { Connect } from "../mqtt/packet.ts";
import type { Runtime } from "../runtime.ts";
import type { Admission, Authenticator, Caller, Refusal } from "../session/ports.ts";
import { answerTo, CANT_BE_ASKED, judgeAnswer, passwordText } from "./hook-answer.ts";
import type { AuthenticationService } from "./service-contract.ts";
import type { ServiceHook } from "./service-hook.ts";

export class ServiceAuthenticator implements Authenticator {
  readonly #service: AuthenticationService;
  readonly #hook: ServiceHook;
  readonly #runtime: Runtime;

  constructor(service: AuthenticationService, hook: ServiceHook, runtime: Runtime) {
    this.#service = service;
    this.#hook = hook;
    this.#runtime = runtime;
  }

  async authenticate(connect: Connect, caller: Caller): Promise<Admission | Refusal | undefined> {
    const { clientId, userName, version: protocolVersion } = connect;
    const password = connect.password && passwordText(connect.password);
    if (connect.password !== undefined && password === undefined) return CANT_BE_ASKED;
    const { namespace, address, token } = caller;
    const request = { namespace, clientId, userName, password, address, token, protocolVersion };
    const answer = await this.#hook.ask(caller, () => this.#service.authenticate(request), judgeAnswer);
    return "value" in answer ? answerTo(answer.value, connect, caller, this.#runtime.now()) : answer;
  }
}
