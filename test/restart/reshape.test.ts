/** Another number of objects, on a broker with data: what moves, what waits, and what is said when it can't. */

import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { RETAINED_PAGE_MESSAGES } from "../../src/limits.ts";
import { sessionObjectName, shapeHistory, topicObjectOf, topicShard } from "../../src/objects/names.ts";
import type { PreviousShape } from "../../src/shape-settings.ts";
import type { SimulatedClient } from "../simulation/client.ts";
import type { SimulatedObject } from "../simulation/object.ts";
import { USERS, withInstantCrypto } from "../simulation/users.ts";
import { Broker, gotOf } from "./support.ts";

let log: MockInstance<typeof console.log>;
beforeEach(() => {
  log = vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => void log.mockRestore());

const TWO: PreviousShape = { sessionShards: 2, topicShards: 2, topicsWithObject: [] };
const FIVE: PreviousShape = { sessionShards: 5, topicShards: 5, topicsWithObject: [] };
const EACH: PreviousShape = { sessionShards: 0, topicShards: 3, topicsWithObject: [] };

/** Client Identifiers and topics that have other owners in every pair of these shapes. */
const ID = "reader-0";
const TOPICS = ["t/0", "t/1", "t/2", "t/3", "t/4"];

function owner({ world }: Broker, id: string): SimulatedObject {
  return world.object(sessionObjectName(world.settings, "n", id));
}

function topicOwner({ world }: Broker, topic: string): SimulatedObject {
  return world.object(topicObjectOf(world.settings, "n", topic));
}

async function back(broker: Broker, ...clients: readonly SimulatedClient[]): Promise<void> {
  for (const client of clients) client.connect();
  await broker.pass(8_000);
}

test("the names of this file have other owners in other shapes", () => {
  const owners = [TWO, FIVE, EACH].map((shape) => sessionObjectName({ topology: "sharded", ...shape }, "n", ID));
  expect(new Set(owners).size).toBe(3);
  expect(TOPICS.some((topic) => topicShard(TWO, topic) !== topicShard(FIVE, topic))).toBe(true);
});

describe.each([
  ["2 + 2 to 5 + 5", FIVE],
  ["2 + 2 to one for each client + 3", EACH],
])("%s and back", (_, other) => {
  test("a session, its subscriptions and what waits for it are where its client connects", async () => {
    const broker = new Broker(["sharded", 2]);
    const reader = await broker.connect(ID);
    const writer = await broker.connect("writer");
    for (const filter of [...TOPICS, "all/#"]) reader.subscribe(filter, 2);
    await broker.pass(4_000);
    for (const shape of [other, TWO]) {
      const former = owner(broker, ID);
      reader.drop();
      await broker.pass(4_000);
      for (const topic of [...TOPICS, "all/1"]) writer.publish(topic, 2);
      await broker.pass(4_000);
      broker.world.reshape(shape);
      await back(broker, writer);
      // Its session is still where it was, and collects what is published now.
      for (const topic of [...TOPICS, "all/1"]) writer.publish(topic, 1);
      await broker.pass(4_000);
      await back(broker, reader);
      expect(reader.lives.at(-2)!.resumed).toBe(true);
      expect(former.sessionStore.sessions().map(({ clientId }) => clientId)).not.toContain(ID);
    }
    const numbers = broker.published.map(({ number }) => number);
    for (const topic of [...TOPICS, "all/1"]) {
      expect(gotOf(broker, reader, topic)).toEqual(numbers.filter((number) => broker.published[number]!.topic === topic));
    }
    expect([reader.problems, writer.problems]).toEqual([[], []]);
  });

  test.each(["publisher", "publisher@home"])("a message that %s began at QoS 2 where its session was before comes once", async (id) => {
    const broker = new Broker(other === EACH ? ["sharded", 2] : ["sharded", 0]);
    const reader = await broker.connect(ID);
    const publisher = await broker.connect(id);
    reader.subscribe(TOPICS[0]!, 2);
    await broker.pass(4_000);
    publisher.publish(TOPICS[0]!, 2);
    while (reader.got.length === 0) await broker.world.step(Number.POSITIVE_INFINITY);
    // Nobody knows any more that the message is safe.
    owner(broker, id).reset();
    await broker.pass(4_000, reader);
    broker.world.reshape(other);
    await back(broker, reader, publisher);
    await broker.pass(60_000, reader, publisher);
    expect([publisher.quiet, reader.got.length, reader.problems, publisher.problems]).toEqual([true, 1, [], []]);
  });

  test("retained messages are with the owner of their topic, and nowhere else", async () => {
    const broker = new Broker(["sharded", 2]);
    const writer = await broker.connect("writer");
    for (const topic of TOPICS) writer.publish(topic, 1, { kind: "retained" });
    await broker.pass(4_000);
    for (const shape of [other, TWO]) {
      broker.world.reshape(shape);
      await back(broker, writer);
      const reader = await broker.connect(`reader of ${shape.topicShards}`, { expirySeconds: 0 });
      reader.subscribe("#", 1);
      await broker.pass(8_000);
      expect(new Set(reader.got.map(({ number }) => broker.published[number]!.topic))).toEqual(new Set(TOPICS));
      expect(reader.got.length).toBe(TOPICS.length);
      for (const topic of TOPICS) {
        const holders = broker.world.objects.filter(({ routingStore }) => routingStore.retained(topic) !== undefined);
        expect(holders.map(({ name }) => name)).toEqual([topicOwner(broker, topic).name]);
      }
    }
  });

  test("a will of a client that is back at its new owner is not published, one of a client that is gone is", async () => {
    const broker = new Broker(["sharded", 2]);
    const watcher = await broker.connect("watcher");
    watcher.subscribe("w/+", 1);
    const client = await broker.connect(ID, { will: { qos: 1, delaySeconds: 0 } });
    const clean = await broker.connect("clean", { will: { qos: 1, delaySeconds: 0 }, expirySeconds: 0 });
    await broker.connect("gone", { will: { qos: 1, delaySeconds: 0 } });
    broker.world.reshape(other);
    await back(broker, watcher, client, clean);
    // A message wakes the objects of before; in the grace they publish nothing.
    await broker.pass(20 * 60_000, watcher, client, clean);
    expect([`w/${ID}`, "w/clean", "w/gone"].map((topic) => gotOf(broker, watcher, topic).length)).toEqual([0, 0, 1]);
  });

  test("Clean Start 1 ends the session where it was", async () => {
    const broker = new Broker(["sharded", 2]);
    const reader = await broker.connect(ID);
    reader.subscribe("t/0", 1);
    await broker.pass(4_000);
    const former = owner(broker, ID);
    broker.world.reshape(other);
    await broker.connect(ID, { expirySeconds: 0 });
    expect(former.sessionStore.sessions()).toEqual([]);
  });
});

test("while the former owner is out of reach its client is refused with 0x88, and nothing is lost", async () => {
  const broker = new Broker(["sharded", 2]);
  const reader = await broker.connect(ID);
  const writer = await broker.connect("writer");
  reader.subscribe("t/0", 1);
  await broker.pass(4_000);
  reader.drop();
  writer.publish("t/0", 1);
  await broker.pass(4_000);
  broker.world.reshape(FIVE);
  broker.world.faults = { ...broker.world.faults, callLost: 1 };
  await back(broker, reader);
  expect(reader.connected).toBe(false);
  expect(broker.world.trace.some((line) => line.endsWith(`${ID} was refused: 136`))).toBe(true);
  broker.world.faults = { ...broker.world.faults, callLost: 0 };
  await broker.pass(20_000);
  await back(broker, reader);
  expect(reader.lives.at(-2)!.resumed).toBe(true);
  expect(gotOf(broker, reader, "t/0").length).toBe(1);
});

test("a number of Topic objects that was changed without PREVIOUS_SHAPES is noticed: nobody is served, and the log says why", async () => {
  const broker = new Broker(["sharded", 2]);
  const writer = await broker.connect("writer");
  for (const topic of TOPICS) writer.publish(topic, 1, { kind: "retained" });
  await broker.pass(4_000);
  broker.world.reshape(FIVE);
  broker.world.settings = { ...broker.world.settings, previousShapes: [] };
  await back(broker, writer);
  const acknowledged = broker.published.filter(({ acknowledgedAt }) => acknowledgedAt !== undefined).length;
  for (const topic of TOPICS.filter((each) => topicShard(FIVE, each) < 2)) writer.publish(topic, 1);
  const askedAt = broker.world.trace.length;
  writer.subscribe("#", 1);
  await broker.pass(2_000, writer);
  // At once, not when every repeat has failed.
  expect(broker.world.trace.slice(askedAt).filter((line) => line.includes("is subscribed to # at QoS 1: 131"))).toHaveLength(1);
  await broker.pass(18_000, writer);
  expect(broker.published.filter(({ acknowledgedAt }) => acknowledgedAt !== undefined).length).toBe(acknowledged);
  const lines = log.mock.calls.map(([line]) => JSON.parse(line as string) as { event: string; problem: string });
  expect(lines.find(({ event }) => event === "a Topic object serves nobody")?.problem).toBe(
    "there were 2 Topic objects, and TOPIC_SHARDS is 5: PREVIOUS_SHAPES must name that shape",
  );
});

test("an object that does not own a client refuses it: its Worker has not heard of the change yet", async () => {
  const broker = new Broker(["sharded", 2]);
  const { settings } = broker.world;
  const reader = await broker.connect(ID);
  broker.world.reshape(FIVE);
  const now = broker.world.settings;
  // The client is sent where it would have gone before, to an object that knows better.
  broker.world.settings = settings;
  reader.connect();
  broker.world.settings = now;
  await broker.pass(8_000);
  expect(reader.connected).toBe(false);
  expect(broker.world.trace.some((line) => line.endsWith(`${ID} was refused: 136`))).toBe(true);
});

test.each([
  ["fails", false],
  ["ends in a reset", true],
])(
  "what a session was given through a shared subscription where it had been before is there when it is back, though the way back %s",
  async (_, resets) => {
    const broker = new Broker(["sharded", 2]);
    const { world } = broker;
    const reader = await broker.connect(ID);
    const writer = await broker.connect("writer");
    reader.subscribe("$share/g/t/0", 1);
    await broker.pass(4_000);
    const first = owner(broker, ID);
    reader.drop();
    world.reshape(FIVE);
    // Its next owner has it, and can't say so: messages still come to both.
    await first.wake();
    const exported = first.sessionHost!.arrivals.export.bind(first.sessionHost!.arrivals);
    vi.spyOn(first.sessionHost!.arrivals, "export").mockImplementation((asker, clientId, from, last) =>
      last ? Promise.reject(new Error("out of reach")) : exported(asker, clientId, from, last),
    );
    await back(broker, reader, writer);
    expect(reader.connected).toBe(false);
    const second = owner(broker, ID);
    for (let count = 0; count < 20; count += 1) writer.publish("t/0", 1);
    await broker.pass(4_000);
    const waiting = (object: SimulatedObject): number => object.sessionHost!.core.sessions.get(ID)!.outstanding;
    expect(waiting(first)).toBeGreaterThan(0);
    expect(waiting(first) + waiting(second)).toBe(20);
    world.reshape(TWO);
    // The first attempt gets no further than to the question what waits for it.
    await second.wake();
    const { arrivals } = second.sessionHost!;
    const part = arrivals.export.bind(arrivals);
    vi.spyOn(arrivals, "export")
      .mockImplementationOnce(part)
      .mockImplementationOnce(() => {
        if (resets) first.reset();
        return Promise.reject(new Error("out of reach"));
      });
    await back(broker, reader);
    expect(reader.connected).toBe(false);
    await back(broker, reader);
    await broker.pass(8_000, reader);
    expect(gotOf(broker, reader, "t/0").sort((a, b) => a - b)).toEqual(
      broker.published.filter(({ topic }) => topic === "t/0").map(({ number }) => number),
    );
    expect([reader.problems, world.problems]).toEqual([[], []]);
    expect([first, second].map(({ sessionStore }) => sessionStore.sessions().filter(({ clientId }) => clientId === ID).length)).toEqual([
      1, 0,
    ]);
  },
);

/** A session that was given to its next owner, which has it, and whose way back was cut when what it left behind had made room for it. */
async function cutOnTheWayBack(): Promise<{ broker: Broker; reader: SimulatedClient; second: SimulatedObject }> {
  const broker = new Broker(["sharded", 2]);
  const reader = await broker.connect(ID);
  reader.subscribe("t/0", 1);
  await broker.pass(4_000);
  const first = owner(broker, ID);
  reader.drop();
  broker.world.reshape(FIVE);
  await first.wake();
  const exported = first.sessionHost!.arrivals.export.bind(first.sessionHost!.arrivals);
  vi.spyOn(first.sessionHost!.arrivals, "export").mockImplementation((asker, clientId, from, last) =>
    last ? Promise.reject(new Error("out of reach")) : exported(asker, clientId, from, last),
  );
  await back(broker, reader);
  const second = owner(broker, ID);
  broker.world.reshape(TWO);
  await second.wake();
  const { arrivals } = second.sessionHost!;
  const part = arrivals.export.bind(arrivals);
  vi.spyOn(arrivals, "export").mockImplementationOnce(part).mockRejectedValueOnce(new Error("out of reach"));
  await back(broker, reader);
  expect(reader.connected).toBe(false);
  expect(first.sessionStore.subscriptions()).toEqual([]);
  return { broker, reader, second };
}

test("what a session has left behind is not taken for it, should the numbers change once more", async () => {
  const { broker, reader } = await cutOnTheWayBack();
  broker.world.reshape(FIVE);
  await back(broker, reader);
  expect(reader.connected).toBe(true);
  const writer = await broker.connect("writer");
  writer.publish("t/0", 1);
  await broker.pass(4_000);
  expect(gotOf(broker, reader, "t/0")).toHaveLength(1);
  expect([reader.problems, broker.world.problems]).toEqual([[], []]);
});

test("nor when the session has ended where it was", async () => {
  const { broker, reader, second } = await cutOnTheWayBack();
  await second.sessionHost!.arrivals.offer(shapeHistory(broker.world.settings), ID, "end", undefined);
  await back(broker, reader);
  expect(reader.connected).toBe(true);
  expect(broker.world.trace.some((line) => line.endsWith(`${ID} is connected, Session Present true`))).toBe(false);
});

test("who is another user gets nothing of a session and ends nothing where it was, and says nothing to its user", () =>
  withInstantCrypto(async () => {
    const broker = new Broker(["sharded", 2], USERS);
    const reader = await broker.connect(ID, { user: "alice" });
    reader.subscribe("t/0", 1);
    await broker.pass(4_000, reader);
    reader.drop();
    const first = owner(broker, ID);
    broker.world.reshape(FIVE);
    const refusals = (): string[] => broker.world.trace.filter((line) => line.includes("was refused"));
    const eve = await broker.connect(ID, { user: "bob", version: 4, expirySeconds: 0 });
    const eves = await broker.connect(ID, { user: "bob" });
    await broker.pass(20_000);
    expect(refusals().map((line) => line.replace(/^\d+ /, ""))).toEqual([`${ID} was refused: 2`, `${ID} was refused: 133`]);
    expect(first.sessionStore.subscriptions().map(({ filter }) => filter)).toEqual(["t/0"]);
    expect(owner(broker, ID).sessionStore.sessions()).toEqual([]);
    // While both ask for it, each hears what is for it.
    eves.connect();
    await broker.pass(500);
    reader.connect();
    eve.connect();
    await broker.pass(20_000, reader);
    expect([eve.connected, eves.connected, reader.connected, reader.lives.at(-2)!.resumed]).toEqual([false, false, true, true]);
    expect(refusals()).toHaveLength(4);
  }));

test("a retained message that expires does so where it has moved to", async () => {
  const broker = new Broker(["sharded", 2]);
  const writer = await broker.connect("writer");
  for (const topic of TOPICS) writer.publish(topic, 1, { kind: "retained", expirySeconds: 1000 });
  await broker.pass(4_000);
  broker.world.reshape(FIVE);
  await back(broker, writer);
  for (const topic of TOPICS) writer.publish(topic, 0);
  await broker.pass(8_000);
  for (const topic of TOPICS) {
    const row = topicOwner(broker, topic).routingStore.retained(topic);
    expect(row?.expiresAt).toBeGreaterThan(broker.world.now);
  }
});

test("more retained messages than a page holds come from page to page, each once", async () => {
  const broker = new Broker(["sharded", 2]);
  const writer = await broker.connect("writer");
  const reader = await broker.connect("reader");
  const count = 2 * RETAINED_PAGE_MESSAGES + 10;
  for (let number = 0; number < count; number += 1) {
    writer.publish(`r/${number}`, 0, { kind: "retained" });
    if (number % 10 === 0) await broker.pass(200);
  }
  await broker.pass(4_000);
  reader.subscribe("r/+", 1);
  await broker.pass(8_000);
  expect(reader.got.map(({ retain }) => retain)).toEqual(new Array(count).fill(true));
  expect(new Set(reader.got.map(({ number }) => number)).size).toBe(count);
});
