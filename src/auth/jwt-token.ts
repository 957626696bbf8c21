/** What a token says of itself before its signature is checked: enough to find a key, and nothing that may be believed. */

import { decode } from "jose/base64url";

export interface TokenHeader {
  readonly alg: string;
  /** Which key it was signed with; undefined when it does not say. */
  readonly kid: string | undefined;
}

/** A token (JWS) has three parts; one that is encrypted (JWE), which nobody here can read, has five. */
const FORM = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){2}(?:(?:\.[A-Za-z0-9_-]*){2})?$/;

/** Types of tokens that are meant for logging in (RFC 7519 5.1, RFC 9068): an issuer signs others with the same key, such as logout tokens. */
const TYPES = ["jwt", "at+jwt"];

/**
 * Reads the header of what may be a token.
 * @returns undefined when it is no token at all, a sentence when it is one that nobody can use
 */
export function headerOf(text: string): TokenHeader | string | undefined {
  if (!FORM.test(text)) return undefined;
  const parts = text.split(".");
  const header = jsonObject(parts[0]!);
  if (header === undefined) return undefined;
  if (parts.length === 5) return "the token is encrypted, which is not understood here";
  const { alg, kid, typ } = header;
  // A payload without Base64 has no place in a token (RFC 7797, 7); other critical parameters nobody here understands.
  if (typeof alg !== "string" || !isTextOrMissing(kid) || !isTextOrMissing(typ) || header.crit !== undefined)
    return "the token's header is not right";
  if (typ !== undefined && !TYPES.includes(typ.toLowerCase().replace(/^application\//, "")))
    return "the token's type is not one for logging in";
  return { alg, kid };
}

/** An object in JSON in Base64 for URLs; undefined when it is none. */
function jsonObject(base64: string): Record<string, unknown> | undefined {
  try {
    return objectOf(decode(base64));
  } catch {
    return undefined;
  }
}

/** @throws when the bytes are not UTF-8 or not JSON. @returns undefined when they are JSON of something else than an object */
export function objectOf(bytes: Uint8Array): Record<string, unknown> | undefined {
  const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

function isTextOrMissing(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}
