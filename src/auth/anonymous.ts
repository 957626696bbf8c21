/** Lets everybody in, with every right except the broker's own topics: a choice that an operator makes by name (ALLOW_ANONYMOUS). */

import type { Authenticator, Authorizer, Identity } from "../session/ports.ts";
import { isSystemTopic } from "../topic/name.ts";
import { asksInVain, isBridgeState } from "./bridge-state.ts";

export class AnonymousAuthenticator implements Authenticator {
  /** User names and passwords are not looked at. */
  async authenticate(): Promise<Identity> {
    return { userName: undefined };
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
}
