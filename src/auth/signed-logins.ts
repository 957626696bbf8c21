/**
 * Who may use the HTTP API by what somebody else has signed: a token (JWT) that clients may connect with too, where a claim of it says what it is
 * for; and the assertion that Cloudflare Access adds to the requests of people and services that it lets through. Without the claim a token is
 * one for clients, and opens nothing here. No sentence repeats a token or a part of one.
 */

import { TOKEN_CHARACTERS_MAX } from "../login-limits.ts";
import type { ApiSettings } from "./api-settings.ts";
import { API_SCOPES, type ApiScope } from "./api-token.ts";
import { type ClaimRules, type Claims, claimOf, claimProblem, expiryOf } from "./jwt-claims.ts";
import { CLIENT_ID, type JwtSettings, NAMESPACE, takesTokens } from "./jwt-settings.ts";
import { headerOf } from "./jwt-token.ts";
import type { ProviderServices } from "./provider-keys.ts";
import { type Checked, Signatures } from "./signature.ts";

export interface SignedLogin {
  /** Whose requests are counted together. */
  readonly name: string;
  readonly scopes: readonly ApiScope[];
  /** Milliseconds since the epoch; Infinity = never. */
  readonly expiresAt: number;
}

export interface SignedRefusal {
  /** `guess`: it was signed by nobody who is trusted; `not now`: the keys can't be had; `not good`: who signed it does not say that it opens this. */
  readonly kind: "guess" | "not now" | "not good";
  /** Why, without capital and full stop. */
  readonly reason: string;
}

/** The namespace in which a token is good that names none. */
const DEFAULT_NAMESPACE = "default";

/** Claims that tokens have for other services as well: there the scopes of this one have its name before them. */
const SHARED_CLAIMS = ["scope", "scp"];
const PREFIX = "mqtt:";

const UNSIGNED: Readonly<Record<Extract<Checked, string>, SignedRefusal>> = {
  wrong: { kind: "guess", reason: "the token's signature is not right" },
  foreign: { kind: "guess", reason: "the token was signed with a key that is not of its issuer" },
  unknown: { kind: "guess", reason: "the token was signed with a key that is not known here" },
  unavailable: { kind: "not now", reason: "the keys that tokens are checked with are not available; try again" },
};

export class SignedLogins {
  readonly #api: ApiSettings;
  readonly #services: ProviderServices;
  readonly #tokenRules: ClaimRules;
  readonly #accessRules: ClaimRules;
  readonly #tokens: Signatures | undefined;
  readonly #access: Signatures | undefined;

  constructor(api: ApiSettings, jwt: JwtSettings, services: ProviderServices) {
    this.#api = api;
    this.#services = services;
    // Here is no client that could have an identifier.
    const verifyClaims = Object.fromEntries(Object.entries(jwt.verifyClaims).filter(([, expected]) => expected !== CLIENT_ID));
    this.#tokenRules = { ...jwt, verifyClaims };
    this.#tokens = api.jwtClaim !== "" && takesTokens(jwt) ? new Signatures(jwt, services) : undefined;
    const { accessTeam, accessAudiences: audiences } = api;
    this.#accessRules = { ...jwt, verifyClaims: {}, issuers: [accessTeam], audiences, disconnectAfterExpire: true };
    const jwksUrls = [{ url: `${accessTeam}/cdn-cgi/access/certs`, issuer: accessTeam }];
    this.#access = accessTeam === "" ? undefined : new Signatures({ secret: new Uint8Array(0), publicKeys: [], jwksUrls }, services);
  }

  /** @returns undefined where no token is taken, and for what is none */
  async ofToken(token: string, namespace: string): Promise<SignedLogin | SignedRefusal | undefined> {
    const judged = await this.#judge(token, namespace, this.#tokens, this.#tokenRules);
    if (judged === undefined || "kind" in judged) return judged;
    const { claims } = judged;
    const namesNamespace = Object.values(this.#tokenRules.verifyClaims).includes(NAMESPACE);
    if (!namesNamespace && namespace !== DEFAULT_NAMESPACE) return { kind: "not good", reason: "the token is not for this namespace" };
    const scopes = scopesOf(claimOf(claims, this.#api.jwtClaim), SHARED_CLAIMS.includes(this.#api.jwtClaim) ? PREFIX : "");
    if (scopes.length === 0) return { kind: "not good", reason: "the token does not say that it is for the API" };
    return { name: nameOf(claims), scopes, expiresAt: expiryOf(claims, this.#tokenRules) };
  }

  /** @returns undefined where Access is not believed, and for what is no assertion */
  async ofAccess(assertion: string, namespace: string): Promise<SignedLogin | SignedRefusal | undefined> {
    const judged = await this.#judge(assertion, namespace, this.#access, this.#accessRules);
    if (judged === undefined || "kind" in judged) return judged;
    const { claims } = judged;
    const { accessScopes: scopes, accessNamespaces: namespaces } = this.#api;
    if (namespaces !== "*" && !namespaces.includes(namespace)) return { kind: "not good", reason: "Access is not for this namespace" };
    return { name: nameOf(claims), scopes, expiresAt: expiryOf(claims, this.#accessRules) };
  }

  async #judge(
    token: string,
    namespace: string,
    signatures: Signatures | undefined,
    rules: ClaimRules,
  ): Promise<{ readonly claims: Claims } | SignedRefusal | undefined> {
    const header = signatures && headerOf(token);
    if (signatures === undefined || header === undefined) return undefined;
    if (token.length > TOKEN_CHARACTERS_MAX) return { kind: "guess", reason: "the token is too long" };
    if (typeof header === "string") return { kind: "guess", reason: header };
    const checked = await signatures.check(token, header);
    if (typeof checked === "string") return UNSIGNED[checked];
    const bearer = { namespace, clientId: "", userName: undefined };
    const reason = claimProblem(checked.claims, bearer, rules, this.#services.runtime.now());
    return reason === undefined ? checked : { kind: "not good", reason };
  }
}

/** A text with blanks, as OAuth has it (RFC 6749, 3.3), or a list. What is no scope here is somebody else's. */
function scopesOf(claim: unknown, prefix: string): readonly ApiScope[] {
  const given: readonly unknown[] = typeof claim === "string" ? claim.split(" ") : Array.isArray(claim) ? claim : [];
  return API_SCOPES.filter((scope) => given.includes(`${prefix}${scope}`));
}

/** Of Access a person has a `sub`, and a service a `common_name`. */
function nameOf(claims: Claims): string {
  const names = ["iss", "sub", "common_name"].map((name) => claimOf(claims, name));
  return JSON.stringify(names.map((name) => (typeof name === "string" ? name.slice(0, 256) : null)));
}
