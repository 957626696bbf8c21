/** Who gets a message, and in which form: overlapping subscriptions, options, identifiers. */

import { describe, expect, test } from "vitest";
import { World } from "../support/core-harness.ts";

const both = ["direct", "batched"] as const;

describe.each(both)("matching, %s", (wiring) => {
  const world = (): World => new World({ wiring });

  test("[MQTT5-3.3.2-3] [MQTT311-3.3.2-3] only clients with a matching filter get a message", () => {
    const w = world();
    const a = w.connect("a");
    const b = w.connect("b");
    const publisher = w.connect("p");
    a.subscribe("sensors/+/temperature");
    b.subscribe("sensors/#");
    a.take();
    b.take();
    publisher.publish("sensors/1/temperature", "t");
    publisher.publish("sensors/1/humidity", "h");
    publisher.publish("other", "o");
    expect(a.texts()).toEqual(["t"]);
    expect(b.texts()).toEqual(["t", "h"]);
  });

  test("[MQTT5-3.3.4-2] [MQTT311-3.3.5-1] overlapping filters give one copy at the highest QoS, whatever their order", () => {
    for (const order of [
      ["a/#", 2, "a/b", 0],
      ["a/#", 0, "a/b", 2],
      ["a/+", 1, "a/b", 2],
    ] as const) {
      const w = world();
      const client = w.connect("c");
      client.subscribe(order[0], order[1]);
      client.subscribe(order[2], order[3]);
      client.take();
      w.connect("p").publish("a/b", "x", { qos: 2 });
      expect(client.messages().map(({ qos }) => qos)).toEqual([2]);
    }
  });

  test("[MQTT5-3.8.4-8] [MQTT311-3.8.4-6] a message is delivered at the lower of both QoS", () => {
    const w = world();
    const clients = ([0, 1, 2] as const).map((qos) => {
      const client = w.connect(`c${qos}`);
      client.subscribe("t", qos);
      client.take();
      return client;
    });
    const publisher = w.connect("p");
    for (const qos of [0, 1, 2] as const) publisher.publish("t", "x", { qos });
    expect(clients.map((client) => client.messages().map(({ qos }) => qos))).toEqual([
      [0, 0, 0],
      [0, 1, 1],
      [0, 1, 2],
    ]);
  });

  test("[MQTT5-3.8.3-3] No Local keeps a client's own messages from that subscription, and only those", () => {
    const w = world();
    const client = w.connect("c");
    client.subscribe("t", 0, { noLocal: true });
    client.take();
    client.publish("t", "own");
    w.connect("p").publish("t", "foreign");
    expect(client.texts()).toEqual(["foreign"]);
    client.subscribe("+", 1);
    client.take();
    client.publish("t", "own, by another subscription", { qos: 1 });
    expect(client.messages().map(({ qos }) => qos)).toEqual([1]);
  });

  test("[MQTT5-3.8.3-3] a message that No Local held back leaves the interest standing", () => {
    const w = world();
    const client = w.connect("c");
    client.subscribe("t", 0, { noLocal: true });
    client.publish("t", "own");
    client.take();
    w.connect("p").publish("t", "foreign");
    expect(client.texts()).toEqual(["foreign"]);
  });

  test("[MQTT5-3.3.1-12] [MQTT5-3.3.1-13] [MQTT311-3.3.1-9] RETAIN of live messages follows Retain As Published", () => {
    const w = world();
    const keeps = w.connect("keeps");
    const clears = w.connect("clears");
    const old = w.connect("old", { version: 4 });
    keeps.subscribe("t", 0, { retainAsPublished: true });
    clears.subscribe("t");
    old.subscribe("t");
    for (const client of [keeps, clears, old]) client.take();
    const publisher = w.connect("p");
    publisher.publish("t", "r", { retain: true });
    publisher.publish("t", "n");
    expect(keeps.messages().map(({ retain }) => retain)).toEqual([true, false]);
    expect(clears.messages().map(({ retain }) => retain)).toEqual([false, false]);
    expect(old.messages().map(({ retain }) => retain)).toEqual([false, false]);
  });

  test("[MQTT5-3.3.4-3] [MQTT5-3.3.4-4] [5.0/3.3.4/same-id] one copy carries the identifiers of all matching subscriptions", () => {
    const w = world();
    const client = w.connect("c");
    client.subscribe("a/b", 1, { identifier: 7 });
    client.subscribe("a/+", 1, { identifier: 268_435_455 });
    client.subscribe("a/#", 0, { identifier: 7 });
    client.subscribe("#", 0);
    client.take();
    w.connect("p").publish("a/b", "x", { qos: 1 });
    w.connect("q").publish("a/b", "x");
    const identifiers = client.messages().map(({ properties }) => [...(properties.subscriptionIdentifiers ?? [])].sort());
    expect(identifiers).toEqual([
      [268_435_455, 7, 7],
      [268_435_455, 7, 7],
    ]);
  });

  test("[5.0/3.8.2.1.2/stored] subscribing again without an identifier removes it", () => {
    const w = world();
    const client = w.connect("c");
    client.subscribe("t", 0, { identifier: 7 });
    client.subscribe("t", 0);
    client.take();
    w.connect("p").publish("t", "x");
    expect(client.messages()[0]!.properties.subscriptionIdentifiers).toBeUndefined();
  });

  test("[5.0/compat/props] 3.1.1 subscribers get the 3.1.1 form", () => {
    const w = world();
    const old = w.connect("old", { version: 4 });
    old.subscribe("t", 1);
    old.take();
    w.connect("p").publish("t", "x", { qos: 1, properties: { contentType: "text/plain", userProperties: [["a", "b"]] } });
    const [message] = old.messages();
    expect(message!.properties).toEqual({});
    expect(message!.payload).toEqual(new Uint8Array([0x78]));
  });

  test("[MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-18] [MQTT5-3.3.2-20] properties arrive as they were", () => {
    const w = world();
    const client = w.connect("c");
    client.subscribe("t");
    client.take();
    const properties = {
      payloadFormatIndicator: 1,
      contentType: "text/plain",
      responseTopic: "answers/1",
      correlationData: new Uint8Array([0, 255, 1]),
      userProperties: [
        ["b", "1"],
        ["a", "2"],
        ["b", "1"],
      ] as const,
    };
    w.connect("p").publish("t", "x", { properties });
    expect(client.messages()[0]!.properties).toEqual(properties);
  });

  test("[MQTT5-4.7.2-1] [MQTT311-4.7.2-1] # and + do not match topics that begin with $", () => {
    const w = world();
    const all = w.connect("all");
    const system = w.connect("system");
    all.subscribe("#");
    all.subscribe("+/x");
    system.subscribe("$SYS/#");
    all.take();
    system.take();
    w.connect("p").publish("$SYS/x", "s");
    expect(all.texts()).toEqual([]);
    expect(system.texts()).toEqual(["s"]);
  });
});

test("[MQTT5-4.6.0-5] [MQTT5-4.6.0-6] [MQTT311-4.6.0-5] [MQTT311-4.6.0-6] messages of a publisher on one topic keep their order, per QoS", () => {
  const w = new World({ wiring: "batched", sessionObjects: 3, topicObjects: 2 });
  const subscribers = [0, 1, 2].map((at) => {
    const client = w.connect(`s${at}`, { at });
    client.subscribe("t", 2);
    client.take();
    return client;
  });
  const publisher = w.connect("p", { at: 1 });
  const texts = [...Array(90).keys()].map(String);
  for (const text of texts) publisher.publish("t", text, { qos: (Number(text) % 3) as 0 | 1 | 2 });
  for (const client of subscribers) {
    const got: string[] = [];
    for (let fresh = client.messages(); fresh.length > 0; fresh = client.messages()) {
      for (const { payload, qos, packetId } of fresh) {
        got.push(new TextDecoder().decode(payload));
        if (qos === 1) client.puback(packetId);
        if (qos === 2) {
          client.pubrec(packetId);
          client.pubcomp(packetId);
        }
      }
    }
    for (const qos of [0, 1, 2]) {
      const mine = texts.filter((text) => Number(text) % 3 === qos);
      expect(got.filter((text) => Number(text) % 3 === qos)).toEqual(mine);
    }
  }
});
