/** MQTT 5.0, chapter 6: WebSocket as the transport. */

import { expect, it } from "vitest";
import { encodePacket } from "../../../src/mqtt/encode.ts";
import { CONNACK, PUBACK, SUBACK } from "../../../src/mqtt/packet.ts";
import { connectPacket, MqttTestClient, publishPacket, request, unique } from "../../support/mqtt-client.ts";
import { describe5 } from "./support.ts";

describe5(
  (broker) => {
    it("[MQTT5-6.0.0-1] closes on a text frame, before and after CONNECT, and reads nothing of it", async () => {
      const topic = unique();
      const watcher = await broker.connect();
      await watcher.subscribe(topic);
      const before = await broker.open();
      before.sendText(Buffer.from(encodePacket(connectPacket({ version: 5 }), 5)).toString("latin1"));
      expect(await before.closed).toMatchObject({ code: 1003, packetsBefore: [] });
      const after = await broker.connect();
      after.sendText(Buffer.from(encodePacket(publishPacket(topic, "text"), 5)).toString("latin1"));
      expect((await after.closed).code).toBe(1003);
      const empty = await broker.connect();
      empty.sendText("");
      expect((await empty.closed).code).toBe(1003);
      await watcher.silence(watcher);
    });

    it("[MQTT5-6.0.0-2] reads packets however they are cut into frames, and overlooks empty frames", async () => {
      const topic = unique();
      const clientId = unique();
      const bytes = Buffer.concat([
        encodePacket(connectPacket({ version: 5, clientId }), 5),
        encodePacket({ type: 8, packetId: 1, subscriptions: [request(topic)], properties: {} }, 5),
        encodePacket(publishPacket(topic, "x".repeat(200), { qos: 1, packetId: 2 }), 5),
        encodePacket({ type: 12 }, 5),
      ]);
      const cuts: Record<string, Uint8Array[]> = {
        "one frame": [bytes],
        "one byte a frame": [...bytes].map((byte) => Uint8Array.of(byte)),
        "seven bytes a frame": Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(7 * i, 7 * i + 7)),
        "empty frames between": [
          bytes.subarray(0, 5),
          bytes.subarray(5, 5),
          bytes.subarray(5, 40),
          bytes.subarray(40, 40),
          bytes.subarray(40),
        ],
      };
      for (const [name, frames] of Object.entries(cuts)) {
        const client = await broker.open({ clientId });
        client.sendBytes(new Uint8Array(0), ...frames);
        expect((await client.expect(CONNACK)).reasonCode, name).toBe(0);
        const types = [];
        while (types.length < 4) types.push((await client.next()).type);
        expect(
          types.sort((a, b) => a - b),
          name,
        ).toEqual([3, PUBACK, SUBACK, 13]);
        await client.silence();
      }
    });

    it("[MQTT5-6.0.0-2] a packet that is announced and not finished holds back nobody else", async () => {
      const slow = await broker.connect();
      slow.sendBytes("30 ff 7f 00 01");
      const other = await broker.connect();
      const topic = unique();
      await other.subscribe(topic);
      await other.publish(topic, "x");
      expect(await other.texts(1)).toEqual(["x"]);
      expect(slow.isOpen).toBe(true);
    });

    it("[MQTT5-6.0.0-4] [MQTT5-6.0.0-3] chooses the subprotocol mqtt where it is offered, and refuses others", async () => {
      for (const subprotocols of [["mqtt"], ["other", "mqtt"], ["mqtt", "mqttv3.1"]]) {
        const clientId = unique();
        const client = await broker.open({ subprotocols, clientId });
        expect(client.subprotocol).toBe("mqtt");
        expect((await client.connect({ version: 5, clientId })).reasonCode).toBe(0);
      }
      await expect(broker.open({ subprotocols: ["other"] })).rejects.toThrow("400");
    });

    it("takes the names that clients have made for one version, and gives them back as they were written", async () => {
      for (const [offered, chosen] of [
        [["mqttv5"], "mqttv5"],
        [["mqttv5.0"], "mqttv5.0"],
        [["MQTT"], "MQTT"],
        [["mqttv3.1.1", "MQTTv5"], "mqttv3.1.1"],
        [["mqttv3.1", "Mqtt"], "Mqtt"],
      ] as const) {
        const clientId = unique();
        const client = await broker.open({ subprotocols: [...offered], clientId });
        expect(client.subprotocol).toBe(chosen);
        expect((await client.connect({ version: 5, clientId })).reasonCode).toBe(0);
      }
      for (const name of ["mqttv4", "mqtt5", "mqtt ", "xmqtt"]) {
        await expect(broker.open({ subprotocols: [name] }), name).rejects.toThrow();
      }
    });

    it("serves the paths that clients try first, as the namespace default", async () => {
      const topic = unique();
      const watcher = await broker.connect();
      await watcher.subscribe(topic, { qos: 1 });
      for (const path of ["/", "/ws", "/ws/", "/mqtt/", "/default/mqtt", "/default/mqtt/"]) {
        const clientId = unique();
        const query = broker.shape === "handed over" ? `?clientId=${clientId}` : "";
        const client = await MqttTestClient.open(broker.mqttUrl.replace("/mqtt", path) + query);
        expect((await client.connect({ version: 5, clientId })).reasonCode, path).toBe(0);
        await client.publish(topic, path, { qos: 1 });
        expect(await watcher.texts(1)).toEqual([path]);
        client.terminate();
      }
    });

    it("[MQTT5-6.0.0-2] takes a message of the largest size in small frames", async () => {
      const topic = unique();
      const client = await broker.connect();
      await client.subscribe(topic);
      const bytes = encodePacket(publishPacket(topic, new Uint8Array(300_000).fill(7)), 5);
      for (let at = 0; at < bytes.length; at += 16_384) client.sendBytes(bytes.subarray(at, at + 16_384));
      expect((await client.message()).payload.length).toBe(300_000);
    });
  },
  {},
  { shapes: ["compact", "sharded", "handed over"] },
);
