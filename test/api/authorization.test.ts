/** Rights tried out over the HTTP API: what it says is what clients find when they connect, and it names the rule, and who was not asked. */

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { quickHash } from "../auth/support.ts";
import { ADMIN_TOKEN, type ApiAnswer, api, done, USERS } from "../support/admin-api.ts";
import { MqttTestClient, unique } from "../support/mqtt-client.ts";
import { SECRET } from "../support/tokens.ts";

const READER = "a-token-to-read";
const API_TOKENS = JSON.stringify([{ name: "reader", sha256: createHash("sha256").update(READER).digest("hex"), scopes: ["read"] }]);

const ACL = JSON.stringify([
  { permission: "deny", action: "all", topic: "secret/#" },
  { permission: "allow", action: "subscribe", topic: "news/#", ipaddr: "10.0.0.0/8" },
  { permission: "allow", action: "publish", topic: "in/%c" },
]);

let broker: Broker;
beforeAll(async () => {
  const carl = {
    user: "carl",
    password: await quickHash("x"),
    publish: ["carl/#"],
    acl: [{ permission: "allow", action: "subscribe", topic: "#", qos: 0 }],
  };
  broker = await startBroker({
    env: { ADMIN_TOKEN, ACL, API_TOKENS, USERS: JSON.stringify([carl]), ADDRESS_LOGIN_FAILURE_RATE: "unlimited" },
  });
  const ada = {
    user_id: "ada",
    password_hash: await quickHash("x"),
    acl: [{ permission: "deny", action: "publish", topics: ["a/b"], qos: 2 }],
  };
  await done(broker.url, "POST", USERS, { ...ada, publish: ["a/#"], subscribe: ["a/+"] });
  await done(broker.url, "POST", USERS, { user_id: "root", password_hash: await quickHash("x"), is_superuser: true });
  await done(broker.url, "POST", "/banned", { as: "username", who: "eve" });
  await done(broker.url, "POST", "/banned", { as: "peerhost_net", who: "192.0.2.0/24" });
});
afterAll(() => broker.dispose());

const ask = (body: unknown, token = ADMIN_TOKEN): Promise<ApiAnswer> => api(broker.url, "POST", "/authorization/check", body, token);
const allow = (reason: string, rule?: string): object => ({ result: "allow", reason, not_asked: [], ...(rule && { rule }) });
const deny = (reason: string, rule?: string): object => ({ result: "deny", reason, not_asked: [], ...(rule && { rule }) });

describe("says whether somebody may, by which rule", () => {
  test.each<[object, object]>([
    [{ username: "ada", action: "publish", topic: "a/b" }, allow("The rule acl[1] of the user ada allows it.", "acl[1]")],
    [{ username: "ada", action: "publish", topic: "a/b", qos: 2 }, deny("The rule acl[0] of the user ada denies it.", "acl[0]")],
    [{ username: "ada", action: "publish", topic: "secret/b" }, deny("ACL[0] denies it.", "ACL[0]")],
    [{ username: "ada", action: "publish", topic: "in/c1" }, deny("No rule allows it.")],
    [{ username: "ada", clientid: "c1", action: "publish", topic: "in/c1", retain: true }, allow("ACL[2] allows it.", "ACL[2]")],
    [{ username: "ada", action: "subscribe", topic: "a/+" }, allow("The rule acl[2] of the user ada allows it.", "acl[2]")],
    [{ username: "ada", action: "subscribe", topic: "$share/g/a/b" }, allow("The rule acl[2] of the user ada allows it.", "acl[2]")],
    [{ username: "ada", action: "subscribe", topic: "a/#" }, deny("No rule allows all that the filter matches.")],
    [{ username: "ada", action: "subscribe", topic: "news/x" }, deny("No rule allows it.")],
    [{ username: "ada", ip_address: "10.1.2.3", action: "subscribe", topic: "news/x" }, allow("ACL[1] allows it.", "ACL[1]")],
    [
      { username: "ada", ip_address: "192.0.2.9", action: "publish", topic: "a/b" },
      deny("A ban shuts it out, by peerhost_net 192.0.2.0/24."),
    ],
    [{ username: "carl", action: "publish", topic: "carl/x" }, allow("USERS[0].publish allows it.", "USERS[0].publish")],
    [{ username: "carl", action: "subscribe", topic: "x/#" }, allow("USERS[0].acl[0] allows it.", "USERS[0].acl[0]")],
    [{ username: "carl", action: "subscribe", topic: "x/#", qos: 1 }, deny("No rule allows all that the filter matches.")],
    [{ username: "root", action: "publish", topic: "$SYS/x" }, allow("root is a superuser, who may do everything.")],
    [{ username: "root", action: "publish", topic: "$events/client/connected" }, deny("Nobody but the broker publishes there.")],
    [{ username: "eve", action: "publish", topic: "a" }, deny("A ban shuts it out, by username eve.")],
    [{ username: "zoe", action: "publish", topic: "a" }, deny("There is no user zoe.")],
    [{ action: "publish", topic: "a" }, deny("Clients without a user name are not let in.")],
  ])("%j", async (question, body) => expect(await ask(question)).toEqual({ status: 200, body }));

  test.each<[unknown, RegExp]>([
    [{ topic: "a" }, /^action is missing\.$/],
    [{ action: "receive", topic: "a" }, /^action must be one of publish, subscribe\.$/],
    [{ action: "publish" }, /^topic is missing\.$/],
    [{ action: "publish", topic: "" }, /^topic: A Topic Name must have at least one character/],
    [{ action: "publish", topic: "a/#" }, /^topic: .* must not contain the wildcards/],
    [{ action: "subscribe", topic: "a/#/b" }, /^topic: /],
    [{ action: "publish", topic: "a", qos: 3 }, /^qos must be 0, 1 or 2\.$/],
    [{ action: "publish", topic: "a", ip_address: "here" }, /^ip_address must be an IPv4 or IPv6 address\.$/],
    [{ action: "publish", topic: "a", password: "x" }, /unknown field/],
  ])("%j is refused with a sentence", async (body, message) => {
    expect(await ask(body)).toEqual({ status: 400, body: { code: "BAD_REQUEST", message: expect.stringMatching(message) } });
  });

  test("to operators alone", async () => {
    expect((await ask({ action: "publish", topic: "a" }, READER)).status).toBe(403);
  });

  test("and clients find just that", async () => {
    const client = await MqttTestClient.open(broker.mqttUrl, { clientId: unique("c") });
    expect((await client.connect({ version: 5, userName: "ada", password: "x" })).reasonCode).toBe(0);
    const granted = async (filter: string): Promise<boolean> => (await client.subscribe(filter)).reasonCodes[0]! < 0x80;
    for (const topic of ["a/+", "a/#", "a/b", "secret/x", "$share/g/a/b"]) {
      const { body } = await ask({ username: "ada", clientid: client.clientId, action: "subscribe", topic });
      expect([topic, (body as { result: string }).result]).toEqual([topic, (await granted(topic)) ? "allow" : "deny"]);
    }
    client.terminate();
  });
});

describe("says who was not asked", () => {
  const start = (env: Readonly<Record<string, string>>) => startBroker({ env: { API_TOKENS: adminOf("op"), ...env } });
  const TOKEN = "a-token-for-all";
  const adminOf = (name: string): string =>
    JSON.stringify([{ name, sha256: createHash("sha256").update(TOKEN).digest("hex"), scopes: ["admin"] }]);

  test("tokens, an HTTP service and the hook about subscriptions; anonymous clients without ACL may do everything but $ topics", async () => {
    const env = { JWT_SECRET: SECRET, HTTP_AUTH_URL: "http://127.0.0.1:1/auth", HTTP_AUTHZ_URL: "http://127.0.0.1:1/authz" };
    const other = await start({ ...env, ALLOW_ANONYMOUS: "true" });
    try {
      const asks = async (body: object) => (await api(other.url, "POST", "/authorization/check", body, TOKEN)).body;
      const own = (name: string): string => `${name} may let it in with rights of its own, in the place of these.`;
      expect(await asks({ action: "publish", topic: "a" })).toEqual({
        result: "allow",
        reason: "No rule speaks of it: anonymous clients may do that, as long as ACL does not say otherwise.",
        not_asked: [own("A token (JWT)"), own("HTTP_AUTH_URL")],
      });
      expect(await asks({ action: "publish", topic: "$SYS/x" })).toMatchObject({
        result: "deny",
        reason: "No rule allows it, and topics that begin with $ need one.",
      });
      expect(await asks({ username: "zoe", action: "subscribe", topic: "a" })).toEqual({
        result: "deny",
        reason: "No rule allows it.",
        not_asked: [
          expect.stringMatching(/^A token \(JWT\) may know zoe/),
          expect.stringMatching(/^HTTP_AUTH_URL may know zoe/),
          "HTTP_AUTHZ_URL is asked about subscriptions of which no rule speaks.",
        ],
      });
    } finally {
      await other.dispose();
    }
  });
});
