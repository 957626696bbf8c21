/** Shared subscriptions: one member for each message, wherever members are, and what happens when they go. */

import { describe, expect, test } from "vitest";
import { SHARED_STRATEGIES } from "../../src/choices.ts";
import { type TestClient, World } from "../support/core-harness.ts";
import { plain } from "./support.ts";

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
    second.take();
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
    expect(got).toEqual(["one", "queued one", "queued two"]);
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
