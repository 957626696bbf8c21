/** Chapter 3.1 of MQTT 3.1.1, CONNECT: variable header and payload. Sessions, wills and the answer have files of their own. */

import { expect, it } from "vitest";
import { encodePacket } from "../../../src/mqtt/encode.ts";
import { CONNACK, type Packet, PINGRESP, SUBACK } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { connectPacket, unique } from "../../support/mqtt-client.ts";
import { field, rawConnect, rawPacket } from "../../support/raw-packet.ts";
import { CLOSE_POLICY, expectClosed, expectEachRefused } from "./support.ts";

const CLEAN = 0x02;
const WILL = 0x04;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USER_NAME = 0x80;
const willQos = (qos: number): number => qos << 3;

const ID = field("c");
const [TOPIC, MESSAGE, NAME, SECRET] = [field("t"), field("m"), field("user"), field("secret")];

describeTopologies((broker) => {
  it("[MQTT311-3.1.0-1] any first packet but CONNECT closes the connection unanswered", () =>
    expectEachRefused(broker, {
      PINGREQ: rawPacket(0xc0),
      "PUBLISH QoS 0": rawPacket(0x30, field("a")),
      "PUBLISH QoS 1": rawPacket(0x32, field("a"), [0, 1]),
      SUBSCRIBE: rawPacket(0x82, [0, 1], field("a"), [0]),
      UNSUBSCRIBE: rawPacket(0xa2, [0, 1], field("a")),
      PUBREL: rawPacket(0x62, [0, 1]),
      DISCONNECT: rawPacket(0xe0),
      CONNACK: rawPacket(0x20, [0, 0]),
      "type 0": [0, 0],
    }));

  it("[MQTT311-3.1.0-2] a second CONNECT closes the connection as an error: the will is published", async () => {
    const topic = unique();
    const watcher = await broker.connect();
    await watcher.subscribe(topic);
    const client = await broker.connect({ will: { topic, payload: "second CONNECT" } });
    client.send(connectPacket({ clientId: client.clientId }));
    await expectClosed(client);
    expect(await watcher.texts(1)).toEqual(["second CONNECT"]);
  });

  it("[MQTT311-3.1.0-2] a second CONNECT in the frame of the first is no different", async () => {
    const client = await broker.open();
    client.sendTogether(connectPacket(), connectPacket());
    expect(await client.closed).toMatchObject({ code: 1002, packetsBefore: [{ type: CONNACK, reasonCode: 0 }] });
  });

  it("[MQTT311-3.1.2-1] an unknown protocol name is refused with code 1, never served", async () => {
    for (const name of ["MQTX", "mqtt", "MQTT ", "", "HTTP"]) {
      const client = await broker.open();
      client.sendBytes(rawConnect({ name }, field(unique("c"))));
      const { packetsBefore } = await client.closed;
      expect(packetsBefore, name).toEqual([expect.objectContaining({ type: CONNACK, reasonCode: 1 })]);
    }
  });

  it("[MQTT311-3.1.2-2] [MQTT311-3.2.2-5] an unsupported protocol level is answered with code 1, then closed", async () => {
    for (const level of [0, 1, 2, 3, 0x80, 0x83]) {
      const client = await broker.open();
      client.sendBytes(rawConnect({ level }, field(unique("c"))));
      const { packetsBefore } = await client.closed;
      expect(client.rawOf(packetsBefore[0]!), String(level)).toEqual(Uint8Array.of(0x20, 2, 0, 1));
      expect(packetsBefore).toHaveLength(1);
    }
  });

  it("[MQTT311-3.1.2-2] a CONNECT of 5.0 is not read as one of 3.1.1", async () => {
    const client = await broker.open();
    expect(await client.connect({ version: 5, properties: { receiveMaximum: 7 } })).toMatchObject({ reasonCode: 0 });
  });

  it("[MQTT311-3.1.2-3] reserved bit 0 of the Connect Flags closes without CONNACK", () =>
    expectEachRefused(broker, { "bit 0": rawConnect({ flags: CLEAN | 1 }, ID) }));

  it("[MQTT311-3.1.2-9] Will Flag 1 without Will Topic or Will Message closes without CONNACK", () =>
    expectEachRefused(broker, {
      neither: rawConnect({ flags: CLEAN | WILL }, ID),
      "no message": rawConnect({ flags: CLEAN | WILL }, ID, TOPIC),
      "half a topic": rawConnect({ flags: CLEAN | WILL }, ID, [0, 5, 0x61]),
      "half a message": rawConnect({ flags: CLEAN | WILL }, ID, TOPIC, [0, 5, 0x61]),
    }));

  it("[MQTT311-3.1.2-11] Will Flag 0 with will fields in the payload closes without CONNACK", () =>
    expectEachRefused(broker, { fields: rawConnect({ flags: CLEAN }, ID, TOPIC, MESSAGE) }));

  it("[MQTT311-3.1.2-13] [MQTT311-3.1.2-11] Will QoS 1, 2 or 3 without Will Flag closes without CONNACK", () =>
    expectEachRefused(broker, {
      "QoS 1": rawConnect({ flags: CLEAN | willQos(1) }, ID),
      "QoS 2": rawConnect({ flags: CLEAN | willQos(2) }, ID),
      "QoS 3": rawConnect({ flags: CLEAN | willQos(3) }, ID),
    }));

  it("[MQTT311-3.1.2-14] Will QoS 0, 1 and 2 are accepted, 3 closes without CONNACK", async () => {
    for (const qos of [0, 1, 2] as const) await broker.connect({ will: { topic: unique(), qos } });
    await expectEachRefused(broker, { "QoS 3": rawConnect({ flags: CLEAN | WILL | willQos(3) }, ID, TOPIC, MESSAGE) });
  });

  it("[MQTT311-3.1.2-15] [MQTT311-3.1.2-11] Will Retain without Will Flag closes without CONNACK", () =>
    expectEachRefused(broker, { retain: rawConnect({ flags: CLEAN | WILL_RETAIN }, ID) }));

  it("[MQTT311-3.1.2-18] a user name without User Name Flag closes without CONNACK", () =>
    expectEachRefused(broker, {
      plain: rawConnect({ flags: CLEAN }, ID, NAME),
      "behind a will": rawConnect({ flags: CLEAN | WILL }, ID, TOPIC, MESSAGE, NAME),
    }));

  it("[MQTT311-3.1.2-19] User Name Flag without a user name closes without CONNACK", () =>
    expectEachRefused(broker, {
      missing: rawConnect({ flags: CLEAN | USER_NAME }, ID),
      "missing behind a will": rawConnect({ flags: CLEAN | USER_NAME | WILL }, ID, TOPIC, MESSAGE),
      "cut short": rawConnect({ flags: CLEAN | USER_NAME }, ID, [0, 5, 0x75]),
    }));

  it("[MQTT311-3.1.2-20] a password without Password Flag closes without CONNACK", () =>
    expectEachRefused(broker, { password: rawConnect({ flags: CLEAN | USER_NAME }, ID, NAME, SECRET) }));

  it("[MQTT311-3.1.2-21] Password Flag without a password closes without CONNACK", () =>
    expectEachRefused(broker, {
      missing: rawConnect({ flags: CLEAN | USER_NAME | PASSWORD }, ID, NAME),
      "cut short": rawConnect({ flags: CLEAN | USER_NAME | PASSWORD }, ID, NAME, [0, 9, 0x73]),
    }));

  it("[MQTT311-3.1.2-22] Password Flag without User Name Flag closes without CONNACK", () =>
    expectEachRefused(broker, { alone: rawConnect({ flags: CLEAN | PASSWORD }, ID, SECRET) }));

  it("[MQTT311-3.1.3-1] a payload with all fields is read in its order, a password with any bytes in it", async () => {
    const topic = unique();
    const watcher = await broker.connect();
    await watcher.subscribe(topic, { qos: 2 });
    const client = await broker.open();
    const flags = CLEAN | WILL | willQos(2) | PASSWORD | USER_NAME;
    client.sendBytes(rawConnect({ flags }, field(unique("c")), field(topic), field([0, 0xff]), NAME, field([0, 0xff])));
    expect(await client.expect(CONNACK)).toMatchObject({ reasonCode: 0 });
    client.terminate();
    expect(await watcher.message()).toMatchObject({ topic, qos: 2, payload: Uint8Array.of(0, 0xff) });
  });

  it("[MQTT311-3.1.3-3] a CONNECT without Client Identifier field closes without CONNACK", () =>
    expectEachRefused(broker, {
      nothing: rawConnect({}),
      "one byte": rawConnect({}, [0]),
      "shorter than said": rawConnect({}, [0, 2, 0x63]),
    }));

  it("[MQTT311-3.1.3-5] every Client Identifier of 1 to 23 letters and digits is accepted", async () => {
    const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const tail = unique("").slice(0, 11);
    const ids = [alphabet.slice(0, 12), alphabet.slice(12, 24), alphabet.slice(24, 36), alphabet.slice(36, 48), alphabet.slice(50)];
    for (const clientId of [...ids.map((id) => id + tail), "a", "Z", "7"]) {
      const client = await broker.open();
      expect(await client.connect({ clientId }), clientId).toMatchObject({ reasonCode: 0, sessionPresent: false });
      await client.disconnect();
    }
  });

  it("[MQTT311-3.1.3-6] clients with an empty Client Identifier get one each: they live side by side, sessions apart", async () => {
    const clients = [await broker.open(), await broker.open()];
    for (const client of clients) expect(await client.connect({ clientId: "" })).toMatchObject({ reasonCode: 0 });
    const topics = [unique(), unique()];
    for (const [index, client] of clients.entries()) await client.subscribe(topics[index]!, { qos: 1 });
    const publisher = await broker.connect();
    for (const topic of topics) await publisher.publish(topic, topic, { qos: 1 });
    for (const [index, client] of clients.entries()) {
      expect(await client.texts(1)).toEqual([topics[index]]);
      await client.silence();
    }
  });

  it("[MQTT311-3.1.3-8] [MQTT311-3.1.3-7] an empty Client Identifier with Clean Session 0 is answered with code 2, then closed", async () => {
    const client = await broker.open();
    expect(await client.connect({ clientId: "", clean: false })).toMatchObject({ reasonCode: 2, sessionPresent: false });
    await expectClosed(client, CLOSE_POLICY);
  });

  it("[MQTT311-3.1.3-9] a Client Identifier that is refused, here for its length, is answered with code 2, then closed", async () => {
    const accepted = await broker.open();
    expect(await accepted.connect({ clientId: "é".repeat(128) })).toMatchObject({ reasonCode: 0 });
    const refused = await broker.open();
    expect(await refused.connect({ clientId: `${"é".repeat(128)}x` })).toMatchObject({ reasonCode: 2 });
    await expectClosed(refused, CLOSE_POLICY);
  });

  it("[MQTT311-3.1.4-1] a CONNECT that breaks the format closes without CONNACK", () =>
    expectEachRefused(broker, {
      empty: rawPacket(0x10),
      "name cut short": rawPacket(0x10, [0, 4, 0x4d, 0x51]),
      "no flags": rawPacket(0x10, field("MQTT"), [4]),
      "half a Keep Alive": rawPacket(0x10, field("MQTT"), [4, 2, 0]),
      "bytes behind the end": rawConnect({ flags: CLEAN | USER_NAME | PASSWORD }, ID, NAME, SECRET, [0]),
      "Will Topic with a wildcard": rawConnect({ flags: CLEAN | WILL }, ID, field("a/+"), MESSAGE),
      "empty Will Topic": rawConnect({ flags: CLEAN | WILL }, ID, field(""), MESSAGE),
    }));

  it("[MQTT311-3.1.4-4] a valid CONNECT is answered with CONNACK code 0", async () => {
    const client = await broker.open();
    expect(client.rawOf(await client.connect())).toEqual(Uint8Array.of(0x20, 2, 0, 0));
  });

  it("[MQTT311-3.1.4-5] what comes behind a refused CONNECT, in its frame or after it, has no effect", async () => {
    const topic = unique();
    const watcher = await broker.connect();
    await watcher.subscribe(topic);
    const publish = rawPacket(0x31, field(topic), [0x78]);
    const refused = encodePacket(connectPacket({ clientId: "", clean: false }), 4);
    const malformed = rawConnect({ flags: CLEAN | 1 }, ID);
    for (const connect of [refused, malformed]) {
      const together = await broker.open();
      together.sendBytes(Buffer.concat([connect, publish]));
      await together.closed;
      const after = await broker.open();
      after.sendBytes(connect, publish);
      await after.closed;
    }
    await watcher.silence(watcher);
    expect((await watcher.subscribe(topic)).reasonCodes).toEqual([0]);
    await watcher.silence(watcher);
  });

  it("[3.1.1/3.1.4/pipelining] packets that follow CONNECT before CONNACK are handled after it", async () => {
    const topic = unique();
    const client = await broker.open();
    client.sendTogether(connectPacket(), {
      type: 8,
      packetId: 7,
      subscriptions: [{ filter: topic, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
      properties: {},
    });
    client.sendBytes(rawPacket(0x30, field(topic), [0x31]), rawPacket(0xc0));
    const packets: Packet[] = [];
    while (packets.length < 4) packets.push(await client.next());
    expect(packets[0]).toMatchObject({ type: CONNACK, reasonCode: 0 });
    expect(packets.map(({ type }) => type).sort((a, b) => a - b)).toEqual([CONNACK, 3, SUBACK, PINGRESP]);
  });
});
