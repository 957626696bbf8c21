/**
 * How tokens are told to the broker: the variables JWT_... and their parsers. Every value is judged when the settings are read, and
 * what JWT_SECRET and JWT_PUBLIC_KEY contain is never repeated (somebody may paste a private key).
 */

import { defaultsOf, flag, integer, type Setting, secret, setting } from "../setting.ts";
import { fromBase64 } from "./base64.ts";
import { isSafeWay } from "./outside.ts";
import { type PublicKey, parsePublicKeys, RSA_BITS_MIN } from "./public-keys.ts";

/** Where a token may be besides Authentication Data, where it always may. */
export const TOKEN_PLACES = ["password", "username", "url"] as const;
export type TokenPlace = (typeof TOKEN_PLACES)[number];

/** What a claim must be; `${clientid}`, `${username}` and `${namespace}` are those of the client. */
export type ExpectedClaim = string | number | boolean;

/** Where keys of an identity provider are. */
export interface KeySource {
  readonly url: string;
  /** The only `iss` of tokens that these keys sign, and whose tokens no other key signs; missing = any that is tied to no other keys. */
  readonly issuer?: string;
}

export interface JwtSettings {
  /** For HS256, HS384 and HS512; empty = none of them is accepted. */
  readonly secret: Uint8Array;
  readonly publicKeys: readonly PublicKey[];
  readonly jwksUrls: readonly KeySource[];
  readonly from: readonly TokenPlace[];
  readonly verifyClaims: Readonly<Record<string, ExpectedClaim>>;
  /** One of them must be `iss`; empty = it is not looked at. */
  readonly issuers: readonly string[];
  /** One of them must be in `aud`; empty = it is not looked at. */
  readonly audiences: readonly string[];
  readonly clockToleranceSeconds: number;
  readonly disconnectAfterExpire: boolean;
}

/** Of a shared secret: RFC 7518, 3.2 wants as many as the hash has. */
const SECRET_BYTES_MIN = 32;
const CLOCK_TOLERANCE_SECONDS_MAX = 600;
/** What a claim may have to be of the client. */
export const CLIENT_ID = "${clientid}";
export const USER_NAME = "${username}";
export const NAMESPACE = "${namespace}";

/** In the order of the documentation. */
export const JWT_SETTINGS = {
  secret: secret(
    "JWT_SECRET",
    `a secret of ${SECRET_BYTES_MIN} bytes or more, as text or as base64: and Base64 behind it, or nothing`,
    "lets clients in who show a token (JWT) signed with it by HS256, HS384 or HS512",
    parseSecret,
  ),
  publicKeys: secret(
    "JWT_PUBLIC_KEY",
    `one or more public keys in PEM (BEGIN PUBLIC KEY): RSA of ${RSA_BITS_MIN} bits or more, EC on P-256, P-384 or P-521, or Ed25519; or nothing`,
    "lets clients in who show a token signed with the private key of one of them by RS, PS or ES 256 to 512 or EdDSA; it is set like a secret because it has several lines",
    (text) => (text === "" ? [] : parsePublicKeys(text)),
  ),
  jwksUrls: setting(
    "JWT_JWKS_URLS",
    "",
    "https URLs (on a loopback address http too), each with a blank and an issuer behind it or without, separated by commas; or nothing",
    "where the public keys of identity providers are (JWK Sets); they are asked for every 5 minutes, and at once for a key that is not known; `https://id.example/keys https://id.example/` ties keys and issuer to each other: `iss` of what they sign must be it, and no other key signs for it",
    parseJwksUrls,
  ),
  from: setting(
    "JWT_FROM",
    "password",
    `${TOKEN_PLACES.join(", ")}, or several of them separated by commas`,
    "where a token may be: in the password, in the user name, in the URL (`?token=`, for browsers; servers on the way may log URLs). Authentication Data of the methods `JWT`, `OAUTH2-JWT` and `CUSTOM-JWT` always is",
    parsePlaces,
  ),
  verifyClaims: setting(
    "JWT_VERIFY_CLAIMS",
    "",
    "a JSON object of claims with a text, a number, true or false each, in which ${clientid}, ${username} and ${namespace} fill a whole text; or nothing",
    'what claims must be, such as `{"client": "${clientid}", "name": "${username}"}`; a claim that must be the user name names the user, otherwise `sub` does; `{"tenant": "${namespace}"}` keeps tokens to a namespace',
    parseVerifyClaims,
  ),
  issuers: setting("JWT_ISSUER", "", "one or more values separated by commas, or nothing", "what `iss` must be", parseList),
  audiences: setting(
    "JWT_AUDIENCE",
    "",
    "one or more values separated by commas, or nothing",
    "what `aud` must be or have among others",
    parseList,
  ),
  clockToleranceSeconds: integer(
    "JWT_CLOCK_TOLERANCE",
    5,
    0,
    CLOCK_TOLERANCE_SECONDS_MAX,
    "how far clocks may differ when `exp` and `nbf` are checked, seconds",
  ),
  disconnectAfterExpire: flag(
    "JWT_DISCONNECT_AFTER_EXPIRE",
    true,
    "`true` ends a connection when its token expires, unless the client has authenticated anew; `false` looks at `exp` only when a client connects",
  ),
} satisfies { readonly [Field in keyof JwtSettings]: Setting<JwtSettings[Field]> };

/** As they are where nothing is set. */
export const NO_TOKENS: JwtSettings = defaultsOf(JWT_SETTINGS);

/** @returns what is wrong with values that do not go together */
export function jwtProblems(settings: JwtSettings): { readonly variable: string; readonly sentence: string }[] {
  const { issuers, audiences, verifyClaims } = settings;
  const needing = [
    ...(issuers.length > 0 ? ["JWT_ISSUER"] : []),
    ...(audiences.length > 0 ? ["JWT_AUDIENCE"] : []),
    ...(Object.keys(verifyClaims).length > 0 ? ["JWT_VERIFY_CLAIMS"] : []),
  ];
  if (takesTokens(settings)) return [];
  return needing.map((variable) => ({ variable, sentence: `${variable} needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URLS beside it.` }));
}

/** Whether anybody can be let in by a token. */
export function takesTokens({ secret, publicKeys, jwksUrls }: Pick<JwtSettings, "secret" | "publicKeys" | "jwksUrls">): boolean {
  return secret.length > 0 || publicKeys.length > 0 || jwksUrls.length > 0;
}

/** @returns undefined when it is too short, or no Base64 where it says so */
export function parseSecret(text: string): Uint8Array | undefined {
  if (text === "") return new Uint8Array(0);
  const bytes = text.startsWith("base64:") ? fromBase64(text.slice("base64:".length)) : new TextEncoder().encode(text);
  return bytes !== undefined && bytes.length >= SECRET_BYTES_MIN ? bytes : undefined;
}

function parseJwksUrls(text: string): readonly KeySource[] | undefined {
  const sources = parseList(text)?.map((each): KeySource | undefined => {
    const [url = "", issuer, ...rest] = each.split(/\s+/);
    if (!isKeyUrl(url) || rest.length > 0) return undefined;
    return issuer === undefined ? { url } : { url, issuer };
  });
  return sources?.every((source) => source !== undefined) ? sources : undefined;
}

function isKeyUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.username === "" && url.password === "" && isSafeWay(url);
}

function parsePlaces(text: string): readonly TokenPlace[] | undefined {
  const names = parseList(text);
  const places = TOKEN_PLACES.filter((place) => names?.includes(place));
  return names !== undefined && places.length === names.length ? places : undefined;
}

function parseVerifyClaims(text: string): Readonly<Record<string, ExpectedClaim>> | undefined {
  if (text === "") return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  return Object.values(json).every(isExpected) ? (json as Record<string, ExpectedClaim>) : undefined;
}

function isExpected(value: unknown): value is ExpectedClaim {
  if (typeof value === "string") return !value.includes("${") || [CLIENT_ID, USER_NAME, NAMESPACE].includes(value);
  return typeof value === "boolean" || typeof value === "number";
}

/** @returns undefined when one of them is empty or is there twice */
function parseList(text: string): readonly string[] | undefined {
  if (text === "") return [];
  const values = text.split(",").map((value) => value.trim());
  return values.includes("") || new Set(values).size < values.length ? undefined : values;
}
