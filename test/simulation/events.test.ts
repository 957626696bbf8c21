/** Events while objects are out of reach, are reset between two steps, or tell more than anybody takes. */

import { describe, expect, test } from "vitest";
import { SUBACK } from "../../src/mqtt/packet.ts";
import { eventsShard, sessionObjectName, topicObjectName, topicShard } from "../../src/objects/names.ts";
import { isEventsRow } from "../../src/session/events.ts";
import { EVENT_RATE, EVENTS_TELL_MS, EVENTS_UNDER_WAY_MAX } from "../../src/share-limits.ts";
import { Stage, type StageClient } from "./stage.ts";

const ALL = "$events/#";
const ACL = JSON.stringify([{ permission: "allow", action: "all", topics: ["#", ALL] }]);
const COMPACT = { TOPOLOGY: "compact", ACL };
const SHARDED = { TOPOLOGY: "sharded", SESSION_SHARDS: "2", TOPIC_SHARDS: "3", ACL };
const OF_ONE = { TOPOLOGY: "sharded", SESSION_SHARDS: "0", TOPIC_SHARDS: "2", ACL };

interface Told {
  readonly topic: string;
  readonly clientid: string;
  readonly left_out?: number;
}

function told(watcher: StageClient): string[] {
  return watcher.messages.map(({ topic, text }) => `${topic.slice(8)} ${(JSON.parse(text) as Told).clientid}`);
}

/** Two Client Identifiers, of different Session objects where there are several. */
function apart(stage: Stage): [string, string] {
  const objectOf = (clientId: string): string => sessionObjectName(stage.settings, "default", clientId);
  if (stage.settings.topology === "compact") return ["watcher", "c"];
  for (let number = 0; ; number += 1) if (objectOf(`c${number}`) !== objectOf("watcher")) return ["watcher", `c${number}`];
}

const eventsObject = (stage: Stage): string => topicObjectName("default", eventsShard(stage.settings));

async function subscribed(stage: Stage, client: StageClient, filter = ALL): Promise<void> {
  const before = client.count(SUBACK);
  client.subscribe(filter, 1);
  await stage.advanceUntil(() => client.count(SUBACK) > before);
}

describe.each([
  ["compact", COMPACT],
  ["sharded", SHARDED],
  ["an object for each client", OF_ONE],
])("%s", (_name, env) => {
  test("who comes and goes is told in order from SUBACK on; before, and when nobody listens any more, it costs nothing", async () => {
    const stage = new Stage(env);
    const [watcherId, clientId] = apart(stage);
    const costs = async (): Promise<number[]> => {
      const [calls, rows] = [stage.calls, stage.rowsWritten];
      const client = await stage.connect(clientId, true);
      client.publish("t", 1, 1);
      await stage.advance(5_000);
      client.vanish();
      await stage.advance(5_000);
      return [stage.calls - calls, stage.rowsWritten - rows];
    };
    const before = await costs();
    const watcher = await stage.connect(watcherId, true);
    await subscribed(stage, watcher);
    await costs();
    expect(told(watcher).filter((each) => each.endsWith(clientId))).toEqual([
      `client/connected ${clientId}`,
      `client/disconnected ${clientId}`,
    ]);
    watcher.unsubscribeFrom([ALL]);
    await stage.advance(5_000);
    const { length } = watcher.messages;
    // Of each kind one that nobody takes says so.
    await costs();
    await costs();
    expect(await costs()).toEqual(before);
    expect(watcher.messages.length).toBe(length);
    await subscribed(stage, watcher, "$events/client/+");
    await costs();
    expect(told(watcher).slice(length)).toContain(`client/disconnected ${clientId}`);
  });

  test("of a storm some are told, and how many are not", async () => {
    const stage = new Stage(env);
    const [watcherId, clientId] = apart(stage);
    const watcher = await stage.connect(watcherId, true);
    await subscribed(stage, watcher, "$events/session/+");
    const client = await stage.connect(clientId, true);
    await subscribed(stage, client, "t");
    const most = EVENT_RATE.count + EVENT_RATE.burst!.count;
    for (let sent = 0; sent < 2 * most; sent += 500) {
      const filters = Array.from({ length: 500 }, (_, index) => `t/${index}`);
      client.unsubscribeFrom(filters);
      client.subscribeTo(filters);
    }
    await stage.advance(60_000);
    const { length } = watcher.messages;
    expect(length).toBeGreaterThan(EVENTS_UNDER_WAY_MAX / 2);
    client.unsubscribeFrom(["t"]);
    await stage.advance(5_000);
    const leftOut = watcher.messages.map(({ text }) => (JSON.parse(text) as Told).left_out ?? 0).reduce((sum, count) => sum + count, 0);
    const { counters } = stage.session(sessionObjectName(stage.settings, "default", clientId)).core;
    expect([leftOut, counters.eventsLeftOut]).toEqual([counters.eventsLeftOut, counters.eventsLeftOut]);
  });
});

test("what is dropped is told to others, and nothing of what is dropped for who hears of it", async () => {
  const stage = new Stage({ ...COMPACT, QUEUE_MESSAGES_MAX: "3" });
  const watcher = await stage.connect("watcher", false);
  await subscribed(stage, watcher, "$events/message/dropped");
  await subscribed(stage, watcher, "t/#");
  const other = await stage.connect("other", true);
  await subscribed(stage, other, "$events/message/dropped");
  const reader = await stage.connect("reader", false);
  await subscribed(stage, reader, "t/#");
  reader.vanish();
  const client = await stage.connect("c", true);
  for (let number = 1; number <= 5; number += 1) client.publish(`t/${number}`, 1, number);
  await stage.advance(1_000);
  const dropped = watcher.messages.filter(({ topic }) => topic === "$events/message/dropped").map(({ text }) => JSON.parse(text) as object);
  expect(dropped).toMatchObject(
    ["t/1", "t/2"].map((topic) => ({ reason: "queue_full", clientid: "reader", topic, qos: 1, from_clientid: "c" })),
  );
  watcher.vanish();
  // Its own queue is full of those: none of them brings another one.
  for (let number = 6; number <= 40; number += 1) client.publish(`t/${number}`, 1, number);
  await stage.advance(5_000);
  const back = await stage.connect("watcher", false);
  await stage.advance(1_000);
  expect(back.messages.length).toBe(3);
  expect(told(other).filter((each) => each.endsWith("watcher"))).toEqual([]);
  expect(told(other).length).toBeGreaterThan(30);
});

test("who hears that nobody takes an event goes on, if somebody has begun to want it while it was on its way", async () => {
  const stage = new Stage({ ...SHARDED, SESSION_SHARDS: "3" });
  const objectOf = (clientId: string): string => sessionObjectName(stage.settings, "default", clientId);
  const [watcherId, clientId] = apart(stage);
  let slowId = "s";
  while ([objectOf(watcherId), objectOf(clientId)].includes(objectOf(slowId))) slowId += "s";
  let topic = "t";
  while (topicShard(stage.settings, topic) !== eventsShard(stage.settings)) topic += "t";
  const [watcher, client, slow] = [
    await stage.connect(watcherId, true),
    await stage.connect(clientId, true),
    await stage.connect(slowId, true),
  ];
  await subscribed(stage, slow, topic);
  await subscribed(stage, client, "x");
  await subscribed(stage, client, "y");
  await subscribed(stage, watcher);
  watcher.unsubscribeFrom([ALL]);
  await stage.advance(5_000);
  // With this in the same batch the answer to the event is late.
  stage.unreachable.add(objectOf(slowId));
  client.publish(topic, 1, 1);
  client.unsubscribeFrom(["x"]);
  await stage.advance(5);
  watcher.subscribe(ALL, 1);
  await stage.advance(20);
  expect(watcher.count(SUBACK)).toBe(1);
  stage.unreachable.clear();
  await stage.advanceUntil(() => watcher.count(SUBACK) === 2);
  client.unsubscribeFrom(["y"]);
  await stage.advance(1_000);
  expect(told(watcher).at(-1)).toBe(`session/unsubscribed ${clientId}`);
});

test("all know of it before SUBACK, after a reset of the Topic object in the midst of telling, too", async () => {
  const stage = new Stage(SHARDED);
  const [watcherId, clientId] = apart(stage);
  const watcher = await stage.connect(watcherId, true);
  const client = await stage.connect(clientId, true);
  stage.unreachable.add(sessionObjectName(stage.settings, "default", clientId));
  watcher.subscribe(ALL, 1);
  await stage.advance(500);
  expect(watcher.count(SUBACK)).toBe(0);
  stage.reset(eventsObject(stage));
  stage.unreachable.clear();
  await stage.advanceUntil(() => watcher.count(SUBACK) === 1);
  client.vanish();
  await stage.advance(1_000);
  expect(told(watcher)).toContain(`client/disconnected ${clientId}`);
});

test("an object that is out of reach holds up SUBACK for no longer than that, and is told when it is back", async () => {
  const stage = new Stage(SHARDED);
  const [watcherId, clientId] = apart(stage);
  const watcher = await stage.connect(watcherId, true);
  const client = await stage.connect(clientId, true);
  const away = sessionObjectName(stage.settings, "default", clientId);
  stage.unreachable.add(away);
  const { now } = stage;
  await subscribed(stage, watcher);
  expect(stage.now - now).toBeGreaterThanOrEqual(EVENTS_TELL_MS);
  expect(stage.now - now).toBeLessThan(EVENTS_TELL_MS + 1_000);
  stage.unreachable.clear();
  await stage.advance(20_000);
  client.vanish();
  await stage.advance(1_000);
  expect(told(watcher)).toContain(`client/disconnected ${clientId}`);
});

test("a Session object knows it after a reset, and is told anew when it has lost it", async () => {
  const stage = new Stage(SHARDED);
  const [watcherId, clientId] = apart(stage);
  const watcher = await stage.connect(watcherId, true);
  await subscribed(stage, watcher);
  await stage.connect(clientId, true);
  const object = sessionObjectName(stage.settings, "default", clientId);
  await stage.advance(5_000);
  stage.end(object);
  const calls = stage.calls;
  const second = await stage.connect(clientId, true);
  await stage.advance(1_000);
  expect(told(watcher).filter((each) => each === `client/connected ${clientId}`).length).toBe(2);
  // One to tell it, one to bring it: nobody tells it again what it tells already.
  expect(stage.calls - calls).toBe(2);
  // As after its database was put back to an earlier moment.
  const { store } = stage.session(object).core;
  for (const { number } of store.sessions().filter(isEventsRow)) store.deleteSession(number);
  stage.end(object);
  second.vanish();
  const third = await stage.connect(clientId, true);
  third.subscribe("a/+", 0);
  await stage.advance(1_000);
  third.vanish();
  await stage.advance(1_000);
  expect(told(watcher).at(-1)).toBe(`client/disconnected ${clientId}`);
});

test("a subscriber whose object was lost is forgotten by all Topic objects with the first event that nobody takes", async () => {
  const stage = new Stage(OF_ONE);
  const watcher = await stage.connect("watcher", true);
  await subscribed(stage, watcher);
  await stage.advance(5_000);
  const client = await stage.connect("c", true);
  await subscribed(stage, client, "t/+");
  await stage.advance(5_000);
  stage.end(sessionObjectName(stage.settings, "default", "watcher"));
  for (let number = 0; number < 3; number += 1) {
    await subscribed(stage, client, `u/${number}/+`);
    await stage.advance(5_000);
  }
  const [calls, rows] = [stage.calls, stage.rowsWritten];
  const other = await stage.connect("other", true);
  await subscribed(stage, other, "v/+");
  await stage.advance(5_000);
  // A call to each Topic object, another one for what is retained or for the row a second later: none that brings or tells an event.
  expect([stage.calls - calls, stage.rowsWritten - rows]).toEqual([4, 2]);
});
