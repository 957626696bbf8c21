/** Chapter 3.1.2.5 to 3.1.2.7 of MQTT 3.1.1: Will Messages. */

import { expect, it } from "vitest";
import { describeTopologies } from "../../support/brokers.ts";
import { type MqttTestClient, publishPacket, unique } from "../../support/mqtt-client.ts";
import { keptSession, observer } from "./support.ts";

/** Ends of a connection without DISCONNECT. */
const ENDS: Readonly<Record<string, (client: MqttTestClient) => unknown>> = {
  "the TCP connection breaks": (client) => client.terminate(),
  "the WebSocket is closed with 1000": (client) => client.close(1000),
  "the WebSocket is closed with 1001": (client) => client.close(1001),
  "the client breaks a rule": (client) => client.sendBytes([0x00, 0x00]),
  "the client sends a text frame": (client) => client.sendText("hello"),
  "the client sends what no packet can be": (client) => client.sendBytes([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]),
  "the client publishes to a wildcard": (client) => client.send(publishPacket("a/#")),
};

describeTopologies(
  (broker) => {
    for (const [what, end] of Object.entries(ENDS)) {
      it(`[MQTT311-3.1.2-8] the will is published when ${what}`, async () => {
        const topic = unique();
        const watcher = await observer(broker, topic);
        const client = await broker.connect({ will: { topic, payload: "gone" } });
        end(client);
        expect(await watcher.texts(1)).toEqual(["gone"]);
      });
    }

    it("[MQTT311-3.1.2-8] [MQTT311-3.1.2-9] the will of a kept session is published too, with its QoS", async () => {
      for (const qos of [0, 1, 2] as const) {
        const topic = unique();
        const watcher = await observer(broker, topic);
        const client = await keptSession(broker, unique("kept"), { will: { topic, payload: "gone", qos } });
        client.terminate();
        expect(await watcher.message()).toMatchObject({ topic, qos, retain: false, dup: false });
      }
    });

    it("[MQTT311-3.1.2-10] [MQTT311-3.1.2-12] a will is published once: a later connection without one publishes nothing", async () => {
      const topic = unique();
      const watcher = await observer(broker, topic);
      const clientId = unique("kept");
      (await keptSession(broker, clientId, { will: { topic, payload: "once", qos: 1 } })).terminate();
      expect(await watcher.texts(1)).toEqual(["once"]);
      const again = await keptSession(broker, clientId);
      again.terminate();
      await again.closed;
      const last = await keptSession(broker, clientId);
      await watcher.silence(last);
    });

    it("[MQTT311-3.14.4-3] [MQTT311-3.1.2-10] DISCONNECT drops the will, for kept sessions as well", async () => {
      const topic = unique();
      const watcher = await observer(broker, topic);
      for (const clean of [true, false]) {
        const clientId = unique("c");
        const client = await broker.connect({ clientId, clean, will: { topic, payload: "never" } });
        await client.disconnect();
        const again = await broker.connect({ clientId, clean });
        again.terminate();
        await again.closed;
        await watcher.silence(await broker.connect({ clientId, clean }));
      }
    });

    it("[MQTT311-3.14.4-3] DISCONNECT drops the will even if the client breaks the socket right behind it", async () => {
      const topic = unique();
      const watcher = await observer(broker, topic);
      const clientId = unique("c");
      const client = await broker.connect({ clientId, will: { topic, payload: "never" } });
      client.send({ type: 14, reasonCode: 0, properties: {} });
      await client.close();
      await watcher.silence(await broker.connect({ clientId }));
    });

    it("[MQTT311-3.1.2-12] without Will Flag an abnormal end publishes nothing", async () => {
      const namespace = unique("n");
      const watcher = await broker.connect({ namespace });
      await watcher.subscribe("#", { qos: 2 });
      const clientId = unique("c");
      const client = await broker.connect({ namespace, clientId });
      client.terminate();
      await client.closed;
      const next = await broker.connect({ namespace, clientId });
      await next.publish("end", "", { qos: 1 });
      expect(await watcher.message()).toMatchObject({ topic: "end" });
    });

    it("[MQTT311-3.1.2-16] Will Retain 0: a later subscriber does not get the will", async () => {
      const topic = unique();
      const watcher = await observer(broker, topic);
      (await broker.connect({ will: { topic, payload: "gone", qos: 1 } })).terminate();
      expect(await watcher.texts(1)).toEqual(["gone"]);
      const later = await observer(broker, topic);
      await later.silence(later);
    });

    it("[MQTT311-3.1.2-17] Will Retain 1: the will becomes the retained message of its topic", async () => {
      const topic = unique();
      const watcher = await observer(broker, topic);
      (await broker.connect({ will: { topic, payload: "gone", qos: 1, retain: true } })).terminate();
      expect(await watcher.message()).toMatchObject({ retain: false });
      const later = await observer(broker, topic);
      expect(await later.message()).toMatchObject({ topic, retain: true, qos: 1 });
    });

    it("[MQTT311-3.1.2-17] an empty will with Will Retain clears the topic's retained message", async () => {
      const topic = unique();
      const watcher = await broker.connect();
      await watcher.publish(topic, "here", { qos: 1, retain: true });
      await watcher.subscribe(topic);
      await watcher.message();
      (await broker.connect({ will: { topic, retain: true } })).terminate();
      expect(await watcher.message()).toMatchObject({ retain: false, payload: new Uint8Array(0) });
      const later = await observer(broker, topic);
      await later.silence(later);
    });

    it("[MQTT311-3.1.2-9] the will is a message like any other: any size, delivered to sessions that are away", async () => {
      const topic = unique();
      const clientId = unique("kept");
      const reader = await keptSession(broker, clientId);
      await reader.subscribe(topic, { qos: 1 });
      await reader.disconnect();
      const payload = new Uint8Array(65_535).fill(0xab);
      const client = await broker.connect({ will: { topic, payload, qos: 1 } });
      const watcher = await observer(broker, topic);
      client.terminate();
      await watcher.message();
      const again = await keptSession(broker, clientId);
      expect((await again.message()).payload).toEqual(payload);
    });
  },
  {},
  { shapes: ["compact", "sharded", "handed over"] },
);
