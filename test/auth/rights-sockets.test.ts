/** Rights over real sockets: in one object, through the relay and handed over, for 3.1.1 and 5.0. What rules mean is in rules.test.ts. */

import { expect, test } from "vitest";
import { describeTopologies, type TestBroker } from "../support/brokers.ts";
import { type MqttTestClient, request, unique } from "../support/mqtt-client.ts";
import { SECRET, seconds, signed } from "../support/tokens.ts";
import { quickHash } from "./support.ts";

const SHAPES = { shapes: ["compact", "sharded", "handed over"] as const };
const VERSIONS = [4, 5] as const;

const USERS = JSON.stringify([
  {
    user: "ann",
    password: await quickHash("secret"),
    subscribe: ["area/#"],
    acl: [
      { permission: "deny", action: "receive", topics: ["area/+/hidden"] },
      { permission: "deny", action: "subscribe", topics: ["area/+/closed/#"] },
      { permission: "allow", action: "publish", topics: ["area/%c/#"], qos: [0, 1], retain: false },
    ],
  },
  { user: "all", password: await quickHash("secret"), publish: ["#"], subscribe: ["#"] },
]);
const ACL = JSON.stringify([
  { permission: "allow", action: "publish", topic: "net/a", ipaddr: "192.0.2.0/24" },
  { permission: "allow", action: "all", topics: ["tenant/${claim.tenant}/#", "$SYS/tenant/+"], username_re: "^t-[0-9]+$" },
]);

async function as(broker: TestBroker, userName: string, version: 4 | 5, more: object = {}): Promise<MqttTestClient> {
  return broker.connect({ userName, password: "secret", version, ...more });
}

/** The Reason Code that a client hears for a publish; of 3.1.1, which has none, 0. */
async function publishes(client: MqttTestClient, topic: string, options: object): Promise<number | undefined> {
  return (await client.publish(topic, "x", options))?.reasonCode;
}

describeTopologies(
  (broker) => {
    test.each(VERSIONS)("subscriptions: all that a filter can bring must be allowed; version %i", async (version) => {
      const client = await as(broker, "ann", version);
      const refused = version === 5 ? 0x87 : 0x80;
      const filters = ["#", "area/#", "area/+/+", "area/1/closed", "$share/g/area/+/closed/x", "$SYS/#"];
      const granted = ["area/1/open/#", "area/+/hidden", "$share/g/area/1/open"];
      const { reasonCodes } = await client.subscribe([...filters, ...granted].map((filter) => request(filter, 1)));
      expect(reasonCodes).toEqual([...filters.map(() => refused), ...granted.map(() => 1)]);
    });

    test.each(VERSIONS)("deliveries: what is denied to receive is left out, live, retained and shared; version %i", async (version) => {
      const area = unique();
      const publisher = await as(broker, "all", 5);
      const client = await as(broker, "ann", version);
      await publisher.publish(`area/${area}/hidden`, "retained hidden", { qos: 1, retain: true });
      await publisher.publish(`area/${area}/seen`, "retained seen", { qos: 1, retain: true });
      for (const filter of [`area/${area}/seen`, `area/${area}/hidden`, `$share/g/area/${area}/hidden`])
        await client.subscribe(filter, { qos: 1 });
      expect(await client.texts(1)).toEqual(["retained seen"]);
      for (const qos of [0, 1, 2] as const) await publisher.publish(`area/${area}/hidden`, "hidden", { qos });
      await publisher.publish(`area/${area}/seen`, "seen", { qos: 1 });
      // All before has come as far as it goes: each was acknowledged, or went before one that was.
      expect(await client.texts(1)).toEqual(["seen"]);
    });

    test.each(VERSIONS)("publishing: topic, QoS and RETAIN; version %i", async (version) => {
      const clientId = unique("c");
      const client = await as(broker, "ann", version, { clientId });
      const watcher = await as(broker, "all", 5);
      await watcher.subscribe("area/#", { qos: 1, retainHandling: 2 });
      const refused = version === 5 ? 0x87 : 0;
      expect(await publishes(client, `area/${clientId}/x`, { qos: 1 })).toBe(0);
      expect(await publishes(client, `area/${clientId}/x`, { qos: 2 })).toBe(refused);
      expect(await publishes(client, `area/${clientId}/x`, { qos: 1, retain: true })).toBe(refused);
      expect(await publishes(client, `area/${clientId}x/x`, { qos: 1 })).toBe(refused);
      await client.publish(`area/other/x`, "x", { qos: 0 });
      await client.publish(`area/${clientId}/last`, "last", { qos: 1 });
      expect((await watcher.messages(2)).map(({ topic }) => topic)).toEqual([`area/${clientId}/x`, `area/${clientId}/last`]);
    });

    test.each(VERSIONS)("addresses; version %i", async (version) => {
      const inside = await as(broker, "ann", version, { headers: { "CF-Connecting-IP": "192.0.2.7" } });
      const outside = await as(broker, "ann", version, { headers: { "CF-Connecting-IP": "198.51.100.7" } });
      const watcher = await as(broker, "all", 5);
      await watcher.subscribe("net/a", { qos: 1 });
      await outside.publish("net/a", "outside", { qos: 1 });
      await inside.publish("net/a", "inside", { qos: 1 });
      expect(await watcher.texts(1)).toEqual(["inside"]);
    });

    test.each(VERSIONS)(
      "claims of a token fill placeholders of ACL, $ topics have a rule of their own, wills are looked at; version %i",
      async (version) => {
        const tenant = unique();
        const login = { userName: "x", password: signed({ sub: "t-7", tenant, exp: seconds(600) }), version };
        const client = await broker.connect(login);
        const refused = version === 5 ? 0x87 : 0x80;
        const filters = [`tenant/${tenant}/#`, "$SYS/tenant/+", "tenant/+/x", "$SYS/#", "area/1"];
        const { reasonCodes } = await client.subscribe(filters.map((filter) => request(filter, 1)));
        expect(reasonCodes).toEqual([1, 1, refused, refused, refused]);
        for (const [topic, code] of [
          [`tenant/${tenant}/will`, 0],
          ["tenant/other/will", version === 5 ? 0x87 : 5],
        ] as const) {
          const other = await broker.open();
          expect((await other.connect({ ...login, will: { topic } })).reasonCode).toBe(code);
        }
      },
    );

    test.each(VERSIONS)("rules of a token, in both forms; version %i", async (version) => {
      const clientId = unique("c");
      const refused = version === 5 ? 0x87 : 0x80;
      const acl = [
        { permission: "deny", action: "all", topics: ["own/+/secret"] },
        { permission: "allow", action: "all", topic: "own/${clientid}/+" },
        { permission: "allow", action: "sub", topics: ["for/${username}/#"], qos: [0, 1] },
      ];
      const client = await broker.connect({ version, clientId, userName: "x", password: signed({ sub: "ada", acl }) });
      const filters = [`own/${clientId}/+`, `own/${clientId}/a`, "own/other/a", "for/ada/#", "for/x/#", "#"];
      expect((await client.subscribe(filters.map((filter) => request(filter, 1)))).reasonCodes).toEqual([
        refused,
        1,
        refused,
        1,
        refused,
        refused,
      ]);
      expect((await client.subscribe("for/ada/a", { qos: 2 })).reasonCodes).toEqual([refused]);
      await client.publish(`own/${clientId}/secret`, "no", { qos: 1 });
      await client.publish(`own/${clientId}/a`, "yes", { qos: 1 });
      expect(await client.texts(1)).toEqual(["yes"]);

      const lists = { pub: ["p/#"], sub: ["s/#"] };
      const other = await broker.connect({ version, userName: "x", password: signed({ sub: "t-1", tenant: "x", acl: lists }) });
      // ACL, which allows tenant/x/#, is not asked.
      expect((await other.subscribe(["s/a", "p/a", "tenant/x/a"].map((filter) => request(filter, 0)))).reasonCodes).toEqual([
        0,
        refused,
        refused,
      ]);
    });
  },
  { USERS, ACL, JWT_SECRET: SECRET, ALLOW_ANONYMOUS: "false" },
  SHAPES,
);

describeTopologies(
  (broker) => {
    test("ACL_DENY_ACTION=disconnect ends the connection of a 3.1.1 client at any QoS, and not that of a 5.0 client", async () => {
      for (const qos of [0, 1, 2] as const) {
        const client = await broker.connect({ version: 4 });
        await client.subscribe("may/#");
        await client.publish("may", "yes", { qos: 1 });
        expect(await client.texts(1)).toEqual(["yes"]);
        void client.publish("no", "no", { qos }).catch(() => {});
        expect((await client.closed).reason).toBe("not authorized to publish to this topic");
      }
      const five = await broker.connect({ version: 5 });
      expect(await publishes(five, "no", { qos: 1 })).toBe(0x87);
      await five.publish("no", "", { qos: 0 });
      expect(await publishes(five, "may", { qos: 1 })).toBeLessThan(0x80);
    });

    test("anonymous clients have what ACL says", async () => {
      const client = await broker.connect({ version: 5 });
      expect((await client.subscribe(["may/#", "other", "#"].map((filter) => request(filter, 0)))).reasonCodes).toEqual([0, 0x87, 0x87]);
    });
  },
  { ACL: JSON.stringify([{ permission: "allow", action: "all", topic: "may/#" }]), ACL_DENY_ACTION: "disconnect" },
  SHAPES,
);
