/** The limits: how they relate, and each bound crossed by one through the cores. */

import { describe, expect, test } from "vitest";
import {
  BATCH_BYTES_MAX,
  DEFAULT_LIMITS,
  type Limits,
  limitProblems,
  OUTBOX_BYTES_MAX,
  PACKET_ID_MAX,
  RECEIVED_MAX_V3,
  REPEAT_WINDOW_MS,
  RETRY_MS_MAX,
  RETRY_MS_TOTAL,
  WILL_BYTES_MAX,
} from "../src/limits.ts";
import { MEMORY } from "../src/memory-limits.ts";
import { PacketStream } from "../src/mqtt/packet-stream.ts";
import { decodeAttachment } from "../src/session/attachment.ts";
import { violated } from "../src/session/lifecycle.ts";
import { ATTACHMENT_BYTES_MAX, CHUNK_BYTES, CHUNK_OVERHEAD_BYTES_MAX, ROW_BYTES_MAX } from "../src/storage-limits.ts";
import { plain } from "./session/support.ts";
import { World } from "./support/core-harness.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

describe("relations", () => {
  test("the defaults keep all of them", () => {
    expect(limitProblems(DEFAULT_LIMITS)).toEqual([]);
  });

  const broken: [string, Partial<Limits>, RegExp][] = [
    ["a CONNECT has to fit", { packetBytesMax: 127 }, /^PACKET_BYTES_MAX must be at least 128/],
    [
      "a message and all its company fit a row",
      { packetBytesMax: ROW_BYTES_MAX - CHUNK_OVERHEAD_BYTES_MAX + 1, queueBytesMax: 2 ** 30 },
      /^PACKET_BYTES_MAX must be at most \d+/,
    ],
    [
      "one message fits the queue",
      { queueBytesMax: DEFAULT_LIMITS.packetBytesMax - 1 },
      /^QUEUE_BYTES_MAX must be at least PACKET_BYTES_MAX/,
    ],
    ["somebody may be in flight", { inflightMax: 0 }, /^INFLIGHT_MAX must be 1 to 65535/],
    ["somebody may be received", { receiveMaximum: 0 }, /^RECEIVE_MAXIMUM must be 1 to 65535/],
    ["Receive Maximum has two bytes", { receiveMaximum: 65_536 }, /^RECEIVE_MAXIMUM must be 1 to 65535/],
    [
      "each message that waits has a Packet Identifier",
      { queueMessagesMax: PACKET_ID_MAX - 100, inflightMax: 100 },
      /^QUEUE_MESSAGES_MAX plus INFLIGHT_MAX must be below 63487/,
    ],
    ["a topic has a byte", { topicBytesMax: 0 }, /^TOPIC_BYTES_MAX must be 1 to 65535/],
    ["a topic's length has two bytes", { topicBytesMax: 65_536 }, /^TOPIC_BYTES_MAX must be 1 to 65535/],
    ["matching recurses over levels", { topicLevelsMax: 513 }, /^TOPIC_LEVELS_MAX must be 1 to 512/],
    [
      "[MQTT5-3.1.3-5] [MQTT311-3.1.3-5] every Client Identifier of 23 characters is accepted",
      { clientIdBytesMaxV31: 22 },
      /^CLIENT_ID_BYTES_MAX_V31 must be 23 to CLIENT_ID_BYTES_MAX/,
    ],
    ["a Client Identifier fits an object's name", { clientIdBytesMax: 1025 }, /^CLIENT_ID_BYTES_MAX must be 23 to 1024/],
    [
      "a 3.x session lasts no longer than any",
      { sessionExpirySecondsV3: 11, sessionExpirySecondsMax: 10 },
      /^SESSION_EXPIRY_SECONDS_V3 must not exceed/,
    ],
    ["the platform's sockets", { connectionsMax: 32_769 }, /^CONNECTIONS_MAX must be 1 to 32768/],
    ["a packet gets time", { packetSecondsMax: 0 }, /^PACKET_SECONDS_MAX must be at least 1/],
  ];
  test.each(broken)("%s", (_name, limits, problem) => {
    expect(limitProblems({ ...DEFAULT_LIMITS, ...limits })).toEqual([expect.stringMatching(problem)]);
  });

  test("each at its edge holds", () => {
    const edges: Partial<Limits>[] = [
      { packetBytesMax: 128 },
      { packetBytesMax: ROW_BYTES_MAX - CHUNK_OVERHEAD_BYTES_MAX },
      { queueBytesMax: DEFAULT_LIMITS.packetBytesMax },
      { inflightMax: 1, receiveMaximum: 65_535 },
      { queueMessagesMax: 63_486 - 100, inflightMax: 100 },
      { topicBytesMax: 1, topicLevelsMax: 512 },
      { clientIdBytesMax: 23, connectionsMax: 32_768, packetSecondsMax: 1 },
      { sessionExpirySecondsV3: 10, sessionExpirySecondsMax: 10 },
    ];
    for (const edge of edges) expect([edge, limitProblems({ ...DEFAULT_LIMITS, ...edge })]).toEqual([edge, []]);
  });

  test("constants fit each other and the platform", () => {
    expect(RETRY_MS_TOTAL + RETRY_MS_MAX).toBeLessThan(REPEAT_WINDOW_MS);
    expect(ATTACHMENT_BYTES_MAX).toBeLessThan(16_384);
    expect(ROW_BYTES_MAX).toBeLessThan(2_000_000);
    expect(BATCH_BYTES_MAX).toBeLessThanOrEqual(OUTBOX_BYTES_MAX);
    // One item may be larger than a batch should be: a packet still fits a call of 32 MiB.
    expect(BATCH_BYTES_MAX + DEFAULT_LIMITS.packetBytesMax).toBeLessThan(32 * 1024 * 1024);
    expect(CHUNK_BYTES + DEFAULT_LIMITS.packetBytesMax + CHUNK_OVERHEAD_BYTES_MAX).toBeLessThan(ROW_BYTES_MAX);
  });
});

describe("crossed by one", () => {
  test("[MQTT5-3.2.2-15] a packet of a client, fixed header included: 0x95", () => {
    const packet = (bytes: number): Uint8Array =>
      new Uint8Array([0x30, 0x80 | ((bytes - 3) % 128), Math.floor((bytes - 3) / 128), 0, 1, 0x74, ...Array(bytes - 6).fill(0)]);
    const stream = new PacketStream(1000);
    stream.push(packet(1000));
    expect(stream.next()).toBeInstanceOf(Uint8Array);
    stream.push(packet(1001));
    expect(stream.next()).toMatchObject({ reasonCode: 0x95 });
    const world = new World();
    const client = world.connect("c");
    client.take();
    violated(world.sessions[0]!.core, client.connection, 0x95, "too large");
    world.settle();
    expect([plain(client.take()).map(({ reasonCode }) => reasonCode), client.closed?.code]).toEqual([[0x95], 1009]);
  });

  test("bytes of a Topic Name and of a Topic Filter: 0x90, 0x8F", () => {
    const world = new World({ limits: { topicBytesMax: 10 } });
    const client = world.connect("c");
    client.take();
    client.publish("ä".repeat(5), "x", { qos: 1 });
    client.subscribe("ä".repeat(5));
    client.subscribe(`${"ä".repeat(5)}x`);
    expect(plain(client.take()).map(({ reasonCodes, reasonCode }) => reasonCodes ?? reasonCode)).toEqual([0x10, [0], [0x8f]]);
    client.publish(`${"ä".repeat(5)}x`, "x", { qos: 1 });
    expect(plain(client.take())).toMatchObject([{ type: 14, reasonCode: 0x90 }]);
  });

  test("levels of a Topic Name and of a Topic Filter: 0x90, 0x8F", () => {
    const world = new World({ limits: { topicLevelsMax: 3 } });
    const client = world.connect("c");
    client.take();
    client.publish("a/b/c", "x", { qos: 1 });
    client.subscribe("a/b/#");
    client.subscribe("a/b/c/#");
    client.subscribe("$share/group/a/b/c");
    expect(plain(client.take()).map(({ reasonCodes, reasonCode }) => reasonCodes ?? reasonCode)).toEqual([0x10, [0], [0x8f], [0]]);
    client.publish("a/b/c/", "x", { qos: 1 });
    expect(plain(client.take())).toMatchObject([{ type: 14, reasonCode: 0x90 }]);
  });

  test("what a will takes, User Properties above all: 0x97", () => {
    const world = new World();
    const code = (count: number): number => {
      const properties = { userProperties: Array.from({ length: count }, () => ["", ""] as const) };
      const will = { topic: "gone", payload: new Uint8Array(0), qos: 0, retain: false, properties } as const;
      return world.connect("c", { will }).connack.reasonCode;
    };
    const most = Math.floor((WILL_BYTES_MAX - MEMORY.willBytes - 4 * MEMORY.characterBytes) / MEMORY.userPropertyBytes);
    expect([code(most), code(most + 1)]).toEqual([0, 0x97]);
  });

  test("QoS 2 exchanges that a client of 3.x leaves open: the connection ends; QoS 1 knows no such bound", () => {
    const world = new World();
    const client = world.connect("c", { version: 4 });
    for (let packetId = 1; packetId <= RECEIVED_MAX_V3; packetId += 1) client.publish("t", "x", { qos: 2, packetId });
    client.publish("t", "x", { qos: 1, packetId: PACKET_ID_MAX });
    client.publish("t", "a repeat", { qos: 2, packetId: 1 });
    expect(client.closed).toBeUndefined();
    client.publish("t", "one more", { qos: 2, packetId: PACKET_ID_MAX });
    expect(client.closed?.reason).toContain(`${RECEIVED_MAX_V3}`);
  });

  test("subscriptions of a session: 0x97, replacing and leaving still possible, other sessions untouched", () => {
    const world = new World({ limits: { subscriptionsMax: 2 } });
    const client = world.connect("c", DURABLE);
    const codes = (): unknown[] => plain(client.take()).flatMap(({ reasonCodes }) => reasonCodes ?? []);
    client.take();
    for (const filter of ["a", "b", "c", "a"]) client.subscribe(filter, 1);
    expect(codes()).toEqual([1, 1, 0x97, 1]);
    client.lose();
    const again = world.connect("c", DURABLE);
    again.take();
    again.subscribe("c", 1);
    again.unsubscribe("a");
    again.subscribe("c", 1);
    expect(plain(again.take()).flatMap(({ reasonCodes }) => reasonCodes ?? [])).toEqual([0x97, 0, 1]);
    const old = world.connect("old", { version: 4 });
    for (const filter of ["a", "b", "c"]) old.subscribe(filter, 1);
    expect(plain(old.take()).flatMap(({ reasonCodes }) => reasonCodes ?? [])).toEqual([1, 1, 0x80]);
  });

  test("connections of an object: CONNACK 0x97, 3.1.1 return code 3; one that is taken over makes room for itself", () => {
    const world = new World({ limits: { connectionsMax: 2 } });
    world.connect("a");
    const b = world.connect("b");
    for (const [version, reasonCode] of [
      [5, 0x97],
      [4, 3],
    ] as const) {
      const refused = world.connect("c", { version });
      expect([refused.connack.reasonCode, refused.closed !== undefined]).toEqual([reasonCode, true]);
    }
    expect(world.connect("b").connack.reasonCode).toBe(0);
    expect(b.closed).toBeDefined();
    world.connect("b").lose();
    expect(world.connect("c").connack.reasonCode).toBe(0);
  });

  test("sessions that wait for their clients: CONNACK 0x97, 3.1.1 return code 3; a clean one and one that is known are let in", () => {
    const world = new World({ limits: { sessionsMax: 1 } });
    const durable = { clean: false, properties: { sessionExpiryInterval: 100 } } as const;
    world.connect("a", { version: 5, ...durable }).lose();
    expect(world.connect("b", { version: 5, ...durable }).connack.reasonCode).toBe(0x97);
    expect(world.connect("c", { version: 4, clean: false }).connack.reasonCode).toBe(3);
    expect(world.connect("d", { version: 4 }).connack.reasonCode).toBe(0);
    expect(world.connect("a", { version: 5, ...durable }).connack.reasonCode).toBe(0);
  });

  test("one that ended with its connection is no reason to keep the next of its client", () => {
    const world = new World({ limits: { sessionsMax: 1 } });
    const durable = { clean: false, properties: { sessionExpiryInterval: 100 } } as const;
    world.connect("a", { version: 5, ...durable }).lose();
    const b = world.connect("b", { version: 5 });
    const c = world.connect("c", { version: 4 });
    expect(world.connect("b", { version: 5, ...durable }).connack.reasonCode).toBe(0x97);
    expect(world.connect("c", { version: 4, clean: false }).connack.reasonCode).toBe(3);
    expect([b.closed, c.closed]).toEqual([undefined, undefined]);
    // One that is kept is known, whether its client is there or not, and whether it goes on or begins anew.
    const a = world.connect("a", { version: 5, ...durable });
    expect(world.connect("a", { version: 5, ...durable }).connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
    expect(a.closed).toBeDefined();
    expect(world.connect("b", { version: 5, ...durable }).connack.reasonCode).toBe(0);
    world.connect("a", { version: 5, ...durable }).lose();
    expect(world.connect("a", { version: 5, ...durable, clean: true }).connack).toMatchObject({ reasonCode: 0, sessionPresent: false });
  });

  test("a Client Identifier's bytes: CONNACK 0x85, 3.x return code 2", () => {
    const world = new World({ limits: { clientIdBytesMax: 24, clientIdBytesMaxV31: 23 } });
    const code = (version: 3 | 4 | 5, clientId: string): number => world.connect(clientId, { version }).connack.reasonCode;
    expect([code(5, "ä".repeat(12)), code(5, `${"ä".repeat(12)}x`), code(4, "x".repeat(24)), code(4, "x".repeat(25))]).toEqual([
      0, 0x85, 0, 2,
    ]);
    expect([code(3, "x".repeat(23)), code(3, "x".repeat(24))]).toEqual([0, 2]);
  });

  test("[MQTT5-3.3.2-12] [MQTT5-3.3.2-9] [MQTT5-3.2.2-17] the highest Topic Alias works, the next is 0x94", () => {
    const world = new World({ limits: { topicAliasMaximum: 5 } });
    const listener = world.connect("l");
    listener.subscribe("t");
    listener.take();
    const client = world.connect("c");
    expect(client.connack.properties.topicAliasMaximum).toBe(5);
    client.publish("t", "1", { properties: { topicAlias: 5 } });
    client.publish("", "2", { properties: { topicAlias: 5 } });
    expect(listener.texts()).toEqual(["1", "2"]);
    client.take();
    client.publish("t", "3", { properties: { topicAlias: 6 } });
    expect(plain(client.take())).toMatchObject([{ type: 14, reasonCode: 0x94 }]);
    expect(listener.texts()).toEqual([]);
  });

  test("messages in a session's queue: the oldest is dropped, and counted", () => {
    const world = new World({ limits: { queueMessagesMax: 3 } });
    const client = world.connect("c", DURABLE);
    client.subscribe("t", 1);
    client.lose();
    const publisher = world.connect("p");
    for (const text of ["1", "2", "3"]) publisher.publish("t", text, { qos: 1 });
    const { counters } = world.sessions[0]!.core;
    expect(counters.messagesDropped.queue_full).toBe(0);
    publisher.publish("t", "4", { qos: 1 });
    expect(counters.messagesDropped.queue_full).toBe(1);
    expect(world.connect("c", DURABLE).texts()).toEqual(["2", "3", "4"]);
  });

  test("bytes in a session's queue", () => {
    const world = new World({ limits: { packetBytesMax: 128, queueBytesMax: 200 } });
    const client = world.connect("c", DURABLE);
    client.subscribe("t", 1);
    client.lose();
    const publisher = world.connect("p");
    for (const text of ["a", "b"]) publisher.publish("t", text.repeat(99), { qos: 1 });
    expect(world.sessions[0]!.core.counters.messagesDropped.queue_full).toBe(0);
    publisher.publish("t", "", { qos: 1 });
    expect(world.sessions[0]!.core.counters.messagesDropped.queue_full).toBe(1);
    expect(world.connect("c", DURABLE).texts()).toEqual(["b".repeat(99), ""]);
  });

  test("in flight: the next message waits", () => {
    const world = new World({ limits: { inflightMax: 2 } });
    const client = world.connect("c");
    client.subscribe("t", 1);
    const publisher = world.connect("p");
    for (const text of ["1", "2", "3"]) publisher.publish("t", text, { qos: 1 });
    expect(client.texts()).toEqual(["1", "2"]);
  });

  test("[5.0/3.2.2.3.2/override] Session Expiry: the client is told and held to it", () => {
    const world = new World({ limits: { sessionExpirySecondsMax: 100, sessionExpirySecondsV3: 100 } });
    expect(world.connect("c", { properties: { sessionExpiryInterval: 101 } }).connack.properties.sessionExpiryInterval).toBe(100);
    expect(world.sessions[0]!.core.sessions.get("c")!.expirySeconds).toBe(100);
  });

  test("Keep Alive: the client is told by Server Keep Alive and held to it", () => {
    const world = new World({ limits: { keepAliveSecondsMax: 60 } });
    const client = world.connect("c", { keepAliveSeconds: 61 });
    expect(client.connack.properties.serverKeepAlive).toBe(60);
    expect(world.connect("d", { keepAliveSeconds: 60 }).connack.properties.serverKeepAlive).toBeUndefined();
    world.advance(90_000);
    expect(client.closed).toBeDefined();
  });

  test("retained messages of a Topic object: 0x97 in 5.0, acknowledged in 3.x, delivered all the same", () => {
    const world = new World({ limits: { retainedMessagesMax: 1 } });
    const listener = world.connect("l");
    listener.subscribe("r/+");
    listener.take();
    const client = world.connect("c");
    client.take();
    client.publish("r/1", "1", { qos: 1, retain: true });
    client.publish("r/2", "2", { qos: 1, retain: true });
    expect(plain(client.take()).map(({ reasonCode }) => reasonCode)).toEqual([0, 0x97]);
    expect(listener.texts()).toEqual(["1", "2"]);
    const late = world.connect("late");
    late.subscribe("r/+");
    expect(late.texts()).toEqual(["1"]);
    // 3.x has no word for it, and a repeat would not help.
    const old = world.connect("old", { version: 4 });
    old.take();
    old.publish("r/3", "3", { qos: 1, retain: true });
    expect([plain(old.take()).map(({ type }) => type), old.closed]).toEqual([[4], undefined]);
  });

  test("an attachment: however much a session holds, what is attached fits", () => {
    const limits = { inflightMax: 2000, receiveMaximum: 2000, clientIdBytesMax: 1024 };
    const world = new World({ limits, auto: false });
    const client = world.connect("x".repeat(1024), { ...DURABLE });
    client.subscribe("t", 1);
    world.settle();
    const publisher = world.connect("p");
    for (let count = 0; count < 2000; count += 1) {
      publisher.publish("t", "x", { qos: 1 });
      client.publish("u", "x", { qos: 2, packetId: count + 1 });
    }
    world.settle();
    expect(client.wire.attachment!.length).toBeLessThanOrEqual(ATTACHMENT_BYTES_MAX);
    expect(decodeAttachment(client.wire.attachment!).clientId).toBe("x".repeat(1024));
    world.sessions[0]!.hibernate();
    const { session } = client.connection;
    expect([session.inflight, session.received.size]).toEqual([2000, 2000]);
  });
});
