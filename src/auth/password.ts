/**
 * Password hashes: PBKDF2-HMAC-SHA-256 by WebCrypto, the one slow hash that Workers and Node both have. Written as
 * `pbkdf2-sha256$iterations$salt$hash`, salt and hash in Base64. Knows no users.
 *
 * Cost: 100,000 iterations are 10 to 30 ms of CPU (11 ms on local workerd, 2026-11). A Worker on the free plan has 10 ms for a whole
 * request, a Durable Object 30 s: on the free plan authenticate in the object (compact, sockets handed over) or hash with fewer
 * iterations (`npm run hash-password -- --iterations 20000`) and long random passwords.
 */

import { fromBase64, toBase64 } from "./base64.ts";
import { dummyLike, hashAs, mosquittoIterations } from "./mosquitto-hash.ts";

/** Workers refuse more (documented by the platform, 2026-11; local workerd does not). */
export const ITERATIONS_MAX = 100_000;
export const ITERATIONS_MIN = 1000;

const SCHEME = "pbkdf2-sha256";
const SALT_BYTES = 16;
const SALT_BYTES_MIN = 8;
const SALT_BYTES_MAX = 64;
const HASH_BYTES = 32;

/** A hash in its parts. */
export interface PasswordHash {
  readonly iterations: number;
  readonly salt: Uint8Array;
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

/**
 * Hashes a password with a new random salt.
 * @param password any bytes: MQTT passwords are Binary Data, a text's are its UTF-8
 * @param iterations ITERATIONS_MIN to ITERATIONS_MAX
 * @throws RangeError when the iterations are out of range
 */
export async function hashPassword(password: Uint8Array, iterations = ITERATIONS_MAX): Promise<string> {
  if (!(Number.isInteger(iterations) && iterations >= ITERATIONS_MIN && iterations <= ITERATIONS_MAX)) {
    throw new RangeError(`The iterations must be a whole number from ${ITERATIONS_MIN} to ${ITERATIONS_MAX}.`);
  }
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  return format({ iterations, salt, hash: await derive(password, salt, iterations) });
}

/**
 * Whether the password is the one that was hashed, also by mosquitto. Takes as long when it is not.
 * @returns false as well when the hash has not the form that `isPasswordHash` or `isMosquittoHash` tells
 */
export async function verifyPassword(password: Uint8Array, hash: string): Promise<boolean> {
  const expected = parsePasswordHash(hash);
  if (expected === undefined) {
    const foreign = await hashAs(password, hash);
    return foreign !== undefined && equalConstantTime(foreign.hash, foreign.expected);
  }
  return equalConstantTime(await derive(password, expected.salt, expected.iterations), expected.hash);
}

/** Whether the text is a hash that `verifyPassword` can check here and on Workers. */
export function isPasswordHash(text: string): boolean {
  return parsePasswordHash(text) !== undefined;
}

/**
 * A hash that no password has.
 * @param like a hash that it takes as long to check as; without it, as long as one with ITERATIONS_MAX
 */
export function dummyHash(like: string | undefined): string {
  const foreign = like === undefined ? undefined : dummyLike(like);
  if (foreign !== undefined) return foreign;
  const iterations = (like === undefined ? undefined : parsePasswordHash(like)?.iterations) ?? ITERATIONS_MAX;
  return format({ iterations, salt: new Uint8Array(SALT_BYTES), hash: new Uint8Array(HASH_BYTES) });
}

/** What it costs to check a password against this hash, of the dearest there is: 0 to 1. */
export function hashShare(hash: string): number {
  return Math.min(1, (parsePasswordHash(hash)?.iterations ?? mosquittoIterations(hash) ?? ITERATIONS_MAX) / ITERATIONS_MAX);
}

/** Compares without telling by its time where the first difference is; the lengths are no secret. */
export function equalConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= a[at] ^ b[at];
  return difference === 0;
}

async function derive(password: Uint8Array, salt: Uint8Array, iterations: number): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, key, HASH_BYTES * 8));
}

function format({ iterations, salt, hash }: PasswordHash): string {
  return [SCHEME, iterations, toBase64(salt), toBase64(hash)].join("$");
}

/** @returns undefined when the text has not the form of a hash that can be checked here and on Workers */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const parts = text.split("$");
  if (parts.length !== 4 || parts[0] !== SCHEME || !/^[1-9][0-9]{0,6}$/.test(parts[1])) return undefined;
  const iterations = Number(parts[1]);
  if (iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX) return undefined;
  const salt = fromBase64(parts[2]);
  const hash = fromBase64(parts[3]);
  if (salt === undefined || salt.length < SALT_BYTES_MIN || salt.length > SALT_BYTES_MAX) return undefined;
  return hash?.length === HASH_BYTES ? { iterations, salt, hash } : undefined;
}
