/** Restarts in odd moments: what an object knows again, and in which order things happen. */

import { describe, expect, test } from "vitest";
import { RESTART_GRACE_MS } from "../../src/limits.ts";
import { SUBACK } from "../../src/mqtt/packet.ts";
import { willOfBefore } from "../simulation/builds.ts";
import { World } from "../support/core-harness.ts";
import { allChunks } from "../support/deliveries.ts";
import { plain } from "./support.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 100_000 } };

test("nothing leaves before its row is written: a crash in between costs the client an answer, never the message", () => {
  const world = new World({ auto: false });
  const node = world.sessions[0]!;
  const subscriber = world.connect("s", DURABLE);
  subscriber.subscribe("t", 1);
  const publisher = world.connect("p", DURABLE);
  world.settle();
  publisher.take();
  publisher.publish("t", "x", { qos: 1 });
  // The answer is gathered and the row is not there yet.
  expect([publisher.wire.gathered, publisher.take(), allChunks(node.store).length]).toEqual([1, [], 0]);
  node.flushRows();
  expect([publisher.take(), allChunks(node.store).length]).toEqual([[], 1]);
  node.crash();
  const again = world.connect("s", DURABLE);
  world.settle();
  expect(again.texts()).toEqual(["x"]);
  expect(publisher.take()).toEqual([]);
});

test("[MQTT5-4.3.3-6] PUBREC is in a row before PUBREL leaves: the message never appears again", () => {
  const world = new World({ auto: false });
  const node = world.sessions[0]!;
  const subscriber = world.connect("s", DURABLE);
  subscriber.subscribe("t", 2);
  const publisher = world.connect("p");
  world.settle();
  publisher.publish("t", "x", { qos: 2 });
  world.settle();
  subscriber.take();
  subscriber.pubrec(1);
  expect(subscriber.take()).toEqual([]);
  node.flushRows();
  node.crash();
  const again = world.connect("s", DURABLE);
  world.settle();
  expect(plain(again.take()).slice(1)).toEqual([{ type: 6, packetId: 1, reasonCode: 0 }]);
});

test("an acknowledgement that was lost with memory repeats a QoS 1 message, with DUP, under its identifier", () => {
  const world = new World();
  const subscriber = world.connect("s", DURABLE);
  subscriber.subscribe("t", 1);
  world.connect("p").publish("t", "x", { qos: 1 });
  subscriber.puback(1);
  world.sessions[0]!.crash();
  const again = world.connect("s", DURABLE);
  expect(again.messages().map(({ dup, packetId }) => [dup, packetId])).toEqual([[true, 1]]);
});

test("numbers go on above those from before, although the clock was set back: nothing that waits is taken for done", () => {
  const world = new World();
  const subscriber = world.connect("s", DURABLE);
  subscriber.subscribe("t", 1);
  world.connect("p").publish("t", "early", { qos: 1 });
  subscriber.puback(1);
  subscriber.lose();
  world.now -= 40_000_000;
  world.sessions[0]!.crash();
  world.connect("q").publish("t", "late", { qos: 1 });
  world.sessions[0]!.crash();
  const again = world.connect("s", DURABLE);
  expect(again.texts()).toEqual(["late"]);
  const other = world.connect("other", DURABLE);
  const numbers = world.sessions[0]!.store.sessions().map(({ number }) => number);
  expect(new Set(numbers).size).toBe(2);
  expect(other.connection.session.number).toBeGreaterThan(again.connection.session.number);
});

test("after hibernation everything of a live connection stands: subscriptions, interest, window, exchanges, time", () => {
  const world = new World({ wiring: "batched", sessionObjects: 2, limits: { inflightMax: 2 } });
  const [node, elsewhere] = world.sessions;
  const clean = world.connect("clean", { keepAliveSeconds: 100 });
  const durable = world.connect("durable", { ...DURABLE, keepAliveSeconds: 100 });
  for (const client of [clean, durable]) client.subscribe("t/+", 2);
  const publisher = world.connect("p", { at: 1 });
  const routes = world.topics[0]!.meter.rowsWritten;
  for (const text of ["1", "2", "3"]) publisher.publish("t/x", text, { qos: 2 });
  expect([clean.texts(), durable.texts()]).toEqual([
    ["1", "2"],
    ["1", "2"],
  ]);
  node!.hibernate();
  durable.pubrec(1);
  durable.pubcomp(1);
  expect(durable.texts()).toEqual(["3"]);
  publisher.publish("t/x", "4", { qos: 2 });
  clean.pubrec(1);
  clean.pubcomp(1);
  // What waited for a clean session in memory alone is what hibernation may cost; the host stays awake for it, for a bounded time.
  expect(clean.texts()).toEqual(["4"]);
  expect(world.topics[0]!.meter.rowsWritten).toBe(routes);
  world.advance(150_001);
  expect([clean.closed !== undefined, durable.closed !== undefined]).toEqual([true, true]);
  expect(elsewhere!.core.sessions.has("p")).toBe(true);
});

test("an object with messages in memory alone says so, and no longer once they are gone", () => {
  const world = new World({ limits: { inflightMax: 1 } });
  const { core } = world.sessions[0]!;
  const client = world.connect("c");
  client.subscribe("t", 1);
  const publisher = world.connect("p");
  publisher.publish("t", "1", { qos: 1 });
  expect(core.holdsMessagesInMemory).toBe(false);
  publisher.publish("t", "2", { qos: 1 });
  client.publish("other", "x", { qos: 1 });
  expect(core.holdsMessagesInMemory).toBe(true);
  client.puback(1);
  client.puback(2);
  expect(core.holdsMessagesInMemory).toBe(false);
});

describe("grace", () => {
  test("a restart in the grace begins it again; sessions keep what waits for them", () => {
    const world = new World();
    const client = world.connect("c", { ...DURABLE, will: { topic: "w" } });
    client.subscribe("t", 1);
    const node = world.sessions[0]!;
    node.crash();
    world.advance(RESTART_GRACE_MS - 1000);
    world.connect("p").publish("t", "x", { qos: 1 });
    node.crash();
    const again = world.connect("c", DURABLE);
    expect([again.connack.sessionPresent, again.texts()]).toEqual([true, ["x"]]);
  });

  test("a clean session lost in a crash leaves nothing behind but its will", () => {
    const world = new World();
    const client = world.connect("c", { will: { topic: "w" } });
    client.subscribe("t", 1);
    const { store, core } = world.sessions[0]!;
    expect([store.sessions(), store.subscriptions(), store.wills().length]).toEqual([[], [], 1]);
    world.sessions[0]!.crash();
    world.advance(RESTART_GRACE_MS);
    expect([store.wills(), core.connections.size]).toEqual([[], 1]);
    expect(world.sessions[0]!.core.sessions.size).toBe(0);
  });
});

describe("what belongs together is written together", () => {
  test("CONNECT and SUBSCRIBE in one go: no row of the subscription or the will is there before that of the session", () => {
    const world = new World({ auto: false });
    const node = world.sessions[0]!;
    const client = world.connect("s", {
      ...DURABLE,
      will: { topic: "w", payload: new Uint8Array(1), qos: 1, retain: false, properties: {} },
    });
    client.subscribe("t", 1);
    const { store } = node;
    expect([store.sessions(), store.subscriptions(), store.wills()].map(({ length }) => length)).toEqual([0, 0, 0]);
    node.flushRows();
    expect([store.sessions(), store.subscriptions(), store.wills()].map(({ length }) => length)).toEqual([1, 1, 1]);
  });

  test("subscriptions without a session are deleted at the start and counted; those of a session that can't be read stay", () => {
    const world = new World();
    const node = world.sessions[0]!;
    world.connect("s", DURABLE).subscribe("t", 1);
    const { store } = node;
    const { number } = store.sessions()[0]!;
    store.putSession({ number: number + 1, clientId: "newer", state: Uint8Array.of(99) });
    const row = { options: 1, subscriptionIdentifier: 0 };
    store.putSubscription({ ...row, sessionNumber: number + 1, filter: "of a newer version" });
    for (const filter of ["a", "b"]) store.putSubscription({ ...row, sessionNumber: number + 2, filter });
    node.crash();
    expect(
      store
        .subscriptions()
        .map(({ filter }) => filter)
        .sort(),
    ).toEqual(["of a newer version", "t"]);
    expect(node.core.counters.rowsSwept).toBe(2);
    node.crash();
    expect(node.core.counters.rowsSwept).toBe(0);
  });
});

test("what a full queue dropped behind a retained message that is owed does not come back after hibernation", () => {
  const world = new World({ limits: { inflightMax: 1, queueMessagesMax: 2 } });
  const publisher = world.connect("p");
  publisher.publish("r/1", "kept", { qos: 1, retain: true });
  publisher.publish("r/2", "kept", { qos: 1, retain: true });
  const subscriber = world.connect("s", DURABLE);
  subscriber.subscribe("t", 1);
  subscriber.subscribe("r/+", 1);
  for (const text of ["a", "b", "c", "d"]) publisher.publish("t", text, { qos: 1 });
  // Nobody waits for a slow client any more.
  world.advance(60_000);
  const { session } = subscriber.connection;
  expect([session.queuedOwed, session.waiting]).toEqual([1, 2]);
  const node = world.sessions[0]!;
  node.hibernate();
  const again = node.core.sessions.get("s")!;
  expect([again.backlog.owed, again.waiting]).toEqual([1, 2]);
  for (let packetId = 1; packetId <= 8; packetId += 1) subscriber.puback(packetId);
  expect(subscriber.texts()).toEqual(["kept", "kept", "c", "d"]);
});

test("a subscription that was granted has its row, also when a later one on the same filter was still awaited", () => {
  const world = new World({ wiring: "batched", auto: false });
  const node = world.sessions[0]!;
  const client = world.connect("s", DURABLE);
  world.settle();
  client.subscribe("t", 1, { retainHandling: 2 });
  node.flush();
  const link = node.links[0]!;
  link.step("send");
  client.subscribe("t", 2, { retainHandling: 2 });
  link.step("arrive");
  link.step("return");
  node.flush();
  expect(plain(client.take()).filter(({ type }) => type === SUBACK)).toMatchObject([{ reasonCodes: [1] }]);
  node.crash();
  expect([...node.core.sessions.get("s")!.subscriptions.values()].map(({ request }) => [request.filter, request.qos])).toEqual([["t", 1]]);
});

test("a will that an earlier build stored without saying whose it is keeps nobody from the Client Identifier", () => {
  const world = new World({ choices: { clientIdOwner: "user" } });
  const node = world.sessions[0]!;
  const options = { clean: true, userName: "ada", will: { topic: "w" } };
  world.connect("s", options);
  const [row] = node.store.wills();
  node.store.putWill({ ...row!, will: willOfBefore(row!.will) });
  node.crash();
  expect(world.connect("s", options).connack).toMatchObject({ reasonCode: 0 });
});
