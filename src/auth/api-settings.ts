/**
 * Who may use the HTTP API: the secret API_TOKENS. It has digests alone, so that who reads it can't use it; a token is long and random, and a
 * digest of one is not guessed. No sentence repeats anything that the secret contains.
 */

import * as z from "zod/mini";
import { type Setting, secret } from "../setting.ts";

/** What a token is for: `admin` is for everything. */
export const API_SCOPES = ["publish", "read", "admin"] as const;
export type ApiScope = (typeof API_SCOPES)[number];

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

export const API_TOKENS: Setting<readonly ApiKey[], "API_TOKENS"> = secret(
  "API_TOKENS",
  'a JSON array of {"name", "sha256": 64 hexadecimal digits, "scopes": of publish, read and admin, "namespaces": a list or "*"} with different names, or nothing',
  'who may use [the HTTP API](api.md), a JSON array of `{"name", "sha256", "scopes", "namespaces"}` with the SHA-256 of each token (`npm run api-token` makes one); without it and `ADMIN_TOKEN` the API is closed',
  parseApiTokens,
);

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
