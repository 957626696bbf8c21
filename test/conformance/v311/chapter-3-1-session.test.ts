/** Chapter 3.1 of MQTT 3.1.1: Clean Session, takeover, and CONNACK's Session Present (3.2.2). */

import { expect, it } from "vitest";
import { CONNACK, PUBLISH } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { unique } from "../../support/mqtt-client.ts";
import { expectClosed, keptSession } from "./support.ts";

describeTopologies(
  (broker) => {
    it("[MQTT311-3.1.2-4] [MQTT311-3.2.2-2] [MQTT311-3.2.2-3] Clean Session 0 creates a session, or resumes it with its subscriptions", async () => {
      const topic = unique();
      const clientId = unique("kept");
      const first = await keptSession(broker, clientId);
      expect(first.rawOf(first.connack!)).toEqual(Uint8Array.of(0x20, 2, 0, 0));
      await first.subscribe(topic, { qos: 1 });
      await first.disconnect();
      const again = await keptSession(broker, clientId);
      expect(again.rawOf(again.connack!)).toEqual(Uint8Array.of(0x20, 2, 1, 0));
      await again.publish(topic, "still subscribed", { qos: 1 });
      expect(await again.texts(1)).toEqual(["still subscribed"]);
    });

    it("[MQTT311-3.2.2-2] a session that holds nothing is present all the same", async () => {
      const clientId = unique("kept");
      await (await keptSession(broker, clientId)).disconnect();
      expect((await keptSession(broker, clientId)).connack).toMatchObject({ sessionPresent: true });
    });

    it("[MQTT311-3.1.2-5] QoS 1 and 2 messages wait for a client that is away", async () => {
      const topic = unique();
      const clientId = unique("kept");
      const client = await keptSession(broker, clientId);
      await client.subscribe(`${topic}/#`, { qos: 2 });
      await client.disconnect();
      const publisher = await broker.connect();
      await publisher.publish(`${topic}/1`, "one", { qos: 1 });
      await publisher.publish(`${topic}/2`, "two", { qos: 2 });
      const again = await keptSession(broker, clientId);
      const messages = await again.messages(2);
      expect(messages.map(({ topic, qos, dup }) => ({ topic, qos, dup }))).toEqual(
        expect.arrayContaining([
          { topic: `${topic}/1`, qos: 1, dup: false },
          { topic: `${topic}/2`, qos: 2, dup: false },
        ]),
      );
      await again.silence();
    });

    it("[MQTT311-3.1.2-6] [MQTT311-3.2.2-1] Clean Session 1 wipes what was kept: subscriptions and waiting messages", async () => {
      const topic = unique();
      const clientId = unique("kept");
      const kept = await keptSession(broker, clientId);
      await kept.subscribe(topic, { qos: 1 });
      await kept.disconnect();
      const publisher = await broker.connect();
      await publisher.publish(topic, "waiting", { qos: 1 });
      const clean = await broker.connect({ clientId });
      expect(clean.rawOf(clean.connack!)).toEqual(Uint8Array.of(0x20, 2, 0, 0));
      await publisher.publish(topic, "live", { qos: 1 });
      await clean.silence(publisher);
    });

    it("[MQTT311-3.1.2-6] a session of Clean Session 1 ends with its connection, however that ended", async () => {
      for (const end of ["disconnect", "terminate"] as const) {
        const topic = unique();
        const clientId = unique("clean");
        const clean = await broker.connect({ clientId });
        await clean.subscribe(topic, { qos: 1 });
        clean[end]();
        await clean.closed;
        const later = await keptSession(broker, clientId);
        expect(later.connack).toMatchObject({ sessionPresent: false });
        const publisher = await broker.connect();
        await publisher.publish(topic, "", { qos: 1 });
        await later.silence(publisher);
      }
    });

    it("[MQTT311-3.1.2-7] retained messages outlive the session of their publisher, and Clean Session", async () => {
      const topic = unique();
      const clientId = unique("kept");
      const publisher = await keptSession(broker, clientId);
      await publisher.publish(topic, "retained", { qos: 1, retain: true });
      await publisher.disconnect();
      const clean = await broker.connect({ clientId });
      await clean.disconnect();
      const reader = await broker.connect();
      await reader.subscribe(topic);
      expect(await reader.texts(1)).toEqual(["retained"]);
    });

    it("[MQTT311-3.1.3-2] session state belongs to one Client Identifier, compared exactly", async () => {
      const topic = unique();
      const clientId = unique("kept");
      const client = await keptSession(broker, clientId);
      await client.subscribe(topic, { qos: 1 });
      await client.disconnect();
      for (const other of [clientId.toUpperCase(), `${clientId} `, `${clientId}x`, clientId.slice(0, -1)]) {
        expect((await keptSession(broker, other)).connack, other).toMatchObject({ sessionPresent: false });
      }
      expect((await keptSession(broker, clientId)).connack).toMatchObject({ sessionPresent: true });
    });

    it("[MQTT311-3.1.4-2] a second client of a Client Identifier ends the first connection; the first one's will is published", async () => {
      const topic = unique();
      const watcher = await broker.connect();
      await watcher.subscribe(topic);
      const clientId = unique("taken");
      const older = await broker.connect({ clientId, will: { topic, payload: "taken over" } });
      const newer = await broker.connect({ clientId });
      await expectClosed(older, 1000);
      expect(await watcher.texts(1)).toEqual(["taken over"]);
      await newer.ping();
      await newer.publish(topic, "served", { qos: 1 });
      expect(await watcher.texts(1)).toEqual(["served"]);
    });

    it("[MQTT311-3.1.4-2] many clients that take one Client Identifier from each other leave one connected", async () => {
      const clientId = unique("taken");
      const clients = await Promise.all(Array.from({ length: 8 }, () => broker.open({ clientId })));
      const connacks = await Promise.all(clients.map((client) => client.connect({ clientId, clean: false })));
      expect(connacks.every(({ reasonCode }) => reasonCode === 0)).toBe(true);
      await Promise.any(clients.map((client) => client.silence()));
      const answers = await Promise.allSettled(clients.map((client) => client.silence()));
      expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    });

    it("[MQTT311-3.1.4-3] [MQTT311-3.1.2-4] a session is resumed by takeover too, and its messages in flight come again", async () => {
      const topic = unique();
      const clientId = unique("taken");
      const older = await keptSession(broker, clientId, { autoAck: false });
      await older.subscribe(topic, { qos: 1 });
      await older.publish(topic, "in flight", { qos: 1 });
      await older.message();
      const newer = await keptSession(broker, clientId, { autoAck: false });
      expect(newer.connack).toMatchObject({ sessionPresent: true });
      expect(await newer.message()).toMatchObject({ dup: true, payload: new TextEncoder().encode("in flight") });
    });

    it("[MQTT311-3.1.4-3] Clean Session 1 discards by takeover too", async () => {
      const topic = unique();
      const clientId = unique("taken");
      const older = await keptSession(broker, clientId);
      await older.subscribe(topic, { qos: 1 });
      const newer = await broker.connect({ clientId });
      expect(newer.connack).toMatchObject({ sessionPresent: false });
      await newer.publish(topic, "", { qos: 1 });
      await newer.silence(newer);
    });

    it("[MQTT311-3.2.0-1] CONNACK comes before the messages that waited", async () => {
      const topic = unique();
      const clientId = unique("kept");
      const client = await keptSession(broker, clientId);
      await client.subscribe(topic, { qos: 1 });
      await client.disconnect();
      const publisher = await broker.connect();
      for (const payload of ["1", "2", "3"]) await publisher.publish(topic, payload, { qos: 1 });
      const again = await keptSession(broker, clientId);
      expect(await again.texts(3)).toEqual(["1", "2", "3"]);
      expect(again.arrived.map(({ type }) => type)).toEqual([CONNACK, PUBLISH, PUBLISH, PUBLISH]);
    });
  },
  {},
  { shapes: ["compact", "sharded", "handed over"] },
);
