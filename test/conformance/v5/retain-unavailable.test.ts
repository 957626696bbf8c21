/** MQTT 5.0 on a broker whose operator allows no retained messages. */

import { expect, it } from "vitest";
import { DISCONNECT } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { type MqttTestClient, unique } from "../../support/mqtt-client.ts";

describeTopologies(
  (broker) => {
    it("[MQTT5-3.2.2-14] announces Retain Available 0 and ends a connection that retains all the same with 0x9A", async () => {
      const client = await broker.connect({ version: 5 });
      expect(client.connack?.properties.retainAvailable).toBe(0);
      await client.subscribe(unique());
      void client.publish(unique(), "x", { qos: 1, retain: true }).catch(() => {});
      expect((await client.expect(DISCONNECT)).reasonCode).toBe(0x9a);
      await client.closed;
    });

    it("[MQTT5-3.2.2-13] refuses a CONNECT with a retained will, with 0x9A", async () => {
      const client: MqttTestClient = await broker.open();
      const connack = await client.connect({ version: 5, will: { topic: unique(), retain: true } });
      expect(connack.reasonCode).toBe(0x9a);
      await client.closed;
    });

    it("a 3.1.1 client, which can't be told, has its message delivered, acknowledged and not kept", async () => {
      const topic = unique();
      const subscriber = await broker.connect({ version: 4 });
      await subscriber.subscribe(topic, { qos: 1 });
      const publisher = await broker.connect({ version: 4 });
      await publisher.publish(topic, "once", { qos: 1, retain: true });
      expect(await subscriber.texts(1)).toEqual(["once"]);
      const late = await broker.connect({ version: 4 });
      await late.subscribe(topic, { qos: 1 });
      await late.silence();
    });
  },
  { RETAINED_MESSAGES_MAX: "0" },
);
