/** Clients that do not read: what they are sent is bounded, those who read notice nothing, and who never answers is disconnected. */

import { describe, expect, test } from "vitest";
import { INFLIGHT_BYTES_MAX } from "../../src/limits.ts";
import { UNREAD_ASK_MS, UNREAD_BYTES_FULL, UNREAD_BYTES_LEAST, UNREAD_MS_MAX } from "../../src/memory-limits.ts";
import { DISCONNECT, type Packet, PINGREQ, PUBLISH, PUBREL } from "../../src/mqtt/packet.ts";
import { QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import type { TestClient } from "../support/core-client.ts";
import { World } from "../support/core-harness.ts";
import { miscounted, recountSessions } from "../support/recount.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

function worldOf(limits: ConstructorParameters<typeof World>[0] = {}): { world: World; publisher: TestClient } {
  const world = new World(limits);
  return { world, publisher: world.connect("publisher") };
}

const bytesOf = (packets: readonly Packet[]): number =>
  packets.reduce((bytes, packet) => bytes + (packet.type === PUBLISH ? packet.payload.length : 0), 0);

/** Answers what it is asked, and everything else that wants an answer. */
function answer(client: TestClient): Packet[] {
  const packets = client.take();
  for (const packet of packets) {
    if (packet.type === PUBREL) client.pubcomp(packet.packetId);
    if (packet.type === PUBLISH && packet.qos === 1) client.puback(packet.packetId);
  }
  return packets;
}

function questionsIn(packets: readonly Packet[]): number {
  return packets.filter(({ type }) => type === PUBREL).length;
}

describe.each([3, 4, 5] as const)("a client of version %i", (version) => {
  test("that reads gets every message, however silent it is otherwise", () => {
    const { world, publisher } = worldOf({ limits: { unheardBytesMax: 1 * MIB } });
    const client = world.connect("client", { version });
    client.subscribe("t");
    const got: Packet[] = [];
    for (let count = 0; count < 100; count += 1) {
      for (let burst = 0; burst < 2; burst += 1) publisher.publish("t", new Uint8Array(100 * KIB));
      got.push(...answer(client));
    }
    expect(bytesOf(got)).toBe(200 * 100 * KIB);
    expect(questionsIn(got)).toBeGreaterThan(0);
    expect(client.closed).toBeUndefined();
    expect(world.sessions[0]!.core.counters.messagesDropped.unread).toBe(0);
  });

  test("that does not read is sent no more than the bound at QoS 0, ping as it may, and ended with 0x97 at its time", () => {
    const { world, publisher } = worldOf({ limits: { unheardBytesMax: 1 * MIB } });
    const client = world.connect("client", { version });
    client.subscribe("t");
    client.take();
    for (let count = 0; count < 100; count += 1) {
      publisher.publish("t", new Uint8Array(100 * KIB));
      client.send({ type: PINGREQ });
    }
    const { core } = world.sessions[0]!;
    expect(bytesOf(client.take())).toBeLessThanOrEqual(1.1 * MIB);
    expect(core.counters.messagesDropped.unread).toBeGreaterThan(80);
    world.advance(UNREAD_MS_MAX - 1);
    expect(client.closed).toBeUndefined();
    world.advance(1);
    expect(client.closed?.code).toBe(1013);
    expect(client.take()).toMatchObject(version === 5 ? [{ type: DISCONNECT, reasonCode: QUOTA_EXCEEDED }] : []);
    // What waits in its socket is there until that is gone.
    expect(core.ledger.bytes.unsent).toBeGreaterThan(1 * MIB);
    expect(miscounted(core.ledger, recountSessions(core))).toEqual([]);
    client.lose();
    expect(core.ledger.bytes.unsent).toBeLessThan(1 * KIB);
  });
});

test("a slow client gets what comes after it has caught up", () => {
  const { world, publisher } = worldOf({ limits: { unheardBytesMax: 1 * MIB } });
  const client = world.connect("client");
  client.subscribe("t");
  for (let count = 0; count < 30; count += 1) publisher.publish("t", new Uint8Array(100 * KIB));
  world.advance(UNREAD_MS_MAX / 2);
  answer(client);
  publisher.publish("t", "after");
  expect(bytesOf(answer(client))).toBe("after".length);
  // Its first answer was due now.
  world.advance(UNREAD_MS_MAX);
  expect(client.closed).toBeUndefined();
});

test("messages of QoS 1 wait where QoS 0 ones are unread, and come when these are read", () => {
  const { world, publisher } = worldOf({ limits: { unheardBytesMax: 1 * MIB } });
  const client = world.connect("client");
  client.subscribe("t", 1);
  for (let count = 0; count < 30; count += 1) publisher.publish("t", new Uint8Array(100 * KIB));
  publisher.publish("t", "waits", { qos: 1 });
  expect(client.connection.session.queued.length).toBe(1);
  const first = answer(client);
  expect(questionsIn(first)).toBeGreaterThan(0);
  expect(client.texts()).toEqual(["waits"]);
});

test("what waits for a client when its object loses its memory goes on in the next life, which has asked it nothing", () => {
  const { world, publisher } = worldOf({ limits: { unheardBytesMax: 1 * MIB } });
  const client = world.connect("client", { clean: false, properties: { sessionExpiryInterval: 100 } });
  client.subscribe("t", 1);
  for (let count = 0; count < 30; count += 1) publisher.publish("t", new Uint8Array(100 * KIB));
  publisher.publish("t", "waits", { qos: 1 });
  const before = client.take();
  expect(before.some((packet) => packet.type === PUBLISH && packet.qos === 1)).toBe(false);
  world.sessions[0]!.hibernate();
  for (const packet of before) if (packet.type === PUBREL) client.pubcomp(packet.packetId);
  publisher.publish("t", "after", { qos: 1 });
  expect(answer(client).map((packet) => packet.type === PUBLISH && new TextDecoder().decode(packet.payload))).toEqual(["waits", "after"]);
});

test("what was in flight when its object slept counts against what may be in flight in the next life", () => {
  const { world, publisher } = worldOf();
  const client = world.connect("client", { clean: false, properties: { sessionExpiryInterval: 100 } });
  client.subscribe("t", 1);
  const size = 200 * KIB;
  const most = Math.ceil(INFLIGHT_BYTES_MAX / size);
  for (let count = 0; count < most + 3; count += 1) publisher.publish("t", new Uint8Array(size), { qos: 1 });
  const sent = client.messages();
  expect(sent.length).toBe(most);
  world.sessions[0]!.hibernate();
  expect(client.messages()).toEqual([]);
  for (const { packetId } of sent) client.puback(packetId);
  expect(client.messages().length).toBe(3);
});

test("acknowledged messages show as much: who acknowledges is asked nothing", () => {
  const { world, publisher } = worldOf({ limits: { unheardBytesMax: 1 * MIB } });
  const client = world.connect("client");
  client.subscribe("t", 1);
  const got: Packet[] = [];
  for (let count = 0; count < 100; count += 1) {
    publisher.publish("t", new Uint8Array(100 * KIB), { qos: count % 2 === 0 ? 1 : 0 });
    got.push(...answer(client));
  }
  expect(bytesOf(got)).toBe(100 * 100 * KIB);
  expect(questionsIn(got)).toBe(0);
});

test("a guessed answer is none: the client is asked again under another name", () => {
  const { world, publisher } = worldOf({ limits: { unheardBytesMax: 1 * MIB } });
  const client = world.connect("client");
  client.subscribe("t");
  for (let count = 0; count < 30; count += 1) publisher.publish("t", new Uint8Array(100 * KIB));
  const { unreadBytes, questions } = client.connection.reading;
  const [first] = questions;
  for (let packetId = 1; packetId < 100; packetId += 1)
    if (!questions.some((question) => question.packetId === packetId)) client.pubcomp(packetId);
  expect(questions.length).toBe(1);
  expect(questions[0]).toMatchObject({ at: first!.at });
  expect(questions[0]!.packetId).not.toBe(first!.packetId);
  expect(client.connection.reading.unreadBytes).toBeGreaterThanOrEqual(unreadBytes);
});

test("what the client's own packets make the broker say is bounded as well", () => {
  const { world } = worldOf({ limits: { unheardBytesMax: 64 * KIB } });
  const client = world.connect("client");
  for (let count = 0; count < 100_000 && client.closed === undefined; count += 1) client.send({ type: PINGREQ });
  expect(client.take().at(-1)).toMatchObject({ type: DISCONNECT, reasonCode: QUOTA_EXCEEDED });
});

test("0 = not looked at", () => {
  const { world, publisher } = worldOf({ limits: { unheardBytesMax: 0 } });
  const client = world.connect("client");
  client.subscribe("t");
  for (let count = 0; count < 300; count += 1) publisher.publish("t", new Uint8Array(100 * KIB));
  const packets = client.take();
  expect([bytesOf(packets), questionsIn(packets)]).toEqual([300 * 100 * KIB, 0]);
});

test("however many do not read, all together they have half the budget, and each of them a little", () => {
  const { world, publisher } = worldOf({ limits: { objectBytesMax: 16 * MIB } });
  const { core } = world.sessions[0]!;
  const silent = [...Array(100).keys()].map((number) => world.connect(`silent-${number}`));
  for (const client of silent) client.subscribe("t");
  for (let count = 0; count < 40; count += 1) publisher.publish("t", new Uint8Array(50 * KIB));
  expect(core.ledger.bytes.unsent).toBeLessThan(16 * MIB * 0.5 + silent.length * (UNREAD_BYTES_LEAST + 51 * KIB));
  expect(core.ledger.bytes.unsent).toBeGreaterThan(16 * MIB * 0.4);
  core.ledger.add("outboxes", 16 * MIB);
  const late = world.connect.bind(world);
  expect(late("late").connack.reasonCode).toBe(QUOTA_EXCEEDED);
  core.ledger.add("outboxes", -16 * MIB);
  const client = world.connect("another");
  client.subscribe("u");
  client.take();
  core.ledger.add("outboxes", 16 * MIB);
  for (let count = 0; count < 40; count += 1) publisher.publish("u", new Uint8Array(1 * KIB));
  expect(bytesOf(client.take())).toBeLessThanOrEqual(UNREAD_BYTES_FULL + 1 * KIB);
});

test("those who have read long ago are asked when much is unread in all, so that nobody is refused for nothing", () => {
  const { world, publisher } = worldOf({ limits: { objectBytesMax: 8 * MIB } });
  const { core } = world.sessions[0]!;
  const clients = [...Array(100).keys()].map((number) => world.connect(`client-${number}`));
  for (const [number, client] of clients.entries()) client.subscribe(`t/${number}`);
  for (let round = 0; round < 10; round += 1) {
    for (const [number] of clients.entries()) publisher.publish(`t/${number}`, new Uint8Array(10 * KIB));
    world.advance(UNREAD_ASK_MS);
    for (const client of clients) answer(client);
  }
  world.advance(UNREAD_ASK_MS);
  for (const client of clients) answer(client);
  expect(core.ledger.bytes.unsent).toBeLessThan(8 * MIB * 0.3);
  expect(core.counters.messagesDropped.unread).toBe(0);
  expect(clients.every(({ closed }) => closed === undefined)).toBe(true);
});
