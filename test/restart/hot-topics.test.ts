/**
 * Topics with an object of their own, on a broker with data: what moves when the list of them changes, what is said when it can't, and who an
 * object of its own is.
 */

import { afterEach, beforeEach, expect, type MockInstance, test, vi } from "vitest";
import { RETAINED_PAGE_MESSAGES } from "../../src/limits.ts";
import {
  objectsOf,
  previousTopicObjects,
  refuseEarlierShape,
  shapeHistory,
  shapeNumber,
  topicNumbers,
  topicObjectName,
  topicObjectOf,
  topicShard,
} from "../../src/objects/names.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import type { PreviousShape } from "../../src/shape-settings.ts";
import type { SimulatedClient } from "../simulation/client.ts";
import { Broker, gotOf } from "./support.ts";

let log: MockInstance<typeof console.log>;
beforeEach(() => {
  log = vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => void log.mockRestore());

const having = (...topicsWithObject: readonly string[]): PreviousShape => ({ sessionShards: 2, topicShards: 2, topicsWithObject });

const own = (topic: string): string => `n/topic/own/${topic}`;

const settingsOf = (env: Record<string, string>): Settings => parseSettings({ TOPOLOGY: "sharded", ...env }) as Settings;

async function back(broker: Broker, ...clients: readonly SimulatedClient[]): Promise<void> {
  for (const client of clients) client.connect();
  await broker.pass(8_000);
}

/** Names of the Topic objects that have a retained message of a topic. */
function holders({ world }: Broker, topic: string): string[] {
  return world.objects.filter(({ routingStore }) => routingStore.retained(topic) !== undefined).map(({ name }) => name);
}

/** What the log says of Topic objects that serve nobody. */
function refusals(): { object: string; problem: string }[] {
  const lines = log.mock.calls.map(([line]) => JSON.parse(line as string) as { event: string; object: string; problem: string });
  return lines.filter(({ event }) => event === "a Topic object serves nobody").map(({ object, problem }) => ({ object, problem }));
}

const HOT = ["t/0", "t/1"];
const COLD = "t/2";

test("routes and retained messages of a topic go with it into an object of its own, and come back, and nobody notices", async () => {
  const broker = new Broker(["sharded", 2]);
  const { world } = broker;
  const writer = await broker.connect("writer");
  const [exact, all, shared] = [await broker.connect("exact"), await broker.connect("all"), await broker.connect("shared")];
  for (const topic of [...HOT, COLD]) exact.subscribe(topic, 2);
  all.subscribe("t/+", 1);
  shared.subscribe("$share/g/t/0", 2);
  await broker.pass(4_000);
  // The last change is of the numbers, too: the object of a topic stays who it is.
  const shapes = [
    having(...HOT),
    having("t/1", "u"),
    having(),
    having("t/0"),
    { ...having("t/0"), sessionShards: 3, topicShards: 5 },
    having(),
  ];
  for (const shape of shapes) {
    for (const topic of [...HOT, COLD]) writer.publish(topic, 2, { kind: "retained" });
    await broker.pass(4_000);
    all.drop();
    await broker.pass(1_000);
    world.reshape(shape);
    await back(broker, writer, exact, shared);
    // One of them waits for a client that is away.
    for (const topic of [...HOT, COLD]) writer.publish(topic, 1);
    await back(broker, all);
    const late = await broker.connect(`late ${world.now}`, { expirySeconds: 0 });
    late.subscribe("t/#", 1);
    await broker.pass(8_000);
    for (const topic of [...HOT, COLD]) {
      const expected = shape.topicsWithObject.includes(topic) ? own(topic) : topicObjectName("n", topicShard(shape, topic));
      expect(topicObjectOf(world.settings, "n", topic)).toBe(expected);
      expect([topic, holders(broker, topic)]).toEqual([topic, [expected]]);
      expect(gotOf(broker, late, topic)).toHaveLength(1);
    }
    late.disconnect();
  }
  for (const topic of [...HOT, COLD]) {
    const numbers = broker.published.filter((each) => each.topic === topic).map(({ number }) => number);
    expect(gotOf(broker, exact, topic)).toEqual(numbers);
    expect(gotOf(broker, all, topic)).toEqual(numbers);
    if (topic === "t/0") expect(gotOf(broker, shared, topic)).toEqual(numbers);
  }
  expect([exact, all, shared, writer].flatMap(({ problems }) => problems)).toEqual([]);
  expect(refusals()).toEqual([]);
});

test("what is owed of a page that was begun before has the retained message of a topic that has moved meanwhile", async () => {
  const broker = new Broker(["sharded", 2]);
  const writer = await broker.connect("writer");
  const count = 3 * RETAINED_PAGE_MESSAGES;
  for (let number = 0; number < count; number += 1) {
    writer.publish(`r/${100 + number}`, 1, { kind: "retained" });
    if (number % 10 === 0) await broker.pass(200);
  }
  writer.publish("r/z", 1, { kind: "retained" });
  await broker.pass(4_000);
  // It takes nothing before it is gone.
  const reader = await broker.connect("reader", { slowMs: 60_000, receiveMaximum: 1 });
  reader.subscribe("r/+", 1);
  await broker.pass(4_000);
  expect(gotOf(broker, reader, "r/z")).toHaveLength(0);
  reader.drop();
  broker.world.reshape(having("r/z"));
  const again = await broker.connect("reader");
  await broker.pass(8_000, again);
  expect(gotOf(broker, again, "r/z")).toHaveLength(1);
  const came = new Set([...reader.got, ...again.got].map(({ number }) => broker.published[number]!.topic));
  expect(came.size).toBe(count + 1);
});

test("a topic that got its object without PREVIOUS_SHAPES is noticed", async () => {
  const broker = new Broker(["sharded", 2]);
  const { world } = broker;
  const home = topicObjectName("n", topicShard(having(), "t/0"));
  const writer = await broker.connect("writer");
  const publish = async (): Promise<boolean> => {
    writer.publish("t/0", 1, { kind: "retained" });
    await broker.pass(2_000, writer);
    return broker.published.at(-1)!.acknowledgedAt !== undefined;
  };
  expect(await publish()).toBe(true);
  world.reshape(having("t/0"));
  world.settings = { ...world.settings, previousShapes: [] };
  await back(broker, writer);
  expect(await publish()).toBe(false);
  const problem = 'TOPIC_SHARDS and TOPICS_WITH_OBJECT were 2 and "", and are 2 and "t/0": PREVIOUS_SHAPES must name that shape';
  expect(refusals()).toEqual([home, own("t/0")].map((object) => ({ object, problem })));
  expect(holders(broker, "t/0")).toEqual([home]);
});

test("so is one that lost it, though the others have nothing", async () => {
  const broker = new Broker(["sharded", 2]);
  const { world } = broker;
  world.settings = { ...world.settings, ...having("t/0") };
  const home = topicObjectName("n", topicShard(having(), "t/0"));
  const writer = await broker.connect("writer");
  writer.publish("t/0", 1, { kind: "retained" });
  await broker.pass(2_000, writer);
  expect(holders(broker, "t/0")).toEqual([own("t/0")]);
  world.reshape(having());
  world.settings = { ...world.settings, previousShapes: [] };
  await back(broker, writer);
  writer.publish("t/0", 1);
  await broker.pass(2_000, writer);
  expect(broker.published.map(({ acknowledgedAt }) => acknowledgedAt === undefined)).toEqual([false, true]);
  expect(refusals().map(({ object }) => object)).toEqual([home]);
  world.settings = { ...world.settings, previousShapes: [having("t/0")] };
  broker.crash();
  await back(broker, writer);
  writer.publish("t/0", 1);
  await broker.pass(2_000, writer);
  expect(broker.published.map(({ acknowledgedAt }) => acknowledgedAt === undefined)).toEqual([false, true, false]);
  expect(holders(broker, "t/0")).toEqual([home]);
});

test("so is one that got it and lost it while the object that has it now did nothing else", async () => {
  const broker = new Broker(["sharded", 2]);
  const { world } = broker;
  const writer = await broker.connect("writer");
  world.reshape(having("t/0"));
  await back(broker, writer);
  writer.publish("t/0", 1, { kind: "retained" });
  await broker.pass(2_000, writer);
  expect(holders(broker, "t/0")).toEqual([own("t/0")]);
  world.reshape(having());
  world.settings = { ...world.settings, previousShapes: [] };
  await back(broker, writer);
  writer.publish("t/0", 1);
  await broker.pass(2_000, writer);
  expect(broker.published.map(({ acknowledgedAt }) => acknowledgedAt === undefined)).toEqual([false, true]);
  expect(refusals()).toHaveLength(1);
});

test("topics that one object has given some of, and others not yet, come and go with the list that they were on", async () => {
  const broker = new Broker(["sharded", 2]);
  const { world } = broker;
  const [some, others] = [0, 1, 2, 3]
    .map((number) => `v/${number}`)
    .reduce<[string[], string[]]>(
      (lists, topic) => {
        lists[topicShard(having(), topic)]!.push(topic);
        return lists;
      },
      [[], []],
    );
  const writer = await broker.connect("writer");
  for (const topic of [...some, ...others]) writer.publish(topic, 1, { kind: "retained" });
  await broker.pass(4_000);
  for (const shape of [having(...some, ...others), having(), having(...some)]) {
    world.reshape(shape);
    await back(broker, writer);
    // The first of them alone has its object used before all lose their memory.
    writer.publish(some[0]!, 1);
    await broker.pass(2_000, writer);
    broker.crash();
    await back(broker, writer);
    const reader = await broker.connect(`reader ${world.now}`, { expirySeconds: 0 });
    reader.subscribe("v/+", 1);
    await broker.pass(4_000, writer, reader);
    expect(new Set(reader.got.map(({ number }) => broker.published[number]!.topic)).size).toBe(4);
    reader.disconnect();
  }
  expect(Math.max(some.length, others.length)).toBeGreaterThan(1);
  expect(refusals()).toEqual([]);
});

test("an object that slept through several changes of the list serves on if none was of a topic of its own", async () => {
  const broker = new Broker(["sharded", 2]);
  const { world } = broker;
  const home = topicShard(having(), "t/0");
  const [hot, cold] = [home, 1 - home].map((shard) =>
    [...Array(100).keys()].map((number) => `u/${number}`).filter((topic) => topicShard(having(), topic) === shard),
  ) as [string[], string[]];
  const writer = await broker.connect("writer");
  for (const topic of [hot[0]!, cold[0]!]) writer.publish(topic, 1, { kind: "retained" });
  await broker.pass(4_000);
  for (const topic of [hot[1]!, hot[2]!, hot[3]!]) {
    world.reshape(having(topic));
    world.settings = { ...world.settings, previousShapes: world.settings.previousShapes.slice(0, 1) };
    await back(broker, writer);
    for (const each of [hot[0]!, topic]) writer.publish(each, 1);
    await broker.pass(2_000, writer);
  }
  writer.subscribe("u/+", 1);
  await broker.pass(4_000, writer);
  expect([hot[0]!, cold[0]!].map((topic) => gotOf(broker, writer, topic).length)).toEqual([1, 1]);
  expect(broker.published.filter(({ acknowledgedAt }) => acknowledgedAt === undefined)).toEqual([]);
  expect(refusals()).toEqual([]);
});

test("who is asked for what a topic had there does not take itself for one that has all of its own", async () => {
  const broker = new Broker(["sharded", 2]);
  const shape = { ...having("t/0"), topicShards: 5 };
  const home = topicShard({ ...shape, topicsWithObject: [] }, "t/0");
  const beside = [...Array(100).keys()].map((number) => `u/${number}`).find((topic) => topicShard(shape, topic) === home)!;
  expect(home).toBeGreaterThan(1);
  const writer = await broker.connect("writer");
  writer.publish(beside, 1, { kind: "retained" });
  await broker.pass(4_000);
  broker.world.reshape(shape);
  await back(broker, writer);
  writer.publish("t/0", 1);
  await broker.pass(4_000, writer);
  expect(broker.published.at(-1)!.acknowledgedAt).toBeDefined();
  broker.crash();
  await back(broker, writer);
  writer.subscribe(beside, 1);
  await broker.pass(4_000, writer);
  expect(gotOf(broker, writer, beside)).toHaveLength(1);
});

test("a filter with wildcards is known to the objects of topics that it matches, and costs nothing at others", async () => {
  const broker = new Broker(["sharded", 2]);
  broker.world.settings = { ...broker.world.settings, ...having("a/b", "c") };
  const reader = await broker.connect("reader");
  for (const filter of ["a/+", "$share/g/a/#"]) reader.subscribe(filter, 1);
  await broker.pass(4_000);
  const names = broker.world.objects.filter(({ isTopic }) => isTopic).map(({ name }) => name);
  expect(names.sort()).toEqual(["n/topic/0", "n/topic/1", own("a/b")]);
  expect(topicNumbers(broker.world.settings, "#")).toEqual([0, 1, 2, 3]);
  expect(topicNumbers(broker.world.settings, "$events/client/connected")).toEqual([0, 1, 2, 3]);
  expect(topicNumbers(broker.world.settings, "$presence/c")).toEqual([3]);
});

test("who an object is depends on its topic, not on the order of the list", () => {
  const some = settingsOf({ TOPICS_WITH_OBJECT: " b, a/x,b", PREVIOUS_SHAPES: "4+4+b+a" });
  const same = settingsOf({ TOPICS_WITH_OBJECT: "a/x,b", PREVIOUS_SHAPES: "4+4+a+b" });
  expect([shapeNumber(some), shapeHistory(some)]).toEqual([shapeNumber(same), shapeHistory(same)]);
  expect(objectsOf(some, "n").topics.slice(4)).toEqual([own("a/x"), own("b")]);
  const less = settingsOf({ TOPICS_WITH_OBJECT: "b" });
  expect(objectsOf(less, "n").topics.slice(4)).toEqual([own("b")]);
  expect(shapeNumber(less)).not.toBe(shapeNumber(settingsOf({ TOPICS_WITH_OBJECT: "a" })));
  expect(Number.isSafeInteger(shapeNumber(some))).toBe(true);
});

test("a change of the list asks those alone that may have had the topic", () => {
  const home = (topic: string): string => topicObjectName("n", topicShard(having(), topic));
  const settings = { ...settingsOf({}), ...having("a", "b"), previousShapes: [having("b", "c"), having()] };
  expect(previousTopicObjects(settings, own("a"))).toEqual([home("a")]);
  for (const shard of ["n/topic/0", "n/topic/1"]) {
    expect(previousTopicObjects(settings, shard)).toEqual(shard === home("c") ? [own("c")] : []);
  }
});

test("topics that look like a part of another shape are none", () => {
  const odd = settingsOf({ TOPICS_WITH_OBJECT: "!<4,5" });
  expect(() => refuseEarlierShape(odd, shapeHistory(settingsOf({ TOPIC_SHARDS: "5" })))).not.toThrow();
  const later = settingsOf({ PREVIOUS_SHAPES: "4+4+!<4+5" });
  expect(() => refuseEarlierShape(later, shapeHistory(odd))).toThrow("which is over");
});
