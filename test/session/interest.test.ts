/** What the Topic objects hear of this object's subscriptions: as little as possible, and never too late. */

import { describe, expect, test } from "vitest";
import { decodeBatch, RECORD_LIVE, RECORD_SUBSCRIBE, RECORD_UNSUBSCRIBE } from "../../src/mqtt/batch.ts";
import { World } from "../support/core-harness.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

/** The records that reached a Topic object from Session object 0, by kind. */
function records(world: World, kind: number) {
  return world.sessions[0]!.links.flatMap(({ arrived }) => arrived.flatMap((batch) => decodeBatch(batch).records)).filter(
    (record) => record.kind === kind,
  );
}

describe("aggregation", () => {
  test("any number of subscribers of a filter is one interest, and ends with the last of them", () => {
    const world = new World({ wiring: "batched" });
    const clients = [...Array(10).keys()].map((number) => world.connect(`c${number}`));
    for (const client of clients) client.subscribe("t", 1, { retainHandling: 2 });
    expect(records(world, RECORD_SUBSCRIBE).length).toBe(1);
    expect(world.topics[0]!.core.routeCount).toBe(1);
    for (const client of clients.slice(1)) client.unsubscribe("t");
    expect(records(world, RECORD_UNSUBSCRIBE).length).toBe(0);
    clients[0]!.lose();
    expect(records(world, RECORD_UNSUBSCRIBE).length).toBe(1);
    expect(world.topics[0]!.core.routeCount).toBe(0);
    expect(world.topics[0]!.store.routes()).toEqual([]);
  });

  test("a message crosses to the object once, however many want it", () => {
    const world = new World({ wiring: "batched", sessionObjects: 2 });
    const clients = [...Array(10).keys()].map((number) => world.connect(`c${number}`));
    for (const client of clients) client.subscribe("t", 1);
    clients[0]!.subscribe("#", 2);
    world.connect("p", { at: 1 }).publish("t", "x", { qos: 1 });
    const link = world.topics[0]!.links.get("session-0")!;
    expect(link.arrived.flatMap((batch) => decodeBatch(batch).records).filter(({ kind }) => kind === RECORD_LIVE).length).toBe(1);
    for (const client of clients) expect(client.texts()).toEqual(["x"]);
  });

  test("of sessions that are not kept is told as such, and once more when one that is kept wants the same", () => {
    const world = new World({ wiring: "batched" });
    world.connect("clean").subscribe("t", 1, { retainHandling: 2 });
    world.connect("kept", DURABLE).subscribe("t", 1, { retainHandling: 2 });
    world.connect("other", DURABLE).subscribe("t", 1, { retainHandling: 2 });
    world.connect("too").subscribe("t", 1, { retainHandling: 2 });
    expect(records(world, RECORD_SUBSCRIBE).map((record) => record.kind === RECORD_SUBSCRIBE && record.lasting)).toEqual([false, true]);
  });

  test("the highest QoS counts: it is told when it rises, and the publisher waits for durable storage from then on", () => {
    const world = new World({ wiring: "batched" });
    const client = world.connect("c");
    client.subscribe("t", 0, { retainHandling: 2 });
    client.subscribe("t", 2, { retainHandling: 2 });
    client.subscribe("t", 1, { retainHandling: 2 });
    expect(records(world, RECORD_SUBSCRIBE).map((record) => record.kind === RECORD_SUBSCRIBE && record.qos)).toEqual([0, 2]);
    expect(world.topics[0]!.store.routes()).toMatchObject([{ filter: "t", sessionObject: "session-0", qos: 2 }]);
  });

  test("interest costs a row when it is new or wider, not for each subscriber and not for its version", () => {
    const world = new World({ wiring: "batched" });
    const { meter } = world.topics[0]!;
    for (let number = 0; number < 5; number += 1) world.connect(`c${number}`).subscribe("t", 1);
    expect(meter.rowsWritten).toBe(1);
    world.connect("wider").subscribe("t", 2);
    expect(meter.rowsWritten).toBe(2);
  });
});

describe("stale routes", () => {
  test("what nobody wants any more is pruned by the answer to the next message", () => {
    const world = new World({ wiring: "batched", sessionObjects: 2 });
    const client = world.connect("c");
    client.subscribe("t/+", 1);
    client.subscribe("t/#", 1);
    client.subscribe("other", 1);
    const topic = world.topics[0]!;
    // A clean session dies with its object: no UNSUBSCRIBE.
    world.sessions[0]!.crash();
    expect(topic.core.routeCount).toBe(3);
    const publisher = world.connect("p", { at: 1 });
    const before = topic.links.get("session-0")!.arrived.length;
    publisher.publish("t/x", "x");
    expect(topic.store.routes().map(({ filter }) => filter)).toEqual(["other"]);
    publisher.publish("t/x", "y", { qos: 1 });
    expect(topic.links.get("session-0")!.arrived.length).toBe(before + 1);
  });

  test("a subscription that comes while such an answer is on its way is not pruned by it", () => {
    const world = new World({ wiring: "batched", sessionObjects: 2, auto: false });
    const [node] = world.sessions;
    const old = world.connect("old");
    old.subscribe("t", 1);
    world.settle();
    node!.crash();
    const publisher = world.connect("p", { at: 1 });
    const client = world.connect("new");
    world.settle();
    const topic = world.topics[0]!;
    publisher.publish("t", "x");
    world.sessions[1]!.links[0]!.step("send");
    world.sessions[1]!.links[0]!.step("arrive");
    const link = topic.links.get("session-0")!;
    link.step("send");
    link.step("arrive");
    // The answer "nobody here wants it" is on its way when the new subscription passes it.
    expect(link.state).toBe("answered");
    client.subscribe("t", 1);
    node!.links[0]!.step("send");
    node!.links[0]!.step("arrive");
    link.step("return");
    world.settle();
    publisher.publish("t", "y", { qos: 1 });
    world.settle();
    expect(client.texts()).toEqual(["y"]);
  });

  test("a subscription that is here but not yet known there answers for itself", () => {
    const world = new World({ wiring: "batched", sessionObjects: 2, auto: false });
    const old = world.connect("old");
    old.subscribe("t", 1);
    world.settle();
    world.sessions[0]!.crash();
    const publisher = world.connect("p", { at: 1 });
    const client = world.connect("new");
    world.settle();
    publisher.publish("t", "x");
    client.subscribe("t", 1);
    // The message comes first, by the stale route: the new subscription takes it.
    world.sessions[1]!.links[0]!.step("send");
    world.sessions[1]!.links[0]!.step("arrive");
    const link = world.topics[0]!.links.get("session-0")!;
    for (let count = 0; count < 3; count += 1) link.step();
    world.settle();
    expect(client.texts()).toEqual(["x"]);
    publisher.publish("t", "y");
    world.settle();
    expect(client.texts()).toEqual(["y"]);
  });

  test("interest that ends and begins again in one breath stands in the end", () => {
    const world = new World({ wiring: "batched", auto: false });
    const client = world.connect("c");
    client.subscribe("t", 1);
    world.settle();
    client.unsubscribe("t");
    client.subscribe("t", 1);
    client.unsubscribe("t");
    client.subscribe("t", 1);
    world.settle();
    client.take();
    world.connect("p").publish("t", "x");
    world.settle();
    expect(client.texts()).toEqual(["x"]);
    expect(world.topics[0]!.store.routes().length).toBe(1);
  });
});

describe("restarts", () => {
  test("of the Session object: durable subscriptions go on without a word to the Topic objects", () => {
    const world = new World({ wiring: "batched", sessionObjects: 2 });
    const durable = { clean: false, properties: { sessionExpiryInterval: 1000 } };
    const client = world.connect("c", durable);
    client.subscribe("t/+", 1);
    world.sessions[0]!.crash();
    world.connect("p", { at: 1 }).publish("t/x", "x", { qos: 1 });
    expect(records(world, RECORD_SUBSCRIBE)).toEqual([]);
    const again = world.connect("c", durable);
    expect(again.texts()).toEqual(["x"]);
    again.unsubscribe("t/+");
    expect(world.topics[0]!.store.routes()).toEqual([]);
  });

  test("of the Topic object: its routes come from its rows", () => {
    const world = new World({ wiring: "batched" });
    const client = world.connect("c");
    client.subscribe("t/+", 1);
    client.take();
    world.topics[0]!.crash();
    world.connect("p").publish("t/x", "x", { qos: 1 });
    expect(client.texts()).toEqual(["x"]);
  });
});
