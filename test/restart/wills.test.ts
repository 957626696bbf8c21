/** Will Messages over a loss of memory: those who come back in the grace keep theirs, those who are gone have it published. */

import { describe, expect, test } from "vitest";
import { RESTART_GRACE_MS, WILL_WATCH_MS } from "../../src/limits.ts";
import { Broker, gotOf, SHAPES } from "./support.ts";

const WILL = { will: { qos: 1, delaySeconds: 0 } } as const;
/** What is on its way in the simulation may take so long. */
const SLACK_MS = 5_000;

describe.each(SHAPES)("%s, %i Session objects", (...shape) => {
  test.each([
    ["clean", 0],
    ["durable", 3600],
  ])(
    "%s sessions: wills of clients that come back in the grace stay, wills of those who do not are published",
    async (_, expirySeconds) => {
      const broker = new Broker(shape);
      const watcher = await broker.connect("watcher");
      watcher.subscribe("w/+", 2);
      const back = await broker.connect("back", { ...WILL, expirySeconds });
      await broker.connect("gone", { ...WILL, expirySeconds });
      broker.crash();
      await broker.pass(RESTART_GRACE_MS / 2);
      watcher.connect();
      back.connect();
      await broker.pass(SLACK_MS, watcher, back);
      expect([gotOf(broker, watcher, "w/gone"), gotOf(broker, watcher, "w/back")]).toEqual([[], []]);
      // With an object of its own nobody wakes it but the alarm of the Keep Alive, which may be late.
      await broker.pass(20 * 60_000, watcher, back);
      expect(gotOf(broker, watcher, "w/gone").length).toBe(1);
      expect(gotOf(broker, watcher, "w/back")).toEqual([]);
    },
  );

  test("a Will Delay goes on over a loss of memory, and ends once", async () => {
    const broker = new Broker(shape);
    const watcher = await broker.connect("watcher");
    watcher.subscribe("w/+", 2);
    const client = await broker.connect("client", { will: { qos: 2, delaySeconds: 120 } });
    client.drop();
    await broker.pass(60_000, watcher);
    broker.crash();
    await broker.pass(SLACK_MS);
    watcher.connect();
    await broker.pass(40_000, watcher);
    expect(gotOf(broker, watcher, "w/client")).toEqual([]);
    await broker.pass(60_000, watcher);
    expect(gotOf(broker, watcher, "w/client").length).toBe(1);
    broker.crash();
    await broker.pass(SLACK_MS);
    watcher.connect();
    await broker.pass(20 * 60_000, watcher);
    expect(gotOf(broker, watcher, "w/client").length).toBe(1);
  });

  test("a will of a client without Keep Alive is published although its object was reset without a word and nobody asks for it", async () => {
    const broker = new Broker(shape);
    const watcher = await broker.connect("watcher");
    watcher.subscribe("w/+", 2);
    const gone = await broker.connect("gone", { ...WILL, keepAliveSeconds: 0 });
    // It goes while its object is being reset: nobody hears of it.
    broker.crash();
    await broker.pass(SLACK_MS);
    watcher.connect();
    await broker.pass(2 * WILL_WATCH_MS + RESTART_GRACE_MS + SLACK_MS, watcher);
    expect([gone.connected, gotOf(broker, watcher, "w/gone").length]).toEqual([false, 1]);
  });

  test("an idle object with such a will wakes at most four times an hour, and without wills not at all", async () => {
    const broker = new Broker(shape);
    const alarms = (): number => broker.world.objects.reduce((sum, { meter }) => sum + meter.alarms, 0);
    await broker.connect("plain", { keepAliveSeconds: 0 });
    await broker.pass(3_600_000);
    expect(alarms()).toBe(0);
    await broker.connect("willing", { ...WILL, keepAliveSeconds: 0 });
    await broker.pass(3_600_000);
    expect(alarms()).toBeGreaterThan(0);
    expect(alarms()).toBeLessThanOrEqual(4);
  });

  test("a client that comes back in the grace with Clean Start has no will published, although its object slept meanwhile", async () => {
    const broker = new Broker(shape);
    const watcher = await broker.connect("watcher");
    watcher.subscribe("w/+", 2);
    const client = await broker.connect("client", WILL);
    broker.crash();
    await broker.pass(1_000);
    for (const object of broker.world.objects) await object.wake();
    await broker.pass(12_000);
    expect(broker.world.objects.some(({ isTopic, isAwake }) => !isTopic && isAwake)).toBe(false);
    client.endSession();
    watcher.connect();
    await broker.pass(RESTART_GRACE_MS + SLACK_MS, client, watcher);
    expect([client.connected, gotOf(broker, watcher, "w/client")]).toEqual([true, []]);
    // A connection that is lost in earnest is another thing.
    client.drop();
    await broker.pass(2 * SLACK_MS, watcher);
    expect(gotOf(broker, watcher, "w/client").length).toBe(1);
  });
});
