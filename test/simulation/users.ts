/**
 * The users of a run, what they may do, and a WebCrypto that answers within the event that asked: hashes are right, but no thread is
 * waited for, so that the same seed stays the same run.
 */

import { createHash, createHmac, hkdfSync, pbkdf2Sync } from "node:crypto";

/** Nobody, or one of the configured ones; each has its own name as its password. */
export type UserName = "alice" | "bob" | "carol" | undefined;

/** First levels that carol may publish to and subscribe to. */
const CAROLS = ["a", "d", "g", "s", "w"];

const ITERATIONS = 1000;

export function passwordHash(password: string): string {
  const salt = Buffer.alloc(16, 7);
  return `pbkdf2-sha256$${ITERATIONS}$${salt.toString("base64")}$${pbkdf2Sync(password, salt, ITERATIONS, 32, "sha256").toString("base64")}`;
}

const carols = CAROLS.map((level) => `${level}/#`);

/** The secret USERS. */
export const USERS = JSON.stringify([
  { user: "alice", password: passwordHash("alice"), publish: ["#"], subscribe: ["#", "$events/#"] },
  { user: "bob", password: passwordHash("bob"), publish: ["#"], subscribe: ["#"] },
  { user: "carol", password: passwordHash("carol"), publish: carols, subscribe: carols },
]);

/** The same for a topic and for a filter, with `$share/` or without. */
export function mayUse(user: UserName, filter: string): boolean {
  if (user !== "carol") return true;
  const [first] = (filter.startsWith("$share/") ? filter.split("/").slice(2) : filter.split("/")) as [string];
  return CAROLS.includes(first);
}

/** What tokens are signed with (HS256). */
export const TOKEN_SECRET = new Uint8Array(32).fill(9);

/** A token of a user, with the same rights as in USERS. @param until when it is over, seconds since the epoch */
export function tokenOf(user: Exclude<UserName, undefined>, until: number): string {
  const topics = user === "carol" ? carols : ["#"];
  const claims = { sub: user, exp: until, acl: [{ permission: "allow", action: "all", topics }] };
  const [header, payload] = [{ alg: "HS256" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  const signature = createHmac("sha256", TOKEN_SECRET).update(`${header}.${payload}`).digest("base64url");
  return `${header}.${payload}.${signature}`;
}

/** With what a library looks at before it uses one. */
interface Key {
  readonly bytes: Uint8Array;
  readonly algorithm?: { readonly name: string; readonly hash: { readonly name: string } };
  readonly usages?: readonly string[];
}

const INSTANT = {
  importKey: async (
    _format: string,
    bytes: Uint8Array,
    algorithm: string | { readonly name: string; readonly hash?: string },
    _extractable: boolean,
    usages: readonly string[],
  ): Promise<Key> => {
    const { name, hash = "" } = typeof algorithm === "string" ? { name: algorithm } : algorithm;
    return { bytes: Uint8Array.from(bytes), algorithm: { name, hash: { name: hash } }, usages };
  },
  generateKey: async (): Promise<Key> => ({ bytes: new Uint8Array(32) }),
  sign: async (_algorithm: string, { bytes }: Key, data: Uint8Array): Promise<ArrayBuffer> =>
    bufferOf(createHmac("sha256", bytes).update(data).digest()),
  verify: async (_algorithm: unknown, { bytes }: Key, signature: Uint8Array, data: Uint8Array): Promise<boolean> =>
    createHmac("sha256", bytes).update(data).digest().equals(signature),
  digest: async (_algorithm: string, data: Uint8Array): Promise<ArrayBuffer> => bufferOf(createHash("sha256").update(data).digest()),
  deriveBits: async (
    { name, salt, iterations = 0, info = new Uint8Array(0) }: { name: string; salt: Uint8Array; iterations?: number; info?: Uint8Array },
    { bytes }: Key,
    bits: number,
  ): Promise<ArrayBuffer> =>
    name === "PBKDF2" ? derived(bytes, salt, iterations, bits / 8) : hkdfSync("sha256", bytes, salt, info, bits / 8),
};

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer as ArrayBuffer;
}

const known = new Map<string, ArrayBuffer>();

/** A slow hash is made once in a process: its time is nothing that a run is about. */
function derived(password: Uint8Array, salt: Uint8Array, iterations: number, length: number): ArrayBuffer {
  const key = `${Buffer.from(password).toString("hex")} ${Buffer.from(salt).toString("hex")} ${iterations} ${length}`;
  const hash = known.get(key) ?? bufferOf(pbkdf2Sync(password, salt, iterations, length, "sha256"));
  known.set(key, hash);
  return hash;
}

/** Runs something with that WebCrypto in the place of the real one. */
export async function withInstantCrypto<Result>(run: () => Promise<Result>): Promise<Result> {
  Object.defineProperty(crypto, "subtle", { value: INSTANT, configurable: true });
  try {
    return await run();
  } finally {
    Reflect.deleteProperty(crypto, "subtle");
  }
}
