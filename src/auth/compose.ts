/**
 * Chooses who is let in, from the settings USERS, ADMIN_TOKEN (users of the directory), JWT_..., HTTP_AUTH_..., AUTH_CHAIN, GATEWAY_SECRET and
 * ALLOW_ANONYMOUS, the binding AUTH, and what the Worker's code says. Closed by default, and closed when USERS is not valid, whatever the others say: a mistake must not open the broker.
 */

import type { DirectoryPort } from "../directory/ports.ts";
import type { Rates } from "../rate.ts";
import type { Runtime } from "../runtime.ts";
import type { AuthenticationExchange, Authenticator, Authorizer, EnhancedAuthenticator } from "../session/ports.ts";
import type { AclSettings } from "./acl-settings.ts";
import { AnonymousAuthenticator } from "./anonymous.ts";
import { AskedRights, type AskHook } from "./asked-rights.ts";
import { BanGate, GatedMethods } from "./ban-gate.ts";
import { CertifiedAuthenticator } from "./certified.ts";
import { AuthenticatorChain } from "./chain.ts";
import { CHAIN_LINKS, type ChainLink } from "./chain-settings.ts";
import { ClosedAuthenticator, ClosedAuthorizer } from "./closed.ts";
import { CountedLogins } from "./counted-logins.ts";
import type { DirectorySettings } from "./directory-settings.ts";
import { FailedLogins } from "./failed-logins.ts";
import { GoAuthenticator } from "./go-auth.ts";
import { claimNamesOf } from "./grants.ts";
import { HttpAuthenticator } from "./http-authenticator.ts";
import { type HookServices, HttpHook } from "./http-hook.ts";
import type { HttpSettings } from "./http-settings.ts";
import { JwtAuthenticator, Tokens } from "./jwt.ts";
import { JwtMethods } from "./jwt-methods.ts";
import { type JwtSettings, takesTokens } from "./jwt-settings.ts";
import { LoginDirectory } from "./login-directory.ts";
import { Methods } from "./methods.ts";
import { NobodyYet } from "./nobody-yet.ts";
import type { Fetch } from "./outside.ts";
import { type Judge, judgeOf } from "./rights-trial.ts";
import { parseAclText } from "./rules.ts";
import { type RuleSources, RulesAuthorizer } from "./rules-authorizer.ts";
import { ScramAuthenticator } from "./scram.ts";
import { type AskAuthentication, ServiceAuthenticator } from "./service-authenticator.ts";
import type { AuthenticationService } from "./service-contract.ts";
import { ServiceHook } from "./service-hook.ts";
import { askGoAuth, askHttp, askInOrder, askService } from "./subscribe-hooks.ts";
import { UnknownNames } from "./unknown-names.ts";
import { parseUsers } from "./users.ts";
import { UsersAuthenticator } from "./users-authenticator.ts";
import { VerifiedPasswords } from "./verified-passwords.ts";

export interface Auth {
  readonly authenticator: AuthenticatorChain;
  /** For clients that name an Authentication Method: SCRAM-SHA-256 with users, three for tokens with keys for them. */
  readonly enhanced: EnhancedAuthenticator;
  /** By rules alone. */
  readonly authorizer: Authorizer;
  /** The same where what they do not speak of is allowed: for deliveries of subscriptions that others than rules have granted. Undefined where nobody is let in. */
  readonly open: (() => Authorizer) | undefined;
  /** Where hooks are asked about subscriptions: makes the authorizer of an object that serves a namespace, which remembers what they say. */
  readonly askedRights: ((namespace: string) => AskedRights) | undefined;
  /** Tells operators what somebody may do. */
  readonly judge: Judge;
  /** There may be clients of several users here; all that are anonymous are one. */
  readonly hasSeveralUsers: boolean;
  /** What is wrong with USERS, ACL, AUTH_CHAIN or AUTH, as sentences that repeat nothing of a secret; for the log and for operators. */
  readonly problems: readonly string[];
}

export interface AuthSettings {
  /** The secret as given, empty when there is none. */
  readonly users: string;
  readonly jwt: JwtSettings;
  readonly directory: DirectorySettings;
  readonly acl: AclSettings;
  readonly http: HttpSettings;
  /** Empty = all that is configured. */
  readonly authChain: readonly ChainLink[];
  /** Empty = no gateway is believed. */
  readonly gatewaySecret: Uint8Array;
  readonly allowAnonymous: boolean;
  /** Figures below `$SYS`. */
  readonly system?: { readonly seconds: number; readonly anonymous: boolean };
  readonly rates: Pick<Rates, "addressLoginFailures">;
}

/** What authenticators need of the platform. */
export interface AuthServices {
  readonly fetch: Fetch;
  /** Asks the directory; undefined where there is none. */
  readonly directory: DirectoryPort | undefined;
  /** The Worker behind the binding AUTH; undefined where there is none. */
  readonly service?: unknown;
  /** What the Worker's code says of logins, in the place of that Worker; undefined where it says nothing. */
  readonly authenticate?: AskAuthentication | undefined;
  /** Something that is asked does not answer as it should: a sentence for the log. */
  readonly failed: (problem: string) => void;
  /** Logins of this address are refused because too many have failed. */
  readonly tooManyFailed: (address: string) => void;
}

const BOUND_WORKER = "the Worker behind the binding AUTH";
const WORKERS_CODE = "authenticate in code";

/** Who is asked, where a sentence begins with it. */
const NAMES: { readonly [Link in ChainLink]: string } = {
  jwt: "A token (JWT)",
  users: "USERS",
  http: "HTTP_AUTH_URL",
  service: "The Worker behind the binding AUTH",
};
const CODE_FOR_PEOPLE = "The function authenticate of the Worker's code";

/** How one says what is not configured. */
const NEEDS: { readonly [Link in ChainLink]: string } = {
  jwt: "JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URLS",
  users: "USERS or ADMIN_TOKEN",
  http: "HTTP_AUTH_URL",
  service: `the binding AUTH, or ${WORKERS_CODE}`,
};

/** Make it once for an object or an isolate and keep it: it remembers passwords that were verified, and the keys of identity providers. */
export function createAuth(settings: AuthSettings, runtime: Runtime, services: AuthServices): Auth {
  const { directory, service, authenticate } = services;
  const has: { readonly [Link in ChainLink]: boolean } = {
    jwt: takesTokens(settings.jwt),
    users: settings.users.trim() !== "" || directory !== undefined,
    http: settings.http.url !== "",
    service: service !== undefined || authenticate !== undefined,
  };
  const believesGateways = settings.gatewaySecret.length > 0;
  if (!CHAIN_LINKS.some((link) => has[link]) && !believesGateways && !settings.allowAnonymous) {
    return closed(
      "This broker lets nobody in until its operator sets the secret USERS or ADMIN_TOKEN, keys for tokens (JWT_...), HTTP_AUTH_URL, the binding AUTH, GATEWAY_SECRET, or ALLOW_ANONYMOUS=true.",
      [],
    );
  }
  const { users, problems } = parseUsers(settings.users.trim() === "" ? "[]" : settings.users);
  if (problems.length > 0) return closed("This broker lets nobody in until its operator corrects the secret USERS.", problems);
  const { acl, problems: unfit } = parseAclText(settings.acl.rules, "ACL");
  if (unfit.length > 0) return closed("This broker lets nobody in until its operator corrects ACL.", unfit);
  const order = settings.authChain.length > 0 ? settings.authChain : CHAIN_LINKS.filter((link) => has[link]);
  const wrong = order.filter((link) => !has[link]).map((link) => `AUTH_CHAIN names ${link}, which needs ${NEEDS[link]}.`);
  if (service !== undefined && !isService(service)) wrong.push("AUTH is not the binding of a service.");
  if (settings.http.serviceAuthorizes && service === undefined) wrong.push("AUTH_AUTHORIZE needs the binding AUTH.");
  if (wrong.length > 0) return closed("This broker lets nobody in until its operator corrects AUTH_CHAIN or AUTH.", wrong);

  const asked = directory && new LoginDirectory(directory);
  const failures = new FailedLogins(settings.rates.addressLoginFailures, runtime, services.tooManyFailed);
  const right = new VerifiedPasswords();
  const methods: EnhancedAuthenticator[] = [];
  const links: { readonly [Link in ChainLink]: () => Authenticator } = {
    jwt: () => {
      const tokens = new Tokens(settings.jwt, { ...services, runtime }, claimNamesOf(acl));
      methods.push(new JwtMethods(tokens));
      return new JwtAuthenticator(tokens, settings.jwt.from);
    },
    users: () => {
      methods.push(new ScramAuthenticator(users, failures, directory, settings.directory.adminToken));
      const behind = order.slice(order.indexOf("users") + 1);
      const later = behind.length === 0 ? undefined : { passwords: right, takesTokens: behind.includes("jwt") };
      return new UsersAuthenticator(users, runtime, failures, asked, later);
    },
    http: () => {
      const hook = new HttpHook("HTTP_AUTH_URL", settings.http.timeoutMs, { ...services, runtime });
      const Preset = settings.http.preset === "go-auth" ? GoAuthenticator : HttpAuthenticator;
      return new CountedLogins(new Preset(settings.http, hook, runtime), failures, right);
    },
    service: () => {
      const name = authenticate === undefined ? BOUND_WORKER : WORKERS_CODE;
      const hook = new ServiceHook(name, settings.http.timeoutMs, { ...services, runtime });
      const ask: AskAuthentication = authenticate ?? ((request) => (service as AuthenticationService).authenticate(request));
      return new CountedLogins(new ServiceAuthenticator(ask, hook, runtime), failures, right);
    },
  };
  const { system } = settings;
  const showsSystem = system !== undefined && system.seconds > 0 && system.anonymous;
  const sources: RuleSources = { users, acl, noMatch: settings.acl.noMatch, allowsAnonymous: settings.allowAnonymous, showsSystem };
  const rules = new RulesAuthorizer(sources);
  const hooks = subscribeHooks(settings, { ...services, runtime });
  const hook = hooks.length === 0 ? undefined : { closed: closedRules(sources), ask: askInOrder(hooks) };
  const gate = asked && new BanGate(asked, runtime, order[0] === "users" ? failures : undefined);
  const certified = believesGateways ? [new CertifiedAuthenticator(users, asked)] : [];
  const chain: Authenticator[] = [...(gate === undefined ? [] : [gate]), ...certified, ...order.map((link) => links[link]())];
  // Whoever gives a user name means to be somebody, where there is anybody to be.
  const isAnybodyKnown = order.some((link) => link !== "users") || settings.users.trim() !== "";
  if (settings.allowAnonymous) chain.push(new AnonymousAuthenticator(!isAnybodyKnown));
  else if (asked !== undefined && !isAnybodyKnown) chain.push(new NobodyYet(asked));
  if (asked !== undefined) chain.push(new UnknownNames(asked, failures));
  return {
    authenticator: new AuthenticatorChain(chain),
    enhanced: gate === undefined ? new Methods(methods) : new GatedMethods(gate, new Methods(methods)),
    authorizer: rules,
    open: () => openRules(sources),
    askedRights: hook && askingFor(sources, rules, hook, runtime),
    judge: judgeOf({
      users: users.map(({ user }) => user),
      rules,
      asked: hook && { rules: hook.closed, names: namesOfHooks(settings) },
      chain: order.map((link) => ({ link, name: link === "service" && authenticate !== undefined ? CODE_FOR_PEOPLE : NAMES[link] })),
      believesGateways,
      allowsAnonymous: settings.allowAnonymous,
      isAnybodyKnown,
    }),
    // A directory beside anonymous clients may be there for its bans alone.
    hasSeveralUsers:
      order.some((link) => link !== "users") ||
      users.length + (settings.allowAnonymous ? 1 : 0) + (believesGateways ? 1 : 0) > 1 ||
      (directory !== undefined && !settings.allowAnonymous),
    problems: [],
  };
}

/** Those that are asked about subscriptions, in order. */
function subscribeHooks({ http }: AuthSettings, services: HookServices & Pick<AuthServices, "service">): AskHook[] {
  const hooks: AskHook[] = [];
  if (http.preset === "go-auth" && http.url !== "") hooks.push(askGoAuth(http, new HttpHook("HTTP_AUTH_URL", http.timeoutMs, services)));
  else if (http.authzUrl !== "") hooks.push(askHttp(http, new HttpHook("HTTP_AUTHZ_URL", http.timeoutMs, services)));
  if (http.serviceAuthorizes)
    hooks.push(askService(services.service as AuthenticationService, new ServiceHook(BOUND_WORKER, http.timeoutMs, services)));
  return hooks;
}

/** What they are called, for people. */
function namesOfHooks({ http }: AuthSettings): string[] {
  const url = http.preset === "go-auth" && http.url !== "" ? "HTTP_AUTH_URL" : "HTTP_AUTHZ_URL";
  const isAsked = url === "HTTP_AUTH_URL" || http.authzUrl !== "";
  return [...(isAsked ? [url] : []), ...(http.serviceAuthorizes ? [NAMES.service] : [])];
}

interface RulesAndHook {
  /** Rules, with what they do not speak of denied. */
  readonly closed: Authorizer;
  readonly ask: AskHook;
}

function askingFor(sources: RuleSources, rules: Authorizer, hook: RulesAndHook, runtime: Runtime): (namespace: string) => AskedRights {
  const open = openRules(sources);
  return (namespace) => new AskedRights({ rules, ...hook, open, noMatch: sources.noMatch, namespace, runtime });
}

/** Anonymous clients are asked about as well. */
function closedRules(sources: RuleSources): RulesAuthorizer {
  return new RulesAuthorizer({ ...sources, noMatch: "deny", bindsAnonymous: true });
}

function openRules(sources: RuleSources): Authorizer {
  return new RulesAuthorizer({ ...sources, noMatch: "allow", bindsAnonymous: true });
}

/** Of a variable with that name one would be found out when the first client comes. */
function isService(binding: unknown): binding is AuthenticationService {
  return typeof binding === "object" && binding !== null && "fetch" in binding;
}

function closed(message: string, problems: readonly string[]): Auth {
  const authenticator = new ClosedAuthenticator(message);
  // Whatever the method: that nobody is let in, and why, is the better answer.
  const exchange: AuthenticationExchange = { step: async () => authenticator.authenticate() };
  const enhanced: EnhancedAuthenticator = { methods: [], begin: () => exchange };
  return {
    authenticator: new AuthenticatorChain([authenticator]),
    enhanced,
    authorizer: new ClosedAuthorizer(),
    open: undefined,
    askedRights: undefined,
    judge: () => ({ allows: false, reason: message, rule: undefined, notAsked: [] }),
    hasSeveralUsers: false,
    problems,
  };
}
