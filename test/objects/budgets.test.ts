/**
 * What the platform bills for each path of a message: calls between objects, rows written, alarms. Measured by the objects themselves
 * (`usage`), and their measure is compared with what their databases say.
 */

import { runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { HOLD } from "../../src/limits.ts";
import { PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, type QoS } from "../../src/mqtt/packet.ts";
import type { Usage } from "../../src/objects/meter.ts";
import { publishPacket, type WorkerdClient } from "../support/workerd-client.ts";
import {
  alarmOf,
  compact,
  connect,
  crash,
  dropClients,
  durable,
  names,
  type Place,
  passTime,
  places,
  routesWritten,
  runAlarm,
  sessionObject,
  sessionStub,
  settings,
  Timers,
  topicObject,
  topicStub,
  usage,
  ways,
} from "./support.ts";

const way = ways.at(-1)!;
const MINUTE = 60_000;

afterEach(async () => {
  await dropClients();
  // What objects would tell later is not to be counted in the next test.
  await crash("all objects");
});

/** What the action costs each of the objects. */
async function cost(objects: readonly string[], action: () => Promise<unknown>): Promise<Usage[]> {
  const before = await Promise.all(objects.map(usage));
  await action();
  const after = await Promise.all(objects.map(usage));
  return after.map((now, index) => {
    const then = before[index]!;
    return {
      requests: now.requests - then.requests,
      calls: now.calls - then.calls,
      socketMessages: now.socketMessages - then.socketMessages,
      alarms: now.alarms - then.alarms,
      rowsRead: now.rowsRead - then.rowsRead,
      rowsWritten: now.rowsWritten - then.rowsWritten,
    };
  });
}

/** Publishes one message and takes part in every handshake to its end, on both sides. */
async function exchange(
  publisher: WorkerdClient,
  subscribers: readonly WorkerdClient[],
  topic: string,
  qos: QoS,
  packetId: number,
): Promise<void> {
  publisher.publish({ topic, payload: "message", qos, packetId: qos === 0 ? 0 : packetId });
  if (qos === 1) await publisher.expect(PUBACK);
  if (qos === 2) {
    await publisher.expect(PUBREC);
    publisher.acknowledge(PUBREL, packetId);
    await publisher.expect(PUBCOMP);
  }
  for (const subscriber of subscribers) {
    const message = await subscriber.expect(PUBLISH);
    if (qos === 1) subscriber.acknowledge(PUBACK, message.packetId);
    if (qos === 2) {
      subscriber.acknowledge(PUBREC, message.packetId);
      await subscriber.expect(PUBREL);
      subscriber.acknowledge(PUBCOMP, message.packetId);
    }
  }
}

/** A publisher, and two subscribers that live in one object where that is possible. */
async function scene(place: Place) {
  const { publisherId, subscriberId, topic } = names(place);
  const home = sessionObject(subscriberId);
  let siblingId = `${subscriberId}-sibling`;
  for (let index = 0; settings.sessionShards > 0 && sessionObject(siblingId) !== home; index += 1)
    siblingId = `${subscriberId}-sibling-${index}`;
  const publisher = await connect(publisherId, { way });
  const subscribers = [await connect(subscriberId, { way }), await connect(siblingId, { way })];
  for (const subscriber of subscribers) await subscriber.subscribe(topic, 2);
  await routesWritten(topic, new Set([home, sessionObject(siblingId)]).size);
  const objects = [...new Set([topicObject(topic), sessionObject(publisherId), home, sessionObject(siblingId)])];
  /** How many Session objects have a subscriber. */
  const interested = new Set([home, sessionObject(siblingId)]).size;
  return { publisher, publisherId, subscribers, topic, objects, interested };
}

describe("sleep", () => {
  // The first test of the file: messages that others leave in memory keep a shared object awake for a while.
  it("objects with idle connections hibernate, also those that have just held each other", { timeout: 60_000 }, async () => {
    const { publisher, subscribers, topic, objects, interested } = await scene(places[0]!);
    const rounds = 300;
    const costs = await cost(objects, async () => {
      for (let round = 0; round < rounds; round += 1) await exchange(publisher, subscribers, topic, 0, 0);
    });
    const calls = costs.reduce((sum, each) => sum + each.calls, 0);
    // Once a target is held, calls are not billed. A machine that stands still for a second begins anew.
    if (!compact) expect([calls > 0, calls < (rounds * (1 + interested)) / 3]).toEqual([true, true]);
    expect((await usage(objects.at(-1)!)).socketMessages).toBeGreaterThan(0);
    // Ten idle seconds are the platform's, and two until targets are let go; there is nothing to await, for whatever asks keeps the object awake.
    await new Promise((resolve) => setTimeout(resolve, 10_000 + 2 * HOLD.ms + 2_500));
    const slept = await Promise.all(objects.map(usage));
    expect(slept.map((each) => [each.socketMessages, each.calls])).toEqual(objects.map(() => [0, 0]));
    for (const client of [publisher, ...subscribers]) await client.roundTrip();
  });
});

describe.each(places)("clean sessions, %s", (place) => {
  it.each([0, 1, 2] as const)(
    "QoS %i, one at a time: no rows; a call to the topic's object and one to each interested Session object",
    async (qos) => {
      const { publisher, subscribers, topic, objects, interested } = await scene(place);
      await exchange(publisher, subscribers, topic, qos, 1);
      const rounds = 5;
      const costs = await cost(objects, async () => {
        for (let round = 0; round < rounds; round += 1) await exchange(publisher, subscribers, topic, qos, 2 + round);
        for (const subscriber of subscribers) await subscriber.roundTrip();
      });
      expect(costs.map(({ requests, alarms, rowsWritten }) => [requests, alarms, rowsWritten])).toEqual(objects.map(() => [0, 0, 0]));
      const calls = costs.reduce((sum, { calls: each }) => sum + each, 0);
      expect(calls).toBe(compact ? 0 : rounds * (1 + interested));
      if (!compact) expect(costs[0]!.calls).toBe(rounds);
      // Of all packets that clients sent, each is one incoming message and none is counted twice.
      const packets = rounds * [1, 1 + 2, 2 + 2 * 2][qos]! + subscribers.length;
      expect(costs.reduce((sum, { socketMessages }) => sum + socketMessages, 0)).toBe(packets);
    },
  );

  it.each([0, 1, 2] as const)("QoS %i under load: the calls are shared by the messages of a tick", async (qos) => {
    const { publisher, subscribers, topic, objects, interested } = await scene(place);
    await exchange(publisher, subscribers, topic, qos, 1);
    const count = 200;
    const costs = await cost(objects, async () => {
      publisher.send(
        ...Array.from({ length: count }, (_, index) => publishPacket({ topic, payload: `${index}`, qos, packetId: qos && 100 + index })),
      );
      for (let index = 0; index < count && qos > 0; index += 1) await publisher.expect(qos === 1 ? PUBACK : PUBREC);
      for (const subscriber of subscribers) await subscriber.expect(PUBLISH);
    });
    expect(costs.map(({ rowsWritten }) => rowsWritten)).toEqual(objects.map(() => 0));
    expect(costs.reduce((sum, { calls }) => sum + calls, 0)).toBeLessThanOrEqual(compact ? 0 : 2 * (1 + interested));
  });
});

describe.each(places)("subscriptions, %s", (place) => {
  it("a subscription is one call, which also says that nothing is retained; what is retained comes in one more", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const publisher = await connect(publisherId, { way });
    const subscriber = await connect(subscriberId, { way });
    const other = await connect(`${subscriberId}-other`, { way });
    // The first subscription of an object tells of more than itself.
    for (const client of [subscriber, other]) await client.subscribe(`${topic}-before`, 1);
    const calls = async (client: WorkerdClient, id: string): Promise<number[]> => {
      const costs = await cost([topicObject(topic), sessionObject(id)], async () => {
        await client.subscribe(topic, 1);
        await client.roundTrip();
      });
      return costs.map(({ calls }) => calls);
    };
    const first = await calls(subscriber, subscriberId);
    publisher.publish({ topic, payload: "kept", qos: 1, packetId: 1, retain: true });
    await publisher.expect(PUBACK);
    await subscriber.expect(PUBLISH);
    const second = await calls(other, `${subscriberId}-other`);
    await other.expect(PUBLISH);
    expect([first, second]).toEqual(
      compact
        ? [
            [0, 0],
            [0, 0],
          ]
        : [
            [1, 0],
            [1, 1],
          ],
    );
  });
});

describe("rows", () => {
  const place = places.at(-1)!;

  it("a retained message costs one row more", async () => {
    const { publisher, subscribers, topic, objects } = await scene(place);
    await exchange(publisher, subscribers, topic, 1, 1);
    const retain = async (packetId: number): Promise<void> => {
      publisher.publish({ topic, payload: `${packetId}`, qos: 1, packetId, retain: true });
      await publisher.expect(PUBACK);
    };
    // The first one makes the tables.
    await retain(2);
    const costs = await cost(objects, async () => {
      for (let packetId = 3; packetId < 8; packetId += 1) await retain(packetId);
    });
    expect(costs.map(({ rowsWritten }) => rowsWritten)).toEqual(objects.map((name) => (name === topicObject(topic) ? 5 : 0)));
  });

  async function durableScene() {
    const { publisherId, subscriberId, topic } = names(place);
    const publisher = await connect(publisherId, { way });
    const subscriber = await connect(subscriberId, { way, ...durable(4) });
    await subscriber.subscribe(topic, 2);
    const objects = [...new Set([sessionObject(subscriberId), topicObject(topic), sessionObject(publisherId)])];
    for (const packetId of [1, 2]) await exchange(publisher, [subscriber], topic, 1, packetId);
    await subscriber.roundTrip();
    return { publisher, subscriber, subscriberId, topic, objects };
  }

  const rows = (costs: readonly Usage[]): number => costs.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0);

  it("durable QoS 1 to a subscriber that keeps up: one row to store a message, none to acknowledge it", async () => {
    const { publisher, subscriber, topic, objects } = await durableScene();
    const costs = await cost(objects, async () => {
      for (let packetId = 10; packetId < 30; packetId += 1) await exchange(publisher, [subscriber], topic, 1, packetId);
      await subscriber.roundTrip();
    });
    expect(rows(costs)).toBeLessThanOrEqual(1.2 * 20);
  });

  it("durable QoS 1 under load: messages of a tick share a row, and so do their acknowledgements", async () => {
    const { publisher, subscriber, topic, objects } = await durableScene();
    const costs = await cost(objects, async () => {
      publisher.send(...Array.from({ length: 20 }, (_, index) => publishPacket({ topic, payload: "x", qos: 1, packetId: 100 + index })));
      const came: number[] = [];
      while (came.length < 20) came.push((await subscriber.expect(PUBLISH)).packetId);
      for (const packetId of came) subscriber.acknowledge(PUBACK, packetId);
      await subscriber.roundTrip();
    });
    expect(rows(costs)).toBeLessThanOrEqual(2);
  });

  it("durable QoS 1, many a second, each message a frame of its own: several share a row", async () => {
    const { publisher, subscriber, topic, objects } = await durableScene();
    const count = 100;
    const costs = await cost(objects, async () => {
      for (let index = 0; index < count; index += 1) publisher.publish({ topic, payload: "x", qos: 1, packetId: 100 + index });
      for (let index = 0; index < count; index += 1) subscriber.acknowledge(PUBACK, (await subscriber.expect(PUBLISH)).packetId);
      for (let index = 0; index < count; index += 1) await publisher.expect(PUBACK);
      await subscriber.roundTrip();
    });
    expect(rows(costs)).toBeLessThanOrEqual(0.3 * count);
  });

  it("durable QoS 2 to a subscriber that keeps up: two rows", async () => {
    const { publisher, subscriber, topic, objects } = await durableScene();
    const costs = await cost(objects, async () => {
      for (let packetId = 10; packetId < 30; packetId += 1) await exchange(publisher, [subscriber], topic, 2, packetId);
      await subscriber.roundTrip();
    });
    expect(rows(costs)).toBeLessThanOrEqual(2 * 20);
  });

  it("a queue of 1,000 messages is stored and drained for few rows", async () => {
    const { publisher, subscriber, subscriberId, topic, objects } = await durableScene();
    await subscriber.disconnect();
    const stored = await cost(objects, async () => {
      for (let batch = 0; batch < 5; batch += 1) {
        publisher.send(
          ...Array.from({ length: 200 }, (_, index) =>
            publishPacket({ topic, payload: `${batch}`.repeat(50), qos: 1, packetId: 100 + index }),
          ),
        );
        for (let index = 0; index < 200; index += 1) await publisher.expect(PUBACK);
      }
    });
    expect(rows(stored)).toBeLessThanOrEqual(50);
    const drained = await cost(objects, async () => {
      const again = await connect(subscriberId, { way, ...durable(4) });
      for (let index = 0; index < 1000; index += 1) again.acknowledge(PUBACK, (await again.expect(PUBLISH)).packetId);
      await again.roundTrip();
    });
    expect(rows(drained)).toBeLessThanOrEqual(20);
  });

  it("the meter says what the databases say", async () => {
    const { publisher, subscriber, subscriberId, topic } = await durableScene();
    const home = sessionObject(subscriberId);
    const cursors: { readonly rowsWritten: number }[] = [];
    let alarms = 0;
    const restore = await runInDurableObject(sessionStub(home), (_object, { storage }) => {
      const sql = Object.getPrototypeOf(storage.sql) as SqlStorage;
      const alarm = Object.getPrototypeOf(storage) as DurableObjectStorage;
      const { exec } = sql;
      const { setAlarm } = alarm;
      sql.exec = function (this: SqlStorage, ...parameters: Parameters<typeof exec>) {
        const cursor = exec.apply(this, parameters);
        cursors.push(cursor);
        return cursor;
      } as typeof exec;
      alarm.setAlarm = function (this: DurableObjectStorage, ...parameters: Parameters<typeof setAlarm>) {
        alarms += 1;
        return setAlarm.apply(this, parameters);
      };
      return () => {
        sql.exec = exec;
        alarm.setAlarm = setAlarm;
      };
    });
    try {
      const objects = [...new Set([home, topicObject(topic), sessionObject(publisher.clientId)])];
      const costs = await cost(objects, async () => {
        for (let packetId = 10; packetId < 15; packetId += 1) await exchange(publisher, [subscriber], topic, 2, packetId);
        publisher.publish({ topic, payload: "kept", retain: true, qos: 1, packetId: 20 });
        await publisher.expect(PUBACK);
        await subscriber.expect(PUBLISH);
        await subscriber.unsubscribe(topic);
        await subscriber.disconnect();
        const other = await connect(subscriberId, { way, clean: true, keepAliveSeconds: 5 });
        await other.roundTrip();
      });
      const truth = alarms + cursors.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0);
      expect(truth).toBeGreaterThan(10);
      expect(rows(costs)).toBe(truth);
    } finally {
      restore();
    }
  });
});

describe("idle connections", () => {
  it.runIf(ways.includes("relayed"))("PINGREQ through the relay costs the objects nothing", async () => {
    const { publisherId } = names(places[0]!);
    const client = await connect(publisherId, { way: "relayed", keepAliveSeconds: 60 });
    const costs = await cost([sessionObject(publisherId)], async () => {
      for (let ping = 0; ping < 10; ping += 1) {
        client.send({ type: PINGREQ });
        await client.expect(PINGRESP);
      }
    });
    expect(costs).toEqual([{ requests: 0, calls: 0, socketMessages: 0, alarms: 0, rowsRead: 0, rowsWritten: 0 }]);
  });

  /** Client IDs of one object. */
  function neighbours(count: number): string[] {
    const { publisherId } = names(places[0]!);
    if (settings.sessionShards === 0 && !compact) return [publisherId];
    const ids: string[] = [];
    for (let index = 0; ids.length < count; index += 1) {
      const id = `${publisherId}-${index}`;
      if (sessionObject(id) === sessionObject(publisherId)) ids.push(id);
    }
    return ids;
  }

  it.each(ways)("200 that only ping: a few alarms an hour, and nothing that keeps the object awake, %s", async (each) => {
    const timers = new Timers();
    try {
      const ids = neighbours(200);
      const clients = await Promise.all(ids.map((id) => connect(id, { way: each, keepAliveSeconds: 600 })));
      const home = sessionObject(ids[0]!);
      const start = (await usage(home)).socketMessages;
      let fired = 0;
      const [spent] = await cost([home], async () => {
        for (let round = 1; round <= 6; round += 1) {
          passTime(10 * MINUTE);
          for (const client of clients) client.send({ type: PINGREQ });
          for (const client of clients) await client.expect(PINGRESP);
          // After ten minutes the relay passes a ping on.
          await expect.poll(async () => (await usage(home)).socketMessages - start).toBe(round * clients.length);
          const at = await alarmOf(home);
          if (at !== null && at <= Date.now()) fired += Number(await runAlarm(home));
        }
      });
      expect(fired).toBeGreaterThan(0);
      expect(fired).toBeLessThanOrEqual(4);
      // Each alarm is set again, the first one too, and that is all that is written.
      expect(spent!.rowsWritten).toBeLessThanOrEqual(fired + 1);
      expect(clients.filter(({ isClosed }) => isClosed)).toEqual([]);
      // The relays' own timers watch the Keep Alive; objects have none.
      await expect.poll(() => timers.delays().filter((delayMs) => each !== "relayed" || delayMs < 600_000)).toEqual([]);
    } finally {
      timers.restore();
    }
  });
});

describe("the topic's object", () => {
  it.skipIf(compact)("keeps no timer and no alarm", async () => {
    const timers = new Timers();
    try {
      const { publisher, subscribers, topic } = await scene(places.at(-1)!);
      await exchange(publisher, subscribers, topic, 2, 1);
      for (const subscriber of subscribers) await subscriber.roundTrip();
      await expect.poll(() => timers.delays()).toEqual([]);
      expect(await runInDurableObject(topicStub(topicObject(topic)), (_object, { storage }) => storage.getAlarm())).toBeNull();
    } finally {
      timers.restore();
    }
  });
});
