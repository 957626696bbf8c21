/** MQTT 5.0, chapters 4.9, 3.1.2.11.3 and 3.1.2.11.4: what a client takes at once, and how large. */

import { expect, it } from "vitest";
import { PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, type Publish } from "../../../src/mqtt/packet.ts";
import { acknowledgement, type MqttTestClient, publishPacket, textOf, unique } from "../../support/mqtt-client.ts";
import { type Broker5, describe5, field, raw } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

/** A client with a window of `receiveMaximum` and `count` messages of QoS 1 and 2 in turn on their way to it. */
async function behindWindow(broker: Broker5, receiveMaximum: number, count: number, qos: readonly (1 | 2)[] = [1, 2]) {
  const topic = unique();
  const publisher = await broker.connect();
  const client = await broker.connect({ properties: { ...DURABLE, receiveMaximum }, autoAck: false });
  await client.subscribe(topic, { qos: 2 });
  for (let i = 0; i < count; i += 1) await publisher.publish(topic, String(i), { qos: qos[i % qos.length]! });
  return { topic, publisher, client };
}

/** The next messages, and the proof that no more came. */
async function exactly(client: MqttTestClient, count: number): Promise<Publish[]> {
  const messages = await client.messages(count);
  await client.silence();
  return messages;
}

describe5((broker) => {
  it("[MQTT5-3.3.4-9] [MQTT5-4.9.0-1] [MQTT5-4.9.0-2] [5.0/4.9/refill] sends no more unacknowledged messages than the Receive Maximum; PUBACK, PUBCOMP and refusing PUBREC return one each", async () => {
    const { client } = await behindWindow(broker, 2, 9);
    const [one, two] = await exactly(client, 2);
    client.send(acknowledgement(PUBACK, one!.packetId));
    const [three] = await exactly(client, 1);
    expect([one, two, three].map((each) => each!.qos)).toEqual([1, 2, 1]);
    // PUBREC alone returns nothing.
    client.send(acknowledgement(PUBREC, two!.packetId));
    await client.expect(PUBREL);
    await client.silence();
    client.send(acknowledgement(PUBCOMP, two!.packetId));
    const [four] = await exactly(client, 1);
    client.send(acknowledgement(PUBREC, four!.packetId, 0x87));
    const [five] = await exactly(client, 1);
    client.send(acknowledgement(PUBACK, three!.packetId, 0x80));
    const [six] = await exactly(client, 1);
    client.send(acknowledgement(PUBREC, six!.packetId));
    await client.expect(PUBREL);
    client.send(acknowledgement(PUBCOMP, six!.packetId, 0x92));
    const [seven] = await exactly(client, 1);
    expect([four, five, six, seven].map((each) => textOf(each!))).toEqual(["3", "4", "5", "6"]);
  });

  it("[5.0/4.9/refill] acknowledgements of nothing give no credit", async () => {
    const { client } = await behindWindow(broker, 1, 3, [1]);
    const [one] = await exactly(client, 1);
    for (const type of [PUBACK, PUBCOMP, PUBREC] as const) client.send(acknowledgement(type, 999, type === PUBREC ? 0x80 : 0));
    await client.silence();
    client.send(acknowledgement(PUBACK, one!.packetId), acknowledgement(PUBACK, one!.packetId));
    await exactly(client, 1);
  });

  it("[MQTT5-3.3.4-10] [MQTT5-4.9.0-3] a full window delays nothing but QoS 1 and 2", async () => {
    const { client, publisher, topic } = await behindWindow(broker, 1, 3, [2]);
    const [one] = await exactly(client, 1);
    await client.ping();
    await client.subscribe(unique());
    expect((await client.publish(unique(), "", { qos: 1 }))?.type).toBe(PUBACK);
    expect((await client.publish(unique(), "", { qos: 2 }))?.type).toBe(PUBCOMP);
    await publisher.publish(topic, "QoS 0", { qos: 0 });
    expect(await client.texts(1)).toEqual(["QoS 0"]);
    client.send(acknowledgement(PUBREC, one!.packetId));
    expect((await client.expect(PUBREL)).packetId).toBe(one!.packetId);
    await client.silence();
  });

  it("[5.0/4.9/reset] [MQTT5-3.3.4-9] the window begins anew with each connection, and what is resent counts", async () => {
    const { client, publisher } = await behindWindow(broker, 3, 6, [1]);
    const sent = await exactly(client, 3);
    await client.close();
    const options = { clientId: client.clientId, clean: false, autoAck: false };
    const smaller = await broker.connect({ ...options, properties: { ...DURABLE, receiveMaximum: 2 } });
    const again = await exactly(smaller, 2);
    expect(again.map(({ packetId, dup }) => [packetId, dup])).toEqual(sent.slice(0, 2).map(({ packetId }) => [packetId, true]));
    smaller.send(acknowledgement(PUBACK, again[0]!.packetId));
    expect((await exactly(smaller, 1))[0]).toMatchObject({ packetId: sent[2]!.packetId, dup: true });
    await smaller.close();
    const larger = await broker.connect({ ...options, properties: { ...DURABLE, receiveMaximum: 10 } });
    expect((await larger.messages(5)).map(textOf)).toEqual(["1", "2", "3", "4", "5"]);
    await larger.silence(publisher);
  });

  it("[5.0/4.9/reset] [MQTT5-3.3.4-9] an exchange whose PUBREL is outstanding counts after a resume", async () => {
    const { client } = await behindWindow(broker, 1, 2, [2]);
    const [one] = await exactly(client, 1);
    client.send(acknowledgement(PUBREC, one!.packetId));
    await client.expect(PUBREL);
    await client.close();
    const properties = { ...DURABLE, receiveMaximum: 1 };
    const again = await broker.connect({ clientId: client.clientId, clean: false, properties, autoAck: false });
    await again.expect(PUBREL);
    await again.silence();
    again.send(acknowledgement(PUBCOMP, one!.packetId));
    expect((await exactly(again, 1)).map(textOf)).toEqual(["1"]);
  });

  it("[MQTT5-3.3.4-9] retained messages wait for the window too", async () => {
    const base = unique();
    const client = await broker.connect({ properties: { receiveMaximum: 2 }, autoAck: false });
    for (let i = 0; i < 5; i += 1) await client.publish(`${base}/${i}`, String(i), { qos: 1, retain: true });
    await client.subscribe(`${base}/#`, { qos: 1 });
    const [one] = await exactly(client, 2);
    client.send(acknowledgement(PUBACK, one!.packetId));
    await exactly(client, 1);
    for (let i = 0; i < 5; i += 1) await client.publish(`${base}/${i}`, "", { retain: true, qos: 1 });
  });

  it("[MQTT5-4.9.0-1] without Receive Maximum more than one message is under way", async () => {
    const topic = unique();
    const client = await broker.connect({ autoAck: false });
    await client.subscribe(topic, { qos: 1 });
    for (let i = 0; i < 20; i += 1) await client.publish(topic, "", { qos: 1 });
    await client.messages(20);
  });

  it("[MQTT5-3.1.2-24] [MQTT5-3.1.2-25] drops what is too large for a client, and only for it; nothing is held up", async () => {
    const topic = unique();
    const overhead = 1 + 1 + 2 + topic.length + 2 + 1;
    const properties = { maximumPacketSize: 100, receiveMaximum: 1 };
    const small = await broker.connect({ properties });
    const large = await broker.connect();
    for (const client of [small, large]) await client.subscribe(topic, { qos: 2 });
    const fits = "f".repeat(100 - overhead);
    for (const qos of [0, 1, 2] as const) {
      // QoS 0 has no Packet Identifier.
      const exact = qos === 0 ? `${fits}ff` : fits;
      for (const payload of [`${exact}x`, exact, "z".repeat(5000), "after"]) await large.publish(topic, payload, { qos });
      const messages = await small.messages(2);
      expect(messages.map(textOf)).toEqual([exact, "after"]);
      expect(small.rawOf(messages[0]!).length).toBe(100);
      expect(await large.texts(4)).toHaveLength(4);
    }
    await small.silence(large);
  });

  it("[MQTT5-3.1.2-24] counts properties and identifiers as part of the packet", async () => {
    const topic = unique();
    const client = await broker.connect({ properties: { maximumPacketSize: 100 } });
    await client.subscribe(topic, { qos: 1, properties: { subscriptionIdentifiers: [268_435_455] } });
    const publisher = await broker.connect();
    for (const qos of [0, 1] as const) {
      await publisher.publish(topic, "x", { qos, properties: { userProperties: [["name", "v".repeat(100)]] } });
      await publisher.publish(topic, "y".repeat(78), { qos });
      await publisher.publish(topic, "last", { qos });
    }
    expect(await client.texts(2)).toEqual(["last", "last"]);
    for (const packet of client.arrived) expect(client.rawOf(packet).length).toBeLessThanOrEqual(100);
  });

  it("[MQTT5-3.1.2-25] drops what is too large among queued and retained messages, and delivers the rest", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.subscribe(topic, { qos: 1 });
    await client.close();
    for (const payload of ["1", "x".repeat(500), "2", "y".repeat(500), "3"]) await publisher.publish(topic, payload, { qos: 1 });
    const properties = { maximumPacketSize: 60, receiveMaximum: 1 };
    const again = await broker.connect({ clientId, clean: false, properties });
    expect(await again.texts(3)).toEqual(["1", "2", "3"]);
    await publisher.publish(`${topic}/large`, "x".repeat(500), { qos: 1, retain: true });
    await publisher.publish(`${topic}/small`, "kept", { qos: 1, retain: true });
    await again.subscribe(`${topic}/+`, { qos: 1 });
    expect(await again.texts(1)).toEqual(["kept"]);
    expect(again.arrived.filter(({ type }) => type === PUBLISH)).toHaveLength(4);
  });

  it("[MQTT5-3.1.2-24] [MQTT5-3.11.2-1] keeps every other packet within the limit as well", async () => {
    const client = await broker.connect({ properties: { maximumPacketSize: 40 } });
    await client.subscribe("a#");
    await client.unsubscribe("a#");
    await client.publish("$SYS/x", "", { qos: 1 });
    await client.publish("$SYS/x", "", { qos: 2 });
    client.sendBytes(raw(0x30, field("a/+"), "00"));
    await client.closed;
    for (const packet of client.arrived) expect(client.rawOf(packet).length).toBeLessThanOrEqual(40);
  });
});

describe5(
  (broker) => {
    it("[MQTT5-3.3.4-9] a queue that is full drops its oldest messages, not the connection", async () => {
      const { client, publisher, topic } = await behindWindow(broker, 1, 8, [1]);
      expect((await exactly(client, 1)).map(textOf)).toEqual(["0"]);
      client.autoAck = true;
      client.send(acknowledgement(PUBACK, 1));
      expect(await client.texts(3)).toEqual(["5", "6", "7"]);
      await publisher.publish(topic, "live", { qos: 1 });
      expect(await client.texts(1)).toEqual(["live"]);
      client.send(publishPacket(topic, "", { qos: 0 }));
    });
  },
  { QUEUE_MESSAGES_MAX: "3" },
);
