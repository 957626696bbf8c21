/** Rates of one client, over real sockets: what is above one is dropped, refused, or read more slowly. Nobody else feels it. */

import { expect, it } from "vitest";
import { DISCONNECT, NO_PROPERTIES, PUBACK, PUBREC } from "../../src/mqtt/packet.ts";
import { QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { describeTopologies, type TestBroker } from "../support/brokers.ts";
import { type MqttTestClient, publishPacket, textOf, unique } from "../support/mqtt-client.ts";

const SHAPES = { shapes: ["compact", "sharded", "handed over"] } as const;

/** So long that nothing comes back while a test runs. */
const SLOW = { CLIENT_MESSAGE_RATE: "5/1h", CLIENT_SUBSCRIBE_RATE: "2/1h" };

async function listener(broker: TestBroker, topic: string): Promise<MqttTestClient> {
  const client = await broker.connect({ version: 5 });
  await client.subscribe(topic, { qos: 2 });
  return client;
}

describeTopologies(
  (broker) => {
    it.each([
      [1, PUBACK],
      [2, PUBREC],
    ] as const)("5.0: messages of QoS %i above the rate are refused, and nobody gets them", async (qos, type) => {
      const topic = unique();
      const other = await listener(broker, topic);
      const client = await broker.connect({ version: 5 });
      const codes: number[] = [];
      for (let number = 0; number < 7; number += 1) {
        client.send(publishPacket(topic, String(number), { qos, packetId: number + 1 }));
        const answer = await client.acknowledged(type, number + 1);
        codes.push(answer.reasonCode);
        if (answer.reasonCode !== 0) expect(answer.properties.reasonString).toContain("faster than it may");
      }
      expect(codes).toEqual([0, 0, 0, 0, 0, QUOTA_EXCEEDED, QUOTA_EXCEEDED]);
      expect(await other.texts(5)).toEqual(["0", "1", "2", "3", "4"]);
      await other.silence();
      // Others are not concerned.
      const third = await broker.connect({ version: 5 });
      expect((await third.publish(topic, "third", { qos: 1 }))?.reasonCode).toBe(0);
    });

    it("5.0: repeats of a message count against the rate, and are answered all the same", async () => {
      const topic = unique();
      const other = await listener(broker, topic);
      const client = await broker.connect({ version: 5 });
      const repeat = publishPacket(topic, "once", { qos: 2, packetId: 1 });
      client.sendTogether(repeat, ...Array.from({ length: 6 }, () => ({ ...repeat, dup: true })));
      await expect.poll(() => client.arrived.filter(({ type }) => type === PUBREC).length).toBe(7);
      expect((await client.publish(topic, "", { qos: 1 }))?.reasonCode).toBe(QUOTA_EXCEEDED);
      expect(await other.texts(1)).toEqual(["once"]);
      await other.silence();
    });

    it.each([4, 5] as const)("version %i: messages of QoS 0 above the rate are dropped, and the connection stays", async (version) => {
      const topic = unique();
      const other = await listener(broker, topic);
      const client = await broker.connect({ version });
      for (let number = 0; number < 9; number += 1) client.send(publishPacket(topic, String(number)));
      expect(await other.texts(5)).toEqual(["0", "1", "2", "3", "4"]);
      await client.ping();
      await other.silence();
    });

    it("5.0: a client that connects again has no more than it had", async () => {
      const topic = unique();
      const clientId = unique("again");
      const first = await broker.connect({ version: 5, clientId });
      for (let number = 0; number < 5; number += 1)
        expect((await first.publish(topic, "", { qos: 1 }))?.reasonCode).not.toBe(QUOTA_EXCEEDED);
      await first.disconnect();
      const again = await broker.connect({ version: 5, clientId });
      expect((await again.publish(topic, "", { qos: 1 }))?.reasonCode).toBe(QUOTA_EXCEEDED);
    });

    it("3.1.1: a client whose message would have to wait too long is closed, and its message is not acknowledged", async () => {
      const topic = unique();
      const other = await listener(broker, topic);
      const client = await broker.connect({ version: 4 });
      for (let number = 0; number < 5; number += 1) await client.publish(topic, String(number), { qos: 1 });
      client.send(publishPacket(topic, "5", { qos: 1, packetId: 6 }));
      const { code, reason } = await client.closed;
      expect({ code, reason }).toEqual({ code: 1008, reason: "the client sends faster than it may" });
      expect(client.arrived.filter(({ type }) => type === PUBACK)).toHaveLength(5);
      expect(await other.texts(5)).toEqual(["0", "1", "2", "3", "4"]);
      await other.silence();
    });

    it("5.0: a SUBSCRIBE above the rate is refused, and changes nothing", async () => {
      const client = await broker.connect({ version: 5 });
      const topic = unique();
      expect((await client.subscribe(topic, { qos: 1 })).reasonCodes).toEqual([1]);
      expect((await client.subscribe(unique(), { qos: 1 })).reasonCodes).toEqual([1]);
      const refused = await client.subscribe(topic, { qos: 2 });
      expect(refused.reasonCodes).toEqual([QUOTA_EXCEEDED]);
      expect(refused.properties.reasonString).toContain("more often than it may");
      await client.publish(topic, "still", { qos: 2 });
      expect(await client.message()).toMatchObject({ qos: 1, topic });
    });

    it("3.1.1: a SUBSCRIBE that would have to wait too long ends the connection", async () => {
      const client = await broker.connect({ version: 4 });
      for (const _ of [1, 2]) await client.subscribe(unique());
      client.subscribe(unique()).catch(() => {});
      expect((await client.closed).code).toBe(1008);
    });
  },
  SLOW,
  SHAPES,
);

describeTopologies(
  (broker) => {
    it("3.1.1: a client above the rate is read as slowly as it may send, loses nothing and keeps its order; others are not slowed", async () => {
      const topic = unique();
      const other = await listener(broker, topic);
      const client = await broker.connect({ version: 4, autoAck: true });
      const third = await broker.connect({ version: 4 });
      const begun = performance.now();
      const sent = [...Array(24).keys()].map((number) => publishPacket(topic, String(number), { qos: 1, packetId: number + 1 }));
      client.sendTogether(...sent);
      // While those wait.
      for (let number = 0; number < 5; number += 1) await third.publish(unique(), "", { qos: 1 });
      const passed = performance.now() - begun;
      await client.acknowledged(PUBACK, 24);
      const ms = performance.now() - begun;
      expect(await other.texts(24)).toEqual(sent.map(textOf));
      // 20 at once; four more take 200 ms each.
      expect(ms).toBeGreaterThan(700);
      expect(passed).toBeLessThan(ms);
      await client.disconnect();
    });

    it("3.1.1: what a client has sent before it goes and may not send any more is not acknowledged, and not delivered", async () => {
      const topic = unique();
      const other = await listener(broker, topic);
      const client = await broker.connect({ version: 4, will: { topic, payload: "gone", qos: 1, retain: false } });
      client.sendTogether(...[...Array(24).keys()].map((number) => publishPacket(topic, String(number), { qos: 1, packetId: number + 1 })));
      await client.acknowledged(PUBACK, 20);
      client.terminate();
      const texts = await other.texts(21);
      expect(texts.at(-1)).toBe("gone");
      await other.silence();
    });

    it("[MQTT311-3.14.4-3] nor is the will of one that has taken leave behind it published", async () => {
      const topic = unique();
      const other = await listener(broker, topic);
      const client = await broker.connect({ version: 4, will: { topic, payload: "gone", qos: 1, retain: false } });
      const messages = [...Array(24).keys()].map((number) => publishPacket(topic, String(number), { qos: 1, packetId: number + 1 }));
      client.sendTogether(...messages, { type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES });
      await client.acknowledged(PUBACK, 20);
      client.terminate();
      expect(await other.texts(20)).not.toContain("gone");
      await other.silence();
    });

    it("bytes above the rate: a large message goes out of a full bucket and keeps the next ones back", async () => {
      const topic = unique();
      const client = await broker.connect({ version: 5 });
      expect((await client.publish(topic, "x".repeat(60_000), { qos: 1 }))?.reasonCode).not.toBe(QUOTA_EXCEEDED);
      expect((await client.publish(topic, "", { qos: 1 }))?.reasonCode).toBe(QUOTA_EXCEEDED);
      expect(client.arrived.some(({ type }) => type === DISCONNECT)).toBe(false);
    });
  },
  { CLIENT_MESSAGE_RATE: "20/4s", CLIENT_BYTE_RATE: "50KB/1h" },
  SHAPES,
);
