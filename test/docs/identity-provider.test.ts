/** The recipe for an identity provider in docs/security.md, as it stands there: its settings, its client, and a provider whose tokens expire. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import mqtt, { type MqttClient } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { type IdentityProvider, startProvider } from "../support/identity-provider.ts";
import { jwkOf, signed, tokenKeys } from "../support/tokens.ts";

const recipe = readFileSync(join(ROOT, "docs/security.md"), "utf8").split("### Recipe: an identity provider")[1]!;

/** The first block of code of a language. */
const block = (language: string): string => new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(recipe)![1]!;

/** Variables as TOML writes them. */
function variables(toml: string): Record<string, string> {
  const assignments = toml.matchAll(/^(\w+) = (?:"([^"]*)"|'''([\s\S]*?)''')$/gm);
  return Object.fromEntries([...assignments].map(([, name, text, lines]) => [name!, text ?? lines!]));
}

const KEYS = tokenKeys("RSA");
let provider: IdentityProvider;
let broker: Broker;
let client: MqttClient | undefined;

beforeAll(async () => {
  provider = await startProvider([jwkOf(KEYS, "k1")]);
  const env = variables(block("toml"));
  expect(Object.keys(env)).toEqual(["JWT_JWKS_URLS", "JWT_ISSUER", "JWT_AUDIENCE", "ACL"]);
  broker = await startBroker({ env: { ...env, JWT_JWKS_URLS: provider.url, JWT_CLOCK_TOLERANCE: "0" } });
});
afterAll(async () => {
  await client?.endAsync(true);
  provider.close();
  await broker.dispose();
});

test("a client of the recipe does what the rules say, and comes back with a fresh token when one has expired", async () => {
  const tokens: string[] = [];
  const accessToken = async (): Promise<string> => {
    const times = { exp: Date.now() / 1000 + (tokens.length === 0 ? 1 : 60) };
    const claims = { iss: "https://id.example.com/", aud: "mqtt", sub: "auth0|4711", tenant: "acme", ...times };
    tokens.push(signed(claims, KEYS.privateKey, { algorithm: "RS256", keyid: "k1" }));
    return tokens.at(-1)!;
  };
  const code = block("js").replace("wss://mqtt.example.com/mqtt", () => broker.mqttUrl);
  const run = new Function("mqtt", "accessToken", `return (async () => { ${code}; return { client }; })()`);
  const begun = (await run(
    { connect: (url: string, options: object) => mqtt.connect(url, { ...options, reconnectPeriod: 50 }) },
    accessToken,
  )) as {
    client: MqttClient;
  };
  client = begun.client;
  await new Promise((resolve) => client!.once("connect", () => resolve(undefined)));
  const granted = async (filter: string): Promise<number> => (await client!.subscribeAsync(filter))[0]!.qos;
  expect(await granted("users/auth0|4711/#")).toBe(0);
  expect(await granted("tenants/acme/news")).toBe(0);
  for (const filter of ["users/+/a", "tenants/other/news", "tenants/acme/#", "#"])
    await expect(client.subscribeAsync(filter), filter).rejects.toThrow();
  const heard = new Promise<string>((resolve) => client!.once("message", (_topic, payload) => resolve(payload.toString())));
  await client.publishAsync("users/auth0|4711/a", "hello");
  expect(await heard).toBe("hello");
  // The first token expires after a second.
  await new Promise((resolve) => client!.once("close", () => resolve(undefined)));
  await new Promise((resolve) => client!.once("connect", () => resolve(undefined)));
  expect(tokens.length).toBeGreaterThanOrEqual(2);
  expect(client.options.password).toBe(tokens[1]);
});
