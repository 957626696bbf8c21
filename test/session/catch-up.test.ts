/** Publishers of slow subscribers wait for them, within bounds, and nobody else does. */

import { describe, expect, test } from "vitest";
import { SLOW_MS_MAX } from "../../src/limits.ts";
import { PUBACK, PUBREC } from "../../src/mqtt/packet.ts";
import { type TestClient, World } from "../support/core-harness.ts";

/** A subscriber of `t` whose window is one message and in whose queue four fit, a publisher, and another one. */
function slow(more: ConstructorParameters<typeof World>[0] = {}, properties = {}) {
  const world = new World({ ...more, limits: { inflightMax: 1, queueMessagesMax: 4, ...more.limits } });
  const client = world.connect("slow", { properties });
  client.subscribe("t", 2);
  const publisher = world.connect("publisher");
  const other = world.connect("other");
  for (const each of [client, publisher, other]) each.take();
  return { world, client, publisher, other, session: client.connection.session };
}

function publishMany(publisher: TestClient, count: number, qos: 1 | 2 = 1): void {
  for (let number = 1; number <= count; number += 1) publisher.publish("t", String(number), { qos });
}

/** The Packet Identifiers that a publisher has heard of since the last call. */
function answered(publisher: TestClient): number[] {
  return publisher.take().flatMap((packet) => (packet.type === PUBACK || packet.type === PUBREC ? [packet.packetId] : []));
}

describe.each([1, 2] as const)("QoS %i", (qos) => {
  test("what is above half of the queue is acknowledged one by one as the client takes what is before it", () => {
    const { client, publisher, session } = slow();
    publishMany(publisher, 8, qos);
    // One is in flight, two fill half of the queue.
    expect(answered(publisher)).toEqual([1, 2, 3]);
    expect(session.waiting).toBe(7);
    const got: string[] = [];
    const heard: number[][] = [];
    for (let fresh = client.messages(); fresh.length > 0; fresh = client.messages()) {
      for (const { packetId, payload } of fresh) {
        got.push(new TextDecoder().decode(payload));
        if (qos === 1) client.puback(packetId);
        else {
          client.pubrec(packetId);
          client.pubcomp(packetId);
        }
      }
      heard.push(answered(publisher));
    }
    expect(got).toEqual(["1", "2", "3", "4", "5", "6", "7", "8"]);
    expect(heard).toEqual([[4], [5], [6], [7], [8], [], [], []]);
  });
});

test("a client that acknowledges nothing is waited for once; then its oldest messages go, until it acknowledges something", () => {
  const { world, client, publisher, session } = slow();
  publishMany(publisher, 8);
  answered(publisher);
  world.advance(SLOW_MS_MAX - 1);
  expect([answered(publisher), session.waiting]).toEqual([[], 7]);
  world.advance(1);
  expect([answered(publisher), session.waiting]).toEqual([[4, 5, 6, 7, 8], 4]);
  publishMany(publisher, 3);
  expect([answered(publisher), session.waiting, session.stuck]).toEqual([[9, 10, 11], 4, true]);
  client.puback(1);
  publishMany(publisher, 2);
  expect([answered(publisher), session.waiting, session.stuck]).toEqual([[], 5, false]);
});

test("a client that acknowledges too slowly is waited for as long for each message", () => {
  const { world, client, publisher } = slow();
  publishMany(publisher, 4);
  answered(publisher);
  world.advance(SLOW_MS_MAX / 2);
  client.puback(1);
  expect(answered(publisher)).toEqual([4]);
  publishMany(publisher, 1);
  expect(answered(publisher)).toEqual([]);
  world.advance(SLOW_MS_MAX / 2);
  expect(answered(publisher)).toEqual([]);
  world.advance(SLOW_MS_MAX / 2);
  expect(answered(publisher)).toEqual([5]);
});

test("nobody waits for a client that is away, and what waited is told when it goes", () => {
  const { world, client, publisher, session } = slow({}, { sessionExpiryInterval: 100 });
  publishMany(publisher, 8);
  answered(publisher);
  client.lose();
  expect([answered(publisher), session.waiting]).toEqual([[4, 5, 6, 7, 8], 4]);
  publishMany(publisher, 2);
  expect([answered(publisher), session.waiting, world.sessions[0]!.core.slowing.sessions.size]).toEqual([[9, 10], 4, 0]);
});

test("what waited for a session is told when it ends", () => {
  const { world, client, publisher } = slow();
  publishMany(publisher, 8);
  answered(publisher);
  client.lose();
  expect([answered(publisher), world.sessions[0]!.core.slowing.sessions.size, world.sessions[0]!.core.deadlines.size]).toEqual([
    [4, 5, 6, 7, 8],
    0,
    0,
  ]);
});

test("other publishers, and the other messages of a publisher whose turn it is, wait for nobody", () => {
  const { publisher, other } = slow();
  publishMany(publisher, 8);
  answered(publisher);
  other.publish("elsewhere", "x", { qos: 1 });
  expect(answered(other)).toEqual([1]);
  // Acknowledgements come in the order of the messages [MQTT5-4.6.0-2].
  publisher.publish("elsewhere", "x", { qos: 1 });
  expect(answered(publisher)).toEqual([]);
});

test("a client does not wait for itself", () => {
  const world = new World({ limits: { inflightMax: 1, queueMessagesMax: 4 } });
  const client = world.connect("both");
  client.subscribe("t", 1);
  client.take();
  publishMany(client, 6);
  expect(answered(client)).toEqual([2, 3, 4, 5, 6, 7]);
});

test("two that publish to each other before they read wait for each other once", () => {
  const world = new World({ limits: { inflightMax: 1, queueMessagesMax: 4 } });
  const both = ["a", "b"].map((id) => world.connect(id));
  for (const [index, client] of both.entries()) {
    client.subscribe(`to/${index}`, 1);
    client.take();
  }
  for (let number = 0; number < 6; number += 1)
    for (const [index, client] of both.entries()) client.publish(`to/${1 - index}`, "x", { qos: 1 });
  for (const client of both) expect(answered(client)).toEqual([2, 3, 4]);
  world.advance(SLOW_MS_MAX);
  for (const client of both) expect(answered(client)).toEqual([5, 6, 7]);
});

test("a message for two slow clients waits for both", () => {
  const { world, client, publisher } = slow();
  const second = world.connect("second");
  second.subscribe("t", 1);
  second.take();
  publishMany(publisher, 4);
  expect(answered(publisher)).toEqual([1, 2, 3]);
  client.puback(1);
  expect(answered(publisher)).toEqual([]);
  second.puback(1);
  expect(answered(publisher)).toEqual([4]);
});

test("no more outcomes wait for one client than a publisher may have open", () => {
  const { publisher, session } = slow({ limits: { receiveMaximum: 3 } });
  const all = [publisher, ...["p2", "p3"].map((id) => publisher.node.world.connect(id))];
  for (const each of all) publishMany(each, 3);
  // Beyond them the oldest message goes.
  expect([session.holds?.length, session.waiting]).toEqual([3, 7]);
});

test("the bytes of a queue slow its publishers down as well", () => {
  const { client, publisher, session } = slow({ limits: { queueMessagesMax: 1000, queueBytesMax: 1000, packetBytesMax: 500 } });
  for (const text of ["a", "b", "c", "d"]) publisher.publish("t", text.repeat(300), { qos: 1 });
  expect([answered(publisher), session.waiting]).toEqual([[1, 2], 3]);
  client.take();
  client.puback(1);
  expect(answered(publisher)).toEqual([]);
  client.puback(2);
  expect(answered(publisher)).toEqual([3, 4]);
});

test("QUEUE_POLICY=reject_new: publishers are slowed down, and a full queue takes nothing", () => {
  const { world, publisher, session } = slow({ choices: { queuePolicy: "reject_new" } });
  publishMany(publisher, 6);
  expect([answered(publisher), session.waiting]).toEqual([[1, 2, 3], 4]);
  world.advance(SLOW_MS_MAX);
  expect(answered(publisher)).toEqual([4, 5, 6]);
});

test("a reset leaves nobody waiting", () => {
  const { world, client, publisher } = slow({}, { sessionExpiryInterval: 100 });
  publishMany(publisher, 8);
  world.sessions[0]!.crash();
  const { session } = world.connect("slow", { clean: false, properties: { sessionExpiryInterval: 100 } }).connection;
  expect([client.closed?.code, session.outstanding - session.inflight, session.holds]).toEqual([1006, 7, undefined]);
});
