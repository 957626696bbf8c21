/** Chapters 4.1 to 4.6 of MQTT 3.1.1: session state, QoS, delivery again, receipt, order. */

import { expect, it } from "vitest";
import { PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { acknowledgement, type MqttTestClient, publishPacket, textOf, unique } from "../../support/mqtt-client.ts";
import { keptSession, observer } from "./support.ts";

/** Starts exchanges in every state they can be in at a client that went away. */
async function leaveEverythingOpen(client: MqttTestClient, topic: string): Promise<{ one: number; two: number; released: number }> {
  await client.subscribe(topic, { qos: 2 });
  await client.publish(topic, "qos 1", { qos: 1 });
  await client.publish(topic, "qos 2", { qos: 2 });
  await client.publish(topic, "qos 2 released", { qos: 2 });
  const [one, two, released] = (await client.messages(3)).map(({ packetId }) => packetId) as [number, number, number];
  client.send(acknowledgement(PUBREC, released));
  await client.expect(PUBREL);
  return { one, two, released };
}

describeTopologies((broker) => {
  it("[MQTT311-4.1.0-1] a kept session holds its subscriptions, messages in flight and waiting, and the ids of received QoS 2 messages", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const watcher = await observer(broker, `${topic}/up`);
    const client = await keptSession(broker, clientId, { autoAck: false });
    const { one, two, released } = await leaveEverythingOpen(client, topic);
    client.send(publishPacket(`${topic}/up`, "once", { qos: 2, packetId: 77 }));
    await client.expect(PUBREC);
    client.terminate();
    await client.closed;
    await watcher.publish(topic, "waiting", { qos: 1 });

    const again = await keptSession(broker, clientId, { autoAck: false });
    expect(again.connack).toMatchObject({ sessionPresent: true });
    expect(await again.expect(PUBREL)).toMatchObject({ packetId: released });
    const messages = await again.messages(3);
    expect(messages.map((message) => [textOf(message), message.dup])).toEqual([
      ["qos 1", true],
      ["qos 2", true],
      ["waiting", false],
    ]);
    expect(messages.slice(0, 2).map(({ packetId }) => packetId)).toEqual([one, two]);
    again.send(publishPacket(`${topic}/up`, "once", { qos: 2, packetId: 77, dup: true }));
    expect(await again.expect(PUBREC)).toMatchObject({ packetId: 77 });
    const completed = again.acknowledged(PUBCOMP, 77);
    again.send(acknowledgement(PUBREL, 77));
    await completed;
    expect(await watcher.texts(1)).toEqual(["once"]);
    await watcher.silence(watcher);
  });

  it("[MQTT311-4.1.0-1] a session of Clean Session 1 holds the same for as long as it lasts", async () => {
    const topic = unique();
    const client = await broker.connect({ autoAck: false });
    const { one, two, released } = await leaveEverythingOpen(client, topic);
    client.send(acknowledgement(PUBCOMP, released), acknowledgement(PUBREC, two), acknowledgement(PUBACK, one));
    expect(await client.expect(PUBREL)).toMatchObject({ packetId: two });
    client.send(acknowledgement(PUBCOMP, two));
    await client.silence(client);
  });

  it("[MQTT311-4.3.1-1] QoS 0 is one PUBLISH and nothing else, and not kept for who is away", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const client = await keptSession(broker, clientId, { autoAck: false });
    await client.subscribe(topic, { qos: 2 });
    const publisher = await broker.connect();
    await publisher.publish(topic, "live", { qos: 0 });
    expect(await client.message()).toMatchObject({ qos: 0, dup: false, packetId: 0 });
    client.terminate();
    await client.closed;
    const again = await keptSession(broker, clientId, { autoAck: false });
    await again.silence(publisher);
    again.terminate();
    await again.closed;
    await publisher.publish(topic, "missed", { qos: 0 });
    await publisher.silence(publisher);
    await (await keptSession(broker, clientId, { autoAck: false })).silence(publisher);
  });

  it("[MQTT311-4.3.2-1] as sender at QoS 1 the broker sends first with DUP 0 and waits for PUBACK, and for no other acknowledgement", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const client = await keptSession(broker, clientId, { autoAck: false });
    await client.subscribe(topic, { qos: 1 });
    await client.publish(topic, "", { qos: 1 });
    const { packetId, dup } = await client.message();
    expect(dup).toBe(false);
    client.send(acknowledgement(PUBACK, packetId + 1), acknowledgement(PUBCOMP, packetId));
    client.terminate();
    const again = await keptSession(broker, clientId, { autoAck: false });
    expect(await again.message()).toMatchObject({ packetId, dup: true });
    again.send(acknowledgement(PUBACK, packetId));
    await again.silence();
    await again.disconnect();
    await (await keptSession(broker, clientId)).silence();
  });

  it("[MQTT311-4.3.2-2] as receiver at QoS 1 the broker takes a Packet Identifier that it has acknowledged for a new message, even with DUP 1", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 1 });
    for (const dup of [false, true, false]) {
      await client.publish(topic, "", { qos: 1, packetId: 5, dup });
      expect(await client.message()).toMatchObject({ dup: false });
    }
  });

  it("[MQTT311-4.3.3-1] as sender at QoS 2 the broker answers PUBREC with PUBREL, never sends PUBLISH again after it, and PUBREL until PUBCOMP", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const first = await keptSession(broker, clientId, { autoAck: false });
    await first.subscribe(topic, { qos: 2 });
    await first.publish(topic, "", { qos: 2 });
    const { packetId, dup } = await first.message();
    expect(dup).toBe(false);
    first.send(acknowledgement(PUBREC, packetId));
    expect(await first.expect(PUBREL)).toMatchObject({ packetId });
    first.terminate();
    for (let round = 0; round < 2; round += 1) {
      const client = await keptSession(broker, clientId, { autoAck: false });
      expect(await client.expect(PUBREL)).toMatchObject({ packetId });
      client.send(acknowledgement(PUBREC, packetId));
      expect(await client.expect(PUBREL)).toMatchObject({ packetId });
      await client.silence();
      client.terminate();
    }
    const last = await keptSession(broker, clientId, { autoAck: false });
    await last.expect(PUBREL);
    last.send(acknowledgement(PUBCOMP, packetId));
    await last.silence();
    await last.disconnect();
    await (await keptSession(broker, clientId, { autoAck: false })).silence();
  });

  it("[MQTT311-4.3.3-2] as receiver at QoS 2 the broker hands on once, however often PUBLISH is repeated before PUBREL; then the id is new", async () => {
    const topic = unique();
    const watcher = await observer(broker, topic);
    const client = await broker.connect({ autoAck: false });
    for (const payload of ["first", "second"]) {
      const publish = publishPacket(topic, payload, { qos: 2, packetId: 9 });
      client.send(publish, { ...publish, dup: true }, publish);
      for (let count = 0; count < 3; count += 1) expect(await client.expect(PUBREC)).toMatchObject({ packetId: 9 });
      client.send(acknowledgement(PUBREL, 9), acknowledgement(PUBREL, 9));
      for (let count = 0; count < 2; count += 1) expect(await client.expect(PUBCOMP)).toMatchObject({ packetId: 9 });
    }
    expect(await watcher.texts(2)).toEqual(["first", "second"]);
    await watcher.silence(watcher);
  });

  it("[MQTT311-4.3.3-2] a QoS 2 message that is repeated on a new connection is handed on no second time, before or after PUBREC", async () => {
    const topic = unique();
    const watcher = await observer(broker, topic);
    const clientId = unique("kept");
    const publish = publishPacket(topic, "once", { qos: 2, packetId: 3 });
    (await keptSession(broker, clientId, { autoAck: false })).send(publish);
    expect(await watcher.texts(1)).toEqual(["once"]);
    for (let round = 0; round < 2; round += 1) {
      const client = await keptSession(broker, clientId, { autoAck: false });
      client.send({ ...publish, dup: true });
      expect(await client.expect(PUBREC)).toMatchObject({ packetId: 3 });
      client.terminate();
    }
    await watcher.silence(watcher);
  });

  it("[MQTT311-4.4.0-1] [MQTT311-4.6.0-1] on its return a kept session gets what it did not acknowledge, with the same ids, in the old order, before what is new", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const client = await keptSession(broker, clientId, { autoAck: false });
    await client.subscribe(topic, { qos: 2 });
    for (let index = 0; index < 10; index += 1) await client.publish(topic, String(index), { qos: index % 2 === 0 ? 1 : 2 });
    const sent = await client.messages(10);
    client.send(acknowledgement(PUBACK, sent[4]!.packetId), acknowledgement(PUBREC, sent[3]!.packetId));
    await client.expect(PUBREL);
    client.send(acknowledgement(PUBCOMP, sent[3]!.packetId));
    await client.silence();
    client.terminate();
    await client.closed;
    const publisher = await broker.connect();
    await publisher.publish(topic, "new", { qos: 1 });
    const again = await keptSession(broker, clientId, { autoAck: false });
    const left = sent.filter((_, index) => index !== 3 && index !== 4);
    const messages = await again.messages(left.length + 1);
    expect(messages.slice(0, -1).map(({ packetId, payload, dup }) => ({ packetId, payload, dup }))).toEqual(
      left.map(({ packetId, payload }) => ({ packetId, payload, dup: true })),
    );
    expect(messages.at(-1)).toMatchObject({ dup: false });
  });

  it("[MQTT311-4.5.0-1] a message goes to the session of every client with a matching subscription, connected or not", async () => {
    const topic = unique();
    const ids = Array.from({ length: 6 }, () => unique("kept"));
    const clients = await Promise.all(ids.map((clientId) => keptSession(broker, clientId)));
    await Promise.all(clients.map((client, index) => client.subscribe(index % 2 === 0 ? topic : `${topic}/#`, { qos: 1 })));
    await Promise.all(clients.slice(3).map((client) => client.disconnect()));
    const publisher = await broker.connect();
    await publisher.publish(topic, "to all", { qos: 1 });
    const back = await Promise.all(ids.slice(3).map((clientId) => keptSession(broker, clientId)));
    for (const client of [...clients.slice(0, 3), ...back]) {
      expect(await client.texts(1)).toEqual(["to all"]);
      await client.silence();
    }
  });

  it("[MQTT311-4.5.0-1] a message that nobody wants is acknowledged all the same", async () => {
    const client = await broker.connect();
    expect(await client.publish(unique(), "", { qos: 1 })).toMatchObject({ type: PUBACK });
    expect(await client.publish(unique(), "", { qos: 2 })).toMatchObject({ type: PUBCOMP });
  });

  it("[MQTT311-4.6.0-2] [MQTT311-4.6.0-3] PUBACKs and PUBRECs leave in the order in which their PUBLISHes came, whatever topics they were for", async () => {
    const client = await broker.connect({ autoAck: false });
    const ids = [40, 3, 17, 9, 88, 2, 51, 6];
    for (const [qos, answer] of [
      [1, PUBACK],
      [2, PUBREC],
    ] as const) {
      for (const packetId of ids) client.send(publishPacket(unique(), "", { qos, packetId }));
      for (const packetId of ids) expect(await client.expect(answer)).toMatchObject({ packetId });
    }
  });

  it("[MQTT311-4.6.0-4] PUBRELs leave in the order in which PUBRECs came", async () => {
    const topic = unique();
    const client = await broker.connect({ autoAck: false });
    await client.subscribe(topic, { qos: 2 });
    for (let index = 0; index < 6; index += 1) await client.publish(topic, "", { qos: 2 });
    const ids = (await client.messages(6)).map(({ packetId }) => packetId);
    const shuffled = [ids[3]!, ids[0]!, ids[5]!, ids[1]!, ids[4]!, ids[2]!];
    for (const packetId of shuffled) client.send(acknowledgement(PUBREC, packetId));
    for (const packetId of shuffled) expect(await client.expect(PUBREL)).toMatchObject({ packetId });
  });

  it("[MQTT311-4.6.0-5] [MQTT311-4.6.0-6] every topic is ordered: what one client publishes at one QoS arrives in that order", async () => {
    const topic = unique();
    const subscriber = await broker.connect();
    await subscriber.subscribe(`${topic}/#`, { qos: 2 });
    const publisher = await broker.connect({ autoAck: false });
    const name = (index: number): string => `${topic}/${index % 5}`;
    const payloads = Array.from({ length: 150 }, (_, index) => String(index));
    for (const [index, payload] of payloads.entries()) {
      const qos = (index % 3) as 0 | 1 | 2;
      publisher.send(publishPacket(name(index), payload, { qos, packetId: qos === 0 ? 0 : index + 1 }));
    }
    const messages = await subscriber.messages(150);
    for (let residue = 0; residue < 15; residue += 1) {
      const arrived = messages.filter((message) => message.topic === name(residue) && message.qos === residue % 3).map(textOf);
      expect(arrived).toEqual(payloads.filter((_, index) => index % 15 === residue));
    }
    await subscriber.silence();
  });

  it("[MQTT311-4.6.0-6] a queue of waiting messages is delivered in order, also beyond the window of messages in flight", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const client = await keptSession(broker, clientId);
    await client.subscribe(topic, { qos: 2 });
    await client.disconnect();
    const publisher = await broker.connect();
    const payloads = Array.from({ length: 100 }, (_, index) => String(index));
    for (const [index, payload] of payloads.entries()) publisher.send(publishPacket(topic, payload, { qos: 1, packetId: index + 1 }));
    for (const _ of payloads) await publisher.expect(PUBACK);
    const again = await keptSession(broker, clientId);
    expect(await again.texts(100)).toEqual(payloads);
    await again.silence();
  });

  it("[3.1.1/4.4/timer] what is not acknowledged is not sent again on the same connection, whatever else happens there", async () => {
    const topic = unique();
    const client = await broker.connect({ autoAck: false });
    await client.subscribe(topic, { qos: 1 });
    await client.publish(topic, "", { qos: 1 });
    await client.message();
    await client.ping();
    await client.publish(unique(), "", { qos: 2 });
    await client.silence(client);
    expect(client.arrived.filter((packet) => packet.type === PUBLISH && packet.topic === topic)).toHaveLength(1);
  });
});
