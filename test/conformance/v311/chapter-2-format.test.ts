/** Chapter 2 of MQTT 3.1.1: fixed header, Remaining Length, Packet Identifiers. */

import { expect, it } from "vitest";
import { readVariableByteInteger } from "../../../src/mqtt/bytes.ts";
import { CONNACK, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { acknowledgement, publishPacket, request, unique } from "../../support/mqtt-client.ts";
import { field, rawConnect, rawPacket } from "../../support/raw-packet.ts";
import { CLOSE_TOO_BIG, expectEachCloses, expectEachRefused, keptSession } from "./support.ts";

/** A well-formed packet of each type that a client may send, but CONNECT and PUBLISH. */
const VALID: Readonly<Record<string, Uint8Array>> = {
  PUBACK: rawPacket(0x40, [0, 1]),
  PUBREC: rawPacket(0x50, [0, 1]),
  PUBREL: rawPacket(0x62, [0, 1]),
  PUBCOMP: rawPacket(0x70, [0, 1]),
  SUBSCRIBE: rawPacket(0x82, [0, 1], field("a"), [0]),
  UNSUBSCRIBE: rawPacket(0xa2, [0, 1], field("a")),
  PINGREQ: rawPacket(0xc0),
  DISCONNECT: rawPacket(0xe0),
};

function withOneFlagChanged(names: readonly string[]): Record<string, Uint8Array> {
  const packets: Record<string, Uint8Array> = {};
  for (const name of names) {
    for (const bit of [1, 2, 4, 8]) {
      const bytes = VALID[name]!.slice();
      bytes[0]! ^= bit;
      packets[`${name} with ${bytes[0]!.toString(16)}`] = bytes;
    }
  }
  return packets;
}

describeTopologies((broker) => {
  it("[MQTT311-2.2.2-1] every packet of the broker has the flags of its type", async () => {
    const topic = unique();
    const client = await broker.connect({ autoAck: false });
    await client.subscribe(topic, { qos: 2 });
    await client.publish(topic, "", { qos: 2 });
    const { packetId } = await client.message();
    client.send(acknowledgement(PUBREC, packetId));
    await client.expect(PUBREL);
    client.send(acknowledgement(PUBCOMP, packetId));
    await client.publish(unique(), "", { qos: 1 });
    await client.unsubscribe(topic);
    await client.ping();
    const firstBytes = new Map(client.arrived.map((packet) => [packet.type, client.rawOf(packet)[0]]));
    expect(firstBytes).toEqual(
      new Map([
        [CONNACK, 0x20],
        [SUBACK, 0x90],
        [PUBLISH, 0x34],
        [PUBREC, 0x50],
        [PUBREL, 0x62],
        [PUBCOMP, 0x70],
        [PUBACK, 0x40],
        [UNSUBACK, 0xb0],
        [PINGRESP, 0xd0],
      ]),
    );
  });

  it("[MQTT311-2.2.2-2] wrong flags close the connection", () =>
    expectEachCloses(broker, withOneFlagChanged(["PUBACK", "PUBREC", "PUBCOMP", "PINGREQ"])));

  it("[MQTT311-2.2.2-2] wrong flags of CONNECT close without CONNACK", () =>
    expectEachRefused(
      broker,
      Object.fromEntries([0x11, 0x12, 0x14, 0x18].map((firstByte) => [firstByte.toString(16), rawConnect({ firstByte }, field("c"))])),
    ));

  it("[MQTT311-3.6.1-1] PUBREL with other flags than 0010 closes the connection", () =>
    expectEachCloses(broker, withOneFlagChanged(["PUBREL"])));

  it("[MQTT311-3.8.1-1] SUBSCRIBE with other flags than 0010 closes the connection", () =>
    expectEachCloses(broker, withOneFlagChanged(["SUBSCRIBE"])));

  it("[MQTT311-3.10.1-1] UNSUBSCRIBE with other flags than 0010 closes the connection", () =>
    expectEachCloses(broker, withOneFlagChanged(["UNSUBSCRIBE"])));

  it("[MQTT311-3.14.1-1] DISCONNECT with flags other than 0000 closes the connection as an error: the will is published", async () => {
    const watcher = await broker.connect();
    const topic = unique();
    await watcher.subscribe(topic);
    for (const firstByte of [0xe1, 0xe2, 0xe4, 0xe8]) {
      const client = await broker.connect({ will: { topic, payload: firstByte.toString(16) } });
      client.sendBytes([firstByte, 0]);
      expect(await client.closed).toMatchObject({ code: 1002, packetsBefore: [] });
      expect(await watcher.texts(1)).toEqual([firstByte.toString(16)]);
    }
  });

  it("[3.1.1/2.2.1/types] types 0 and 15, and those that only a Server sends, close the connection", () =>
    expectEachCloses(broker, {
      "type 0": [0x00, 0x00],
      "type 15": [0xf0, 0x00],
      CONNACK: [0x20, 0x02, 0x00, 0x00],
      SUBACK: [0x90, 0x03, 0x00, 0x01, 0x00],
      UNSUBACK: [0xb0, 0x02, 0x00, 0x01],
      PINGRESP: [0xd0, 0x00],
    }));

  it("[3.1.1/2.2.3/length] Remaining Lengths of one, two and three bytes at their borders", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic);
    for (const remainingLength of [127, 128, 16_383, 16_384, 1_048_572]) {
      client.sendBytes(rawPacket(0x30, field(topic), new Uint8Array(remainingLength - 2 - topic.length)));
      expect((await client.message()).payload.length).toBe(remainingLength - 2 - topic.length);
    }
  });

  it("[3.1.1/2.2.3/length] four length bytes are read as a length, which here is above the maximum", () =>
    expectEachCloses(broker, { largest: [0x30, 0xff, 0xff, 0xff, 0x7f], smallest: [0x30, 0x80, 0x80, 0x80, 0x01] }, CLOSE_TOO_BIG));

  it("[3.1.1/2.2.3/length] a fifth length byte closes the connection", () =>
    expectEachCloses(broker, { fifth: [0x30, 0xff, 0xff, 0xff, 0xff], more: [0xc0, 0x80, 0x80, 0x80, 0x80, 0x00] }));

  it("[MQTT311-2.3.1-1] Packet Identifier 0 closes the connection", () =>
    expectEachCloses(broker, {
      SUBSCRIBE: rawPacket(0x82, [0, 0], field("a"), [0]),
      UNSUBSCRIBE: rawPacket(0xa2, [0, 0], field("a")),
      "PUBLISH QoS 1": rawPacket(0x32, field("a"), [0, 0]),
      "PUBLISH QoS 2": rawPacket(0x34, field("a"), [0, 0]),
      PUBACK: rawPacket(0x40, [0, 0]),
      PUBREL: rawPacket(0x62, [0, 0]),
    }));

  it("[MQTT311-2.3.1-1] a missing Packet Identifier closes the connection", () =>
    expectEachCloses(broker, {
      SUBSCRIBE: rawPacket(0x82),
      UNSUBSCRIBE: rawPacket(0xa2),
      "PUBLISH QoS 1": rawPacket(0x32, field("a")),
      "PUBLISH QoS 2 cut in half": rawPacket(0x34, field("a"), [1]),
      PUBACK: rawPacket(0x40, [1]),
    }));

  it("[MQTT311-2.3.1-4] the broker's Packet Identifiers are not 0, differ while in use, and stay the same when it sends again", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const first = await keptSession(broker, clientId, { autoAck: false });
    await first.subscribe(topic, { qos: 2 });
    const publisher = await broker.connect();
    for (const qos of [1, 2, 1, 2] as const) await publisher.publish(topic, String(qos), { qos });
    const ids = (await first.messages(4)).map(({ packetId }) => packetId);
    expect(new Set(ids).size).toBe(4);
    expect(ids).not.toContain(0);
    first.terminate();
    const again = await keptSession(broker, clientId, { autoAck: false });
    expect((await again.messages(4)).map(({ packetId }) => packetId)).toEqual(ids);
    again.send(acknowledgement(PUBACK, ids[0]!));
    await publisher.publish(topic, "new", { qos: 1 });
    expect(ids.slice(1)).not.toContain((await again.message()).packetId);
  });

  it("[MQTT311-2.3.1-5] a QoS 0 PUBLISH has no Packet Identifier: the payload follows the Topic Name", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 2 });
    client.sendBytes(rawPacket(0x30, field(topic), [0x00, 0x01]));
    const message = await client.message();
    expect(message.payload).toEqual(Uint8Array.of(0, 1));
    expect(client.rawOf(message)).toEqual(rawPacket(0x30, field(topic), [0x00, 0x01]));
  });

  it("[MQTT311-2.3.1-6] PUBACK, PUBREC, PUBREL and PUBCOMP repeat the Packet Identifier of their exchange", async () => {
    const topic = unique();
    const client = await broker.connect({ autoAck: false });
    for (const packetId of [1, 0x1234, 65_535]) {
      client.send(publishPacket(topic, "", { qos: 1, packetId }));
      expect((await client.expect(PUBACK)).packetId).toBe(packetId);
      client.send(publishPacket(topic, "", { qos: 2, packetId }));
      expect((await client.expect(PUBREC)).packetId).toBe(packetId);
      client.send(acknowledgement(PUBREL, packetId));
      expect((await client.expect(PUBCOMP)).packetId).toBe(packetId);
    }
    await client.subscribe(topic, { qos: 2 });
    await client.publish(topic, "", { qos: 2 });
    const { packetId } = await client.message();
    client.send(acknowledgement(PUBREC, packetId));
    expect((await client.expect(PUBREL)).packetId).toBe(packetId);
  });

  it("[MQTT311-2.3.1-7] SUBACK and UNSUBACK repeat the Packet Identifier of their request", async () => {
    const client = await broker.connect();
    for (const packetId of [1, 0xff00, 65_535]) {
      client.sendBytes(rawPacket(0x82, [packetId >> 8, packetId & 0xff], field(unique()), [0]));
      expect((await client.expect(SUBACK)).packetId).toBe(packetId);
      client.sendBytes(rawPacket(0xa2, [packetId >> 8, packetId & 0xff], field(unique())));
      expect((await client.expect(UNSUBACK)).packetId).toBe(packetId);
    }
  });

  it("[MQTT311-2.3.1-1] client and broker count their Packet Identifiers apart", async () => {
    const topic = unique();
    const client = await broker.connect({ autoAck: false });
    await client.subscribe([request(topic, 1)], { packetId: 1 });
    client.send(publishPacket(topic, "", { qos: 1, packetId: 1 }));
    const arrived = [await client.next(), await client.next()];
    expect(arrived.map(({ type }) => type).sort()).toEqual([PUBLISH, PUBACK]);
    expect(arrived).toEqual(expect.arrayContaining([expect.objectContaining({ packetId: 1 })]));
  });
});

it("[3.1.1/2.2.3/length] (core) 268435455 is the largest Remaining Length", () => {
  expect(readVariableByteInteger(Uint8Array.of(0xff, 0xff, 0xff, 0x7f), 0, 4)).toBe(268_435_455);
});
