/**
 * Lets in whom an HTTP service lets in, asked in the way of mosquitto-go-auth: POST to `user`, and for those who are let in to `superuser`,
 * both answered by status. What the others may do is said by the rules of the broker.
 */

import type { Connect } from "../mqtt/packet.ts";
import type { Runtime } from "../runtime.ts";
import type { Admission, Authenticator, Caller, Refusal } from "../session/ports.ts";
import { ALLOWED, ALLOWED_EVERYTHING, answerTo, CANT_BE_ASKED, DENIED } from "./hook-answer.ts";
import type { HttpAnswer } from "./http-ask.ts";
import { valuesOf } from "./http-authenticator.ts";
import type { Answered, HttpHook } from "./http-hook.ts";
import type { HttpSettings } from "./http-settings.ts";
import { LOGIN_PLACEHOLDERS, type RequestShape, RequestTemplate } from "./http-template.ts";

export interface Yes {
  readonly yes: boolean;
}

export class GoAuthenticator implements Authenticator {
  readonly #hook: HttpHook;
  readonly #user: RequestTemplate;
  readonly #superuser: RequestTemplate;
  readonly #runtime: Runtime;

  constructor(settings: HttpSettings, hook: HttpHook, runtime: Runtime) {
    this.#hook = hook;
    this.#runtime = runtime;
    this.#user = goAuthTemplate(settings, "user", { username: "${username}", password: "${password}", clientid: "${clientid}" });
    this.#superuser = goAuthTemplate(settings, "superuser", { username: "${username}" });
  }

  async authenticate(connect: Connect, caller: Caller): Promise<Admission | Refusal | undefined> {
    // There is nobody to ask about.
    if (connect.userName === undefined) return undefined;
    const known = await this.#ask(this.#user, connect, caller);
    if (!("value" in known)) return known;
    if (!known.value.yes) return answerTo(DENIED, connect, caller, this.#runtime.now());
    const mayAll = await this.#ask(this.#superuser, connect, caller);
    if (!("value" in mayAll)) return mayAll;
    return answerTo(mayAll.value.yes ? ALLOWED_EVERYTHING : ALLOWED, connect, caller, this.#runtime.now());
  }

  async #ask(template: RequestTemplate, connect: Connect, caller: Caller): Promise<Answered<Yes>> {
    const request = template.make(valuesOf(connect, caller));
    return request === undefined ? CANT_BE_ASKED : this.#hook.ask(request, caller, readStatus);
  }
}

export function goAuthTemplate(
  { url, headers }: HttpSettings,
  path: string,
  body: RequestShape["body"],
  known = LOGIN_PLACEHOLDERS,
): RequestTemplate {
  return new RequestTemplate({ method: "POST", url: `${url.replace(/\/$/, "")}/${path}`, headers, body }, known);
}

export function readStatus({ status }: HttpAnswer): Yes | string {
  if (status === 200 || status === 204) return { yes: true };
  return status >= 400 && status < 500 && status !== 429 ? { yes: false } : `it answers with status ${status}`;
}
