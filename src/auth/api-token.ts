/**
 * A token for the HTTP API is made: by the command `api-token`, and by the console in a browser. It is random, and the broker is given its SHA-256
 * alone, so that whoever reads the secret API_TOKENS can't use it.
 */

/** What a token is for: `admin` is for everything. */
export const API_SCOPES = ["publish", "read", "admin"] as const;
export type ApiScope = (typeof API_SCOPES)[number];

const TOKEN_BYTES = 32;

/** Of the secret API_TOKENS, a JSON array of them. */
export interface ApiTokenEntry {
  readonly name: string;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly scopes: readonly ApiScope[];
  readonly namespaces: readonly string[] | "*";
}

/** @returns the token, which is kept nowhere, and the entry by which a broker knows it */
export async function makeApiToken({ name, scopes, namespaces }: Omit<ApiTokenEntry, "sha256">): Promise<{
  readonly token: string;
  readonly entry: ApiTokenEntry;
}> {
  const random = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  const token = btoa(String.fromCharCode(...random)).replace(/[+/=]/g, (each) => (each === "+" ? "-" : each === "/" ? "_" : ""));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { token, entry: { name, sha256, scopes, namespaces } };
}
