/**
 * Runs the exchanges of clients that authenticate anew on live connections. An exchange is only in memory: its pending timer, which
 * bounds it, also keeps the object awake.
 */

import { NOT_AUTHORIZED, SERVER_BUSY } from "../mqtt/reason-code.ts";
import type { Runtime } from "../runtime.ts";
import type {
  Admission,
  AuthenticationStep,
  EnhancedAuthenticator,
  Reauthentication,
  ReauthenticationListener,
  ReauthenticationPort,
  Refusal,
} from "../session/ports.ts";

export interface ReauthenticationsOptions {
  readonly enhanced: EnhancedAuthenticator;
  /** Of the clients. */
  readonly namespace: string;
  /** For a whole exchange. */
  readonly secondsMax: number;
  readonly runtime: Runtime;
  /** What has become of a login while its exchange went on. */
  readonly judge: (clientId: string, admission: Admission) => Admission | Refusal;
  /** Called after a listener was given an answer: there may be something to flush. */
  readonly answered: () => void;
}

export class Reauthentications implements ReauthenticationPort {
  readonly #enhanced: EnhancedAuthenticator;
  readonly #namespace: string;
  readonly #secondsMax: number;
  readonly #runtime: Runtime;
  readonly #judge: ReauthenticationsOptions["judge"];
  readonly #answered: () => void;

  constructor({ enhanced, namespace, secondsMax, runtime, judge, answered }: ReauthenticationsOptions) {
    this.#runtime = runtime;
    this.#judge = judge;
    this.#enhanced = enhanced;
    this.#namespace = namespace;
    this.#secondsMax = secondsMax;
    this.#answered = answered;
  }

  begin(method: string, clientId: string, address: string, listener: ReauthenticationListener): Reauthentication | undefined {
    const exchange = this.#enhanced.begin(method, clientId, { namespace: this.#namespace, address, token: "" });
    if (exchange === undefined) return undefined;
    let over = false;
    const cancel = (): void => {
      over = true;
      timer.cancel();
    };
    const answer = (said: AuthenticationStep): void => {
      if (over) return;
      const step = this.#judged(said, clientId);
      if ("reasonCode" in step || step.kind === "success") cancel();
      listener.answered(step, this.#runtime.now());
      this.#answered();
    };
    const late = `the authentication was not finished within ${this.#secondsMax} s`;
    const timer = this.#runtime.after(this.#secondsMax * 1000, () => answer({ reasonCode: NOT_AUTHORIZED, message: late }));
    const unavailable = { reasonCode: SERVER_BUSY, message: "the authentication service is not available; try again" };
    return {
      step: (data) => void exchange.step(data).then(answer, () => answer(unavailable)),
      cancel,
    };
  }

  #judged(step: AuthenticationStep, clientId: string): AuthenticationStep {
    if ("reasonCode" in step || step.kind !== "success") return step;
    const judged = this.#judge(clientId, step.identity);
    return "reasonCode" in judged ? judged : { ...step, identity: judged };
  }
}
