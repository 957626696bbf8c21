/**
 * A set of keys of an identity provider (JWK Set, RFC 7517): what it says, cut down to keys that can check tokens, and the way to it,
 * bounded in time and size. Whatever is wrong is a sentence for the log; nothing is thrown.
 */

import { JWKS_BYTES_MAX, JWKS_KEYS_MAX, JWKS_TIMEOUT_MS } from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";
import { objectOf } from "./jwt-token.ts";
import { answerWithin, bodyOf, type Fetch } from "./outside.ts";
import { ED25519_ALGORITHMS, RSA_ALGORITHMS, RSA_BITS_MIN } from "./public-keys.ts";

/** A key that checks signatures. */
export interface ProviderKey {
  /** Its name in tokens; undefined when it has none. */
  readonly kid: string | undefined;
  readonly algorithms: readonly string[];
  /** What is public of it and names neither use nor algorithm. */
  readonly jwk: { readonly kty: string; readonly [field: string]: string };
}

const CURVES: Readonly<Record<string, readonly string[]>> = { "P-256": ["ES256"], "P-384": ["ES384"], "P-521": ["ES512"] };

/** By kind of key, what it is made of. A shared secret (`oct`) has no place in what everybody can read. */
const FIELDS: Readonly<Record<string, readonly string[]>> = { RSA: ["n", "e"], EC: ["crv", "x", "y"], OKP: ["crv", "x"] };

/**
 * Gets a set of keys.
 * @returns its keys, which may be none, or a sentence about why it can't be had
 */
export function fetchKeySet(url: string, fetch: Fetch, runtime: Runtime): Promise<readonly ProviderKey[] | string> {
  const ask = async (signal: AbortSignal): Promise<readonly ProviderKey[] | string> => {
    // A redirect could lead out of TLS.
    const response = await fetch(url, { redirect: "manual", signal, headers: { Accept: "application/json" } });
    if (response.status === 200) return keysOf(await bodyOf(response, JWKS_BYTES_MAX));
    await response.body?.cancel();
    return `it was answered with status ${response.status}`;
  };
  return answerWithin({ timeoutMs: JWKS_TIMEOUT_MS, runtime }, ask, {
    late: `it was not there within ${JWKS_TIMEOUT_MS / 1000} s`,
    failed: "it could not be reached",
  });
}

/**
 * Reads a set of keys.
 * @param body undefined when it was too large
 */
export function keysOf(body: Uint8Array | undefined): readonly ProviderKey[] | string {
  if (body === undefined) return `it has more than ${JWKS_BYTES_MAX} bytes`;
  let set: Record<string, unknown> | undefined;
  try {
    set = objectOf(body);
  } catch {
    return "it is not JSON";
  }
  const entries = set?.keys;
  if (!Array.isArray(entries)) return "it is no JWK Set: it has no list of keys";
  if (entries.length > JWKS_KEYS_MAX) return `it has more than ${JWKS_KEYS_MAX} keys`;
  // One that is of no use here, or that nobody understands, is passed over (RFC 7517, 5).
  return entries.map(keyOf).filter((key) => key !== undefined);
}

function keyOf(entry: unknown): ProviderKey | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const { kid, use, key_ops: operations, alg, ...key } = entry as Record<string, unknown>;
  const mayVerify = (use === undefined || use === "sig") && (operations === undefined || isListWith(operations, "verify"));
  const fields = typeof key.kty === "string" && Object.hasOwn(FIELDS, key.kty) ? FIELDS[key.kty]! : undefined;
  if (!mayVerify || fields === undefined || (kid !== undefined && typeof kid !== "string")) return undefined;
  if (!fields.every((field) => typeof key[field] === "string")) return undefined;
  const jwk = Object.fromEntries(["kty", ...fields].map((field) => [field, key[field] as string])) as ProviderKey["jwk"];
  const algorithms = algorithmsOf(jwk).filter((each) => alg === undefined || each === alg);
  return algorithms.length === 0 ? undefined : { kid, algorithms, jwk };
}

function algorithmsOf({ kty, n = "", crv = "" }: ProviderKey["jwk"]): readonly string[] {
  if (kty === "RSA") return n.length * 6 >= RSA_BITS_MIN ? RSA_ALGORITHMS : [];
  if (kty === "OKP") return crv === "Ed25519" ? ED25519_ALGORITHMS : [];
  return Object.hasOwn(CURVES, crv) ? CURVES[crv]! : [];
}

function isListWith(value: unknown, item: string): boolean {
  return Array.isArray(value) && value.includes(item);
}
