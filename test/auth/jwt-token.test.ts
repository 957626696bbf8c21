/** What is a token and what is not, by what it says of itself. */

import { describe, expect, test } from "vitest";
import { headerOf } from "../../src/auth/jwt-token.ts";
import { assembled, signed } from "../support/tokens.ts";

const none = (): Buffer => Buffer.alloc(0);
const withHeader = (header: object): string => assembled(header, {}, none);

test("a token of another library", () => {
  expect(headerOf(signed({ sub: "ada" }, undefined, { keyid: "k1" }))).toEqual({ alg: "HS256", kid: "k1" });
  expect(headerOf(signed({ sub: "ada" }))).toEqual({ alg: "HS256", kid: undefined });
});

describe("no token at all, so that it is left to others", () => {
  test.each([
    "",
    "lovelace",
    "a.b",
    "a.b.c",
    "a.b.c.d",
    "..",
    "a.b.c.d.e",
    `${withHeader({ alg: "HS256" })} `,
    `${withHeader({ alg: "HS256" })}=`,
  ])("%s", (text) => {
    expect(headerOf(text)).toBeUndefined();
  });

  test.each([[["HS256"]], ["HS256"], [7], [null]])("a header that is %j", (header) => {
    expect(headerOf(withHeader(header as unknown as object))).toBeUndefined();
  });

  test("bytes that are no UTF-8", () => {
    expect(headerOf(`${Buffer.from([0x7b, 0xff, 0x7d]).toString("base64url")}.e30.x`)).toBeUndefined();
  });
});

describe("a token that nobody can use", () => {
  test.each([
    {},
    { typ: "JWT" },
    { alg: 7 },
    { alg: "HS256", kid: 7 },
    { alg: "HS256", typ: 7 },
    { alg: "HS256", crit: ["b64"], b64: false },
    { alg: "HS256", crit: [] },
  ])("header %j", (header) => {
    expect(headerOf(withHeader(header))).toBe("the token's header is not right");
  });

  test.each(["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE"])("type %s", (typ) => {
    expect(headerOf(withHeader({ alg: "RS256", typ }))).toMatch(/type/);
  });

  test.each(["JWT", "jwt", "at+jwt", "application/at+jwt"])("while type %s is one for logging in", (typ) => {
    expect(headerOf(withHeader({ alg: "RS256", typ }))).toEqual({ alg: "RS256", kid: undefined });
  });

  test("one that is encrypted", () => {
    expect(headerOf(`${Buffer.from('{"alg":"dir","enc":"A256GCM"}').toString("base64url")}..aa.bb.cc`)).toMatch(/encrypted/);
  });
});
