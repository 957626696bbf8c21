/** What objects cost when nothing happens: they sleep, and wake for what is due and for nothing else. */

import { expect, test } from "vitest";
import { Broker, SHAPES } from "./support.ts";

const HOUR_MS = 3_600_000;

test.for(SHAPES)(
  "%s, %d Session objects: a day in which nothing happens costs two alarms at most for each object that had messages, and the log goes",
  async (shape) => {
    for (const qos of [1, 2] as const) {
      const broker = new Broker(shape);
      const { world } = broker;
      const clients = [
        await broker.connect("subscriber", { expirySeconds: 604_800 }),
        await broker.connect("publisher", { expirySeconds: 604_800 }),
      ];
      clients[0]!.subscribe("t", qos);
      await broker.pass(4_000);
      for (let count = 0; count < 3; count += 1) clients[1]!.publish("t", qos);
      await broker.pass(4_000, ...clients);
      expect(clients[0]!.got.length).toBe(3);
      for (const client of clients) client.disconnect();
      await broker.pass(4_000);
      const before = world.objects.map(({ meter }) => meter.alarms);
      await broker.pass(24 * HOUR_MS);
      const alarms = world.objects.map(({ meter }, index) => meter.alarms - before[index]!);
      expect(Math.max(...alarms)).toBeLessThanOrEqual(2);
      // What was said at QoS 2 is remembered until its publisher says that it is over.
      if (qos === 1) expect(world.objects.map((object) => object.stored().chunks)).toEqual(world.objects.map(() => 0));
    }
  },
);
