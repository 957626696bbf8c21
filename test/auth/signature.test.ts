/** Whose signatures are taken: by secret, by keys of the settings, by keys of providers, and never one for the other. */

import { createHmac, sign } from "node:crypto";
import type { Algorithm } from "jsonwebtoken";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { headerOf, type TokenHeader } from "../../src/auth/jwt-token.ts";
import { type PublicKey, parsePublicKeys } from "../../src/auth/public-keys.ts";
import { type Checked, Signatures } from "../../src/auth/signature.ts";
import { JWKS_COOL_DOWN_MS, JWKS_FRESH_MS, JWKS_TIMEOUT_MS } from "../../src/login-limits.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { assembled, jwkOf, SECRET, signed, signedByEd25519, type TokenKeys, tokenKeys } from "../support/tokens.ts";

const KEYS = { RSA: tokenKeys("RSA"), "P-256": tokenKeys("P-256"), "P-384": tokenKeys("P-384"), "P-521": tokenKeys("P-521") };
const ED25519 = tokenKeys("Ed25519");
const OTHER = tokenKeys("RSA");
const CLAIMS = { sub: "ada" };

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const noFetch = () => Promise.reject(new Error("nothing is fetched here"));

function check(token: string, { secret = "", pems = [] as string[] }): Promise<Checked> {
  const publicKeys = pems.flatMap((pem) => parsePublicKeys(pem) as PublicKey[]);
  const services = { fetch: noFetch, runtime: PLATFORM, failed: () => {} };
  return new Signatures({ secret: utf8(secret), publicKeys, jwksUrls: [] }, services).check(token, headerOf(token) as TokenHeader);
}

const right = { claims: expect.objectContaining(CLAIMS) };

describe("tokens of another library", () => {
  test.each(["HS256", "HS384", "HS512"] as const)("%s by the secret", async (algorithm) => {
    const token = signed(CLAIMS, SECRET, { algorithm });
    expect(await check(token, { secret: SECRET })).toEqual(right);
    expect(await check(token, { secret: `${SECRET}.` })).toBe("wrong");
    expect(await check(token, { pems: [KEYS.RSA.pem] })).toBe("unknown");
  });

  test.each([
    ["RS256", "RSA"],
    ["RS384", "RSA"],
    ["RS512", "RSA"],
    ["PS256", "RSA"],
    ["PS384", "RSA"],
    ["PS512", "RSA"],
    ["ES256", "P-256"],
    ["ES384", "P-384"],
    ["ES512", "P-521"],
  ] as const)("%s by a key on %s", async (algorithm: Algorithm, kind) => {
    const token = signed(CLAIMS, KEYS[kind].privateKey, { algorithm, keyid: "not looked at" });
    expect(await check(token, { pems: [KEYS[kind].pem] })).toEqual(right);
    expect(await check(token, { pems: [OTHER.pem, ED25519.pem, KEYS[kind].pem], secret: SECRET })).toEqual(right);
    const others = Object.values(KEYS).filter((key) => key !== KEYS[kind]);
    expect(await check(token, { pems: [OTHER.pem, ...others.map(({ pem }) => pem)] })).toBe(kind === "RSA" ? "wrong" : "unknown");
  });

  test("Ed25519 under both of its names", async () => {
    for (const alg of ["EdDSA", "Ed25519"])
      expect(await check(signedByEd25519(CLAIMS, ED25519, { alg }), { pems: [ED25519.pem] })).toEqual(right);
    expect(await check(signedByEd25519(CLAIMS, tokenKeys("Ed25519")), { pems: [ED25519.pem] })).toBe("wrong");
  });
});

describe("what must not help", () => {
  test("a public key is no secret", async () => {
    const { pem, publicKey } = KEYS.RSA;
    const der = publicKey.export({ type: "spki", format: "der" });
    for (const key of [pem, pem.trim(), der, publicKey.export({ type: "pkcs1", format: "pem" }).toString()]) {
      const token = assembled({ alg: "HS256" }, CLAIMS, (data) => createHmac("sha256", key).update(data).digest());
      expect(await check(token, { pems: [pem] })).toBe("unknown");
      expect(await check(token, { pems: [pem], secret: SECRET })).toBe("wrong");
    }
  });

  test.each(["none", "None", "NONE", "", "hs256", "HS1", "RSA-OAEP", "dir", "__proto__", "constructor"])("alg %j", async (alg) => {
    const token = assembled({ alg }, CLAIMS, () => Buffer.alloc(0));
    expect(await check(token, { secret: SECRET, pems: [KEYS.RSA.pem] })).toBe("unknown");
    const hashed = assembled({ alg }, CLAIMS, (data) => createHmac("sha256", SECRET).update(data).digest());
    expect(await check(hashed, { secret: SECRET, pems: [KEYS.RSA.pem] })).toBe("unknown");
  });

  test.each(["HS256", "RS256", "ES256"])("no signature at all under %s", async (alg) => {
    const token = assembled({ alg }, CLAIMS, () => Buffer.alloc(0));
    expect(await check(token, { secret: SECRET, pems: [KEYS.RSA.pem, KEYS["P-256"].pem] })).toBe("wrong");
  });

  test("a key that the token brings", async () => {
    const jwk = OTHER.publicKey.export({ format: "jwk" });
    const header = { alg: "RS256", jwk, jku: "https://evil.example/keys", x5u: "https://evil.example/c", x5c: ["AAAA"] };
    const token = assembled(header, CLAIMS, (data) => sign("sha256", data, OTHER.privateKey));
    expect(await check(token, { pems: [KEYS.RSA.pem] })).toBe("wrong");
  });

  test("claims, header or signature of another token", async () => {
    const [header, claims, signature] = signed(CLAIMS).split(".");
    const [otherHeader, otherClaims, otherSignature] = signed({ sub: "eve" }, SECRET, { keyid: "x" }).split(".");
    for (const parts of [
      [header, otherClaims, signature],
      [otherHeader, claims, signature],
      [header, claims, otherSignature],
      [header, claims, signature!.slice(0, -2)],
      [header, claims, `${signature}AA`],
      [header, claims, ""],
    ])
      expect(await check(parts.join("."), { secret: SECRET })).toBe("wrong");
  });

  test("zero signatures of ECDSA", async () => {
    const token = assembled({ alg: "ES256" }, CLAIMS, () => Buffer.alloc(64));
    expect(await check(token, { pems: [KEYS["P-256"].pem] })).toBe("wrong");
  });

  test.each([["[]"], ["7"], ["null"], ["{"], [""]])("claims that are %s", async (text) => {
    const data = `${Buffer.from('{"alg":"HS256"}').toString("base64url")}.${Buffer.from(text).toString("base64url")}`;
    const token = `${data}.${createHmac("sha256", SECRET).update(data).digest("base64url")}`;
    expect(await check(token, { secret: SECRET })).toBe("wrong");
  });
});

/** Providers that answer as the test says, under fake timers. */
function providers(...answers: (() => object | Promise<object>)[]) {
  return tiedProviders([], ...answers);
}

/** @param issuers those that they are tied to; with any, HS256 is taken too */
function tiedProviders(issuers: readonly (string | undefined)[], ...answers: (() => object | Promise<object>)[]) {
  const asked: number[] = answers.map(() => 0);
  const failures: string[] = [];
  const fetch = async (url: string): Promise<Response> => {
    const at = Number(new URL(url).pathname.slice(1));
    asked[at]! += 1;
    return Response.json(await answers[at]!());
  };
  const jwksUrls = answers.map((_, index) => {
    const issuer = issuers[index];
    return { url: `https://id.example/${index}?key=hidden`, ...(issuer === undefined ? {} : { issuer }) };
  });
  const services = { fetch, runtime: PLATFORM, failed: (problem: string) => void failures.push(problem) };
  const secret = issuers.length === 0 ? new Uint8Array(0) : utf8(SECRET);
  const signatures = new Signatures({ secret, publicKeys: [], jwksUrls }, services);
  return { asked, failures, check: (token: string) => signatures.check(token, headerOf(token) as TokenHeader) };
}

const set = (...keys: Record<string, unknown>[]): object => ({ keys });
const byKey = (keys: TokenKeys, keyid?: string): string =>
  signed(CLAIMS, keys.privateKey, { algorithm: "RS256", ...(keyid === undefined ? {} : { keyid }) });
const FIRST = tokenKeys("RSA");
const SECOND = tokenKeys("RSA");
const fails = () => Promise.reject(new Error("no route to host"));

describe("keys of providers", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("are had once and then known, for all of them", async () => {
    const { check, asked } = providers(
      () => set(jwkOf(FIRST, "a")),
      () => set(jwkOf(SECOND, "b")),
    );
    const tokens = [byKey(FIRST, "a"), byKey(SECOND, "b"), byKey(FIRST), byKey(SECOND)];
    for (const token of tokens) expect(await check(token)).toEqual(right);
    expect(asked).toEqual([1, 1]);
  });

  test("a token of nobody's key, or with the name of another key, is not taken", async () => {
    const { check } = providers(() => set(jwkOf(FIRST, "a"), jwkOf(SECOND, "b")));
    expect(await check(byKey(FIRST, "b"))).toBe("wrong");
    expect(await check(byKey(OTHER, "a"))).toBe("wrong");
    expect(await check(byKey(OTHER))).toBe("unknown");
    expect(await check(byKey(FIRST, "c"))).toBe("unknown");
  });

  test("are had anew when they are old: what is withdrawn is good no longer", async () => {
    let keys = set(jwkOf(FIRST, "a"));
    const { check, asked } = providers(() => keys);
    expect(await check(byKey(FIRST, "a"))).toEqual(right);
    keys = set(jwkOf(SECOND, "b"));
    await vi.advanceTimersByTimeAsync(JWKS_FRESH_MS - 1);
    expect(await check(byKey(FIRST, "a"))).toEqual(right);
    await vi.advanceTimersByTimeAsync(1);
    expect(await check(byKey(FIRST, "a"))).toBe("unknown");
    expect(asked).toEqual([2]);
  });

  test("a name that is not known is asked for at once, and then not before the cool-down is over", async () => {
    let keys = set(jwkOf(FIRST, "a"));
    const { check, asked } = providers(() => keys);
    await check(byKey(FIRST, "a"));
    await vi.advanceTimersByTimeAsync(JWKS_COOL_DOWN_MS);
    keys = set(jwkOf(FIRST, "a"), jwkOf(SECOND, "b"));
    expect(await check(byKey(SECOND, "b"))).toEqual(right);
    expect(asked).toEqual([2]);
    for (let index = 0; index < 20; index += 1) expect(await check(byKey(OTHER, `made up ${index}`))).toBe("unknown");
    expect(asked).toEqual([2]);
    expect(await check(byKey(FIRST, "a"))).toEqual(right);
  });

  test("one asks while the others wait for what comes of it", async () => {
    let answer: (keys: object) => void = () => {};
    const { check, asked } = providers(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    const checks = Promise.all(Array.from({ length: 50 }, () => check(byKey(FIRST, "a"))));
    await vi.advanceTimersByTimeAsync(1000);
    answer(set(jwkOf(FIRST, "a")));
    await vi.advanceTimersByTimeAsync(1000);
    expect(new Set((await checks).map((each) => (typeof each === "object" ? "right" : each)))).toEqual(new Set(["right"]));
    expect(asked).toEqual([1]);
  });

  test("who is gone while asking is passed over", async () => {
    let first = true;
    // An answer that never comes to the one who asked: its request has ended, with all its timers.
    const gone = vi.fn(() => new Promise<object>(() => {}));
    const { check, asked } = providers(() => {
      if (!first) return set(jwkOf(FIRST, "a"));
      first = false;
      return gone();
    });
    void check(byKey(FIRST, "a"));
    await vi.advanceTimersByTimeAsync(0);
    vi.clearAllTimers();
    const second = check(byKey(FIRST, "a"));
    await vi.advanceTimersByTimeAsync(JWKS_TIMEOUT_MS + 2000);
    expect(await second).toEqual(right);
    expect(asked).toEqual([2]);
  });

  test("while they can't be had, known ones go on, and new ones are told to come again", async () => {
    let keys: () => object | Promise<object> = () => set(jwkOf(FIRST, "a"));
    const { check, failures } = providers(() => keys());
    await check(byKey(FIRST, "a"));
    keys = fails;
    await vi.advanceTimersByTimeAsync(JWKS_FRESH_MS);
    expect(await check(byKey(FIRST, "a"))).toEqual(right);
    expect(await check(byKey(SECOND, "b"))).toBe("unavailable");
    expect(await check(byKey(OTHER, "a"))).toBe("wrong");
    expect(failures).toEqual(["the keys of https://id.example/0 could not be had: it could not be reached"]);
    keys = () => set(jwkOf(SECOND, "b"));
    await vi.advanceTimersByTimeAsync(JWKS_COOL_DOWN_MS);
    expect(await check(byKey(SECOND, "b"))).toEqual(right);
    expect(await check(byKey(FIRST, "a"))).toBe("unknown");
  });

  test("one provider that is away does not keep the others' clients out", async () => {
    const { check } = providers(fails, () => set(jwkOf(FIRST, "a")));
    expect(await check(byKey(FIRST, "a"))).toEqual(right);
    expect(await check(byKey(SECOND, "b"))).toBe("unavailable");
  });

  test("that are tied to an issuer sign for that one, and no other key does", async () => {
    const { check } = tiedProviders(
      ["https://a.example/", "https://b.example/", undefined],
      () => set(jwkOf(FIRST, "a"), jwkOf(FIRST, "both")),
      () => set(jwkOf(SECOND, "b"), jwkOf(FIRST, "both")),
      () => set(jwkOf(OTHER, "c")),
    );
    const by = (keys: TokenKeys, keyid: string, iss: string | undefined) =>
      check(signed({ ...CLAIMS, ...(iss === undefined ? {} : { iss }) }, keys.privateKey, { algorithm: "RS256", keyid }));
    const [a, b, c] = ["https://a.example/", "https://b.example/", "https://c.example/"];
    for (const [keys, keyid, iss] of [
      [FIRST, "a", a],
      [SECOND, "b", b],
      [OTHER, "c", c],
      [OTHER, "c", undefined],
      [FIRST, "both", a],
      [FIRST, "both", b],
    ] as const)
      expect([keyid, iss, await by(keys, keyid, iss)]).toEqual([keyid, iss, right]);
    for (const [keys, keyid, iss] of [
      [FIRST, "a", b],
      [FIRST, "a", c],
      [FIRST, "a", undefined],
      [SECOND, "b", a],
      [OTHER, "c", a],
      [FIRST, "both", c],
    ] as const)
      expect([keyid, iss, await by(keys, keyid, iss)]).toEqual([keyid, iss, "foreign"]);
    expect(await check(signed({ ...CLAIMS, iss: a }, SECRET))).toBe("foreign");
    expect(await check(signed({ ...CLAIMS, iss: c }, SECRET))).toEqual(right);
  });

  test("a key is for what the set says of it, and a set has no secrets", async () => {
    const secret = { kty: "oct", kid: "s", k: Buffer.from(SECRET).toString("base64url"), alg: "HS256" };
    const { check } = providers(() =>
      set(
        jwkOf(FIRST, "a", { alg: "RS512" }),
        jwkOf(FIRST, "b", { use: "enc" }),
        jwkOf(FIRST, "c", { key_ops: ["encrypt"] }),
        jwkOf(FIRST, "d", { use: undefined, key_ops: ["verify"] }),
        secret,
        { kty: "RSA", kid: "e", n: 7 },
        { kty: "__proto__", kid: "f" },
        jwkOf(tokenKeys("RSA", 1024), "g"),
        { ...FIRST.privateKey.export({ format: "jwk" }), kid: "h" },
      ),
    );
    expect(await check(byKey(FIRST, "a"))).toBe("unknown");
    expect(await check(signed(CLAIMS, FIRST.privateKey, { algorithm: "RS512", keyid: "a" }))).toEqual(right);
    for (const kid of ["b", "c", "e", "f", "g"]) expect(await check(byKey(FIRST, kid))).toBe("unknown");
    for (const kid of ["d", "h"]) expect(await check(byKey(FIRST, kid))).toEqual(right);
    expect(await check(signed(CLAIMS, SECRET, { keyid: "s" }))).toBe("unknown");
  });
});
