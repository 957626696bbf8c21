/** A full queue: QUEUE_POLICY decides whether its oldest message goes or the new one is not taken, and what its publisher hears. */

import { expect, it } from "vitest";
import { describeTopologies, type TestBroker } from "../../support/brokers.ts";
import { textOf, unique } from "../../support/mqtt-client.ts";

const QUEUE = { QUEUE_MESSAGES_MAX: "3", QUEUE_BYTES_MAX: "2000", PACKET_BYTES_MAX: "2000" };
const DURABLE = { version: 5, properties: { sessionExpiryInterval: 300 } } as const;
const QUOTA_EXCEEDED = 0x97;

/** A client that has subscribed and is gone. */
async function away(broker: TestBroker, filter: string, clientId = unique("away")): Promise<string> {
  const client = await broker.connect({ ...DURABLE, clientId });
  await client.subscribe(filter, { qos: 2 });
  await client.close();
  return clientId;
}

/** What waited for a client. */
async function waited(broker: TestBroker, clientId: string): Promise<string[]> {
  const client = await broker.connect({ ...DURABLE, clean: false, clientId });
  expect(client.connack?.sessionPresent).toBe(true);
  await client.unsubscribe("none");
  const got: string[] = [];
  for (const packet of client.arrived) if (packet.type === 3) got.push(textOf(packet));
  return got;
}

describeTopologies(
  (broker) => {
    it("a full queue drops its oldest message, and publishers hear nothing of it", async () => {
      const topic = unique();
      const clientId = await away(broker, topic);
      const publisher = await broker.connect({ version: 5 });
      const codes: (number | undefined)[] = [];
      for (let number = 0; number < 5; number += 1) codes.push((await publisher.publish(topic, String(number), { qos: 1 }))?.reasonCode);
      expect(codes).toEqual([0, 0, 0, 0, 0]);
      expect(await waited(broker, clientId)).toEqual(["2", "3", "4"]);
    });
  },
  { ...QUEUE, QUEUE_POLICY: "drop_oldest" },
);

describeTopologies(
  (broker) => {
    it.each([1, 2] as const)(
      "QoS %i: a full queue takes nothing new, its publisher hears 0x97, and everyone else has the message",
      async (qos) => {
        const topic = unique();
        const clientId = await away(broker, topic);
        const other = await broker.connect({ version: 5 });
        await other.subscribe(topic, { qos });
        const publisher = await broker.connect({ version: 5 });
        const codes: (number | undefined)[] = [];
        for (let number = 0; number < 5; number += 1) codes.push((await publisher.publish(topic, String(number), { qos }))?.reasonCode);
        expect(codes).toEqual([0, 0, 0, QUOTA_EXCEEDED, QUOTA_EXCEEDED]);
        expect((await other.messages(5)).map(textOf)).toEqual(["0", "1", "2", "3", "4"]);
        expect(await waited(broker, clientId)).toEqual(["0", "1", "2"]);
        // There is room again.
        expect((await publisher.publish(topic, "5", { qos }))?.reasonCode).toBe(0);
      },
    );

    it("the bytes of a queue count as well", async () => {
      const topic = unique();
      const clientId = await away(broker, topic);
      const publisher = await broker.connect({ version: 5 });
      const sizes = [1500, 1000, 100];
      const codes: (number | undefined)[] = [];
      for (const size of sizes) codes.push((await publisher.publish(topic, "x".repeat(size), { qos: 1 }))?.reasonCode);
      expect(codes).toEqual([0, QUOTA_EXCEEDED, 0]);
      expect((await waited(broker, clientId)).map(({ length }) => length)).toEqual([1500, 100]);
    });

    it("a 3.1.1 publisher can't be told: it is acknowledged", async () => {
      const topic = unique();
      const clientId = await away(broker, topic);
      const publisher = await broker.connect({ version: 4 });
      for (let number = 0; number < 5; number += 1) await publisher.publish(topic, String(number), { qos: 1 });
      expect(await waited(broker, clientId)).toEqual(["0", "1", "2"]);
    });

    it("of a shared subscription another member takes what one has no room for; when all are full the publisher hears 0x97", async () => {
      const topic = unique();
      const members = await Promise.all([0, 1].map(() => away(broker, `$share/g/${topic}`)));
      const publisher = await broker.connect({ version: 5 });
      const codes: (number | undefined)[] = [];
      for (let number = 0; number < 8; number += 1) codes.push((await publisher.publish(topic, String(number), { qos: 1 }))?.reasonCode);
      expect(codes).toEqual([0, 0, 0, 0, 0, 0, QUOTA_EXCEEDED, QUOTA_EXCEEDED]);
      const got = [...(await waited(broker, members[0]!)), ...(await waited(broker, members[1]!))];
      expect(got.sort()).toEqual(["0", "1", "2", "3", "4", "5"]);
    });

    it("a connected client that does not acknowledge has its window and its queue, and no more", async () => {
      const topic = unique();
      const client = await broker.connect({ version: 5, properties: { sessionExpiryInterval: 300, receiveMaximum: 2 }, autoAck: false });
      await client.subscribe(topic, { qos: 1 });
      const publisher = await broker.connect({ version: 5 });
      const codes: (number | undefined)[] = [];
      for (let number = 0; number < 7; number += 1) codes.push((await publisher.publish(topic, String(number), { qos: 1 }))?.reasonCode);
      expect(codes).toEqual([0, 0, 0, 0, 0, QUOTA_EXCEEDED, QUOTA_EXCEEDED]);
    });
  },
  { ...QUEUE, QUEUE_POLICY: "reject_new" },
);
