/**
 * MQTT.js with tokens: the recipe for an identity provider in docs/security.md and the client with a token in docs/connect.md, as they stand there: settings, clients,
 * and a provider whose tokens expire.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import mqtt, { type MqttClient } from "mqtt";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { type IdentityProvider, startProvider } from "../support/identity-provider.ts";
import { jwkOf, signed, tokenKeys } from "../support/tokens.ts";

/** The first block of code of a language in a section. */
function block(file: string, heading: string, language: string): string {
  const section = readFileSync(join(ROOT, file), "utf8").split(`# ${heading}\n`)[1]!;
  return new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(section)![1]!;
}

const RECIPE = ["docs/security.md", "Recipe: an identity provider"] as const;

/** Variables as TOML writes them. */
function variables(toml: string): Record<string, string> {
  const assignments = toml.matchAll(/^(\w+) = (?:"([^"]*)"|'''([\s\S]*?)''')$/gm);
  return Object.fromEntries([...assignments].map(([, name, text, lines]) => [name!, text ?? lines!]));
}

/** How long the first token is good: long enough for a machine that is busy. */
const FIRST_MS = 2500;

const KEYS = tokenKeys("RSA");
let provider: IdentityProvider;
let broker: Broker;
let client: MqttClient | undefined;

beforeAll(async () => {
  provider = await startProvider([jwkOf(KEYS, "k1")]);
  const env = variables(block(...RECIPE, "toml"));
  expect(Object.keys(env)).toEqual(["JWT_JWKS_URLS", "JWT_ISSUER", "JWT_AUDIENCE", "ACL"]);
  broker = await startBroker({ env: { ...env, JWT_JWKS_URLS: provider.url, JWT_CLOCK_TOLERANCE: "0" } });
});
afterEach(() => client?.endAsync(true));
afterAll(async () => {
  provider.close();
  await broker.dispose();
});

/** A provider's tokens, of which the first is good for so long. */
function issuer(firstMs: number): { readonly tokens: string[]; readonly accessToken: () => Promise<string> } {
  const tokens: string[] = [];
  const accessToken = async (): Promise<string> => {
    const exp = (Date.now() + (tokens.length === 0 ? firstMs : 60_000)) / 1000;
    const claims = { iss: "https://id.example.com/", aud: "mqtt", sub: "auth0|4711", tenant: "acme", exp };
    tokens.push(signed(claims, KEYS.privateKey, { algorithm: "RS256", keyid: "k1" }));
    return tokens.at(-1)!;
  };
  return { tokens, accessToken };
}

/** Runs code of a page against the broker. */
async function run<Names extends string>(code: string, names: Names, accessToken: () => Promise<string>) {
  const here = code.replace("wss://mqtt.example.com/mqtt", () => broker.mqttUrl);
  const begin = new Function("mqtt", "accessToken", `return (async () => { ${here}; return { ${names} }; })()`);
  const connect = (url: string, options: object): MqttClient => mqtt.connect(url, { ...options, reconnectPeriod: 50 });
  const begun = (await begin({ connect }, accessToken)) as { readonly client: MqttClient; readonly refresh: () => Promise<void> };
  client = begun.client;
  await happens(begun.client, "connect");
  return begun;
}

const happens = (emitter: MqttClient, event: "connect" | "close"): Promise<void> =>
  new Promise((resolve) => emitter.once(event as "close", () => resolve()));

/** What a client publishes comes back to it. */
async function echo(to: MqttClient, text: string): Promise<void> {
  const heard = new Promise<string>((resolve) => to.once("message", (_topic, payload) => resolve(payload.toString())));
  await to.publishAsync("users/auth0|4711/a", text, { qos: 1 });
  expect(await heard).toBe(text);
}

test("a client of the recipe does what the rules say, and comes back with a fresh token when one has expired", async () => {
  const { tokens, accessToken } = issuer(FIRST_MS);
  const { client } = await run(block(...RECIPE, "js"), "client", accessToken);
  const expired = happens(client, "close");
  const granted = async (filter: string): Promise<number> => (await client.subscribeAsync(filter))[0]!.qos;
  expect(await granted("users/auth0|4711/#")).toBe(0);
  expect(await granted("tenants/acme/news")).toBe(0);
  for (const filter of ["users/+/a", "tenants/other/news", "tenants/acme/#", "#"])
    await expect(client.subscribeAsync(filter), filter).rejects.toThrow();
  await echo(client, "hello");
  await expired;
  await happens(client, "connect");
  expect(tokens).toHaveLength(2);
  expect(client.options.password).toBe(tokens[1]);
});

test("a client that names the method JWT goes on with a fresh token without a break", async () => {
  const begun = Date.now();
  const { tokens, accessToken } = issuer(FIRST_MS);
  const { client, refresh } = await run(block("docs/connect.md", "With a token", "js"), "client, refresh", accessToken);
  let closed = 0;
  client.on("close", () => {
    closed += 1;
  });
  await client.subscribeAsync("users/auth0|4711/a");
  await refresh();
  await echo(client, "before");
  await expect.poll(() => Date.now(), { timeout: 2 * FIRST_MS }).toBeGreaterThan(begun + FIRST_MS + 300);
  await echo(client, "after");
  expect([closed, tokens.length]).toEqual([0, 2]);
});
