/**
 * Every form of bytes that was ever stored: it is opened and means what it meant, or is refused by name; and whatever becomes of the
 * bytes of one row or attachment, the object starts, tells of it in one line, and serves everybody else.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { NO_BYTES } from "../../src/mqtt/record.ts";
import { decodeAttachment, encodeAttachment } from "../../src/session/attachment.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { decodePage, encodePage } from "../../src/session/received.ts";
import { decodeSessionState, decodeWill, encodeSessionState, encodeWill } from "../../src/session/state.ts";
import type { SimulatedObject } from "../simulation/object.ts";
import { SimulatedSocket } from "../simulation/socket.ts";
import { BEGINNING } from "../simulation/world.ts";
import { deliveriesOf } from "../support/deliveries.ts";
import { Broker, gotOf } from "./support.ts";

const FOLDER = join(ROOT, "test/fixtures/stored");
const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".hex"))
  .map((name) => name.slice(0, -4));

function fixture(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(readFileSync(join(FOLDER, `${name}.hex`), "utf8").replace(/\s/g, ""), "hex"));
}

/** The sessions that the fixtures belong to. */
const KEPT = 1_800_000_000_000_001;
const OTHER = 1_800_000_000_000_003;

let log: MockInstance<typeof console.log>;
beforeEach(() => {
  log = vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => void log.mockRestore());

/** What was told of stored data, each thing once: every start tells it again. */
function told(): string[] {
  const lines = log.mock.calls.map(([line]) => JSON.parse(line as string) as { event: string; problem: string });
  log.mockClear();
  return [...new Set(lines.map(({ event, problem }) => (event === "stored data skipped" ? problem : `${event}: ${problem}`)))];
}

/** Without that which is said where a byte of before there were checksums says that the session has moved away: then its subscriptions go. */
function toldOfDamage(): string[] {
  return told().filter((line) => !line.startsWith("rows that belonged to no session were deleted"));
}

interface Rows {
  readonly session: Uint8Array;
  readonly will: Uint8Array;
  readonly chunk: Uint8Array;
}

const ROWS: Rows = { session: fixture("session.2"), will: fixture("will.2"), chunk: fixture("chunk.3") };

/** A compact broker that finds these rows. */
function brokerWith({ session, will, chunk }: Rows): { broker: Broker; object: SimulatedObject } {
  const broker = new Broker(["compact", 1]);
  const object = broker.world.object("n/broker");
  const store = object.sessionStore;
  store.putSession({ number: KEPT, clientId: "käpt", state: session });
  store.putSession({ number: OTHER, clientId: "p", state: fixture("session.1") });
  store.putSubscription({ sessionNumber: KEPT, filter: "a/+", options: 46, subscriptionIdentifier: 99 });
  store.putSubscription({ sessionNumber: OTHER, filter: "t", options: 1, subscriptionIdentifier: 0 });
  store.putWill({ clientId: "käpt", will });
  store.putWill({ clientId: "p", will: fixture("will.1") });
  store.putChunk({ number: 1, heads: NO_BYTES, records: chunk });
  return { broker, object };
}

const MEANING = {
  expirySeconds: 3600,
  expiresAt: 0,
  identity: { ...NOBODY, userName: "ada" },
  nextPacketId: 5,
  handledThrough: 1_800_000_000_000_001,
  sent: [{ packetId: 1, qos: 1, recordSequence: 1_800_000_000_000_000, resending: false }],
  released: [2],
  received: [{ packetId: 44, sequence: 1_800_000_000_000_012, settled: true, begunAt: undefined }],
  paged: false,
  withoutOwn: [],
  aliases: [[2, "u"]],
};

/** Names that are written once came with version 4. */
const RECEIVED = [
  ...MEANING.received,
  { packetId: 45, sequence: 1_800_000_000_000_013, settled: false, begunAt: "n/session/9" },
  { packetId: 46, sequence: 1_800_000_000_000_014, settled: true, begunAt: "n/session/9" },
];

/** A session of version 1 never moved; that of version 2 did. */
const MOVES: Record<string, object> = {
  1: { had: [], lacks: [], cameFrom: [], offered: false, retired: false, owed: [] },
  2: {
    had: [{ object: "n/session/7", sequences: [1_800_000_000_000_077] }],
    lacks: [{ object: "n/session/8", sequences: [1_800_000_000_000_088, 1_800_000_000_000_089] }],
    cameFrom: [{ object: "n/session/9", through: 1_800_000_000_000_099 }],
    offered: true,
    retired: false,
    owed: [],
  },
};
/** Version 3 is owed retained messages. */
MOVES["3"] = { ...MOVES["2"], owed: [{ filter: "a/+", id: 1_800_000_000_000_111, place: "3/4", from: "a/b" }] };
/** In version 4 Topic Aliases are with the connection. */
MOVES["4"] = { ...MOVES["3"], received: RECEIVED, aliases: [] };
/** Version 5 says all of an identity. */
const IDENTITY = { userName: "ada", address: "2001:db8::1", grants: '{"acl":[]}', expiresAt: 1_800_000_000_321 };
MOVES["5"] = { ...MOVES["4"], identity: IDENTITY };

describe("what is stored means what it meant", () => {
  test.each(["1", "2", "3", "4", "5"])("a session of version %s", (version) => {
    const meaning = { ...MEANING, ...MOVES[version], lastNumber: 1_800_000_000_000_012 };
    expect(decodeSessionState(fixture(`session.${version}`))).toEqual(meaning);
  });

  test.each(["4", "5"])("a session of version %s whose exchanges are in pages, and a page", (version) => {
    const meaning = { ...MEANING, ...MOVES[version], lastNumber: 1_800_000_000_000_012, received: [], paged: true };
    expect(decodeSessionState(fixture(`session-paged.${version}`))).toEqual(meaning);
    expect(decodePage(fixture("exchanges.1"))).toEqual(RECEIVED);
  });

  test.each(["1", "2", "3", "4", "5"])("an attachment of version %s", (version) => {
    const facts = { version: 5, keepAliveSeconds: 60, receiveMaximum: 7, packetBytesMax: 12_345, topicAliasMaximum: 3, relayed: true };
    const brief = {
      clientId: "käpt",
      sessionNumber: KEPT,
      facts: { ...facts, problemInformation: false, bridge: false, authenticationMethod: undefined },
      lastSeenAt: BEGINNING,
      connectedAt: 0,
      connectionNumber: 0,
      aliases: [[2, "u"]],
      subscriptions: [],
    };
    const whole = { ...brief, session: { ...MEANING, ...MOVES[version] } };
    expect(decodeAttachment(fixture(`attachment.${version}`))).toEqual(whole);
    if (version !== "1") {
      const aliases = Number(version) >= 4 ? { connectionNumber: 1_800_000_000_000_222, aliases: [] } : { aliases: [] };
      expect(decodeAttachment(fixture(`attachment-brief.${version}`))).toEqual({ ...brief, ...aliases, session: undefined });
    }
  });

  test("a brief attachment of version 1", () => {
    expect(decodeAttachment(fixture("attachment-brief.1"))).toMatchObject({
      clientId: "big",
      sessionNumber: 1_800_000_000_000_303,
      facts: { version: 5, keepAliveSeconds: 0, receiveMaximum: 65_535, packetBytesMax: Number.POSITIVE_INFINITY },
      session: undefined,
    });
  });

  test.each(["1", "2", "3", "5"])("a will of version %s", (version) => {
    expect(decodeWill(fixture(`will.${version}`))).toEqual({
      dueAt: 0,
      inGrace: false,
      identity: version === "5" ? IDENTITY : undefined,
      will: {
        qos: 1,
        retain: true,
        topic: "w/käpt",
        payload: new TextEncoder().encode("gone"),
        properties: { willDelayInterval: 30, contentType: "text/plain", userProperties: [["a", "1"]] },
      },
    });
  });

  test.each(["chunk.1", "chunk.2", "chunk.3"])("all of them together with %s, as an object finds them", async (chunk) => {
    const { broker, object } = brokerWith({ ...ROWS, chunk: fixture(chunk) });
    await object.wake();
    const { core } = object.sessionHost!;
    const session = core.sessions.get("käpt")!;
    expect([...session.subscriptions.values()].map(({ request, identifier }) => [request, identifier])).toEqual([
      [{ filter: "a/+", qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 }, 99],
    ]);
    const waiting = deliveriesOf(core, session).map(({ packetId, qos, message }) => [
      packetId,
      qos,
      message!.topic,
      new TextDecoder().decode(message!.payload),
    ]);
    expect(waiting).toEqual([
      [1, 1, "a/b", "message 0"],
      [3, 1, "a/b", "message 2"],
      [4, 2, "a/b", "message 3"],
    ]);
    expect([[...session.released], session.will?.will.topic]).toEqual([[2], "w/käpt"]);
    expect([told(), broker.world.problems]).toEqual([[], []]);
  });

  test("a retained message", async () => {
    const broker = new Broker(["compact", 1]);
    const row = { topic: "r/t", message: fixture("retained.1"), expiresAt: 1_800_100_000_000 };
    broker.world.object("n/broker").routingStore.putRetained(row);
    const client = await broker.connect("client");
    client.subscribe("r/#", 2);
    await broker.pass(4_000);
    expect([client.got.map(({ qos, retain }) => [qos, retain]), told()]).toEqual([[[1, true]], []]);
  });
});

test("whatever the code writes has a fixture of its version", async () => {
  const broker = new Broker(["compact", 1]);
  const { will } = decodeWill(fixture("will.1"));
  const client = await broker.connect("client");
  client.subscribe("t", 1);
  await broker.pass(4_000);
  client.publish("t", 1, { kind: "retained" });
  await broker.pass(4_000);
  const object = broker.world.object("n/broker");
  await object.wake();
  const session = object.sessionHost!.core.sessions.get("client")!;
  const chunk = object.sessionStore.chunk(1)!.records;
  const retained = object.routingStore.retained("t")!.message;
  const versions = {
    session: encodeSessionState(session, 0)[0]!,
    attachment: encodeAttachment(session.connection!, false, 0)[0]!,
    "attachment-brief": encodeAttachment(session.connection!, true, 0)[0]!,
    exchanges: encodePage([])[0]!,
    will: encodeWill({ will, dueAt: 0, inGrace: false }, NOBODY)[0]!,
    chunk: chunk[0]!,
    retained: retained[0]!,
  };
  for (const [what, version] of Object.entries(versions)) expect(NAMES).toContain(`${what}.${version}`);
});

test.each(NAMES.filter((name) => name.includes("early")))("%s, which was never released, is refused", (name) => {
  const bytes = fixture(name);
  const { object } = brokerWith({ ...ROWS, [name.split(".")[0]!]: bytes });
  if (name.startsWith("attachment")) expect(() => decodeAttachment(bytes)).toThrow(/^the record|^a |^the number/);
  else
    return object
      .wake()
      .then(() => expect(told()).toEqual([expect.stringMatching(/^session row 1800000000000001: |^message log, chunk 1: /)]));
});

/** Every way to spoil bytes that is tried: they end at any place, or one of them is another one. */
function* spoilt(bytes: Uint8Array): Generator<[how: string, bytes: Uint8Array]> {
  for (let at = 0; at < bytes.length; at += 1) {
    yield [`ends at ${at}`, bytes.slice(0, at)];
    for (const bits of [0x01, 0x80, 0xff]) {
      const changed = bytes.slice();
      changed[at] = changed[at]! ^ bits;
      yield [`byte ${at} ^ ${bits}`, changed];
    }
  }
}

/** Time passes, and a newcomer finds a broker that serves. */
async function expectService(broker: Broker): Promise<void> {
  await broker.pass(40_000);
  const newcomer = await broker.connect("newcomer");
  newcomer.subscribe("n", 2);
  await broker.pass(4_000);
  newcomer.publish("n", 2);
  await broker.pass(4_000);
  // What was damaged need not fit together; but nothing fails.
  const problems = broker.world.problems.filter((problem) => problem.includes(" threw "));
  expect([gotOf(broker, newcomer, "n").length, newcomer.problems, problems]).toEqual([1, [], []]);
}

describe("damage", { timeout: 60_000 }, () => {
  test.each([
    ["session", /^session row 1800000000000001: /],
    ["will", /^will of "käpt": /],
    ["chunk", /^message log, chunk 1: /],
  ] as const)("of a %s row, wherever it is: one line at most, and everything else is there", async (kind, line) => {
    for (const [how, bytes] of spoilt(ROWS[kind])) {
      const { broker, object } = brokerWith({ ...ROWS, [kind]: bytes });
      await object.wake();
      const { sessions } = object.sessionHost!.core;
      expect([...(sessions.get("p")?.subscriptions.keys() ?? [])], how).toEqual(["t"]);
      expect(sessions.get("p")?.will?.will.topic, how).toBe("w/käpt");
      if (kind !== "session") expect([...(sessions.get("käpt")?.subscriptions.keys() ?? [])], how).toEqual(["a/+"]);
      await expectService(broker);
      const lines = toldOfDamage();
      // A byte that was changed may leave something that can be; one that is missing can't.
      if (how.startsWith("ends")) expect(lines.length, how).toBe(1);
      expect(lines.length, how).toBeLessThanOrEqual(1);
      for (const each of lines) expect(each, how).toMatch(line);
    }
  });

  test("of an attachment: one line at most, that socket is closed, the others stay", async () => {
    for (const [how, bytes] of spoilt(fixture("attachment.2"))) {
      const { broker, object } = brokerWith(ROWS);
      const closed: number[] = [];
      const peer = { receive: () => {}, closed: (code: number) => void closed.push(code) };
      object.attached(new SimulatedSocket(broker.world, object, "käpt", peer, false), bytes);
      await object.wake();
      expect(object.sessionHost!.core.connections.size, how).toBeLessThanOrEqual(1);
      const isOpen = object.sessionHost!.core.connections.size === 1;
      await broker.pass(4_000);
      const lines = toldOfDamage();
      if (how.startsWith("ends")) expect(isOpen, how).toBe(false);
      // One that can be read may say that its client was silent for too long.
      expect([closed.length === 1, lines.length], how).toEqual(isOpen ? [expect.any(Boolean), 0] : [true, 1]);
      for (const each of lines) expect(each, how).toMatch(/^attachment of /);
      await expectService(broker);
    }
  });

  test("of a retained message: one line at most, and the others are sent", async () => {
    for (const [how, message] of spoilt(fixture("retained.1"))) {
      const broker = new Broker(["compact", 1]);
      const { routingStore } = broker.world.object("n/broker");
      routingStore.putRetained({ topic: "r/t", message, expiresAt: 0 });
      const client = await broker.connect("client");
      client.publish("r/good", 1, { kind: "retained" });
      await broker.pass(4_000);
      for (const filter of ["r/#", "r/+"]) {
        client.subscribe(filter, 1);
        await broker.pass(4_000);
      }
      expect(gotOf(broker, client, "r/good").length, how).toBe(2);
      const lines = told();
      if (how.startsWith("ends")) expect(lines.length, how).toBe(1);
      expect(lines.length, how).toBeLessThanOrEqual(1);
      for (const each of lines) expect(each, how).toMatch(/^retained message of "r\/t": /);
    }
  });

  test("of the columns of a subscription or a route: one line, and the others count", async () => {
    const { broker, object } = brokerWith(ROWS);
    object.sessionStore.putSubscription({ sessionNumber: KEPT, filter: "bad", options: 3, subscriptionIdentifier: 0 });
    await object.wake();
    expect(told()).toEqual([`subscription of session ${KEPT} to "bad": a QoS is 3, where 0 to 2 were expected`]);
    await expectService(broker);
    const sharded = new Broker(["sharded", 2]);
    const topic = sharded.world.object("n/topic/0");
    topic.routingStore.putRoute({ filter: "bad", sessionObject: "n/session/0", qos: 7 as 2, version: 1, members: 0, online: 0 });
    told();
    await topic.wake();
    expect(told()).toEqual(['route of "bad" to "n/session/0": numbers that no route has']);
  });
});

test("of two rows for one client the newer one counts, the older one is told of and deleted", async () => {
  const { broker, object } = brokerWith(ROWS);
  object.sessionStore.putSession({ number: KEPT + 9, clientId: "käpt", state: fixture("session.1") });
  await object.wake();
  expect(object.sessionHost!.core.sessions.get("käpt")?.number).toBe(KEPT + 9);
  expect(told()).toEqual([`session row ${KEPT}: "käpt" has a newer one, ${KEPT + 9}; it is deleted`]);
  expect(object.sessionStore.sessions().map(({ number }) => number)).toEqual([OTHER, KEPT + 9]);
  await expectService(broker);
});
