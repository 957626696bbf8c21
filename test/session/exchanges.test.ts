/** Incoming QoS 2 exchanges that stay unsettled: they are bounded, and none that is under way is forgotten. */

import { expect, test } from "vitest";
import { OPEN_EXCHANGES_MAX } from "../../src/limits.ts";
import { PUBREC } from "../../src/mqtt/packet.ts";
import { type TestClient, World } from "../support/core-harness.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 100_000 } };

const answers = (client: TestClient): number[] => client.take().flatMap((packet) => (packet.type === PUBREC ? [packet.reasonCode] : []));

test("one more exchange than receivers remember is refused while the oldest is under way; then there is room again", () => {
  const world = new World({ auto: false, wiring: "batched", limits: { receiveMaximum: 65_535 } });
  const publisher = world.connect("p", DURABLE);
  world.settle();
  publisher.take();
  // Nothing moves: the Topic object does not answer.
  for (let packetId = 1; packetId <= OPEN_EXCHANGES_MAX; packetId += 1) publisher.publish("t", "x", { qos: 2, packetId });
  expect(world.sessions[0]!.core.openExchanges.size).toBe(OPEN_EXCHANGES_MAX);
  const packetId = OPEN_EXCHANGES_MAX + 1;
  publisher.publish("t", "one too many", { qos: 2, packetId });
  expect(world.sessions[0]!.core.openExchanges.size).toBe(OPEN_EXCHANGES_MAX);
  world.settle();
  const codes = answers(publisher);
  expect([codes.length, codes.filter((code) => code >= 0x80)]).toEqual([OPEN_EXCHANGES_MAX + 1, [0x83]]);
  publisher.publish("t", "again", { qos: 2, packetId });
  world.settle();
  expect(answers(publisher).filter((code) => code < 0x80).length).toBe(1);
});

test("what an earlier life left unsettled is given up when its publisher stays away for as many exchanges of others", () => {
  const world = new World({ auto: false, wiring: "batched", sessionObjects: 2 });
  const [node] = world.sessions;
  const subscriber = world.connect("s", { at: 1, ...DURABLE });
  subscriber.subscribe("t", 2);
  const away = world.connect("away", DURABLE);
  world.settle();
  away.publish("t", "left", { qos: 2, packetId: 9 });
  node!.flushRows();
  node!.crash();
  world.settle();
  const other = world.connect("other", DURABLE);
  const { core } = node!;
  const left = [...core.openExchanges.keys()][0]!;
  for (let count = 1; count <= OPEN_EXCHANGES_MAX; count += 1) {
    other.publish("t", "x", { qos: 2, packetId: count });
    if (count % 64 === 0) world.settle();
  }
  expect([core.openExchanges.has(left), core.settledBelow]).toEqual([true, left]);
  world.settle();
  for (let count = 1; count <= OPEN_EXCHANGES_MAX; count += 1) other.pubrel(count);
  other.publish("t", "the last drop", { qos: 2, packetId: 1 });
  world.settle();
  expect([core.openExchanges.has(left), core.openExchanges.size, core.sessions.get("away")!.received.size]).toEqual([false, 0, 0]);
  expect(core.settledBelow).toBeGreaterThan(left);
  // It is on record: a further restart does not bring it back.
  node!.crash();
  expect([...node!.core.openExchanges.keys()]).not.toContain(left);
});
