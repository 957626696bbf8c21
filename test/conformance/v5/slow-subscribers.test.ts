/**
 * Subscribers that are slower than their publishers, over real sockets: publishers with a bounded window slow down to them, and what was
 * acknowledged arrives.
 */

import { expect, it, vi } from "vitest";
import { PUBACK, PUBLISH } from "../../../src/mqtt/packet.ts";
import { describeTopologies, type TestBroker } from "../../support/brokers.ts";
import { acknowledgement, type MqttTestClient, publishPacket, textOf, unique } from "../../support/mqtt-client.ts";

const WINDOW = 150;
const COUNT = 1500;
/** Much smaller than the publisher's window together. */
const SMALL = { INFLIGHT_MAX: "10", QUEUE_MESSAGES_MAX: "40" };
const DURABLE = { sessionExpiryInterval: 300 };

async function subscriber(broker: TestBroker, filter: string, autoAck: boolean): Promise<MqttTestClient> {
  const client = await broker.connect({ version: 5, properties: DURABLE, autoAck });
  await client.subscribe(filter, { qos: 1 });
  return client;
}

/** Publishes as fast as its window allows. @returns once everything has been acknowledged */
async function publishFast(publisher: MqttTestClient, topic: string, count: number): Promise<void> {
  const send = (number: number): void => publisher.send(publishPacket(topic, String(number), { qos: 1, packetId: number + 1 }));
  for (let number = 0; number < Math.min(WINDOW, count); number += 1) send(number);
  for (let number = 0; number < count; number += 1) {
    expect(await publisher.expect(PUBACK)).toMatchObject({ packetId: number + 1, reasonCode: 0 });
    if (number + WINDOW < count) send(number + WINDOW);
  }
}

function textsOf(clients: readonly MqttTestClient[]): string[] {
  return clients.flatMap(({ arrived }) => arrived.flatMap((packet) => (packet.type === PUBLISH ? [textOf(packet)] : [])));
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, number) => String(number));

describeTopologies((broker) => {
  it("members of a shared subscription that keep up lose nothing under a fast publisher", async () => {
    const topic = unique();
    const members = await Promise.all([0, 1, 2].map(() => subscriber(broker, `$share/g/${topic}`, true)));
    await publishFast(await broker.connect({ version: 5 }), topic, COUNT);
    await vi.waitFor(() => expect(textsOf(members)).toHaveLength(COUNT), 5000);
    expect(new Set(textsOf(members))).toEqual(new Set(numbers(COUNT)));
  });

  it("a member that acknowledges nothing keeps what it was sent; when its session ends another one gets that too", async () => {
    const topic = unique();
    const stuck = await subscriber(broker, `$share/g/${topic}`, false);
    const well = await subscriber(broker, `$share/g/${topic}`, true);
    await publishFast(await broker.connect({ version: 5 }), topic, COUNT);
    expect(textsOf([stuck]).length).toBeLessThanOrEqual(10);
    await stuck.disconnect(0, { sessionExpiryInterval: 0 });
    await vi.waitFor(() => expect(new Set(textsOf([well]))).toEqual(new Set(numbers(COUNT))), 5000);
  });

  it("a subscriber that acknowledges step by step gets everything, in order", async () => {
    const topic = unique();
    const client = await subscriber(broker, topic, false);
    const publishing = publishFast(await broker.connect({ version: 5 }), topic, 400);
    const got: string[] = [];
    while (got.length < 400) {
      const batch = await client.messages(10);
      got.push(...batch.map(textOf));
      client.sendTogether(...batch.map(({ packetId }) => acknowledgement(PUBACK, packetId)));
    }
    await publishing;
    expect(got).toEqual(numbers(400));
  });

  it("while a publisher waits for a subscriber that reads nothing, others are answered; then it goes on", async () => {
    const topic = unique();
    await subscriber(broker, topic, false);
    const publisher = await broker.connect({ version: 5 });
    const publishing = publishFast(publisher, topic, 100);
    const others = await Promise.all(numbers(4).map(() => broker.connect({ version: 5 })));
    // Their topics are with every Topic object, their sessions with every Session object.
    for (const text of numbers(8))
      await Promise.all(
        others.map(async (other) => expect(await other.publish(`${topic}/${text}`, text, { qos: 1 })).toMatchObject({ type: PUBACK })),
      );
    const answered = publisher.arrived.filter(({ type }) => type === PUBACK).length;
    expect(answered).toBeLessThan(100);
    await publishing;
  });
}, SMALL);
