/** Sessions that are resumed: after a lost connection, after hibernation, after a crash of the object, once and twice. */

import { describe, expect, test } from "vitest";
import { PUBLISH, PUBREL } from "../../src/mqtt/packet.ts";
import { type TestClient, World } from "../support/core-harness.ts";
import { plain } from "./support.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

/** What matters of the packets after CONNACK. */
function resent(client: TestClient): unknown[] {
  return plain(client.take().filter(({ type }) => type === PUBLISH || type === PUBREL)).map(({ type, packetId, dup, payload }) =>
    type === PUBREL ? `PUBREL ${packetId}` : `${packetId}${dup ? " DUP" : ""} ${payload}`,
  );
}

const ways: [string, (world: World, client: TestClient) => void][] = [
  ["a lost connection", (_world, client) => client.lose()],
  ["a crash of the object", (world) => world.sessions[0]!.crash()],
  [
    "two crashes of the object",
    (world) => {
      world.sessions[0]!.crash();
      world.sessions[0]!.crash();
    },
  ],
  [
    "hibernation and a lost connection",
    (world, client) => {
      world.sessions[0]!.hibernate();
      client.lose();
    },
  ],
  [
    "a lost connection and a crash",
    (world, client) => {
      client.lose();
      world.sessions[0]!.crash();
    },
  ],
];

describe.each(ways)("after %s", (_name, interrupt) => {
  test("[MQTT5-4.4.0-1] [MQTT5-3.3.1-1] [MQTT311-4.4.0-1] [MQTT311-4.6.0-1] what was sent goes out again in order, with DUP and its identifiers", () => {
    const world = new World({ limits: { inflightMax: 3 } });
    const client = world.connect("c", DURABLE);
    client.subscribe("t", 2);
    const publisher = world.connect("p");
    for (const [index, qos] of ([1, 2, 1, 2, 1] as const).entries()) publisher.publish("t", `m${index + 1}`, { qos });
    client.puback(1);
    expect(resent(client)).toEqual(["1 m1", "2 m2", "3 m3", "4 m4"]);
    interrupt(world, client);
    const again = world.connect("c", DURABLE);
    expect(again.connack.sessionPresent).toBe(true);
    // After a crash an acknowledgement that only memory knew may count as missing; with QoS 1 that costs a repeat.
    const got = resent(again).filter((line) => line !== "1 DUP m1");
    expect(got.slice(0, 2)).toEqual(["2 DUP m2", "3 DUP m3"]);
    for (const packetId of [1, 3]) again.puback(packetId);
    again.pubrec(2);
    again.pubcomp(2);
    const rest = resent(again).filter((line) => line !== "PUBREL 2");
    expect([...got.slice(2), ...rest].map((line) => String(line).replace(" DUP", ""))).toEqual(["4 m4", "5 m5"]);
  });

  test("[MQTT5-4.3.3-5] [MQTT5-4.3.3-6] [MQTT311-4.3.3-1] after PUBREC only PUBREL goes out again, until PUBCOMP", () => {
    const world = new World();
    const client = world.connect("c", DURABLE);
    client.subscribe("t", 2);
    const publisher = world.connect("p");
    publisher.publish("t", "1", { qos: 2 });
    publisher.publish("t", "2", { qos: 2 });
    client.pubrec(1);
    interrupt(world, client);
    const again = world.connect("c", DURABLE);
    expect(resent(again)).toEqual(["PUBREL 1", "2 DUP 2"]);
    // The identifier is still in use.
    publisher.send();
    world.connect("q").publish("t", "3", { qos: 1 });
    expect(resent(again)).toEqual(["3 3"]);
    again.pubcomp(1);
    again.lose();
    const third = world.connect("c", DURABLE);
    expect(resent(third)).toEqual(["2 DUP 2", "3 DUP 3"]);
  });

  test("[MQTT5-3.3.4-9] [5.0/4.9/reset] a smaller Receive Maximum counts for what is sent again, too", () => {
    const world = new World();
    const client = world.connect("c", DURABLE);
    client.subscribe("t", 1);
    const publisher = world.connect("p");
    for (const text of ["a", "b", "c", "d"]) publisher.publish("t", text, { qos: 1 });
    interrupt(world, client);
    const again = world.connect("c", { clean: false, properties: { sessionExpiryInterval: 3600, receiveMaximum: 2 } });
    expect(resent(again)).toEqual(["1 DUP a", "2 DUP b"]);
    again.puback(2);
    expect(resent(again)).toEqual(["3 DUP c"]);
    again.puback(1);
    again.puback(3);
    expect(resent(again)).toEqual(["4 DUP d"]);
  });

  test("[MQTT5-3.1.2-5] [MQTT5-3.1.2-23] [MQTT311-3.1.2-4] [5.0/3.8.2.1.2/stored] subscriptions stand as they were, [5.0/3.3.1.3/no-retained-on-resume] nothing retained is sent", () => {
    const world = new World();
    const client = world.connect("c", DURABLE);
    client.subscribe("t/+", 1, { identifier: 9, noLocal: true, retainAsPublished: true });
    client.subscribe("gone");
    client.unsubscribe("gone");
    world.connect("p").publish("t/old", "old", { retain: true, qos: 1 });
    client.puback(1);
    interrupt(world, client);
    const again = world.connect("c", DURABLE);
    again.puback(1);
    again.take();
    again.publish("t/x", "own", { qos: 1 });
    world.connect("q").publish("gone", "x");
    world.connect("r").publish("t/x", "foreign", { qos: 2, retain: true });
    const [message, ...more] = again.messages();
    expect(more).toEqual([]);
    expect([message!.qos, message!.retain, message!.properties.subscriptionIdentifiers]).toEqual([1, true, [9]]);
  });

  test("messages that were queued and never sent come without DUP where the object kept its word about them", () => {
    const world = new World();
    const client = world.connect("c", DURABLE);
    client.subscribe("t", 1);
    client.disconnect();
    world.connect("p").publish("t", "queued", { qos: 1 });
    interrupt(world, client);
    expect(resent(world.connect("c", DURABLE))).toEqual(["1 queued"]);
  });
});

test("[MQTT5-4.4.0-1] [5.0/4.4/no-timer] nothing is sent again on a live connection, hibernation included", () => {
  const world = new World({ limits: { inflightMax: 2 } });
  const client = world.connect("c", DURABLE);
  const clean = world.connect("clean");
  for (const each of [client, clean]) {
    each.subscribe("t", 2);
    each.take();
  }
  const publisher = world.connect("p");
  for (const qos of [1, 2, 1] as const) publisher.publish("t", "x", { qos });
  client.take();
  clean.take();
  world.sessions[0]!.hibernate();
  world.advance(60_000);
  expect([client.take(), clean.take()]).toEqual([[], []]);
  // Acknowledgements still fit.
  client.puback(1);
  expect(resent(client)).toEqual(["3 x"]);
  clean.puback(1);
  clean.pubrec(2);
  expect(resent(clean)).toContain("PUBREL 2");
});

test("what still has to be sent again after a resume is not forgotten by hibernation", () => {
  const world = new World();
  const client = world.connect("c", DURABLE);
  client.subscribe("t", 2);
  const publisher = world.connect("p");
  for (const qos of [1, 2, 1] as const) publisher.publish("t", "x", { qos });
  client.lose();
  const again = world.connect("c", { clean: false, properties: { sessionExpiryInterval: 3600, receiveMaximum: 1 } });
  expect(resent(again)).toEqual(["1 DUP x"]);
  world.sessions[0]!.hibernate();
  again.puback(1);
  expect(resent(again)).toEqual(["2 DUP x"]);
  again.pubrec(2);
  world.sessions[0]!.hibernate();
  again.pubcomp(2);
  expect(resent(again)).toEqual(["PUBREL 2", "3 DUP x"]);
});

test("[MQTT5-3.1.2-4] [MQTT311-3.1.2-6] Clean Start 1 discards subscriptions, queue and exchanges, rows included", () => {
  const world = new World();
  const client = world.connect("c", DURABLE);
  client.subscribe("t", 2);
  client.publish("u", "x", { qos: 2, packetId: 1 });
  client.lose();
  const publisher = world.connect("p");
  publisher.publish("t", "x", { qos: 2 });
  const again = world.connect("c", { clean: true, properties: { sessionExpiryInterval: 3600 } });
  expect(again.connack.sessionPresent).toBe(false);
  expect(resent(again)).toEqual([]);
  publisher.publish("t", "y", { qos: 2 });
  again.pubrel(1);
  expect(plain(again.take())).toEqual([{ type: 7, packetId: 1, reasonCode: 0x92 }]);
  const { store } = world.sessions[0]!;
  expect([store.sessions().length, store.subscriptions().length]).toEqual([1, 0]);
});

test("what is in flight is not dropped for what comes later, however small the window after a resume", () => {
  const world = new World({ limits: { inflightMax: 4, queueMessagesMax: 2 } });
  const client = world.connect("c", DURABLE);
  client.subscribe("t", 1);
  const publisher = world.connect("p");
  for (let number = 1; number <= 6; number += 1) publisher.publish("t", `m${number}`, { qos: 1 });
  world.sessions[0]!.crash();
  const small = { clean: false, properties: { sessionExpiryInterval: 3600, receiveMaximum: 1 } };
  const again = world.connect("c", small);
  world.connect("q").publish("t", "m7", { qos: 1 });
  const seen = resent(again).map((line) => String(line).split(" ").at(-1));
  for (let packetId = 1; packetId <= 7; packetId += 1) {
    again.puback(packetId);
    seen.push(...resent(again).map((line) => String(line).split(" ").at(-1)));
  }
  expect(seen.slice(0, 4)).toEqual(["m1", "m2", "m3", "m4"]);
  expect(seen.at(-1)).toBe("m7");
});
