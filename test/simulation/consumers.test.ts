/** Handlers of consumers over the real hosts and a clock that is told: those that hang, and what messages cost. */

import { describe, expect, test } from "vitest";
import { CONSUMER_BATCH_MS, CONSUMER_MS_MAX, CONSUMER_RETRY_MS_FIRST } from "../../src/code-limits.ts";
import { consumerOptions } from "../../src/hooks/consumer-options.ts";
import type { ConsumeContext, ConsumedMessage, MessageConsumer } from "../../src/hooks/contract.ts";
import { PUBACK } from "../../src/mqtt/packet.ts";
import { Stage, type StageClient } from "./stage.ts";

const TOPOLOGIES = ["compact", "sharded"];

interface Call {
  readonly at: number;
  readonly texts: string[];
  readonly signal: AbortSignal;
}

/** @param handle what the handler does, once the call is written down */
async function scene(
  topology: string,
  handle: (texts: readonly string[], messages: readonly ConsumedMessage[]) => Promise<void> | void,
  options: Partial<MessageConsumer> = {},
  env: Readonly<Record<string, string>> = {},
) {
  const calls: Call[] = [];
  const consumer: MessageConsumer = {
    filter: "t/#",
    ...options,
    handle: (messages: readonly ConsumedMessage[], { signal }: ConsumeContext) => {
      const texts = messages.map(({ payload }) => new TextDecoder().decode(payload));
      calls.push({ at: stage.now, texts, signal });
      return handle(texts, messages);
    },
  };
  const stage: Stage = new Stage(
    { TOPOLOGY: topology, SESSION_SHARDS: "1", TOPIC_SHARDS: "1", ...env },
    { hooks: {}, consumers: [consumerOptions(consumer)], env: undefined },
  );
  const publisher = await stage.connect("publisher", true);
  return { stage, publisher, calls };
}

async function acknowledged(stage: Stage, publisher: StageClient, count: number): Promise<void> {
  await stage.advanceUntil(() => publisher.count(PUBACK) === count);
}

describe.each(TOPOLOGIES)("%s", (topology) => {
  test("what comes within the time of a batch comes together, and when there is enough at once", async () => {
    const { stage, publisher, calls } = await scene(topology, () => {}, { batch: { messages: 3 } });
    const begun = stage.now;
    publisher.publish("t/1", 1, 1, "1");
    await stage.advance(CONSUMER_BATCH_MS / 2);
    publisher.publish("t/1", 1, 2, "2");
    await stage.advance(CONSUMER_BATCH_MS);
    for (const packetId of [3, 4, 5]) publisher.publish("t/1", 1, packetId, `${packetId}`);
    await stage.advance(CONSUMER_BATCH_MS / 2);
    expect(calls.map(({ texts }) => texts)).toEqual([
      ["1", "2"],
      ["3", "4", "5"],
    ]);
    expect(calls[0]!.at - begun).toBeGreaterThanOrEqual(CONSUMER_BATCH_MS);
    expect(calls[1]!.at - begun).toBeLessThan(1.5 * CONSUMER_BATCH_MS + 100);
  });

  test("what a handler does to a message is nothing to the next attempt", async () => {
    const { stage, publisher, calls } = await scene(topology, (_texts, messages) => {
      messages[0]!.payload.fill(0);
      if (calls.length === 1) throw new Error("no");
    });
    publisher.publish("t/1", 1, 1, "text");
    await stage.advance(2 * CONSUMER_BATCH_MS + CONSUMER_RETRY_MS_FIRST);
    expect(calls.map(({ texts }) => texts)).toEqual([["text"], ["text"]]);
  });

  test("publishers who are slowed down do not wait for a batch to be whole", async () => {
    const batch = { messages: 1000, ms: 60_000 };
    const { stage, publisher, calls } = await scene(topology, () => {}, { batch }, { QUEUE_MESSAGES_MAX: "10" });
    for (let packetId = 1; packetId <= 8; packetId += 1) publisher.publish("t/1", 1, packetId);
    await stage.advance(500);
    expect([publisher.count(PUBACK), calls.map(({ texts }) => texts.length)]).toEqual([8, [8]]);
  });

  test("a handler that never ends is given up in time and called again; nobody waits for it, and it hears that it is late", async () => {
    const { stage, publisher, calls } = await scene(topology, ([text]) =>
      text === "1" && calls.length === 1 ? new Promise(() => {}) : undefined,
    );
    publisher.publish("t/1", 1, 1, "1");
    await acknowledged(stage, publisher, 1);
    await stage.advance(CONSUMER_BATCH_MS);
    publisher.publish("t/1", 1, 2, "2");
    await acknowledged(stage, publisher, 2);
    await stage.advance(calls[0]!.at + CONSUMER_MS_MAX - 1 - stage.now);
    expect([calls.length, calls[0]!.signal.aborted]).toEqual([1, false]);
    await stage.advance(CONSUMER_RETRY_MS_FIRST + CONSUMER_BATCH_MS + 100);
    expect(calls.map(({ texts }) => texts)).toEqual([["1"], ["1"], ["2"]]);
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, false, false]);
    expect(calls[1]!.at - calls[0]!.at).toBeGreaterThanOrEqual(CONSUMER_MS_MAX + CONSUMER_RETRY_MS_FIRST);
  });

  test("a message that is handled alone costs a row for itself and one for its end, and no call; many together hardly any", async () => {
    const { stage, publisher, calls } = await scene(topology, () => {}, { batch: { ms: 0 } });
    const plain = await callsWithout(topology);
    publisher.publish("t/1", 1, 1);
    await acknowledged(stage, publisher, 1);
    await stage.advance(1000);
    const [rows, made] = [stage.rowsWritten, stage.calls];
    for (let packetId = 2; packetId <= 21; packetId += 1) {
      publisher.publish("t/1", 1, packetId);
      await acknowledged(stage, publisher, packetId);
      await stage.advance(100);
    }
    expect(calls.length).toBe(21);
    expect([stage.rowsWritten - rows, stage.calls - made]).toEqual([2 * 20, plain * 20]);
    const before = stage.rowsWritten;
    for (let packetId = 22; packetId <= 121; packetId += 1) publisher.publish("t/1", 1, packetId);
    await acknowledged(stage, publisher, 121);
    await stage.advance(1000);
    expect(stage.rowsWritten - before).toBeLessThanOrEqual(4);
  });

  test("QoS 0 costs no row", async () => {
    const { stage, publisher, calls } = await scene(topology, () => {});
    publisher.publish("t/1", 0, 0, "x");
    await stage.advance(2 * CONSUMER_BATCH_MS);
    expect([calls.map(({ texts }) => texts), stage.rowsWritten]).toEqual([[["x"]], 0]);
  });
});

/** The calls that a message makes without a consumer. */
async function callsWithout(topology: string): Promise<number> {
  const stage = new Stage({ TOPOLOGY: topology, SESSION_SHARDS: "1", TOPIC_SHARDS: "1" });
  const publisher = await stage.connect("publisher", true);
  publisher.publish("t/1", 1, 1);
  await acknowledged(stage, publisher, 1);
  return stage.calls;
}
