/** Messages from a client to the broker: answers, exactly-once, order, flow control, refusals. */

import { describe, expect, test } from "vitest";
import { RECEIVED_MAX_V3 } from "../../src/limits.ts";
import { type ProtocolVersion, PUBACK, PUBCOMP, PUBLISH, PUBREC } from "../../src/mqtt/packet.ts";
import { type TestClient, World } from "../support/core-harness.ts";
import { ALL_RIGHTS } from "../support/rights.ts";
import { plain } from "./support.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

function listening(world: World, filter = "#", at = 0): TestClient {
  const client = world.connect("listener", { at });
  client.subscribe(filter, 2);
  client.take();
  return client;
}

describe.each(["direct", "batched"] as const)("answers, %s", (wiring) => {
  test("[MQTT5-3.3.4-1] [MQTT311-3.3.4-1] [MQTT5-4.3.2-4] [MQTT5-4.3.3-8] none for QoS 0, PUBACK for 1, PUBREC for 2, under the same identifier", () => {
    const world = new World({ wiring });
    listening(world);
    const client = world.connect("c");
    client.take();
    client.publish("t", "0");
    client.publish("t", "1", { qos: 1, packetId: 7 });
    client.publish("t", "2", { qos: 2, packetId: 9 });
    expect(plain(client.take())).toEqual([
      { type: PUBACK, packetId: 7, reasonCode: 0 },
      { type: PUBREC, packetId: 9, reasonCode: 0 },
    ]);
  });

  test("[5.0/3.4.2.1/no-match] nobody subscribed: 0x10 in 5.0", () => {
    const world = new World({ wiring });
    const client = world.connect("c");
    client.take();
    client.publish("t", "1", { qos: 1 });
    client.publish("t", "2", { qos: 2 });
    expect(plain(client.take()).map(({ reasonCode }) => reasonCode)).toEqual([0x10, 0x10]);
  });

  test("[MQTT5-4.3.3-10] [MQTT311-4.3.3-2] a repeated QoS 2 PUBLISH is answered each time and delivered once", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    const client = world.connect("c");
    client.take();
    for (let count = 0; count < 3; count += 1) client.publish("t", "x", { qos: 2, packetId: 5, dup: count > 0 });
    expect(plain(client.take())).toEqual([...Array(3).keys()].map(() => ({ type: PUBREC, packetId: 5, reasonCode: 0 })));
    expect(listener.texts()).toEqual(["x"]);
  });

  test("[MQTT5-4.3.3-11] [MQTT5-4.3.3-12] after PUBREL and PUBCOMP the identifier stands for a new message", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    const client = world.connect("c");
    client.publish("t", "first", { qos: 2, packetId: 5 });
    client.take();
    client.pubrel(5);
    expect(plain(client.take())).toEqual([{ type: PUBCOMP, packetId: 5, reasonCode: 0 }]);
    client.publish("t", "second", { qos: 2, packetId: 5, dup: true });
    expect(listener.texts()).toEqual(["first", "second"]);
  });

  test("[MQTT5-4.3.2-5] [MQTT311-4.3.2-2] after PUBACK the identifier stands for a new message, even with DUP", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    const client = world.connect("c");
    client.publish("t", "first", { qos: 1, packetId: 5 });
    client.publish("t", "second", { qos: 1, packetId: 5, dup: true });
    expect(listener.texts()).toEqual(["first", "second"]);
  });

  test("a QoS 1 PUBLISH under the identifier of an open QoS 2 exchange is a message of its own and is not lost", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    const client = world.connect("c");
    client.publish("t", "two", { qos: 2, packetId: 5 });
    client.publish("t", "one", { qos: 1, packetId: 5 });
    expect(listener.texts()).toEqual(["two", "one"]);
  });
});

test("[5.0/3.6.2.1/unknown] PUBREL for an unknown identifier: PUBCOMP 0x92, in 3.1.1 a plain PUBCOMP", () => {
  const world = new World();
  for (const [version, reasonCode] of [
    [5, 0x92],
    [4, 0],
  ] as const) {
    const client = world.connect(`v${version}`, { version });
    client.take();
    client.pubrel(5);
    expect(plain(client.take())).toEqual([{ type: PUBCOMP, packetId: 5, reasonCode }]);
  }
});

describe("exactly once over interruptions", () => {
  test("[MQTT5-4.3.3-10] a repeat after a lost connection is recognised: the exchange belongs to the session", () => {
    const world = new World();
    const listener = listening(world);
    const client = world.connect("c", DURABLE);
    client.publish("t", "x", { qos: 2, packetId: 5 });
    client.lose();
    const again = world.connect("c", DURABLE);
    again.take();
    again.publish("t", "x", { qos: 2, packetId: 5, dup: true });
    expect(plain(again.take())).toEqual([{ type: PUBREC, packetId: 5, reasonCode: 0 }]);
    again.pubrel(5);
    expect(plain(again.take())).toEqual([{ type: PUBCOMP, packetId: 5, reasonCode: 0 }]);
    expect(listener.texts()).toEqual(["x"]);
  });

  test.each(["crash", "hibernate"] as const)("[MQTT5-4.3.3-10] and after a %s of the publisher's object", (interruption) => {
    const world = new World({ sessionObjects: 2, wiring: "batched" });
    const listener = listening(world, "#", 1);
    const client = world.connect("c", DURABLE);
    client.publish("t", "x", { qos: 2, packetId: 5 });
    world.sessions[0]![interruption]();
    const again = interruption === "crash" ? world.connect("c", DURABLE) : client;
    again.take();
    again.publish("t", "x", { qos: 2, packetId: 5, dup: true });
    expect(plain(again.take())).toEqual([{ type: PUBREC, packetId: 5, reasonCode: 0 }]);
    expect(listener.texts()).toEqual(["x"]);
  });

  test("a message that was on record but never handed on is delivered when its publisher repeats it", () => {
    const world = new World({ sessionObjects: 2, wiring: "batched", auto: false });
    const listener = world.connect("l", { at: 1 });
    listener.subscribe("#", 2);
    const client = world.connect("c", DURABLE);
    world.settle();
    listener.take();
    client.publish("t", "x", { qos: 2, packetId: 5 });
    // The row is written, the call is not made.
    world.sessions[0]!.flush();
    world.sessions[0]!.crash();
    const again = world.connect("c", DURABLE);
    again.publish("t", "x", { qos: 2, packetId: 5, dup: true });
    world.settle();
    expect(listener.texts()).toEqual(["x"]);
  });
});

describe("order of answers", () => {
  test("[MQTT5-3.3.4-1] [5.0/4.6/server-acks] [MQTT311-4.6.0-2] [MQTT311-4.6.0-3] follows the arrival of the messages although Topic objects answer in any order", () => {
    const world = new World({ wiring: "batched", topicObjects: 2, auto: false });
    const client = world.connect("c");
    world.settle();
    client.take();
    // "0" has an even character code, "1" an odd one: different Topic objects.
    client.publish("t/0", "a", { qos: 1, packetId: 1 });
    client.publish("t/1", "b", { qos: 1, packetId: 2 });
    client.publish("t/1", "c", { qos: 2, packetId: 3 });
    client.publish("t/0", "d", { qos: 1, packetId: 4 });
    const node = world.sessions[0]!;
    const [slow, fast] = [node.linkTo(world.topicOf("t/0")), node.linkTo(world.topicOf("t/1"))];
    node.flush();
    for (let count = 0; count < 3; count += 1) fast.step();
    node.flush();
    expect(client.take()).toEqual([]);
    for (let count = 0; count < 3; count += 1) slow.step();
    node.flush();
    expect(plain(client.take()).map(({ type, packetId }) => [type, packetId])).toEqual([
      [PUBACK, 1],
      [PUBACK, 2],
      [PUBREC, 3],
      [PUBACK, 4],
    ]);
  });

  test("a takeover leaves answers to the session's next connection alone, except for exchanges that it repeats", () => {
    const world = new World({ wiring: "batched", auto: false });
    const client = world.connect("c", DURABLE);
    world.settle();
    client.publish("t", "1", { qos: 1, packetId: 1 });
    client.publish("t", "2", { qos: 2, packetId: 2 });
    const again = world.connect("c", DURABLE);
    again.publish("t", "2", { qos: 2, packetId: 2, dup: true });
    world.settle();
    expect(plain(again.take()).map(({ type, packetId }) => [type, packetId])).toEqual([
      [2, undefined],
      [PUBREC, 2],
    ]);
  });
});

describe("Receive Maximum of the broker", () => {
  test("[MQTT5-3.3.4-7] [5.0/3.3.4/recvmax] one message beyond it gets DISCONNECT 0x93 and is not delivered", () => {
    const world = new World({ limits: { receiveMaximum: 3 } });
    const listener = listening(world);
    const client = world.connect("c");
    for (const packetId of [1, 2, 3]) client.publish("t", String(packetId), { qos: 2, packetId });
    expect(client.closed).toBeUndefined();
    client.take();
    client.publish("t", "4", { qos: 2, packetId: 4 });
    expect(plain(client.take())[0]).toMatchObject({ type: 14, reasonCode: 0x93 });
    expect(client.closed).toBeDefined();
    expect(listener.texts()).toEqual(["1", "2", "3"]);
  });

  test("PUBREL makes room; QoS 1 that is answered, repeats and QoS 0 take none", () => {
    const world = new World({ limits: { receiveMaximum: 2 } });
    const client = world.connect("c");
    client.publish("t", "1", { qos: 2, packetId: 1 });
    client.publish("t", "2", { qos: 2, packetId: 2 });
    client.publish("t", "1", { qos: 2, packetId: 1, dup: true });
    client.publish("t", "0");
    client.pubrel(1);
    client.publish("t", "3", { qos: 1, packetId: 3 });
    client.publish("t", "4", { qos: 1, packetId: 4 });
    expect(client.closed).toBeUndefined();
  });

  test("QoS 1 messages count until they are answered", () => {
    const world = new World({ limits: { receiveMaximum: 2 }, wiring: "batched", auto: false });
    const client = world.connect("c");
    world.settle();
    client.publish("t", "1", { qos: 1, packetId: 1 });
    client.publish("t", "2", { qos: 1, packetId: 2 });
    world.settle();
    client.publish("t", "3", { qos: 1, packetId: 3 });
    client.publish("t", "4", { qos: 2, packetId: 4 });
    world.sessions[0]!.flush();
    expect(client.closed).toBeUndefined();
    client.publish("t", "5", { qos: 1, packetId: 5 });
    world.settle();
    expect(client.closed).toBeDefined();
  });

  test.each([5, 4, 3] as const)("[MQTT5-4.4.0-1] version %i: repeats of what is not answered count until they are", (version) => {
    const max = version === 5 ? 3 : RECEIVED_MAX_V3;
    const world = new World({ limits: { receiveMaximum: 3 }, wiring: "batched", auto: false });
    const durable = { version, clean: false, properties: version === 5 ? { sessionExpiryInterval: 100 } : {} } as const;
    const open = (connect: typeof durable): TestClient => {
      const client = world.connect("c", connect);
      world.sessions[0]!.flush();
      client.take();
      return client;
    };
    const first = open(durable);
    for (const packetId of [1, 2]) first.publish("t", "x", { qos: 2, packetId });
    for (let count = 2; count < max; count += 1) first.publish("t", "x", { qos: 2, packetId: 1, dup: true });
    // QoS 1 has nothing to do with it.
    if (version !== 5) first.publish("t", "x", { qos: 1, packetId: 3 });
    expect(first.connection.open).toBe(true);
    const { bytes } = world.sessions[0]!.core.ledger;
    first.publish("t", "x", { qos: 2, packetId: 2, dup: true });
    world.sessions[0]!.flush();
    expect(first.closed).toBeDefined();
    if (version === 5) expect(plain(first.take())).toMatchObject([{ type: 14, reasonCode: 0x93 }]);
    expect(world.sessions[0]!.core.ledger.bytes.exchanges).toBeLessThan(bytes.exchanges);
    // On another connection each may come again.
    const again = open(durable);
    for (const packetId of [1, 2]) again.publish("t", "x", { qos: 2, packetId, dup: true });
    world.settle();
    expect(plain(again.take()).map(({ type, packetId }) => [type, packetId])).toEqual([
      [PUBREC, 1],
      [PUBREC, 2],
    ]);
  });

  test("a refused message takes no room", () => {
    const authorizer = { ...ALL_RIGHTS, mayPublish: () => false };
    const world = new World({ limits: { receiveMaximum: 1 }, authorizer });
    const client = world.connect("c");
    for (let packetId = 1; packetId < 5; packetId += 1) client.publish("t", "x", { qos: 2, packetId });
    expect(client.closed).toBeUndefined();
  });
});

describe("refusals", () => {
  const authorizer = {
    ...ALL_RIGHTS,
    mayPublish: (_identity: unknown, _clientId: string, topic: string) => topic !== "secret",
  };

  test("[5.0/3.4.2.1/refuse] [MQTT5-4.3.3-9] 5.0: 0x87, nothing is forwarded, the connection stays, the identifier is free", () => {
    const world = new World({ authorizer });
    const listener = listening(world);
    const client = world.connect("c");
    client.take();
    client.publish("secret", "0");
    client.publish("secret", "1", { qos: 1, packetId: 1 });
    client.publish("secret", "2", { qos: 2, packetId: 2 });
    client.publish("open", "allowed", { qos: 2, packetId: 2 });
    expect(plain(client.take())).toMatchObject([
      { type: PUBACK, packetId: 1, reasonCode: 0x87 },
      { type: PUBREC, packetId: 2, reasonCode: 0x87 },
      { type: PUBREC, packetId: 2, reasonCode: 0 },
    ]);
    expect(listener.texts()).toEqual(["allowed"]);
  });

  test.each([3, 4] as ProtocolVersion[])(
    "[MQTT311-3.3.5-2] [3.1/publish/unauthorized] version %i: acknowledged as usual, not forwarded",
    (version) => {
      const world = new World({ authorizer });
      const listener = listening(world);
      const client = world.connect("c", { version });
      client.take();
      client.publish("secret", "1", { qos: 1, packetId: 1 });
      client.publish("secret", "2", { qos: 2, packetId: 2 });
      client.pubrel(2);
      expect(plain(client.take()).map(({ type, packetId }) => [type, packetId])).toEqual([
        [PUBACK, 1],
        [PUBREC, 2],
        [PUBCOMP, 2],
      ]);
      expect(listener.texts()).toEqual([]);
    },
  );

  test("[MQTT5-3.3.2-2] [MQTT311-3.3.2-2] [MQTT5-4.7.0-1] [MQTT311-4.7.1-1] a topic with wildcards ends the connection, 0x90 in 5.0", () => {
    const world = new World();
    const listener = listening(world);
    for (const version of [5, 4, 3] as const) {
      for (const topic of ["a/+", "#", "a#b"]) {
        const client = world.connect(`c${version}`, { version });
        client.take();
        client.publish(topic, "x");
        const told = plain(client.take());
        if (version === 5) expect(told).toMatchObject([{ type: 14, reasonCode: 0x90 }]);
        else expect(told).toEqual([]);
        expect(client.closed).toBeDefined();
      }
    }
    expect(listener.texts()).toEqual([]);
  });

  test("[MQTT5-3.3.4-6] a PUBLISH with a Subscription Identifier: 0x82, nothing forwarded", () => {
    const world = new World();
    const listener = listening(world);
    const client = world.connect("c");
    client.take();
    client.publish("t", "x", { properties: { subscriptionIdentifiers: [1] } });
    expect(plain(client.take())).toMatchObject([{ type: 14, reasonCode: 0x82 }]);
    expect(client.closed).toBeDefined();
    expect(listener.texts()).toEqual([]);
  });

  test("a message that no object took: 5.0 is told, 3.1.1 is closed so that it repeats; the QoS 2 identifier is free", () => {
    for (const version of [5, 4] as const) {
      const world = new World({ wiring: "batched" });
      const listener = listening(world);
      const client = world.connect("c", { version, clean: false, properties: version === 5 ? { sessionExpiryInterval: 100 } : {} });
      client.take();
      const link = world.sessions[0]!.links[0]!;
      link.broken = "request";
      client.publish("t", "lost", { qos: 2, packetId: 1 });
      world.advance(70_000);
      link.broken = undefined;
      if (version === 5) expect(plain(client.take())).toMatchObject([{ type: PUBREC, packetId: 1, reasonCode: 0x83 }]);
      else expect([client.take(), client.closed?.code]).toEqual([[], 1013]);
      const again = version === 5 ? client : world.connect("c", { version, clean: false });
      again.publish("t", "repeated", { qos: 2, packetId: 1, dup: true });
      expect(listener.texts()).toEqual(["repeated"]);
    }
  });
});

test("[MQTT5-3.3.1-3] [MQTT311-3.3.1-3] [MQTT5-3.3.1-2] [MQTT311-3.3.1-2] a publisher's DUP is not passed on", () => {
  const world = new World();
  const listener = listening(world);
  const client = world.connect("c");
  client.publish("t", "1", { qos: 1, dup: true });
  client.publish("t", "2", { qos: 2, dup: true });
  expect(listener.take().map((packet) => packet.type === PUBLISH && packet.dup)).toEqual([false, false]);
});
