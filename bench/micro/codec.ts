/**
 * Decoding and encoding of small PUBLISH packets next to npm `mqtt-packet`, in the same run.
 * Each row is the median of several rounds in which both sides take turns, so that a noisy machine hits both alike.
 */

import mqttPacket from "mqtt-packet";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { NO_PROPERTIES, PUBLISH, type Publish, type QoS } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { type MicroRow, median } from "../results.ts";

const PACKETS = 20_000;
const ROUNDS = 15;
const PACKETS_PER_CHUNK = 1;
const TOPIC = "home/kitchen/sensor7";
const PAYLOAD = new Uint8Array(64).fill(0x61);

/** Nanoseconds for each packet. */
function measure(run: () => number): number {
  const start = process.hrtime.bigint();
  const packets = run();
  return Number(process.hrtime.bigint() - start) / packets;
}

/** Something read from every packet, so that no work can be left out. */
let sink = 0;

function publish(qos: QoS): Publish {
  const packetId = qos === 0 ? 0 : 4711;
  return {
    type: PUBLISH,
    dup: false,
    qos,
    retain: false,
    topic: TOPIC,
    packetId,
    properties: NO_PROPERTIES,
    propertyBytes: new Uint8Array(0),
    payload: PAYLOAD,
  };
}

function decodeRuns(version: 4 | 5, qos: QoS): [ours: () => number, theirs: () => number] {
  const one = encodePacket(publish(qos), version);
  const buffer = Buffer.concat(new Array(PACKETS_PER_CHUNK).fill(one));
  // As a WebSocket hands it over; a Buffer's views cost more.
  const chunk = new Uint8Array(buffer);
  const stream = new PacketStream(1_048_576);
  const ours = (): number => {
    for (let i = 0; i < PACKETS; i += PACKETS_PER_CHUNK) {
      stream.push(chunk);
      for (let bytes = stream.next(); bytes instanceof Uint8Array; bytes = stream.next()) {
        const packet = decodePacket(bytes, version);
        if (packet.type !== PUBLISH) throw new Error("expected a PUBLISH");
        sink += packet.payload.length + packet.topic.length;
      }
    }
    return PACKETS;
  };
  const parser = mqttPacket.parser({ protocolVersion: version });
  parser.on("packet", (packet) => {
    if (packet.cmd !== "publish") throw new Error("expected a PUBLISH");
    sink += packet.payload.length + packet.topic.length;
  });
  const theirs = (): number => {
    for (let i = 0; i < PACKETS; i += PACKETS_PER_CHUNK) parser.parse(buffer);
    return PACKETS;
  };
  return [ours, theirs];
}

function encodeRuns(version: 4 | 5, qos: QoS): [ours: () => number, theirs: () => number] {
  const packet = publish(qos);
  const ours = (): number => {
    for (let i = 0; i < PACKETS; i++) sink += encodePacket(packet, version).length;
    return PACKETS;
  };
  const payload = Buffer.from(PAYLOAD);
  const theirPacket = { cmd: "publish", topic: TOPIC, payload, qos, messageId: packet.packetId, dup: false, retain: false } as const;
  const options = { protocolVersion: version };
  const theirs = (): number => {
    for (let i = 0; i < PACKETS; i++) sink += mqttPacket.generate(theirPacket, options).length;
    return PACKETS;
  };
  return [ours, theirs];
}

export function measureCodec(rounds = ROUNDS): MicroRow[] {
  const rows: MicroRow[] = [];
  for (const [direction, runs] of [
    ["decode", decodeRuns],
    ["encode", encodeRuns],
  ] as const) {
    for (const version of [4, 5] as const) {
      for (const qos of [0, 1] as const) {
        const [ours, theirs] = runs(version, qos);
        measure(ours);
        measure(theirs);
        const own: number[] = [];
        const other: number[] = [];
        for (let round = 0; round < rounds; round++) {
          own.push(measure(ours));
          other.push(measure(theirs));
        }
        const [mine, others] = [median(own), median(other)];
        const what = `${direction} a PUBLISH of 64 bytes, ${version === 5 ? "5.0" : "3.1.1"}, QoS ${qos}`;
        rows.push({
          what,
          value: mine,
          unit: "ns",
          other: `mqtt-packet ${others.toFixed(0)} ns, ${(others / mine).toFixed(1)} times as long`,
        });
      }
    }
  }
  if (sink === 0) throw new Error("nothing was measured");
  return rows;
}
