/**
 * What the claims of a token say, once its signature is known to be right: whether it is good now and for this client, whom it names and
 * until when. Pure; knows no keys.
 *
 * **A token speaks for the user whom it names.** A claim that JWT_VERIFY_CLAIMS says must be the user name of CONNECT names the user, who is
 * refused under any other name; otherwise `sub` does, and the user name of CONNECT, which 3.1.1 clients have to give with a password, is not
 * looked at. A token without either names nobody: its client has what the token itself says that it may do, and no name.
 */

import { USER_NAME_BYTES_MAX } from "../login-limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import { CLIENT_ID, type ExpectedClaim, type JwtSettings, USER_NAME } from "./jwt-settings.ts";

export type Claims = Readonly<Record<string, unknown>>;

/** The client that shows a token, by its own words. */
export interface TokenBearer {
  /** Empty when it left its Client Identifier to the broker. */
  readonly clientId: string;
  readonly userName: string | undefined;
}

export interface Named {
  readonly userName: string | undefined;
  /** Milliseconds since the epoch; Infinity = never. */
  readonly expiresAt: number;
}

/** What is judged, besides the keys. */
export type ClaimRules = Omit<JwtSettings, "secret" | "publicKeys" | "jwksUrls" | "from">;

/** Later than any time in seconds that is meant (the year 5138), earlier than any in milliseconds that is (1973). */
const SECONDS_END = 1e11;

/** What no text of MQTT may have [MQTT5-1.5.4-1] [MQTT5-1.5.4-2]. */
const UNFIT = /[\0\ud800-\udfff]/u;

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
  if (unmet !== undefined) return `the claim ${unmet[0]} of the token is not what it must be`;
  const userName = userNameOf(claims, bearer, rules);
  if (userName === "wrong") return "sub of the token is no user name";
  return {
    userName: userName?.name,
    expiresAt: expires === undefined || !rules.disconnectAfterExpire ? Number.POSITIVE_INFINITY : (expires + tolerance) * 1000,
  };
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

/** What CONNECT leaves empty fits no claim. */
function isAsExpected(claim: unknown, expected: ExpectedClaim, { clientId, userName = "" }: TokenBearer): boolean {
  const value = expected === CLIENT_ID ? clientId : expected === USER_NAME ? userName : expected;
  return claim === value && value !== "";
}

function userNameOf(
  claims: Claims,
  { userName }: TokenBearer,
  { verifyClaims }: ClaimRules,
): { readonly name: string } | "wrong" | undefined {
  if (Object.values(verifyClaims).includes(USER_NAME)) return { name: userName! };
  const subject = claimOf(claims, "sub");
  if (subject === undefined) return undefined;
  return typeof subject === "string" && isUserName(subject) ? { name: subject } : "wrong";
}

function isUserName(text: string): boolean {
  return text !== "" && !UNFIT.test(text) && utf8Length(text) <= USER_NAME_BYTES_MAX;
}
