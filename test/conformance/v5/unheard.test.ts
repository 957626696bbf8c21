/** A subscriber that never reads: what the broker knows of it is that it sends nothing, not even a ping, while much is sent to it. */

import { expect, it } from "vitest";
import { DISCONNECT } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { unique } from "../../support/mqtt-client.ts";

describeTopologies(
  (broker) => {
    it("is disconnected with 0x97, and others go on", async () => {
      const topic = unique();
      const silent = await broker.connect({ version: 5 });
      const old = await broker.connect({ version: 4 });
      const alive = await broker.connect({ version: 5 });
      for (const client of [silent, old, alive]) await client.subscribe(topic);
      const publisher = await broker.connect({ version: 5 });
      for (let number = 0; number < 12; number += 1) {
        // At QoS 1, so that one is delivered before the next is sent; it goes to the subscribers at QoS 0.
        await publisher.publish(topic, "x".repeat(1000), { qos: 1 });
        await alive.ping();
      }
      await silent.messages(5);
      expect(await silent.expect(DISCONNECT)).toMatchObject({ reasonCode: 0x97 });
      expect([(await silent.closed).code, (await old.closed).code]).toEqual([1013, 1013]);
      expect((await alive.messages(12)).length).toBe(12);
      expect((await publisher.publish(topic, "x", { qos: 1 }))?.reasonCode).toBe(0);
    });
  },
  { UNHEARD_BYTES_MAX: "5000" },
  { shapes: ["compact", "sharded", "handed over"] },
);
