/**
 * Chooses who is let in, from the settings USERS, ADMIN_TOKEN (users of the directory), JWT_... and ALLOW_ANONYMOUS. Closed by default, and closed when USERS is not valid, whatever
 * the others say: a mistake must not open the broker.
 */

import type { DirectoryPort } from "../directory/ports.ts";
import type { Rates } from "../rate.ts";
import type { Runtime } from "../runtime.ts";
import type { AuthenticationExchange, Authenticator, Authorizer, EnhancedAuthenticator } from "../session/ports.ts";
import type { AclSettings } from "./acl-settings.ts";
import { AnonymousAuthenticator } from "./anonymous.ts";
import { BanGate, GatedMethods } from "./ban-gate.ts";
import { AuthenticatorChain } from "./chain.ts";
import { ClosedAuthenticator, ClosedAuthorizer } from "./closed.ts";
import type { DirectorySettings } from "./directory-settings.ts";
import { FailedLogins } from "./failed-logins.ts";
import { claimNamesOf } from "./grants.ts";
import type { Fetch } from "./jwk-set.ts";
import { JwtAuthenticator, Tokens } from "./jwt.ts";
import { JwtMethods } from "./jwt-methods.ts";
import { type JwtSettings, takesTokens } from "./jwt-settings.ts";
import { Methods } from "./methods.ts";
import { parseAclText } from "./rules.ts";
import { RulesAuthorizer } from "./rules-authorizer.ts";
import { ScramAuthenticator } from "./scram.ts";
import { parseUsers } from "./users.ts";
import { UsersAuthenticator } from "./users-authenticator.ts";

export interface Auth {
  readonly authenticator: AuthenticatorChain;
  /** For clients that name an Authentication Method: SCRAM-SHA-256 with users, three for tokens with keys for them. */
  readonly enhanced: EnhancedAuthenticator;
  readonly authorizer: Authorizer;
  /** What is wrong with USERS or ACL, as sentences that repeat nothing of it; for the log and for operators. */
  readonly problems: readonly string[];
}

export interface AuthSettings {
  /** The secret as given, empty when there is none. */
  readonly users: string;
  readonly jwt: JwtSettings;
  readonly directory: DirectorySettings;
  readonly acl: AclSettings;
  readonly allowAnonymous: boolean;
  readonly rates: Pick<Rates, "addressLoginFailures">;
}

/** What authenticators need of the platform. */
export interface AuthServices {
  readonly fetch: Fetch;
  /** Asks the directory; undefined where there is none. */
  readonly directory: DirectoryPort | undefined;
  /** Something that is asked does not answer as it should: a sentence for the log. */
  readonly failed: (problem: string) => void;
  /** Logins of this address are refused because too many have failed. */
  readonly tooManyFailed: (address: string) => void;
}

/** Make it once for an object or an isolate and keep it: it remembers passwords that were verified, and the keys of identity providers. */
export function createAuth(settings: AuthSettings, runtime: Runtime, services: AuthServices): Auth {
  const hasUsers = settings.users.trim() !== "";
  const hasTokens = takesTokens(settings.jwt);
  const { directory } = services;
  if (!hasUsers && !hasTokens && directory === undefined && !settings.allowAnonymous) {
    return closed(
      "This broker lets nobody in until its operator sets the secret USERS or ADMIN_TOKEN, keys for tokens (JWT_...), or ALLOW_ANONYMOUS=true.",
      [],
    );
  }
  const { users, problems } = parseUsers(hasUsers ? settings.users : "[]");
  if (problems.length > 0) return closed("This broker lets nobody in until its operator corrects the secret USERS.", problems);
  const { acl, problems: unfit } = parseAclText(settings.acl.rules, "ACL");
  if (unfit.length > 0) return closed("This broker lets nobody in until its operator corrects ACL.", unfit);
  const chain: Authenticator[] = [];
  const methods: EnhancedAuthenticator[] = [];
  const gate = directory && new BanGate(directory, runtime);
  if (gate !== undefined) chain.push(gate);
  if (hasTokens) {
    const tokens = new Tokens(settings.jwt, { ...services, runtime }, claimNamesOf(acl));
    chain.push(new JwtAuthenticator(tokens, settings.jwt.from));
    methods.push(new JwtMethods(tokens));
  }
  if (hasUsers || directory !== undefined) {
    const failures = new FailedLogins(settings.rates.addressLoginFailures, runtime, services.tooManyFailed);
    chain.push(new UsersAuthenticator(users, runtime, failures, directory));
    methods.push(new ScramAuthenticator(users, failures, directory, settings.directory.adminToken));
  }
  // Whoever gives a user name means to be somebody, where there is anybody to be.
  if (settings.allowAnonymous) chain.push(new AnonymousAuthenticator(!hasUsers && !hasTokens));
  return {
    authenticator: new AuthenticatorChain(chain),
    enhanced: gate === undefined ? new Methods(methods) : new GatedMethods(gate, new Methods(methods)),
    authorizer: new RulesAuthorizer({ users, acl, noMatch: settings.acl.noMatch, allowsAnonymous: settings.allowAnonymous }),
    problems: [],
  };
}

function closed(message: string, problems: readonly string[]): Auth {
  const authenticator = new ClosedAuthenticator(message);
  // Whatever the method: that nobody is let in, and why, is the better answer.
  const exchange: AuthenticationExchange = { step: () => authenticator.authenticate() };
  const enhanced: EnhancedAuthenticator = { methods: [], begin: () => exchange };
  return { authenticator: new AuthenticatorChain([authenticator]), enhanced, authorizer: new ClosedAuthorizer(), problems };
}
