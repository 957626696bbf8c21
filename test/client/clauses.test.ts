/** What the specification asks of clients and a user never sees: Packet Identifiers, the order of acknowledgements, and what is not held back. */

import { describe, expect, it } from "vitest";
import { connect, type Message } from "../../src/client/index.ts";
import {
  NO_PROPERTIES,
  type Packet,
  PINGREQ,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type QoS,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from "../../src/mqtt/packet.ts";
import { acknowledgement } from "../support/mqtt-client.ts";
import { connected, FakeServer, settled, suback, subscribed } from "./fake-server.ts";

const idOf = (packet: Packet): number => (packet as { packetId: number }).packetId;

const typeAndId = (packet: Packet): [number, number] => [packet.type, idOf(packet)];

const unsuback = (packetId: number): Packet => ({ type: UNSUBACK, packetId, reasonCodes: [0], properties: NO_PROPERTIES });

describe("Packet Identifiers", () => {
  it("[MQTT5-2.2.1-3] [MQTT311-2.3.1-2] a new one is not 0 and not in use, also when all have been used once", async () => {
    const { connection, client } = await connected();
    await subscribed({ server: new FakeServer(), connection, client }, "a", () => {});
    void client.publish("a", "held", { qos: 1 }).catch(() => {});
    void client.publish("a", "received", { qos: 2 }).catch(() => {});
    void client.subscribe("b").catch(() => {});
    void client.unsubscribe("a").catch(() => {});
    await settled();
    const held = connection.inbox.splice(0).map(typeAndId);
    expect(held.map(([type]) => type)).toEqual([PUBLISH, PUBLISH, SUBSCRIBE, UNSUBSCRIBE]);
    connection.say(acknowledgement(PUBREC, held[1]![1]));
    await connection.expect(PUBREL);
    const used = new Set(held.map(([, packetId]) => packetId));
    expect(used.size).toBe(4);
    let published = 0;
    for (; published < 70_000; published += 1000) {
      const now = new Set(used);
      for (let count = 0; count < 1000; count += 1) void client.publish("a", "", { qos: 1 });
      await settled();
      for (const packetId of connection.inbox.splice(0).map(idOf)) {
        now.add(packetId);
        connection.say(acknowledgement(PUBACK, packetId));
      }
      expect([now.size, now.has(0)]).toEqual([1004, false]);
    }
  });

  it.each([4, 5] as const)(
    "[MQTT311-2.3.1-3] what is sent again keeps its own, and it is free when the answer is there, version %s",
    async (version) => {
      const { server, connection, client } = await connected({ version, clean: false });
      const all = [
        client.publish("a", "1", { qos: 1 }),
        client.publish("a", "2", { qos: 2 }),
        client.subscribe("b"),
        client.unsubscribe("c"),
      ];
      await settled();
      const first = connection.inbox.splice(0);
      connection.drop();
      const again = await server.again({ sessionPresent: true });
      const byId = (packets: readonly Packet[]): unknown[] => [...packets].sort((a, b) => idOf(a) - idOf(b)).map(typeAndId);
      expect(byId(again.inbox)).toEqual(byId(first));
      const [one, two, three, four] = first.map(idOf);
      again.say(acknowledgement(PUBACK, one!), acknowledgement(PUBREC, two!), suback(three!, 0), unsuback(four!));
      again.say(acknowledgement(PUBCOMP, two!));
      await Promise.all(all);
    },
  );
});

describe("order", () => {
  it.each([
    ["[MQTT5-4.6.0-2] PUBACK", 1, PUBACK],
    ["[MQTT5-4.6.0-3] PUBREC", 2, PUBREC],
  ] as const)("%s leaves in the order of the messages, whichever handler is done first", async (_what, qos, type) => {
    const pair = await connected();
    const { connection } = pair;
    const done = new Map<string, () => void>();
    const onMessage = ({ topic }: Message): Promise<void> => new Promise((resolve) => done.set(topic, resolve));
    for (const topic of ["a", "b", "c"]) await subscribed(pair, topic, onMessage);
    for (const [index, topic] of ["a", "b", "c"].entries()) connection.publish(topic, "x", qos, 3 - index);
    for (const topic of ["c", "b"]) done.get(topic)!();
    await settled();
    expect(connection.inbox).toEqual([]);
    done.get("a")!();
    await settled();
    expect(connection.inbox.map(typeAndId)).toEqual([
      [type, 3],
      [type, 2],
      [type, 1],
    ]);
  });

  it("[MQTT5-4.6.0-4] PUBREL leaves in the order of PUBREC, on the next connection too", async () => {
    const { server, connection, client } = await connected();
    for (const text of ["1", "2", "3"]) void client.publish("a", text, { qos: 2 }).catch(() => {});
    const [one, two, three] = (await connection.messages(3)).map(idOf);
    const order = [three, one, two] as number[];
    connection.say(...order.map((packetId) => acknowledgement(PUBREC, packetId)));
    await settled();
    const expected = order.map((packetId) => [PUBREL, packetId]);
    expect(connection.inbox.map(typeAndId)).toEqual(expected);
    connection.drop();
    expect((await server.again({ sessionPresent: true })).inbox.map(typeAndId)).toEqual(expected);
  });
});

describe("what is not held back", () => {
  it("[MQTT5-3.3.4-8] with the server's Receive Maximum used up, every packet but PUBLISH leaves at once", async () => {
    const pair = await connected({ keepAliveSeconds: 60 }, { receiveMaximum: 1 });
    const { server, connection, client } = pair;
    await subscribed(pair, "a", () => {});
    const first = client.publish("b", "1", { qos: 2 });
    const second = client.publish("b", "2", { qos: 1 });
    const { packetId } = await connection.expect(PUBLISH);
    connection.publish("a", "x", 1, 7);
    expect(await connection.expect(PUBACK)).toMatchObject({ packetId: 7 });
    connection.publish("a", "x", 2, 8);
    await connection.expect(PUBREC);
    connection.say(acknowledgement(PUBREL, 8));
    await connection.expect(PUBCOMP);
    const subscribing = client.subscribe("c");
    connection.say(suback((await connection.expect(SUBSCRIBE)).packetId, 0));
    const ending = (await subscribing).end();
    connection.say(unsuback((await connection.expect(UNSUBSCRIBE)).packetId));
    await ending;
    await server.clock.pass(60_000);
    await connection.expect(PINGREQ);
    connection.say(acknowledgement(PUBREC, packetId));
    await connection.expect(PUBREL);
    expect(connection.inbox).toEqual([]);
    connection.say(acknowledgement(PUBCOMP, packetId));
    connection.say(acknowledgement(PUBACK, (await connection.expect(PUBLISH)).packetId));
    await Promise.all([first, second]);
  });

  it.each([3, 4, 5] as const)(
    "[MQTT5-3.1.2-20] [MQTT311-3.1.2-23] no two packets are further apart than the Keep Alive, version %s",
    async (version) => {
      const { server, connection, client } = await connected({ version, keepAliveSeconds: 100 });
      const { clock } = server;
      let last = clock.now();
      let longest = 0;
      const send = connection.send.bind(connection);
      connection.send = (data) => {
        longest = Math.max(longest, clock.now() - last);
        last = clock.now();
        send(data);
        if (connection.inbox.splice(0).some(({ type }) => type === PINGREQ)) connection.sayBytes([0xd0, 0]);
      };
      // Each pause is one that a Keep Alive which looks at fixed times may misjudge.
      for (const seconds of [1, 44, 46, 89, 91, 99, 101, 149, 151, 1000]) {
        await client.publish("a");
        await clock.pass(seconds * 1000);
      }
      // Who only hears has to send too.
      for (let second = 0; second < 300; second += 10) {
        connection.publish("b", "x");
        await clock.pass(10_000);
      }
      await client.publish("a");
      expect(longest).toBeLessThanOrEqual(100_000);
      expect(client.isConnected).toBe(true);
    },
  );

  it.each([
    ["[MQTT311-4.5.0-2] 3.1.1", 4],
    ["[MQTT5-4.5.0-2] 5.0", 5],
  ] as const)("%s: what nobody takes, or takes wrong, is acknowledged by its QoS", async (_what, version) => {
    const pair = await connected({ version, on: { failed: () => {} } });
    const { connection, client } = pair;
    const unclaimed: string[] = [];
    client.on("unclaimed", ({ topic }) => unclaimed.push(topic));
    await subscribed(pair, "bad", () => Promise.reject(new Error("no")));
    for (const topic of ["nobody/has/it", "bad"]) {
      for (const [qos, type] of [
        [1, PUBACK],
        [2, PUBREC],
      ] as const) {
        connection.publish(topic, "x", qos as QoS, qos);
        expect(await connection.next()).toMatchObject({ type, packetId: qos });
        if (qos === 2) connection.say(acknowledgement(PUBREL, 2));
        if (qos === 2) expect(await connection.next()).toMatchObject({ type: PUBCOMP, packetId: 2 });
      }
    }
    expect(unclaimed).toEqual(["nobody/has/it", "nobody/has/it"]);
  });

  it("[MQTT5-4.5.0-2] what waits for a loop is acknowledged when the Subscription ends, also what nobody read", async () => {
    const { connection, client } = await connected();
    const subscribing = client.subscribe("a", { qos: 2 });
    connection.say(suback((await connection.expect(SUBSCRIBE)).packetId, 2));
    const subscription = await subscribing;
    connection.publish("a", "1", 1, 1);
    connection.publish("a", "2", 2, 2);
    await settled();
    expect(connection.inbox).toEqual([]);
    void subscription.end();
    await settled();
    expect(connection.inbox.map(typeAndId)).toEqual([
      [PUBACK, 1],
      [PUBREC, 2],
      [UNSUBSCRIBE, expect.any(Number)],
    ]);
  });

  it("[MQTT5-3.3.2-10] every Topic Alias up to the maximum that CONNECT told is taken, and may be given anew", async () => {
    const server = new FakeServer();
    const came: string[] = [];
    const connecting = connect(server.factory, { clock: server.clock, onMessage: ({ topic }) => came.push(topic) });
    await settled();
    const { topicAliasMaximum } = (await server.connection.welcome()).properties;
    await connecting;
    expect(topicAliasMaximum).toBe(64);
    const expected: string[] = [];
    for (const round of ["first", "second"]) {
      for (const isNamed of [true, false]) {
        for (let topicAlias = 1; topicAlias <= topicAliasMaximum!; topicAlias += 1) {
          const topic = `${round}/${topicAlias}`;
          server.connection.publish(isNamed ? topic : "", "x", 0, 0, { properties: { topicAlias } });
          expected.push(topic);
        }
      }
    }
    expect(came).toEqual(expected);
  });
});
