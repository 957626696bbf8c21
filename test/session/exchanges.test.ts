/** Incoming QoS 2 exchanges that stay unsettled: they are bounded, and none that is under way is forgotten. */

import { expect, test } from "vitest";
import { OPEN_EXCHANGES_MAX } from "../../src/limits.ts";
import { PUBREC } from "../../src/mqtt/packet.ts";
import { type TestClient, World } from "../support/core-harness.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 100_000 } };

const answers = (client: TestClient): number[] => client.take().flatMap((packet) => (packet.type === PUBREC ? [packet.reasonCode] : []));

test("while the oldest is under way who has begun many exchanges is refused more, and others find room; then there is room again", () => {
  const world = new World({ auto: false, wiring: "batched", limits: { receiveMaximum: 65_535 } });
  const [greedy, second, modest] = ["greedy", "second", "modest"].map((clientId) => world.connect(clientId, DURABLE));
  world.settle();
  const { core } = world.sessions[0]!;
  const begin = (client: TestClient, count: number): number => {
    const before = core.openExchanges.size;
    for (let packetId = 1; packetId <= count; packetId += 1) client.publish("t", "x", { qos: 2, packetId });
    return core.openExchanges.size - before;
  };
  // Nothing moves: the Topic object does not answer.
  const most = Math.ceil((OPEN_EXCHANGES_MAX * 2) / 3);
  expect(Math.abs(begin(greedy!, OPEN_EXCHANGES_MAX) - most)).toBeLessThanOrEqual(1);
  const left = OPEN_EXCHANGES_MAX - core.openExchanges.size;
  expect(Math.abs(begin(second!, OPEN_EXCHANGES_MAX) - (left * 2) / 3)).toBeLessThanOrEqual(1);
  expect(begin(modest!, 100)).toBe(100);
  for (const client of [greedy!, second!, modest!]) client.take();
  world.settle();
  const refused = [greedy!, second!, modest!].map((client) => answers(client).filter((code) => code >= 0x80));
  expect(refused.map((codes) => new Set(codes))).toEqual([new Set([0x83]), new Set([0x83]), new Set()]);
  greedy!.publish("t", "again", { qos: 2, packetId: OPEN_EXCHANGES_MAX });
  world.settle();
  expect(answers(greedy!)).toEqual([expect.toSatisfy((code) => code < 0x80)]);
});

test("many clients together can't have more exchanges than receivers remember", () => {
  const world = new World({ auto: false, wiring: "batched" });
  const clients = Array.from({ length: 50 }, (_, index) => world.connect(`p${index}`, DURABLE));
  world.settle();
  for (const client of clients) {
    for (let packetId = 1; packetId <= 100; packetId += 1) client.publish("t", "x", { qos: 2, packetId });
  }
  const { core } = world.sessions[0]!;
  expect(core.openExchanges.size).toBeGreaterThan(OPEN_EXCHANGES_MAX - 100);
  expect(core.openExchanges.size).toBeLessThanOrEqual(OPEN_EXCHANGES_MAX);
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
