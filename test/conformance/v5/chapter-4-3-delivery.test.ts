/** MQTT 5.0, chapters 4.1 to 4.6: sessions, QoS handshakes, resending, order. */

import { expect, it } from "vitest";
import { type Packet, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL } from "../../../src/mqtt/packet.ts";
import { acknowledgement, type MqttTestClient, publishPacket, textOf, unique } from "../../support/mqtt-client.ts";
import { describe5, hex, wait } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

const publishes = (client: MqttTestClient) => client.arrived.filter((packet) => packet.type === PUBLISH);

describe5((broker) => {
  it("[MQTT5-4.2.0-1] [MQTT5-4.1.0-1] keeps a session for as long as its connection, however short its expiry", async () => {
    const topic = unique();
    const client = await broker.connect({ properties: { sessionExpiryInterval: 1 } });
    await client.subscribe(topic, { qos: 2 });
    await wait(1300);
    await client.publish(topic, "x", { qos: 2 });
    expect(await client.texts(1)).toEqual(["x"]);
  });

  it("[5.0/4.1/retained] the end of a session leaves its retained messages", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.publish(topic, "stays", { qos: 1, retain: true });
    await client.disconnect();
    const other = await broker.connect();
    await other.subscribe(topic);
    expect(await other.texts(1)).toEqual(["stays"]);
  });

  it("[5.0/4.1/qos0] keeps no QoS 0 message for a client that is away, whatever made it QoS 0", async () => {
    const clientId = unique();
    const base = unique();
    const publisher = await broker.connect();
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.subscribe(`${base}/1`, { qos: 1 });
    await client.subscribe(`${base}/0`, { qos: 0 });
    await client.close();
    await publisher.publish(`${base}/1`, "0", { qos: 0 });
    await publisher.publish(`${base}/0`, "1", { qos: 1 });
    await publisher.publish(`${base}/1`, "1", { qos: 1 });
    const again = await broker.connect({ clientId, clean: false });
    expect(await again.texts(1)).toEqual(["1"]);
    await again.silence(publisher);
  });

  it("[MQTT5-4.3.1-1] delivers QoS 0 once, without Packet Identifier", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 2 });
    await client.publish(topic, "x", { qos: 0 });
    expect(await client.message()).toMatchObject({ qos: 0, dup: false, packetId: 0 });
    await client.silence(client);
  });

  it("[MQTT5-4.3.2-3] [MQTT5-4.4.0-1] [MQTT5-3.3.1-1] resends QoS 1 until PUBACK, in order, under its number", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    let client = await broker.connect({ clientId, properties: DURABLE, autoAck: false });
    await client.subscribe(topic, { qos: 1 });
    for (const payload of ["1", "2", "3"]) await publisher.publish(topic, payload, { qos: 1 });
    const sent = await client.messages(3);
    for (let i = 0; i < 3; i += 1) {
      await client.close();
      client = await broker.connect({ clientId, clean: false, properties: DURABLE, autoAck: false });
      const again = await client.messages(3 - i);
      expect(again.map((message) => [message.packetId, message.dup, textOf(message)])).toEqual(
        sent.slice(i).map((message) => [message.packetId, true, textOf(message)]),
      );
      client.send(acknowledgement(PUBACK, again[0]!.packetId));
      await client.silence();
    }
    await client.close();
    const last = await broker.connect({ clientId, clean: false });
    await last.silence(publisher);
  });

  it("[MQTT5-4.3.3-3] [MQTT5-4.3.3-5] [MQTT5-4.3.3-6] [MQTT5-4.4.0-1] resends PUBLISH until PUBREC, then PUBREL until PUBCOMP, and never PUBLISH again", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const options = { clientId, clean: false, properties: DURABLE, autoAck: false };
    let client = await broker.connect(options);
    await client.subscribe(topic, { qos: 2 });
    await publisher.publish(topic, "x", { qos: 2 });
    const { packetId } = await client.message();
    for (let i = 0; i < 2; i += 1) {
      await client.close();
      client = await broker.connect(options);
      expect(await client.message()).toMatchObject({ packetId, dup: true, qos: 2 });
    }
    client.send(acknowledgement(PUBREC, packetId));
    expect(await client.expect(PUBREL)).toMatchObject({ packetId, reasonCode: 0 });
    for (let i = 0; i < 2; i += 1) {
      await client.close();
      client = await broker.connect(options);
      expect(await client.expect(PUBREL)).toMatchObject({ packetId, reasonCode: 0 });
      expect(hex(client.rawOf(client.arrived.at(-1)!)).slice(0, 2)).toBe("62");
      await client.silence();
    }
    // A PUBREC that is repeated, as after a lost PUBREL, is answered again.
    client.send(acknowledgement(PUBREC, packetId));
    expect(await client.expect(PUBREL)).toMatchObject({ packetId, reasonCode: 0 });
    client.send(acknowledgement(PUBCOMP, packetId));
    await client.silence();
    await client.close();
    client = await broker.connect(options);
    await client.silence(publisher);
  });

  it("[MQTT5-4.4.0-1] [MQTT5-4.6.0-5] resumes with everything in its order: what was sent with its old number, then what waited", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const options = { clientId, clean: false, properties: { ...DURABLE, receiveMaximum: 4 }, autoAck: false };
    const client = await broker.connect(options);
    await client.subscribe(topic, { qos: 2 });
    for (let i = 1; i <= 8; i += 1) await publisher.publish(topic, String(i), { qos: i % 2 === 0 ? 2 : 1 });
    const sent = await client.messages(4);
    expect(sent.map(textOf)).toEqual(["1", "2", "3", "4"]);
    // 2 is received: only its PUBREL is outstanding.
    client.send(acknowledgement(PUBREC, sent[1]!.packetId));
    await client.expect(PUBREL);
    await client.close();
    const again = await broker.connect({ ...options, properties: DURABLE });
    expect((await again.expect(PUBREL)).packetId).toBe(sent[1]!.packetId);
    const messages = await again.messages(7);
    expect(messages.map(textOf)).toEqual(["1", "3", "4", "5", "6", "7", "8"]);
    expect(messages.map(({ dup }) => dup)).toEqual([true, true, true, false, false, false, false]);
    expect(messages.slice(0, 3).map(({ packetId }) => packetId)).toEqual([sent[0]!, sent[2]!, sent[3]!].map(({ packetId }) => packetId));
    expect(new Set([...messages.map(({ packetId }) => packetId), sent[1]!.packetId]).size).toBe(8);
  });

  it("[5.0/4.4/no-timer] [MQTT5-4.4.0-1] resends nothing on a live connection", async () => {
    const topic = unique();
    const client = await broker.connect({ autoAck: false, properties: DURABLE });
    await client.subscribe(topic, { qos: 2 });
    await client.publish(topic, "1", { qos: 1 });
    await client.publish(topic, "2", { qos: 2 });
    const [, second] = await client.messages(2);
    client.send(acknowledgement(PUBREC, second!.packetId));
    await client.expect(PUBREL);
    await wait(1500);
    await client.silence();
    expect(publishes(client)).toHaveLength(2);
  });

  it("[MQTT5-4.4.0-2] [MQTT5-4.3.3-4] a message that the client refused is over: no PUBREL, no repeat", async () => {
    const clientId = unique();
    const topic = unique();
    const options = { clientId, clean: false, properties: DURABLE, autoAck: false };
    const publisher = await broker.connect();
    const client = await broker.connect(options);
    await client.subscribe(topic, { qos: 2 });
    await publisher.publish(topic, "1", { qos: 1 });
    await publisher.publish(topic, "2", { qos: 2 });
    const [first, second] = await client.messages(2);
    client.send(acknowledgement(PUBACK, first!.packetId, 0x97), acknowledgement(PUBREC, second!.packetId, 0x80));
    await client.silence();
    await client.close();
    const again = await broker.connect(options);
    await again.silence(publisher);
  });

  it("[MQTT5-4.3.3-10] [MQTT5-4.3.3-9] repeats before PUBREL are answered each time and delivered once, over reconnects too", async () => {
    const clientId = unique();
    const topic = unique();
    const watcher = await broker.connect();
    await watcher.subscribe(topic, { qos: 2 });
    const client = await broker.connect({ clientId, properties: DURABLE });
    const packet = publishPacket(topic, "once", { qos: 2, packetId: 21 });
    for (const dup of [false, true, true, false]) {
      const answer = client.acknowledged(PUBREC, 21);
      client.send({ ...packet, dup });
      expect((await answer).reasonCode).toBeLessThan(0x80);
    }
    await client.close();
    const again = await broker.connect({ clientId, clean: false, properties: DURABLE });
    for (let i = 0; i < 3; i += 1) {
      const answer = again.acknowledged(PUBREC, 21);
      again.send({ ...packet, dup: true });
      expect((await answer).reasonCode).toBeLessThan(0x80);
    }
    const completed = again.acknowledged(PUBCOMP, 21);
    again.send(acknowledgement(PUBREL, 21));
    expect((await completed).reasonCode).toBe(0);
    expect(await watcher.texts(1)).toEqual(["once"]);
    await again.publish(topic, "new", { qos: 2, packetId: 21, dup: true });
    expect(await watcher.texts(1)).toEqual(["new"]);
    await watcher.silence(again);
  });

  it("[MQTT5-4.3.3-10] repeats that come together with the first are delivered once", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 2 });
    const packet = publishPacket(topic, "once", { qos: 2, packetId: 3 });
    const answers = [1, 2, 3].map(() => client.acknowledged(PUBREC, 3));
    client.sendTogether(packet, { ...packet, dup: true }, { ...packet, dup: true });
    await Promise.all(answers);
    const completed = client.acknowledged(PUBCOMP, 3);
    client.send(acknowledgement(PUBREL, 3));
    await completed;
    expect(await client.texts(1)).toEqual(["once"]);
    await client.silence(client);
  });

  it("[MQTT5-4.5.0-1] gives an accepted message to every session that subscribes, online or not", async () => {
    const topic = unique();
    const online: MqttTestClient[] = [];
    const offline: string[] = [];
    for (let i = 0; i < 8; i += 1) {
      const client = await broker.connect({ properties: DURABLE });
      await client.subscribe(i % 2 === 0 ? topic : `${topic}/#`, { qos: 2 });
      if (i % 4 < 2) online.push(client);
      else {
        await client.close();
        offline.push(client.clientId);
      }
    }
    const publisher = await broker.connect();
    for (const qos of [1, 2] as const) await publisher.publish(topic, String(qos), { qos });
    const back = await Promise.all(offline.map((clientId) => broker.connect({ clientId, clean: false })));
    for (const client of [...online, ...back]) {
      expect(await client.texts(2)).toEqual(["1", "2"]);
      await client.silence();
    }
  });

  it("[MQTT5-4.6.0-5] [MQTT5-4.6.0-6] [5.0/4.6/server-acks] keeps the order of a publisher's messages, and of its answers", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    const watchers = await Promise.all([0, 1, 2].map(() => broker.connect()));
    for (const [i, watcher] of watchers.entries()) await watcher.subscribe(i === 1 ? `${topic}/#` : topic, { qos: 2 });
    const packets: Packet[] = [];
    for (let i = 1; i <= 60; i += 1) {
      const qos = (i % 3) as 0 | 1 | 2;
      packets.push(publishPacket(topic, `${qos} ${i}`, { qos, packetId: qos === 0 ? 0 : i }));
    }
    // In three frames, so that they come in batches.
    for (let at = 0; at < 60; at += 20) publisher.sendTogether(...packets.slice(at, at + 20));
    for (const watcher of watchers) {
      const texts = await watcher.texts(60);
      for (const qos of ["0", "1", "2"]) {
        const numbers = texts.filter((each) => each.startsWith(qos)).map((each) => Number(each.slice(2)));
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        expect(numbers).toHaveLength(20);
      }
    }
    await publisher.ping();
    for (const type of [PUBACK, PUBREC] as const) {
      const ids = publisher.arrived.flatMap((packet) => (packet.type === type ? [packet.packetId] : []));
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      expect(ids).toHaveLength(20);
    }
  });

  it("[MQTT5-4.6.0-5] a message that was queued comes before one that is live", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.subscribe(topic, { qos: 1 });
    await client.close();
    for (let i = 0; i < 50; i += 1) publisher.send(publishPacket(topic, String(i), { qos: 1, packetId: i + 1 }));
    const again = await broker.connect({ clientId, clean: false });
    for (let i = 50; i < 100; i += 1) publisher.send(publishPacket(topic, String(i), { qos: 1, packetId: i + 1 }));
    expect(await again.texts(100)).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
  });
});
