/** Chapter 6 of MQTT 3.1.1, WebSocket as a network transport, and chapter 7, what a server must offer. */

import mqtt from "mqtt";
import { expect, it } from "vitest";
import { encodePacket } from "../../../src/mqtt/encode.ts";
import { CONNACK, PUBACK, SUBACK, SUBSCRIBE } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { connectPacket, publishPacket, request, unique } from "../../support/mqtt-client.ts";
import { CLOSE_UNSUPPORTED_DATA, expectClosed } from "./support.ts";

describeTopologies(
  (broker) => {
    it("[MQTT311-6.0.0-1] a text frame closes the connection, as its first frame or later", async () => {
      const first = await broker.open();
      first.sendText("hello");
      await expectClosed(first, CLOSE_UNSUPPORTED_DATA);
      const later = await broker.connect();
      later.sendText("");
      await expectClosed(later, CLOSE_UNSUPPORTED_DATA);
    });

    it("[MQTT311-6.0.0-1] a text frame is not read as MQTT even if its bytes are a packet", async () => {
      const client = await broker.connect();
      client.sendText(Buffer.from(encodePacket(publishPacket("a", "b"), 4)).toString("latin1"));
      await expectClosed(client, CLOSE_UNSUPPORTED_DATA);
    });

    it("[MQTT311-6.0.0-2] packets are cut from the byte stream: one byte in each frame", async () => {
      const topic = unique();
      const client = await broker.open();
      const stream = Buffer.concat([
        encodePacket(connectPacket({ clientId: client.clientId }), 4),
        encodePacket({ type: SUBSCRIBE, packetId: 1, subscriptions: [request(topic, 1)], properties: {} }, 4),
      ]);
      for (const byte of stream) client.sendBytes([byte]);
      expect(await client.expect(CONNACK)).toMatchObject({ reasonCode: 0 });
      expect(await client.expect(SUBACK)).toMatchObject({ packetId: 1 });
      for (const byte of encodePacket(publishPacket(topic, "x".repeat(200)), 4)) client.sendBytes([byte]);
      expect((await client.message()).payload.length).toBe(200);
    });

    it("[MQTT311-6.0.0-2] packets are cut from the byte stream: many in one frame, the last one split, empty frames between", async () => {
      const topic = unique();
      const client = await broker.connect({ autoAck: false });
      await client.subscribe(topic, { qos: 0 });
      const packets = Array.from({ length: 30 }, (_, index) =>
        encodePacket(publishPacket(topic, "y".repeat(index * 20), { qos: 1, packetId: index + 1 }), 4),
      );
      const stream = Buffer.concat(packets);
      const cuts = [0, 7, 7, 500, 501, 5000, 5000, stream.length];
      for (let index = 1; index < cuts.length; index += 1) client.sendBytes(stream.subarray(cuts[index - 1], cuts[index]));
      const arrived = [];
      while (arrived.length < 60) arrived.push(await client.next());
      expect(arrived.flatMap((packet) => (packet.type === PUBACK ? [packet.packetId] : []))).toEqual(packets.map((_, index) => index + 1));
      expect(arrived.flatMap((packet) => (packet.type === 3 ? [packet.payload.length] : []))).toEqual(
        packets.map((_, index) => index * 20),
      );
    });

    it("[MQTT311-6.0.0-4] the broker chooses the subprotocol mqtt from those that are offered", async () => {
      expect((await broker.open({ subprotocols: ["mqtt"] })).subprotocol).toBe("mqtt");
      expect((await broker.open({ subprotocols: ["other", "mqtt"] })).subprotocol).toBe("mqtt");
    });

    it("[MQTT311-6.0.0-3] a client that offers no subprotocol is served; one that offers only others is refused with HTTP 400", async () => {
      const client = await broker.open({ subprotocols: [] });
      expect(client.subprotocol).toBe("");
      expect(await client.connect()).toMatchObject({ reasonCode: 0 });
      await expect(broker.open({ subprotocols: ["mqttv4"] })).rejects.toThrow("400");
      await expect(broker.open({ subprotocols: ["wamp", "stomp"] })).rejects.toThrow("400");
    });

    it("[MQTT311-7.1.1-1] the transport, a real WebSocket over TCP, is ordered and lossless both ways for a megabyte", async () => {
      const topic = unique();
      const client = await broker.connect();
      await client.subscribe(topic, { qos: 0 });
      const payloads = Array.from({ length: 64 }, (_, index) => new Uint8Array(16_384).fill(index));
      for (const payload of payloads) client.send(publishPacket(topic, payload));
      for (const payload of payloads) expect(Buffer.compare((await client.message()).payload, payload)).toBe(0);
    });

    it("[MQTT311-7.0.0-2] a client that knows only the standard, MQTT.js, works: no extension is needed", async () => {
      const topic = unique();
      const clientId = unique("c");
      const query = broker.shape === "handed over" ? `?clientId=${clientId}` : "";
      const client = await mqtt.connectAsync(broker.mqttUrl + query, { protocolVersion: 4, clientId, reconnectPeriod: 0 });
      try {
        const arrived = new Promise<string>((resolve) => client.once("message", (name, payload) => resolve(`${name} ${payload}`)));
        expect(await client.subscribeAsync(topic, { qos: 2 })).toEqual([{ topic, qos: 2 }]);
        await client.publishAsync(topic, "hello", { qos: 2 });
        expect(await arrived).toBe(`${topic} hello`);
      } finally {
        await client.endAsync();
      }
    });
  },
  {},
  { shapes: ["compact", "sharded", "handed over"] },
);
