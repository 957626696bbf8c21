/**
 * Who may use the HTTP API: the secret API_TOKENS, what opens it to tokens of others (JWT), and Cloudflare Access. The secret has digests alone, so
 * that who reads it can't use it; a token is long and random, and a digest of one is not guessed. No sentence repeats anything that it contains.
 */

import * as z from "zod/mini";
import { defaultsOf, type Setting, secret, setting } from "../setting.ts";
import { API_SCOPES, type ApiScope } from "./api-token.ts";
import { isSafeWay } from "./outside.ts";

/** Whoever shows a token with this digest may do so much. */
export interface ApiKey {
  readonly name: string;
  /** SHA-256 of the token. */
  readonly digest: Uint8Array;
  readonly scopes: readonly ApiScope[];
  readonly namespaces: readonly string[] | "*";
}

const NAMESPACE = z.string().check(z.regex(/^[a-zA-Z0-9_-]{1,64}$/));

const KEY = z.strictObject({
  name: z.string().check(z.regex(/^[^:\p{C}]{1,64}$/u)),
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  scopes: z.array(z.enum(API_SCOPES)).check(z.minLength(1)),
  namespaces: z._default(z.union([z.literal("*"), z.array(NAMESPACE)]), ["default"]),
});

export interface ApiSettings {
  /** Who may use it, besides those with ADMIN_TOKEN. */
  readonly keys: readonly ApiKey[];
  /** The claim that says what a token (JWT) is for; empty = none is taken. */
  readonly jwtClaim: string;
  /** The origin of the team whose Cloudflare Access is believed; empty = none is. */
  readonly accessTeam: string;
  /** The applications whose users it lets through. */
  readonly accessAudiences: readonly string[];
  readonly accessScopes: readonly ApiScope[];
  readonly accessNamespaces: readonly string[] | "*";
}

export const API_TOKENS: Setting<readonly ApiKey[], "API_TOKENS"> = secret(
  "API_TOKENS",
  'a JSON array of {"name", "sha256": 64 hexadecimal digits, "scopes": of publish, read and admin, "namespaces": a list or "*"} with different names, or nothing',
  'who may use [the HTTP API](api.md), a JSON array of `{"name", "sha256", "scopes", "namespaces"}` with the SHA-256 of each token (`npm run api-token` makes one); without it and `ADMIN_TOKEN` the API is closed',
  parseApiTokens,
);

/** In the order of the documentation. */
export const API_SETTINGS = {
  keys: API_TOKENS,
  jwtClaim: setting(
    "API_JWT_CLAIM",
    "",
    "the name of a claim, 1 to 64 letters, digits and : / . _ -, or nothing",
    "the claim of a token (`JWT_...`) that opens [the HTTP API](api.md#tokens-of-an-identity-provider) for what it names: `publish`, `read`, `admin`, in a text with blanks or a list; in `scope` and `scp` each with `mqtt:` before it. Nothing: no such token opens it",
    (text) => (text === "" || /^[A-Za-z0-9:/._-]{1,64}$/.test(text) ? text : undefined),
  ),
  accessTeam: setting(
    "ACCESS_TEAM_DOMAIN",
    "",
    "an origin such as https://team.cloudflareaccess.com (on a loopback address http too), or nothing",
    "the team whose Cloudflare Access is believed at [the HTTP API](api.md#cloudflare-access); with it comes `ACCESS_AUD`",
    parseTeam,
  ),
  accessAudiences: setting(
    "ACCESS_AUD",
    "",
    "one or more Application Audience tags of Access separated by commas, or nothing",
    "the applications of Access whose people and services may use the HTTP API",
    (text) => parseWords(text, /^[A-Za-z0-9_-]{1,128}$/),
  ),
  accessScopes: setting(
    "ACCESS_SCOPES",
    "read",
    `${API_SCOPES.join(", ")}, or several of them separated by commas`,
    "what those may do whom Access lets through",
    parseScopes,
  ),
  accessNamespaces: setting(
    "ACCESS_NAMESPACES",
    "default",
    "* or names of 1 to 64 letters, digits, _ and -, separated by commas",
    "the namespaces in which they may",
    (text) => (text === "*" ? text : parseWords(text, /^[a-zA-Z0-9_-]{1,64}$/)),
  ),
} satisfies { readonly [Field in keyof ApiSettings]: Setting<ApiSettings[Field]> };

/** As they are where nothing is set. */
export const NO_API: ApiSettings = defaultsOf(API_SETTINGS);

/** @returns what is wrong with values that do not go together */
export function apiProblems(
  { jwtClaim, accessTeam, accessAudiences }: ApiSettings,
  takesTokens: boolean,
): { readonly variable: string; readonly sentence: string }[] {
  const problems = [];
  if (jwtClaim !== "" && !takesTokens)
    problems.push({ variable: "API_JWT_CLAIM", sentence: "API_JWT_CLAIM needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URLS beside it." });
  if ((accessTeam === "") !== (accessAudiences.length === 0)) {
    const [variable, other] = accessTeam === "" ? ["ACCESS_AUD", "ACCESS_TEAM_DOMAIN"] : ["ACCESS_TEAM_DOMAIN", "ACCESS_AUD"];
    problems.push({ variable: variable!, sentence: `${variable} needs ${other} beside it.` });
  }
  return problems;
}

function parseTeam(text: string): string | undefined {
  const url = URL.parse(text);
  return text === "" || (url !== null && url.origin === text && isSafeWay(url)) ? text : undefined;
}

function parseScopes(text: string): readonly ApiScope[] | undefined {
  const names = parseWords(text, /./);
  const scopes = API_SCOPES.filter((scope) => names?.includes(scope));
  return scopes.length === names?.length ? scopes : undefined;
}

/** @returns undefined when one of them does not have the form, or is there twice */
function parseWords(text: string, form: RegExp): readonly string[] | undefined {
  const words = text === "" ? [] : text.split(",").map((word) => word.trim());
  return words.every((word) => form.test(word)) && new Set(words).size === words.length ? words : undefined;
}

function parseApiTokens(text: string): readonly ApiKey[] | undefined {
  if (text === "") return [];
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { success, data } = z.array(KEY).safeParse(json);
  if (!success || new Set(data.map(({ name }) => name)).size < data.length) return undefined;
  return data.map(({ name, sha256, scopes, namespaces }) => ({ name, digest: bytesOf(sha256), scopes, namespaces }));
}

function bytesOf(hexadecimal: string): Uint8Array {
  return Uint8Array.from(hexadecimal.match(/../g)!, (pair) => Number.parseInt(pair, 16));
}
