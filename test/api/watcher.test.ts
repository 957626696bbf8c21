/** What one who watches a client is told: a bounded number of packets in each second, in a bounded size, and what was left out. */

import { expect, it } from "vitest";
import { SUBSCRIBE } from "../../src/mqtt/packet.ts";
import { packetView } from "../../src/objects/packet-view.ts";
import { Watcher } from "../../src/objects/tap.ts";
import { TRACED_BYTES_MAX, TRACED_PACKETS_PER_SECOND } from "../../src/work-limits.ts";

function watcher() {
  const told: string[] = [];
  const watcher = new Watcher({ send: (text: string) => told.push(text) } as unknown as WebSocket);
  return { watcher, told, last: () => JSON.parse(told.at(-1)!) as Record<string, unknown> };
}

const LONG = "x".repeat(TRACED_BYTES_MAX);

it("what was left out in one second is said with the first packet of the next, also where that is too large to be told whole", () => {
  const { watcher: tap, told, last } = watcher();
  for (let count = 0; count < TRACED_PACKETS_PER_SECOND + 1; count += 1) tap.tell(1000, { direction: "in", packet: "PINGREQ" });
  expect(told).toHaveLength(TRACED_PACKETS_PER_SECOND);
  tap.tell(2000, { direction: "in", packet: "PUBLISH", topic: LONG });
  expect(last()).toMatchObject({ cut: true, left_out: 1 });
  tap.tell(2000, { direction: "in", packet: "PINGREQ" });
  expect(last()).not.toHaveProperty("left_out");
});

it("of what is too large it is told what is short, and the beginning of what is not", () => {
  const { watcher: tap, told, last } = watcher();
  tap.tell(0, {
    direction: "in",
    packet: "PUBLISH",
    topic: LONG,
    qos: 1,
    retain: false,
    packet_id: 7,
    properties: { content_type: "a" },
    size: 1,
  });
  const { topic, ...others } = last();
  expect(others).toEqual({ time: 0, direction: "in", packet: "PUBLISH", qos: 1, retain: false, packet_id: 7, size: 1, cut: true });
  expect(topic).toMatch(/^x{100,} …$/);
  tap.tell(0, {
    direction: "in",
    packet: "CONNECT",
    proto_ver: 5,
    clean_start: true,
    keepalive: 60,
    username: null,
    properties: { a: LONG },
  });
  expect(last()).toMatchObject({ proto_ver: 5, clean_start: true, keepalive: 60, username: null, cut: true });
  const subscriptions = Array.from({ length: 100 }, (_, index) => ({
    filter: `${index}/${"y".repeat(170)}`,
    qos: 1 as const,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0 as const,
  }));
  tap.tell(0, { direction: "in", ...packetView({ type: SUBSCRIBE, packetId: 1, subscriptions, properties: {} }), size: 20_000 });
  expect(last()).toEqual({ time: 0, direction: "in", packet: "SUBSCRIBE", packet_id: 1, size: 20_000, cut: true });
  for (const text of told) expect(text.length).toBeLessThan(TRACED_BYTES_MAX);
});
