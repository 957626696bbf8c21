/** What waits for clients is in rows: while they are away all of it, and of a long queue all but a few. Nobody who is served notices. */

import { describe, expect, test, vi } from "vitest";
import { INFLIGHT_BYTES_MAX } from "../../src/limits.ts";
import { PUBREL } from "../../src/mqtt/packet.ts";
import { storeWaiting } from "../../src/session/rows.ts";
import { LOADED_BYTES, LOADED_MESSAGES } from "../../src/storage-limits.ts";
import { type TestClient, utf8, World } from "../support/core-harness.ts";
import { allChunks } from "../support/deliveries.ts";
import { miscounted, recountSessions } from "../support/recount.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };

function setup(options: ConstructorParameters<typeof World>[0] = {}) {
  const world = new World(options);
  const node = world.sessions[0]!;
  const client = world.connect("c", KEPT);
  client.subscribe("t/#", 2);
  const publisher = world.connect("p");
  let count = 0;
  const publish = (messages: number, bytes = 10, qos: 1 | 2 = 1): void => {
    for (let more = messages; more > 0; more -= 1) {
      count += 1;
      publisher.publish(`t/${count}`, new Uint8Array(bytes), { qos });
    }
  };
  const session = () => node.core.sessions.get("c")!;
  return { world, node, client, publish, session };
}

/** Topics of what came since this was asked last. */
const topics = (client: TestClient): string[] => client.messages().map(({ topic }) => topic);
const upTo = (count: number, from = 1): string[] => [...Array(count).keys()].map((index) => `t/${from + index}`);

describe("of a client that is away", () => {
  test("nothing is in memory but a few bytes for each message; all of it comes when it is back, in order", () => {
    const { world, node, client, publish, session } = setup();
    client.lose();
    publish(500, 1000);
    expect([session().deliveries.size, session().outstanding, session().waiting]).toEqual([0, 500, 500]);
    expect(node.core.ledger.bytes.messages).toBeLessThan(500 * 30);
    expect(miscounted(node.core.ledger, recountSessions(node.core))).toEqual([]);
    const back = world.connect("c", KEPT);
    const first = back.messages();
    expect([first.map(({ topic }) => topic), first.some(({ dup }) => dup)]).toEqual([upTo(256), false]);
    for (let packetId = 1; packetId <= 500; packetId += 1) back.puback(packetId);
    expect(topics(back)).toEqual(upTo(244, 257));
    expect([session().outstanding, session().backlog.memoryBytes]).toEqual([0, 0]);
  });

  test("what was in flight waits in rows too, and comes first, with DUP and its Packet Identifiers", () => {
    const { world, client, publish, session } = setup({ limits: { inflightMax: 5 } });
    publish(8);
    client.puback(1);
    client.lose();
    expect(session().deliveries.size).toBe(0);
    const back = world.connect("c", KEPT);
    expect(back.messages().map(({ topic, packetId, dup }) => [topic, packetId, dup])).toEqual(
      [2, 3, 4, 5, 6].map((packetId) => [`t/${packetId}`, packetId, true]),
    );
    for (let packetId = 2; packetId <= 8; packetId += 1) back.puback(packetId);
    expect(back.messages().map(({ dup }) => dup)).toEqual([false, false]);
    expect(session().outstanding).toBe(0);
  });

  test("an acknowledgement of what has not been sent again yet counts", () => {
    const { world, client, publish, session } = setup({ limits: { inflightMax: 5 } });
    publish(1, 10, 1);
    publish(4, 10, 2);
    client.lose();
    // Its window is smaller now.
    const back = world.connect("c", { clean: false, properties: { sessionExpiryInterval: 3600, receiveMaximum: 1 } });
    expect(topics(back)).toEqual(["t/1"]);
    back.pubrec(4);
    expect(back.take().at(-1)).toMatchObject({ type: PUBREL, packetId: 4, reasonCode: 0 });
    back.puback(1);
    back.pubcomp(4);
    expect([topics(back), session().outstanding]).toEqual([["t/2"], 3]);
  });

  test("a start reads the newest chunk alone, and what comes then is what would have come", () => {
    const { world, node, client, publish, session } = setup();
    client.lose();
    publish(300, 1000);
    const reads = vi.spyOn(node.store, "chunk");
    node.crash();
    expect([reads.mock.calls.length, session().outstanding, session().deliveries.size]).toEqual([1, 300, 0]);
    const back = world.connect("c", KEPT);
    for (let packetId = 1; packetId <= 300; packetId += 1) back.puback(packetId);
    expect(topics(back)).toEqual(upTo(300));
    world.connect("q").publish("t/301", utf8("next"), { qos: 1 });
    expect(back.messages().map(({ packetId }) => packetId)).toEqual([301]);
  });

  test("what it had acknowledged before memory was lost does not come again in any number, though others still need those rows", () => {
    const limits = { inflightMax: 100, queueMessagesMax: 200, receiveMaximum: 2 };
    const world = new World({ limits });
    const [node] = world.sessions;
    const online = world.connect("a", KEPT);
    online.subscribe("t/#", 1);
    const away = world.connect("b", KEPT);
    away.subscribe("t/b/#", 1);
    away.lose();
    const publisher = world.connect("p");
    const open = 90;
    const topicOf = (number: number): string => `t/${number % 10 === 0 ? "b" : "a"}/${number}`;
    for (let number = 1; number <= 3000; number += 1) {
      publisher.publish(topicOf(number), new Uint8Array(1000), { qos: 1 });
      if (number > open) online.puback(number - open);
    }
    node!.crash();
    const { outstanding } = node!.core.sessions.get("a")!;
    expect(outstanding).toBeGreaterThanOrEqual(open);
    expect(outstanding).toBeLessThanOrEqual(limits.inflightMax + limits.queueMessagesMax + limits.receiveMaximum);
    const again = world.connect("a", KEPT);
    const came: string[] = [];
    for (let messages = again.messages(); messages.length > 0; messages = again.messages()) {
      for (const { topic, packetId } of messages) {
        came.push(topic);
        again.puback(packetId);
      }
    }
    expect(came).toEqual(Array.from({ length: outstanding }, (_, index) => topicOf(3001 - outstanding + index)));
    expect(node!.core.sessions.get("b")!.waiting).toBe(limits.queueMessagesMax);
  });

  test("the oldest are dropped without being read; their rows go when nobody else needs them", () => {
    const { world, node, client, publish, session } = setup({ limits: { queueMessagesMax: 20 } });
    client.lose();
    const reads = vi.spyOn(node.store, "chunk");
    publish(200, 1000);
    expect([reads.mock.calls.length, session().outstanding]).toEqual([0, 20]);
    reads.mockRestore();
    expect(allChunks(node.store).length).toBeLessThanOrEqual(3);
    expect(topics(world.connect("c", KEPT))).toEqual(upTo(20, 181));
  });

  test("what one is owed stays when later ones are dropped, over a restart as well", () => {
    const { world, node, session } = setup({ limits: { inflightMax: 1, queueMessagesMax: 5 } });
    const publisher = world.connect("q");
    for (const topic of ["t/a", "t/b"]) publisher.publish(topic, utf8("retained"), { qos: 1, retain: true });
    const late = world.connect("late", KEPT);
    late.subscribe("t/#", 1);
    expect(late.messages().map(({ topic }) => topic)).toEqual(["t/a"]);
    for (let count = 0; count < 20; count += 1) publisher.publish("t/live", `${count}`, { qos: 1 });
    late.lose();
    expect(session().clientId).toBe("c");
    node.crash();
    const again = world.connect("late", KEPT);
    for (let packetId = 1; packetId <= 30; packetId += 1) again.puback(packetId);
    expect(topics(again)).toEqual(["t/a", "t/b", ...Array(5).fill("t/live")]);
  });

  test("what its shared subscription was given goes to another member when it ends; nothing else is read for that", () => {
    const { world, node, client, publish } = setup();
    client.subscribe("$share/g/s", 1);
    client.lose();
    publish(100, 1000);
    const publisher = world.connect("q");
    for (let count = 0; count < 3; count += 1) publisher.publish("s", `${count}`, { qos: 1 });
    publish(100, 1000);
    const other = world.connect("other");
    other.subscribe("$share/g/s", 1);
    const reads = vi.spyOn(node.store, "chunk");
    world.connect("c").disconnect();
    expect(other.messages().map(({ payload }) => new TextDecoder().decode(payload))).toEqual(["0", "1", "2"]);
    expect(reads.mock.calls.length).toBe(1);
  });

  test("what can't be read any more is told once and lost; all others come", () => {
    const told: string[] = [];
    const { world, node, client, publish, session } = setup({ faults: { caught: (_error, doing) => void told.push(doing) } });
    client.lose();
    publish(100, 1000);
    const [first] = allChunks(node.store);
    node.store.putChunk({ ...first!, records: Uint8Array.of(99) });
    const came = topics(world.connect("c", KEPT));
    expect(came).toEqual(upTo(came.length, 101 - came.length));
    expect([came.length > 80, came.length < 90, session().outstanding]).toEqual([true, true, came.length]);
    expect(told).toEqual(["reading chunk 1 of the message log"]);
  });
});

describe("of a long queue of a connected client", () => {
  test("a few messages are in memory; they come in order as it acknowledges", () => {
    const { node, client, publish, session } = setup({ limits: { inflightMax: 10 } });
    publish(500, 1000);
    expect([session().inflight, session().queued.length, session().outstanding]).toEqual([10, LOADED_MESSAGES, 500]);
    for (let packetId = 1; packetId <= 500; packetId += 1) {
      client.puback(packetId);
      expect(session().queued.length).toBeLessThanOrEqual(LOADED_MESSAGES);
      expect(miscounted(node.core.ledger, recountSessions(node.core))).toEqual([]);
      if (packetId % 7 === 0) publish(1, 1000);
    }
    expect(topics(client)).toEqual(upTo(510));
  });

  test("large ones are bounded by their bytes", () => {
    const { client, publish, session } = setup();
    publish(40, 200_000);
    expect(session().inflightBytes).toBeLessThan(INFLIGHT_BYTES_MAX + 200_100);
    expect(session().queuedBytes).toBeLessThan(LOADED_BYTES + 200_100);
    for (let packetId = 1; packetId <= 40; packetId += 1) client.puback(packetId);
    expect(topics(client)).toEqual(upTo(40));
  });

  test("messages with Subscription Identifiers have them however long they waited", () => {
    const { world } = setup();
    const client = world.connect("five", { clean: false, properties: { sessionExpiryInterval: 3600, receiveMaximum: 2 } });
    client.send({
      type: 8,
      packetId: 9,
      subscriptions: [{ filter: "x", qos: 1, noLocal: false, retainAsPublished: true, retainHandling: 2 }],
      properties: { subscriptionIdentifiers: [77] },
    });
    const publisher = world.connect("q");
    for (let count = 0; count < 300; count += 1) publisher.publish("x", new Uint8Array(500), { qos: 1, retain: true });
    for (let packetId = 1; packetId <= 300; packetId += 1) client.puback(packetId);
    const all = client.messages();
    expect(all.length).toBe(300);
    expect(all.every(({ retain, properties }) => retain && properties.subscriptionIdentifiers?.join() === "77")).toBe(true);
  });

  test("after hibernation the same goes on", () => {
    const { node, client, publish, session } = setup({ limits: { inflightMax: 10 } });
    publish(200, 1000);
    node.hibernate();
    expect([session().inflight, session().outstanding]).toEqual([10, 200]);
    for (let packetId = 1; packetId <= 200; packetId += 1) client.puback(packetId);
    expect([topics(client), session().outstanding]).toEqual([upTo(200), 0]);
  });
});

test("what waited in memory alone for a client that is there waits in rows alone once it has them, and comes in order", () => {
  const world = new World({ limits: { inflightMax: 2, queueMessagesMax: 500 } });
  const node = world.sessions[0]!;
  const client = world.connect("c");
  client.subscribe("t/#", 1);
  const publisher = world.connect("p");
  for (const topic of upTo(3 * LOADED_MESSAGES)) publisher.publish(topic, "x", { qos: 1 });
  world.advance(60_000);
  const session = node.core.sessions.get("c")!;
  expect([session.stored, session.queued.length]).toEqual([false, 3 * LOADED_MESSAGES - 2]);
  storeWaiting(node.core);
  world.settle();
  expect([session.stored, session.queued.length, session.outstanding]).toEqual([true, 0, 3 * LOADED_MESSAGES]);
  expect(miscounted(node.core.ledger, recountSessions(node.core))).toEqual([]);
  for (let packetId = 1; packetId <= 3 * LOADED_MESSAGES; packetId += 1) client.puback(packetId);
  expect(topics(client)).toEqual(upTo(3 * LOADED_MESSAGES));
});

test("what waited in memory alone comes in order after a sleep, also where another session waited for the later ones only", () => {
  const world = new World({ limits: { inflightMax: 1 } });
  const node = world.sessions[0]!;
  const [ahead, behind] = ["ahead", "behind"].map((clientId) => world.connect(clientId)) as [TestClient, TestClient];
  for (const client of [ahead, behind]) client.subscribe("t/#", 1);
  const publisher = world.connect("p");
  for (const topic of upTo(4)) publisher.publish(topic, "x", { qos: 1 });
  ahead.puback(1);
  storeWaiting(node.core);
  world.settle();
  node.hibernate();
  for (let packetId = 2; packetId <= 4; packetId += 1) ahead.puback(packetId);
  for (let packetId = 1; packetId <= 4; packetId += 1) behind.puback(packetId);
  expect([topics(ahead), topics(behind)]).toEqual([upTo(4), upTo(4)]);
  expect([...node.core.sessions.values()].map(({ outstanding }) => outstanding)).toEqual([0, 0, 0]);
});

describe("of a client without a kept session, which has rows when its object is to sleep,", () => {
  /** A slow one that has something in flight. */
  function slow() {
    const world = new World({ limits: { subscriptionsMax: 1000 } });
    const [node] = world.sessions;
    const client = world.connect("c", { properties: { receiveMaximum: 1 } });
    for (const filter of ["u", "t/#"]) client.subscribe(filter, 1);
    const publisher = world.connect("p");
    publisher.publish("u", utf8("in flight"), { qos: 1 });
    /** All that it gets, one after the other, with a sleep before each. */
    const rest = (): string[] => {
      const came: string[] = [];
      for (let next = client.messages(); next.length > 0; next = client.messages()) {
        expect(next).toHaveLength(1);
        came.push(next[0]!.topic);
        storeWaiting(node!.core);
        world.settle();
        node!.hibernate();
        client.puback(next[0]!.packetId);
      }
      return came;
    };
    return { client, publisher, rest };
  }

  test("a message that it is given twice comes twice, also where it sleeps in between", () => {
    const { client, publisher, rest } = slow();
    client.subscribe("$share/g/t/1", 1);
    publisher.publish("t/1", utf8("x"), { qos: 1 });
    expect(rest()).toEqual(["u", "t/1", "t/1"]);
  });

  test("what waited before it outgrew its attachment comes before what came then", () => {
    const { client, publisher, rest } = slow();
    for (const topic of ["t/1", "t/2"]) publisher.publish(topic, utf8("x"), { qos: 1 });
    for (let number = 0; number < 400; number += 1) client.subscribe(`a/rather/long/filter/to/fill/the/attachment/${number}`, 0);
    publisher.publish("t/3", utf8("x"), { qos: 1 });
    expect(rest()).toEqual(["u", "t/1", "t/2", "t/3"]);
  });
});
