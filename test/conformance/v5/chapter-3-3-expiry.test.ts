/** MQTT 5.0, chapters 3.3.2.3.3 and 3.1.2.11.2: messages and sessions that expire. */

import { expect, it } from "vitest";
import { PUBACK, PUBCOMP, PUBREC, PUBREL } from "../../../src/mqtt/packet.ts";
import { acknowledgement, request, textOf, unique } from "../../support/mqtt-client.ts";
import { describe5, wait } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

describe5((broker) => {
  it("[MQTT5-3.3.2-6] forwards the Message Expiry Interval of a message that did not wait", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 2 });
    for (const qos of [0, 1, 2] as const) {
      for (const messageExpiryInterval of [1, 300, 0xffff_ffff]) {
        await client.publish(topic, "", { qos, properties: { messageExpiryInterval } });
        expect((await client.message()).properties.messageExpiryInterval).toBe(messageExpiryInterval);
      }
    }
  });

  it("[5.0/3.3.2.3.3/absent] adds no expiry to a message without", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 1 });
    await client.publish(topic, "", { qos: 1, retain: true });
    expect((await client.message()).properties).toEqual({});
    await client.publish(topic, "kept", { qos: 1, retain: true });
    await client.message();
    await client.subscribe(topic, { qos: 1 });
    expect((await client.message()).properties).toEqual({});
  });

  // One wait for all that needs time: what was stored before it is looked at after it.
  it("[MQTT5-3.3.2-5] [MQTT5-3.3.2-6] [5.0/3.3.1.3/expiry] [5.0/3.3.2.3.3/absent] [MQTT5-4.3.3-7] [MQTT5-4.3.3-13] expiry counts in queues, windows and retained messages, but not once a message was sent", async () => {
    const base = unique();
    const publisher = await broker.connect();
    const ids = { offline: unique(), old: unique(), sent: unique() };

    const offline = await broker.connect({ clientId: ids.offline, properties: DURABLE });
    await offline.subscribe(`${base}/queue`, { qos: 2 });
    await offline.close();
    const old = await broker.connect({ version: 4, clientId: ids.old, clean: false });
    await old.subscribe(`${base}/queue`, { qos: 1 });
    await old.close();
    // One that was sent and is not answered; behind it one that waits for the window.
    const sent = await broker.connect({ clientId: ids.sent, properties: { ...DURABLE, receiveMaximum: 1 }, autoAck: false });
    await sent.subscribe(`${base}/sent`, { qos: 2 });
    const window = await broker.connect({ properties: { receiveMaximum: 1 }, autoAck: false });
    await window.subscribe(`${base}/window`, { qos: 1 });

    const brief = { messageExpiryInterval: 1 };
    const long = { messageExpiryInterval: 100 };
    for (const qos of [1, 2] as const) {
      await publisher.publish(`${base}/queue`, `brief ${qos}`, { qos, properties: brief });
      await publisher.publish(`${base}/queue`, `long ${qos}`, { qos, properties: long });
      await publisher.publish(`${base}/queue`, `for ever ${qos}`, { qos });
    }
    await publisher.publish(`${base}/sent`, "sent", { qos: 2, properties: brief });
    const { packetId } = await sent.message();
    sent.send(acknowledgement(PUBREC, packetId));
    await sent.expect(PUBREL);
    for (const payload of ["1", "2"]) await publisher.publish(`${base}/window`, payload, { qos: 1, properties: brief });
    await publisher.publish(`${base}/window`, "3", { qos: 1, properties: long });
    const inWindow = await window.message();
    await publisher.publish(`${base}/kept/brief`, "brief", { qos: 1, retain: true, properties: brief });
    await publisher.publish(`${base}/kept/long`, "long", { qos: 1, retain: true, properties: long });
    await wait(2100);

    const back = await broker.connect({ clientId: ids.offline, clean: false });
    const messages = await back.messages(4);
    expect(messages.map(textOf)).toEqual(["long 1", "for ever 1", "long 2", "for ever 2"]);
    for (const message of messages) {
      const left = message.properties.messageExpiryInterval;
      if (textOf(message).startsWith("long")) expect(left).toBeOneOf([96, 97, 98]);
      else expect(left).toBeUndefined();
    }
    await back.silence(publisher);
    const oldBack = await broker.connect({ version: 4, clientId: ids.old, clean: false });
    expect(await oldBack.texts(4)).toEqual(["long 1", "for ever 1", "long 2", "for ever 2"]);
    await oldBack.silence(publisher);

    const sentBack = await broker.connect({ clientId: ids.sent, clean: false, autoAck: false });
    expect(await sentBack.expect(PUBREL)).toMatchObject({ packetId });
    sentBack.send(acknowledgement(PUBCOMP, packetId));
    await sentBack.silence();

    window.send(acknowledgement(PUBACK, inWindow.packetId));
    const [next] = await window.messages(1);
    expect(textOf(next!)).toBe("3");
    expect(next!.properties.messageExpiryInterval).toBeOneOf([96, 97, 98]);

    const later = await broker.connect();
    await later.subscribe(`${base}/kept/#`, { qos: 1 });
    const kept = await later.message();
    expect(textOf(kept)).toBe("long");
    expect(kept.properties.messageExpiryInterval).toBeOneOf([96, 97, 98]);
    await later.silence(publisher);
  });

  it("[MQTT5-4.3.3-7] [MQTT5-3.3.2-5] a message that was sent before it expired is sent again on resume", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const client = await broker.connect({ clientId, properties: DURABLE, autoAck: false });
    await client.subscribe(topic, { qos: 2 });
    await publisher.publish(topic, "sent", { qos: 2, properties: { messageExpiryInterval: 1 } });
    const { packetId } = await client.message();
    await client.close();
    await wait(1200);
    const back = await broker.connect({ clientId, clean: false, autoAck: false });
    expect(await back.message()).toMatchObject({ packetId, dup: true, qos: 2 });
    back.send(acknowledgement(PUBREC, packetId));
    expect((await back.expect(PUBREL)).packetId).toBe(packetId);
  });

  it("[MQTT5-4.1.0-2] [MQTT5-3.1.2-23] [5.0/3.14.2.2.2/replace] [5.0/4.1/retained] a session expires after its time, not before; what it retained stays", async () => {
    const base = unique();
    const brief = { sessionExpiryInterval: 1 };
    const publisher = await broker.connect();
    const ids = { lost: unique(), said: unique(), shortened: unique(), prolonged: unique(), kept: unique() };
    const lost = await broker.connect({ clientId: ids.lost, properties: brief });
    const said = await broker.connect({ clientId: ids.said, properties: brief });
    const shortened = await broker.connect({ clientId: ids.shortened, properties: DURABLE });
    const prolonged = await broker.connect({ clientId: ids.prolonged, properties: brief });
    const kept = await broker.connect({ clientId: ids.kept, properties: { sessionExpiryInterval: 0xffff_ffff } });
    for (const client of [lost, said, shortened, prolonged, kept]) await client.subscribe([request(`${base}/x`, 1)]);
    await lost.publish(`${base}/retained`, "stays", { qos: 1, retain: true });
    await lost.close();
    await said.disconnect();
    await shortened.disconnect(0, brief);
    await prolonged.disconnect(0, DURABLE);
    await kept.disconnect();
    const early = await broker.connect({ clientId: ids.lost, clean: false, properties: brief });
    expect(early.connack?.sessionPresent).toBe(true);
    await early.close();
    await publisher.publish(`${base}/x`, "queued", { qos: 1 });
    await wait(1500);
    const present: Record<string, boolean | undefined> = {};
    for (const [name, clientId] of Object.entries(ids)) {
      const client = await broker.connect({ clientId, clean: false });
      present[name] = client.connack?.sessionPresent;
      if (present[name]) expect(await client.texts(1)).toEqual(["queued"]);
      await client.silence();
    }
    expect(present).toEqual({ lost: false, said: false, shortened: false, prolonged: true, kept: true });
    await publisher.subscribe(`${base}/retained`);
    expect(await publisher.texts(1)).toEqual(["stays"]);
  });

  it("[5.0/3.14.2.2.2/replace] DISCONNECT with expiry 0 ends the session at once", async () => {
    const clientId = unique();
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.disconnect(0, { sessionExpiryInterval: 0 });
    const again = await broker.connect({ clientId, clean: false });
    expect(again.connack?.sessionPresent).toBe(false);
  });
});
