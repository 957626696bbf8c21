/** How many retained messages there are, as the API tells: the truth, or nothing, and after the broker has started again, too. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { connect } from "../../src/client/index.ts";
import { RETAINED_COUNTED_MAX } from "../../src/storage-limits.ts";
import { API_ENV, call } from "../support/api.ts";

const NAME = "retained.count";

describe.each([{ TOPOLOGY: "compact" }, { TOPOLOGY: "sharded", SESSION_SHARDS: "2", TOPIC_SHARDS: "2" }])("%j", (shape) => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker({ env: { ...API_ENV, ...shape } });
  });
  afterAll(() => broker.dispose());

  const objects = async () => (await call(broker, "/stats")).body as Record<string, unknown>[];
  const counts = async (): Promise<(number | undefined)[]> => {
    const [all, current] = await Promise.all([call(broker, "/stats?aggregate=true"), call(broker, "/monitor_current")]);
    return [(all.body as Record<string, number>)[NAME], (current.body as Record<string, number>).retained_msg_count];
  };
  const retain = async (...topics: string[]): Promise<void> => {
    const client = await connect(broker.mqttUrl);
    await Promise.all(topics.map((topic) => client.publish(topic, "x", { qos: 1, retain: true })));
    await client.end();
  };

  it("is told where they are few, and left out where they are many and not counted since the start", async () => {
    expect(await counts()).toEqual([0, 0]);
    await retain("a", "b", "c");
    expect(await counts()).toEqual([3, 3]);
    await broker.crash();
    expect(await counts()).toEqual([3, 3]);

    const many = Array.from({ length: 4 * RETAINED_COUNTED_MAX }, (_, index) => `many/${index}`);
    await retain(...many);
    expect(await counts()).toEqual([many.length + 3, many.length + 3]);
    await broker.crash();
    expect(await counts()).toEqual([undefined, undefined]);
    // Session objects that have no topics have none of them.
    for (const object of await objects()) expect(object[NAME]).toBe(/^session/.test(object.node as string) ? 0 : undefined);
    // For a new one it is looked whether there is room.
    const more = Array.from({ length: 20 }, (_, index) => `more/${index}`);
    await retain(...more);
    expect(await counts()).toEqual([many.length + 23, many.length + 23]);
  });
});
