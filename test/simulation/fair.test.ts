/** A client that floods its object, next to one that keeps to itself: between two packets of the latter a bounded amount of the former's is done. */

import { beforeEach, describe, expect, it } from "vitest";
import { BATCH_ITEMS_MAX, LATER_REQUESTS_MAX, RETRY_MS_MAX, RETRY_MS_TOTAL } from "../../src/limits.ts";
import { MEMORY, PACKET_FILTERS_MAX } from "../../src/memory-limits.ts";
import { BatchWriter, RECORD_PUBLISH } from "../../src/mqtt/batch.ts";
import { decodeExchangeAnswer } from "../../src/mqtt/exchange-answer.ts";
import { DISCONNECT, NO_PROPERTIES, SUBACK, UNSUBACK } from "../../src/mqtt/packet.ts";
import { NO_MATCHING_SUBSCRIBERS } from "../../src/mqtt/reason-code.ts";
import { Meter } from "../../src/objects/meter.ts";
import { sessionObjectName, shapeNumber, topicObjectName } from "../../src/objects/names.ts";
import { TopicHost } from "../../src/objects/topic-host.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import {
  AHEAD_PACKETS_MAX,
  CROWDED_REQUESTS,
  FILTER_WORK,
  FILTERS_UNDER_WAY_WORK,
  LEAVE_LOOKS,
  RETAINED_WORK,
  SHARE_WORK,
  SHARED_WORK,
  TICK_WORK,
} from "../../src/work-limits.ts";
import { messageTo } from "../session/support.ts";
import { Stage, type StageClient } from "./stage.ts";
import { stillRuntime } from "./still-runtime.ts";

function alone(): never {
  throw new Error("nobody is called");
}

/** What each packet of the flood says. */
const flood = (from: number, count: number): string[] => Array.from({ length: count }, (_, index) => `flood ${from + index}`);

describe.each(["compact", "sharded"])("in the %s topology", (topology) => {
  let stage: Stage;
  let flooder: StageClient;
  let neighbour: StageClient;
  let listener: StageClient;
  let sessionObject: string;
  /** Of the flood, between two packets of another client. */
  const between = SHARE_WORK + 3 * TICK_WORK + (topology === "compact" ? 0 : CROWDED_REQUESTS + BATCH_ITEMS_MAX);

  beforeEach(async () => {
    stage = new Stage({ TOPOLOGY: topology, SESSION_SHARDS: "1", TOPIC_SHARDS: "1", QUEUE_MESSAGES_MAX: "60000" });
    sessionObject = sessionObjectName(stage.settings, "default", "a");
    [flooder, neighbour, listener] = [await stage.connect("a", true), await stage.connect("b", true), await stage.connect("c", true)];
    listener.subscribe("#", 0);
    await stage.advance(100);
  });

  it("one frame with many packets: whoever sends something meanwhile stands behind a share and a tick, and order is kept", async () => {
    const texts = flood(0, 20_000);
    flooder.publishTogether("x", texts);
    for (let round = 0; round < 3; round += 1) {
      const before = listener.packets.length;
      neighbour.publish("y", 0, 0, `neighbour ${round}`);
      await stage.advanceUntil(() => listener.texts.includes(`neighbour ${round}`));
      expect(listener.packets.length - before).toBeLessThanOrEqual(between);
    }
    await stage.advance(1000);
    expect(listener.texts.filter((text) => text.startsWith("flood"))).toEqual(texts);
  });

  it("several that flood have their turns one after the other", async () => {
    const other = neighbour;
    flooder.publishTogether("x", flood(0, 3000));
    other.publishTogether("y", flood(10_000, 3000));
    await stage.advance(1000);
    const senders = listener.texts.map((text) => Number(text.slice(6)) >= 10_000);
    let longest = 0;
    let run = 0;
    // While both have something left.
    for (let index = 0; index < 5000; index += 1) {
      run = index > 0 && senders[index] === senders[index - 1] ? run + 1 : 1;
      longest = Math.max(longest, run);
    }
    expect(longest).toBeLessThanOrEqual(2 * SHARE_WORK);
  });

  it("what came before the socket closed is handled, DISCONNECT or not, and then its client is gone", async () => {
    const texts = flood(0, 2000);
    flooder.publishTogether("x", texts);
    flooder.vanish();
    await stage.advance(1000);
    expect(listener.texts).toEqual(texts);
    expect(stage.session(sessionObject).core.sessions.has("a")).toBe(false);
    expect(stage.session(sessionObject).count().unfinished).toBe(0);
  });

  it("what waits is counted, and who is too far ahead is disconnected", async () => {
    const host = stage.session(sessionObject);
    flooder.publishTogether("x", flood(0, 5000));
    expect(host.ledger.bytes.unfinished).toBeGreaterThan(50_000);
    expect(host.count().unfinished).toBe(host.ledger.bytes.unfinished);
    for (let sent = 0; sent <= AHEAD_PACKETS_MAX; sent += 1) flooder.publishTogether("x", flood(0, 70_000));
    await stage.advance(1000);
    expect(flooder.closed).toBe(true);
    expect(host.ledger.bytes.unfinished).toBe(0);
  });

  it("many small retained messages: the same, though each writes a row", async () => {
    flooder.publishTogether("x", flood(0, 10_000), true);
    const before = listener.packets.length;
    neighbour.publish("y", 0, 0, "neighbour");
    await stage.advanceUntil(() => listener.texts.includes("neighbour"));
    expect(listener.packets.length - before).toBeLessThanOrEqual(between);
    await stage.advance(3000);
    expect(listener.texts.at(-1)).toBe("flood 9999");
  });
});

it.each(["compact", "sharded"])(
  "many messages at once to shared subscriptions of their sender's own: %s, he has his next turn after as many deliveries",
  async (topology) => {
    const stage = new Stage({ TOPOLOGY: topology, SESSION_SHARDS: "1", TOPIC_SHARDS: "1" });
    const [sharer, neighbour, listener] = [await stage.connect("a", true), await stage.connect("b", true), await stage.connect("c", true)];
    const count = 200;
    for (let number = 0; number < count; number += 1) sharer.subscribe(`$share/${number}/x`, 0);
    listener.subscribe("y", 0);
    await stage.advance(1000);
    const before = sharer.packets.length;
    sharer.publishTogether("x", flood(0, 1000));
    neighbour.publish("y", 0, 0, "neighbour");
    await stage.advanceUntil(() => listener.texts.includes("neighbour"));
    expect(sharer.packets.length - before).toBeGreaterThan(0);
    // A turn ends behind the message with which its share is used up.
    const turns = 1 + TICK_WORK / SHARE_WORK;
    expect(sharer.packets.length - before).toBeLessThanOrEqual(turns * (SHARE_WORK / SHARED_WORK + count));
  },
);

describe.each(["compact", "sharded"])("SUBSCRIBE and UNSUBSCRIBE with very many filters, %s", (topology) => {
  let stage: Stage;
  let flooder: StageClient;
  let neighbour: StageClient;
  let listener: StageClient;
  let sessionObject: string;
  const filters = Array.from({ length: 1000 }, (_, index) => `many/${index}/+`);
  /** Filters that are taken between two packets of another client: one call is under way, and the next one has as much. */
  const between = topology === "compact" ? (SHARE_WORK + 3 * TICK_WORK) / FILTER_WORK : (3 * FILTERS_UNDER_WAY_WORK) / FILTER_WORK;
  const host = () => stage.session(sessionObject);
  const taken = () => host().core.sessions.get("a")?.subscriptions.size ?? 0;

  beforeEach(async () => {
    stage = new Stage({ TOPOLOGY: topology, SESSION_SHARDS: "1", TOPIC_SHARDS: "1" });
    sessionObject = sessionObjectName(stage.settings, "default", "a");
    [flooder, neighbour, listener] = [await stage.connect("a", false), await stage.connect("b", true), await stage.connect("c", true)];
    listener.subscribe("y", 0);
    await stage.advance(3000);
  });

  /** How many subscriptions come or go while a message of the neighbour is on its way. */
  async function duringOneMessage(text: string): Promise<number> {
    const before = taken();
    neighbour.publish("y", 0, 0, text);
    await stage.advanceUntil(() => listener.texts.includes(text));
    return Math.abs(taken() - before);
  }

  it("stand before nobody's message, are answered once, and what came behind comes behind", async () => {
    flooder.subscribeTo(filters);
    flooder.publish("many/999/x", 0, 0, "behind");
    for (let round = 0; round < 3; round += 1) expect(await duringOneMessage(`in between ${round}`)).toBeLessThanOrEqual(between);
    expect(taken()).toBeLessThan(filters.length);
    await stage.advance(5000);
    expect([flooder.count(SUBACK), flooder.texts]).toEqual([1, ["behind"]]);
    flooder.unsubscribeFrom(filters);
    const told = stage.routes;
    const gone = await duringOneMessage("in between");
    // Here it is fair turns that hold; a Topic object hears of some with each call.
    if (topology === "compact") expect(gone).toBeLessThanOrEqual(between);
    else expect(told - stage.routes).toBeLessThanOrEqual(3 * LATER_REQUESTS_MAX);
    await stage.advance(5000);
    expect([flooder.count(UNSUBACK), taken(), stage.routes]).toEqual([1, 0, topology === "compact" ? 0 : 1]);
  });

  it("are taken to their end when the socket closes, and then the client is gone", async () => {
    flooder.subscribeTo(filters);
    flooder.vanish();
    await stage.advance(5000);
    expect([taken(), host().core.connections.size, host().count().unfinished]).toEqual([filters.length, 2, 0]);
    expect(host().core.store.subscriptions().length).toBe(filters.length);
  });

  it("are given up when the client connects anew, and keep nothing awake", async () => {
    flooder.subscribeTo(filters);
    const again = stage.connect("a", false);
    flooder.vanish();
    await again;
    await stage.advance(3000);
    expect(taken()).toBeLessThan(filters.length);
    expect([flooder.count(SUBACK), host().core.connections.size, host().count().unfinished]).toEqual([0, 3, 0]);
    expect(host().core.store.subscriptions().length).toBe(taken());
    expect(stage.timers).toBe(0);
  });

  it("are given up with what came behind, but that the client took leave is heeded: its will goes nowhere", async () => {
    const will = { topic: "y", payload: new TextEncoder().encode("will"), qos: 0, retain: false, properties: NO_PROPERTIES } as const;
    const leaver = await stage.connect("d", false, will);
    const lost = await stage.connect("e", false, will);
    for (const client of [leaver, lost]) client.subscribeTo(filters);
    leaver.send({ type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES });
    const again = [stage.connect("d", false), stage.connect("e", false)];
    for (const client of [leaver, lost]) client.vanish();
    await Promise.all(again);
    await stage.advance(3000);
    expect(listener.texts).toEqual(["will"]);
  });

  it("are given up with what came behind, of which only so much is looked through for a DISCONNECT", async () => {
    const will = { topic: "y", payload: new TextEncoder().encode("will"), qos: 0, retain: false, properties: NO_PROPERTIES } as const;
    const leaver = await stage.connect("d", false, will);
    leaver.subscribeTo(filters);
    leaver.publishTogether("z", new Array<string>(LEAVE_LOOKS).fill(""));
    leaver.send({ type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES });
    await stage.connect("d", false);
    await stage.advance(3000);
    expect(listener.texts).toEqual(["will"]);
  });

  it("are counted with what they take in memory, and more than a packet may have end the connection before any is taken", async () => {
    const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}`);
    flooder.subscribeTo(names(PACKET_FILTERS_MAX));
    expect(host().count().unfinished).toBeGreaterThan(PACKET_FILTERS_MAX * MEMORY.requestBytes);
    for (const send of ["subscribeTo", "unsubscribeFrom"] as const) {
      const greedy = await stage.connect(send, false);
      greedy[send](names(PACKET_FILTERS_MAX + 1));
      await stage.advanceUntil(() => greedy.closed);
      expect(host().core.sessions.get(send)!.subscriptions.size).toBe(0);
    }
    expect(await duringOneMessage("served")).toBeLessThanOrEqual(between);
  });

  it("are refused as a whole, once, when a Topic object is out of reach, and keep nothing awake", async () => {
    if (topology === "compact") return;
    stage.unreachable.add(topicObjectName("default", 0));
    flooder.subscribeTo(filters);
    await stage.advance(RETRY_MS_TOTAL + RETRY_MS_MAX + 1000);
    expect([flooder.count(SUBACK), taken(), host().core.store.subscriptions().length]).toEqual([1, 0, 0]);
    await stage.advance(2 * RETRY_MS_TOTAL);
    expect(stage.timers).toBe(0);
  });
});

/** A Topic object to which batches come from several Session objects. */
function topicHost(): {
  host: TopicHost;
  handled: string[];
  runtime: ReturnType<typeof stillRuntime>;
  batch(from: number, topics: readonly string[]): Uint8Array;
} {
  const settings = parseSettings({ TOPOLOGY: "sharded" }) as Settings;
  const meter = new Meter();
  const store = new MemoryRoutingStore(meter);
  const handled: string[] = [];
  const put = store.putRetained.bind(store);
  store.putRetained = (row) => {
    handled.push(row.topic);
    put(row);
  };
  const runtime = stillRuntime();
  const host = new TopicHost({ settings, name: "n/topic/0", store, topics: alone, sessions: alone, meter, runtime });
  const writers = new Map<number, BatchWriter>();
  return {
    host,
    handled,
    runtime,
    batch: (from, topics) => {
      const writer = writers.get(from) ?? new BatchWriter(`n/session/${from}`, 1, shapeNumber(settings), 0);
      writers.set(from, writer);
      writer.begin();
      for (const topic of topics)
        writer.add({ kind: RECORD_PUBLISH, message: messageTo(topic, { qos: 1, retain: true, payload: new Uint8Array([1]) }) });
      return writer.finish();
    },
  };
}

describe("a batch with many retained messages", () => {
  const topics = Array.from({ length: BATCH_ITEMS_MAX }, (_, index) => `many/${index}`);
  const atOnce = Math.ceil(TICK_WORK / (1 + RETAINED_WORK));

  it("is handled in slices, in order, and answered when all of it has been; other batches come in between", async () => {
    const { host, handled, runtime, batch } = topicHost();
    let answered = false;
    const answer = host.exchange(batch(0, topics)).then((bytes) => {
      answered = true;
      return decodeExchangeAnswer(bytes);
    });
    expect(handled.length).toBe(atOnce);
    // A small one of somebody else is not held up.
    await host.exchange(batch(1, ["small"]));
    expect(handled.slice(atOnce)).toEqual(["small"]);
    while (!answered) {
      const before = handled.length;
      runtime.run();
      await new Promise((resolve) => setImmediate(resolve));
      expect(handled.length - before).toBeLessThanOrEqual(atOnce + SHARE_WORK);
      if (!answered) expect(handled.length).toBeLessThan(topics.length + 1);
    }
    expect(handled.filter((topic) => topic !== "small")).toEqual(topics);
    expect((await answer).codes).toEqual(new Uint8Array(topics.length).fill(NO_MATCHING_SUBSCRIBERS));
  });

  it("comes again, or its sender's next one comes, before it has been handled: nothing is done twice, and in order", async () => {
    const { host, handled, runtime, batch } = topicHost();
    const first = batch(0, topics);
    const second = batch(0, ["next"]);
    const answers = Promise.all([host.exchange(first), host.exchange(first), host.exchange(second)]);
    let answered = false;
    void answers.then(() => {
      answered = true;
    });
    while (!answered) {
      runtime.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [one, again] = await answers;
    expect(again).toEqual(one);
    expect(handled).toEqual([...topics, "next"]);
  });
});
