/** Retained messages for a new subscription: all of them, as fast as the client takes them, whatever happens to its object meanwhile. */

import { describe, expect, test, vi } from "vitest";
import {
  OWED_INLINE_BYTES_MAX,
  RETAINED_ASKS_MAX,
  RETAINED_ASKS_PER_SESSION,
  RETAINED_PAGE_BYTES,
  RETAINED_PAGE_MESSAGES,
  RETAINED_RETRY_MS,
} from "../../src/limits.ts";
import { MEMORY } from "../../src/memory-limits.ts";
import { decodeBatch, RECORD_ASK } from "../../src/mqtt/batch.ts";
import { NOTHING_RETAINED } from "../../src/mqtt/exchange-answer.ts";
import { type Packet, PINGREQ, PUBLISH, PUBREL, type Publish, SUBACK } from "../../src/mqtt/packet.ts";
import { QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { subscriptionBytes } from "../../src/session/session.ts";
import type { ConnectOptions } from "../support/core-client.ts";
import { type TestClient, World, type WorldOptions } from "../support/core-harness.ts";
import { messageTo } from "./support.ts";

const KEPT: ConnectOptions = { clean: false, properties: { sessionExpiryInterval: 3600 } };
const WIRINGS = ["direct", "batched"] as const;

/** A world in which so many messages are retained, `r/0000` and on. */
function worldWith(count: number, options: WorldOptions = {}, payload: string | Uint8Array = "kept"): World {
  const world = new World({ sessionObjects: 2, ...options });
  const publisher = world.connect("publisher", { at: 1 });
  for (const topic of topicsOf(count)) publisher.publish(topic, payload, { retain: true, qos: 1 });
  publisher.disconnect();
  return world;
}

function topicsOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `r/${String(index).padStart(4, "0")}`);
}

function acknowledge(client: TestClient, messages: readonly Publish[]): void {
  for (const { packetId } of messages) client.puback(packetId);
}

/** Takes and acknowledges until nothing more comes. @returns the topics in their order */
function takeAll(client: TestClient): string[] {
  const topics: string[] = [];
  for (let messages = client.messages(); messages.length > 0; messages = client.messages()) {
    topics.push(...messages.map(({ topic }) => topic));
    acknowledge(client, messages);
  }
  return topics;
}

describe.each(WIRINGS)("%s", (wiring) => {
  test("[MQTT5-3.3.1-9] more than a queue holds arrive, each once, in the order of their topics, and none is dropped", () => {
    const world = worldWith(500, { wiring, limits: { queueMessagesMax: 10, inflightMax: 20 } });
    const client = world.connect("c", KEPT);
    client.subscribe("r/#", 1);
    expect(takeAll(client)).toEqual(topicsOf(500));
    expect(world.sessions[0]!.core.counters.messagesDropped.queue_full).toBe(0);
    expect([...client.connection.session.owed]).toEqual([]);
  });

  test("a client that acknowledges nothing is sent what its window holds and makes nobody read more than a page ahead", () => {
    const world = worldWith(500, { wiring, limits: { inflightMax: 20 } });
    const client = world.connect("c", KEPT);
    client.subscribe("r/#", 1);
    expect(client.messages()).toHaveLength(20);
    world.advance(60_000);
    expect(client.messages()).toEqual([]);
    expect(client.connection.session.deliveries.size).toBeLessThanOrEqual(20 + RETAINED_PAGE_MESSAGES);
  });

  test("a client that takes nothing is owed what it subscribes to, however often, and sent no more", () => {
    const world = worldWith(100, { wiring, limits: { inflightMax: 10 } });
    const client = world.connect("c", KEPT);
    for (let index = 0; index < 30; index += 1) client.subscribe(index % 2 === 0 ? "r/#" : "r/+", 1);
    expect(client.connection.session.deliveries.size).toBeLessThanOrEqual(2 * RETAINED_PAGE_MESSAGES);
    expect(new Set(takeAll(client))).toEqual(new Set(topicsOf(100)));
  });

  test("they push nothing out of a full queue, and nothing pushes them out", () => {
    const world = worldWith(300, { wiring, limits: { queueMessagesMax: 50, inflightMax: 10 } });
    const publisher = world.connect("p", { at: 1 });
    world.connect("c", KEPT).subscribe("live", 1, { retainHandling: 2 });
    world.connect("c", KEPT).lose();
    for (let index = 0; index < 50; index += 1) publisher.publish("live", `${index}`, { qos: 1 });
    const client = world.connect("c", KEPT);
    client.subscribe("r/#", 1);
    // The queue is full: these push out what waits in it, and nothing that is owed.
    const got: Publish[] = [];
    for (let round = 0; round < 200; round += 1) {
      const messages = client.messages();
      if (messages.length === 0) break;
      got.push(...messages);
      if (round === 8) for (let index = 50; index < 120; index += 1) publisher.publish("live", `${index}`, { qos: 1 });
      acknowledge(client, messages);
    }
    expect(got.filter(({ retain }) => retain).map(({ topic }) => topic)).toEqual(topicsOf(300));
    const live = got.filter(({ retain }) => !retain).map(({ payload }) => Number(new TextDecoder().decode(payload)));
    expect(live.slice(0, 50)).toEqual(Array.from({ length: 50 }, (_, index) => index));
  });

  test.each(["crash", "hibernate"] as const)("what an acknowledged subscription is owed outlives a %s at any moment", (what) => {
    for (let after = 1; after <= 12; after += 1) {
      const world = worldWith(150, { wiring, limits: { inflightMax: 16 } });
      let client = world.connect("c", KEPT);
      client.subscribe("r/#", 1);
      const topics = new Set<string>();
      for (let round = 0; round < after; round += 1) {
        const messages = client.messages();
        for (const { topic } of messages) topics.add(topic);
        acknowledge(client, messages);
      }
      world.sessions[0]![what]();
      if (what === "crash") {
        client = world.connect("c", KEPT);
        expect(client.connack.sessionPresent).toBe(true);
      } else client.send({ type: PINGREQ });
      for (const topic of takeAll(client)) topics.add(topic);
      expect([...topics].sort()).toEqual(topicsOf(150));
    }
  });

  test("a client that went away is owed the rest when it is back", () => {
    const world = worldWith(200, { wiring, limits: { inflightMax: 16 } });
    const gone = world.connect("c", KEPT);
    gone.subscribe("r/#", 1);
    const before = gone.messages().map(({ topic }) => topic);
    gone.lose();
    world.advance(10_000);
    const after = takeAll(world.connect("c", KEPT));
    expect(new Set([...before, ...after])).toEqual(new Set(topicsOf(200)));
  });

  test("[MQTT5-3.10.4-2] a subscription that ends is owed nothing; one that begins anew is owed everything", () => {
    const world = worldWith(200, { wiring, limits: { inflightMax: 16 } });
    const client = world.connect("c", KEPT);
    client.subscribe("r/#", 1);
    const first = client.messages();
    client.unsubscribe("r/#");
    acknowledge(client, first);
    expect(takeAll(client).length).toBeLessThan(RETAINED_PAGE_MESSAGES);
    expect([...client.connection.session.owed]).toEqual([]);
    client.subscribe("r/#", 1);
    expect(takeAll(client)).toEqual(topicsOf(200));
  });

  test.each([
    ["little", "r", 0],
    // Such a cursor has a row of its own.
    ["more", "r".repeat(OWED_INLINE_BYTES_MAX), 1],
  ] as const)("what a subscription that ended was owed does not come back with a reset: %s", (_name, under, rows) => {
    const world = new World({ wiring, sessionObjects: 2, limits: { inflightMax: 1 } });
    const publisher = world.connect("publisher", { at: 1 });
    for (const topic of topicsOf(150)) publisher.publish(`${under}/${topic}`, "kept", { retain: true, qos: 1 });
    const client = world.connect("c", KEPT);
    client.subscribe(`${under}/#`, 1);
    const [node] = world.sessions;
    expect([client.messages().length, node!.store.owed().length]).toEqual([1, rows]);
    client.unsubscribe(`${under}/#`);
    node!.crash();
    const again = world.connect("c", KEPT);
    takeAll(again);
    again.subscribe(`${under}/#`, 1, { retainHandling: 2 });
    expect([[...again.connection.session.owed], takeAll(again), node!.store.owed()]).toEqual([[], [], []]);
  });

  test.each([
    ["at once", "r", undefined],
    ["behind hibernation", "r", "hibernate"],
    ["behind a reset", "r", "crash"],
    // Such a cursor has a row of its own.
    ["behind a reset, from under a long name", "r".repeat(OWED_INLINE_BYTES_MAX), "crash"],
  ] as const)(
    "[MQTT5-3.3.1-11] what No Local kept from a subscription does not come with the one that replaces it: %s",
    (_name, under, what) => {
      const world = new World({ wiring, sessionObjects: 2, limits: { inflightMax: 4 } });
      const others = Array.from({ length: 100 }, (_, index) => `${under}/${String(index).padStart(4, "0")}`);
      const publisher = world.connect("publisher", { at: 1 });
      for (const topic of others) publisher.publish(topic, "kept", { retain: true, qos: 1 });
      let client = world.connect("c", KEPT);
      client.publish(`${under}/own`, "own", { retain: true, qos: 1 });
      client.take();
      client.subscribe(`${under}/#`, 1, { noLocal: true });
      client.subscribe(`${under}/#`, 1, { retainHandling: 2 });
      expect([...client.connection.session.owed]).toHaveLength(1);
      expect(world.sessions[0]!.store.owed()).toHaveLength(under === "r" ? 0 : 1);
      if (what !== undefined) world.sessions[0]![what]();
      if (what === "crash") client = world.connect("c", KEPT);
      if (what === "hibernate") client.send({ type: PINGREQ });
      const got = new Set(takeAll(client));
      expect([got.has(others.at(-1)!), got.has(`${under}/own`)]).toEqual([true, false]);
      publisher.disconnect();
      client.publish(`${under}/own`, "live", { qos: 1 });
      expect(client.texts()).toEqual(["live"]);
    },
  );

  test("QoS 0: what a client is sent that does not show that it reads is bounded; whoever reads gets all", () => {
    const unheardBytesMax = 4 * 1024 * 1024;
    const payload = new Uint8Array(RETAINED_PAGE_BYTES / 2);
    const count = (4 * unheardBytesMax) / payload.length;
    const world = worldWith(count, { wiring, limits: { unheardBytesMax } }, payload);
    const client = world.connect("c");
    client.subscribe("r/#", 0);
    let sent = 0;
    const take = (): readonly Packet[] => {
      const packets = client.take();
      sent += packets.reduce((bytes, packet) => bytes + (packet.type === PUBLISH ? packet.payload.length : 0), 0);
      return packets;
    };
    let packets = take();
    const atOnce = sent;
    expect(atOnce).toBeGreaterThanOrEqual(unheardBytesMax / 4);
    expect(atOnce).toBeLessThan(unheardBytesMax / 4 + RETAINED_ASKS_PER_SESSION * 2 * RETAINED_PAGE_BYTES);
    world.advance(10_000);
    client.send({ type: PINGREQ });
    packets = [...packets, ...take()];
    expect(sent).toBe(atOnce);
    for (; packets.length > 0; packets = take()) for (const packet of packets) if (packet.type === PUBREL) client.pubcomp(packet.packetId);
    expect(sent).toBe(count * payload.length);
    expect(client.closed).toBeUndefined();
  });

  test("a new value that comes while the old one is owed is not followed by an older one", () => {
    const world = worldWith(200, { wiring, limits: { inflightMax: 16 } });
    const publisher = world.connect("p", { at: 1 });
    const client = world.connect("c", KEPT);
    client.subscribe("r/#", 1);
    const got: Publish[] = [];
    for (let messages = client.messages(), round = 0; messages.length > 0; messages = client.messages(), round += 1) {
      got.push(...messages);
      if (round < 5)
        for (const topic of topicsOf(200))
          if (Number(topic.slice(2)) % 50 === 7) publisher.publish(topic, `${round}`, { retain: true, qos: 1 });
      acknowledge(client, messages);
    }
    for (const topic of topicsOf(200)) {
      const values = got.filter((message) => message.topic === topic).map(({ payload }) => new TextDecoder().decode(payload));
      const numbers = values.map((value) => (value === "kept" ? -1 : Number(value)));
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      expect(values.length).toBeGreaterThan(0);
    }
  });
});

test("many clients that ask at once, and say nothing more, all get theirs", () => {
  const world = worldWith(3, { wiring: "batched", topicObjects: 2, auto: false });
  world.settle();
  const clients = Array.from({ length: 140 }, (_, index) => world.connect(`c${index}`));
  world.settle();
  for (const client of clients) client.take();
  for (const client of clients) client.subscribe("r/#", 0);
  world.settle();
  for (const client of clients)
    expect(
      client
        .messages()
        .map(({ topic }) => topic)
        .sort(),
    ).toEqual(topicsOf(3));
  expect(world.sessions[0]!.core.asked).toBe(0);
});

test("a page that comes twice, or answers an earlier subscription, is not taken", () => {
  const world = worldWith(0);
  const client = world.connect("c");
  const { core, machine } = world.sessions[0]!;
  core.router.ask = () => {};
  client.subscribe("r/+", 1);
  const { id } = [...client.connection.session.owed][0]!;
  const page = { clientId: "c", id, from: "", next: "r/1", messages: [messageTo("r/0", { retain: true })] };
  machine.takePage(page, world.now);
  machine.takePage(page, world.now);
  client.unsubscribe("r/+");
  client.subscribe("r/+", 1);
  machine.takePage(page, world.now);
  world.settle();
  expect(client.messages().map(({ topic }) => topic)).toEqual(["r/0"]);
});

describe("a SUBSCRIBE that is not granted yet", () => {
  const FILTER = "r/+";

  /** A subscription that wants no retained messages stands; another SUBSCRIBE to the same filter, which wants them, has just come. */
  function resubscribing(): { world: World; client: TestClient } {
    const world = worldWith(3, { wiring: "batched", auto: false, topicObjects: 2 });
    world.settle();
    const client = world.connect("c", KEPT);
    world.settle();
    client.subscribe(FILTER, 1, { retainHandling: 2 });
    world.settle();
    client.subscribe(FILTER, 1);
    return { world, client };
  }

  test("is owed nothing after a reset: the subscription from before it stands", () => {
    const { world, client } = resubscribing();
    const node = world.sessions[0]!;
    // Something else has the row of the session written.
    client.publish("x", "x", { qos: 2 });
    node.flushRows();
    expect([...client.connection.session.owed]).toHaveLength(2);
    node.crash();
    const again = world.connect("c", KEPT);
    world.settle();
    expect([[...again.connection.session.owed], again.messages().filter(({ topic }) => topic !== "x")]).toEqual([[], []]);
  });

  test("is owed nothing when it is refused", () => {
    const { world, client } = resubscribing();
    for (const link of world.links()) link.broken = "request";
    for (let minutes = 0; minutes < 3; minutes += 1) world.advance(60_000);
    const { session } = client.connection;
    expect([session.subscriptions.get(FILTER)!.request.retainHandling, [...session.owed]]).toEqual([2, []]);
  });
});

describe("while a subscription is still owed, another SUBSCRIBE to the same filter wants the same", () => {
  const COUNT = 300;

  /** A tenth of what the first one is owed has come; the other one has just been sent. */
  function resubscribing(): { world: World; client: TestClient; got: Set<string> } {
    const world = worldWith(COUNT, { wiring: "batched", auto: false, limits: { inflightMax: 10 } });
    world.settle();
    const client = world.connect("c", KEPT);
    world.settle();
    client.subscribe("r/+", 1);
    world.settle();
    const got = new Set<string>();
    while (got.size < COUNT / 10) takeSome(world, client, got);
    client.subscribe("r/+", 1, { retainHandling: 0 });
    return { world, client, got };
  }

  function takeSome(world: World, client: TestClient, got: Set<string>): boolean {
    const messages = client.messages();
    for (const { topic } of messages) got.add(topic);
    acknowledge(client, messages);
    world.settle();
    return messages.length > 0;
  }

  function takeRest(world: World, client: TestClient, got: Set<string>): void {
    while (takeSome(world, client, got));
    expect([...got].sort()).toEqual(topicsOf(COUNT));
    expect([...client.connection.session.owed]).toEqual([]);
    expect(world.sessions[0]!.core.asked).toBe(0);
  }

  test("where it is refused the first one gets the rest", () => {
    const { world, client, got } = resubscribing();
    for (const link of world.links()) link.broken = "request";
    for (let minutes = 0; minutes < 3; minutes += 1) world.advance(60_000);
    for (const link of world.links()) link.broken = undefined;
    world.advance(60_000);
    takeRest(world, client, got);
  });

  test("where the object is reset before it is granted the first one gets the rest", () => {
    const { world, client, got } = resubscribing();
    const node = world.sessions[0]!;
    // Something else has the row of the session written.
    client.publish("x", "x", { qos: 2 });
    node.flushRows();
    node.crash();
    const again = world.connect("c", KEPT);
    world.settle();
    takeRest(world, again, got);
  });

  test("where it is granted all come, and the first one is owed nothing more", () => {
    const { world, client } = resubscribing();
    world.settle();
    expect([...client.connection.session.owed]).toHaveLength(1);
    takeRest(world, client, new Set());
  });
});

test("what a Topic object says that it has nothing of is owed no more, and asked for once", () => {
  const world = new World();
  const { core } = world.sessions[0]!;
  const ask = vi.spyOn(core.router, "ask").mockImplementation((_place, _ask, ticket) => ticket.settled(NOTHING_RETAINED));
  const client = world.connect("c", KEPT);
  client.subscribe("r/#", 1);
  expect([...client.connection.session.owed]).toEqual([]);
  world.advance(600_000);
  expect(ask).toHaveBeenCalledTimes(core.router.places("r/#").length);
  expect(core.asked).toBe(0);
});

test.each([
  ["little", "r", 0],
  ["more", "r".repeat(OWED_INLINE_BYTES_MAX), 1],
] as const)("a start forgets what a build before left of a subscription that ended: %s", (_name, under, rows) => {
  const world = new World({ sessionObjects: 2, limits: { inflightMax: 1 } });
  const publisher = world.connect("publisher", { at: 1 });
  for (const topic of topicsOf(150)) publisher.publish(`${under}/${topic}`, "kept", { retain: true, qos: 1 });
  const client = world.connect("c", KEPT);
  client.subscribe("other", 1);
  client.subscribe(`${under}/#`, 1);
  const [node] = world.sessions;
  expect(node!.store.owed()).toHaveLength(rows);
  const [row] = node!.store.subscriptions().filter(({ filter }) => filter !== "other");
  node!.store.deleteSubscription(row!.sessionNumber, row!.filter);
  for (let start = 0; start < 2; start += 1) {
    node!.crash();
    node!.flushRows();
    expect([[...node!.core.sessions.get("c")!.owed], node!.store.owed()]).toEqual([[], []]);
  }
});

test("nobody asks for what a subscription is owed that can't be read, and a new one gets it", () => {
  const world = worldWith(100, { wiring: "batched", limits: { inflightMax: 10 } });
  world.connect("c", KEPT).subscribe("r/#", 1);
  const [node] = world.sessions;
  const [row] = node!.store.subscriptions();
  node!.store.putSubscription({ ...row!, options: 63 });
  node!.crash();
  const client = world.connect("c", KEPT);
  expect(takeAll(client).length).toBeLessThan(100);
  const asks = (): number =>
    node!.links.flatMap(({ arrived }) => arrived.flatMap((batch) => decodeBatch(batch).records)).filter(({ kind }) => kind === RECORD_ASK)
      .length;
  const before = asks();
  world.advance(10 * RETAINED_RETRY_MS);
  expect([asks() - before, client.connection.session.owed.size]).toEqual([0, 1]);
  client.subscribe("r/#", 1);
  expect(takeAll(client)).toEqual(topicsOf(100));
});

describe("while as many pages are asked for as may be", () => {
  interface Asked {
    readonly clientId: string;
    readonly filter: string;
    readonly id: number;
    readonly from: string;
  }

  /** One client waits to ask for more than it has asked for. */
  function crowded() {
    const world = new World({ faults: { caught: () => {} } });
    const { core, machine } = world.sessions[0]!;
    const asks: Asked[] = [];
    vi.spyOn(core.router, "ask").mockImplementation((_place, asked) => void asks.push(asked));
    const connect = (name: string, filters: number): TestClient => {
      const client = world.connect(name);
      for (let number = 0; number < filters; number += 1) client.subscribe(`${name}/${number}/#`, 1);
      return client;
    };
    const clients: TestClient[] = [];
    for (; core.asked < RETAINED_ASKS_MAX - RETAINED_ASKS_PER_SESSION; )
      clients.push(connect(`other-${core.asked}`, RETAINED_ASKS_PER_SESSION));
    const waiting = connect("waiting", 10);
    clients.push(waiting, connect("last", RETAINED_ASKS_MAX - core.asked));
    waiting.subscribe("waiting/more/#", 1);
    expect([core.asked, core.waitingToAsk.size]).toEqual([RETAINED_ASKS_MAX, 1]);
    /** How many cursors say that a page was asked for. */
    const asked = (): number => {
      let count = 0;
      for (const { owed } of core.sessions.values()) for (const cursor of owed) if (cursor.asked) count += 1;
      return count;
    };
    return { world, core, machine, asks, clients, waiting, asked };
  }

  test("what has come is not asked for again as it comes", () => {
    const { world, core, machine, asks, waiting, asked } = crowded();
    const [{ id }] = asks.filter(({ clientId }) => clientId === "waiting") as [Asked];
    asks.length = 0;
    machine.takePage(
      { clientId: "waiting", id, from: "", next: "waiting/0/m", messages: [messageTo("waiting/0/a", { qos: 1 })] },
      world.now,
    );
    world.settle();
    expect(waiting.messages()).toHaveLength(1);
    expect(asks.map(({ id: of, from }) => [of, from])).toEqual([[id, "waiting/0/m"]]);
    machine.takePage({ clientId: "waiting", id, from: "waiting/0/m", next: undefined, messages: [] }, world.now);
    expect(asks.at(-1)).toMatchObject({ filter: "waiting/more/#" });
    expect([core.asked, asked()]).toEqual([RETAINED_ASKS_MAX, RETAINED_ASKS_MAX]);
  });

  test("who waits is looked at no further", () => {
    const { core, waiting } = crowded();
    for (let number = 0; number < 500; number += 1) waiting.subscribe(`waiting/many/${number}/#`, 1);
    const looks = vi.spyOn(core.waitingToAsk, "add");
    waiting.send({ type: PINGREQ });
    expect([looks.mock.calls.length, core.waitingToAsk.size]).toEqual([1, 1]);
  });

  test("all who wait are asked for where everything is refused, however many they are", () => {
    const { world, core, waiting, asks } = crowded();
    const others = Array.from({ length: 3000 }, (_, number) => world.connect(`late-${number}`));
    for (const [number, other] of others.entries()) other.subscribe(`late/${number}/#`, 1);
    expect(core.waitingToAsk.size).toBe(1 + others.length);
    const tried = new Set<string>();
    vi.spyOn(core.router, "ask").mockImplementation((_place, { clientId }, ticket) => {
      tried.add(clientId);
      ticket.settled(QUOTA_EXCEEDED);
    });
    asks.length = 0;
    waiting.unsubscribe("waiting/0/#");
    expect([tried.size, core.waitingToAsk.size, core.asked]).toEqual([1 + others.length, 0, RETAINED_ASKS_MAX - 1]);
    expect([waiting, ...others].filter(({ closed }) => closed !== undefined)).toEqual([]);
  });

  test("nor what a new subscription takes the place of", () => {
    const { core, asks, waiting, asked } = crowded();
    asks.length = 0;
    waiting.subscribe("waiting/1/#", 1);
    expect(asks.map(({ filter }) => filter)).toEqual(["waiting/more/#"]);
    expect([core.asked, asked()]).toEqual([RETAINED_ASKS_MAX, RETAINED_ASKS_MAX]);
  });

  test("what ends leaves its place to others, and none is lost", () => {
    const { core, clients, waiting, asked } = crowded();
    waiting.unsubscribe("waiting/0/#");
    expect([core.asked, asked()]).toEqual([RETAINED_ASKS_MAX, RETAINED_ASKS_MAX]);
    waiting.subscribe("waiting/1/#", 1);
    waiting.subscribe("waiting/more/#", 0);
    expect([core.asked, asked()]).toEqual([RETAINED_ASKS_MAX, RETAINED_ASKS_MAX]);
    clients[0]!.disconnect();
    expect(core.asked).toBe(asked());
    for (const client of clients) client.lose();
    expect(core.asked).toBe(0);
  });
});

test("what is refused at once is tried again bit by bit, and keeps nobody else waiting", () => {
  const world = new World();
  const { core } = world.sessions[0]!;
  const tried: string[] = [];
  vi.spyOn(core.router, "ask").mockImplementation((_place, { filter }, ticket) => {
    tried.push(filter);
    if (filter !== "other") ticket.settled(QUOTA_EXCEEDED);
  });
  const client = world.connect("c", KEPT);
  for (let number = 0; number < 300; number += 1) client.subscribe(`full/${number}`, 1);
  client.subscribe("other", 1);
  const { owed } = client.connection.session;
  tried.length = 0;
  for (let packet = 0; packet < 20; packet += 1) {
    const before = tried.length;
    client.send({ type: PINGREQ });
    expect(tried.length - before).toBeLessThanOrEqual(RETAINED_ASKS_PER_SESSION);
  }
  expect([owed.asked, new Set(tried).size]).toEqual([1, 301]);
  const before = tried.length;
  world.advance(RETAINED_RETRY_MS);
  expect(tried.length - before).toBeLessThanOrEqual(RETAINED_ASKS_PER_SESSION);
});

test("what could not be asked for is asked for when its client is back", () => {
  const world = worldWith(3, { faults: { caught: () => {} } });
  const { core } = world.sessions[0]!;
  const client = world.connect("c", KEPT);
  vi.spyOn(core.router, "ask").mockImplementationOnce(() => {
    throw new Error("a fault");
  });
  client.subscribe("r/#", 1);
  world.settle();
  expect(client.closed).toBeDefined();
  expect(core.asked).toBe(0);
  const again = world.connect("c", KEPT);
  if (!again.connection.session.subscriptions.has("r/#")) again.subscribe("r/#", 1);
  world.settle();
  expect(takeAll(again)).toEqual(topicsOf(3));
});

test("what a session is owed counts as its subscriptions do, for as long as it is owed", () => {
  const world = new World({ topicObjects: 8 });
  const { core } = world.sessions[0]!;
  vi.spyOn(core.router, "ask").mockImplementation(() => {});
  const client = world.connect("c", KEPT);
  const before = core.ledger.bytes.subscriptions;
  const filters = Array.from({ length: 100 }, (_, number) => `+/${number}`);
  for (const filter of filters) client.subscribe(filter, 1);
  const { owed } = client.connection.session;
  expect(owed.size).toBe(100 * core.router.places("+/0").length);
  expect(owed.memoryBytes).toBeGreaterThan(owed.size * MEMORY.cursorBytes);
  const subscriptions = filters.reduce((sum, filter) => sum + subscriptionBytes(filter), 0);
  expect(core.ledger.bytes.subscriptions - before).toBe(subscriptions + owed.memoryBytes);
  // A topic to go on from may be long.
  const [cursor] = owed;
  world.sessions[0]!.machine.takePage({ clientId: "c", id: cursor!.id, from: "", next: "t".repeat(5000), messages: [] }, world.now);
  expect(core.ledger.bytes.subscriptions - before).toBe(subscriptions + owed.memoryBytes);
  expect(owed.memoryBytes).toBeGreaterThan(owed.size * MEMORY.cursorBytes + 2 * 5000);
  world.sessions[0]!.crash();
  const restored = world.sessions[0]!.core;
  expect(restored.ledger.bytes.subscriptions).toBe(subscriptions + restored.sessions.get("c")!.owed.memoryBytes);
  const again = world.connect("c");
  world.settle();
  expect([again.connection.session.owed.size, restored.ledger.bytes.subscriptions]).toEqual([0, 0]);
});

test("a user that is owed much subscribes to nothing more", () => {
  const world = new World({ topicObjects: 8, userShare: 0.5, limits: { objectBytesMax: 1 << 20 } });
  vi.spyOn(world.sessions[0]!.core.router, "ask").mockImplementation(() => {});
  const [ada, bob] = ["ada", "bob"].map((userName) => world.connect(userName, { userName }));
  const refused = (client: TestClient, filter: string): boolean => {
    client.take();
    client.subscribe(filter, 1);
    return client.take().some((packet) => packet.type === SUBACK && packet.reasonCodes[0] === QUOTA_EXCEEDED);
  };
  let taken = 0;
  while (taken < 1000 && !refused(ada!, `+/${taken}`)) taken += 1;
  // 0.35 of a mebibyte, at about 4.5 KB each.
  expect(taken).toBeGreaterThan(50);
  expect(taken).toBeLessThan(120);
  expect(refused(bob!, "+/b")).toBe(false);
});
