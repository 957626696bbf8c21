/** What durable messages cost in rows at a steady rate, in virtual time. */

import { describe, expect, it } from "vitest";
import { PUBACK, PUBLISH } from "../../src/mqtt/packet.ts";
import { Stage, type StageClient } from "./stage.ts";

/** A publisher and a durable subscriber, who is subscribed. */
async function pair(topology: string): Promise<{ stage: Stage; subscriber: StageClient; publisher: StageClient }> {
  const stage = new Stage({ TOPOLOGY: topology });
  const subscriber = await stage.connect("subscriber", false);
  subscriber.subscribe("a", 1);
  const publisher = await stage.connect("publisher", true);
  await stage.advance(100);
  return { stage, subscriber, publisher };
}

describe.each(["compact", "sharded"])("QoS 1 to one durable subscriber that keeps up, %s", (topology) => {
  it.each([
    { perSecond: 100, most: 1.2 },
    { perSecond: 2000, most: 0.3 },
  ])("at $perSecond messages a second costs at most $most rows a message", async ({ perSecond, most }) => {
    const { stage, subscriber, publisher } = await pair(topology);
    const before = stage.rowsWritten;
    const count = perSecond / 2;
    for (let sent = 0; sent < count; sent += 1) {
      publisher.publish("a", 1, 1 + sent);
      // Every message is an event of its own.
      await stage.advance(1000 / perSecond);
    }
    await stage.advance(20);
    expect(publisher.count(PUBACK)).toBe(count);
    expect(subscriber.count(PUBLISH)).toBe(count);
    expect((stage.rowsWritten - before) / count).toBeLessThanOrEqual(most);
    expect(stage.rowsWritten).toBeGreaterThan(before);
  });
});

it("a message that comes alone waits for no other one", async () => {
  const { stage, subscriber, publisher } = await pair("compact");
  publisher.publish("a", 1, 1);
  await stage.advance(0);
  expect([publisher.count(PUBACK), subscriber.count(PUBLISH)]).toEqual([1, 1]);
});

it("messages of QoS 0 do not wait where rows do not", async () => {
  const { stage, subscriber, publisher } = await pair("compact");
  publisher.publish("a", 1, 1);
  await stage.advance(1);
  publisher.publish("a", 0, 0, "at once");
  await stage.advance(0);
  expect(subscriber.texts).toEqual(["x", "at once"]);
});
