/** Refuses everybody: what a broker does that was not told, or was told wrongly, whom to let in. */

import type { Authenticator, Authorizer, Refusal } from "../session/ports.ts";

export class ClosedAuthenticator implements Authenticator {
  readonly #refusal: Refusal;

  /** @param message why, in a sentence that is safe to show to clients */
  constructor(message: string) {
    // Not authorized; a 3.x connection gets return code 5.
    this.#refusal = { reasonCode: 0x87, message };
  }

  authenticate(): Refusal {
    return this.#refusal;
  }
}

/** For sessions restored from a time when somebody was let in. */
export class ClosedAuthorizer implements Authorizer {
  mayPublish(): boolean {
    return false;
  }

  maySubscribe(): boolean {
    return false;
  }

  limitsReceive(): boolean {
    return true;
  }

  mayReceive(): boolean {
    return false;
  }
}
