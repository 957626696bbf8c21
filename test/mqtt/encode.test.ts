/** What the encoder refuses, leaves out or writes shorter, beyond the canonical vectors. */

import { describe, expect, test } from "vitest";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  AUTH,
  CONNACK,
  CONNECT,
  type Connack,
  type Connect,
  DISCONNECT,
  NO_PROPERTIES,
  PINGREQ,
  type Properties,
  PUBACK,
  PUBLISH,
  type Publish,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from "../../src/mqtt/packet.ts";
import { bytesOf } from "../vectors/vector.ts";

const publish = (fields: Partial<Publish>): Publish => ({
  type: PUBLISH,
  dup: false,
  qos: 0,
  retain: false,
  topic: "a",
  packetId: 0,
  properties: NO_PROPERTIES,
  propertyBytes: new Uint8Array(0),
  payload: new Uint8Array(0),
  ...fields,
});

const connack = (fields: Partial<Connack>): Connack => ({
  type: CONNACK,
  sessionPresent: false,
  reasonCode: 0,
  properties: NO_PROPERTIES,
  ...fields,
});

describe("what a version does not have is left out", () => {
  const properties: Properties = { reasonString: "r" };

  test.each([3, 4] as const)("[3.1/mirror] properties and Reason Codes in version %i", (version) => {
    expect(encodePacket({ type: PUBACK, packetId: 1, reasonCode: 0x87, properties }, version)).toEqual(bytesOf("40 02 0001"));
    expect(encodePacket({ type: DISCONNECT, reasonCode: 0x82, properties }, version)).toEqual(bytesOf("e0 00"));
    expect(encodePacket(connack({ properties }), version)).toEqual(bytesOf("20 02 00 00"));
    expect(encodePacket({ type: UNSUBACK, packetId: 1, reasonCodes: [0], properties }, version)).toEqual(bytesOf("b0 02 0001"));
    expect(encodePacket(publish({ properties: { contentType: "t" } }), version)).toEqual(bytesOf('30 03 0001 "a"'));
  });

  test("[3.1/connack/flags] Session Present in 3.1", () => {
    expect(encodePacket(connack({ sessionPresent: true }), 3)).toEqual(bytesOf("20 02 00 00"));
    expect(encodePacket(connack({ sessionPresent: true }), 4)).toEqual(bytesOf("20 02 01 00"));
  });

  test("[MQTT5-3.2.2-6] [MQTT311-3.2.2-4] Session Present in a refusal", () => {
    expect(encodePacket(connack({ sessionPresent: true, reasonCode: 5 }), 4)).toEqual(bytesOf("20 02 00 05"));
    expect(encodePacket(connack({ sessionPresent: true, reasonCode: 0x87 }), 5)).toEqual(bytesOf("20 03 00 87 00"));
  });

  test("[MQTT311-3.9.3-2] failure codes of SUBACK other than 0x80 in 3.1.1", () => {
    const packet = { type: SUBACK, packetId: 1, reasonCodes: [0, 0x87, 0x80, 0x8f, 2], properties: NO_PROPERTIES } as const;
    expect(encodePacket(packet, 4)).toEqual(bytesOf("90 07 0001 00 80 80 80 02"));
  });

  test("subscription options in 3.x", () => {
    const request = { filter: "a", qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 } as const;
    const packet = { type: SUBSCRIBE, packetId: 1, subscriptions: [request], properties: NO_PROPERTIES } as const;
    expect(encodePacket(packet, 4)).toEqual(bytesOf('82 06 0001 0001 "a" 01'));
  });

  test("[MQTT5-3.3.1-2] [MQTT311-3.3.1-2] DUP at QoS 0", () => {
    expect(encodePacket(publish({ dup: true }), 4)).toEqual(bytesOf('30 03 0001 "a"'));
  });

  test("properties that are undefined or empty lists", () => {
    const properties = { reasonString: undefined, userProperties: [] } as unknown as Properties;
    expect(encodePacket({ type: PUBACK, packetId: 1, reasonCode: 0, properties }, 5)).toEqual(bytesOf("40 02 0001"));
  });
});

describe("lengths", () => {
  test.each([
    [127, "30 7f"],
    [128, "30 8001"],
    [16_383, "30 ff7f"],
    [16_384, "30 808001"],
    [2_097_152, "30 80808001"],
  ])("a Remaining Length of %i", (remainingLength, header) => {
    const bytes = encodePacket(publish({ payload: new Uint8Array(remainingLength - 3) }), 4);
    const expected = bytesOf(header);
    expect(bytes.subarray(0, expected.length)).toEqual(expected);
    expect(bytes).toHaveLength(expected.length + remainingLength);
  });

  test("[MQTT5-4.7.3-3] [MQTT311-4.7.3-3] a Topic Name of 65535 bytes, not one more", () => {
    expect(encodePacket(publish({ topic: `${"é".repeat(32_767)}x` }), 4)).toHaveLength(1 + 3 + 2 + 65_535);
    expect(() => encodePacket(publish({ topic: "é".repeat(32_768) }), 4)).toThrow(RangeError);
  });

  test("packets of every size up to 2000 bytes keep their content when others are written", () => {
    const sizes = Array.from({ length: 2000 }, (_, size) => size);
    const packets = sizes.map((size) => encodePacket(publish({ payload: new Uint8Array(size).fill(size & 0xff) }), 4));
    for (const size of sizes) {
      const payload = packets[size].subarray(packets[size].length - size);
      expect(payload.every((byte) => byte === (size & 0xff))).toBe(true);
    }
  });
});

describe("throws RangeError for what is a mistake in the broker", () => {
  test.each([0, 65_536, -1, Number.NaN])("[MQTT5-2.2.1-4] [MQTT311-2.3.1-1] Packet Identifier %s", (packetId) => {
    expect(() => encodePacket(publish({ qos: 1, packetId }), 4)).toThrow(RangeError);
    expect(() => encodePacket({ type: PUBACK, packetId, reasonCode: 0, properties: NO_PROPERTIES }, 5)).toThrow(RangeError);
    expect(() => encodePacket({ type: SUBACK, packetId, reasonCodes: [0], properties: NO_PROPERTIES }, 5)).toThrow(RangeError);
    expect(() => encodePacket({ type: UNSUBSCRIBE, packetId, filters: ["a"], properties: NO_PROPERTIES }, 5)).toThrow(RangeError);
    expect(() => encodePacket({ type: SUBSCRIBE, packetId, subscriptions: [], properties: NO_PROPERTIES }, 5)).toThrow(RangeError);
  });

  const wrong: readonly [name: string, properties: Properties][] = [
    ["a property of another packet", { sessionExpiryInterval: 1 }],
    ["an unknown property", { colour: 1 } as unknown as Properties],
    ["a value below its range", { topicAlias: 0 }],
    ["a value above its range", { topicAlias: 65_536 }],
    ["a Subscription Identifier out of range", { subscriptionIdentifiers: [1, 268_435_456] }],
    ["a string that is too long", { contentType: "x".repeat(65_536) }],
    ["bytes that are too long", { correlationData: new Uint8Array(65_536) }],
    ["a User Property that is too long", { userProperties: [["k", "x".repeat(65_536)]] }],
  ];
  test.each(wrong)("%s", (_, properties) => {
    expect(() => encodePacket(publish({ properties }), 5)).toThrow(RangeError);
  });

  test("a will payload or password above 65535 bytes", () => {
    const connect: Connect = {
      type: CONNECT,
      version: 4,
      clean: true,
      keepAliveSeconds: 0,
      clientId: "c",
      will: undefined,
      userName: "u",
      password: new Uint8Array(65_536),
      properties: NO_PROPERTIES,
    };
    expect(() => encodePacket(connect, 4)).toThrow(RangeError);
    const will = { qos: 0, retain: false, topic: "w", payload: new Uint8Array(65_536), properties: NO_PROPERTIES } as const;
    expect(() => encodePacket({ ...connect, password: undefined, will }, 4)).toThrow(RangeError);
  });

  test("AUTH in 3.x", () => {
    expect(() => encodePacket({ type: AUTH, reasonCode: 0, properties: NO_PROPERTIES }, 4)).toThrow(RangeError);
  });
});

test("each packet has bytes of its own", () => {
  const first = encodePacket({ type: PINGREQ }, 5);
  first[1] = 7;
  expect(encodePacket({ type: PINGREQ }, 5)).toEqual(bytesOf("c0 00"));
});
