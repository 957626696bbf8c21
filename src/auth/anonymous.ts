/** Lets everybody in: a choice that an operator makes by name (ALLOW_ANONYMOUS). What they may do is in rules-authorizer.ts. */

import type { Connect } from "../mqtt/packet.ts";
import { type Authenticator, type Caller, type Identity, NOBODY } from "../session/ports.ts";

export class AnonymousAuthenticator implements Authenticator {
  readonly #namesToo: boolean;

  /** @param namesToo whether those who give a user name are let in as well: it is not looked at then */
  constructor(namesToo: boolean) {
    this.#namesToo = namesToo;
  }

  authenticate({ userName }: Connect, { address }: Caller): Identity | undefined {
    return userName === undefined || this.#namesToo ? { ...NOBODY, address } : undefined;
  }
}
