/** What single vectors don't show. */

import { describe, expect, test } from "vitest";
import { connectLevel, connectVersion, decodePacket } from "../../src/mqtt/decode.ts";
import { NO_PROPERTIES, type ProtocolVersion, PUBLISH, type Publish } from "../../src/mqtt/packet.ts";
import { CONNECT_VECTORS } from "../vectors/connect.ts";
import { bytesOf } from "../vectors/vector.ts";

describe("views", () => {
  test("payload, properties and binary properties are not copied", () => {
    const around = bytesOf(`ffff
      30 0c 0001 "a" 05 09 0002 0102 "xyz" ; PUBLISH
      ffff`);
    const packet = decodePacket(around.subarray(2, 16), 5) as Publish;
    expect(packet.type).toBe(PUBLISH);
    expect([packet.payload.buffer, packet.payload.byteOffset, packet.payload.length]).toEqual([around.buffer, 13, 3]);
    expect([packet.propertyBytes.buffer, packet.propertyBytes.byteOffset, packet.propertyBytes.length]).toEqual([around.buffer, 8, 5]);
    expect(packet.properties.correlationData?.buffer).toBe(around.buffer);
  });

  test("a PUBLISH without properties shares the empty ones", () => {
    for (const version of [4, 5] as const) {
      const packet = decodePacket(bytesOf('30 04 0001 "a" 00'), version) as Publish;
      expect(packet.properties).toBe(NO_PROPERTIES);
      expect(packet.propertyBytes).toHaveLength(0);
    }
  });

  test("[MQTT5-4.7.3-3] [MQTT311-4.7.3-3] a Topic Name of 65535 bytes is decoded", () => {
    const topic = "x".repeat(65_535);
    const bytes = new Uint8Array(65_541);
    bytes.set(bytesOf("30 818004 ffff"));
    bytes.set(Buffer.from(topic), 6);
    expect(decodePacket(bytes, 4)).toMatchObject({ type: PUBLISH, topic });
  });
});

describe("connectVersion", () => {
  const versions: readonly [hex: string, version: ProtocolVersion | undefined, level: number | undefined][] = [
    ['10 0d 0004 "MQTT" 04', 4, 4],
    ['10 0d 0004 "MQTT" 05', 5, 5],
    ['10 0f 0006 "MQIsdp" 03', 3, 3],
    ['1f 0d 0004 "MQTT" 05', 5, 5],
    ['10 ff01 0004 "MQTT" 05', 5, 5],
    ['10 ffffff7f 0004 "MQTT" 05', 5, 5],
    ['10 0d 0004 "MQTT" 03', undefined, 3],
    ['10 0d 0004 "MQTT" 84', 4, 4],
    ['10 0d 0006 "MQIsdp" 83', 3, 3],
    ['10 0d 0004 "MQTT" 85', undefined, 5],
    ['10 0d 0004 "MQTT" 83', undefined, 3],
    ['10 0d 0006 "MQIsdp" 84', undefined, 4],
    ['10 0d 0004 "MQTT" 06', undefined, 6],
    ['10 0d 0006 "MQIsdp" 04', undefined, 4],
    ['10 0d 0004 "mqtt" 05', undefined, 5],
    ['10 0d 0004 "MQTT"', undefined, undefined],
    ['10 0d 0004 "MQ"', undefined, undefined],
    ["10 0d 00", undefined, undefined],
    ["10 ffffff", undefined, undefined],
    ["10", undefined, undefined],
    ["", undefined, undefined],
    ['30 0d 0004 "MQTT" 05', undefined, undefined],
  ];

  test.each(versions)("[3.1/connect/name] of %s is %s, its level %s", (hex, version, level) => {
    expect(connectVersion(bytesOf(hex))).toBe(version);
    expect(connectLevel(bytesOf(hex))).toBe(level);
  });

  test("[MQTT5-3.1.4-1] [MQTT311-3.1.4-1] tells the version of every malformed CONNECT, and its clause is of that version", () => {
    let count = 0;
    for (const { bytes, version, expected } of CONNECT_VECTORS) {
      if (!("clause" in expected) || expected.reasonCode === 0x84) continue;
      if (expected.clause === "5.0/2.1.4/length" && bytes.length < 9) continue;
      expect(connectVersion(bytes)).toBe(version);
      expect(decodePacket(bytes, version === 5 ? 4 : 5)).toMatchObject({ clause: expected.clause });
      count += 1;
    }
    expect(count).toBeGreaterThanOrEqual(40);
  });
});

test("a violation never quotes a credential", () => {
  const secret = "hunter2";
  const packet = bytesOf(`10 19 0004 "MQTT" 04 c2 003c 0001 "c" 0001 ff 0007 "${secret}"`);
  const violation = decodePacket(packet, 4);
  expect(violation).toMatchObject({ clause: "MQTT311-1.5.3-1" });
  expect(JSON.stringify(violation)).not.toContain(secret);
});
