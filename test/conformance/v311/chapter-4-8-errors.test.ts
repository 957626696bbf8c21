/** Chapter 4.8 of MQTT 3.1.1, handling errors, and what a broker that ends itself must not forget (4.1). */

import { expect, it } from "vitest";
import { startBroker } from "../../../scripts/local/local-broker.ts";
import { PUBACK, PUBREC } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { MqttTestClient, publishPacket, textOf, unique } from "../../support/mqtt-client.ts";
import { rawPacket } from "../../support/raw-packet.ts";
import { CLOSE_TOO_BIG, expectEachCloses, keptSession, observer } from "./support.ts";

describeTopologies(
  (broker) => {
    it("[MQTT311-4.8.0-1] violations that no other clause names close the connection", () =>
      expectEachCloses(broker, {
        "PUBACK that is too long": rawPacket(0x40, [0, 1, 0]),
        "PUBREL that is too long": rawPacket(0x62, [0, 1, 0, 0]),
        "SUBSCRIBE with the properties of 5.0": rawPacket(0x82, [0, 1, 0, 0, 1, 0x61, 0]),
        "Remaining Length that is not minimal": [0xc0, 0x80, 0x00],
      }));

    it("[MQTT311-4.8.0-1] a violation ends only the connection it came on, and what came before it in the same frame counts", async () => {
      const topic = unique();
      const watcher = await observer(broker, topic);
      const clientId = unique("kept");
      const client = await keptSession(broker, clientId);
      await client.subscribe(topic, { qos: 1 });
      client.sendBytes(
        Buffer.concat([rawPacket(0x30, `00${topic.length.toString(16).padStart(2, "0")}`, Buffer.from(topic), [0x31]), Buffer.of(0x36, 0)]),
      );
      await client.closed;
      expect(await watcher.texts(1)).toEqual(["1"]);
      await watcher.silence();
      expect(watcher.isOpen).toBe(true);
      expect((await keptSession(broker, clientId)).connack).toMatchObject({ sessionPresent: true });
    });

    it("[MQTT311-4.8.0-2] [3.1.1/4.8/isolation] a packet above the maximum closes its connection; other clients and the session notice nothing", async () => {
      const topic = unique();
      const watcher = await observer(broker, topic);
      const clientId = unique("kept");
      const client = await keptSession(broker, clientId);
      client.sendBytes([0x30, 0xff, 0x7f], new Uint8Array(100));
      expect(await client.closed).toMatchObject({ code: CLOSE_TOO_BIG, packetsBefore: [] });
      const again = await keptSession(broker, clientId);
      expect(again.connack).toMatchObject({ sessionPresent: true });
      await again.publish(topic, "well", { qos: 1 });
      expect(await watcher.texts(1)).toEqual(["well"]);
    });

    it("[3.1.1/4.8/isolation] a queue that is full drops its own oldest message and delays nobody", async () => {
      const topic = unique();
      const clientId = unique("kept");
      const away = await keptSession(broker, clientId);
      await away.subscribe(topic, { qos: 1 });
      await away.disconnect();
      const watcher = await observer(broker, topic);
      const payloads = ["0", "1", "2", "3", "4", "5", "6", "7"];
      for (const payload of payloads) await watcher.publish(topic, payload, { qos: 1 });
      expect(await watcher.texts(8)).toEqual(payloads);
      const again = await keptSession(broker, clientId);
      expect(await again.texts(5)).toEqual(payloads.slice(3));
      await again.silence();
    });

    it("[3.1.1/4.8/isolation] the Receive Maximum of 5.0 does not bind a client that can't know of it", async () => {
      const client = await broker.connect({ autoAck: false });
      for (let packetId = 1; packetId <= 20; packetId += 1) client.send(publishPacket(unique(), "", { qos: 2, packetId }));
      for (let packetId = 1; packetId <= 20; packetId += 1) expect(await client.expect(PUBREC)).toMatchObject({ packetId });
    });
  },
  { PACKET_BYTES_MAX: "2048", QUEUE_MESSAGES_MAX: "5", RECEIVE_MAXIMUM: "4" },
);

for (const TOPOLOGY of ["compact", "sharded"]) {
  it(`[3.1.1/4.1/retained] [MQTT311-4.1.0-1] (${TOPOLOGY}) what was acknowledged survives a crash: retained messages, kept sessions, messages in flight and waiting`, async () => {
    const broker = await startBroker({ env: { TOPOLOGY, ALLOW_ANONYMOUS: "true" } });
    const clientId = unique("kept");
    const connect = async (options: { clientId?: string; clean?: boolean; autoAck?: boolean } = {}): Promise<MqttTestClient> => {
      const client = await MqttTestClient.open(broker.mqttUrl, options);
      await client.connect(options);
      return client;
    };
    try {
      const client = await connect({ clientId, clean: false, autoAck: false });
      await client.subscribe("a/#", { qos: 1 });
      const publisher = await connect();
      await publisher.publish("a/1", "in flight", { qos: 1 });
      await client.message();
      client.terminate();
      await client.closed;
      await publisher.publish("a/2", "waiting", { qos: 1, retain: true });
      await broker.crash();
      const again = await connect({ clientId, clean: false });
      expect(again.connack).toMatchObject({ sessionPresent: true });
      expect((await again.messages(2)).map((message) => [textOf(message), message.dup])).toEqual([
        ["in flight", true],
        ["waiting", false],
      ]);
      expect(await again.publish("a/3", "live", { qos: 1 })).toMatchObject({ type: PUBACK });
      expect(await again.texts(1)).toEqual(["live"]);
      const reader = await connect();
      await reader.subscribe("#");
      expect(await reader.message()).toMatchObject({ topic: "a/2", retain: true });
      for (const each of [again, reader, publisher]) each.terminate();
    } finally {
      await broker.dispose();
    }
  });
}
