/** Shared subscriptions over resets of the objects that choose: a message that comes again goes where it went before. */

import { expect, test } from "vitest";
import { AWAKE_MS_MAX } from "../../src/limits.ts";
import { NO_PROPERTIES, PUBLISH, PUBREC, SUBSCRIBE } from "../../src/mqtt/packet.ts";
import { NO_BYTES } from "../../src/mqtt/record.ts";
import type { SimulatedClient } from "../simulation/client.ts";
import type { SimulatedObject } from "../simulation/object.ts";
import { Broker, SHAPES, SilentClient } from "./support.ts";

const MEMBERS = 6;
const MESSAGES = 40;

/** How often each message came to any member. */
function copies(members: readonly SimulatedClient[]): Map<number, number> {
  const count = new Map<number, number>();
  for (const { got } of members) for (const { number } of got) count.set(number, (count.get(number) ?? 0) + 1);
  return count;
}

/**
 * Publishes one message after the other, and resets the Topic object as soon as a member has it: its answer is lost. Another message
 * goes before, so that it would be the turn of others when the object has forgotten it.
 */
async function publishOverResets(qos: 1 | 2): Promise<{ broker: Broker; members: SimulatedClient[] }> {
  const broker = new Broker(["sharded", 2]);
  const { world } = broker;
  const members: SimulatedClient[] = [];
  for (let number = 0; number < MEMBERS; number += 1) members.push(await broker.connect(`member-${number}`));
  for (const member of members) member.subscribe("$share/g/jobs", 2);
  await broker.pass(4_000);
  const publisher = await broker.connect("publisher");
  const got = (): number => members.reduce((sum, member) => sum + member.got.length, 0);
  for (let count = 0; count < MESSAGES; count += 1) {
    publisher.publish("jobs", 0);
    await broker.pass(4_000, ...members, publisher);
    const before = got();
    publisher.publish("jobs", qos);
    while (got() === before) await world.step(Number.POSITIVE_INFINITY);
    for (const object of world.objects) if (object.isTopic) object.reset();
    await broker.pass(4_000, ...members, publisher);
  }
  expect([publisher.quiet, world.problems, publisher.problems]).toEqual([true, [], []]);
  return { broker, members };
}

test("[MQTT5-4.3.3-10] QoS 2: each message comes to one member once, although the Topic object has to choose again", async () => {
  const { broker, members } = await publishOverResets(2);
  const count = copies(members);
  expect(broker.published.map(({ number }) => count.get(number))).toEqual(broker.published.map(() => 1));
  // Both Session objects have members, and both were chosen.
  expect(members.filter(({ got }) => got.length > 0).length).toBeGreaterThan(MEMBERS / 2);
});

test("QoS 1: each message comes", async () => {
  const { broker, members } = await publishOverResets(1);
  const count = copies(members);
  for (const { number } of broker.published) expect(count.get(number)).toBeGreaterThan(0);
});

test("[MQTT5-4.3.3-10] QoS 2: a message that was passed on comes once, although its publisher repeats it after a reset", async () => {
  const broker = new Broker(["sharded", 0]);
  const { world } = broker;
  const objectOf = (id: string): SimulatedObject => world.object(`n/client/${id}`);
  const stays = await broker.connect("stays");
  const leaves = await broker.connect("leaves", { expirySeconds: 0 });
  const publisher = await broker.connect("publisher");
  stays.subscribe("$share/g/jobs", 2);
  for (let count = 0; count < MESSAGES; count += 1) {
    leaves.connect();
    await broker.pass(4_000, stays, publisher);
    leaves.subscribe("$share/g/jobs", 2);
    await broker.pass(4_000, stays, publisher);
    // The member is gone with its object's memory, and the Topic object does not know yet.
    objectOf("leaves").reset();
    publisher.publish("jobs", 2);
    while (stays.got.length === count) await world.step(Number.POSITIVE_INFINITY);
    objectOf("publisher").reset();
    await broker.pass(4_000, stays);
    publisher.connect();
    await broker.pass(4_000, stays, publisher);
  }
  expect([publisher.quiet, world.problems, publisher.problems]).toEqual([true, [], []]);
  expect(stays.got.map(({ number }) => number)).toEqual(broker.published.map(({ number }) => number));
});

test("[MQTT5-4.3.3-10] QoS 2: a message that waited for a member whose session ended comes once to another one, although its publisher repeats it", async () => {
  const broker = new Broker(["sharded", 0]);
  const { world } = broker;
  const objectOf = (id: string): SimulatedObject => world.object(`n/client/${id}`);
  const leaves = await broker.connect("leaves", { expirySeconds: 30 });
  const stays = await broker.connect("stays");
  const publisher = await broker.connect("publisher");
  leaves.subscribe("$share/g/jobs", 2);
  await broker.pass(4_000);
  leaves.drop();
  await broker.pass(4_000);
  publisher.publish("jobs", 2);
  while (objectOf("leaves").sessionStore.chunkHeads(0, 1).length === 0) await world.step(Number.POSITIVE_INFINITY);
  // The publisher does not hear of it, and is away.
  objectOf("publisher").reset();
  stays.subscribe("$share/g/jobs", 2);
  await broker.pass(4_000);
  expect(stays.got).toEqual([]);
  await broker.pass(20 * 60_000, stays);
  expect(stays.got.length).toBe(1);
  // Also an object that has woken for it alone tells that its last member has gone: else it would be asked, and know.
  expect(world.objects.filter(({ isTopic }) => isTopic).flatMap(({ routingStore }) => routingStore.routes())).toMatchObject([
    { filter: "$share/g/jobs", sessionObject: "n/client/stays" },
  ]);
  for (const object of world.objects) object.reset();
  stays.connect();
  publisher.connect();
  await broker.pass(60_000, stays, publisher);
  expect([publisher.quiet, world.problems, publisher.problems, stays.problems, stays.got.length]).toEqual([true, [], [], [], 1]);
});

test.each(SHAPES)(
  "QoS 2: what was not sent to a member whose session ends with its socket in a sleep goes to another one: %s, %i Session objects",
  async (...shape) => {
    const broker = new Broker(shape);
    const other = await broker.connect("other");
    const publisher = new SilentClient(broker, "publisher");
    const leaves = new SilentClient(broker, "leaves", undefined, true);
    await broker.pass(4_000);
    const request = { filter: "$share/g/jobs", qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    leaves.send({ type: SUBSCRIBE, packetId: 1, subscriptions: [request], properties: NO_PROPERTIES });
    await broker.pass(4_000);
    // More than is in flight at once: what waits in memory alone has rows before its object sleeps.
    const fixed = { dup: false, retain: false, properties: NO_PROPERTIES, propertyBytes: NO_BYTES, topic: "jobs" };
    for (let packetId = 1; packetId <= 5; packetId += 1) {
      publisher.send({ type: PUBLISH, ...fixed, qos: 2, packetId, payload: new Uint8Array(600 * 1024).fill(packetId) });
      await broker.pass(4_000);
    }
    expect(publisher.packets.filter(({ type }) => type === PUBREC)).toHaveLength(5);
    other.subscribe("$share/g/jobs", 2);
    other.drop();
    await broker.pass(AWAKE_MS_MAX + 30_000);
    expect(broker.world.objects.filter(({ isTopic, isAwake }) => isAwake && !isTopic)).toEqual([]);
    const sent = leaves.packets.filter(({ type }) => type === PUBLISH).length;
    leaves.drop();
    await broker.pass(60_000);
    other.connect();
    await broker.pass(60_000, other);
    expect([sent > 0 && sent < 5, sent + other.got.length]).toEqual([true, 5]);
  },
);

test("a client that comes and goes costs no rows of its shares; how it stands has one soon, whatever is reset", async () => {
  const broker = new Broker(["sharded", 2]);
  const topics = (): SimulatedObject[] => broker.world.objects.filter(({ isTopic }) => isTopic);
  const rows = (): number => topics().reduce((sum, { meter }) => sum + meter.rowsWritten, 0);
  const online = (): number[] => [...new Set(topics().flatMap(({ routingStore }) => routingStore.routes().map((route) => route.online)))];
  const filters = Array.from({ length: 50 }, (_, number) => `$share/${number}/+/x`);
  let client = new SilentClient(broker, "member");
  await broker.pass(1_000);
  client.subscribe(...filters);
  await broker.pass(20_000);
  const before = rows();
  for (let round = 0; round < 20; round += 1) {
    client.drop();
    await broker.pass(500);
    client = new SilentClient(broker, "member");
    await broker.pass(500);
  }
  expect(rows() - before).toBeLessThanOrEqual(filters.length * topics().length);
  await broker.pass(20_000);
  expect(online()).toEqual([1]);
  client.drop();
  await broker.pass(20_000);
  expect(online()).toEqual([0]);
  for (const expected of [1, 0]) {
    if (expected === 1) client = new SilentClient(broker, "member");
    else client.drop();
    await broker.pass(1_000);
    for (const topic of topics()) topic.reset();
    await broker.pass(30_000);
    expect(online()).toEqual([expected]);
  }
});
