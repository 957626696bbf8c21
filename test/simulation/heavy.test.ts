/**
 * Messages that each go to very many shared subscriptions, in the sharded topology: what their publisher sends waits in the Topic object, and
 * messages of others come before it. Nothing of it is lost, and its order is kept, whoever loses its memory meanwhile.
 */

import { beforeEach, describe, expect, it } from "vitest";
import { ANSWER_MS_MAX, HEAVY_WAITING_BYTES_MAX } from "../../src/limits.ts";
import { PUBACK, PUBCOMP, type QoS } from "../../src/mqtt/packet.ts";
import { sessionObjectName, topicObjectName } from "../../src/objects/names.ts";
import { Stage, type StageClient } from "./stage.ts";

const SHARES = 200;
const COUNT = 40;

const all: readonly string[] = Array.from({ length: COUNT }, (_, index) => `${index}`);

describe("what a publisher sends behind messages for very many", () => {
  let stage: Stage;
  let publisher: StageClient;
  let neighbour: StageClient;
  let listener: StageClient;
  const sessionObject = (): string => sessionObjectName(stage.settings, "default", "publisher");
  const topicObject = topicObjectName("default", 0);

  beforeEach(() => begin());

  async function begin(clean = false): Promise<void> {
    stage = new Stage({ TOPOLOGY: "sharded", SESSION_SHARDS: "1", TOPIC_SHARDS: "1" });
    publisher = await stage.connect("publisher", clean);
    neighbour = await stage.connect("neighbour", false);
    listener = await stage.connect("listener", false);
    const sharer = await stage.connect("sharer", true);
    for (const client of [publisher, neighbour, listener, sharer]) client.completes = true;
    for (let number = 0; number < SHARES; number += 1) sharer.subscribe(`$share/${number}/x`, 0);
    listener.subscribe("#", 2);
    await stage.advance(3000);
  }

  function publish(qos: QoS): void {
    for (const [index, text] of all.entries()) publisher.publish("x", qos, index + 1, text);
  }

  /** A message of the neighbour that overtakes them. */
  async function overtake(text: string): Promise<void> {
    neighbour.publish("y", 1, 1000, text);
    await stage.advanceUntil(() => listener.texts.includes(text));
    expect(listener.texts).not.toContain(all.at(-1));
  }

  const came = (): string[] => listener.messages.filter(({ topic }) => topic === "x").map(({ text }) => text);

  it.each([0, 1, 2] as const)("comes once, in order, at QoS %i, though messages of others come before it", async (qos) => {
    publish(qos);
    for (let round = 0; round < 3; round += 1) await overtake(`neighbour ${round}`);
    // What comes while some of it is on its way, waits for a turn, or has just been handled.
    const later = Array.from({ length: 400 }, (_, index) => `later ${index}`);
    for (const [index, text] of later.entries()) {
      publisher.publish("x", qos, COUNT + index + 1, text);
      await stage.advance(index % 3 === 0 ? 1 : 0);
    }
    await stage.advance(10_000);
    expect(came()).toEqual([...all, ...later]);
    if (qos > 0) expect(publisher.count(qos === 1 ? PUBACK : PUBCOMP)).toBe(COUNT + later.length);
    const { ledger } = stage.session(sessionObject());
    expect([ledger.bytes.outboxes, ledger.bytes.exchanges]).toEqual([0, expect.any(Number)]);
  });

  it("comes once at QoS 2 from a session that is not kept, too", async () => {
    await begin(true);
    publish(2);
    for (let round = 0; round < 3; round += 1) await overtake(`neighbour ${round}`);
    await stage.advance(10_000);
    expect(came()).toEqual(all);
    expect(publisher.count(PUBCOMP)).toBe(COUNT);
  });

  // Whatever has been handled by then, is on its way or is known to its sender.
  const moments = [0, 1, 2, 3, 4, 5, 6, 8, 10];
  it.each([0, 1, 2] as const)("is sent again at QoS 1 and 2 when the Topic object loses its memory at any moment; QoS %i", async (qos) => {
    for (const [index, moment] of moments.entries()) {
      if (index > 0) await begin();
      publish(qos);
      await overtake("neighbour");
      await stage.advance(moment);
      stage.reset(topicObject);
      await stage.advance(60_000);
      const texts = came();
      if (qos === 0) expect(new Set(texts).size).toBe(texts.length);
      else expect(new Set(texts)).toEqual(new Set(all));
      if (qos === 2) expect(texts).toEqual(all);
      if (qos > 0) expect(publisher.count(qos === 1 ? PUBACK : PUBCOMP)).toBe(COUNT);
    }
  });

  it("is not held up where it is for few itself", async () => {
    publish(1);
    publisher.publish("y", 1, 100, "light");
    await stage.advanceUntil(() => listener.texts.includes("light"));
    expect(came().length).toBeLessThan(COUNT);
  });

  it("waits for a bounded amount of memory, beyond which it is not taken", async () => {
    const text = "x".repeat(1000);
    const count = Math.ceil((3 * HEAVY_WAITING_BYTES_MAX) / text.length);
    publisher.publishTogether("x", new Array<string>(count).fill(text));
    await overtake("neighbour");
    await stage.advance(120_000);
    expect(came().length).toBeLessThan(count);
    expect(came().length).toBeGreaterThan(COUNT);
    neighbour.publish("x", 1, 1001, "behind");
    await stage.advance(1000);
    expect(came().at(-1)).toBe("behind");
  });
});

describe("shared subscriptions with members in several objects", () => {
  const named = (stage: Stage, name: string, object: number): string => {
    for (let index = 0; ; index += 1) {
      const clientId = `${name}-${index}`;
      if (sessionObjectName(stage.settings, "default", clientId).endsWith(`/${object}`)) return clientId;
    }
  };

  it("count together, and one object that is out of reach holds up the others for moments only", async () => {
    const stage = new Stage({ TOPOLOGY: "sharded", SESSION_SHARDS: "4", TOPIC_SHARDS: "1" });
    const publisher = await stage.connect(named(stage, "publisher", 0), false);
    const neighbour = await stage.connect(named(stage, "neighbour", 0), false);
    const listener = await stage.connect(named(stage, "listener", 1), false);
    listener.subscribe("#", 1);
    const sharers = await Promise.all([0, 1, 2, 3].map((object) => stage.connect(named(stage, "sharer", object), true)));
    // Too few in each of them to be many by themselves.
    for (const [index, sharer] of sharers.entries())
      for (let number = 0; number < 18; number += 1) sharer.subscribe(`$share/${index}-${number}/x`, 0);
    await stage.advance(3000);
    for (const [index, text] of all.entries()) publisher.publish("x", 1, index + 1, text);
    neighbour.publish("x", 1, 1000, "neighbour");
    await stage.advanceUntil(() => listener.texts.includes("neighbour"));
    expect(listener.texts).not.toContain(all.at(-1));
    await stage.advance(10_000);
    expect(listener.texts.filter((text) => text !== "neighbour")).toEqual(all);

    stage.unreachable.add(sessionObjectName(stage.settings, "default", named(stage, "sharer", 3)));
    for (const [index, text] of all.entries()) publisher.publish("x", 0, index + 1, `again ${text}`);
    await stage.advance(COUNT * ANSWER_MS_MAX);
    expect(listener.texts.slice(1 + COUNT)).toEqual(all.map((text) => `again ${text}`));
  });
});
