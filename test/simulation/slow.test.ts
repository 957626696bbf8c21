/** A Session object that is out of reach holds up those who publish to its subscribers, and nobody else. */

import { beforeEach, describe, expect, it } from "vitest";
import { ANSWER_MS_MAX, AWAITED_MS, RETRY_MS_MAX, RETRY_MS_TOTAL } from "../../src/limits.ts";
import { PUBACK } from "../../src/mqtt/packet.ts";
import { sessionObjectName, topicObjectName } from "../../src/objects/names.ts";
import { Stage, type StageClient } from "./stage.ts";

const TOPIC_OBJECT = topicObjectName("default", 0);

let stage: Stage;
let publisher: StageClient;
let neighbour: StageClient;
let cut: StageClient;
let other: StageClient;
let cutObject: string;
let packetId: number;

/** A Client Identifier of this Session object. */
function idIn(shard: number, name = "client"): string {
  for (let index = 0; ; index += 1) {
    const id = `${name}-${index}`;
    if (sessionObjectName(stage.settings, "default", id) === `default/session/${shard}`) return id;
  }
}

/** Two publishers in one Session object, and two subscribers in others, of which one will be out of reach. */
beforeEach(async () => {
  stage = new Stage({ TOPOLOGY: "sharded", SESSION_SHARDS: "3", TOPIC_SHARDS: "1" });
  cutObject = sessionObjectName(stage.settings, "default", idIn(1));
  publisher = await stage.connect(idIn(0), true);
  neighbour = await stage.connect(idIn(0, "neighbour"), true);
  cut = await stage.connect(idIn(1), false);
  other = await stage.connect(idIn(2), false);
  cut.subscribe("cut", 1);
  cut.subscribe("both", 1);
  other.subscribe("other", 1);
  other.subscribe("both", 1);
  await stage.advance(100);
  packetId = 0;
});

async function publish(client: StageClient, topic: string, text: string): Promise<void> {
  packetId += 1;
  client.publish(topic, 1, packetId, text);
  await stage.advance(5);
}

describe("one Session object is out of reach", () => {
  it("other publishers are answered without delay, but for the first moment; later all is delivered in order", async () => {
    stage.unreachable.add(cutObject);
    const sent: string[] = [];
    await publish(publisher, "cut", "0");
    sent.push("0");
    await stage.advance(ANSWER_MS_MAX + 10);
    for (let round = 1; round <= 100; round += 1) {
      await publish(publisher, "cut", String(round));
      sent.push(String(round));
      const before = neighbour.count(PUBACK);
      neighbour.publish("other", 1, 1000 + round, `other ${round}`);
      await stage.advance(10);
      expect(neighbour.count(PUBACK)).toBe(before + 1);
    }
    expect(publisher.count(PUBACK)).toBe(0);
    stage.unreachable.delete(cutObject);
    await stage.advance(RETRY_MS_MAX + AWAITED_MS + 100);
    expect(publisher.count(PUBACK)).toBe(sent.length);
    expect(cut.texts).toEqual(sent);
    expect(other.texts.length).toBe(100);
  });

  it("a message for both is there at once where that is possible, and acknowledged when it is everywhere", async () => {
    stage.unreachable.add(cutObject);
    for (const text of ["1", "2", "3"]) await publish(publisher, "both", text);
    await stage.advance(2 * ANSWER_MS_MAX);
    expect([other.texts, cut.texts, publisher.count(PUBACK)]).toEqual([["1", "2", "3"], [], 0]);
    stage.unreachable.delete(cutObject);
    await stage.advance(RETRY_MS_MAX + AWAITED_MS + 100);
    expect([other.texts, cut.texts, publisher.count(PUBACK)]).toEqual([["1", "2", "3"], ["1", "2", "3"], 3]);
  });

  it("what was pending when the Topic object lost its memory comes before what was published later", async () => {
    stage.unreachable.add(cutObject);
    for (const text of ["1", "2"]) await publish(publisher, "both", text);
    await stage.advance(2 * ANSWER_MS_MAX);
    stage.reset(TOPIC_OBJECT);
    stage.unreachable.delete(cutObject);
    for (const text of ["3", "4"]) await publish(publisher, "both", text);
    await stage.advance(RETRY_MS_MAX + AWAITED_MS + 100);
    expect([other.texts, cut.texts, publisher.count(PUBACK)]).toEqual([["1", "2", "3", "4"], ["1", "2", "3", "4"], 4]);
  });

  it("nobody publishes: what was pending is found again all the same", async () => {
    stage.unreachable.add(cutObject);
    await publish(publisher, "cut", "1");
    await stage.advance(2 * ANSWER_MS_MAX);
    stage.reset(TOPIC_OBJECT);
    stage.unreachable.delete(cutObject);
    await stage.advance(AWAITED_MS + 100);
    expect([cut.texts, publisher.count(PUBACK)]).toEqual([["1"], 1]);
  });

  it("asking costs a call now and then, and nothing once all is known", async () => {
    stage.unreachable.add(cutObject);
    await publish(publisher, "cut", "1");
    await stage.advance(1000);
    const before = stage.calls;
    await stage.advance(10 * AWAITED_MS);
    expect(stage.calls - before).toBeLessThanOrEqual(10);
    stage.unreachable.delete(cutObject);
    await stage.advance(RETRY_MS_MAX + AWAITED_MS + 100);
    const after = stage.calls;
    await stage.advance(60_000);
    expect(stage.calls).toBe(after);
  });

  it("for too long: who waits is told, and who publishes elsewhere goes on", async () => {
    stage.unreachable.add(cutObject);
    await publish(publisher, "cut", "1");
    await stage.advance(RETRY_MS_TOTAL + RETRY_MS_MAX + AWAITED_MS + 100);
    // 3.1.1 has no word for it: the connection ends.
    expect([publisher.count(PUBACK), publisher.closed]).toEqual([0, true]);
    await publish(neighbour, "other", "still here");
    expect([neighbour.count(PUBACK), neighbour.closed]).toEqual([1, false]);
  });
});

it("a Topic object out of reach for too long: everybody who waits is told", async () => {
  stage.unreachable.add(cutObject);
  await publish(publisher, "cut", "1");
  await stage.advance(2 * ANSWER_MS_MAX);
  stage.unreachable.add(TOPIC_OBJECT);
  await publish(neighbour, "other", "2");
  await stage.advance(RETRY_MS_TOTAL + RETRY_MS_MAX + 1000);
  expect([publisher.closed, neighbour.closed]).toEqual([true, true]);
});
