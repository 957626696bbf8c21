/**
 * Runs the exchanges of clients that authenticate anew on live connections. An exchange is only in memory: its pending timer, which
 * bounds it, also keeps the object awake.
 */

import { NOT_AUTHORIZED, SERVER_BUSY } from "../mqtt/reason-code.ts";
import type { Runtime } from "../runtime.ts";
import type {
  AuthenticationStep,
  EnhancedAuthenticator,
  Reauthentication,
  ReauthenticationListener,
  ReauthenticationPort,
} from "../session/ports.ts";

export class Reauthentications implements ReauthenticationPort {
  readonly #enhanced: EnhancedAuthenticator;
  readonly #namespace: string;
  readonly #secondsMax: number;
  readonly #runtime: Runtime;
  readonly #answered: () => void;

  /**
   * @param namespace of the clients
   * @param secondsMax for a whole exchange
   * @param answered called after a listener was given an answer: there may be something to flush
   */
  constructor(enhanced: EnhancedAuthenticator, namespace: string, secondsMax: number, runtime: Runtime, answered: () => void) {
    this.#runtime = runtime;
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
    const answer = (step: AuthenticationStep): void => {
      if (over) return;
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
}
