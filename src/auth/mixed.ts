/** Users beside anonymous clients: who gives a user name is one of them, who gives none is anonymous. */

import type { Connect } from "../mqtt/packet.ts";
import type { Authenticator, Authorizer, Identity, Refusal } from "../session/ports.ts";

export class MixedAuthenticator implements Authenticator {
  readonly #named: Authenticator;
  readonly #anonymous: Authenticator;

  constructor(named: Authenticator, anonymous: Authenticator) {
    this.#named = named;
    this.#anonymous = anonymous;
  }

  authenticate(connect: Connect, address: string): Promise<Identity | Refusal> {
    return (connect.userName === undefined ? this.#anonymous : this.#named).authenticate(connect, address);
  }
}

export class MixedAuthorizer implements Authorizer {
  readonly #named: Authorizer;
  readonly #anonymous: Authorizer;

  constructor(named: Authorizer, anonymous: Authorizer) {
    this.#named = named;
    this.#anonymous = anonymous;
  }

  mayPublish(identity: Identity, clientId: string, topic: string): boolean {
    return this.#of(identity).mayPublish(identity, clientId, topic);
  }

  maySubscribe(identity: Identity, clientId: string, topicFilter: string): boolean {
    return this.#of(identity).maySubscribe(identity, clientId, topicFilter);
  }

  #of(identity: Identity): Authorizer {
    return identity.userName === undefined ? this.#anonymous : this.#named;
  }
}
