/** Asks one authenticator after the other until one decides. Nobody is let in whom none of them knows. */

import type { Connect } from "../mqtt/packet.ts";
import type { Admission, Authenticator, Caller, Refusal, Soon } from "../session/ports.ts";

/** Bad User Name or Password; a 3.x connection gets return code 4. */
export const NOT_KNOWN: Refusal = { reasonCode: 0x86, message: "The user name or the password is not right." };

export class AuthenticatorChain implements Authenticator {
  readonly #authenticators: readonly Authenticator[];

  constructor(authenticators: readonly Authenticator[]) {
    this.#authenticators = authenticators;
  }

  authenticate(connect: Connect, caller: Caller): Soon<Admission | Refusal> {
    // What is known by this object is of this login alone (`login-directory.ts`).
    return this.#ask(0, connect, { ...caller });
  }

  #ask(first: number, connect: Connect, login: Caller): Soon<Admission | Refusal> {
    for (let index = first; index < this.#authenticators.length; index += 1) {
      const answer = this.#authenticators[index]!.authenticate(connect, login);
      if (answer instanceof Promise) return answer.then((known) => known ?? this.#ask(index + 1, connect, login));
      if (answer !== undefined) return answer;
    }
    return NOT_KNOWN;
  }
}
