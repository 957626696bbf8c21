/** What a client can make large has a bound of its own, and is written in pieces: a small change costs a small write. */

import { describe, expect, test } from "vitest";
import {
  ALIASES_ATTACHED_BYTES_MAX,
  MOVED_EXCHANGES_MAX,
  OWN_ALIAS_CHARACTERS_MAX,
  OWN_ALIASES_MAX,
  RECEIVED_INLINE_MAX,
  RETAINED_ASKS_PER_SESSION,
} from "../../src/limits.ts";
import { DISCONNECT, NO_PROPERTIES, PUBCOMP, PUBREC, SUBACK, SUBSCRIBE, UNSUBACK } from "../../src/mqtt/packet.ts";
import { MessageLog } from "../../src/session/log.ts";
import { OpenExchangeSet } from "../../src/session/open-exchanges.ts";
import { Repeats } from "../../src/session/repeats.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { ATTACHMENT_BYTES_MAX, CHUNK_OVERHEAD_BYTES_MAX, ROW_BYTES_MAX } from "../../src/storage-limits.ts";
import { type SessionNode, type TestClient, World } from "../support/core-harness.ts";
import { allChunks } from "../support/deliveries.ts";
import { messageTo } from "./support.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };

/** Bytes of all blobs and texts that are written while something is done. */
function bytesWritten(node: SessionNode, run: () => void): number {
  let bytes = 0;
  const { store } = node;
  const names = ["putSession", "putExchanges", "putAlias", "putSubscription", "putWill", "putChunk"] as const;
  const before = names.map((name) => store[name]);
  for (const name of names) {
    const put = store[name] as (row: object) => void;
    store[name] = (row: object) => {
      for (const value of Object.values(row)) if (value instanceof Uint8Array || typeof value === "string") bytes += value.length;
      put.call(store, row);
    };
  }
  run();
  for (const [index, name] of names.entries()) store[name] = before[index] as never;
  return bytes;
}

function alias(client: TestClient, topicAlias: number, topic: string): void {
  client.publish(topic, "x", { properties: { topicAlias } });
}

describe("Topic Aliases of a client", () => {
  const wide = "z".repeat(65_000);

  test("have a bound for their bytes: beyond it the client is told, and nobody else", () => {
    const world = new World();
    const [client, other] = [world.connect("c"), world.connect("o")];
    alias(client, 1, `1/${wide}`);
    // In its place another one: the room is free again.
    alias(client, 1, `2/${wide}`);
    expect(client.closed).toBeUndefined();
    client.take();
    alias(client, 2, `3/${wide}`);
    expect(client.take()).toMatchObject([{ type: DISCONNECT, reasonCode: 0x97 }]);
    expect([client.closed?.code, other.closed]).toEqual([1013, undefined]);
  });

  test("one of the longest topic fits, and as many as were announced of usual ones", () => {
    const world = new World();
    const client = world.connect("c");
    alias(client, 1, "t".repeat(65_535));
    const another = world.connect("d");
    for (let number = 1; number <= 32; number += 1) alias(another, number, `${number}/${"t".repeat(2_000)}`);
    expect([client.closed, another.closed]).toEqual([undefined, undefined]);
  });

  test("stand in rows where there are many bytes of them, and cost nothing when something else changes", () => {
    const world = new World();
    const node = world.sessions[0]!;
    const client = world.connect("c");
    const topics = [...Array(20).keys()].map((number) => `${number}/${"t".repeat(3_000)}`);
    const first = bytesWritten(node, () => {
      for (const [index, topic] of topics.entries()) alias(client, index + 1, topic);
    });
    // Each is written once.
    expect(first).toBeLessThan(topics.join("").length + 100);
    expect(node.store.aliases()).toHaveLength(20);
    expect(client.wire.attachment!.length).toBeLessThan(300);
    const more = bytesWritten(node, () => {
      for (let count = 0; count < 10; count += 1) client.publish("s", "", { qos: 1 });
    });
    expect(more).toBe(0);

    node.hibernate();
    const watcher = world.connect("w");
    watcher.subscribe("#", 0);
    for (const number of topics.keys()) client.publish("", "again", { properties: { topicAlias: number + 1 } });
    expect(watcher.messages().map(({ topic }) => topic)).toEqual(topics);

    client.lose();
    expect(node.store.aliases()).toEqual([]);
  });

  test("of a connection that is lost with the object's memory leave no row", () => {
    const world = new World();
    const node = world.sessions[0]!;
    alias(world.connect("c"), 1, "t".repeat(ALIASES_ATTACHED_BYTES_MAX + 1));
    expect(node.store.aliases()).toHaveLength(1);
    node.crash();
    expect(node.store.aliases()).toEqual([]);
    expect(node.core.counters.rowsSwept).toBe(1);
  });

  test("as long as they fit an attachment cost no row", () => {
    const world = new World();
    const client = world.connect("c");
    alias(client, 1, "t".repeat(ALIASES_ATTACHED_BYTES_MAX));
    expect(world.sessions[0]!.meter.rowsWritten).toBe(0);
    expect(client.wire.attachment!.length).toBeLessThanOrEqual(ATTACHMENT_BYTES_MAX);
  });
});

test("Topic Aliases of the broker are bounded, however many a client allows and however long topics are", () => {
  const world = new World();
  const client = world.connect("c", { properties: { topicAliasMaximum: 65_535 } });
  client.subscribe("#", 0);
  const publisher = world.connect("p");
  for (let number = 0; number < 10; number += 1) {
    for (const _time of [1, 2, 3]) publisher.publish(`${number}/${"t".repeat(30_000)}`, "x");
  }
  const remembered = [...client.connection.ownAliases.topics()].reduce((sum, { length }) => sum + length, 0);
  expect(remembered).toBeLessThanOrEqual(2 * OWN_ALIAS_CHARACTERS_MAX);
  expect(client.messages()).toHaveLength(30);
});

test.each([1, 2] as const)("and however many short ones there are, each sent %i times", (times) => {
  const world = new World();
  const client = world.connect("c", { properties: { topicAliasMaximum: 65_535 } });
  client.subscribe("#", 0);
  const publisher = world.connect("p");
  const before = world.sessions[0]!.core.ledger.bytes.aliases;
  for (let number = 0; number < 5000; number += 1) {
    for (let time = 0; time < times; time += 1) publisher.publish(number.toString(36), "x");
  }
  const { ownAliases } = client.connection;
  expect([...ownAliases.topics()].length).toBeLessThanOrEqual(OWN_ALIASES_MAX);
  expect(ownAliases.memoryBytes).toBeGreaterThan(0);
  expect(ownAliases.memoryBytes).toBe(world.sessions[0]!.core.ledger.bytes.aliases - before);
  expect(client.messages()).toHaveLength(5000 * times);
});

describe.each([4, 5] as const)("incoming QoS 2 exchanges, version %i", (version) => {
  const options = { ...KEPT, version, ...(version === 4 ? { properties: NO_PROPERTIES } : {}) };
  const count = 3000;

  function open(client: TestClient): void {
    for (let packetId = 1; packetId <= count; packetId += 1) client.publish("t", "x", { qos: 2, packetId });
  }

  test.each(["kept", "clean"] as const)("very many of them cost a small write for each further one, and survive: %s", (what) => {
    const world = new World();
    const node = world.sessions[0]!;
    const client = world.connect("c", what === "kept" ? options : { version });
    open(client);
    const session = client.connection.session;
    expect([session.received.size, session.received.paged]).toEqual([count, true]);
    const one = bytesWritten(node, () => client.publish("t", "x", { qos: 2, packetId: count + 1 }));
    expect(one).toBeLessThan(10_000);
    expect(one).toBeGreaterThan(0);
    expect(client.wire.attachment!.length).toBeLessThanOrEqual(ATTACHMENT_BYTES_MAX);

    node.hibernate();
    expect(node.core.sessions.get("c")!.received.size).toBe(count + 1);
    // A repeat is answered and goes nowhere; a release is known.
    const watcher = world.connect("w");
    watcher.subscribe("t", 0);
    client.take();
    client.publish("t", "x", { qos: 2, packetId: 7, dup: true });
    client.pubrel(8);
    expect(client.take()).toMatchObject([
      { type: PUBREC, packetId: 7, reasonCode: 0 },
      { type: PUBCOMP, packetId: 8, reasonCode: 0 },
    ]);
    expect(watcher.messages()).toEqual([]);
    if (what === "kept") {
      node.crash();
      expect(node.core.sessions.get("c")!.received.size).toBe(count);
    }
  });

  test("when they are over nothing is left of them", () => {
    const world = new World();
    const node = world.sessions[0]!;
    const client = world.connect("c", options);
    open(client);
    for (let packetId = 1; packetId <= count; packetId += 1) client.pubrel(packetId);
    expect(node.store.exchanges()).toEqual([]);
    const { received } = client.connection.session;
    expect([received.size, received.paged, node.core.openExchanges.size]).toEqual([0, false, 0]);
    for (let packetId = 1; packetId <= RECEIVED_INLINE_MAX; packetId += 1) client.publish("t", "x", { qos: 2, packetId });
    expect(node.store.exchanges()).toEqual([]);
    node.hibernate();
    expect(node.core.sessions.get("c")!.received.size).toBe(RECEIVED_INLINE_MAX);
  });

  test("with their session their pages go", () => {
    const world = new World();
    const node = world.sessions[0]!;
    open(world.connect("c", options));
    expect(node.store.exchanges()).not.toEqual([]);
    world.connect("c", { version });
    expect(node.store.exchanges()).toEqual([]);
  });
});

test("pages that belong to nobody are swept, those of sessions that can't be read stay", () => {
  const world = new World();
  const node = world.sessions[0]!;
  world.connect("c", KEPT);
  const [row] = node.store.sessions();
  node.store.putExchanges({ sessionNumber: row!.number, page: 1, exchanges: new Uint8Array([1, 0, 0]) });
  node.store.putExchanges({ sessionNumber: 5, page: 1, exchanges: new Uint8Array([1, 0, 0]) });
  node.crash();
  expect([node.store.exchanges(), node.core.counters.rowsSwept]).toEqual([[], 2]);
  node.store.putSession({ ...row!, state: new Uint8Array([77]) });
  node.store.putExchanges({ sessionNumber: row!.number, page: 1, exchanges: new Uint8Array([1, 0, 0]) });
  node.crash();
  expect(node.store.exchanges()).toHaveLength(1);
});

test("what many subscriptions are owed is written one by one, as each of them goes on", () => {
  const world = new World({ limits: { inflightMax: 16 } });
  const node = world.sessions[0]!;
  const wide = "t".repeat(1_000);
  const publisher = world.connect("p");
  const filters = [...Array(40).keys()].map((number) => `${number}${wide}/+`);
  for (const filter of filters) {
    for (let count = 100; count < 240; count += 1) publisher.publish(`${filter.slice(0, -1)}${count}`, "x", { retain: true, qos: 1 });
  }
  const client = world.connect("c", KEPT);
  const subscriptions = filters.map((filter) => ({ filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }) as const);
  client.send({ type: SUBSCRIBE, packetId: 1, subscriptions, properties: NO_PROPERTIES });
  const owed = () => [...node.core.sessions.get("c")!.owed].map(({ id, from }) => [id, from]);
  const rows = () => node.store.owed().map(({ id, from }) => [id, from]);
  expect(owed().length).toBeGreaterThan(35);
  expect(rows()).toEqual(owed());

  // One subscription goes on, all others stay: of them nothing is written.
  let pages = 0;
  let written = 0;
  const { putOwed, putSession } = node.store;
  node.store.putOwed = (row) => {
    pages += 1;
    putOwed.call(node.store, row);
  };
  node.store.putSession = (row) => {
    written += row.state.length;
    putSession.call(node.store, row);
  };
  for (let round = 0; round < 200 && pages < 3; round += 1) for (const { packetId } of client.messages()) client.puback(packetId);
  // As many as are asked for at once.
  expect(pages).toBe(RETAINED_ASKS_PER_SESSION);
  expect(written).toBeLessThan(2_000);

  const before = owed();
  expect(rows()).toEqual(before);
  node.crash();
  expect(owed()).toEqual(before);
  world.connect("c", { clean: true });
  expect(rows()).toEqual([]);
});

test("what few subscriptions are owed stands in the row of their session", () => {
  const world = new World({ limits: { inflightMax: 16 } });
  const node = world.sessions[0]!;
  const publisher = world.connect("p");
  for (let count = 100; count < 300; count += 1) publisher.publish(`r/${count}`, "x", { retain: true, qos: 1 });
  const client = world.connect("c", KEPT);
  client.subscribe("r/+", 1);
  const owed = () => [...node.core.sessions.get("c")!.owed].map(({ id, from }) => [id, from]);
  const before = owed();
  expect([before.length, node.store.owed()]).toEqual([1, []]);
  // And in the attachment of its socket.
  node.hibernate();
  expect(owed()).toEqual(before);
  node.crash();
  expect(owed()).toEqual(before);
});

test("what is owed to nobody is swept", () => {
  const world = new World();
  const node = world.sessions[0]!;
  world.connect("c", KEPT);
  node.store.putOwed({ sessionNumber: 5, id: 6, filter: "a/#", place: "", from: "" });
  node.crash();
  expect([node.store.owed(), node.core.counters.rowsSwept]).toEqual([[], 1]);
});

test("subscriptions have a bound for the bytes of their filters, which an end of one gives back", () => {
  const world = new World({ limits: { subscriptionBytesMax: 1000, topicBytesMax: 1000 } });
  const client = world.connect("c");
  const filter = (number: number): string => `${number}/${"é".repeat(150)}`;
  client.take();
  for (const number of [1, 2, 3, 4]) client.subscribe(filter(number), 1);
  expect(client.take()).toMatchObject([1, 1, 1, 0x97].map((code) => ({ type: SUBACK, reasonCodes: [code] })));
  // What is there already may be replaced.
  client.subscribe(filter(3), 2);
  client.unsubscribe(filter(1));
  client.subscribe(filter(4), 1);
  expect(client.take()).toMatchObject([
    { type: SUBACK, reasonCodes: [2] },
    { type: UNSUBACK, reasonCodes: [0] },
    { type: SUBACK, reasonCodes: [1] },
  ]);
  world.sessions[0]!.hibernate();
  client.take();
  client.subscribe(filter(5), 1);
  expect(client.take()).toMatchObject([{ reasonCodes: [0x97] }]);
});

test("a will as large as is accepted fits its row", () => {
  const packetBytesMax = ROW_BYTES_MAX - CHUNK_OVERHEAD_BYTES_MAX;
  const world = new World({ limits: { packetBytesMax } });
  const userProperties = [["", "v".repeat(65_000)]] as const;
  const will = { topic: "w".repeat(65_535), payload: new Uint8Array(65_535), properties: { userProperties, willDelayInterval: 30 } };
  const client = world.connect("c", { ...KEPT, will });
  expect(client.connack).toMatchObject({ reasonCode: 0 });
  expect(world.sessions[0]!.store.wills()).toHaveLength(1);
  client.lose();
  world.sessions[0]!.crash();
  expect(world.sessions[0]!.core.sessions.get("c")!.will?.will.topic).toHaveLength(65_535);
});

test("a message of the largest packet, with the topic of an alias and as many recipients as one record takes, fits its row", () => {
  const meter = createRowMeter();
  const store = new MemorySessionStore(meter);
  const log = new MessageLog(store, new Repeats(), 1_800_000_000_000_000, () => {});
  const payload = new Uint8Array(ROW_BYTES_MAX - CHUNK_OVERHEAD_BYTES_MAX);
  const record = log.append(messageTo("t".repeat(65_535), { payload }));
  const share = `$share/${"n".repeat(32_760)}/${"t".repeat(32_760)}`;
  for (let packetId = 1; !log.isFull(record); packetId += 1)
    log.addRecipient(record, { sessionNumber: 2 ** 51, packetId, qos: 1, retain: false, identifiers: undefined, share, owed: false });
  log.flush();
  expect(allChunks(store)).toHaveLength(1);
});

test("what is remembered for a session that has moved is bounded: of very many the first ones are forgotten", () => {
  const exchanges = new OpenExchangeSet();
  const some = (object: string, count: number) => ({ object, sequences: [...Array(count).keys()].map((index) => index + 1) });
  exchanges.add([some("a", 5000), some("b", 5000), some("c", 5000), some("d", 5000)]);
  const all = exchanges.toList();
  expect(all.reduce((sum, { sequences }) => sum + sequences.length, 0)).toBe(MOVED_EXCHANGES_MAX);
  expect([exchanges.has("a", 1), exchanges.has("a", 5000), exchanges.has("d", 1)]).toEqual([false, true, true]);
  exchanges.add([some("e", MOVED_EXCHANGES_MAX)]);
  expect(exchanges.toList().map(({ object }) => object)).toEqual(["e"]);
});
