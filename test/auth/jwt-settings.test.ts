/** The variables JWT_...: what is taken, what is refused, and that neither tells what a secret contains. */

import { describe, expect, test } from "vitest";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { SECRET, tokenKeys } from "../support/tokens.ts";

const RSA = tokenKeys("RSA");

function jwt(env: Record<string, string>): Settings["jwt"] {
  const settings = parseSettings(env);
  if (Array.isArray(settings)) throw new Error(settings.map(({ sentence }) => sentence).join(" "));
  return (settings as Settings).jwt;
}

function sentences(env: Record<string, string>): string[] {
  const settings = parseSettings(env);
  return Array.isArray(settings) ? settings.map(({ sentence }) => sentence) : [];
}

test("without them nobody is let in by a token, and what is looked at has its defaults", () => {
  expect(jwt({})).toEqual({
    secret: new Uint8Array(0),
    publicKeys: [],
    jwksUrls: [],
    from: ["password"],
    verifyClaims: {},
    issuers: [],
    audiences: [],
    clockToleranceSeconds: 5,
    disconnectAfterExpire: true,
  });
});

test("a secret is its text, or the bytes of its Base64", () => {
  expect(jwt({ JWT_SECRET: SECRET }).secret).toEqual(new TextEncoder().encode(SECRET));
  const bytes = Buffer.from(Array.from({ length: 32 }, (_, index) => 255 - index));
  expect(Buffer.from(jwt({ JWT_SECRET: `base64:${bytes.toString("base64")}` }).secret)).toEqual(bytes);
});

describe("public keys", () => {
  test.each([
    ["RSA", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]],
    ["P-256", ["ES256"]],
    ["P-384", ["ES384"]],
    ["P-521", ["ES512"]],
    ["Ed25519", ["EdDSA", "Ed25519"]],
  ] as const)("%s is for %j", (kind, algorithms) => {
    expect(jwt({ JWT_PUBLIC_KEY: tokenKeys(kind).pem }).publicKeys).toMatchObject([{ algorithms }]);
  });

  test("several may stand behind each other, with line breaks as variables have them", () => {
    const { pem } = tokenKeys("P-256");
    const keys = jwt({ JWT_PUBLIC_KEY: `${RSA.pem}\n${pem}`.replaceAll("\n", "\\n") }).publicKeys;
    expect(keys.map(({ algorithms }) => algorithms[0])).toEqual(["RS256", "ES256"]);
  });

  const bad: [string, string][] = [
    ["a private key", RSA.privateKey.export({ type: "pkcs8", format: "pem" }).toString()],
    ["a private key behind a public one", `${RSA.pem}${RSA.privateKey.export({ type: "pkcs8", format: "pem" })}`],
    ["RSA of 1024 bits", tokenKeys("RSA", 1024).pem],
    ["bytes that are no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"],
    ["a key that was cut", `-----BEGIN PUBLIC KEY-----\n${RSA.pem.split("\n")[1]}\n-----END PUBLIC KEY-----`],
    ["a text", "the key of ada"],
  ];
  test.each(bad)("%s is refused in a sentence without it", (_what, text) => {
    expect(sentences({ JWT_PUBLIC_KEY: text })).toEqual([
      "JWT_PUBLIC_KEY must be one or more public keys in PEM (BEGIN PUBLIC KEY): RSA of 2048 bits or more, EC on P-256, P-384 or P-521, or Ed25519; or nothing.",
    ]);
  });
});

test.each([
  ["JWT_SECRET", "too short"],
  ["JWT_SECRET", `base64:${Buffer.alloc(31, 1).toString("base64")}`],
  ["JWT_SECRET", "base64:$$$"],
])("%s=%s is refused, and not repeated", (name, text) => {
  expect(sentences({ [name]: text })).toEqual([
    "JWT_SECRET must be a secret of 32 bytes or more, as text or as base64: and Base64 behind it, or nothing.",
  ]);
});

test.each([
  ["JWT_JWKS_URLS", "http://id.example.com/keys"],
  ["JWT_JWKS_URLS", "https://id.example.com/keys,"],
  ["JWT_JWKS_URLS", "https://user:word@id.example.com/keys"],
  ["JWT_JWKS_URLS", "id.example.com"],
  ["JWT_JWKS_URLS", "https://id.example.com/ one two"],
  ["JWT_FROM", "header"],
  ["JWT_FROM", "password,"],
  ["JWT_FROM", "password,password"],
  ["JWT_VERIFY_CLAIMS", "[]"],
  ["JWT_VERIFY_CLAIMS", "{"],
  ["JWT_VERIFY_CLAIMS", '{"a":["x"]}'],
  ["JWT_VERIFY_CLAIMS", '{"a":"${username"}'],
  ["JWT_VERIFY_CLAIMS", '{"a":"x-${clientid}"}'],
  ["JWT_ISSUER", "a,,b"],
  ["JWT_CLOCK_TOLERANCE", "601"],
  ["JWT_CLOCK_TOLERANCE", "1s"],
  ["JWT_DISCONNECT_AFTER_EXPIRE", "yes"],
])("%s=%s is refused in a sentence that names it", (name, text) => {
  expect(sentences({ JWT_SECRET: SECRET, [name]: text })).toEqual([expect.stringMatching(new RegExp(`^${name} must be .*\\.$`))]);
});

test("what is to be looked at in tokens needs a key", () => {
  const env = { JWT_ISSUER: "a", JWT_AUDIENCE: "b", JWT_VERIFY_CLAIMS: '{"a":1}' };
  expect(sentences(env)).toEqual(
    ["JWT_ISSUER", "JWT_AUDIENCE", "JWT_VERIFY_CLAIMS"].map(
      (name) => `${name} needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URLS beside it.`,
    ),
  );
  expect(jwt({ ...env, JWT_JWKS_URLS: "https://a.example/k, http://127.0.0.1:1/k  https://b.example/" }).jwksUrls).toEqual([
    { url: "https://a.example/k" },
    { url: "http://127.0.0.1:1/k", issuer: "https://b.example/" },
  ]);
});
