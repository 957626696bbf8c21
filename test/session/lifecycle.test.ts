/** What happens with time: Keep Alive, expiry of sessions, the alarm; and what is left of a session that ended. */

import { describe, expect, test } from "vitest";
import { DEADLINE_COARSE_MS, REPEAT_WINDOW_MS } from "../../src/limits.ts";
import { Deadlines, KEEP_ALIVE, LOG_TIDY, SESSION_EXPIRY, WILL_DELAY } from "../../src/session/deadlines.ts";
import { World } from "../support/core-harness.ts";
import { allChunks } from "../support/deliveries.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

describe("Keep Alive", () => {
  test("[MQTT5-3.1.2-22] [MQTT311-3.1.2-24] nothing for one and a half times as long ends the connection, will included", () => {
    for (const version of [5, 4] as const) {
      const world = new World();
      const listener = world.connect("l");
      listener.subscribe("w");
      listener.take();
      const client = world.connect("c", { version, keepAliveSeconds: 10, will: { topic: "w" } });
      client.take();
      world.advance(14_999);
      expect(client.closed).toBeUndefined();
      world.advance(1);
      expect(client.closed?.code).toBe(1008);
      expect(client.take()).toMatchObject(version === 5 ? [{ type: 14, reasonCode: 0x8d }] : []);
      expect(listener.messages().length).toBe(1);
    }
  });

  test("[5.0/3.1.2.10/zero] [3.1.1/3.1.2.10/zero] any packet restarts it; 0 is for ever", () => {
    const world = new World();
    const client = world.connect("c", { keepAliveSeconds: 10 });
    const patient = world.connect("p", { keepAliveSeconds: 0 });
    const packets = [() => client.send({ type: 12 }), () => client.publish("t"), () => client.puback(9), () => client.unsubscribe("x")];
    for (const send of packets) {
      world.advance(14_000);
      send();
    }
    world.advance(14_000);
    expect(client.closed).toBeUndefined();
    world.advance(1000);
    expect(client.closed).toBeDefined();
    world.advance(10 ** 9);
    expect(patient.closed).toBeUndefined();
  });

  test("[MQTT5-3.12.4-1] [MQTT311-3.12.4-1] PINGREQ is answered by PINGRESP", () => {
    const client = new World().connect("c");
    client.take();
    client.send({ type: 12 });
    expect(client.take()).toEqual([{ type: 13 }]);
  });

  test("a sleeping object wakes exactly for a short Keep Alive, and may be late for a long one", () => {
    const wake = (keepAliveSeconds: number): number => {
      const world = new World();
      world.connect("c", { keepAliveSeconds });
      return world.sessions[0]!.core.deadlines.wakeAt() - world.now;
    };
    expect(wake(20)).toBe(30_000);
    expect(wake(21)).toBe(31_500 + DEADLINE_COARSE_MS);
    expect(wake(0)).toBe(Number.POSITIVE_INFINITY);
  });

  test("hibernation remembers when the client was seen, and never takes an honest client for a dead one", () => {
    const world = new World();
    const client = world.connect("c", { keepAliveSeconds: 10 });
    world.advance(4999);
    client.send({ type: 12 });
    world.sessions[0]!.hibernate();
    // Its next packet is due ten seconds after the last one.
    world.advance(10_050);
    expect(client.closed).toBeUndefined();
    client.send({ type: 12 });
    world.advance(14_000);
    world.sessions[0]!.hibernate();
    expect(client.closed).toBeUndefined();
    world.advance(20_000);
    expect(client.closed).toBeDefined();
  });

  test("liveness alone costs an attachment now and then, never a row", () => {
    const world = new World();
    const client = world.connect("c", { ...DURABLE, keepAliveSeconds: 60 });
    const rows = world.sessions[0]!.meter.rowsWritten;
    for (let count = 0; count < 100; count += 1) {
      world.advance(1000);
      client.send({ type: 12 });
    }
    expect(world.sessions[0]!.meter.rowsWritten).toBe(rows);
    expect(client.connection.lastSeenAt - client.connection.attachedSeenAt).toBeLessThanOrEqual(31_000);
  });
});

describe("Session Expiry", () => {
  test("[MQTT5-4.1.0-2] [MQTT5-3.1.2-23] [MQTT311-4.1.0-1] counts from the end of the connection, and takes everything along", () => {
    const world = new World();
    const client = world.connect("c", { properties: { sessionExpiryInterval: 10 } });
    client.subscribe("t", 2);
    world.advance(1_000_000);
    client.lose();
    world.connect("p").publish("t", "x", { qos: 2 });
    world.advance(9999);
    const { core, store } = world.sessions[0]!;
    expect([core.sessions.has("c"), store.sessions().length, store.subscriptions().length]).toEqual([true, 1, 1]);
    world.advance(1);
    expect([core.sessions.has("c"), store.sessions().length, store.subscriptions().length, core.interests.size]).toEqual([false, 0, 0, 0]);
    world.advance(REPEAT_WINDOW_MS);
    expect(allChunks(store)).toEqual([]);
  });

  test("[5.0/3.1.2.11.2/default] absent or 0 ends with the connection; 0xFFFFFFFF never where the operator allows it", () => {
    const world = new World({ limits: { sessionExpirySecondsMax: 0xffff_ffff } });
    world.connect("short").lose();
    world.connect("zero", { properties: { sessionExpiryInterval: 0 } }).lose();
    world.connect("never", { properties: { sessionExpiryInterval: 0xffff_ffff } }).lose();
    world.advance(10 ** 12);
    expect([...world.sessions[0]!.core.sessions.keys()]).toEqual(["never"]);
    world.sessions[0]!.crash();
    world.advance(10 ** 12);
    expect([...world.sessions[0]!.core.sessions.keys()]).toEqual(["never"]);
  });

  test("[5.0/3.14.2.2.2/replace] DISCONNECT may change it, within the operator's bound", () => {
    const world = new World({ limits: { sessionExpirySecondsMax: 100, sessionExpirySecondsV3: 100 } });
    world.connect("c", { properties: { sessionExpiryInterval: 10 } }).disconnect(0, { sessionExpiryInterval: 1000 });
    world.advance(99_999);
    expect(world.sessions[0]!.core.sessions.has("c")).toBe(true);
    world.advance(1);
    expect(world.sessions[0]!.core.sessions.has("c")).toBe(false);
  });

  test("3.1.1 sessions last as long as the operator says", () => {
    const world = new World({ limits: { sessionExpirySecondsV3: 50 } });
    world.connect("c", { version: 4, clean: false }).lose();
    world.advance(49_999);
    expect(world.sessions[0]!.core.sessions.has("c")).toBe(true);
    world.advance(1);
    expect(world.sessions[0]!.core.sessions.has("c")).toBe(false);
  });

  test("a restart does not lengthen the life of a session that was away; one that was online gets its whole interval anew", () => {
    const world = new World();
    world.connect("away", { properties: { sessionExpiryInterval: 100 } }).lose();
    world.connect("online", { properties: { sessionExpiryInterval: 100 } });
    world.advance(60_000);
    world.sessions[0]!.crash();
    world.advance(39_998);
    const { core } = world.sessions[0]!;
    expect([...core.sessions.keys()].sort()).toEqual(["away", "online"]);
    world.advance(1);
    expect([...core.sessions.keys()]).toEqual(["online"]);
    world.advance(60_001);
    expect([...core.sessions.keys()]).toEqual([]);
  });

  test("a session that was to end with a connection lost in a crash is over: an object that sleeps would never see the grace end", () => {
    const world = new World();
    world.connect("c", DURABLE).lose();
    world.connect("c", { clean: false });
    expect(world.sessions[0]!.store.sessions().length).toBe(1);
    world.sessions[0]!.crash();
    expect(world.sessions[0]!.store.sessions().length).toBe(0);
  });

  test("a client that comes and goes does not leave a deadline behind each time", () => {
    const world = new World();
    for (let count = 0; count < 200; count += 1) {
      world.connect("c", { ...DURABLE, keepAliveSeconds: 3600 }).lose();
      world.connect("clean", { properties: { sessionExpiryInterval: 3600 }, keepAliveSeconds: 3600 }).lose();
    }
    expect(world.sessions[0]!.core.deadlines.size).toBeLessThan(5);
  });
});

describe("Deadlines", () => {
  test("are handed out when due, by time, whatever their kind and order of entry", () => {
    const deadlines = new Deadlines();
    const kinds = [KEEP_ALIVE, WILL_DELAY, SESSION_EXPIRY, LOG_TIDY] as const;
    const times = [...Array(200).keys()].map((n) => (n * 7919) % 200);
    for (const at of times) deadlines.add({ at, kind: kinds[at % 4]!, subject: { at }, slackMs: 0 });
    expect(deadlines.takeDue(-1)).toBeUndefined();
    const due: number[] = [];
    for (let next = deadlines.takeDue(99); next !== undefined; next = deadlines.takeDue(99)) due.push(next.at);
    expect(due).toEqual([...Array(100).keys()]);
    expect(deadlines.wakeAt()).toBe(100);
  });

  test("the object sleeps until the first of them can wait no longer", () => {
    const deadlines = new Deadlines();
    expect(deadlines.wakeAt()).toBe(Number.POSITIVE_INFINITY);
    deadlines.add({ at: 100, kind: SESSION_EXPIRY, subject: {}, slackMs: 1000 });
    deadlines.add({ at: 500, kind: WILL_DELAY, subject: {}, slackMs: 0 });
    deadlines.add({ at: 400, kind: KEEP_ALIVE, subject: {}, slackMs: 700 });
    expect(deadlines.wakeAt()).toBe(500);
  });
});
