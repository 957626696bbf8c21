/** Who may use the HTTP API, as settings say it: what they are, and sentences for what is none. */

import { expect, test } from "vitest";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { SECRET } from "../support/tokens.ts";

const TEAM = { ACCESS_TEAM_DOMAIN: "https://team.cloudflareaccess.com", ACCESS_AUD: "a" };

const sentences = (env: Readonly<Record<string, string>>): string[] => {
  const settings = parseSettings(env);
  return Array.isArray(settings) ? settings.map(({ sentence }) => sentence) : [];
};

test("are read, and what is not said lets those read whom Access lets through", () => {
  const { api } = parseSettings({ ...TEAM, JWT_SECRET: SECRET, API_JWT_CLAIM: "https://mqtt.example/api" }) as Settings;
  expect(api).toEqual({
    keys: [],
    jwtClaim: "https://mqtt.example/api",
    accessTeam: "https://team.cloudflareaccess.com",
    accessAudiences: ["a"],
    accessScopes: ["read"],
    accessNamespaces: ["default"],
  });
  const { api: other } = parseSettings({ ...TEAM, ACCESS_AUD: "a, b", ACCESS_SCOPES: "admin,publish", ACCESS_NAMESPACES: "*" }) as Settings;
  expect([other.accessAudiences, other.accessScopes, other.accessNamespaces]).toEqual([["a", "b"], ["publish", "admin"], "*"]);
});

test.each([
  ["API_JWT_CLAIM", "a b"],
  ["ACCESS_TEAM_DOMAIN", "team.cloudflareaccess.com"],
  ["ACCESS_TEAM_DOMAIN", "https://team.cloudflareaccess.com/"],
  ["ACCESS_TEAM_DOMAIN", "http://team.cloudflareaccess.com"],
  ["ACCESS_TEAM_DOMAIN", "https://user@team.cloudflareaccess.com"],
  ["ACCESS_AUD", "a,,b"],
  ["ACCESS_AUD", "a,a"],
  ["ACCESS_SCOPES", "read,write"],
  ["ACCESS_NAMESPACES", "a b"],
  ["API_RATE", "100"],
])("%s=%s is refused in a sentence that names it", (name, text) => {
  expect(sentences({ ...TEAM, JWT_SECRET: SECRET, [name]: text })).toEqual([expect.stringMatching(new RegExp(`^${name} must be .*\\.$`))]);
});

test("what needs another one says so", () => {
  expect(sentences({ API_JWT_CLAIM: "scope" })).toEqual(["API_JWT_CLAIM needs JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URLS beside it."]);
  expect(sentences({ ACCESS_AUD: "a" })).toEqual(["ACCESS_AUD needs ACCESS_TEAM_DOMAIN beside it."]);
  expect(sentences({ ACCESS_TEAM_DOMAIN: TEAM.ACCESS_TEAM_DOMAIN })).toEqual(["ACCESS_TEAM_DOMAIN needs ACCESS_AUD beside it."]);
});
