/**
 * Lets in whom another Worker lets in, which is bound to this one as `AUTH`. Bounded in time and number like an HTTP service: a Worker that
 * throws or never answers refuses the login that it was asked about.
 */

import { HOOK_ANSWER_BYTES_MAX } from "../login-limits.ts";
import type { Connect } from "../mqtt/packet.ts";
import type { Admission, Authenticator, Caller, Refusal } from "../session/ports.ts";
import { answerTo, CANT_BE_ASKED, judgeAnswer, passwordText } from "./hook-answer.ts";
import { HookGate } from "./hook-gate.ts";
import { HookLog } from "./hook-log.ts";
import { BUSY, type HookServices, UNAVAILABLE } from "./http-hook.ts";
import type { AuthenticationRequest, AuthenticationService } from "./service-contract.ts";

export class ServiceAuthenticator implements Authenticator {
  readonly #service: AuthenticationService;
  readonly #timeoutMs: number;
  readonly #services: Omit<HookServices, "fetch">;
  readonly #gate: HookGate;
  readonly #log: HookLog;

  constructor(service: AuthenticationService, timeoutMs: number, services: Omit<HookServices, "fetch">) {
    this.#service = service;
    this.#timeoutMs = timeoutMs;
    this.#services = services;
    this.#gate = new HookGate(services.runtime, timeoutMs);
    this.#log = new HookLog(services.runtime, services.failed);
  }

  async authenticate(connect: Connect, caller: Caller): Promise<Admission | Refusal | undefined> {
    const { clientId, userName, version: protocolVersion } = connect;
    const password = connect.password && passwordText(connect.password);
    if (connect.password !== undefined && password === undefined) return CANT_BE_ASKED;
    const pass = await this.#gate.enter(caller.address);
    if (pass === "busy") return BUSY;
    if (pass === "down") return UNAVAILABLE;
    const answer = await this.#ask({ clientId, userName, password, ...caller, protocolVersion });
    pass.leave(answer !== "did not answer in time");
    const verdict = typeof answer === "string" ? answer : judgeAnswer(answer.json);
    if (typeof verdict !== "string") return answerTo(verdict, connect, caller, this.#services.runtime.now());
    this.#log.tell(`the Worker behind the binding AUTH is no help: ${verdict}`);
    return UNAVAILABLE;
  }

  /** @returns what it says, as JSON would have it, or the end of a sentence. What it throws may have anything in it and is not repeated. */
  async #ask(request: AuthenticationRequest): Promise<{ readonly json: unknown } | string> {
    let wake: (late: string) => void = () => {};
    const late = new Promise<string>((resolve) => {
      wake = resolve;
    });
    const timer = this.#services.runtime.after(this.#timeoutMs, () => wake("did not answer in time"));
    const answer = (async () => {
      const text = JSON.stringify(await this.#service.authenticate(request)) ?? "null";
      return text.length > HOOK_ANSWER_BYTES_MAX ? "its answer is too large" : { json: JSON.parse(text) };
    })();
    try {
      return await Promise.race([answer, late]);
    } catch {
      return "it has thrown an error";
    } finally {
      timer.cancel();
      answer.catch(() => {});
    }
  }
}
