/**
 * The hashes of mosquitto's password files as they are: `$7$iterations$salt$hash`, PBKDF2-HMAC-SHA-512 with 101 iterations by default, and
 * `$6$salt$hash` of earlier versions, a single SHA-512 of password and salt. They are imported, never made: both are quick to guess against.
 */

import { fromBase64, toBase64 } from "./base64.ts";

const HASH_BYTES = 64;
const SALT_BYTES_MAX = 64;
/** As Workers allow. */
const ITERATIONS_MAX = 100_000;

interface MosquittoHash {
  /** 0: a single SHA-512. */
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** @returns undefined when the text is none that can be checked here and on Workers */
function parse(text: string): MosquittoHash | undefined {
  const [before, scheme, ...parts] = text.split("$");
  if (before !== "" || (scheme !== "6" && scheme !== "7")) return undefined;
  const iterations = scheme === "6" ? 0 : /^[1-9][0-9]{0,6}$/.test(parts[0] ?? "") ? Number(parts[0]) : Number.NaN;
  const [salt, hash, ...rest] = (scheme === "6" ? parts : parts.slice(1)).map(fromBase64);
  if (!(iterations <= ITERATIONS_MAX) || rest.length > 0 || salt === undefined || salt.length > SALT_BYTES_MAX) return undefined;
  return hash?.length === HASH_BYTES ? { iterations, salt, hash } : undefined;
}

export function isMosquittoHash(text: string): boolean {
  return parse(text) !== undefined;
}

/** @returns the iterations of PBKDF2-HMAC-SHA-256 that take as long, about twice as many; undefined when it is no such hash */
export function mosquittoIterations(text: string): number | undefined {
  const iterations = parse(text)?.iterations;
  return iterations === undefined ? undefined : 2 * iterations;
}

/** @returns the hash of a password as this text has it, and the one that it has; undefined when the text is no such hash */
export async function hashAs(
  password: Uint8Array,
  text: string,
): Promise<{ readonly hash: Uint8Array; readonly expected: Uint8Array } | undefined> {
  const parsed = parse(text);
  if (parsed === undefined) return undefined;
  const { iterations, salt, hash: expected } = parsed;
  return { hash: await derive(password, salt, iterations), expected };
}

async function derive(password: Uint8Array, salt: Uint8Array, iterations: number): Promise<Uint8Array> {
  if (iterations === 0) return new Uint8Array(await crypto.subtle.digest("SHA-512", new Uint8Array([...password, ...salt])));
  const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt, iterations }, key, HASH_BYTES * 8));
}

/** @returns a hash that no password has and that it takes as long to check as this one; undefined when this is no such hash */
export function dummyLike(text: string): string | undefined {
  if (!isMosquittoHash(text)) return undefined;
  return [...text.split("$").slice(0, -1), toBase64(new Uint8Array(HASH_BYTES))].join("$");
}
