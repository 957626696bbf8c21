/**
 * A hook whose refusals count as failed logins of an address, like wrong passwords that are hashed here: beyond the rate it is not asked.
 * Who has been let in with the same password before may still be asked about, so that one guest of a network does not shut out the others.
 */

import type { Connect } from "../mqtt/packet.ts";
import { BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED } from "../mqtt/reason-code.ts";
import type { Admission, Authenticator, Caller, Refusal } from "../session/ports.ts";
import type { FailedLogins } from "./failed-logins.ts";
import type { VerifiedPasswords } from "./verified-passwords.ts";

const FAILURES: readonly number[] = [BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED];

export class CountedLogins implements Authenticator {
  readonly #hook: Authenticator;
  readonly #failures: FailedLogins;
  readonly #verified: VerifiedPasswords;

  /** @param verified passwords that were right, by namespace and name */
  constructor(hook: Authenticator, failures: FailedLogins, verified: VerifiedPasswords) {
    this.#verified = verified;
    this.#hook = hook;
    this.#failures = failures;
  }

  async authenticate(connect: Connect, caller: Caller): Promise<Admission | Refusal | undefined> {
    // Clients without a name are not all one.
    const { userName = connect.clientId, password } = connect;
    const { address, namespace, whenGone } = caller;
    const name = `${namespace} ${userName}`;
    const verified = this.#verified;
    const digest = password && (await verified.digestOf(password));
    const attempt = this.#failures.attempt(address, userName);
    // Who does not wait for the answer has had the hook asked all the same.
    whenGone?.(() => attempt.fail());
    let isCompared = false;
    let wasRight = false;
    const refusal = await this.#failures.admit(address, attempt, () => {
      if (!attempt.look()) return false;
      isCompared ||= verified.knows(name);
      wasRight = digest !== undefined && verified.fits(name, digest);
      if (wasRight) attempt.giveBack();
      return wasRight || attempt.begin();
    });
    if (refusal !== undefined) {
      // It was looked at all the same.
      if (isCompared) attempt.fail();
      else attempt.giveBack();
      return refusal;
    }
    const answer = await this.#hook.authenticate(connect, caller);
    const isAdmitted = answer !== undefined && !("reasonCode" in answer);
    const hasFailed = answer !== undefined && "reasonCode" in answer && FAILURES.includes(answer.reasonCode);
    if (isAdmitted && !wasRight && digest !== undefined) verified.add(name, digest);
    if (!hasFailed) attempt.giveBack();
    else if (!wasRight) attempt.fail();
    else {
      verified.forget(name);
      this.#failures.failed(address, userName);
    }
    return answer;
  }
}
