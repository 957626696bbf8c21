/** Bridges of 3.x, which say so in bit 7 of the Protocol Level: what they mean by it, also after a sleep. */

import { expect, test } from "vitest";
import { decodeAttachment } from "../../src/session/attachment.ts";
import { type TestClient, World } from "../support/core-harness.ts";

const seen = (client: TestClient): unknown[] => client.messages().map(({ topic, retain }) => `${topic}${retain ? " retained" : ""}`);

test.each([3, 4] as const)("what a bridge of version %s brought does not come back to it, and RETAIN says what is retained", (version) => {
  const world = new World();
  const bridge = world.connect("b", { version, bridge: true });
  const other = world.connect("o", { version });
  for (const client of [bridge, other]) client.subscribe("#", 1);
  bridge.publish("in", "x", { qos: 1, packetId: 9, retain: true });
  other.publish("out", "x", { qos: 1, packetId: 9, retain: true });
  expect(seen(bridge)).toEqual(["out retained"]);
  expect(seen(other)).toEqual(["in", "out"]);
});

test("a bridge gets its share of a shared subscription, of what it brought as well", () => {
  const world = new World();
  const bridge = world.connect("b", { version: 4, bridge: true });
  bridge.subscribe("$share/g/t", 0);
  bridge.publish("t", "x", { retain: true });
  expect(seen(bridge)).toEqual(["t retained"]);
});

test("a bridge is still one after its object has slept", () => {
  const world = new World();
  const bridge = world.connect("b", { version: 4, bridge: true });
  expect(decodeAttachment(bridge.wire.attachment!).facts.bridge).toBe(true);
  bridge.node.hibernate();
  bridge.subscribe("t", 0);
  bridge.publish("t", "x");
  expect(seen(bridge)).toEqual([]);
});
