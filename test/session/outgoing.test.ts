/** Messages from the broker to one client: Packet Identifiers, handshakes, window, queue, expiry, packet size. */

import { describe, expect, test } from "vitest";
import { SLOW_MS_MAX } from "../../src/limits.ts";
import { PUBLISH, PUBREL } from "../../src/mqtt/packet.ts";
import { type TestClient, World } from "../support/core-harness.ts";
import { ALL_RIGHTS } from "../support/rights.ts";
import { plain } from "./support.ts";

/** A subscriber of `t` at QoS 2 and a publisher. */
function pair(options: ConstructorParameters<typeof World>[0] = {}, connect: Parameters<World["connect"]>[1] = {}) {
  const world = new World(options);
  const client = world.connect("client", connect);
  client.subscribe("t", 2);
  client.take();
  const publisher = world.connect("publisher");
  return { world, client, publisher };
}

describe("Packet Identifiers", () => {
  test("[MQTT5-2.2.1-4] [MQTT311-2.3.1-4] count 1, 2, 3 ... for each session by itself", () => {
    const { world, client, publisher } = pair();
    const other = world.connect("other");
    other.subscribe("t", 1);
    other.take();
    for (const qos of [1, 2, 0, 1] as const) publisher.publish("t", "x", { qos });
    expect(client.messages().map(({ packetId }) => packetId)).toEqual([1, 2, 0, 3]);
    expect(other.messages().map(({ packetId }) => packetId)).toEqual([1, 2, 0, 3]);
  });

  test("[MQTT5-2.2.1-4] [MQTT5-4.3.2-1] [MQTT5-4.3.3-1] skip those in use when they come round at 65535", () => {
    const { client, publisher } = pair();
    publisher.publish("t", "stays", { qos: 1 });
    publisher.publish("t", "released", { qos: 2 });
    publisher.publish("t", "acknowledged", { qos: 1 });
    client.pubrec(2);
    client.puback(3);
    client.connection.session.nextPacketId = 65_535;
    client.take();
    for (let count = 0; count < 3; count += 1) publisher.publish("t", "x", { qos: 1 });
    // 1 waits for PUBACK and 2 for PUBCOMP.
    expect(client.messages().map(({ packetId }) => packetId)).toEqual([65_535, 3, 4]);
  });

  test("[5.0/2.2.1/independent] the same number may be in use in both directions", () => {
    const { client, publisher } = pair();
    publisher.publish("t", "down", { qos: 2 });
    client.take();
    client.publish("u", "up", { qos: 2, packetId: 1 });
    client.pubrec(1);
    client.pubrel(1);
    client.pubcomp(1);
    expect(client.take().map(({ type }) => type)).toEqual([5, 6, 7]);
    expect(client.connection.session.inflight).toBe(0);
  });
});

describe("QoS 1", () => {
  test("[MQTT5-4.3.2-2] [MQTT5-4.3.2-3] [MQTT311-4.3.2-1] is sent once without DUP and stays unacknowledged until PUBACK", () => {
    const { client, publisher } = pair();
    publisher.publish("t", "x", { qos: 1, dup: true });
    expect(plain(client.take())).toEqual([{ type: PUBLISH, topic: "t", qos: 1, retain: false, dup: false, packetId: 1, payload: "x" }]);
    expect(client.connection.session.inflight).toBe(1);
    client.puback(1);
    expect(client.connection.session.inflight).toBe(0);
    expect(client.take()).toEqual([]);
  });

  test("acknowledgements of what is unknown or was not yet sent have no effect", () => {
    const { client, publisher } = pair({ limits: { inflightMax: 1 } });
    for (const qos of [1, 1, 2] as const) publisher.publish("t", "x", { qos });
    for (const packetId of [2, 3, 99]) {
      client.puback(packetId);
      client.pubrec(packetId);
      client.pubcomp(packetId);
    }
    expect(client.connection.session.deliveries.size).toBe(3);
    expect(client.connection.session.inflight).toBe(1);
    expect(client.closed).toBeUndefined();
  });

  test("[MQTT5-4.4.0-2] [5.0/4.13.2/ack-errors] a PUBACK with an error ends the delivery and nothing else", () => {
    const { client, publisher } = pair();
    publisher.publish("t", "x", { qos: 1 });
    client.puback(1, 0x97);
    expect(client.connection.session.deliveries.size).toBe(0);
    expect(client.closed).toBeUndefined();
  });
});

describe("QoS 2", () => {
  test("[MQTT5-4.3.3-2] [MQTT5-4.3.3-4] [MQTT5-2.2.1-5] [MQTT311-4.3.3-1] PUBLISH, PUBREC, PUBREL, PUBCOMP under one Packet Identifier", () => {
    const { client, publisher } = pair();
    publisher.publish("t", "x", { qos: 2 });
    expect(plain(client.take())).toEqual([{ type: PUBLISH, topic: "t", qos: 2, retain: false, dup: false, packetId: 1, payload: "x" }]);
    client.pubrec(1);
    expect(plain(client.take())).toEqual([{ type: PUBREL, packetId: 1, reasonCode: 0 }]);
    expect(client.connection.session.inflight).toBe(1);
    client.pubcomp(1);
    expect(client.take()).toEqual([]);
    expect(client.connection.session.inflight).toBe(0);
  });

  test("a repeated PUBREC is answered by PUBREL again", () => {
    const { client, publisher } = pair();
    publisher.publish("t", "x", { qos: 2 });
    client.take();
    client.pubrec(1);
    client.pubrec(1);
    expect(plain(client.take())).toEqual([
      { type: PUBREL, packetId: 1, reasonCode: 0 },
      { type: PUBREL, packetId: 1, reasonCode: 0 },
    ]);
  });

  test("[5.0/3.6.2.1/unknown] a PUBREC for an unknown Packet Identifier gets PUBREL 0x92, in 3.1.1 a plain PUBREL", () => {
    const world = new World();
    for (const [version, reasonCode] of [
      [5, 0x92],
      [4, 0],
    ] as const) {
      const client = world.connect(`v${version}`, { version });
      client.take();
      client.pubrec(7);
      expect(plain(client.take())).toEqual([{ type: PUBREL, packetId: 7, reasonCode }]);
    }
  });

  test("[MQTT5-4.4.0-2] [5.0/2.2.1/release] a PUBREC with an error ends the exchange and frees the window", () => {
    const { client, publisher } = pair({ limits: { inflightMax: 1 } });
    publisher.publish("t", "1", { qos: 2 });
    publisher.publish("t", "2", { qos: 2 });
    client.take();
    client.pubrec(1, 0x83);
    expect(plain(client.take()).map(({ type, packetId }) => [type, packetId])).toEqual([[PUBLISH, 2]]);
  });

  test("[MQTT311-4.6.0-4] PUBRELs leave in the order of the PUBRECs", () => {
    const { client, publisher } = pair();
    for (let count = 0; count < 3; count += 1) publisher.publish("t", "x", { qos: 2 });
    client.take();
    for (const packetId of [2, 3, 1]) client.pubrec(packetId);
    expect(plain(client.take()).map(({ packetId }) => packetId)).toEqual([2, 3, 1]);
  });
});

describe("window", () => {
  test("[MQTT5-3.3.4-9] [MQTT5-4.9.0-1] [MQTT5-4.9.0-2] the client's Receive Maximum bounds what is unacknowledged", () => {
    const { client, publisher } = pair({}, { properties: { receiveMaximum: 2 } });
    for (const text of ["1", "2", "3", "4"]) publisher.publish("t", text, { qos: text === "2" ? 2 : 1 });
    expect(client.texts()).toEqual(["1", "2"]);
    client.puback(1);
    expect(client.texts()).toEqual(["3"]);
    // [5.0/4.9/refill] PUBREC frees nothing, PUBCOMP does.
    client.pubrec(2);
    expect(client.texts()).toEqual([]);
    client.pubcomp(2);
    expect(client.texts()).toEqual(["4"]);
  });

  test("[MQTT5-3.3.4-10] [MQTT5-4.9.0-3] a full window holds up no other packets and no QoS 0", () => {
    const { client, publisher } = pair({}, { properties: { receiveMaximum: 1 } });
    publisher.publish("t", "1", { qos: 1 });
    publisher.publish("t", "2", { qos: 1 });
    client.take();
    publisher.publish("t", "0");
    client.send({ type: 12 });
    client.publish("u", "x", { qos: 1 });
    client.subscribe("v");
    expect(client.take().map(({ type }) => type)).toEqual([PUBLISH, 13, 4, 9]);
  });

  test("our own bound counts where the client's Receive Maximum is larger", () => {
    const { client, publisher } = pair({ limits: { inflightMax: 3 } });
    for (let count = 0; count < 5; count += 1) publisher.publish("t", "x", { qos: 1 });
    expect(client.messages().length).toBe(3);
  });

  test("large messages wait for acknowledgements although their number is small", () => {
    const { client, publisher } = pair();
    for (const text of ["1", "2", "3", "4", "5"]) publisher.publish("t", text.repeat(400 * 1024), { qos: 2 });
    expect(client.messages().map(({ packetId }) => packetId)).toEqual([1, 2, 3]);
    client.pubrec(1);
    client.pubcomp(1);
    expect(client.messages().map(({ packetId }) => packetId)).toEqual([4]);
  });

  test("[5.0/4.9/refill] acknowledgements out of order and unknown ones never widen the window", () => {
    const { client, publisher } = pair({}, { properties: { receiveMaximum: 2 } });
    for (let count = 0; count < 6; count += 1) publisher.publish("t", String(count), { qos: 1 });
    client.take();
    for (const packetId of [2, 2, 2, 77]) client.puback(packetId);
    expect(client.messages().map(({ packetId }) => packetId)).toEqual([3]);
    client.puback(1);
    expect(client.messages().map(({ packetId }) => packetId)).toEqual([4]);
  });
});

describe("queue", () => {
  test("a full queue drops its oldest message that is not in flight", () => {
    const { world, client, publisher } = pair({ limits: { inflightMax: 1, queueMessagesMax: 2 } });
    for (const text of ["1", "2", "3", "4", "5"]) publisher.publish("t", text, { qos: 1 });
    expect(client.texts()).toEqual(["1"]);
    // First its publishers wait.
    world.advance(SLOW_MS_MAX);
    for (const packetId of [1, 4, 5]) client.puback(packetId);
    expect(client.texts()).toEqual(["4", "5"]);
    expect(world.sessions[0]!.core.counters.messagesDropped.queue_full).toBe(2);
  });

  test("bytes are bounded as well, and a dropped message frees its bytes", () => {
    const { client, publisher } = pair({ limits: { inflightMax: 1, packetBytesMax: 200, queueBytesMax: 250 } });
    publisher.publish("t", "in flight", { qos: 1 });
    for (const text of ["a", "b", "c"]) publisher.publish("t", text.repeat(100), { qos: 1 });
    client.take();
    const { session } = client.connection;
    expect([session.queued.length, session.queuedBytes]).toEqual([2, 202]);
    client.puback(1);
    expect(client.texts()).toEqual(["b".repeat(100)]);
    expect(session.queuedBytes).toBe(101);
    client.puback(3);
    expect(session.queuedBytes).toBe(0);
  });

  test("[MQTT5-4.5.0-1] [MQTT311-3.1.2-5] [5.0/4.1/qos0] offline sessions queue QoS 1 and 2, not QoS 0", () => {
    const world = new World();
    const client = world.connect("c", { properties: { sessionExpiryInterval: 100 } });
    client.subscribe("t", 2);
    client.lose();
    const publisher = world.connect("p");
    for (const qos of [0, 1, 2] as const) publisher.publish("t", String(qos), { qos });
    const again = world.connect("c", { clean: false });
    expect(again.texts()).toEqual(["1", "2"]);
  });
});

describe("Message Expiry", () => {
  test("[MQTT5-3.3.2-5] [MQTT5-3.3.2-6] what expired in the queue is never sent; what is sent tells the seconds that are left", () => {
    const { world, client, publisher } = pair({ limits: { inflightMax: 1 } });
    publisher.publish("t", "1", { qos: 1 });
    publisher.publish("t", "short", { qos: 1, properties: { messageExpiryInterval: 5 } });
    publisher.publish("t", "long", { qos: 1, properties: { messageExpiryInterval: 60 } });
    publisher.publish("t", "endless", { qos: 1 });
    client.take();
    world.advance(5000);
    client.puback(1);
    const [long] = client.messages();
    expect([new TextDecoder().decode(long!.payload), long!.properties.messageExpiryInterval]).toEqual(["long", 55]);
    client.puback(3);
    // [5.0/3.3.2.3.3/absent]
    expect(client.messages()[0]!.properties).toEqual({});
    expect(world.sessions[0]!.core.counters.messagesDropped).toEqual({
      memory: 0,
      unread: 0,
      queue_full: 0,
      too_large: 0,
      not_authorized: 0,
      refused: 0,
      session_ended: 0,
      expired: 1,
    });
  });

  test("[MQTT5-3.3.2-6] only whole seconds count, and the last second is told as 1", () => {
    const { world, client, publisher } = pair({ limits: { inflightMax: 1 } });
    publisher.publish("t", "1", { qos: 1 });
    for (let count = 0; count < 3; count += 1) publisher.publish("t", "x", { qos: 1, properties: { messageExpiryInterval: 2 } });
    client.take();
    const seconds: unknown[] = [];
    for (const [packetId, ms] of [
      [1, 999],
      [2, 1],
      [3, 999],
    ] as const) {
      world.advance(ms);
      client.puback(packetId);
      seconds.push(client.messages()[0]!.properties.messageExpiryInterval);
    }
    expect(seconds).toEqual([2, 1, 1]);
  });

  test("[MQTT5-3.3.2-5] an interval of 0 and a QoS 0 message that is too late reach nobody", () => {
    const { world, client, publisher } = pair();
    for (const qos of [0, 1, 2] as const) publisher.publish("t", "x", { qos, properties: { messageExpiryInterval: 0 } });
    expect(world.sessions[0]!.core.counters).toMatchObject({ messagesDelivered: 0, messagesDropped: { expired: 3 } });
    expect(client.messages()).toEqual([]);
    expect(client.connection.session.deliveries.size).toBe(0);
  });

  test("[MQTT5-3.3.2-5] a retained message with an interval of 0 takes the place of the one before and is given to nobody", () => {
    const world = new World();
    const publisher = world.connect("p");
    publisher.publish("t", "before", { qos: 1, retain: true });
    publisher.publish("t", "x", { qos: 1, retain: true, packetId: 2, properties: { messageExpiryInterval: 0 } });
    expect(plain(publisher.take()).slice(-1)).toMatchObject([{ type: 4, packetId: 2 }]);
    const client = world.connect("c");
    client.subscribe("t", 1);
    expect(client.messages()).toEqual([]);
  });

  test("[MQTT5-4.3.3-7] [MQTT5-4.3.3-13] an exchange that has begun is finished although the message expired", () => {
    const world = new World();
    const persistent = { clean: false, properties: { sessionExpiryInterval: 1000 } };
    const client = world.connect("c", persistent);
    client.subscribe("t", 2);
    world.connect("p").publish("t", "x", { qos: 2, properties: { messageExpiryInterval: 2 } });
    client.lose();
    world.advance(10_000);
    const again = world.connect("c", persistent);
    expect(plain(again.messages()).map(({ dup, packetId }) => [dup, packetId])).toEqual([[true, 1]]);
    again.pubrec(1);
    again.lose();
    const third = world.connect("c", persistent);
    expect(plain(third.take()).slice(1)).toEqual([{ type: PUBREL, packetId: 1, reasonCode: 0 }]);
  });
});

describe("Maximum Packet Size of the client", () => {
  test("[MQTT5-3.1.2-24] [MQTT5-3.1.2-25] a message that is too large is dropped and takes no place; what fits to the byte is sent", () => {
    // Fixed header 2, topic 3, Packet Identifier 2, property length 1: 8 bytes around the payload.
    const { world, client, publisher } = pair({}, { properties: { maximumPacketSize: 50, receiveMaximum: 1 } });
    publisher.publish("t", "y".repeat(43), { qos: 1 });
    publisher.publish("t", "x".repeat(42), { qos: 2 });
    publisher.publish("t", "z".repeat(45));
    publisher.publish("t", "0".repeat(44));
    expect(client.messages().map(({ payload }) => payload.length)).toEqual([42, 44]);
    expect(client.connection.session.inflight).toBe(1);
    expect(world.sessions[0]!.core.counters.messagesDropped.too_large).toBe(2);
  });

  test("[MQTT5-3.1.2-25] a message in the queue that is too large does not hold up those behind it", () => {
    const { client, publisher } = pair({}, { properties: { maximumPacketSize: 50, receiveMaximum: 1 } });
    publisher.publish("t", "1", { qos: 1 });
    publisher.publish("t", "x".repeat(100), { qos: 1 });
    publisher.publish("t", "3", { qos: 1 });
    client.take();
    client.puback(1);
    expect(client.texts()).toEqual(["3"]);
  });

  test.each(["t", "topic"])("[MQTT5-3.1.2-25] [MQTT5-3.1.2-27] what fits without a Topic Alias is sent without: %s", (topic) => {
    const { world, client, publisher } = pair({}, { properties: { maximumPacketSize: 50, topicAliasMaximum: 10 } });
    client.subscribe(topic, 2);
    client.take();
    const most = "x".repeat(43 - topic.length);
    const sent = (payload: string, qos: 0 | 1 | 2): readonly (readonly [topic: string, alias: number | undefined, bytes: number])[] => {
      publisher.publish(topic, payload, { qos });
      return client.messages().map((each) => [each.topic, each.properties.topicAlias, each.payload.length]);
    };
    for (const qos of [1, 2, 1, 0] as const) expect(sent(most, qos)).toEqual([[topic, undefined, most.length]]);
    // The alias is still to be given, and is used where there is room for it.
    expect(sent("short", 1)).toEqual([[topic, 1, 5]]);
    expect(sent("short", 1)).toEqual([["", 1, 5]]);
    // In place of a topic of one byte it takes three.
    expect(sent(most, 2)).toEqual([topic.length < 3 ? [topic, undefined, most.length] : ["", 1, most.length]]);
    expect(world.sessions[0]!.core.counters.messagesDropped.too_large).toBe(0);
  });

  test("[MQTT5-3.9.2-1] [MQTT5-3.14.2-3] explanations are left out where the packet would be too large with them", () => {
    const authorizer = { ...ALL_RIGHTS, maySubscribe: () => false };
    const world = new World({ authorizer });
    const client = world.connect("c", { properties: { maximumPacketSize: 30 } });
    client.take();
    client.subscribe("t");
    client.send({ type: 13 });
    expect(plain(client.take())).toEqual([
      { type: 9, packetId: 1, reasonCodes: [0x87] },
      { type: 14, reasonCode: 0x82 },
    ]);
  });
});

describe.each([3, 4, 5] as const)("an acknowledgement of the wrong kind, version %s", (version) => {
  /** What the client has done with the message before it errs, and how it errs. */
  const errors: readonly [string, 1 | 2, (client: TestClient) => void, (client: TestClient) => void][] = [
    ["PUBREC for QoS 1", 1, () => {}, (client) => client.pubrec(1)],
    ["PUBCOMP for QoS 1", 1, () => {}, (client) => client.pubcomp(1)],
    ["PUBACK for QoS 2", 2, () => {}, (client) => client.puback(1)],
    ["PUBACK for QoS 2 after PUBREC", 2, (client) => client.pubrec(1), (client) => client.puback(1)],
    ["PUBCOMP for QoS 2 without PUBREC", 2, () => {}, (client) => client.pubcomp(1)],
  ];

  test.each(errors)(
    "[MQTT5-4.13.1-1] [MQTT311-4.8.0-1] %s ends the connection; the message is sent again to the next one",
    (_what, qos, before, err) => {
      const world = new World();
      const options = { version, clean: false, properties: version === 5 ? { sessionExpiryInterval: 3600 } : {} };
      const client = world.connect("c", options);
      client.subscribe("t", 2);
      world.connect("p").publish("t", "x", { qos });
      before(client);
      client.take();
      err(client);
      expect(plain(client.take())).toMatchObject(version === 5 ? [{ type: 14, reasonCode: 0x82 }] : []);
      expect(client.closed).toMatchObject({ code: 1002 });
      const [packet, ...more] = plain(world.connect("c", options).take().slice(1));
      expect(more).toEqual([]);
      expect(packet).toMatchObject(before === errors[3]![2] ? { type: PUBREL, packetId: 1 } : { type: PUBLISH, packetId: 1, dup: true });
    },
  );
});
