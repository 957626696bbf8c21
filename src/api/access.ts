/**
 * Who may use the API: whoever shows a token that is for what is asked, or is let through by Cloudflare Access. How often is bounded for each of them
 * in each namespace, as this isolate counts it: others count for themselves, so that it is a bound on what one program gone wild costs, and no quota.
 */

import { takesTokens } from "../auth/jwt-settings.ts";
import { type SignedLogin, SignedLogins } from "../auth/signed-logins.ts";
import { DEFAULT_NAMESPACE, exists } from "../edge/answers.ts";
import { API_TOKENS_COUNTED_MAX } from "../login-limits.ts";
import { log } from "../objects/log.ts";
import { Buckets } from "../rate.ts";
import { PLATFORM } from "../runtime.ts";
import { Service } from "../service/service.ts";
import type { Settings } from "../settings.ts";
import { digestOf, type Key, keyShown, looked, type Refused } from "./bearer.ts";
import type { Admitted, Incoming } from "./context.ts";
import { isForeign } from "./origins.ts";
import { refuse, sentenceOf } from "./problem.ts";

const CHALLENGE = { "WWW-Authenticate": 'Bearer realm="api"' };
const OPENS = "/api/v5";

/** What Access adds to requests that it lets through. */
const ASSERTION = "Cf-Access-Jwt-Assertion";

/** Of this isolate. */
interface Known {
  readonly signed: SignedLogins;
  readonly requests: Buckets;
}
const known = new WeakMap<Settings, Known>();

function knownOf(settings: Settings): Known {
  const { api, jwt, rates } = settings;
  const failed = (problem: string): void => log("authentication failed", { problem });
  const services = { fetch: (input: string, init?: RequestInit) => fetch(input, init), runtime: PLATFORM, failed };
  const own = known.get(settings) ?? {
    signed: new SignedLogins(api, jwt, services),
    requests: new Buckets(rates.apiRequests, API_TOKENS_COUNTED_MAX),
  };
  known.set(settings, own);
  return own;
}

/** `caller`: whose requests are counted together. */
type Login = Pick<SignedLogin, "scopes" | "expiresAt"> & { readonly caller: string };

/** The keys of a namespace. */
async function keysOf({ directory, api }: Settings, namespace: string): Promise<readonly (Key & Login)[]> {
  const { adminToken, namespaceTokens } = directory;
  const own = namespaceTokens.filter((each) => each.namespace === namespace).map(({ token }) => token);
  const tokens = adminToken === "" ? [] : [adminToken, ...own];
  const expiresAt = Number.POSITIVE_INFINITY;
  const ofOperators = tokens.map(async (token, index) => ({
    ...{ digest: await digestOf(token), scopes: ["admin"] as const, expiresAt, caller: `operator ${index}` },
  }));
  const ofPrograms = api.keys
    .filter(({ namespaces }) => namespaces === "*" || namespaces.includes(namespace))
    .map((key) => ({ ...key, expiresAt, caller: `program ${key.name}` }));
  return [...(await Promise.all(ofOperators)), ...ofPrograms];
}

async function loginOf(request: Request, settings: Settings, namespace: string): Promise<Login | Refused | "foreign"> {
  const { signed } = knownOf(settings);
  const assertion = request.headers.get(ASSERTION);
  const signedBy = (login: SignedLogin): Login => ({ ...login, caller: `signed ${login.name}` });
  if (assertion === null || request.headers.has("Authorization") || settings.api.accessTeam === "") {
    const shown = await keyShown(request, settings, OPENS, await keysOf(settings, namespace), (token) => signed.ofToken(token, namespace));
    return "caller" in shown || "kind" in shown ? shown : signedBy(shown);
  }
  // Where its user is let through, a browser is, whatever page he looks at.
  if (isForeign(request)) return "foreign";
  const shown = await looked(request, settings, OPENS, () => signed.ofAccess(assertion, namespace));
  return "kind" in shown ? shown : signedBy(shown);
}

function isClosed({ directory, api, jwt }: Settings): boolean {
  return directory.adminToken === "" && api.keys.length === 0 && api.accessTeam === "" && (api.jwtClaim === "" || !takesTokens(jwt));
}

function refused(why: Refused | "foreign"): never {
  if (why === "foreign")
    return refuse("FORBIDDEN", "Pages of other origins use the API with a token: who Access lets through is not asked for by them.");
  if (why.kind === "too many were wrong") return tooMany("Too many tokens from this address were wrong; try again later.", why.waitMs);
  if (why.kind === "not now") return refuse("SERVICE_UNAVAILABLE", sentenceOf(why.reason));
  const sentence =
    why.kind === "wrong"
      ? "The API is used with the header Authorization: Bearer, and a token of API_TOKENS or the token in ADMIN_TOKEN."
      : sentenceOf(why.reason);
  return refuse("UNAUTHORIZED", sentence, CHALLENGE);
}

function tooMany(message: string, waitMs: number): never {
  return refuse("TOO_MANY_REQUESTS", message, { "Retry-After": String(Math.max(1, Math.ceil(waitMs / 1000))) });
}

/** Lets nobody through without a token; whose is none in this namespace is none. */
export async function admit(incoming: Incoming): Promise<Admitted> {
  const { request, url, env, settings, waitUntil } = incoming;
  if (isClosed(settings))
    return refuse(
      "NOT_FOUND",
      "The API is closed. The operator opens it with the secret API_TOKENS or ADMIN_TOKEN, by API_JWT_CLAIM, or by ACCESS_TEAM_DOMAIN.",
    );
  const namespace = url.searchParams.get("namespace") ?? DEFAULT_NAMESPACE;
  const login = await loginOf(request, settings, namespace);
  if (login === "foreign" || "kind" in login) return refused(login);
  if (!exists(settings, namespace)) return refuse("NOT_FOUND", "There is no such namespace.");
  const { requests } = knownOf(settings);
  const key = `${namespace} ${login.caller}`;
  if (!requests.take(key, 1, PLATFORM.now()))
    return tooMany("These are more requests than API_RATE allows; try again later.", requests.waitMs(key, 1, PLATFORM.now()));
  const { scopes, caller, expiresAt } = login;
  return { ...incoming, namespace, scopes, caller, expiresAt, service: new Service({ env, settings, waitUntil }) };
}
