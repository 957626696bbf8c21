/** MQTT 3.1 ("MQIsdp", level 3): where it differs from 3.1.1. The rest is the same code and proved for 3.1.1. */

import { setTimeout as elapsed } from "node:timers/promises";
import { expect, it } from "vitest";
import { PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { acknowledgement, publishPacket, request, textOf, unique } from "../../support/mqtt-client.ts";
import { field, rawConnect, rawPacket } from "../../support/raw-packet.ts";
import { CLOSE_POLICY, CLOSE_PROTOCOL_ERROR, expectClosed, expectEachCloses, expectEachRefused, usersOf } from "../v311/support.ts";

const V31 = { version: 3 } as const;
const MQISDP = { name: "MQIsdp", level: 3 } as const;

describeTopologies((broker) => {
  it("[3.1/connect/name] MQIsdp with level 3 is served", async () => {
    const client = await broker.open({ version: 3 });
    client.sendBytes(rawConnect(MQISDP, field(unique("c"))));
    expect(client.rawOf(await client.expect(2))).toEqual(Uint8Array.of(0x20, 2, 0, 0));
  });

  it("[3.1/connect/name] [3.1/connack/codes] other pairs of name and level are answered with code 1, then closed", async () => {
    for (const pair of [
      { name: "MQIsdp", level: 4 },
      { name: "MQTT", level: 3 },
      { name: "MQIsdp", level: 2 },
      { name: "MQIsdP", level: 3 },
    ]) {
      const client = await broker.open({ version: 3 });
      client.sendBytes(rawConnect(pair, field("c")));
      const { packetsBefore } = await client.closed;
      expect(client.rawOf(packetsBefore[0]!), JSON.stringify(pair)).toEqual(Uint8Array.of(0x20, 2, 0, 1));
      expect(packetsBefore).toHaveLength(1);
    }
  });

  it("[3.1/connect/clientid] a Client Identifier has 1 to 23 characters: else code 2, then closed", async () => {
    for (const clientId of ["", "x".repeat(24)]) {
      for (const clean of [true, false]) {
        const client = await broker.open(V31);
        expect(await client.connect({ ...V31, clientId, clean })).toMatchObject({ reasonCode: 2 });
        await expectClosed(client, CLOSE_POLICY);
      }
    }
    const longest = await broker.open(V31);
    expect(await longest.connect({ ...V31, clientId: unique("c").padEnd(23, "x") })).toMatchObject({ reasonCode: 0 });
  });

  it("[3.1/connect/username] flags that announce a user name or password are overruled by a payload that ends before", async () => {
    for (const [flags, ...rest] of [[0x82], [0xc2], [0xc2, field("user")]] as const) {
      const client = await broker.open({ version: 3 });
      client.sendBytes(rawConnect({ ...MQISDP, flags }, field(unique("c")), ...rest));
      expect(await client.expect(2), `flags ${flags}`).toMatchObject({ reasonCode: 0 });
    }
  });

  it("what the flags of a Will say without one is disregarded", async () => {
    for (const flags of [0x02 | 0x08, 0x02 | 0x18, 0x02 | 0x20, 0x02 | 0x38]) {
      const client = await broker.open({ version: 3 });
      client.sendBytes(rawConnect({ ...MQISDP, flags }, field(unique("c"))));
      expect(await client.expect(2), `flags ${flags}`).toMatchObject({ reasonCode: 0 });
    }
  });

  it("[3.1/connack/flags] [3.1/connect/cleansession] Clean Session works as in 3.1.1, but CONNACK never says that a session was resumed", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const kept = await broker.connect({ ...V31, clientId, clean: false });
    await kept.subscribe(topic, { qos: 1 });
    await kept.disconnect();
    const publisher = await broker.connect();
    await publisher.publish(topic, "waiting", { qos: 1 });
    const again = await broker.connect({ ...V31, clientId, clean: false });
    expect(again.rawOf(again.connack!)).toEqual(Uint8Array.of(0x20, 2, 0, 0));
    expect(await again.texts(1)).toEqual(["waiting"]);
    await again.disconnect();
    const clean = await broker.connect({ ...V31, clientId, clean: true });
    await publisher.publish(topic, "gone", { qos: 1 });
    await clean.silence(publisher);
  });

  it("[3.1/fixed-header/dup] SUBSCRIBE, UNSUBSCRIBE and PUBREL may carry DUP", async () => {
    const topic = unique();
    const client = await broker.connect({ ...V31, autoAck: false });
    client.sendBytes(rawPacket(0x8a, [0, 1], field(topic), [1]));
    expect(await client.expect(SUBACK)).toMatchObject({ packetId: 1, reasonCodes: [1] });
    client.send(publishPacket(topic, "", { qos: 2, packetId: 2 }));
    const arrived = [await client.next(), await client.next()];
    expect(arrived.map(({ type }) => type).sort()).toEqual([PUBLISH, PUBREC]);
    client.sendBytes(rawPacket(0x6a, [0, 2]));
    expect(await client.expect(PUBCOMP)).toMatchObject({ packetId: 2 });
    client.sendBytes(rawPacket(0xaa, [0, 3], field(topic)));
    expect(await client.expect(UNSUBACK)).toMatchObject({ packetId: 3 });
    await client.publish(topic, "", { qos: 1 });
    await client.silence(client);
  });

  it("[3.1/fixed-header/dup] other flags are still refused", () =>
    expectEachCloses(
      broker,
      { SUBSCRIBE: rawPacket(0x80, [0, 1], field("a"), [0]), PUBREL: rawPacket(0x60, [0, 1]), PINGREQ: rawPacket(0xc8) },
      CLOSE_PROTOCOL_ERROR,
      V31,
    ));

  it("bits that 3.1 calls unused must be 0, as in 3.1.1, where they are reserved", async () => {
    await expectEachRefused(broker, { "bit 0 of Connect Flags": rawConnect({ ...MQISDP, flags: 0x03 }, field(unique("c"))) });
    const unused = { "above the requested QoS": rawPacket(0x82, [0, 1], field("a"), [0x04]), "beside a PUBACK": rawPacket(0x41, [0, 1]) };
    await expectEachCloses(broker, unused, CLOSE_PROTOCOL_ERROR, V31);
  });

  it("[3.1/retry] duplicates that a client sends by timer, without reconnecting, are coped with", async () => {
    const topic = unique();
    const watcher = await broker.connect(V31);
    await watcher.subscribe(topic, { qos: 2 });
    const client = await broker.connect({ ...V31, autoAck: false });
    const two = publishPacket(topic, "two", { qos: 2, packetId: 1 });
    client.send(two, { ...two, dup: true });
    for (let count = 0; count < 2; count += 1) expect(await client.expect(PUBREC)).toMatchObject({ packetId: 1 });
    client.send(acknowledgement(PUBREL, 1));
    client.sendBytes(rawPacket(0x6a, [0, 1]));
    for (let count = 0; count < 2; count += 1) expect(await client.expect(PUBCOMP)).toMatchObject({ packetId: 1 });
    const one = publishPacket(topic, "one", { qos: 1, packetId: 2 });
    client.send(one, { ...one, dup: true });
    for (let count = 0; count < 2; count += 1) expect(await client.expect(PUBACK)).toMatchObject({ packetId: 2 });
    expect(await watcher.texts(3)).toEqual(["two", "one", "one"]);
    await watcher.silence(watcher);
  });

  it("[3.1/retry] acknowledgements that a client repeats are coped with", async () => {
    const topic = unique();
    const client = await broker.connect({ ...V31, autoAck: false });
    await client.subscribe(topic, { qos: 2 });
    await client.publish(topic, "", { qos: 2 });
    const { packetId } = await client.message();
    client.send(acknowledgement(PUBREC, packetId), acknowledgement(PUBREC, packetId));
    for (let count = 0; count < 2; count += 1) expect(await client.expect(PUBREL)).toMatchObject({ packetId });
    client.send(acknowledgement(PUBCOMP, packetId), acknowledgement(PUBCOMP, packetId));
    await client.silence(client);
  });

  it("[3.1/retain] RETAIN is 1 only on messages sent because of a new subscription", async () => {
    const topic = unique();
    const client = await broker.connect(V31);
    await client.subscribe(topic, { qos: 1 });
    await client.publish(topic, "", { qos: 1, retain: false });
    await client.publish(topic, "kept", { qos: 1, retain: true });
    expect((await client.messages(2)).map(({ retain }) => retain)).toEqual([false, false]);
    await client.subscribe(topic, { qos: 1 });
    expect(await client.message()).toMatchObject({ retain: true });
  });

  it("[3.1/utf8] strings are as strict as in 3.1.1: ill-formed UTF-8 and U+0000 close the connection", () =>
    expectEachCloses(
      broker,
      {
        "ill-formed": rawPacket(0x30, field([0x61, 0xff])),
        NUL: rawPacket(0x30, field("a\0")),
        filter: rawPacket(0x82, [0, 1], field([0xc0, 0x80]), [0]),
      },
      CLOSE_PROTOCOL_ERROR,
      V31,
    ));

  it("[3.1/mirror] the broker speaks 3.1 to a 3.1 client, whatever version a message came from: no properties, no DISCONNECT", async () => {
    const topic = unique();
    const client = await broker.connect(V31);
    expect(client.rawOf(client.connack!)).toHaveLength(4);
    await client.subscribe(topic, { qos: 1 });
    const publisher = await broker.connect({ version: 5 });
    await publisher.publish(topic, "hello", { qos: 1, properties: { contentType: "text/plain", userProperties: [["a", "b"]] } });
    const message = await client.message();
    expect(client.rawOf(message)).toEqual(rawPacket(0x32, field(topic), [0, 1], Buffer.from("hello")));
    expect(client.rawOf(await client.unsubscribe(topic))).toHaveLength(4);
    client.sendBytes(rawPacket(0x36));
    await expectClosed(client);
  });

  it("[3.1/keepalive] a client that is silent for 1.5 times its Keep Alive is disconnected and its will published; one that pings is not", async () => {
    const topic = unique();
    const watcher = await broker.connect(V31);
    await watcher.subscribe(topic);
    const silent = await broker.connect({ ...V31, keepAliveSeconds: 1, will: { topic, payload: "silent" } });
    const pinging = await broker.connect({ ...V31, keepAliveSeconds: 1, will: { topic, payload: "pinging" } });
    let ended = false;
    const closed = silent.closed.finally(() => {
      ended = true;
    });
    while (!ended) {
      await elapsed(500);
      await pinging.ping();
    }
    expect(await closed).toMatchObject({ packetsBefore: [] });
    expect(await watcher.texts(1)).toEqual(["silent"]);
    await watcher.silence(pinging);
  });
});

describeTopologies(
  (broker) => {
    const ALICE = { ...V31, userName: "alice", password: "wonderland" };

    it("[3.1/connack/codes] a wrong password is answered with code 4, a will without the right to it with code 5", async () => {
      const wrong = await broker.open(V31);
      expect(wrong.rawOf(await wrong.connect({ ...ALICE, password: "x" }))).toEqual(Uint8Array.of(0x20, 2, 0, 4));
      await expectClosed(wrong, CLOSE_POLICY);
      const will = await broker.open(V31);
      expect(will.rawOf(await will.connect({ ...ALICE, will: { topic: "closed" } }))).toEqual(Uint8Array.of(0x20, 2, 0, 5));
      await expectClosed(will, CLOSE_POLICY);
    });

    it("[3.1/suback/no-0x80] a subscription without the right to it is granted in words and gets nothing", async () => {
      const topic = unique();
      const client = await broker.connect(ALICE);
      const suback = await client.subscribe([request(`open/${topic}`, 1), request(`closed/${topic}`, 2), request("#", 0)]);
      expect(suback.reasonCodes).toEqual([1, 2, 0]);
      const admin = await broker.connect({ userName: "admin", password: "admin" });
      for (const prefix of ["closed", "open"]) await admin.publish(`${prefix}/${topic}`, prefix, { qos: 1, retain: true });
      expect(textOf(await client.message())).toBe("open");
      await client.silence();
    });

    it("[3.1/publish/unauthorized] a PUBLISH without the right to it completes its flow and reaches nobody", async () => {
      const topic = `closed/${unique()}`;
      const watcher = await broker.connect({ userName: "admin", password: "admin" });
      await watcher.subscribe(topic, { qos: 2 });
      const client = await broker.connect(ALICE);
      expect(await client.publish(topic, "", { qos: 0 })).toBeUndefined();
      expect(await client.publish(topic, "", { qos: 1 })).toMatchObject({ type: PUBACK });
      expect(await client.publish(topic, "", { qos: 2 })).toMatchObject({ type: PUBCOMP });
      await watcher.silence();
    });
  },
  {
    ALLOW_ANONYMOUS: "false",
    USERS: await usersOf(
      { user: "alice", password: "wonderland", publish: ["open/#"], subscribe: ["open/#"] },
      { user: "admin", password: "admin", publish: ["#"], subscribe: ["#"] },
    ),
  },
);

describeTopologies(
  (broker) => {
    it("[3.1/connect/clientid] the upper bound of Client Identifiers can be raised", async () => {
      const client = await broker.open(V31);
      expect(await client.connect({ ...V31, clientId: unique("c").padEnd(100, "x") })).toMatchObject({ reasonCode: 0 });
    });

    it("[3.1/connack/codes] a broker that is full answers code 3", async () => {
      await broker.connect(V31);
      const client = await broker.open(V31);
      expect(client.rawOf(await client.connect(V31))).toEqual(Uint8Array.of(0x20, 2, 0, 3));
    });
  },
  { CLIENT_ID_BYTES_MAX_V31: "100", CONNECTIONS_MAX: "1", SESSION_SHARDS: "1" },
);
