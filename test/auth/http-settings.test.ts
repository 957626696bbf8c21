/** The variables of hooks: what is right, and that what is wrong is a sentence without a secret. */

import { describe, expect, test } from "vitest";
import { parseSettings, type Settings } from "../../src/settings.ts";

const URL_SET = { HTTP_AUTH_URL: "https://auth.test/mqtt" };

function parsed(env: Record<string, unknown>): Settings {
  const result = parseSettings(env);
  if (Array.isArray(result)) throw new Error(result.map(({ sentence }) => sentence).join(" "));
  return result;
}

function sentences(env: Record<string, unknown>): string[] {
  const result = parseSettings(env);
  return Array.isArray(result) ? result.map(({ sentence }) => sentence) : [];
}

test("what is right", () => {
  expect(parsed(URL_SET).http).toEqual({
    url: "https://auth.test/mqtt",
    preset: "emqx",
    method: "POST",
    headers: {},
    body: {},
    timeoutMs: 5000,
    authzUrl: "",
    authzBody: {},
    serviceAuthorizes: false,
  });
  const { http, authChain } = parsed({
    ...URL_SET,
    HTTP_AUTH_METHOD: "get",
    HTTP_AUTH_HEADERS: '{"Authorization": "Bearer x"}',
    HTTP_AUTH_BODY: '{"u": "${username}"}',
    HTTP_AUTH_TIMEOUT_MS: "100",
    AUTH_CHAIN: "http, users",
  });
  expect(http).toMatchObject({ method: "GET", headers: { authorization: "Bearer x" }, body: { u: "${username}" }, timeoutMs: 100 });
  expect(authChain).toEqual(["http", "users"]);
  expect(parsed({ ...URL_SET, HTTP_AUTH_PRESET: "go-auth" }).http.preset).toBe("go-auth");
  expect(parsed({}).authChain).toEqual([]);
  const authz = { HTTP_AUTHZ_URL: "https://auth.test/authz?t=${topic}", HTTP_AUTHZ_BODY: '{"t": "${topic} ${qos} ${retain} ${action}"}' };
  expect(parsed({ ...authz, HTTP_AUTH_HEADERS: '{"a": "b"}' }).http.authzUrl).toBe(authz.HTTP_AUTHZ_URL);
});

describe("what is wrong", () => {
  test.each([
    ["HTTP_AUTH_URL", "http://auth.test/"],
    ["HTTP_AUTH_URL", "https://auth.test/${nobody}"],
    ["HTTP_AUTH_METHOD", "PUT"],
    ["HTTP_AUTH_PRESET", "vernemq"],
    ["HTTP_AUTH_HEADERS", "authorization: x"],
    ["HTTP_AUTH_HEADERS", '{"host": "x"}'],
    ["HTTP_AUTH_BODY", "username=${username}"],
    ["HTTP_AUTH_BODY", '{"ver": ${proto_ver}}'],
    ["HTTP_AUTH_BODY", '["${username}"]'],
    ["HTTP_AUTH_BODY", '{"a": "${nobody}"}'],
    ["HTTP_AUTH_TIMEOUT_MS", "99"],
    ["HTTP_AUTH_TIMEOUT_MS", "1 s"],
    ["HTTP_AUTHZ_URL", "http://auth.test/"],
    ["HTTP_AUTHZ_BODY", '{"a": "${nobody}"}'],
    ["AUTH_AUTHORIZE", "yes"],
    ["AUTH_CHAIN", "http,ldap"],
    ["AUTH_CHAIN", "http,http"],
    ["AUTH_CHAIN", ","],
  ])("%s = %s", (name, value) => {
    expect(sentences({ ...URL_SET, [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name} must be .*\\.$`))]);
  });

  test.each([
    [{ HTTP_AUTH_BODY: '{"a": "b"}' }, "HTTP_AUTH_BODY needs HTTP_AUTH_URL beside it."],
    [{ HTTP_AUTH_HEADERS: '{"a": "b"}' }, "HTTP_AUTH_HEADERS needs HTTP_AUTH_URL beside it."],
    [{ HTTP_AUTHZ_BODY: '{"a": "b"}' }, "HTTP_AUTHZ_BODY needs HTTP_AUTHZ_URL beside it."],
    [{ HTTP_AUTH_PRESET: "go-auth" }, "HTTP_AUTH_PRESET go-auth needs HTTP_AUTH_URL beside it."],
    [{ ...URL_SET, HTTP_AUTH_PRESET: "go-auth", HTTP_AUTHZ_URL: "https://auth.test/" }, /^HTTP_AUTHZ_URL must be left out/],
    [
      { HTTP_AUTHZ_URL: "https://auth.test/", HTTP_AUTH_METHOD: "GET", HTTP_AUTHZ_BODY: '{"a": ["b"]}' },
      /^HTTP_AUTHZ_BODY must have nothing but texts/,
    ],
    [{ ...URL_SET, HTTP_AUTH_METHOD: "GET", HTTP_AUTH_BODY: '{"a": ["b"]}' }, /^HTTP_AUTH_BODY must have nothing but texts/],
    [
      { ...URL_SET, HTTP_AUTH_HEADERS: '{"content-type": "application/x-www-form-urlencoded"}', HTTP_AUTH_BODY: '{"a": {}}' },
      /^HTTP_AUTH_BODY must have nothing but texts/,
    ],
    [{ ...URL_SET, HTTP_AUTH_PRESET: "go-auth", HTTP_AUTH_METHOD: "GET" }, /^HTTP_AUTH_PRESET go-auth says itself how it asks/],
    [{ ...URL_SET, HTTP_AUTH_PRESET: "go-auth", HTTP_AUTH_BODY: '{"a": "b"}' }, /^HTTP_AUTH_PRESET go-auth says itself how it asks/],
    [{ HTTP_AUTH_URL: "https://auth.test/?a=b", HTTP_AUTH_PRESET: "go-auth" }, /^HTTP_AUTH_URL must have no query/],
  ])("together: %o", (env, sentence) => {
    expect(sentences(env)).toEqual([expect.stringMatching(sentence)]);
  });

  test("sentences repeat no header, and no password of a URL", () => {
    expect(sentences({ ...URL_SET, HTTP_AUTH_HEADERS: '{"authorization": "Bearer planted' }).join()).not.toContain("planted");
    expect(sentences({ HTTP_AUTH_URL: "https://ada:planted@auth.test/" }).join()).not.toContain("planted");
    expect(sentences({ HTTP_AUTH_URL: "https://planted@auth.test/" }).join()).not.toContain("planted");
    expect(sentences({ JWT_JWKS_URLS: "https://x.test/,https://ada:planted@auth.test/" }).join()).not.toContain("planted");
  });
});
