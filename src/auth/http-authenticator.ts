/**
 * Lets in whom an HTTP service lets in, asked in EMQX's way: one request for a client, answered by 204 or by JSON. Any other answer, and none,
 * lets nobody in: a service that is down is told apart from one that says no (0x88 and 0x87), for clients that may come again.
 */

import type { Connect } from "../mqtt/packet.ts";
import type { Runtime } from "../runtime.ts";
import type { Admission, Authenticator, Caller, Refusal } from "../session/ports.ts";
import { ALLOWED, answerTo, CANT_BE_ASKED, DENIED, judgeAnswer, passwordText, type Verdict } from "./hook-answer.ts";
import type { HttpAnswer } from "./http-ask.ts";
import type { HttpHook } from "./http-hook.ts";
import { type HttpSettings, requestShape } from "./http-settings.ts";
import { RequestTemplate, type ValueOf } from "./http-template.ts";

export class HttpAuthenticator implements Authenticator {
  readonly #hook: HttpHook;
  readonly #template: RequestTemplate;
  readonly #runtime: Runtime;

  constructor(settings: HttpSettings, hook: HttpHook, runtime: Runtime) {
    this.#hook = hook;
    this.#template = new RequestTemplate(requestShape(settings));
    this.#runtime = runtime;
  }

  async authenticate(connect: Connect, caller: Caller): Promise<Admission | Refusal | undefined> {
    const request = this.#template.make(valuesOf(connect, caller));
    if (request === undefined) return CANT_BE_ASKED;
    const answer = await this.#hook.ask(request, caller, readVerdict);
    return "value" in answer ? answerTo(answer.value, connect, caller, this.#runtime.now()) : answer;
  }
}

/** What placeholders stand for before there is a login: what is missing is empty, and so is an attribute. */
export function valuesOf({ clientId, userName, password, version }: Connect, { address, namespace }: Caller): ValueOf {
  const values: Readonly<Record<string, () => string | undefined>> = {
    clientid: () => clientId,
    username: () => userName ?? "",
    password: () => passwordText(password),
    peerhost: () => address,
    proto_name: () => (version === 3 ? "MQIsdp" : "MQTT"),
    proto_ver: () => String(version),
    namespace: () => namespace,
  };
  return (placeholder) => (Object.hasOwn(values, placeholder) ? values[placeholder]!() : "");
}

/** Reads an answer of EMQX's shape. */
export function readVerdict({ status, body }: HttpAnswer): Verdict | string {
  if (status === 204) return ALLOWED;
  if (status === 401 || status === 403) return DENIED;
  if (status !== 200) return `it answers with status ${status}`;
  if (body === undefined) return "its answer is too large";
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(body));
  } catch {
    return "its answer is no JSON";
  }
  return judgeAnswer(json);
}
