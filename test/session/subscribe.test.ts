/** SUBSCRIBE and UNSUBSCRIBE: answers, replacing, retained messages, refusals. */

import { describe, expect, test } from "vitest";
import { NO_PROPERTIES, SUBACK, type SubscriptionRequest, UNSUBACK } from "../../src/mqtt/packet.ts";
import { beginStoring } from "../../src/session/rows.ts";
import { type TestClient, World } from "../support/core-harness.ts";
import { ALL_RIGHTS } from "../support/rights.ts";
import { plain } from "./support.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

function request(filter: string, qos: 0 | 1 | 2 = 0): SubscriptionRequest {
  return { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 };
}

function subscribeAll(client: TestClient, packetId: number, ...subscriptions: SubscriptionRequest[]): void {
  client.send({ type: 8, packetId, subscriptions, properties: NO_PROPERTIES });
}

describe.each(["direct", "batched"] as const)("SUBSCRIBE, %s", (wiring) => {
  test("[MQTT5-3.8.4-1] [MQTT5-3.8.4-2] [MQTT5-3.8.4-5] [MQTT5-3.8.4-6] [MQTT5-3.8.4-7] [MQTT5-3.9.3-1] [MQTT311-3.8.4-1] [MQTT311-3.8.4-2] [MQTT311-3.8.4-4] [MQTT311-3.8.4-5] [MQTT311-3.9.3-1] [MQTT5-2.2.1-6] one SUBACK with a code for each filter, in their order", () => {
    const world = new World({ wiring, topicObjects: 2 });
    const client = world.connect("c");
    client.take();
    subscribeAll(client, 77, request("a", 2), request("a/#b", 1), request("b", 0), request("c/+", 1));
    expect(plain(client.take())).toMatchObject([{ type: SUBACK, packetId: 77, reasonCodes: [2, 0x8f, 0, 1] }]);
  });

  test("who is there is asked in vain where that is not set", () => {
    const world = new World({ wiring });
    const client = world.connect("c");
    client.take();
    subscribeAll(client, 1, request("$presence/a"), request("$presence"));
    const reasonString = expect.stringContaining("PRESENCE");
    expect(plain(client.take())).toMatchObject([{ reasonCodes: [0x83, 0], properties: { reasonString } }]);
  });

  test("[MQTT5-3.8.4-3] [MQTT311-3.8.4-3] an identical filter replaces the subscription, with all its options", () => {
    const world = new World({ wiring });
    const client = world.connect("c");
    client.subscribe("t", 2, { noLocal: true, retainAsPublished: true, identifier: 3 });
    client.subscribe("t", 1);
    client.take();
    client.publish("t", "x", { qos: 2, retain: true, packetId: 9 });
    const [message, ...more] = client.messages();
    expect(more).toEqual([]);
    expect([message!.qos, message!.retain, message!.properties]).toEqual([1, false, {}]);
  });

  test("[5.0/3.8.4/dup-filter] the same filter twice in one SUBSCRIBE: two codes, one subscription, the last options win", () => {
    const world = new World({ wiring });
    const client = world.connect("c");
    client.take();
    subscribeAll(client, 1, request("t", 2), request("t", 0));
    expect(plain(client.take())).toEqual([{ type: SUBACK, packetId: 1, reasonCodes: [2, 0] }]);
    world.connect("p").publish("t", "x", { qos: 2 });
    expect(client.messages().map(({ qos }) => qos)).toEqual([0]);
  });

  test("[MQTT5-3.10.4-1] [MQTT5-3.10.4-2] [MQTT5-3.10.4-4] [MQTT5-3.10.4-5] [MQTT5-3.10.4-6] [MQTT5-3.11.3-1] [MQTT311-3.10.4-1] [MQTT311-3.10.4-2] [MQTT311-3.10.4-6] UNSUBSCRIBE removes what is written alike and answers once", () => {
    const world = new World({ wiring });
    const client = world.connect("c");
    client.subscribe("a/b");
    client.subscribe("a/+");
    client.subscribe("c");
    client.take();
    const packetId = client.unsubscribe("a/#", "a/+", "c", "c");
    expect(plain(client.take())).toEqual([{ type: UNSUBACK, packetId, reasonCodes: [0x11, 0, 0, 0x11] }]);
    const publisher = world.connect("p");
    publisher.publish("a/b", "still");
    publisher.publish("a/x", "gone");
    publisher.publish("c", "gone");
    expect(client.texts()).toEqual(["still"]);
  });

  test("[MQTT311-3.10.4-4] [MQTT311-3.10.4-5] 3.1.1 gets UNSUBACK without codes, even when nothing was removed", () => {
    const world = new World({ wiring });
    const client = world.connect("c", { version: 4 });
    client.take();
    const packetId = client.unsubscribe("nothing");
    expect(plain(client.take())).toEqual([{ type: UNSUBACK, packetId, reasonCodes: [] }]);
  });

  test("[MQTT5-3.10.4-3] [MQTT311-3.10.4-3] exchanges that have begun are finished after UNSUBSCRIBE", () => {
    const world = new World({ wiring });
    const client = world.connect("c");
    client.subscribe("t", 2);
    world.connect("p").publish("t", "x", { qos: 2 });
    client.unsubscribe("t");
    client.take();
    client.pubrec(1);
    expect(plain(client.take())).toEqual([{ type: 6, packetId: 1, reasonCode: 0 }]);
  });

  test("[MQTT5-3.8.4-4] a resubscription to the same filter loses no message in between", () => {
    const world = new World({ wiring, auto: false });
    const client = world.connect("c");
    const publisher = world.connect("p");
    client.subscribe("t", 0);
    world.settle();
    client.take();
    client.subscribe("t", 1);
    publisher.publish("t", "x", { qos: 1 });
    world.settle();
    expect(client.texts()).toEqual(["x"]);
  });
});

describe.each(["direct", "batched"] as const)("retained messages, %s", (wiring) => {
  function worldWithRetained(): World {
    const world = new World({ wiring, topicObjects: 2 });
    const publisher = world.connect("publisher");
    publisher.publish("r/0", "zero", { retain: true });
    publisher.publish("r/1", "one", { retain: true, qos: 1 });
    publisher.publish("r/2", "two", { retain: true, qos: 2 });
    publisher.publish("other/1", "other", { retain: true });
    return world;
  }

  test("[MQTT5-3.3.1-9] [MQTT311-3.3.1-6] [MQTT311-3.3.1-8] [5.0/3.3.1.3/subscribe-flag] [5.0/3.3.1.3/qos0] [5.0/3.3.4/retained-id] a new subscription gets them with RETAIN 1, at the lower QoS, with its identifier", () => {
    const client = worldWithRetained().connect("c");
    client.subscribe("r/+", 1, { identifier: 5 });
    const messages = plain(client.messages()).sort((a, b) => String(a.topic).localeCompare(String(b.topic)));
    expect(messages.map(({ topic, qos, retain }) => [topic, qos, retain])).toEqual([
      ["r/0", 0, true],
      ["r/1", 1, true],
      ["r/2", 1, true],
    ]);
    expect(messages.every(({ properties }) => (properties as { subscriptionIdentifiers: number[] }).subscriptionIdentifiers[0] === 5)).toBe(
      true,
    );
  });

  test("[MQTT5-3.3.1-9] [MQTT5-3.3.1-10] [MQTT5-3.3.1-11] [5.0/3.8.4/rh-new] Retain Handling 0: always, 1: only for a new subscription, 2: never", () => {
    const world = worldWithRetained();
    const client = world.connect("c", DURABLE);
    const counts = [];
    for (const retainHandling of [2, 1, 0, 1, 0] as const) {
      client.subscribe("r/+", 0, { retainHandling });
      counts.push(client.messages().length);
    }
    client.unsubscribe("r/+");
    client.subscribe("r/+", 0, { retainHandling: 1 });
    counts.push(client.messages().length);
    client.lose();
    const again = world.connect("c", DURABLE);
    again.take();
    again.subscribe("r/+", 0, { retainHandling: 1 });
    counts.push(again.messages().length);
    expect(counts).toEqual([0, 0, 3, 0, 3, 3, 0]);
  });

  test("only the subscription that asked gets them: others of the same object and filter don't", () => {
    const world = worldWithRetained();
    const first = world.connect("first");
    first.subscribe("r/#");
    first.take();
    const second = world.connect("second");
    second.subscribe("r/#");
    expect([first.messages().length, second.messages().length]).toEqual([0, 3]);
  });

  test("[MQTT5-3.8.3-3] No Local holds for a client's own retained messages", () => {
    const world = new World({ wiring });
    const client = world.connect("c");
    client.publish("r", "own", { retain: true });
    client.subscribe("r", 0, { noLocal: true });
    expect(client.messages()).toEqual([]);
  });

  test("[MQTT5-3.3.1-5] [MQTT5-3.3.1-6] [MQTT5-3.3.1-7] [MQTT5-3.3.1-8] [MQTT311-3.3.1-5] [MQTT311-3.3.1-10] [MQTT311-3.3.1-11] [MQTT311-3.3.1-12] [MQTT311-3.3.1-7] the last one with RETAIN counts, an empty one clears and is delivered", () => {
    const world = worldWithRetained();
    const live = world.connect("live");
    live.subscribe("r/1");
    live.take();
    const publisher = world.connect("p");
    publisher.publish("r/1", "newer", { retain: true });
    publisher.publish("r/1", "live");
    const client = world.connect("c");
    client.subscribe("r/1");
    expect(client.texts()).toEqual(["newer"]);
    publisher.publish("r/1", "", { retain: true });
    publisher.publish("r/2", "");
    expect(live.messages().map(({ retain, payload }) => [retain, payload.length])).toEqual([
      [false, 5],
      [false, 4],
      [false, 0],
    ]);
    const late = world.connect("late");
    late.subscribe("r/+");
    expect(late.texts().sort()).toEqual(["two", "zero"]);
  });

  test("[MQTT5-3.3.2-6] [5.0/3.3.1.3/expiry] they expire, and tell what is left until then", () => {
    const world = new World({ wiring });
    world.connect("p").publish("r", "x", { retain: true, properties: { messageExpiryInterval: 10 } });
    world.advance(4000);
    const early = world.connect("early");
    early.subscribe("r");
    expect(early.messages().map(({ properties }) => properties.messageExpiryInterval)).toEqual([6]);
    world.advance(6000);
    const late = world.connect("late");
    late.subscribe("r");
    expect(late.messages()).toEqual([]);
  });

  test("[MQTT311-3.1.2-7] [5.0/4.1/retained] they outlive their publisher's session and the object's memory", () => {
    const world = worldWithRetained();
    world.connect("publisher").disconnect();
    for (const topic of world.topics) topic.crash();
    const client = world.connect("c");
    client.subscribe("#");
    expect(client.messages().length).toBe(4);
  });
});

describe("refusals", () => {
  const authorizer = {
    ...ALL_RIGHTS,
    maySubscribe: (_identity: unknown, _clientId: string, filter: string) => !filter.startsWith("secret"),
  };

  test("[MQTT5-3.9.3-2] [MQTT311-3.9.3-2] [3.1/suback/no-0x80] not authorized: 0x87, 3.1.1 0x80, 3.1 granted in words only", () => {
    const codes = ([5, 4, 3] as const).map((version) => {
      const world = new World({ authorizer });
      const client = world.connect("c", { version });
      client.take();
      subscribeAll(client, 1, request("open", 1), request("secret/x", 1));
      const [suback] = plain(client.take());
      world.connect("p").publish("secret/x", "s");
      expect(client.messages()).toEqual([]);
      return suback!.reasonCodes;
    });
    expect(codes).toEqual([
      [1, 0x87],
      [1, 0x80],
      [1, 1],
    ]);
  });

  test("[MQTT311-4.7.1-2] [MQTT311-4.7.1-3] [MQTT311-4.7.3-1] an invalid filter closes 3.x, which has no code for it", () => {
    for (const version of [4, 3] as const) {
      for (const filter of ["a/b#", "a/#/b", "a+"]) {
        const client = new World().connect("c", { version });
        client.take();
        client.subscribe(filter);
        expect([client.take(), client.closed?.code]).toEqual([[], 1002]);
      }
    }
  });

  test("[MQTT5-4.7.1-1] [MQTT5-4.7.1-2] an invalid filter: 0x8F for it alone, in UNSUBACK as well", () => {
    const client = new World().connect("c");
    client.take();
    subscribeAll(client, 1, request("a/b#"), request("a/#/b"), request("a+"), request("fine"));
    client.unsubscribe("a/b#", "fine");
    expect(plain(client.take()).map(({ reasonCodes }) => reasonCodes)).toEqual([
      [0x8f, 0x8f, 0x8f, 0],
      [0x8f, 0],
    ]);
  });

  test("a filter that could not be registered is refused and leaves nothing; one that was there before stays", () => {
    const world = new World({ wiring: "batched" });
    const client = world.connect("c");
    client.subscribe("old", 1);
    client.take();
    const link = world.sessions[0]!.links[0]!;
    link.broken = "request";
    subscribeAll(client, 9, request("new", 1), request("old", 2));
    expect(client.take()).toEqual([]);
    world.advance(70_000);
    link.broken = undefined;
    world.advance(5000);
    expect(plain(client.take())).toMatchObject([{ type: SUBACK, packetId: 9, reasonCodes: [0x83, 0x83] }]);
    const publisher = world.connect("p");
    publisher.publish("new", "n");
    publisher.publish("old", "o", { qos: 2 });
    expect(client.messages().map(({ topic, qos }) => [topic, qos])).toEqual([["old", 1]]);
    // And it can be tried again.
    client.subscribe("new", 1);
    publisher.publish("new", "n");
    expect(client.texts()).toEqual(["n"]);
  });
});

test("SUBACK waits until every Topic object concerned knows the filter; until then it has no row", () => {
  const world = new World({ wiring: "batched", topicObjects: 2, auto: false });
  const node = world.sessions[0]!;
  const client = world.connect("c", DURABLE);
  world.settle();
  client.take();
  client.subscribe("a/+", 1, { retainHandling: 2 });
  const [first, second] = node.links;
  for (let count = 0; count < 3; count += 1) first!.step();
  node.flush();
  expect([client.take(), node.store.subscriptions()]).toEqual([[], []]);
  for (let count = 0; count < 3; count += 1) second!.step();
  node.flush();
  expect(client.take().map(({ type }) => type)).toEqual([SUBACK]);
  expect(node.store.subscriptions().map(({ filter }) => filter)).toEqual(["a/+"]);
});

describe("an answer that the client has no room for, though nothing can be left out of it", () => {
  /** CONNACK has 16 bytes; SUBACK and UNSUBACK have 5 and one for each filter. */
  const properties = { sessionExpiryInterval: 3600, maximumPacketSize: 30 };
  const filters = (count: number): string[] => Array.from({ length: count }, (_, index) => `t/${index}`);

  test.each([SUBACK, UNSUBACK] as const)("[MQTT5-3.1.2-24] packet %s: 0x95 instead, and nothing is done", (type) => {
    const world = new World();
    for (const count of [25, 26]) {
      const client = world.connect(`c${count}`, { properties });
      if (type === UNSUBACK) client.subscribe("t/0");
      client.take();
      if (type === SUBACK) subscribeAll(client, 7, ...filters(count).map((filter) => request(filter)));
      else client.send({ type: 10, packetId: 7, filters: filters(count), properties: NO_PROPERTIES });
      const [answer, ...more] = plain(client.take());
      expect(more).toEqual([]);
      if (count === 25) expect(answer).toMatchObject({ type, packetId: 7 });
      else expect(answer).toMatchObject({ type: 14, reasonCode: 0x95 });
      const { subscriptions } = client.node.core.sessions.get(client.clientId)!;
      expect(subscriptions.size).toBe((type === SUBACK) === (count === 25) ? (type === SUBACK ? 25 : 1) : 0);
    }
  });
});

describe.each([3, 4] as const)("filters that are none in version %s", (version) => {
  test.each(["", "a/#/b", "a+", "$share//t"])(
    "[MQTT311-4.7.1-2] [MQTT311-4.7.1-3] [MQTT311-4.7.3-1] %j in SUBSCRIBE and UNSUBSCRIBE closes, and nothing is done",
    (filter) => {
      const world = new World();
      for (const isSubscribe of [true, false]) {
        const client = world.connect(`c${isSubscribe}`, { version, clean: false });
        client.subscribe("kept", 1);
        client.take();
        if (isSubscribe) subscribeAll(client, 1, request("before"), request(filter));
        else client.send({ type: 10, packetId: 1, filters: ["kept", filter], properties: NO_PROPERTIES });
        expect(client.take()).toEqual([]);
        expect(client.wire.closed).toMatchObject({ code: 1002 });
        expect([...client.node.core.sessions.get(client.clientId)!.subscriptions.keys()]).toEqual(["kept"]);
      }
    },
  );

  test("what is subscribed can be given up, though limits that came later would not take it", () => {
    const world = new World();
    const client = world.connect("c", { version, clean: false });
    client.subscribe("a/b/c", 1);
    client.take();
    Object.assign(client.node.core.limits, { topicLevelsMax: 2 });
    client.send({ type: 10, packetId: 1, filters: ["a/b/c"], properties: NO_PROPERTIES });
    expect(plain(client.take())).toMatchObject([{ type: UNSUBACK, packetId: 1 }]);
  });
});

describe("a subscription that was refused", () => {
  /** A client whose SUBSCRIBE no Topic object has heard of, as it is told in the end; its state was written meanwhile. */
  function refused(options: Parameters<World["connect"]>[1] = {}, write?: (world: World) => void): World {
    const world = new World({ wiring: "batched" });
    const client = world.connect("c", { ...options });
    const link = world.sessions[0]!.links[0]!;
    link.broken = "request";
    client.subscribe("t", 1);
    client.publish("x", "", { properties: { topicAlias: 1 } });
    write?.(world);
    client.take();
    world.advance(70_000);
    expect(plain(client.take())).toMatchObject([{ type: SUBACK, reasonCodes: [0x83] }]);
    link.broken = undefined;
    return world;
  }

  function expectRoute(world: World): void {
    const other = world.connect("other", DURABLE);
    other.subscribe("t", 1, { retainHandling: 2 });
    world.connect("p").publish("t", "for the other", { qos: 1 });
    expect(other.texts()).toEqual(["for the other"]);
  }

  test("is not taken for granted behind a sleep", () => {
    const world = refused();
    world.sessions[0]!.hibernate();
    expect([...world.sessions[0]!.core.subscriptions.filters()]).toEqual([]);
    expectRoute(world);
  });

  test("has no row, though its session has got some meanwhile", () => {
    const world = refused({}, ({ sessions: [node] }) => {
      beginStoring(node!.core, node!.core.sessions.get("c")!);
      node!.flush();
    });
    expect(world.sessions[0]!.store.subscriptions()).toEqual([]);
    world.sessions[0]!.hibernate();
    expectRoute(world);
  });

  test("leaves that which stood before, also behind a sleep", () => {
    const world = new World({ wiring: "batched" });
    const client = world.connect("c");
    client.subscribe("t", 0);
    const link = world.sessions[0]!.links[0]!;
    link.broken = "request";
    client.subscribe("t", 2);
    client.publish("x", "", { properties: { topicAlias: 1 } });
    world.advance(70_000);
    link.broken = undefined;
    world.sessions[0]!.hibernate();
    client.take();
    world.connect("p").publish("t", "x", { qos: 2 });
    expect(client.messages().map(({ qos }) => qos)).toEqual([0]);
  });
});

test("UNSUBSCRIBE between two SUBSCRIBEs of one filter stands, although the second one is refused when the first was granted", () => {
  const world = new World({ wiring: "batched", auto: false });
  const [node] = world.sessions;
  const client = world.connect("c", DURABLE);
  node!.flush();
  const granted: ((reasonCode: number) => void)[] = [];
  node!.core.router.subscribe = (_wanted, ticket) => void granted.push((reasonCode) => ticket.settled(reasonCode));
  client.subscribe("t", 1);
  client.unsubscribe("t");
  client.subscribe("t", 2);
  granted[0]!(0);
  node!.flush();
  expect(node!.store.subscriptions()).toEqual([]);
  granted[1]!(0x83);
  node!.flush();
  expect([[...node!.core.sessions.get("c")!.subscriptions.keys()], node!.store.subscriptions()]).toEqual([[], []]);
});
