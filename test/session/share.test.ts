/** Shared subscriptions: one member for each message, wherever members are, and what happens when they go. */

import { describe, expect, test, vi } from "vitest";
import { SHARED_STRATEGIES } from "../../src/choices.ts";
import { OUTBOX_BYTES_MAX, RETRY_MS_TOTAL } from "../../src/limits.ts";
import { NO_PROPERTIES, PUBACK, PUBCOMP, PUBREC, type QoS } from "../../src/mqtt/packet.ts";
import { ANY_QUEUE } from "../../src/mqtt/share-target.ts";
import { CHUNK_BYTES } from "../../src/storage-limits.ts";
import { BYTES_WORK, DELIVERY_WORK, MATCH_WORK, SHARED_WORK } from "../../src/work-limits.ts";
import { type SessionNode, type TestClient, type TopicNode, World } from "../support/core-harness.ts";
import { deliveriesOf } from "../support/deliveries.ts";
import { messageTo, plain } from "./support.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };
const FILTER = "$share/workers/jobs/+";

function members(world: World, count: number, options: Parameters<World["connect"]>[1] = {}, qos: 0 | 1 | 2 = 1): TestClient[] {
  return [...Array(count).keys()].map((number) => {
    const client = world.connect(`m${number}`, { ...options, at: number % world.sessions.length });
    client.subscribe(FILTER, qos);
    client.take();
    return client;
  });
}

describe.each([
  ["in one object", { wiring: "direct", sessionObjects: 1 }],
  ["over three objects", { wiring: "batched", sessionObjects: 3, topicObjects: 2 }],
] as const)("%s", (_name, options) => {
  test.each(SHARED_STRATEGIES)("[5.0/4.8.2/one] every message reaches exactly one member: %s", (sharedStrategy) => {
    const world = new World({ ...options, choices: { sharedStrategy } });
    const clients = members(world, 6);
    const publisher = world.connect("p");
    const texts = [...Array(60).keys()].map(String);
    for (const text of texts) publisher.publish(`jobs/${text}`, text, { qos: 1 });
    const got = clients.map((client) => {
      const all: string[] = [];
      for (let fresh = client.messages(); fresh.length > 0; fresh = client.messages()) {
        for (const { payload, packetId } of fresh) {
          all.push(new TextDecoder().decode(payload));
          client.puback(packetId);
        }
      }
      return all;
    });
    expect(got.flat().sort()).toEqual([...texts].sort());
    const busy = got.filter(({ length }) => length > 0).length;
    if (sharedStrategy === "sticky" || sharedStrategy === "hash_client") expect(busy).toBeLessThanOrEqual(world.topics.length);
    else expect(busy).toBe(6);
    if (sharedStrategy === "round_robin") expect(got.map(({ length }) => length)).toEqual([10, 10, 10, 10, 10, 10]);
  });

  test("[5.0/4.8.2/one] groups of other names and filters, and normal subscriptions, get their own copies", () => {
    const world = new World(options);
    const [member] = members(world, 1);
    const other = world.connect("other");
    other.subscribe("$share/others/jobs/+");
    other.take();
    // [5.0/4.8.2/plus-normal]
    member!.subscribe("jobs/#", 0);
    member!.take();
    world.connect("p").publish("jobs/1", "x", { qos: 1 });
    expect(other.texts()).toEqual(["x"]);
    expect(
      member!
        .messages()
        .map(({ qos }) => qos)
        .sort(),
    ).toEqual([0, 1]);
  });

  test("[MQTT5-4.8.2-3] [5.0/3.3.4/shared-id] the member's own QoS and identifier count", () => {
    const world = new World(options);
    const client = world.connect("m");
    client.subscribe(FILTER, 1, { identifier: 7 });
    client.take();
    world.connect("p").publish("jobs/1", "x", { qos: 2 });
    expect(client.messages().map(({ qos, properties }) => [qos, properties.subscriptionIdentifiers])).toEqual([[1, [7]]]);
  });

  test("[5.0/4.8.2/no-retained] a shared subscription gets no retained messages", () => {
    const world = new World(options);
    world.connect("p").publish("jobs/1", "x", { retain: true });
    const client = world.connect("m");
    client.subscribe(FILTER, 1);
    client.subscribe(FILTER, 1);
    expect(client.messages()).toEqual([]);
  });

  test("[MQTT5-3.8.3-4] No Local on a shared subscription: 0x82", () => {
    const client = new World(options).connect("m");
    client.take();
    client.subscribe(FILTER, 1, { noLocal: true });
    expect(plain(client.take())).toMatchObject([{ type: 14, reasonCode: 0x82 }]);
  });

  test("[5.0/3.10.4/share] [5.0/4.8.2/resub] leaving needs the whole filter, once, however often it was subscribed", () => {
    const world = new World(options);
    const client = world.connect("m");
    client.subscribe(FILTER, 1);
    client.subscribe(FILTER, 0);
    client.take();
    client.unsubscribe("jobs/+", FILTER, FILTER);
    expect(plain(client.take()).map(({ reasonCodes }) => reasonCodes)).toEqual([[0x11, 0, 0x11]]);
    world.connect("p").publish("jobs/1", "x");
    expect(client.messages()).toEqual([]);
    expect(world.topics.flatMap(({ store }) => store.routes())).toEqual([]);
  });

  test("connected members go first; without one, an offline member keeps what it was given", () => {
    const world = new World(options);
    const clients = members(world, 3, DURABLE);
    const publisher = world.connect("p");
    clients[0]!.lose();
    clients[1]!.lose();
    for (const text of ["1", "2", "3"]) publisher.publish("jobs/1", text, { qos: 1 });
    expect(clients[2]!.texts()).toEqual(["1", "2", "3"]);
    clients[2]!.lose();
    for (const text of ["4", "5", "6"]) publisher.publish("jobs/1", text, { qos: 1 });
    const again = [0, 1, 2].map((number) => world.connect(`m${number}`, { ...DURABLE, at: number % world.sessions.length }));
    const fresh = again
      .flatMap((client) => client.messages().filter(({ dup }) => !dup))
      .map(({ payload }) => new TextDecoder().decode(payload));
    expect(fresh.sort()).toEqual(["4", "5", "6"]);
  });

  test("[5.0/4.8.2/qos1-handover] [MQTT5-4.8.2-5] what a member did not acknowledge before its session ended goes to another, begun QoS 2 to nobody", () => {
    const world = new World({ ...options, limits: { inflightMax: 2 } });
    const [first] = members(world, 1, {}, 2);
    const publisher = world.connect("p");
    for (const [text, qos] of [
      ["one", 1],
      ["two", 2],
      ["queued one", 1],
      ["queued two", 2],
    ] as const) {
      publisher.publish("jobs/1", text, { qos });
    }
    expect(first!.texts()).toEqual(["one", "two"]);
    const second = world.connect("second", { at: world.sessions.length - 1 });
    second.subscribe(FILTER, 2);
    first!.lose();
    const got: string[] = [];
    for (let fresh = second.messages(); fresh.length > 0; fresh = second.messages()) {
      for (const { payload, qos, packetId } of fresh) {
        got.push(new TextDecoder().decode(payload));
        if (qos === 1) second.puback(packetId);
        else {
          second.pubrec(packetId);
          second.pubcomp(packetId);
        }
      }
    }
    // In one object what is queued has gone to it before the session ended.
    expect(got.sort()).toEqual(["one", "queued one", "queued two"]);
  });

  test("[MQTT5-4.8.2-6] a member that refuses a message has had it", () => {
    const world = new World(options);
    const clients = members(world, 2);
    world.connect("p").publish("jobs/1", "x", { qos: 1 });
    const taker = clients.find((client) => client.messages().length > 0)!;
    taker.puback(1, 0x80);
    taker.lose();
    expect(clients.flatMap((client) => client.messages())).toEqual([]);
  });

  test("[MQTT5-4.8.2-4] a QoS 2 message that was begun is finished with its member when that one comes back", () => {
    const world = new World(options);
    const clients = members(world, 2, DURABLE, 2);
    world.connect("p").publish("jobs/1", "x", { qos: 2 });
    const got = clients.map((client) => client.messages());
    const taker = got.findIndex(({ length }) => length > 0);
    clients[taker]!.lose();
    const again = world.connect(`m${taker}`, DURABLE);
    expect(again.messages().map(({ dup, packetId }) => [dup, packetId])).toEqual([[true, got[taker]![0]!.packetId]]);
    expect([got[1 - taker], clients[1 - taker]!.messages()]).toEqual([[], []]);
  });

  test("[5.0/4.8.2/end] with the last member's session the subscription is gone", () => {
    const world = new World(options);
    const [client] = members(world, 1, DURABLE);
    client!.lose();
    expect(world.topics.flatMap(({ store }) => store.routes()).length).toBeGreaterThan(0);
    world.advance(3_600_000);
    expect(world.topics.flatMap(({ store }) => store.routes())).toEqual([]);
    expect(world.sessions[0]!.core.shares.size).toBe(0);
  });

  test("restarts of any object lose no member that has rows", () => {
    const world = new World(options);
    members(world, 2, DURABLE);
    for (const topic of world.topics) topic.crash();
    for (const node of world.sessions) node.crash();
    world.connect("p").publish("jobs/1", "x", { qos: 1 });
    const again = [0, 1].map((number) => world.connect(`m${number}`, { ...DURABLE, at: number % world.sessions.length }));
    expect(again.flatMap((client) => client.texts())).toEqual(["x"]);
  });
});

test.each([0, 2] as const)(
  "after a restart that cost a member its connection, messages at QoS %d go to one elsewhere that is connected",
  (qos) => {
    const world = new World({ wiring: "batched", sessionObjects: 2, topicObjects: 1 });
    const [, connected] = members(world, 2, DURABLE, qos);
    world.sessions[0]!.crash();
    const publisher = world.connect("p", { at: 1 });
    // By the first one that comes to the other object the Topic object finds out.
    for (let number = 0; number < 20; number += 1) publisher.publish("jobs/1", String(number), { qos });
    expect(connected!.messages().length).toBeGreaterThanOrEqual(19);
    expect(world.topics[0]!.store.routes().map(({ sessionObject, online }) => [sessionObject, online])).toEqual([
      [world.sessions[0]!.name, 0],
      [world.sessions[1]!.name, 1],
    ]);
  },
);

/** Members that acknowledge nothing and one that acknowledges at once. */
function stuckAnd(world: World, stuck: number) {
  const clients = members(world, stuck + 1, {}, 2);
  const well = clients.at(-1)!;
  const got: string[] = [];
  const take = (): void => {
    for (let fresh = well.messages(); fresh.length > 0; fresh = well.messages()) {
      for (const { payload, packetId, qos } of fresh) {
        got.push(new TextDecoder().decode(payload));
        if (qos === 1) well.puback(packetId);
        else {
          well.pubrec(packetId);
          well.pubcomp(packetId);
        }
      }
    }
  };
  return { stuck: clients.slice(0, -1), got, take };
}

/** How many messages were dropped because a queue was full. */
function dropped(world: World): number {
  return world.sessions.reduce((sum, { core }) => sum + core.counters.messagesDropped.queue_full, 0);
}

describe.each([
  ["in one object", { wiring: "direct", sessionObjects: 1 }],
  ["over three objects", { wiring: "batched", sessionObjects: 3, topicObjects: 2 }],
] as const)("members that acknowledge nothing, %s", (_name, options) => {
  test.each(["round_robin", "random", "least_inflight"] as const)(
    "%s: they keep what they were sent; all else goes to the member that has room, and nothing is dropped",
    (sharedStrategy) => {
      const world = new World({ ...options, choices: { sharedStrategy }, limits: { inflightMax: 4, queueMessagesMax: 16 } });
      const { stuck, got, take } = stuckAnd(world, 2);
      const publisher = world.connect("p");
      for (let number = 0; number < 200; number += 1) {
        publisher.publish("jobs/1", String(number), { qos: 1 });
        take();
      }
      const kept = stuck.flatMap((client) => client.texts());
      expect(kept.length).toBeLessThanOrEqual(8);
      expect([...got, ...kept].sort()).toEqual([...Array(200).keys()].map(String).sort());
      // What was sent to them is another one's when their sessions end.
      for (const client of stuck) client.lose();
      take();
      expect(new Set(got).size).toBe(200);
      expect(dropped(world)).toBe(0);
    },
  );

  test.each(["sticky", "hash_client", "hash_topic"] as const)(
    "%s: the member that is meant has its window and its queue, and then others get the messages",
    (sharedStrategy) => {
      const world = new World({ ...options, choices: { sharedStrategy }, limits: { inflightMax: 4, queueMessagesMax: 16 } });
      const clients = members(world, 3, {}, 1);
      const publisher = world.connect("p");
      for (let number = 0; number < 20; number += 1) publisher.publish("jobs/1", String(number), { qos: 1 });
      const sessions = clients.map(({ connection }) => connection.session);
      const meant = sessions.filter(({ deliveries }) => deliveries.size > 0);
      expect(meant.map(({ deliveries, queued }) => [deliveries.size, queued.length])).toEqual([[20, 16]]);
      for (let number = 20; number < 40; number += 1) publisher.publish("jobs/1", String(number), { qos: 1 });
      expect(sessions.map(({ deliveries }) => deliveries.size).reduce((sum, size) => sum + size)).toBe(40);
      expect([meant[0]!.deliveries.size, dropped(world)]).toEqual([20, 0]);
    },
  );
});

describe("what waits for a member whose window is full", () => {
  const LIMITS = { inflightMax: 2, queueMessagesMax: 10 };

  /** Two members with full windows, and one of them with a queue. */
  function backlog(qos: 1 | 2, options: Parameters<World["connect"]>[1] = {}, length = 1) {
    const world = new World({ limits: LIMITS });
    const clients = members(world, 2, options, qos);
    const publisher = world.connect("p");
    for (let number = 0; number < 10; number += 1) publisher.publish("jobs/1", String(number).padEnd(length), { qos });
    const [a, b] = clients as [TestClient, TestClient];
    return { world, publisher, a, b, sessions: [a.connection.session, b.connection.session] as const };
  }

  test("waits in the shortest queue", () => {
    expect(backlog(1).sessions.map(({ queued }) => queued.length)).toEqual([3, 3]);
  });

  test("goes to another one that has taken all of its own, oldest first", () => {
    const { a, b, sessions } = backlog(1);
    const got: string[] = [];
    for (let fresh = a.messages(); fresh.length > 0; fresh = a.messages()) {
      for (const { payload, packetId } of fresh) {
        got.push(new TextDecoder().decode(payload));
        a.puback(packetId);
      }
    }
    const theirs = b.texts();
    expect([got.length, theirs.length, sessions.map(({ deliveries }) => deliveries.size)]).toEqual([8, 2, [0, 2]]);
    expect([...got, ...theirs].sort()).toEqual([...Array(10).keys()].map(String));
    expect(got.slice(-3)).toEqual([...got.slice(-3)].sort());
  });

  test("is looked for by members alone, and no longer than it waits", () => {
    const world = new World({ limits: LIMITS });
    const { core } = world.sessions[0] as SessionNode;
    const stuck = world.connect("stuck");
    for (let number = 0; number < 50; number += 1) stuck.subscribe(`$share/${number}/jobs/1`, 1);
    const [publisher, other, member] = [world.connect("p"), world.connect("other"), world.connect("member")];
    member.subscribe("$share/another/jobs/2", 1);
    other.subscribe("jobs/2", 1);
    publisher.publish("jobs/1", "x", { qos: 1 });
    expect(core.backlogs.size).toBeGreaterThan(5);
    const all = vi.spyOn(core.backlogs, Symbol.iterator);
    const acknowledge = (client: TestClient): void => {
      for (let fresh = client.messages(); fresh.length > 0; fresh = client.messages())
        for (const { packetId } of fresh) client.puback(packetId);
    };
    const before = core.work;
    publisher.publish("jobs/2", "x", { qos: 1 });
    acknowledge(other);
    acknowledge(member);
    expect(core.work - before).toBeLessThan(2);
    acknowledge(stuck);
    acknowledge(stuck);
    expect(all).not.toHaveBeenCalled();
    publisher.publish("jobs/1", "x", { qos: 1 });
    acknowledge(stuck);
    expect(core.backlogs.size).toBe(0);
  });

  test("goes to a member that comes", () => {
    const { world, sessions } = backlog(1);
    const late = world.connect("late");
    late.subscribe(FILTER, 1);
    expect([late.texts().length, sessions.map(({ queued }) => queued.length)]).toEqual([2, [1, 3]]);
  });

  test("stays with one that is away", () => {
    const { a, b, sessions } = backlog(1, DURABLE);
    b.lose();
    for (let fresh = a.messages(); fresh.length > 0; fresh = a.messages()) for (const { packetId } of fresh) a.puback(packetId);
    expect(sessions.map(({ outstanding }) => outstanding)).toEqual([0, 5]);
  });

  test("goes to another one after hibernation as well, when all of it is in rows", () => {
    const { world, a } = backlog(1, DURABLE);
    world.sessions[0]!.hibernate();
    const session = (id: string) => world.sessions[0]!.core.sessions.get(id)!;
    expect([session("m1").queued.length, session("m1").waiting > 0]).toEqual([0, true]);
    for (let fresh = a.messages(); fresh.length > 0; fresh = a.messages()) for (const { packetId } of fresh) a.puback(packetId);
    expect([session("m0").outstanding, session("m1").waiting]).toEqual([0, 0]);
  });

  test("goes to nobody who takes it at QoS 0", () => {
    const { world, sessions } = backlog(1);
    const late = world.connect("late");
    late.subscribe(FILTER, 0);
    expect([late.texts(), sessions.map(({ queued }) => queued.length)]).toEqual([[], [3, 3]]);
  });

  test("behind a message of another subscription waits for that one", () => {
    const world = new World({ limits: LIMITS });
    const [a, b] = members(world, 2, DURABLE, 1) as [TestClient, TestClient];
    b.subscribe("own", 1);
    b.take();
    const publisher = world.connect("p");
    for (let number = 0; number < 4; number += 1) publisher.publish("jobs/1", String(number), { qos: 1 });
    publisher.publish("own", "own", { qos: 1 });
    for (let number = 4; number < 8; number += 1) publisher.publish("jobs/1", String(number), { qos: 1 });
    for (let fresh = a.messages(); fresh.length > 0; fresh = a.messages()) for (const { packetId } of fresh) a.puback(packetId);
    const waiting = (): string[] => {
      const { core } = world.sessions[0]!;
      const unsent = deliveriesOf(core, core.sessions.get("m1")!).filter(({ sent }) => !sent);
      return unsent.map(({ share, message }) => `${share} ${message!.topic}`);
    };
    expect(waiting()).toEqual([" own", `${FILTER} jobs/1`]);
    // The mark in its row must not pass what still waits.
    world.sessions[0]!.hibernate();
    expect(waiting()).toEqual([" own", `${FILTER} jobs/1`]);
  });

  test.each(["hibernate", "crash"] as const)(
    "[MQTT5-4.8.2-5] at QoS 2 it is with one member alone, whatever the object forgets: %s",
    (fault) => {
      // So long that what was written once is not written again with what comes later, and shares its row with what stays.
      const { world, a } = backlog(2, DURABLE, CHUNK_BYTES / 7);
      const got: string[] = [];
      for (let round = 0; round < 4; round += 1) {
        for (const { payload, packetId } of a.messages()) {
          got.push(new TextDecoder().decode(payload));
          a.pubrec(packetId);
          a.pubcomp(packetId);
        }
      }
      world.sessions[0]![fault]();
      const { core } = world.sessions[0]!;
      const left = ["m0", "m1"].flatMap((id) => deliveriesOf(core, core.sessions.get(id)!));
      const waiting = left.map(({ message }) => new TextDecoder().decode(message!.payload));
      expect(new Set(waiting).size).toBe(waiting.length);
      expect(waiting.filter((text) => got.includes(text))).toEqual([]);
    },
  );
});

test("an object without members answers so, and the message goes to one that has some", () => {
  const world = new World({ wiring: "batched", sessionObjects: 3 });
  const clients = members(world, 2);
  // Clean members die with their object, and no Topic object hears of it.
  world.sessions[0]!.crash();
  const publisher = world.connect("p", { at: 2 });
  publisher.take();
  for (const text of ["1", "2", "3", "4"]) publisher.publish("jobs/1", text, { qos: 1 });
  expect(clients[1]!.texts()).toEqual(["1", "2", "3", "4"]);
  expect(publisher.take().map((packet) => "reasonCode" in packet && packet.reasonCode)).toEqual([0, 0, 0, 0]);
  expect(world.topics[0]!.store.routes().map(({ sessionObject }) => sessionObject)).toEqual(["session-1"]);
});

test.each([1, 2] as const)(
  "QoS %i: what a session that ended leaves goes to a member of another object once, however often the Topic object is reset before it answers",
  (qos) => {
    const world = new World({ wiring: "batched", sessionObjects: 2, limits: { inflightMax: 1 } });
    const [here] = world.sessions as [SessionNode];
    const [topic] = world.topics as [TopicNode];
    const first = world.connect("first");
    first.subscribe(FILTER, 2);
    const publisher = world.connect("p", { at: 1 });
    for (const text of ["sent", "waits"]) publisher.publish("jobs/1", text, { qos });
    expect(first.texts()).toEqual(["sent"]);
    const second = world.connect("second", { at: 1, ...DURABLE });
    second.subscribe(FILTER, 2);
    second.take();
    here.linkTo(topic).broken = "answer";
    first.lose();
    for (let reset = 0; reset < 3; reset += 1) {
      topic.crash();
      world.advance(10_000);
    }
    here.linkTo(topic).broken = undefined;
    world.advance(10_000);
    const got: string[] = [];
    for (let fresh = second.messages(); fresh.length > 0; fresh = second.messages()) {
      for (const { payload, packetId } of fresh) {
        got.push(new TextDecoder().decode(payload));
        if (qos === 1) second.puback(packetId);
        else {
          second.pubrec(packetId);
          second.pubcomp(packetId);
        }
      }
    }
    expect(got).toEqual(qos === 1 ? ["sent", "waits"] : ["waits"]);
  },
);

describe("what waits for a member whose session ends is counted as dropped", () => {
  /** A member here for whom one message has been sent and another one waits, and its object's way to the Topic object. */
  function waiting(others: number) {
    const world = new World({ wiring: "batched", sessionObjects: 2, limits: { inflightMax: 1 } });
    const [here] = world.sessions as [SessionNode];
    const first = world.connect("first");
    first.subscribe(FILTER, 1);
    const publisher = world.connect("p", { at: 1 });
    for (const text of ["sent", "waits"]) publisher.publish("jobs/1", text, { qos: 1 });
    const all = [...Array(others).keys()].map((number) => world.connect(`other${number}`, { at: 1 }));
    for (const other of all) {
      other.subscribe(FILTER, 1);
      other.take();
    }
    const link = here.linkTo(world.topics[0]!);
    const dropped = (): number => here.core.counters.messagesDropped.session_ended;
    return { world, first, link, dropped, others: all };
  }

  test("where there is no other member, but not where there is one", () => {
    for (const others of [0, 1]) {
      const { first, dropped } = waiting(others);
      first.lose();
      expect(dropped()).toBe(1 - others);
    }
  });

  test("where the Topic object is out of reach for too long", () => {
    const { world, first, link, dropped } = waiting(1);
    link.broken = "request";
    first.lose();
    world.advance(RETRY_MS_TOTAL / 2);
    expect(dropped()).toBe(0);
    world.advance(RETRY_MS_TOTAL);
    expect(dropped()).toBe(1);
  });

  test("where the way there has no place for it, and not where what waits there already is all", () => {
    const { world, first, link, dropped, others } = waiting(1);
    link.broken = "request";
    const busy = world.connect("busy");
    for (const [size, count] of [
      [1 << 20, 8 + OUTBOX_BYTES_MAX / (1 << 20)],
      [1 << 10, 2 << 10],
      [0, 100],
    ] as const)
      for (let number = 0; number < count; number += 1) busy.publish("e", "x".repeat(size), { qos: 0 });
    first.lose();
    link.broken = undefined;
    world.advance(10_000);
    const got: string[] = [];
    for (let fresh = others[0]!.messages(); fresh.length > 0; fresh = others[0]!.messages()) {
      for (const { payload, packetId } of fresh) {
        got.push(new TextDecoder().decode(payload));
        others[0]!.puback(packetId);
      }
    }
    expect([got.sort(), dropped()]).toEqual([["sent", "waits"], 0]);
    const refused = waiting(1);
    vi.spyOn(refused.link.outbox, "add").mockReturnValue(false);
    refused.first.lose();
    expect(refused.dropped()).toBe(1);
  });
});

test.each([
  ["says DISCONNECT with Session Expiry Interval 0", (client: TestClient) => client.disconnect(0, { sessionExpiryInterval: 0 })],
  ["starts anew", (_client: TestClient, world: World) => world.connect("m0", { clean: true })],
])("what waits for a member that %s is another one's, also if its object is reset before that is written", (_how, ends) => {
  const world = new World({ auto: false });
  const [node] = world.sessions;
  const [first, second] = [0, 1].map((number) =>
    world.connect(`m${number}`, { clean: false, properties: { sessionExpiryInterval: 3600, receiveMaximum: 1 } }),
  );
  for (const member of [first!, second!]) member.subscribe(FILTER, 1);
  second!.lose();
  const publisher = world.connect("p");
  node!.flush();
  const texts = ["1", "2", "3"];
  for (const text of texts) publisher.publish("jobs/1", text, { qos: 1 });
  node!.flush();
  expect(publisher.take().filter(({ type }) => type === PUBACK)).toHaveLength(3);
  ends(first!, world);
  node!.crash();
  // Whoever has them now: the one that has ended, or the other one.
  const got: string[] = [];
  for (const clientId of ["m0", "m1"]) {
    const member = world.connect(clientId, DURABLE);
    world.settle();
    got.push(...member.texts());
  }
  expect(got.sort()).toEqual(texts);
});

test("a message for many shares stands in rows once for all sessions, and again only for those that get it again; a crash takes none of it", () => {
  const world = new World({ wiring: "direct", sessionObjects: 1 });
  const [node] = world.sessions as [SessionNode];
  const names = [...Array(20).keys()].map((number) => `m${number}`);
  const connect = (name: string): TestClient =>
    world.connect(name, { ...DURABLE, properties: { ...DURABLE.properties, receiveMaximum: 1 } });
  const clients = names.map((name) => {
    const client = connect(name);
    for (const filter of ["jobs/1", `$share/${name}/jobs/1`, `$share/other-${name}/jobs/+`]) client.subscribe(filter, 2);
    return client;
  });
  world.connect("p").publish("jobs/1", new Uint8Array(10_000), { qos: 2, packetId: 1 });
  world.settle();
  const rows = node.store.chunkHeads(0, 100).map(({ number }) => node.store.chunk(number)!.records.length);
  expect(rows.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(4 * 10_000);
  /** Takes one message as a whole. */
  const take = (client: TestClient): number[] =>
    client.messages().map(({ packetId }) => {
      client.send({ type: PUBREC, packetId, reasonCode: 0, properties: NO_PROPERTIES });
      client.send({ type: PUBCOMP, packetId, reasonCode: 0, properties: NO_PROPERTIES });
      return packetId;
    });
  const taken = clients.map((client, index) => take(client).concat(index % 2 === 0 ? take(client) : []));
  for (const client of clients) client.lose();
  world.settle();
  node.crash();
  for (const [index, name] of names.entries()) {
    const client = connect(name);
    const got = [...taken[index]!];
    for (let fresh = take(client); fresh.length > 0; fresh = take(client)) got.push(...fresh);
    expect([name, got.length, new Set(got).size]).toEqual([name, 3, 3]);
  }
});

test("what a message costs as work follows those who get it, through shared subscriptions too, and the subscriptions that match", () => {
  const world = new World({ wiring: "direct", sessionObjects: 1 });
  const { core, machine } = world.sessions[0] as SessionNode;
  const worked = (act: () => void): number => {
    const before = core.work;
    act();
    return core.work - before;
  };
  const client = world.connect("m", DURABLE);
  const filters = [...Array(100).keys()].map((number) => `$share/${number}/jobs/1`);
  for (const filter of filters) client.subscribe(filter, 1);
  const shares = filters.map((filter) => ({ filter, key: 0, demand: ANY_QUEUE }) as const);
  const share = (qos: QoS, bytes: number): number =>
    worked(() => {
      const message = messageTo("jobs/1", { qos, payload: new Uint8Array(bytes), sequence: ++sequence });
      for (const target of shares) machine.deliverShared(message, target, world.now, shares.length);
    });
  let sequence = 0;
  expect(share(0, 5)).toBe(100 * SHARED_WORK);
  // Each in rows of its own.
  expect(share(1, 4 * BYTES_WORK)).toBeGreaterThanOrEqual(100 * (SHARED_WORK + 5));
  for (const filter of filters) client.subscribe(`a/${"+/".repeat(filters.indexOf(filter) % 10)}#`, 0);
  const matched = worked(() => void machine.deliver(messageTo(`a${"/b".repeat(12)}`, { qos: 0 }), world.now));
  expect(matched).toBe(DELIVERY_WORK + 10 * MATCH_WORK);
});
