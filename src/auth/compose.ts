/**
 * Chooses who is let in, from the settings USERS and ALLOW_ANONYMOUS. Closed by default, and closed when USERS is not valid, whatever
 * ALLOW_ANONYMOUS says: a mistake must not open the broker.
 */

import type { Runtime } from "../runtime.ts";
import type { AuthenticationExchange, Authenticator, Authorizer, EnhancedAuthenticator } from "../session/ports.ts";
import { AnonymousAuthenticator, AnonymousAuthorizer } from "./anonymous.ts";
import { ClosedAuthenticator, ClosedAuthorizer } from "./closed.ts";
import { MixedAuthenticator, MixedAuthorizer } from "./mixed.ts";
import { ScramAuthenticator } from "./scram.ts";
import { parseUsers } from "./users.ts";
import { UsersAuthenticator } from "./users-authenticator.ts";
import { UsersAuthorizer } from "./users-authorizer.ts";

export interface Auth {
  readonly authenticator: Authenticator;
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
  const anonymous = { authenticator: new AnonymousAuthenticator(), authorizer: new AnonymousAuthorizer() };
  if (!hasUsers) return { ...anonymous, enhanced: NO_METHOD, problems: [] };

  const { users, problems } = parseUsers(settings.users);
  if (problems.length > 0) return closed("This broker lets nobody in until its operator corrects the secret USERS.", problems);
  const named = { authenticator: new UsersAuthenticator(users, runtime), authorizer: new UsersAuthorizer(users) };
  const enhanced = new ScramAuthenticator(users);
  if (!settings.allowAnonymous) return { ...named, enhanced, problems: [] };
  return {
    enhanced,
    authenticator: new MixedAuthenticator(named.authenticator, anonymous.authenticator),
    authorizer: new MixedAuthorizer(named.authorizer, anonymous.authorizer),
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
  return { authenticator, enhanced, authorizer: new ClosedAuthorizer(), problems };
}
