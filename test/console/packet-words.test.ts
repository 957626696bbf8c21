/** What the console says of a packet in a line. */

import { expect, it } from "vitest";
import { isBad, wordsOf } from "../../src/console/clients/packet-words.ts";

it.each([
  ["CONNECT", { proto_ver: 5, clean_start: true, keepalive: 60, username: null }, "MQTT 5.0 · Clean Start · Keep Alive 60 s"],
  ["PUBLISH", { topic: "a/b", qos: 1, retain: true, packet_id: 3, size: 12 }, "a/b · QoS 1 · retain · id 3 · 12 bytes"],
  ["PUBLISH", { topic: "", qos: 0, retain: false }, "QoS 0"],
  ["SUBSCRIBE", { packet_id: 1, filters: [{ topic: "a/#", qos: 2 }] }, "a/# (QoS 2) · id 1"],
  ["UNSUBSCRIBE", { packet_id: 2, filters: [{ topic: "a" }, { topic: "b" }] }, "a · b · id 2"],
  ["SUBACK", { packet_id: 1, reason_codes: [1, 0x87] }, "granted QoS 1, not authorized (0x87) · id 1"],
])("%s %j", (packet, fields, words) => {
  expect(wordsOf(packet, fields)).toBe(words);
});

it.each(["SUBSCRIBE", "UNSUBSCRIBE", "CONNECT", "CONNACK", "PUBLISH", "malformed"])(
  "%s that is cut has no words for what is not there",
  (packet) => {
    expect(wordsOf(packet, { packet_id: 1, size: 20_000, cut: true })).toMatch(/^id 1 · too large to be told whole( · 19\.5 KiB)?$/);
    expect(isBad(packet, { cut: true })).toBe(packet === "malformed");
  },
);
