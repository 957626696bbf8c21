/**
 * A hook whose refusals count as failed logins of an address, like wrong passwords that are hashed here: beyond the rate it is not asked.
 * Who has been let in with the same password before may still be asked about, so that one guest of a network does not shut out the others.
 */

import type { Connect } from "../mqtt/packet.ts";
import { BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED } from "../mqtt/reason-code.ts";
import type { Admission, Authenticator, Caller, Refusal } from "../session/ports.ts";
import { type FailedLogins, TOO_MANY_FAILED } from "./failed-logins.ts";
import { VerifiedPasswords } from "./users-authenticator.ts";

const FAILURES: readonly number[] = [BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED];

export class CountedLogins implements Authenticator {
  readonly #hook: Authenticator;
  readonly #failures: FailedLogins;
  readonly #verified = new VerifiedPasswords();

  constructor(hook: Authenticator, failures: FailedLogins) {
    this.#hook = hook;
    this.#failures = failures;
  }

  async authenticate(connect: Connect, caller: Caller): Promise<Admission | Refusal | undefined> {
    // Clients without a name are not all one.
    const { userName = connect.clientId, password } = connect;
    const { address } = caller;
    if (this.#failures.isShut(address, userName)) return TOO_MANY_FAILED;
    const wasRight = password !== undefined && (await this.#verified.has(userName, password));
    if (!wasRight && !this.#failures.mayTry(address)) {
      // It was looked at all the same.
      if (this.#verified.knows(userName)) this.#failures.guessed(address, userName);
      return TOO_MANY_FAILED;
    }
    const answer = await this.#hook.authenticate(connect, caller);
    const isAdmitted = answer !== undefined && !("reasonCode" in answer);
    const hasFailed = answer !== undefined && "reasonCode" in answer && FAILURES.includes(answer.reasonCode);
    if (hasFailed) this.#failures.failed(address, userName);
    if (!wasRight && isAdmitted && password !== undefined) await this.#verified.add(userName, password);
    return answer;
  }
}
