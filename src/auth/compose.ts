/**
 * Chooses who is let in, from the settings USERS and ALLOW_ANONYMOUS. Closed by default, and closed when USERS is not valid, whatever
 * ALLOW_ANONYMOUS says: a mistake must not open the broker.
 */

import type { Runtime } from "../runtime.ts";
import type { AuthenticationExchange, Authenticator, Authorizer, EnhancedAuthenticator } from "../session/ports.ts";
import { AnonymousAuthenticator, AnonymousAuthorizer } from "./anonymous.ts";
import { AuthenticatorChain } from "./chain.ts";
import { ClosedAuthenticator, ClosedAuthorizer } from "./closed.ts";
import { MixedAuthorizer } from "./mixed.ts";
import { ScramAuthenticator } from "./scram.ts";
import { parseUsers } from "./users.ts";
import { UsersAuthenticator } from "./users-authenticator.ts";
import { UsersAuthorizer } from "./users-authorizer.ts";

export interface Auth {
  readonly authenticator: AuthenticatorChain;
  /** For clients that name an Authentication Method; with users there is SCRAM-SHA-256, without them there is none. */
  readonly enhanced: EnhancedAuthenticator;
  readonly authorizer: Authorizer;
  /** What is wrong with USERS, as sentences that repeat nothing of it; for the log and for operators. */
  readonly problems: readonly string[];
}

/**
 * Make it once for an object or an isolate and keep it: it remembers passwords that were verified.
 * @param settings `users` is the secret as given, empty when there is none
 */
export function createAuth(settings: { readonly users: string; readonly allowAnonymous: boolean }, runtime: Runtime): Auth {
  const hasUsers = settings.users.trim() !== "";
  if (!hasUsers && !settings.allowAnonymous) {
    return closed("This broker lets nobody in until its operator sets the secret USERS, or ALLOW_ANONYMOUS=true.", []);
  }
  const anonymous = { authenticator: new AnonymousAuthenticator(!hasUsers), authorizer: new AnonymousAuthorizer() };
  if (!hasUsers)
    return { ...anonymous, authenticator: new AuthenticatorChain([anonymous.authenticator]), enhanced: NO_METHOD, problems: [] };

  const { users, problems } = parseUsers(settings.users);
  if (problems.length > 0) return closed("This broker lets nobody in until its operator corrects the secret USERS.", problems);
  const chain: Authenticator[] = [new UsersAuthenticator(users, runtime)];
  if (settings.allowAnonymous) chain.push(anonymous.authenticator);
  const named = new UsersAuthorizer(users);
  return {
    authenticator: new AuthenticatorChain(chain),
    enhanced: new ScramAuthenticator(users),
    authorizer: settings.allowAnonymous ? new MixedAuthorizer(named, anonymous.authorizer) : named,
    problems: [],
  };
}

/** Authentication Methods of a broker that has none [5.0/4.12/default-deny]. */
const NO_METHOD: EnhancedAuthenticator = { methods: [], begin: () => undefined };

function closed(message: string, problems: readonly string[]): Auth {
  const authenticator = new ClosedAuthenticator(message);
  // Whatever the method: that nobody is let in, and why, is the better answer.
  const exchange: AuthenticationExchange = { step: () => authenticator.authenticate() };
  const enhanced: EnhancedAuthenticator = { methods: [], begin: () => exchange };
  return { authenticator: new AuthenticatorChain([authenticator]), enhanced, authorizer: new ClosedAuthorizer(), problems };
}
