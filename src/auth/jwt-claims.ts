/**
 * What the claims of a token say, once its signature is known to be right: whether it is good now and for this client, whom it names and
 * until when. Pure; knows no keys.
 *
 * **A token speaks for the user whom it names**, and for nobody else. A claim that JWT_VERIFY_CLAIMS says must be the user name (`${username}`)
 * names the user, and who gives CONNECT another user name is refused. Where there is no such claim, `sub` names the user, and the user name of
 * CONNECT, which 3.1.1 clients have to give beside a password, is not looked at. A token without either names nobody: its client has what the
 * token says that it may do, and no name.
 */

import { USER_NAME_BYTES_MAX } from "../login-limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import { CLIENT_ID, type ExpectedClaim, type JwtSettings, NAMESPACE, USER_NAME } from "./jwt-settings.ts";
import { isMqttText, SECONDS_END } from "./login-words.ts";

export type Claims = Readonly<Record<string, unknown>>;

/** The client that shows a token, by its own words. */
export interface TokenBearer {
  /** Where it wants to. */
  readonly namespace: string;
  /** Empty when it left its Client Identifier to the broker. */
  readonly clientId: string;
  /** Undefined when it gave none, or where there is no place for one. */
  readonly userName: string | undefined;
}

export interface Named {
  readonly userName: string | undefined;
  /** Milliseconds since the epoch; Infinity = never. */
  readonly expiresAt: number;
}

/** What is judged, besides the keys. */
export type ClaimRules = Omit<JwtSettings, "secret" | "publicKeys" | "jwksUrls" | "from">;

/** A claim by its very name: not what every object has. */
export function claimOf(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

/**
 * Judges claims.
 * @param now milliseconds since the epoch
 * @returns who the client is, or a sentence about what is wrong, which repeats nothing of the token
 */
export function judge(claims: Claims, bearer: TokenBearer, rules: ClaimRules, now: number): Named | string {
  const problem = claimProblem(claims, bearer, rules, now);
  if (problem !== undefined) return problem;
  const names = namesOf(claims, rules);
  if (!names.every(isUserName) || new Set(names).size > 1) return "the token does not name one user";
  return { userName: names[0], expiresAt: expiryOf(claims, rules) };
}

/** The same, whomever they name. @returns what is wrong with them; undefined when nothing is */
export function claimProblem(claims: Claims, bearer: TokenBearer, rules: ClaimRules, now: number): string | undefined {
  const seconds = now / 1000;
  const tolerance = rules.clockToleranceSeconds;
  const expires = timeOf(claimOf(claims, "exp"));
  const begins = timeOf(claimOf(claims, "nbf"));
  if (expires === "wrong" || begins === "wrong") return "exp and nbf of the token must be times in whole seconds";
  if (expires !== undefined && seconds >= expires + tolerance) return "the token has expired";
  if (begins !== undefined && seconds < begins - tolerance) return "the token is not valid yet";
  if (rules.issuers.length > 0 && !rules.issuers.includes(claimOf(claims, "iss") as string)) return "the token is of another issuer";
  if (rules.audiences.length > 0 && !audienceOf(claims).some((each) => rules.audiences.includes(each as string)))
    return "the token is for another audience";
  const unmet = Object.entries(rules.verifyClaims).find(([name, expected]) => !isAsExpected(claimOf(claims, name), expected, bearer));
  return unmet && `the claim ${unmet[0]} of the token is not what it must be`;
}

/** Until when what began with claims that are good may go on, milliseconds since the epoch; Infinity = for ever. */
export function expiryOf(claims: Claims, { disconnectAfterExpire, clockToleranceSeconds }: ClaimRules): number {
  const expires = timeOf(claimOf(claims, "exp"));
  return typeof expires === "number" && disconnectAfterExpire ? (expires + clockToleranceSeconds) * 1000 : Number.POSITIVE_INFINITY;
}

/** Seconds since the epoch, as a number or as the text of one; milliseconds are no such time. */
export function timeOf(claim: unknown): number | "wrong" | undefined {
  if (claim === undefined) return undefined;
  const isNumeric = typeof claim === "number" || (typeof claim === "string" && /^\d{1,12}(?:\.\d{1,9})?$/.test(claim));
  const time = isNumeric ? Number(claim) : Number.NaN;
  return time >= 0 && time < SECONDS_END ? time : "wrong";
}

function audienceOf(claims: Claims): readonly unknown[] {
  const audience = claimOf(claims, "aud");
  return Array.isArray(audience) ? audience : [audience];
}

function isAsExpected(claim: unknown, expected: ExpectedClaim, { namespace, clientId, userName }: TokenBearer): boolean {
  // An identifier that the broker chooses is in no token.
  if (expected === CLIENT_ID) return claim === clientId && clientId !== "";
  if (expected === NAMESPACE) return claim === namespace;
  return expected === USER_NAME ? userName === undefined || claim === userName : claim === expected;
}

/** What names the user: all of it has to be the same name. */
function namesOf(claims: Claims, { verifyClaims }: ClaimRules): readonly unknown[] {
  const names = Object.keys(verifyClaims).filter((name) => verifyClaims[name] === USER_NAME);
  if (names.length > 0) return names.map((name) => claimOf(claims, name));
  const subject = claimOf(claims, "sub");
  return subject === undefined ? [] : [subject];
}

function isUserName(text: unknown): text is string {
  return isMqttText(text) && text !== "" && utf8Length(text) <= USER_NAME_BYTES_MAX;
}
