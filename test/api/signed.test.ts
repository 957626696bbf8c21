/** Who may use the API besides those with a token of the broker's own: by a JWT, through Cloudflare Access, from pages of other origins, and how often. */

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { expectContract } from "../support/contract.ts";
import { type IdentityProvider, startProvider } from "../support/identity-provider.ts";
import { jwkOf, SECRET, seconds, signed, type TokenKeys, tokenKeys } from "../support/tokens.ts";

const PAGE = "https://app.example";
const AUDIENCE = "an-application-of-access";
const TOKEN = "a-token-to-read";
const API_TOKENS = JSON.stringify([{ name: "reader", sha256: createHash("sha256").update(TOKEN).digest("hex"), scopes: ["read"] }]);

let broker: Broker;
let other: Broker;
let team: IdentityProvider;
let keys: TokenKeys;
let domain: string;

beforeAll(async () => {
  keys = tokenKeys("RSA");
  team = await startProvider([jwkOf(keys, "k", { alg: "RS256" })]);
  domain = new URL(team.url).origin;
  const env = { NAMESPACES: "default,acme", ALLOW_ANONYMOUS: "true", JWT_SECRET: SECRET };
  [broker, other] = await Promise.all([
    startBroker({
      env: {
        ...env,
        API_TOKENS,
        API_JWT_CLAIM: "mqtt_api",
        JWT_VERIFY_CLAIMS: '{"client": "${clientid}"}',
        ACCESS_TEAM_DOMAIN: domain,
        ACCESS_AUD: AUDIENCE,
        ALLOWED_ORIGINS: `${PAGE},https://other.example`,
        ADDRESS_LOGIN_FAILURE_RATE: "5/1h",
      },
      trustsAddresses: true,
    }),
    startBroker({
      env: {
        ...env,
        API_TOKENS,
        API_JWT_CLAIM: "scope",
        JWT_VERIFY_CLAIMS: '{"tenant": "${namespace}"}',
        ACCESS_TEAM_DOMAIN: domain,
        ACCESS_AUD: AUDIENCE,
        ACCESS_SCOPES: "admin",
        ACCESS_NAMESPACES: "acme",
        ALLOWED_ORIGINS: "*",
        API_RATE: "3/1h",
      },
    }),
  ]);
});
afterAll(async () => {
  team.close();
  await Promise.all([broker.dispose(), other.dispose()]);
});

interface Ask {
  readonly at?: Broker;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly message: string | undefined;
  readonly headers: Headers;
}

async function call(path: string, { at = broker, method = "GET", headers = {}, body }: Ask): Promise<Answer> {
  const response = await fetch(`${at.url}/api/v5${path}`, { method, headers, body: body ?? null });
  const text = await response.text();
  const json = text === "" ? undefined : JSON.parse(text);
  if (method !== "OPTIONS") expectContract(method, path, response.status, json);
  return { status: response.status, message: json?.message, headers: response.headers };
}

const bearer = (token: string): Readonly<Record<string, string>> => ({ Authorization: `Bearer ${token}` });
const jwt = (claims: object): Ask => ({ headers: bearer(signed({ exp: seconds(60), ...claims })) });
const PUBLISH = { method: "POST", body: '{"topic": "t", "payload": "x"}' } as const;

describe("a token (JWT)", () => {
  test("opens what its claim names, in the default namespace, and nothing without the claim", async () => {
    for (const claim of ["publish read", ["read", "publish"], "read publish openid"]) {
      const ask = jwt({ mqtt_api: claim });
      expect((await call("/clients", ask)).status).toBe(200);
      expect((await call("/publish", { ...ask, ...PUBLISH })).status).toBe(200);
      expect((await call("/clients/c", { ...ask, method: "DELETE" })).status).toBe(403);
      expect(await call("/clients?namespace=acme", ask)).toMatchObject({ status: 401, message: "The token is not for this namespace." });
    }
    expect((await call("/clients/c", { ...jwt({ mqtt_api: "admin" }), method: "DELETE" })).status).toBe(404);
    for (const claims of [
      {},
      { mqtt_api: "" },
      { mqtt_api: "openid" },
      { mqtt_api: { admin: true } },
      { mqtt_api: ["ADMIN"] },
      { scope: "admin" },
    ])
      expect(await call("/clients", jwt(claims))).toMatchObject({ status: 401, message: "The token does not say that it is for the API." });
  });

  test("is none when it has expired or begins later, and whoever signs for himself is counted as one who guesses", async () => {
    const read = { mqtt_api: "read" };
    expect(await call("/clients", jwt({ ...read, exp: seconds(-60) }))).toMatchObject({ status: 401, message: "The token has expired." });
    expect(await call("/clients", jwt({ ...read, nbf: seconds(60) }))).toMatchObject({
      status: 401,
      message: "The token is not valid yet.",
    });
    const forged = signed({ exp: seconds(60), mqtt_api: "admin" }, "another secret that is long enough for it");
    const none = `${btoa('{"alg":"none"}').replaceAll("=", "")}.${btoa('{"mqtt_api":"admin"}').replaceAll("=", "")}.`;
    const from = (address: string, token: string): Ask => ({ headers: { ...bearer(token), "CF-Connecting-IP": address } });
    for (const token of [forged, none, `${forged}x`]) {
      const { status, message, headers } = await call("/clients", from("192.0.2.1", token));
      expect([status, headers.get("WWW-Authenticate"), message]).toEqual([401, 'Bearer realm="api"', expect.not.stringContaining(token)]);
    }
    for (let guess = 0; guess < 2; guess += 1) await call("/clients", from("192.0.2.1", `${forged}${guess}`));
    const shut = await call("/clients", from("192.0.2.1", TOKEN));
    expect([shut.status, Number(shut.headers.get("Retry-After"))]).toEqual([
      429,
      expect.toSatisfy((wait: number) => wait >= 1 && wait <= 720),
    ]);
    // One that has expired was no guess.
    for (let count = 0; count < 6; count += 1) {
      const expired = signed({ exp: seconds(-60), mqtt_api: "read" });
      expect((await call("/clients", from("192.0.2.2", expired))).status).toBe(401);
    }
    expect((await call("/clients", from("192.0.2.2", TOKEN))).status).toBe(200);
  });

  test("of a claim that other services read too names the broker, and is good in the namespace that it names", async () => {
    const ask = (claims: object): Ask => ({ ...jwt({ sub: crypto.randomUUID(), ...claims }), at: other });
    const acme = { scope: "openid mqtt:read", tenant: "acme" };
    expect((await call("/clients?namespace=acme", ask(acme))).status).toBe(200);
    expect((await call("/clients", ask(acme))).status).toBe(401);
    expect((await call("/clients?namespace=acme", ask({ ...acme, scope: "read admin" }))).status).toBe(401);
  });

  test("ends a stream when it expires, and a client of the broker that it is", async () => {
    const { headers } = jwt({ mqtt_api: "read", exp: seconds(-3) });
    const response = await fetch(`${broker.url}/api/v5/subscribe?filter=t`, { headers: headers! });
    // The tolerance of clocks is 5 s.
    expect(await response.text()).toMatch(/^: subscribed\n\nevent: end\ndata: \{"message":"the token has expired"\}\n\n$/);
    const { headers: reader } = jwt({ mqtt_api: "read" });
    await vi.waitFor(async () => {
      const found = await fetch(`${broker.url}/api/v5/clients?like_clientid=service-`, { headers: reader! });
      expect(await found.json()).toMatchObject({ data: [] });
    });
  });
});

describe("Cloudflare Access", () => {
  const person = { aud: [AUDIENCE], sub: "ada", email: "ada@example.org", type: "app" };
  const service = { aud: [AUDIENCE], sub: "", common_name: "0123.access", type: "app" };
  const assertion = (claims: object, key = keys.privateKey): Readonly<Record<string, string>> => ({
    "Cf-Access-Jwt-Assertion": signed({ iss: domain, exp: seconds(60), iat: seconds(-1), ...claims }, key, {
      keyid: "k",
      algorithm: "RS256",
    }),
  });

  test("lets people and services in to read, in the default namespace; or to what is set", async () => {
    for (const claims of [person, service]) {
      const headers = assertion(claims);
      expect((await call("/clients", { headers })).status).toBe(200);
      expect((await call("/publish", { ...PUBLISH, headers })).status).toBe(403);
      expect((await call("/clients?namespace=acme", { headers })).status).toBe(401);
    }
    const headers = assertion(person);
    expect((await call("/clients/c?namespace=acme", { at: other, method: "DELETE", headers })).status).toBe(404);
    expect((await call("/clients", { at: other, headers })).status).toBe(401);
    expect(team.asked).toBeLessThanOrEqual(2);
  });

  test("is not believed for another application, team or key, nor late; and a token that is shown is looked at alone", async () => {
    const wrong: readonly (readonly [object, string])[] = [
      [{ aud: ["another"] }, "The token is for another audience."],
      [{ exp: seconds(-60) }, "The token has expired."],
      [{ iss: "https://other.cloudflareaccess.com" }, "The token was signed with a key that is not of its issuer."],
    ];
    for (const [claims, message] of wrong)
      expect(await call("/clients", { headers: assertion({ ...person, ...claims }) })).toMatchObject({ status: 401, message });
    expect((await call("/clients", { headers: assertion(person, tokenKeys("RSA").privateKey) })).status).toBe(401);
    expect((await call("/clients", { headers: { "Cf-Access-Jwt-Assertion": "x" } })).status).toBe(401);
    expect((await call("/clients", { headers: { ...assertion(person), ...bearer("x") } })).status).toBe(401);
    expect((await call("/clients", { headers: bearer(assertion(person)["Cf-Access-Jwt-Assertion"]!) })).status).toBe(401);
  });

  test("is nothing for pages of other origins, which a browser would let in with it", async () => {
    const headers = assertion(person);
    const own = { ...headers, Origin: new URL(broker.url).origin, "Sec-Fetch-Site": "same-origin" };
    expect((await call("/clients", { headers: own })).status).toBe(200);
    for (const more of [{ Origin: PAGE }, { Origin: "null" }, { "Sec-Fetch-Site": "cross-site" }, { "Sec-Fetch-Site": "same-site" }])
      expect((await call("/clients", { headers: { ...headers, ...(more as object) } })).status).toBe(403);
  });
});

describe("a page of another origin", () => {
  const preflight = (origin: string, at = broker): Promise<Answer> =>
    call("/publish", { at, method: "OPTIONS", headers: { Origin: origin, "Access-Control-Request-Method": "POST" } });

  test("may use the API with a token where it is one of ALLOWED_ORIGINS, and hears what is wrong", async () => {
    const { status, headers } = await preflight(PAGE);
    expect([status, Object.fromEntries(headers)]).toEqual([
      204,
      expect.objectContaining({
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "GET, POST, PUT, DELETE",
        "access-control-allow-headers":
          "Authorization, Content-Type, Idempotency-Key, x-amz-mqtt5-user-properties, x-amz-mqtt5-payload-format-indicator, x-amz-mqtt5-correlation-data",
        vary: "Origin",
      }),
    ]);
    for (const token of [TOKEN, "x"]) {
      const answer = await call("/clients", { headers: { ...bearer(token), Origin: PAGE } });
      expect([answer.status, answer.headers.get("Access-Control-Allow-Origin"), answer.headers.get("Vary")]).toEqual([
        token === TOKEN ? 200 : 401,
        PAGE,
        "Origin",
      ]);
      expect(answer.headers.has("Access-Control-Allow-Credentials")).toBe(false);
    }
  });

  test("and otherwise not; nowhere else than in the API", async () => {
    for (const origin of ["https://app.example.evil", "http://app.example", "null", `${PAGE}/`]) {
      const { status, headers } = await preflight(origin);
      expect([status, headers.has("Access-Control-Allow-Origin")]).toEqual([403, false]);
      const answer = await call("/clients", { headers: { ...bearer(TOKEN), Origin: origin } });
      expect([answer.status, answer.headers.has("Access-Control-Allow-Origin")]).toEqual([200, false]);
    }
    const health = await fetch(`${broker.url}/health`, { headers: { Origin: PAGE } });
    expect(health.headers.has("Access-Control-Allow-Origin")).toBe(false);
    expect((await call("/clients", { method: "OPTIONS", headers: {} })).status).toBe(401);
    const any = await preflight("https://any.example", other);
    expect([any.headers.get("Access-Control-Allow-Origin"), any.headers.has("Access-Control-Allow-Credentials")]).toEqual(["*", false]);
  });
});

test("above its rate a token is refused, and is told when it may come again; other tokens and namespaces go on", async () => {
  const read: Ask = { at: other, headers: bearer(TOKEN) };
  for (let count = 0; count < 3; count += 1) expect((await call("/clients", read)).status).toBe(200);
  const { status, message, headers } = await call("/clients", read);
  expect([status, message, Number(headers.get("Retry-After"))]).toEqual([
    429,
    expect.stringContaining("API_RATE"),
    expect.toSatisfy((wait: number) => wait > 0 && wait <= 1200),
  ]);
  const of = (tenant: string, sub: string): Ask => ({ ...jwt({ sub, tenant, scope: "mqtt:read" }), at: other });
  for (let count = 0; count < 3; count += 1) expect((await call("/clients", of("default", "ada"))).status).toBe(200);
  expect((await call("/clients", of("default", "ada"))).status).toBe(429);
  expect((await call("/clients", of("default", "bob"))).status).toBe(200);
  expect((await call("/clients?namespace=acme", of("acme", "ada"))).status).toBe(200);
});
