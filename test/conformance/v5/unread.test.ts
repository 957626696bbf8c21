/** A subscriber that never reads, ping as it may, and one that only reads: told apart by what they answer, through relays as well. */

import { expect, it } from "vitest";
import { PUBLISH, PUBREL } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { unique } from "../../support/mqtt-client.ts";

const UNHEARD_BYTES_MAX = 100_000;

describeTopologies(
  (broker) => {
    it("who does not show that it reads is sent no more than the bound; who reads gets all, and others go on", async () => {
      const topic = unique();
      const silent = await broker.connect({ version: 5 });
      const old = await broker.connect({ version: 4 });
      const never = await broker.connect({ version: 5, autoAck: false });
      for (const client of [silent, old, never]) await client.subscribe(topic);
      const publisher = await broker.connect({ version: 5 });
      const count = 60;
      for (let number = 0; number < count; number += 1) {
        // At QoS 1, so that one is delivered before the next is sent; it goes to the subscribers at QoS 0.
        await publisher.publish(topic, "x".repeat(10_000), { qos: 1 });
        if (number % 10 === 0) await never.ping();
      }
      for (const client of [silent, old]) expect((await client.messages(count)).length).toBe(count);
      // Behind an answer of its own object everything has come.
      await never.unsubscribe(unique("nothing"));
      expect(never.arrived.filter(({ type }) => type === PUBREL).length).toBeGreaterThan(0);
      const got = never.arrived.filter(({ type }) => type === PUBLISH).length;
      expect(got).toBeGreaterThan(5);
      expect(got * 10_000).toBeLessThanOrEqual(UNHEARD_BYTES_MAX + 10_000);
      expect((await publisher.publish(topic, "x", { qos: 1 }))?.reasonCode).toBe(0);
    });
  },
  { UNHEARD_BYTES_MAX: String(UNHEARD_BYTES_MAX) },
  { shapes: ["compact", "sharded", "handed over"] },
);
