/** MQTT 5.0, chapter 3.1: CONNECT, without the Will (chapter-3-1-will) and Enhanced Authentication (chapter-3-15-auth). */

import { expect, it } from "vitest";
import { encodePacket } from "../../../src/mqtt/encode.ts";
import { CONNACK, DISCONNECT, PINGREQ, PUBACK, PUBLISH, PUBREC, PUBREL, SUBACK, SUBSCRIBE } from "../../../src/mqtt/packet.ts";
import {
  acknowledgement,
  connectPacket,
  MqttTestClient,
  publishPacket,
  request,
  textOf,
  toBytes,
  unique,
} from "../../support/mqtt-client.ts";
import { type Bytes, describe5, ended, field, hex, raw, rawConnect, reaction, refusal, section, text, USERS } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

/** Milliseconds until the broker ends the connection with 0x8D. @param since when its last packet had not been sent yet */
async function timedOut(client: MqttTestClient, since: number): Promise<number> {
  const { packetsBefore } = await client.closed;
  expect(packetsBefore.at(-1)).toMatchObject({ type: DISCONNECT, reasonCode: 0x8d });
  return performance.now() - since;
}

describe5((broker) => {
  it("[MQTT5-3.1.0-1] [MQTT5-3.2.0-1] [MQTT5-3.14.0-1] closes without a word when the first packet is no CONNECT", async () => {
    const others: Bytes[] = [
      "c000",
      raw(0x30, field("t"), "00"),
      raw(0x82, "0001 00", field("t"), "00"),
      "e000",
      "f000",
      "0000",
      "2003000000",
    ];
    for (const first of others) {
      const client = await broker.open();
      client.sendBytes(first, rawConnect({}));
      await client.closed;
      expect(client.arrived, hex(Buffer.from(first as string, "hex"))).toEqual([]);
    }
  });

  it("[MQTT5-3.1.0-2] ends a connection with 0x82 on a second CONNECT", async () => {
    expect(await reaction(broker, rawConnect({}))).toBe(0x82);
    const pipelined = await broker.open();
    pipelined.sendTogether(connectPacket({ version: 5 }), connectPacket({ version: 5 }));
    await pipelined.expect(CONNACK);
    expect((await ended(pipelined)).reasonCode).toBe(0x82);
  });

  it("[MQTT5-3.1.2-1] [MQTT5-3.1.2-2] refuses other protocol names and versions with 0x84", async () => {
    for (const [name, version] of [
      ["MQTX", 5],
      ["mqtt", 5],
      ["", 5],
      ["MQTT5", 5],
      ["MQIsdp", 5],
      ["MQTT", 6],
      ["MQTT", 0x7f],
    ] as const) {
      expect(await refusal(broker, raw(0x10, field(name), [version, 0x02], "0000 00", field(""))), `${name} ${version}`).toBe(0x84);
    }
  });

  it("[MQTT5-3.1.2-3] [MQTT5-3.1.2-11] [MQTT5-3.1.2-12] [MQTT5-3.1.2-13] [MQTT5-3.1.4-1] refuses Connect Flags that contradict themselves with 0x81", async () => {
    for (const flags of [0x03, 0x01, 0x0a, 0x12, 0x1a, 0x22]) {
      expect(await refusal(broker, rawConnect({ flags })), `flags ${flags}`).toBe(0x81);
    }
    expect(await refusal(broker, rawConnect({ flags: 0x1e, payload: [field(""), "00", field("t"), field("")] }))).toBe(0x81);
  });

  it("[MQTT5-3.1.2-9] [MQTT5-3.1.2-16] [MQTT5-3.1.2-17] [MQTT5-3.1.2-18] [MQTT5-3.1.2-19] [MQTT5-3.1.3-3] refuses a payload that is not what the Connect Flags say with 0x81", async () => {
    const will = ["00", field("t"), field("w")];
    for (const [flags, payload] of [
      [0x02, []],
      [0x06, [field("")]],
      [0x06, [field(""), "00"]],
      [0x06, [field(""), "00", field("t")]],
      [0x02, [field(""), field("user")]],
      [0x82, [field("")]],
      [0x82, [field(""), field("user"), field("password")]],
      [0xc2, [field(""), field("user")]],
      [0x42, [field("")]],
      [0x06, [field(""), ...will, field("user")]],
      [0xc6, [field(""), ...will, field("user")]],
    ] as [number, Bytes[]][]) {
      expect(await refusal(broker, rawConnect({ flags, payload })), `flags ${flags}`).toBe(0x81);
    }
  });

  it("[MQTT5-3.1.3-1] reads the payload in its order", async () => {
    const topic = unique();
    const watcher = await broker.connect();
    await watcher.subscribe(topic);
    const client = await broker.open();
    const payload = [field(unique()), section(text(0x03, "type")), field(topic), field("payload"), field("user"), field("password")];
    client.sendBytes(rawConnect({ flags: 0xc6, payload }));
    expect((await client.expect(CONNACK)).reasonCode).toBe(0);
    client.terminate();
    expect(await watcher.message()).toMatchObject({ topic, payload: toBytes("payload"), properties: { contentType: "type" } });
  });

  it("[5.0/3.1.2.9/pw-only] accepts a password without a user name", async () => {
    const client = await broker.open();
    client.sendBytes(rawConnect({ flags: 0x42, payload: [field(""), field([0, 0xff])] }));
    expect((await client.expect(CONNACK)).reasonCode).toBe(0);
  });

  it("[MQTT5-3.1.2-4] [MQTT5-3.1.4-4] [MQTT5-3.2.2-2] Clean Start 1 discards subscriptions, queue and exchanges of an older session", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const first = await broker.connect({ clientId, clean: false, properties: DURABLE, autoAck: false });
    await first.subscribe(topic, { qos: 2 });
    await publisher.publish(topic, "in flight", { qos: 1 });
    await first.message();
    first.send(publishPacket(unique(), "", { qos: 2, packetId: 3 }));
    await first.acknowledged(PUBREC, 3);
    await first.close();
    await publisher.publish(topic, "queued", { qos: 1 });

    const second = await broker.connect({ clientId, clean: true, properties: DURABLE });
    expect(second.connack).toMatchObject({ sessionPresent: false, reasonCode: 0 });
    await publisher.publish(topic, "nobody", { qos: 1 });
    second.send(acknowledgement(PUBREL, 3));
    expect((await second.acknowledged(7, 3)).reasonCode).toBe(0x92);
    await second.silence(publisher);
    await second.disconnect();
    const third = await broker.connect({ clientId, clean: false });
    expect(third.connack?.sessionPresent).toBe(true);
  });

  it("[MQTT5-3.1.2-4] Clean Start 1 also discards a session that its client holds open", async () => {
    const clientId = unique();
    const topic = unique();
    const first = await broker.connect({ clientId, clean: false, properties: DURABLE });
    await first.subscribe(topic, { qos: 1 });
    const second = await broker.connect({ clientId, clean: true });
    expect(second.connack?.sessionPresent).toBe(false);
    await second.publish(topic, "", { qos: 1 });
    await second.silence(second);
  });

  it("[MQTT5-3.1.2-5] [MQTT5-3.1.2-23] [MQTT5-3.2.2-3] [MQTT5-4.1.0-1] Clean Start 0 resumes subscriptions, queue and exchanges", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const first = await broker.connect({ clientId, clean: false, properties: DURABLE, autoAck: false });
    expect(first.connack?.sessionPresent).toBe(false);
    await first.subscribe(topic, { qos: 1 });
    await publisher.publish(topic, "in flight", { qos: 1 });
    const inFlight = await first.message();
    first.send(publishPacket(topic, "incoming", { qos: 2, packetId: 3 }));
    await first.acknowledged(PUBREC, 3);
    expect(textOf(await first.message())).toBe("incoming");
    await first.close();
    await publisher.publish(topic, "queued", { qos: 1 });

    const second = await broker.connect({ clientId, clean: false, properties: DURABLE });
    expect(second.connack).toMatchObject({ sessionPresent: true, reasonCode: 0 });
    expect(await second.message()).toMatchObject({ packetId: inFlight.packetId, dup: true });
    expect((await second.message()).dup).toBe(true);
    expect(await second.message()).toMatchObject({ dup: false, payload: toBytes("queued") });
    second.send(acknowledgement(PUBREL, 3));
    expect((await second.acknowledged(7, 3)).reasonCode).toBe(0);
    await publisher.publish(topic, "live", { qos: 1 });
    expect(await second.texts(1)).toEqual(["live"]);
  });

  it("[MQTT5-3.1.2-6] Clean Start 0 without a session begins one", async () => {
    const client = await broker.connect({ clean: false });
    expect(client.connack).toMatchObject({ sessionPresent: false, reasonCode: 0 });
    const topic = unique();
    await client.subscribe(topic);
    await client.publish(topic, "x");
    expect(await client.texts(1)).toEqual(["x"]);
  });

  it("[5.0/3.1.2.11.2/default] a session whose expiry is absent or 0 ends with its connection", async () => {
    for (const properties of [{}, { sessionExpiryInterval: 0 }]) {
      const clientId = unique();
      const first = await broker.connect({ clientId, clean: false, properties });
      await first.subscribe(unique(), { qos: 1 });
      await first.close();
      const second = await broker.connect({ clientId, clean: false });
      expect(second.connack?.sessionPresent).toBe(false);
    }
  });

  it("[5.0/3.1.2.11.3/zero] [5.0/3.1.2.11.4/zero] [5.0/3.1.2.11.6/range] [5.0/3.1.2.11.10/no-method] refuses property values that CONNECT can't have with 0x82", async () => {
    for (const property of ["21 0000", "27 00000000", "19 02", "17 02", "17 ff", text(0x16, "data")]) {
      expect(await refusal(broker, rawConnect({ properties: [property] })), String(property)).toBe(0x82);
    }
  });

  it("[5.0/3.1.2.11.3/zero] takes the Receive Maximum of each connection for that connection only", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const first = await broker.connect({ clientId, clean: false, properties: { ...DURABLE, receiveMaximum: 1 }, autoAck: false });
    await first.subscribe(topic, { qos: 1 });
    for (const payload of ["1", "2", "3"]) await publisher.publish(topic, payload, { qos: 1 });
    await first.message();
    await first.silence();
    await first.close();
    const second = await broker.connect({ clientId, clean: false, properties: DURABLE, autoAck: false });
    expect(await second.texts(3)).toEqual(["1", "2", "3"]);
  });

  it("[MQTT5-3.1.3-2] keeps a session for each Client Identifier, case and length included", async () => {
    const clientId = unique();
    const topic = unique();
    const clients = [];
    for (const [i, each] of [clientId, clientId.toUpperCase(), `${clientId}a`].entries()) {
      const client = await broker.connect({ clientId: each, clean: false, properties: DURABLE });
      expect(client.connack?.sessionPresent).toBe(false);
      await client.subscribe(`${topic}/${i}`, { qos: 1 });
      clients.push(client);
    }
    for (const [i, client] of clients.entries()) {
      await client.publish(`${topic}/${i}`, String(i), { qos: 1 });
      expect(await client.texts(1)).toEqual([String(i)]);
      await client.silence();
    }
  });

  it("[MQTT5-3.1.3-5] [MQTT5-3.1.4-5] accepts every Client Identifier of 1 to 23 letters and digits with CONNACK 0x00", async () => {
    const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const clientId of ["q", alphabet.slice(0, 23), alphabet.slice(23, 46), alphabet.slice(39)]) {
      const client = await broker.connect({ clientId });
      expect(client.connack?.reasonCode).toBe(0);
    }
  });

  it("[MQTT5-3.1.3-6] [MQTT5-3.1.3-7] [MQTT5-3.2.2-16] gives every client without Client Identifier one of its own, and tells it", async () => {
    const assigned = new Set<string | undefined>();
    for (const clean of [true, false, true, false]) {
      const client = await broker.open();
      await client.connect({ version: 5, clientId: "", clean, properties: DURABLE });
      expect(client.connack).toMatchObject({ sessionPresent: false, reasonCode: 0 });
      assigned.add(client.connack?.properties.assignedClientIdentifier);
      await client.close();
    }
    expect(assigned.size).toBe(4);
    const [name] = assigned;
    expect(name).toBeTruthy();
    const resumed = await broker.connect({ clientId: name!, clean: false });
    expect(resumed.connack?.sessionPresent).toBe(true);
    expect(resumed.connack?.properties.assignedClientIdentifier).toBeUndefined();
  });

  it("[MQTT5-3.1.3-7] [MQTT5-3.2.2-16] a client whose URL names it and whose CONNECT does not gets that name, and is told it", async () => {
    const clientId = unique();
    for (const sessionPresent of [false, true]) {
      const client = await MqttTestClient.open(`${broker.mqttUrl}?clientId=${clientId}`);
      const connack = await client.connect({ version: 5, clientId: "", clean: false, properties: DURABLE });
      expect(connack).toMatchObject({ reasonCode: 0, sessionPresent, properties: { assignedClientIdentifier: clientId } });
      client.terminate();
    }
    const other = await MqttTestClient.open(`${broker.mqttUrl}?clientId=${clientId}`);
    expect(await other.connect({ version: 5, clientId: "another" })).toMatchObject({ reasonCode: 0x85 });
  });

  it("[MQTT5-3.1.3-8] refuses a Client Identifier that is too long with 0x85", async () => {
    expect(await refusal(broker, { clientId: "x".repeat(257) })).toBe(0x85);
    const client = await broker.connect({ clientId: unique() + "x".repeat(256 - unique().length) });
    expect(client.connack?.reasonCode).toBe(0);
  });

  it("[MQTT5-3.1.4-3] [MQTT5-3.14.4-2] a second connection of a client ends the first with 0x8E", async () => {
    const clientId = unique();
    const first = await broker.connect({ clientId, clean: false, properties: DURABLE });
    const second = await broker.connect({ clientId, clean: false, properties: DURABLE });
    expect((await ended(first)).reasonCode).toBe(0x8e);
    expect(second.connack?.sessionPresent).toBe(true);
    const third = await broker.connect({ clientId, version: 4, clean: false });
    expect((await ended(second)).reasonCode).toBe(0x8e);
    await third.ping();
  });

  it("[MQTT5-3.1.4-6] packets behind a refused CONNECT have no effect", async () => {
    const topic = unique();
    const watcher = await broker.connect();
    await watcher.subscribe(topic, { qos: 1 });
    const client = await broker.open();
    const tooLong = connectPacket({ version: 5, clientId: "x".repeat(300) });
    client.sendTogether(tooLong, publishPacket(topic, "", { qos: 1 }), publishPacket(topic, "", { retain: true }));
    expect((await client.expect(CONNACK)).reasonCode).toBe(0x85);
    expect((await client.closed).packetsBefore).toEqual([]);
    await watcher.publish(topic, "marker", { qos: 1 });
    expect(await watcher.texts(1)).toEqual(["marker"]);
  });

  it("[5.0/3.1.4/pipelining] packets right behind CONNECT are handled once it is accepted", async () => {
    const topic = unique();
    const client = await broker.open();
    client.sendTogether(
      connectPacket({ version: 5 }),
      { type: SUBSCRIBE, packetId: 1, subscriptions: [request(topic, 1)], properties: {} },
      publishPacket(topic, "pipelined", { qos: 1, packetId: 2 }),
      { type: PINGREQ },
    );
    await client.expect(CONNACK);
    const types = (await Promise.all([client.next(), client.next(), client.next(), client.next()])).map(({ type }) => type);
    expect(types.sort((a, b) => a - b)).toEqual([PUBLISH, PUBACK, SUBACK, 13]);
  });

  it("[MQTT5-3.1.2-22] [5.0/3.1.2.10/zero] ends a connection with 0x8D after 1.5 times its Keep Alive without any packet; every packet counts", async () => {
    const since = performance.now();
    const silent = await broker.connect({ keepAliveSeconds: 1 });
    const talking = await Promise.all([0, 1, 2].map(() => broker.connect({ keepAliveSeconds: 1 })));
    const without = await broker.connect({ keepAliveSeconds: 0 });
    let sentAt = since;
    const chatter = setInterval(() => {
      sentAt = performance.now();
      talking[0]!.send({ type: PINGREQ });
      talking[1]!.send(publishPacket("t"));
      talking[2]!.send(acknowledgement(PUBACK, 1));
    }, 500);
    const elapsed = await timedOut(silent, since).finally(() => clearInterval(chatter));
    expect(elapsed).toBeGreaterThan(1400);
    expect(elapsed).toBeLessThan(2500);
    for (const client of talking) expect(client.isOpen).toBe(true);
    // Now their time runs too.
    for (const each of await Promise.all(talking.map((client) => timedOut(client, sentAt)))) expect(each).toBeGreaterThan(1400);
    await without.ping();
  });
});

describe5(
  (broker) => {
    it("[MQTT5-3.1.4-2] [MQTT5-3.2.2-7] refuses wrong credentials with 0x86 and a will that is not allowed with 0x87, then closes", async () => {
      expect(await refusal(broker, { userName: "ann", password: "wrong" })).toBe(0x86);
      expect(await refusal(broker, { userName: "bob", password: "secret" })).toBe(0x86);
      expect(await refusal(broker, { userName: "ann" })).toBe(0x86);
      expect(await refusal(broker, { userName: "ann", password: "secret", will: { topic: "other" } })).toBe(0x87);
      const client = await broker.connect({ userName: "ann", password: "secret", will: { topic: "ann/will" } });
      expect(client.connack?.reasonCode).toBe(0);
    });

    it("[MQTT5-3.1.2-29] with Request Problem Information 0 explains itself in CONNACK and DISCONNECT only", async () => {
      for (const requestProblemInformation of [1, 0]) {
        const client = await broker.connect({ userName: "ann", password: "secret", properties: { requestProblemInformation } });
        const suback = await client.subscribe("not-allowed");
        expect(suback.reasonCodes).toEqual([0x87]);
        expect(suback.properties.reasonString !== undefined).toBe(requestProblemInformation === 1);
        const others = [
          await client.subscribe("a#b"),
          await client.unsubscribe("a#b", "no/such"),
          await client.publish("not-allowed", "", { qos: 1 }),
          await client.publish("not-allowed", "", { qos: 2 }),
        ];
        for (const each of requestProblemInformation === 1 ? [] : others) {
          expect(each?.properties.reasonString).toBeUndefined();
          expect(each?.properties.userProperties).toBeUndefined();
        }
        client.sendBytes("c100");
        expect((await client.expect(DISCONNECT)).properties.reasonString).toBeTruthy();
      }
      const refused = await broker.open();
      await refused.connect({ version: 5, userName: "ann", password: "no", properties: { requestProblemInformation: 0 } });
      expect(refused.connack?.properties.reasonString).toBeTruthy();
    });

    it("[MQTT5-3.1.2-29] leaves User Properties of PUBLISH alone with Request Problem Information 0", async () => {
      const topic = unique();
      const client = await broker.connect({ properties: { requestProblemInformation: 0 } });
      await client.subscribe(topic);
      await client.publish(topic, "", { properties: { userProperties: [["a", "b"]] } });
      expect((await client.message()).properties.userProperties).toEqual([["a", "b"]]);
    });
  },
  { USERS },
);

describe5(
  (broker) => {
    it("[5.0/3.1.4/timeout] closes a connection that does not finish its CONNECT, or any packet, in time", async () => {
      const nothing = await broker.open();
      // An empty frame is no packet. Without any frame, workerd leaves the TCP connection open behind its Close frame.
      nothing.sendBytes([]);
      const part = await broker.open();
      part.sendBytes(encodePacket(connectPacket({ version: 5 }), 5).subarray(0, 9));
      const later = await broker.connect();
      later.sendBytes("3007 0001");
      const idle = await broker.connect();
      await Promise.all([nothing.closed, part.closed, later.closed]);
      expect([...nothing.arrived, ...part.arrived]).toEqual([]);
      await idle.ping();
    });
  },
  { PACKET_SECONDS_MAX: "1" },
);
