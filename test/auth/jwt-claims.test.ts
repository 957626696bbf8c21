/** What the claims of a token say: when it is good, for whom, and whom it names. */

import { describe, expect, test } from "vitest";
import { type ClaimRules, type Claims, claimOf, judge, type Named, type TokenBearer, timeOf } from "../../src/auth/jwt-claims.ts";
import { NO_TOKENS } from "../../src/auth/jwt-settings.ts";
import { USER_NAME_BYTES_MAX } from "../../src/login-limits.ts";

/** Seconds since the epoch. */
const NOW = 1_800_000_000;
const BEARER: TokenBearer = { namespace: "acme", clientId: "c1", userName: "ada" };

function judged(claims: Claims, rules: Partial<ClaimRules> = {}, bearer: Partial<TokenBearer> = BEARER) {
  return judge(claims, { ...BEARER, ...bearer }, { ...NO_TOKENS, clockToleranceSeconds: 0, ...rules }, NOW * 1000);
}

const named = (userName: string | undefined, expiresAt = Number.POSITIVE_INFINITY): Named => ({ userName, expiresAt });

test("a claim is what the token has, not what every object has", () => {
  for (const name of ["constructor", "__proto__", "toString"]) expect(claimOf({}, name)).toBeUndefined();
  expect(claimOf(JSON.parse('{"__proto__": "x"}') as Claims, "__proto__")).toBe("x");
});

describe("times", () => {
  test.each([
    [NOW + 1, NOW + 1],
    [String(NOW + 1), NOW + 1],
    [NOW + 0.5, NOW + 0.5],
    [`${NOW}.5`, NOW + 0.5],
  ])("exp %j is good until then", (exp, until) => {
    expect(judged({ sub: "ada", exp })).toEqual(named("ada", until * 1000));
  });

  test.each([NOW, NOW - 1, String(NOW), 0])("exp %j has passed", (exp) => {
    expect(judged({ sub: "ada", exp })).toBe("the token has expired");
  });

  test.each([NOW * 1000, String(NOW * 1000), "soon", "", " 1", "1e12", "-1", -1, null, true, [NOW + 1], {}, Number.NaN])(
    "exp and nbf %j are no times in seconds",
    (time) => {
      expect(timeOf(time)).toBe("wrong");
      expect(judged({ exp: time })).toMatch(/^exp and nbf of the token must be/);
      expect(judged({ nbf: time })).toMatch(/^exp and nbf of the token must be/);
    },
  );

  test("nbf is when it begins", () => {
    expect(judged({ sub: "ada", nbf: NOW })).toEqual(named("ada"));
    expect(judged({ sub: "ada", nbf: String(NOW + 1) })).toBe("the token is not valid yet");
  });

  test("clocks may differ by the tolerance, and a login lasts as long as its token is taken", () => {
    const rules = { clockToleranceSeconds: 5 };
    expect(judged({ sub: "ada", exp: NOW - 4, nbf: NOW + 5 }, rules)).toEqual(named("ada", (NOW + 1) * 1000));
    expect(judged({ sub: "ada", exp: NOW - 5 }, rules)).toBe("the token has expired");
    expect(judged({ sub: "ada", nbf: NOW + 6 }, rules)).toBe("the token is not valid yet");
  });

  test("where connections need not end, an expired token is still none", () => {
    expect(judged({ sub: "ada", exp: NOW + 1 }, { disconnectAfterExpire: false })).toEqual(named("ada"));
    expect(judged({ sub: "ada", exp: NOW }, { disconnectAfterExpire: false })).toBe("the token has expired");
  });
});

describe("issuer and audience", () => {
  const rules = { issuers: ["https://a/", "https://b/"], audiences: ["mqtt", "iot"] };
  test.each([
    ["https://a/", "mqtt"],
    ["https://b/", ["web", "iot"]],
  ])("iss %j and aud %j are right", (iss, aud) => {
    expect(judged({ sub: "ada", iss, aud }, rules)).toEqual(named("ada"));
  });

  test.each([
    ["https://a", "mqtt", "issuer"],
    [undefined, "mqtt", "issuer"],
    [["https://a/"], "mqtt", "issuer"],
    ["https://a/", "web", "audience"],
    ["https://a/", [], "audience"],
    ["https://a/", undefined, "audience"],
    ["https://a/", [["mqtt"]], "audience"],
    ["https://a/", { mqtt: true }, "audience"],
  ])("iss %j and aud %j are not", (iss, aud, what) => {
    expect(judged({ sub: "ada", ...(iss === undefined ? {} : { iss }), ...(aud === undefined ? {} : { aud }) }, rules)).toContain(what);
  });
});

describe("claims that must be as the settings say", () => {
  test.each([
    [{ client: "${clientid}" }, { client: "c1" }],
    [{ tenant: "${namespace}" }, { tenant: "acme" }],
    [
      { plan: "pro", level: 3, active: true },
      { plan: "pro", level: 3, active: true, more: [] },
    ],
  ])("%j fits %j", (verifyClaims, claims) => {
    expect(judged({ sub: "eve", ...claims }, { verifyClaims })).toEqual(named("eve"));
  });

  test.each([
    [{ client: "${clientid}" }, { client: "c2" }, BEARER],
    [{ client: "${clientid}" }, {}, BEARER],
    [{ tenant: "${namespace}" }, { tenant: "default" }, BEARER],
    [{ tenant: "${namespace}" }, {}, BEARER],
    [{ client: "${clientid}" }, { client: "" }, { clientId: "", userName: "ada" }],
    [{ name: "${username}" }, { name: "ada" }, { clientId: "c1", userName: "" }],
    [{ name: "${username}" }, { name: "ada" }, { clientId: "c1", userName: "Ada" }],
    [{ name: "${username}" }, { name: ["ada"] }, BEARER],
    [{ level: 3 }, { level: "3" }, BEARER],
    [{ constructor: "x" }, {}, BEARER],
  ])("%j does not fit %j", (verifyClaims, claims, bearer) => {
    const name = Object.keys(verifyClaims)[0];
    expect(judged(claims, { verifyClaims: verifyClaims as ClaimRules["verifyClaims"] }, bearer)).toBe(
      `the claim ${name} of the token is not what it must be`,
    );
  });
});

describe("a token speaks for the user whom it names", () => {
  test("that is sub, whatever CONNECT says", () => {
    expect(judged({ sub: "eve" })).toEqual(named("eve"));
    expect(judged({ sub: "eve" }, {}, { clientId: "c1", userName: undefined })).toEqual(named("eve"));
  });

  test("or the claim that has to be the user name: no other may be given", () => {
    const rules = { verifyClaims: { name: "${username}" } };
    expect(judged({ sub: "4711", name: "ada" }, rules)).toEqual(named("ada"));
    expect(judged({ sub: "4711", name: "ada" }, rules, { clientId: "", userName: undefined })).toEqual(named("ada"));
    expect(judged({ sub: "ada", name: "eve" }, rules)).toMatch(/the claim name/);
    expect(judged({ sub: "ada" }, rules)).toMatch(/the claim name/);
  });

  test("where several claims have to be the user name, they are", () => {
    const rules = { verifyClaims: { name: "${username}", alias: "${username}" } };
    const bearer = { clientId: "", userName: undefined };
    expect(judged({ name: "ada", alias: "ada" }, rules, bearer)).toEqual(named("ada"));
    expect(judged({ name: "ada", alias: "eve" }, rules, bearer)).toBe("the token does not name one user");
    expect(judged({ name: "ada" }, rules, bearer)).toBe("the token does not name one user");
  });

  test("or nobody: never the user name that only CONNECT gives", () => {
    expect(judged({})).toEqual(named(undefined));
    expect(judged({ name: "ada" })).toEqual(named(undefined));
  });

  test.each([[""], ["a\0b"], ["\ud800"], [7], [null], [["ada"]], ["x".repeat(USER_NAME_BYTES_MAX + 1)]])(
    "sub %j is no user name",
    (sub) => {
      expect(judged({ sub })).toBe("the token does not name one user");
    },
  );
});
