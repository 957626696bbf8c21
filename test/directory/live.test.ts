/**
 * Users and bans that change while clients are there, over real sockets, on every way to a Session object. (Who connects straight to the
 * local broker may say where it is: CF-Connecting-IP, which the platform sets itself.)
 */

import { expect, test } from "vitest";
import { CONNACK, DISCONNECT, type ProtocolVersion } from "../../src/mqtt/packet.ts";
import { quickHash } from "../auth/support.ts";
import { ADMIN_TOKEN, api, done, USERS } from "../support/admin-api.ts";
import { answered } from "../support/authentication.ts";
import { describeTopologies, type PlaceOptions, type Shape, type TestBroker } from "../support/brokers.ts";
import { type ConnectOptions, connectPacket, type MqttTestClient, type OpenOptions, unique } from "../support/mqtt-client.ts";
import { SCRAM_SHA_256, ScramClient } from "../support/scram-client.ts";

const SHAPES: readonly Shape[] = ["compact", "sharded", "handed over"];
const versions: readonly ProtocolVersion[] = [4, 5];

const [BAD_LOGIN, NOT_AUTHORIZED, BANNED, ADMINISTRATIVE] = [0x86, 0x87, 0x8a, 0x98];

/** A user of a test's own, with rights on topics below its name. */
async function newUser(broker: TestBroker, more: object = {}): Promise<string> {
  const user = unique("u");
  const rights = { publish: [`${user}/#`], subscribe: [`${user}/#`] };
  await done(broker.url, "POST", USERS, { user_id: user, password_hash: await quickHash("right"), ...rights, ...more });
  return user;
}

interface LoginOptions extends ConnectOptions, OpenOptions, PlaceOptions {}

/** The Reason Code of CONNACK, and the client. */
async function login(broker: TestBroker, userName: string | undefined, options: LoginOptions = {}) {
  const { password = "right", clientId = unique("c"), version = 5, ...rest } = options;
  const client = await broker.open({ ...rest, version, clientId });
  client.send(connectPacket({ ...rest, version, clientId, userName, password: userName === undefined ? undefined : password }));
  const connack = await client.expect(CONNACK);
  return { client, code: connack.reasonCode, connack };
}

async function ended(client: MqttTestClient): Promise<number> {
  return (await client.expect(DISCONNECT)).reasonCode;
}

const kept = { clean: false, properties: { sessionExpiryInterval: 3600 } } as const;

describeTopologies(
  (broker) => {
    test.each(versions)("an added user is let in, nobody else is (version %i)", async (version) => {
      const user = await newUser(broker);
      const codes = [];
      for (const options of [{}, { password: "wrong" }, { password: "" }])
        codes.push((await login(broker, user, { version, ...options })).code);
      for (const stranger of [unique("u"), undefined]) codes.push((await login(broker, stranger, { version })).code);
      const refused = version === 5 ? BAD_LOGIN : 4;
      expect(codes).toEqual([0, refused, refused, refused, refused]);
    });

    test("a login by SCRAM-SHA-256", async () => {
      const user = await newUser(broker);
      expect((await answered(broker, { as: user, secret: "right" })).connack.reasonCode).toBe(0);
      expect((await answered(broker, { as: user, secret: "wrong" })).connack.reasonCode).toBe(NOT_AUTHORIZED);
      expect((await answered(broker, { as: unique("u"), secret: "right" })).connack.reasonCode).toBe(NOT_AUTHORIZED);
    });

    test("another password ends connections at once; the session stays, the old password is none any more", async () => {
      const user = await newUser(broker);
      const clientId = unique("c");
      const { client } = await login(broker, user, { clientId, ...kept });
      const at = performance.now();
      await done(broker.url, "PUT", `${USERS}/${user}`, { password_hash: await quickHash("new") });
      expect(await ended(client)).toBe(NOT_AUTHORIZED);
      expect(performance.now() - at).toBeLessThan(5000);
      expect((await login(broker, user, { clientId, ...kept })).code).toBe(BAD_LOGIN);
      const { connack } = await login(broker, user, { clientId, ...kept, password: "new" });
      expect(connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
    });

    test("a removed user is out, with its sessions and its will, whatever comes under the same name later", async () => {
      const user = await newUser(broker);
      const watcher = await newUser(broker, { subscribe: [`${user}/#`] });
      const { client: watching } = await login(broker, watcher);
      await watching.subscribe(`${user}/#`);
      const [clientId, away] = [unique("c"), unique("c")];
      const { client } = await login(broker, user, { clientId, ...kept, will: { topic: `${user}/will`, payload: "gone" } });
      await (await login(broker, user, { clientId: away, ...kept })).client.disconnect();
      await done(broker.url, "DELETE", `${USERS}/${user}`);
      expect(await ended(client)).toBe(NOT_AUTHORIZED);
      expect((await login(broker, user, { clientId })).code).toBe(BAD_LOGIN);
      await done(broker.url, "POST", USERS, { user_id: user, password_hash: await quickHash("right"), publish: [`${user}/#`] });
      for (const each of [clientId, away]) {
        expect((await login(broker, user, { clientId: each, ...kept })).connack).toMatchObject({ reasonCode: 0, sessionPresent: false });
      }
      const { client: publisher } = await login(broker, user);
      await publisher.publish(`${user}/x`, "not a will", { qos: 1 });
      expect(await watching.texts(1)).toEqual(["not a will"]);
    });

    test("other rights hold at once: subscriptions that are not allowed any more end, the connection stays", async () => {
      const user = await newUser(broker);
      const { client } = await login(broker, user);
      await client.subscribe(`${user}/a`);
      await client.subscribe(`${user}/b`);
      await done(broker.url, "PUT", `${USERS}/${user}`, { publish: [`${user}/#`], subscribe: [`${user}/b`] });
      await client.publish(`${user}/a`, "1", { qos: 1 });
      await client.publish(`${user}/b`, "2", { qos: 1 });
      expect(await client.texts(1)).toEqual(["2"]);
      expect((await client.subscribe(`${user}/a`)).reasonCodes).toEqual([NOT_AUTHORIZED]);
      await done(broker.url, "PUT", `${USERS}/${user}`, { is_superuser: true });
      expect((await client.subscribe("elsewhere/#")).reasonCodes).toEqual([0]);
    });

    test.each(versions)("who is banned is refused before its password is looked at (version %i)", async (version) => {
      const user = await newUser(broker);
      const clientId = unique("c");
      const address = `203.0.113.${version}`;
      const bans = [
        { as: "clientid", who: clientId },
        { as: "username", who: user },
        { as: "peerhost", who: address },
        { as: "peerhost_net", who: "203.0.113.0/24" },
        { as: "clientid_re", who: `^${clientId.slice(0, -1)}.$` },
        { as: "username_re", who: `^${user}$` },
      ];
      const headers = { "CF-Connecting-IP": address };
      for (const ban of bans) {
        await done(broker.url, "POST", "/banned", { ...ban, reason: "a test" });
        expect((await login(broker, user, { clientId, version, headers, password: "wrong" })).code, ban.as).toBe(
          version === 5 ? BANNED : 5,
        );
        await done(broker.url, "DELETE", `/banned/${ban.as}/${encodeURIComponent(ban.who)}`);
        expect((await login(broker, user, { clientId, version, headers })).code, ban.as).toBe(0);
      }
    });

    test("who is banned is refused a login by SCRAM-SHA-256: by its Client Identifier before the first step, by its user name when that is known", async () => {
      const user = await newUser(broker);
      const clientId = unique("c");
      await done(broker.url, "POST", "/banned", { as: "clientid", who: clientId });
      const client = await broker.open({ version: 5, clientId });
      const properties = { authenticationMethod: SCRAM_SHA_256, authenticationData: new ScramClient(user, "right").first() };
      client.send(connectPacket({ version: 5, clientId, properties }));
      expect(await client.expect(CONNACK)).toMatchObject({ reasonCode: BANNED });
      expect((await answered(broker, { as: user, secret: "right" })).connack.reasonCode).toBe(0);
      await done(broker.url, "POST", "/banned", { as: "username", who: user });
      expect((await answered(broker, { as: user, secret: "right" })).connack.reasonCode).toBe(BANNED);
    });

    test.each(["clientid", "username", "peerhost", "peerhost_net", "clientid_re", "username_re"])(
      "a ban by %s ends live connections, and holds for their sessions",
      async (as) => {
        const user = await newUser(broker);
        const clientId = unique("c");
        const address = "2001:db8::7";
        const headers = { "CF-Connecting-IP": address };
        const others = await login(broker, await newUser(broker));
        const { client } = await login(broker, user, { clientId, headers, ...kept });
        const who = {
          clientid: clientId,
          username: user,
          peerhost: address,
          peerhost_net: "2001:db8::/64",
          clientid_re: clientId,
          username_re: user,
        }[as]!;
        await done(broker.url, "POST", "/banned", { as, who });
        expect(await ended(client)).toBe(ADMINISTRATIVE);
        expect((await login(broker, user, { clientId, headers, ...kept })).code).toBe(BANNED);
        await done(broker.url, "DELETE", `/banned/${as}/${encodeURIComponent(who)}`);
        expect((await login(broker, user, { clientId, headers, ...kept })).connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
        await others.client.ping();
      },
    );

    test("a ban that is over is none", async () => {
      const user = await newUser(broker);
      const until = new Date(Date.now() + 1000);
      await done(broker.url, "POST", "/banned", { as: "username", who: user, until: until.toISOString() });
      expect((await login(broker, user)).code).toBe(BANNED);
      const isSwept = async (): Promise<boolean> =>
        !((await done(broker.url, "GET", "/banned")) as { data: { who: string }[] }).data.some(({ who }) => who === user);
      await expect.poll(isSwept, { timeout: 5000 }).toBe(true);
      expect(Date.now()).toBeGreaterThanOrEqual(until.getTime());
      expect((await login(broker, user)).code).toBe(0);
    });

    test("a client that connects too often is banned by itself, under this Client Identifier alone", async () => {
      const user = await newUser(broker);
      const clientId = unique("c");
      const codes = [];
      const intruder = await newUser(broker);
      for (let time = 0; time < 10; time += 1) {
        codes.push((await login(broker, user, { clientId, ...kept })).code);
        codes.push((await login(broker, intruder, { clientId })).code);
      }
      // Whoever is refused as it is another one's Client Identifier has no part in it.
      expect(codes).toEqual(Array(10).fill([0, 0x85]).flat());
      const { client } = await login(broker, user, { clientId, ...kept });
      expect(await ended(client)).toBe(ADMINISTRATIVE);
      expect((await login(broker, user, { clientId, ...kept })).code).toBe(BANNED);
      expect((await login(broker, user)).code).toBe(0);
      const { data } = (await done(broker.url, "GET", "/banned")) as { data: { who: string; by: string; reason: string }[] };
      expect(data.find(({ who }) => who === clientId)).toMatchObject({
        as: "clientid",
        by: "flapping",
        reason: "more than 10 connections within 60 s",
      });
    });

    test("a login of mosquitto's hashes", async () => {
      const hashes = [
        ["lovelace", "$7$101$S/vKKg7dswLMoFa2$aQFGVDXfqWAniYRNO6TXl9qD5RZJM/xQC9rXJBRC35j3xR/Y67naadYCopkLt9c8jR0BCpUMjSwNwuoxRnCnsQ=="],
        ["builder", "$6$f9iNcZFUJ6dJ0fve$k423YYr/Lk/TqIF9WpRSOmElZdtDD0c52IfkHG1jrcVgAkWbBx3tM74uA8msaKW4bO9rXHK546c0iNmbTifpug=="],
      ] as const;
      for (const [password, password_hash] of hashes) {
        const user = await newUser(broker, { password_hash });
        expect((await login(broker, user, { password })).code).toBe(0);
        expect((await login(broker, user, { password: "wrong" })).code).toBe(BAD_LOGIN);
        expect((await answered(broker, { as: user, secret: password })).connack.reasonCode).toBe(NOT_AUTHORIZED);
      }
    });

    test("namespaces have users and bans of their own", async () => {
      const user = await newUser(broker);
      const namespace = unique("n");
      expect((await login(broker, user, { namespace })).code).toBe(NOT_AUTHORIZED);
      expect((await api(broker.url, "GET", `${USERS}/${user}?namespace=${namespace}`)).status).toBe(404);
      const password_hash = await quickHash("of another");
      await done(broker.url, "POST", `${USERS}?namespace=${namespace}`, { user_id: user, password_hash });
      await done(broker.url, "POST", `/banned?namespace=${namespace}`, { as: "clientid_re", who: "^banned" });
      const codes = [];
      for (const place of [{}, { namespace }]) {
        for (const options of [{}, { password: "of another" }, { password: "of another", clientId: unique("banned") }]) {
          codes.push((await login(broker, user, { ...options, ...place })).code);
        }
      }
      expect(codes).toEqual([0, BAD_LOGIN, BAD_LOGIN, BAD_LOGIN, 0, BANNED]);
    });
  },
  { ADMIN_TOKEN, ALLOW_ANONYMOUS: "false", FLAPPING: "10/1m", ADDRESS_LOGIN_FAILURE_RATE: "unlimited" },
  { shapes: SHAPES },
);
