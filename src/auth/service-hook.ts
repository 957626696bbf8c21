/** Questions to another Worker, which is bound to this one as `AUTH`, or to this Worker's own code: bounded in time, number and size like those to an HTTP service. */

import { HOOK_ANSWER_BYTES_MAX } from "../login-limits.ts";
import { HookGate } from "./hook-gate.ts";
import { HookLog } from "./hook-log.ts";
import { type Answered, type Asker, BUSY, type HookServices, UNAVAILABLE } from "./http-hook.ts";
import { answerWithin } from "./outside.ts";

const LATE = "did not answer in time";

export class ServiceHook {
  readonly #name: string;
  readonly #timeoutMs: number;
  readonly #services: Omit<HookServices, "fetch">;
  readonly #gate: HookGate;
  readonly #log: HookLog;

  /** @param name who is asked, for the log */
  constructor(name: string, timeoutMs: number, services: Omit<HookServices, "fetch">) {
    this.#name = name;
    this.#timeoutMs = timeoutMs;
    this.#services = services;
    this.#gate = new HookGate(services.runtime, timeoutMs);
    this.#log = new HookLog(services.runtime, services.failed);
  }

  /**
   * Asks.
   * @param client where it is
   * @param call asks the Worker
   * @param read what its answer, as JSON would have it, means, or what is wrong with it as the end of a sentence
   */
  async ask<Value extends object>(
    { address }: Pick<Asker, "address">,
    call: () => Promise<unknown>,
    read: (json: unknown) => Value | string,
  ): Promise<Answered<Value>> {
    const pass = await this.#gate.enter(address);
    if (pass === "busy") return BUSY;
    if (pass === "down") return UNAVAILABLE;
    // Nothing ends the call of who leaves: its place is free when that is over.
    const answer = await this.#answerOf(call);
    pass.leave(answer !== LATE);
    const value = typeof answer === "string" ? answer : read(answer.json);
    if (typeof value !== "string") return { value };
    this.#log.tell(`${this.#name} is no help: ${value}`);
    return UNAVAILABLE;
  }

  /** @returns what it says, or the end of a sentence. What it throws may have anything in it and is not repeated. */
  #answerOf(call: () => Promise<unknown>): Promise<{ readonly json: unknown } | string> {
    const ask = async (): Promise<{ readonly json: unknown } | string> => {
      const text = JSON.stringify(await call()) ?? "null";
      return text.length > HOOK_ANSWER_BYTES_MAX ? "its answer is too large" : { json: JSON.parse(text) };
    };
    const { runtime } = this.#services;
    return answerWithin({ timeoutMs: this.#timeoutMs, runtime }, ask, { late: LATE, failed: "it has thrown an error" });
  }
}
