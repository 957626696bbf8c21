/** Tokens in CONNECT, in the URL and in Authentication Data: where they are looked for, and what comes of them. */

import { describe, expect, test } from "vitest";
import { JwtAuthenticator, Tokens } from "../../src/auth/jwt.ts";
import { JwtMethods } from "../../src/auth/jwt-methods.ts";
import { type JwtSettings, NO_TOKENS, TOKEN_PLACES, type TokenPlace } from "../../src/auth/jwt-settings.ts";
import { Methods } from "../../src/auth/methods.ts";
import { GRANTS_BYTES_MAX, TOKEN_CHARACTERS_MAX } from "../../src/login-limits.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { SECRET, seconds, signed, tokenKeys } from "../support/tokens.ts";
import { connect, utf8 } from "./support.ts";

const CALLER = { namespace: "default", address: "203.0.113.7", token: "" };
const RIGHT = signed({ sub: "ada" });
const WRONG = signed({ sub: "ada" }, `${SECRET}.`);
const ADA = { userName: "ada", address: "203.0.113.7", grants: "{}", expiresAt: Number.POSITIVE_INFINITY };

function tokens(settings: Partial<JwtSettings> = {}): Tokens {
  const services = { fetch: () => Promise.reject(new Error("away")), runtime: PLATFORM, failed: () => {} };
  return new Tokens({ ...NO_TOKENS, secret: utf8(SECRET), ...settings }, services);
}

const authenticator = (places: readonly TokenPlace[] = TOKEN_PLACES, settings: Partial<JwtSettings> = {}): JwtAuthenticator =>
  new JwtAuthenticator(tokens(settings), places);

const loginOf = (token: string, settings: Partial<JwtSettings> = {}) =>
  authenticator(["password"], settings).authenticate(connect("x", token), CALLER);

const shown: Record<TokenPlace, (token: string, jwt: JwtAuthenticator) => ReturnType<JwtAuthenticator["authenticate"]>> = {
  password: (token, jwt) => jwt.authenticate(connect("x", token), CALLER),
  username: (token, jwt) => jwt.authenticate(connect(token, "x"), CALLER),
  url: (token, jwt) => jwt.authenticate(connect(), { ...CALLER, token }),
};

describe.each(TOKEN_PLACES)("in the %s", (place) => {
  test("a token is taken where the settings say that one may be", async () => {
    expect(await shown[place](RIGHT, authenticator())).toEqual(ADA);
    expect(await shown[place](RIGHT, authenticator([place]))).toEqual(ADA);
    expect(await shown[place](RIGHT, authenticator(TOKEN_PLACES.filter((other) => other !== place)))).toBeUndefined();
  });

  test("one that is wrong is refused, and what is none is left to others", async () => {
    const reasonCode = place === "url" ? 0x87 : 0x86;
    expect(await shown[place](WRONG, authenticator())).toEqual({ reasonCode, message: "the token's signature is not right" });
    expect(await shown[place]("no token", authenticator())).toBeUndefined();
  });
});

test("a client that gives nothing is left to others, and bytes that are no text too", async () => {
  expect(await authenticator().authenticate(connect(), CALLER)).toBeUndefined();
  expect(await authenticator().authenticate({ ...connect("x"), password: new Uint8Array([0xff, 0, 0x2e]) }, CALLER)).toBeUndefined();
});

test("a token that stands in the user name is not the user name", async () => {
  const settings = { verifyClaims: { name: "${username}" } };
  const token = signed({ sub: "4711", name: "ada" });
  expect(await shown.username(token, authenticator(TOKEN_PLACES, settings))).toEqual(ADA);
  expect(await authenticator(TOKEN_PLACES, settings).authenticate(connect("eve", token), CALLER)).toMatchObject({ reasonCode: 0x86 });
});

test("one that is for a namespace is good for no other, wherever it is shown", async () => {
  const settings = { verifyClaims: { tenant: "${namespace}" } };
  const token = signed({ sub: "ada", tenant: "acme" });
  for (const [namespace, good] of [
    ["acme", true],
    ["default", false],
  ] as const) {
    const caller = { ...CALLER, namespace };
    const jwt = authenticator(TOKEN_PLACES, settings);
    const answers = [
      await jwt.authenticate(connect("x", token), caller),
      await jwt.authenticate(connect(token, "x"), caller),
      await jwt.authenticate(connect(), { ...caller, token }),
      await new JwtMethods(tokens(settings)).begin("JWT", "c", caller)!.step(utf8(token)),
    ];
    expect(answers.map((answer) => answer !== undefined && !("reasonCode" in answer))).toEqual(answers.map(() => good));
  }
});

test("one that is too long is not read", async () => {
  const long = signed({ sub: "ada", text: "x".repeat(TOKEN_CHARACTERS_MAX) });
  expect(await loginOf(long)).toEqual({ reasonCode: 0x86, message: "the token is too long" });
});

test("keys that can't be had are the broker's fault, not the token's", async () => {
  const token = signed({ sub: "ada" }, tokenKeys("RSA").privateKey, { algorithm: "RS256" });
  expect(await loginOf(token, { jwksUrls: [{ url: "https://id.example/keys" }] })).toMatchObject({ reasonCode: 0x88 });
});

test("the end of the login comes from the token", async () => {
  const exp = seconds(60);
  expect(await loginOf(signed({ sub: "ada", exp }))).toEqual({ ...ADA, expiresAt: (exp + 5) * 1000 });
  expect(await loginOf(signed({ sub: "ada", exp }), { disconnectAfterExpire: false })).toEqual(ADA);
});

describe("what a token gives", () => {
  test("a Client Identifier", async () => {
    expect(await loginOf(signed({ sub: "ada", clientid_override: "c9" }))).toEqual({ ...ADA, clientId: "c9" });
    for (const other of ["", 7, null, ["c9"], "a\0b", "\ud800"])
      expect(await loginOf(signed({ sub: "ada", clientid_override: other }))).toMatchObject({
        reasonCode: 0x86,
        message: expect.stringMatching(/clientid_override/),
      });
  });

  test("rights and attributes, or none", async () => {
    const given = { is_superuser: true, client_attrs: { role: "x" }, acl: [{ permission: "deny", action: "all", topics: ["a/#"] }] };
    const admission = await loginOf(signed({ sub: "ada", ...given }));
    expect(JSON.parse((admission as { grants: string }).grants)).toEqual({ superuser: true, acl: given.acl, attributes: { role: "x" } });
    expect(await loginOf(signed({ sub: "ada", is_superuser: false }))).toEqual(ADA);
  });

  test.each([
    [{ is_superuser: "true" }, /is_superuser/],
    [{ is_superuser: 1 }, /is_superuser/],
    [{ client_attrs: "x" }, /client_attrs/],
    [{ client_attrs: { a: 1 } }, /client_attrs/],
    [{ client_attrs: ["x"] }, /client_attrs/],
    [{ client_attrs: { directory: "1" } }, /directory, which is the broker's own/],
    [{ acl: "none" }, /none: acl must be an object/],
    [{ acl: [{ permission: "allow", action: "all", topic: "a/#/b" }] }, /acl\[0\].topic is not a valid Topic Filter/],
    [{ client_attrs: { a: "x".repeat(GRANTS_BYTES_MAX) } }, /more than 4096 bytes/],
  ])("%j refuses it: a slip must not open anything", async (given, message) => {
    expect(await loginOf(signed({ sub: "ada", ...given }))).toMatchObject({ reasonCode: 0x86, message: expect.stringMatching(message) });
  });
});

describe("Authentication Data", () => {
  const methods = new Methods([new JwtMethods(tokens()), { methods: ["X"], begin: () => undefined }]);

  test.each(["JWT", "OAUTH2-JWT", "CUSTOM-JWT"])("of the method %s", async (method) => {
    const step = (token: string) => methods.begin(method, "c1", CALLER)!.step(utf8(token));
    expect(await step(RIGHT)).toEqual({ kind: "success", identity: ADA, data: undefined });
    expect(await step(WRONG)).toMatchObject({ reasonCode: 0x87, message: "the token's signature is not right" });
    for (const none of ["", "no token"])
      expect(await step(none)).toMatchObject({ reasonCode: 0x87, message: expect.stringMatching(/must be a token/) });
  });

  test("the client's identifier is looked at, and there is no user name to look at", async () => {
    const settings = { verifyClaims: { client: "${clientid}", name: "${username}" } };
    const token = utf8(signed({ client: "c1", name: "ada" }));
    const step = (clientId: string) => new JwtMethods(tokens(settings)).begin("JWT", clientId, CALLER)!.step(token);
    expect(await step("c1")).toMatchObject({ kind: "success", identity: ADA });
    expect(await step("c2")).toMatchObject({ reasonCode: 0x87, message: expect.stringMatching(/the claim client/) });
  });

  test("of other methods is for others", () => {
    expect(methods.methods).toEqual(["JWT", "OAUTH2-JWT", "CUSTOM-JWT", "X"]);
    for (const method of ["jwt", "JWT2", "X", "", "constructor"]) expect(methods.begin(method, "c", CALLER)).toBeUndefined();
  });
});
