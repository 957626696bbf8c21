/** One session, resumed by clients of different versions: each sees what its own version knows. */

import { describe, expect, test } from "vitest";
import { type TestClient, World } from "../support/core-harness.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };
const OLD = { clean: false, version: 4 } as const;

/** What came, acknowledged: topic, whether RETAIN is set, and the Subscription Identifiers. */
function seen(client: TestClient): string[] {
  return client.messages().map(({ packetId, qos, topic, retain, properties }) => {
    if (qos === 1) client.puback(packetId);
    return [topic, retain ? "RETAIN" : "", ...(properties.subscriptionIdentifiers ?? [])].filter((part) => part !== "").join(" ");
  });
}

const OPTIONS = { noLocal: true, retainAsPublished: true, identifier: 7 };

describe.each([3, 4] as const)("a session of 5.0 that a client of version %s resumes", (version) => {
  test("[MQTT311-3.3.1-9] [MQTT311-3.3.1-8] [MQTT5-3.3.1-13] live messages have RETAIN 0, those for a new subscription RETAIN 1", () => {
    const world = new World();
    const publisher = world.connect("p");
    const five = world.connect("c", KEPT);
    five.subscribe("t/0", 0, OPTIONS);
    five.subscribe("t/1", 1, OPTIONS);
    publisher.publish("t/1", "x", { qos: 1, retain: true });
    expect(seen(five)).toEqual(["t/1 RETAIN 7"]);
    five.lose();
    publisher.publish("t/1", "while it was away", { qos: 1, retain: true });
    const old = world.connect("c", { clean: false, version });
    // 3.1 does not say it.
    expect(old.connack.sessionPresent).toBe(version === 4);
    expect(seen(old)).toEqual(["t/1"]);
    for (const qos of [0, 1] as const) publisher.publish(`t/${qos}`, "x", { qos, retain: true });
    expect(seen(old)).toEqual(["t/0", "t/1"]);
    old.subscribe("t/+", 1);
    expect(seen(old).sort()).toEqual(["t/0 RETAIN", "t/1 RETAIN"]);
  });

  test.each(["hibernates", "crashes"] as const)("[MQTT311-3.3.1-9] RETAIN is as right after its object %s, for what waited then", (how) => {
    const world = new World({ limits: { inflightMax: 1 } });
    const publisher = world.connect("p");
    const five = world.connect("c", KEPT);
    five.subscribe("t", 1, OPTIONS);
    five.lose();
    for (const payload of ["1", "2"]) publisher.publish("t", payload, { qos: 1, retain: true });
    let old = world.connect("c", { clean: false, version });
    expect(old.messages().map(({ retain }) => retain)).toEqual([false]);
    if (how === "hibernates") {
      old.node.hibernate();
      old.puback(1);
    } else {
      old.node.crash();
      old = world.connect("c", { clean: false, version });
      old.messages();
      old.puback(1);
    }
    expect(old.messages().map(({ retain, payload }) => [retain, String.fromCharCode(...payload)])).toEqual([[false, "2"]]);
  });

  test("it gets what it publishes itself: 3.x has no No Local", () => {
    const world = new World();
    const five = world.connect("c", KEPT);
    five.subscribe("t", 0, OPTIONS);
    five.publish("t", "x");
    expect(seen(five)).toEqual([]);
    five.lose();
    const old = world.connect("c", { clean: false, version });
    old.publish("t", "x");
    expect(seen(old)).toEqual(["t"]);
  });

  test("its own client of 5.0 finds the options again, and what waited for it meanwhile", () => {
    const world = new World();
    const publisher = world.connect("p");
    const five = world.connect("c", KEPT);
    five.subscribe("t", 1, OPTIONS);
    five.lose();
    world.connect("c", { clean: false, version }).lose();
    publisher.publish("t", "x", { qos: 1, retain: true });
    const again = world.connect("c", KEPT);
    expect(seen(again)).toEqual(["t RETAIN 7"]);
    again.publish("t", "own", { qos: 1, packetId: 9 });
    expect(seen(again)).toEqual([]);
  });
});

test("[MQTT5-3.3.1-12] a session of 3.1.1 that a client of 5.0 resumes has subscriptions without options, until it subscribes itself", () => {
  const world = new World();
  const publisher = world.connect("p");
  const old = world.connect("c", OLD);
  old.subscribe("t", 1);
  old.lose();
  publisher.publish("t", "x", { qos: 1, retain: true });
  const five = world.connect("c", KEPT);
  expect(five.connack.sessionPresent).toBe(true);
  five.publish("t", "own", { qos: 1, packetId: 9, retain: true });
  expect(seen(five)).toEqual(["t", "t"]);
  five.subscribe("t", 1, { ...OPTIONS, retainHandling: 2 });
  publisher.publish("t", "x", { qos: 1, retain: true });
  five.publish("t", "own", { qos: 1, packetId: 9 });
  expect(seen(five)).toEqual(["t RETAIN 7"]);
});

test("a bridge of 3.x has what its subscriptions mean when it resumes", () => {
  const world = new World();
  const publisher = world.connect("p");
  const bridge = world.connect("b", { ...OLD, bridge: true });
  bridge.subscribe("t", 1);
  bridge.lose();
  publisher.publish("t", "x", { qos: 1, retain: true });
  const again = world.connect("b", { ...OLD, bridge: true });
  again.publish("t", "own", { qos: 1, packetId: 9 });
  expect(seen(again)).toEqual(["t RETAIN"]);
});
