/**
 * Tokens over real sockets: in every way in which one may be shown, in both versions, through the relay, handed over and compact; right
 * and wrong ones. What they may do, when they end, and how a fresh one goes on.
 */

import { createHmac } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import { AUTH, DISCONNECT, type ProtocolVersion } from "../../src/mqtt/packet.ts";
import { REAUTHENTICATE, USERS } from "../support/auth-packets.ts";
import { describeTopologies, type TestBroker } from "../support/brokers.ts";
import { startProvider } from "../support/identity-provider.ts";
import { textOf, unique } from "../support/mqtt-client.ts";
import { refusalOf, show, type Way, waysOf } from "../support/token-clients.ts";
import { assembled, jwkOf, SECRET, seconds, signed, signedByEd25519, tokenKeys } from "../support/tokens.ts";

const RSA = tokenKeys("RSA");
const PROVIDERS = tokenKeys("P-256");
const ED25519 = tokenKeys("Ed25519");
const STRANGER = tokenKeys("RSA");

const provider = await startProvider([jwkOf(PROVIDERS, "p1"), jwkOf(ED25519, "p2")]);
const away = await startProvider();
away.close();
afterAll(() => provider.close());

const ENV = {
  ALLOW_ANONYMOUS: "false",
  USERS,
  JWT_SECRET: SECRET,
  JWT_PUBLIC_KEY: RSA.pem,
  JWT_JWKS_URLS: provider.url,
  JWT_FROM: "password,username,url",
  JWT_ISSUER: "https://id.example/",
  JWT_AUDIENCE: "mqtt",
  JWT_CLOCK_TOLERANCE: "0",
};
const SHAPES = { shapes: ["compact", "sharded", "handed over"] } as const;
/** How long a token is good that is to expire: long enough for a machine that is busy. */
const FIRST_MS = 2000;
const VERSIONS: readonly ProtocolVersion[] = [4, 5];

const CLAIMS = { sub: "tess", iss: "https://id.example/", aud: ["web", "mqtt"] };
const acl = (...topics: string[]) => [{ permission: "allow", action: "all", topics }];

/** Of a right token that allows everything below a topic. */
const claims = (topic: string, more: object = {}): object => ({ ...CLAIMS, exp: seconds(3600), acl: acl(`${topic}/#`), ...more });

/** For claims that the library does not sign. */
const signedAsIs = (given: object): string =>
  assembled({ alg: "HS256" }, given, (data) => createHmac("sha256", SECRET).update(data).digest());

const RIGHT: [string, (given: object) => string][] = [
  ["the secret", (given) => signed(given)],
  ["the secret, with exp as a text", (given) => signedAsIs({ ...given, exp: String(seconds(3600)) })],
  ["the key of the settings", (given) => signed(given, RSA.privateKey, { algorithm: "PS256" })],
  ["a provider's key", (given) => signed(given, PROVIDERS.privateKey, { algorithm: "ES256", keyid: "p1" })],
  ["a provider's key on Ed25519", (given) => signedByEd25519(given, ED25519, { kid: "p2" })],
];

const WRONG: [string, () => string, RegExp][] = [
  ["of another secret", () => signed(claims("a"), `${SECRET}!`), /signature/],
  ["of another key", () => signed(claims("a"), STRANGER.privateKey, { algorithm: "RS256" }), /key that is not known/],
  ["of an unknown key", () => signed(claims("a"), STRANGER.privateKey, { algorithm: "RS256", keyid: "x" }), /key that is not known/],
  ["of a known key's name", () => signed(claims("a"), tokenKeys("P-256").privateKey, { algorithm: "ES256", keyid: "p1" }), /signature/],
  ["without a signature", () => assembled({ alg: "none" }, claims("a"), () => Buffer.alloc(0)), /key that is not known/],
  ["expired", () => signed(claims("a", { exp: seconds(-1) })), /expired/],
  ["expired, by a text", () => signedAsIs(claims("a", { exp: String(seconds(-1)) })), /expired/],
  ["with milliseconds", () => signed(claims("a", { exp: seconds(60) * 1000 })), /exp and nbf/],
  ["not yet valid", () => signed(claims("a", { nbf: seconds(60) })), /not valid yet/],
  ["of another issuer", () => signed(claims("a", { iss: "https://evil.example/" })), /issuer/],
  ["for somebody else", () => signed(claims("a", { aud: "web" })), /audience/],
  ["malformed", () => `${signed(claims("a")).split(".")[0]}.%%%.x`.replace("%%%", "e30"), /signature/],
  ["of another type", () => signed(claims("a"), SECRET, { header: { alg: "HS256", typ: "logout+jwt" } }), /type/],
  ["with rules that are none", () => signed(claims("a", { acl: "everything" })), /acl/],
];

/** What a client may do shows in what it hears of a topic: its own message, or nothing. */
async function mayUse(broker: TestBroker, token: string, way: Way, version: ProtocolVersion, topic: string): Promise<void> {
  const { client, connack } = await show(broker, token, way, { version });
  expect([way, version, connack.reasonCode]).toEqual([way, version, 0]);
  expect((await client.subscribe(`${topic}/x`, { qos: 1 })).reasonCodes).toEqual([1]);
  expect((await client.subscribe("elsewhere", { qos: 1 })).reasonCodes[0]).toBeGreaterThanOrEqual(0x80);
  await client.publish(`${topic}/x`, way, { qos: 1 });
  expect(textOf(await client.message())).toBe(way);
  client.terminate();
}

describeTopologies(
  (broker) => {
    describe.each(VERSIONS)("version %i", (version) => {
      test.each(RIGHT)("signed by %s, in every way", async (_what, sign) => {
        for (const way of waysOf(version)) {
          const topic = unique();
          await mayUse(broker, sign(claims(topic)), way, version, topic);
        }
      });

      test.each(WRONG)("%s, in every way", async (_what, make, reason) => {
        for (const way of waysOf(version)) {
          const token = make();
          const { client, connack } = await show(broker, token, way, { version });
          expect([way, connack.reasonCode]).toEqual([way, refusalOf(version, way)]);
          if (version === 5) expect(connack.properties.reasonString).toMatch(reason);
          const { reason: closing } = await client.closed;
          for (const part of token.split(".").filter((text) => text.length > 4))
            expect(`${closing} ${connack.properties.reasonString}`).not.toContain(part);
        }
      });

      test("what is no token is a user's password, or nobody's", async () => {
        const ada = await broker.connect({ version, userName: "ada", password: "lovelace" });
        await ada.subscribe("anything");
        const { connack } = await show(broker, "not.a.token", "password", { version });
        expect(connack.reasonCode).toBe(version === 5 ? 0x86 : 4);
      });

      test("a token never has the rights of a user with the same name", async () => {
        const { client } = await show(broker, signed({ ...CLAIMS, sub: "ada" }), "password", { version, userName: "ada" });
        expect((await client.subscribe("anything")).reasonCodes[0]).toBeGreaterThanOrEqual(0x80);
        client.terminate();
      });

      test("is_superuser may do everything, and clientid_override is who the client is", async () => {
        const topic = unique();
        const clientId = unique("c");
        const given = { ...CLAIMS, is_superuser: true, clientid_override: clientId, acl: acl(`${topic}/\${clientid}`) };
        const first = await show(broker, signed(given), "password", { version, ...(broker.shape === "handed over" ? { clientId } : {}) });
        expect(first.connack.reasonCode).toBe(0);
        expect((await first.client.subscribe(topic)).reasonCodes).toEqual([0]);
        // The same client: it takes over.
        const second = await show(broker, signed(given), "password", { version, ...(broker.shape === "handed over" ? { clientId } : {}) });
        expect(second.connack.reasonCode).toBe(0);
        await first.client.closed;
        second.client.terminate();
      });

      test("a login can't give another clientid_override than the URL, by which its session is found", async () => {
        const { client, connack } = await show(broker, signed({ ...CLAIMS, clientid_override: unique("c") }), "password", { version });
        const refused = version === 5 ? 0x85 : 2;
        expect(connack.reasonCode).toBe(broker.shape === "handed over" ? refused : 0);
        client.terminate();
      });
    });

    test("when it expires the connection ends, a 5.0 client hears why, and the will is published", async () => {
      const watcher = await broker.connect({ version: 5, userName: "ada", password: "lovelace" });
      const topic = unique();
      await watcher.subscribe(`${topic}/+`, { qos: 1 });
      const ends = async (version: ProtocolVersion): Promise<void> => {
        const token = signed(claims(topic, { exp: (Date.now() + FIRST_MS) / 1000 }));
        const will = { topic: `${topic}/${version}`, payload: "gone", qos: 1 } as const;
        const { client, connack } = await show(broker, token, "password", { version, will });
        expect(connack.reasonCode).toBe(0);
        if (version === 5) {
          const { reasonCode, properties } = await client.expect(DISCONNECT);
          expect([reasonCode, properties.reasonString]).toEqual([0x87, "the login has expired"]);
        }
        expect((await client.closed).packetsBefore).toEqual([]);
      };
      await Promise.all(VERSIONS.map(ends));
      const wills = await watcher.messages(VERSIONS.length);
      expect(wills.map((will) => will.topic).sort()).toEqual(VERSIONS.map((version) => `${topic}/${version}`));
    });

    test("AUTH 0x19 with a fresh token: another end, other rights, and what is no longer allowed ends", async () => {
      const topic = unique();
      const method = "OAUTH2-JWT";
      const ends = Date.now() + FIRST_MS;
      const { client } = await show(broker, signed(claims(topic, { exp: ends / 1000 })), method, { version: 5 });
      await client.subscribe(`${topic}/x`, { qos: 1 });
      await client.subscribe(`${topic}/y`, { qos: 1 });
      const fresh = signed(claims(topic, { acl: acl(`${topic}/x`, "new") }));
      const auth = (token: string) => ({
        type: AUTH as typeof AUTH,
        reasonCode: REAUTHENTICATE,
        properties: { authenticationMethod: method, authenticationData: Buffer.from(token) },
      });
      client.send(auth(fresh));
      expect(await client.expect(AUTH)).toMatchObject({ reasonCode: 0, properties: { authenticationMethod: method } });
      expect((await client.subscribe("new")).reasonCodes).toEqual([0]);
      const ada = await broker.connect({ version: 5, userName: "ada", password: "lovelace" });
      await ada.publish(`${topic}/y`, "not any more", { qos: 1 });
      await expect.poll(() => Date.now(), { timeout: 5000 }).toBeGreaterThan(ends + 300);
      await ada.publish(`${topic}/x`, "still there", { qos: 1 });
      expect(textOf(await client.message())).toBe("still there");
      // Another user's, and one that is not right, end the connection.
      client.send(auth(signed(claims(topic, { sub: "eve" }))));
      expect(await client.expect(DISCONNECT)).toMatchObject({ reasonCode: 0x87 });
      const other = await show(broker, signed(claims(topic)), method, { version: 5 });
      other.client.send(auth(signed(claims(topic, { exp: seconds(-1) }))));
      const { reasonCode, properties } = await other.client.expect(DISCONNECT);
      expect([reasonCode, properties.reasonString]).toEqual([0x87, "the token has expired"]);
    });
  },
  ENV,
  SHAPES,
);
