/** Lets everybody in, with every right except the broker's own topics: a choice that an operator makes by name (ALLOW_ANONYMOUS). */

import type { Connect } from "../mqtt/packet.ts";
import { type Authenticator, type Authorizer, type Caller, type Identity, NOBODY } from "../session/ports.ts";
import { isSystemTopic } from "../topic/name.ts";
import { asksInVain, isBridgeState } from "./bridge-state.ts";

export class AnonymousAuthenticator implements Authenticator {
  readonly #namesToo: boolean;

  /** @param namesToo whether those who give a user name are let in as well: it is not looked at then */
  constructor(namesToo: boolean) {
    this.#namesToo = namesToo;
  }

  async authenticate({ userName }: Connect, { address }: Caller): Promise<Identity | undefined> {
    return userName === undefined || this.#namesToo ? { ...NOBODY, address } : undefined;
  }
}

/** Rights of anonymous clients. A restored session of a named user has none: the users were removed since. */
export class AnonymousAuthorizer implements Authorizer {
  /** [5.0/4.7.2/publish] Clients do not exchange messages on topics that begin with `$`. */
  mayPublish(identity: Identity, _clientId: string, topic: string): boolean {
    return identity.userName === undefined && (!isSystemTopic(topic) || isBridgeState(topic));
  }

  /** What is granted comes: a client that asks for `$SYS/#` is told that there is nothing. */
  maySubscribe(identity: Identity, _clientId: string, topicFilter: string): boolean {
    return identity.userName === undefined && !asksInVain(topicFilter);
  }

  limitsReceive(): boolean {
    return false;
  }

  mayReceive(): boolean {
    return true;
  }
}
