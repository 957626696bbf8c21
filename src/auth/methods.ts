/** Several ways of enhanced authentication beside each other. */

import type { AuthenticationExchange, Caller, EnhancedAuthenticator } from "../session/ports.ts";

export class Methods implements EnhancedAuthenticator {
  readonly methods: readonly string[];
  readonly #authenticators: readonly EnhancedAuthenticator[];

  /** @param authenticators of which no two know the same method; none = there is no method [5.0/4.12/default-deny] */
  constructor(authenticators: readonly EnhancedAuthenticator[]) {
    this.methods = authenticators.flatMap(({ methods }) => methods);
    this.#authenticators = authenticators;
  }

  begin(method: string, clientId: string, caller: Caller): AuthenticationExchange | undefined {
    return this.#authenticators.find(({ methods }) => methods.includes(method))?.begin(method, clientId, caller);
  }
}
