/** SUBSCRIBE and UNSUBSCRIBE of very many filters: taken in slices, answered once, and what ends one that is half taken. */

import { describe, expect, test } from "vitest";
import { NO_PROPERTIES, type Packet, PUBLISH, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE } from "../../src/mqtt/packet.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR } from "../../src/mqtt/reason-code.ts";
import { offerSession } from "../../src/session/depart.ts";
import { FILTER_WORK, FILTERS_UNDER_WAY_WORK } from "../../src/work-limits.ts";
import { type TestClient, World } from "../support/core-harness.ts";
import { plain } from "./support.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };
const COUNT = 200;
/** So many filters of these are on their way at once. */
const UNDER_WAY_MAX = FILTERS_UNDER_WAY_WORK / FILTER_WORK;

const many = Array.from({ length: COUNT }, (_, index) => `m/${index}`);

function subscribePacket(filters: readonly string[], packetId = 7) {
  const subscriptions = filters.map((filter) => ({ filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }) as const);
  return { type: SUBSCRIBE, packetId, subscriptions, properties: NO_PROPERTIES } as const;
}

function world(options: object = {}): World {
  return new World({ wiring: "batched", topicObjects: 2, auto: false, ...options });
}

function connected(in_: World, clientId: string, options: object = DURABLE): TestClient {
  const client = in_.connect(clientId, options);
  in_.settle();
  client.take();
  return client;
}

/** So many steps of whatever is on its way. */
function rounds(of: World, count: number): void {
  for (let round = 0; round < count; round += 1) {
    of.sessions[0]!.flush();
    for (const link of of.links()) link.step();
  }
}

function known(of: World): number {
  return of.topics.reduce((sum, { store }) => sum + store.routes().length, 0);
}

function rowsOf(of: World): string[] {
  return of.sessions[0]!.store.subscriptions().map(({ filter }) => filter);
}

function subscriptionsOf(of: World, clientId: string): string[] {
  return [...(of.sessions[0]!.core.sessions.get(clientId)?.subscriptions.keys() ?? [])];
}

test("no more than so much is on its way at once; one SUBACK has all codes, and what came behind waits", () => {
  const all = world();
  const client = connected(all, "c");
  const before = all.sessions[0]!.core.counters.messagesReceived;
  client.send(subscribePacket(many));
  client.publish(many.at(-1)!, "behind", { qos: 1, packetId: 9 });
  const packets: Packet[] = [];
  for (let round = 0; !packets.some(({ type }) => type === SUBACK); round += 1) {
    const session = all.sessions[0]!.core.sessions.get("c")!;
    expect(session.asked?.size ?? 0).toBeLessThanOrEqual(UNDER_WAY_MAX);
    if (session.subscriptions.size < COUNT) expect(all.sessions[0]!.core.counters.messagesReceived).toBe(before);
    rounds(all, 1);
    packets.push(...client.take());
    expect(round).toBeLessThan(100);
  }
  all.settle();
  packets.push(...client.take());
  expect(plain(packets.filter(({ type }) => type === SUBACK))).toEqual([{ type: SUBACK, packetId: 7, reasonCodes: many.map(() => 1) }]);
  expect(packets.filter(({ type }) => type === PUBLISH).length).toBe(1);
  expect(rowsOf(all).sort()).toEqual([...many].sort());
});

test("a client that sends one SUBSCRIBE after the other has no more on its way", () => {
  const all = world();
  const client = connected(all, "c");
  client.send(...many.map((filter, index) => subscribePacket([filter], index + 1)));
  const session = all.sessions[0]!.core.sessions.get("c")!;
  expect(session.asked!.size).toBe(UNDER_WAY_MAX);
  all.settle();
  const answered = plain(client.take()).map(({ packetId }) => packetId as number);
  expect(answered.sort((a, b) => a - b)).toEqual(many.map((_, index) => index + 1));
});

test("long filters weigh more", () => {
  const all = world();
  const client = connected(all, "c");
  client.send(subscribePacket(many.map((filter) => filter + "/x".repeat(100))));
  expect(all.sessions[0]!.core.sessions.get("c")!.asked!.size).toBeLessThan(UNDER_WAY_MAX / 3);
  all.settle();
  expect(client.take().length).toBe(1);
});

test("the same filter very often: one subscription, a code for each", () => {
  const all = world();
  const client = connected(all, "c");
  client.send(subscribePacket(new Array(5000).fill("same")));
  all.settle();
  expect(plain(client.take())).toEqual([{ type: SUBACK, packetId: 7, reasonCodes: new Array(5000).fill(1) }]);
  expect(rowsOf(all)).toEqual(["same"]);
});

test("UNSUBSCRIBE of very many: one UNSUBACK, and nothing is left", () => {
  const all = world();
  const client = connected(all, "c");
  client.send(subscribePacket(many));
  all.settle();
  client.take();
  client.send({ type: UNSUBSCRIBE, packetId: 8, filters: [...many, "never"], properties: NO_PROPERTIES });
  all.settle();
  expect(plain(client.take())).toEqual([{ type: UNSUBACK, packetId: 8, reasonCodes: [...many.map(() => 0), 0x11] }]);
  expect([rowsOf(all), subscriptionsOf(all, "c"), known(all)]).toEqual([[], [], 0]);
});

describe("half taken", () => {
  /** A SUBSCRIBE of which some filters are known to Topic objects, some are on their way, and some have not been taken. */
  function halfTaken(options: object = DURABLE): { all: World; client: TestClient; taken: string[]; stored: string[] } {
    const all = world();
    const client = connected(all, "c", options);
    client.send(subscribePacket(many));
    while (subscriptionsOf(all, "c").length <= 2 * UNDER_WAY_MAX) rounds(all, 1);
    const taken = subscriptionsOf(all, "c");
    expect(taken.length).toBeLessThan(COUNT);
    expect(client.take()).toEqual([]);
    return { all, client, taken, stored: rowsOf(all) };
  }

  /** Nothing is on its way, and memory, rows and routes say the same. */
  function expectWhole(all: World, filters: readonly string[]): void {
    all.settle();
    expect([...subscriptionsOf(all, "c")].sort()).toEqual([...filters].sort());
    expect(rowsOf(all).sort()).toEqual([...filters].sort());
    expect(known(all)).toBe(filters.length);
    expect(all.sessions[0]!.core.sessions.get("c")?.asked).toBeUndefined();
  }

  test("when its connection is lost: what was taken stays, the rest is not taken, nothing is acknowledged", () => {
    const { all, client, taken } = halfTaken();
    client.lose();
    expectWhole(all, taken);
    expect(client.take()).toEqual([]);
  });

  test("of a session that ends with its connection: nothing of it is left", () => {
    const { all, client } = halfTaken({ clean: true });
    client.lose();
    all.settle();
    expect([subscriptionsOf(all, "c"), rowsOf(all), known(all)]).toEqual([[], [], 0]);
  });

  test("when another connection takes the session over: the same, and the other one subscribes to all of it", () => {
    const { all, client, taken } = halfTaken();
    const next = all.connect("c", DURABLE);
    expectWhole(all, taken);
    expect(client.take().map(({ type }) => type)).not.toContain(SUBACK);
    next.take();
    next.send(subscribePacket(many, 3));
    expectWhole(all, many);
    expect(plain(next.take())).toEqual([{ type: SUBACK, packetId: 3, reasonCodes: many.map(() => 1) }]);
  });

  test("when the object is reset: what had rows stays, and nothing without its rows", () => {
    const { all, client, stored } = halfTaken();
    all.sessions[0]!.crash();
    all.settle();
    expect(subscriptionsOf(all, "c").sort()).toEqual([...stored].sort());
    expect(rowsOf(all).sort()).toEqual([...stored].sort());
    expect(client.take()).toEqual([]);
    const next = all.connect("c", DURABLE);
    next.send(subscribePacket(many, 3));
    expectWhole(all, many);
  });

  test("when the session moves away: what was taken goes with it", () => {
    const { all, taken } = halfTaken();
    const { core, machine } = all.sessions[0]!;
    const connection = core.sessions.get("c")!.connection!;
    expect(connection.taking!.isOpen).toBe(true);
    const offered = offerSession(core, "c", "resume", undefined) as readonly { filter: string }[];
    expect(offered.map(({ filter }) => filter).sort()).toEqual([...taken].sort());
    expect(connection.taking!.isOpen).toBe(false);
    expect(machine.goOn(connection, 1000, all.now)).toBe(0);
    expectWhole(all, taken);
  });

  test("and UNSUBSCRIBE and DISCONNECT behind it: in their order", () => {
    const { all, client } = halfTaken();
    client.unsubscribe(many.at(-1)!, many[0]!);
    client.disconnect();
    all.settle();
    expect(client.take().map(({ type }) => type)).toContain(UNSUBACK);
    expect(client.closed?.code).toBe(1000);
    expectWhole(all, many.slice(1, -1));
  });

  test("when a Topic object is out of reach: it is told so once, not slice by slice", () => {
    const { all, client, taken } = halfTaken();
    for (const link of all.sessions[0]!.links) link.broken = "request";
    all.settle();
    all.advance(70_000);
    const [suback] = plain(client.take()) as unknown as { reasonCodes: number[] }[];
    expect(suback!.reasonCodes.length).toBe(COUNT);
    const granted = many.filter((_, index) => suback!.reasonCodes[index] === 1);
    expect(suback!.reasonCodes.every((code) => code === 1 || code === IMPLEMENTATION_SPECIFIC_ERROR)).toBe(true);
    expect(granted.length).toBeLessThan(taken.length);
    for (const link of all.sessions[0]!.links) link.broken = undefined;
    all.settle();
    expect(subscriptionsOf(all, "c").sort()).toEqual(granted.sort());
    expect(rowsOf(all).sort()).toEqual(granted.sort());
  });
});

test("3.1.1: for one filter that is none the connection ends before any is taken, wherever it stands", () => {
  const all = world();
  const client = connected(all, "c", { version: 4, clean: false });
  client.send(subscribePacket([...many, "wrong#"]));
  all.settle();
  expect(client.closed).toBeDefined();
  expect([subscriptionsOf(all, "c"), rowsOf(all)]).toEqual([[], []]);
});
