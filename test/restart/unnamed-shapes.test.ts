/** A Topic object that was asked by others and not used before PREVIOUS_SHAPES was emptied: it notices, then and at every later change. */

import { afterEach, beforeEach, expect, type MockInstance, test, vi } from "vitest";
import { topicObjectName, topicShard } from "../../src/objects/names.ts";
import type { PreviousShape } from "../../src/shape-settings.ts";
import type { SimulatedClient } from "../simulation/client.ts";
import { Broker, gotOf } from "./support.ts";

let log: MockInstance<typeof console.log>;
beforeEach(() => {
  log = vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => void log.mockRestore());

const shape = (topicShards: number): PreviousShape => ({ sessionShards: 2, topicShards, topicsWithObject: [] });
const [TWO, THREE, FOUR, FIVE] = [shape(2), shape(3), shape(4), shape(5)];
const ASKED = topicObjectName("n", 0);

/** @returns a topic that has these owners with 2, 3 and 5 Topic objects; undefined = any */
function topicOf(...owners: readonly (number | undefined)[]): string {
  const isOf = (topic: string): boolean =>
    owners.every((owner, index) => owner === undefined || topicShard([TWO, THREE, FIVE][index]!, topic) === owner);
  return [...Array(1000).keys()].map((number) => `t/${number}`).find(isOf)!;
}

/** It stays with the object that is asked. */
const STAYS = topicOf(0, 0, 0);
/** It moves to that. */
const COMES = topicOf(1, 0, 0);
/** It is away and comes back. */
const COMES_BACK = topicOf(0, 1);
/** Its object is another one, and asks. */
const OTHER = topicOf(1, 2);

/** What the log says of it. */
function refusals(): string[] {
  const lines = log.mock.calls.map(([line]) => JSON.parse(line as string) as { event: string; object: string; problem: string });
  return lines.filter(({ event, object }) => event === "a Topic object serves nobody" && object === ASKED).map(({ problem }) => problem);
}

async function change(
  broker: Broker,
  settings: { to?: PreviousShape; previous?: PreviousShape[] },
  writer: SimulatedClient,
): Promise<void> {
  if (settings.to !== undefined) broker.world.reshape(settings.to);
  if (settings.previous !== undefined) broker.world.settings = { ...broker.world.settings, previousShapes: settings.previous };
  broker.crash();
  log.mockClear();
  writer.connect();
  await broker.pass(8_000);
}

/** @returns whether it was acknowledged */
async function publish(broker: Broker, writer: SimulatedClient, topic: string): Promise<boolean> {
  writer.publish(topic, 1, { kind: "retained" });
  await broker.pass(4_000, writer);
  return broker.published.at(-1)!.acknowledgedAt !== undefined;
}

/** From 2 to 3 Topic objects, of which the last one alone has been used. */
async function asked(): Promise<{ broker: Broker; writer: SimulatedClient }> {
  const broker = new Broker(["sharded", 2]);
  const writer = await broker.connect("writer");
  for (const topic of [STAYS, COMES, OTHER]) expect(await publish(broker, writer, topic)).toBe(true);
  await change(broker, { to: THREE }, writer);
  expect(await publish(broker, writer, OTHER)).toBe(true);
  return { broker, writer };
}

test("that there were fewer", async () => {
  const { broker, writer } = await asked();
  await change(broker, { previous: [] }, writer);
  expect(await publish(broker, writer, STAYS)).toBe(false);
  expect(refusals()).toEqual(["there were 2 Topic objects, and TOPIC_SHARDS is 3: PREVIOUS_SHAPES must name that shape"]);
  await change(broker, { previous: [TWO] }, writer);
  expect(await publish(broker, writer, STAYS)).toBe(true);
  const reader = await broker.connect("reader");
  reader.subscribe(COMES, 1);
  await broker.pass(4_000);
  expect(gotOf(broker, reader, COMES)).toHaveLength(1);
});

test("that there were more meanwhile, to which it has given what it had", async () => {
  const { broker, writer } = await asked();
  await change(broker, { to: TWO, previous: [] }, writer);
  expect(await publish(broker, writer, STAYS)).toBe(false);
  expect(refusals()).toEqual(["there were 3 Topic objects, and TOPIC_SHARDS is 2: PREVIOUS_SHAPES must name that shape"]);
  await change(broker, { previous: [THREE] }, writer);
  expect(await publish(broker, writer, STAYS)).toBe(true);
});

test("so too when one of its topics has got an object of its own since", async () => {
  const { broker, writer } = await asked();
  await change(broker, { to: { ...TWO, topicsWithObject: [COMES_BACK] } }, writer);
  expect(await publish(broker, writer, COMES_BACK)).toBe(true);
  await change(broker, { previous: [TWO] }, writer);
  expect(await publish(broker, writer, STAYS)).toBe(false);
  expect(refusals()).toEqual([
    `TOPIC_SHARDS and TOPICS_WITH_OBJECT were 3 and "", and are 2 and "${COMES_BACK}": PREVIOUS_SHAPES must name that shape`,
  ]);
});

test("each of those that there were since it was used", async () => {
  const { broker, writer } = await asked();
  await change(broker, { to: FIVE }, writer);
  const next = topicOf(undefined, undefined, 4);
  expect(await publish(broker, writer, next)).toBe(true);
  for (const [previous, before] of [
    [[TWO], 3],
    [[THREE], 2],
  ] as const) {
    await change(broker, { previous: [...previous] }, writer);
    expect(await publish(broker, writer, STAYS)).toBe(false);
    expect(refusals()).toEqual([`there were ${before} Topic objects, and TOPIC_SHARDS is 5: PREVIOUS_SHAPES must name that shape`]);
  }
  await change(broker, { previous: [THREE, TWO] }, writer);
  expect(await publish(broker, writer, STAYS)).toBe(true);
  await change(broker, { previous: [] }, writer);
  expect(await publish(broker, writer, STAYS)).toBe(true);
});

test("but none in which it had no topics, once the others have what was theirs", async () => {
  const broker = new Broker(["sharded", 2]);
  const writer = await broker.connect("writer");
  const last = [...Array(1000).keys()]
    .map((number) => `t/${number}`)
    .find((topic) => topicShard(FOUR, topic) === 3 && topicShard(FIVE, topic) === 3)!;
  for (const [to, previous] of [
    [FIVE, [TWO]],
    [TWO, [FIVE]],
    [FOUR, [TWO]],
  ] as const) {
    await change(broker, { to, previous: [...previous] }, writer);
    for (const topic of [STAYS, last]) expect([topic, await publish(broker, writer, topic)]).toEqual([topic, true]);
  }
});

test("where a former build has kept no number: every change since it was used", async () => {
  const { broker, writer } = await asked();
  broker.world.object(ASKED).routingStore.putLineage("");
  await change(broker, { previous: [] }, writer);
  expect(await publish(broker, writer, STAYS)).toBe(true);
  await change(broker, { to: FIVE, previous: [] }, writer);
  expect(await publish(broker, writer, STAYS)).toBe(false);
  expect(refusals()).toEqual(["there were 3 Topic objects, and TOPIC_SHARDS is 5: PREVIOUS_SHAPES must name that shape"]);
});
