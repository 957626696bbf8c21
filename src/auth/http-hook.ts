/**
 * Questions to one HTTP service: what is remembered is not asked, what can't be answered is a refusal, and what is wrong with the service
 * is in the log, without anything of a question or an answer.
 */

import { SERVER_BUSY, SERVER_UNAVAILABLE } from "../mqtt/reason-code.ts";
import type { Runtime } from "../runtime.ts";
import type { Caller, Refusal } from "../session/ports.ts";
import { HookCache } from "./hook-cache.ts";
import { HookGate } from "./hook-gate.ts";
import { HookLog } from "./hook-log.ts";
import { askHttp, type HttpAnswer } from "./http-ask.ts";
import type { HttpRequest } from "./http-template.ts";
import type { Fetch } from "./outside.ts";

export interface HookServices {
  readonly fetch: Fetch;
  readonly runtime: Runtime;
  /** Called with a sentence for the log when a hook does not answer as it should. */
  readonly failed: (problem: string) => void;
}

/** A 3.x connection gets return code 3 for both. */
export const UNAVAILABLE: Refusal = { reasonCode: SERVER_UNAVAILABLE, message: "the authentication service is not available; try again" };
export const BUSY: Refusal = { reasonCode: SERVER_BUSY, message: "the authentication service is asked about too many clients; try again" };

/** What those say who stand before a service that is away. A 500 may be what one client's words have done: it is no reason to leave the service alone. */
const AWAY: ReadonlySet<number> = new Set([502, 503, 504]);

/** The client about which a hook is asked. */
export type Asker = Pick<Caller, "address" | "whenGone">;

export type Answered<Value> = { readonly value: Value } | Refusal;

export class HttpHook {
  readonly #services: HookServices;
  readonly #variable: string;
  readonly #timeoutMs: number;
  readonly #gate: HookGate;
  readonly #cache: HookCache;
  readonly #log: HookLog;

  /** @param variable that has its URL */
  constructor(variable: string, timeoutMs: number, services: HookServices) {
    this.#variable = variable;
    this.#services = services;
    this.#timeoutMs = timeoutMs;
    this.#gate = new HookGate(services.runtime, timeoutMs);
    this.#cache = new HookCache(services.runtime);
    this.#log = new HookLog(services.runtime, services.failed);
  }

  /**
   * Asks.
   * @param client where it is, and whether it still waits
   * @param read what an answer means, or what is wrong with it as the end of a sentence
   */
  async ask<Value extends object>(
    request: HttpRequest,
    { address, whenGone }: Asker,
    read: (answer: HttpAnswer) => Value | string,
  ): Promise<Answered<Value>> {
    const name = await this.#cache.nameOf(request);
    const kept = this.#cache.get(name);
    if (kept !== undefined) return this.#read(kept, read);
    const pass = await this.#gate.enter(address);
    if (pass === "busy") return BUSY;
    if (pass === "down") return UNAVAILABLE;
    const { fetch, runtime } = this.#services;
    let isGone = false;
    whenGone?.(() => {
      isGone = true;
      pass.leave(undefined);
    });
    const answer = await askHttp(request, this.#timeoutMs, fetch, runtime, whenGone);
    if (isGone) return UNAVAILABLE;
    pass.leave(typeof answer !== "string" && !AWAY.has(answer.status));
    if (typeof answer === "string") return this.#wrong(answer);
    const value = this.#read(answer, read);
    if ("value" in value) this.#cache.keep(name, answer);
    return value;
  }

  #read<Value extends object>(answer: HttpAnswer, read: (answer: HttpAnswer) => Value | string): Answered<Value> {
    const value = read(answer);
    return typeof value === "string" ? this.#wrong(value) : { value };
  }

  #wrong(what: string): Refusal {
    this.#log.tell(`the service of ${this.#variable} is no help: ${what}`);
    return UNAVAILABLE;
  }
}
