import { describe, expect, test } from "vitest";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { AUTH, CONNACK, DISCONNECT, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, UNSUBACK } from "../../src/mqtt/packet.ts";
import { CLIENT_AUTH_CODES, CLIENT_DISCONNECT_CODES, REASON_CODES, returnCodeOf } from "../../src/mqtt/reason-code.ts";
import { VIOLATION } from "../../src/mqtt/violation.ts";

/** "80-83 99" as numbers. */
function codes(list: string): number[] {
  return list.split(" ").flatMap((part) => {
    const [from, to = from] = part.split("-").map((hex) => Number.parseInt(hex, 16));
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

const TABLE: readonly [clause: string, type: number, allowed: string, packet: (code: number) => number[]][] = [
  ["[MQTT5-3.2.2-8] CONNACK", CONNACK, "00 80-8a 8c 90 95 97 99-9d 9f", (code) => [0x20, 3, 0, code, 0]],
  ["[MQTT5-3.4.2-1] PUBACK", PUBACK, "00 10 80 83 87 90 91 97 99", (code) => [0x40, 3, 0, 1, code]],
  ["[MQTT5-3.5.2-1] PUBREC", PUBREC, "00 10 80 83 87 90 91 97 99", (code) => [0x50, 3, 0, 1, code]],
  ["[MQTT5-3.6.2-1] PUBREL", PUBREL, "00 92", (code) => [0x62, 3, 0, 1, code]],
  ["[MQTT5-3.7.2-1] PUBCOMP", PUBCOMP, "00 92", (code) => [0x70, 3, 0, 1, code]],
  ["[MQTT5-3.9.3-2] SUBACK", SUBACK, "00-02 80 83 87 8f 91 97 9e a1 a2", (code) => [0x90, 4, 0, 1, 0, code]],
  ["[MQTT5-3.11.3-2] UNSUBACK", UNSUBACK, "00 11 80 83 87 8f 91", (code) => [0xb0, 4, 0, 1, 0, code]],
  ["[MQTT5-3.14.2-1] DISCONNECT", DISCONNECT, "00 04 80-83 87 89 8b 8d-90 93-a2", (code) => [0xe0, 1, code]],
  ["[MQTT5-3.15.2-1] AUTH", AUTH, "00 18 19", (code) => [0xf0, 1, code]],
];

describe("of all 256 Reason Codes the ones of the specification are accepted", () => {
  test.each(TABLE)("%s", (_, type, allowed, packet) => {
    const accepted = Array.from({ length: 256 }, (_, code) => code).filter(
      (code) => decodePacket(Uint8Array.from(packet(code)), 5).type !== VIOLATION,
    );
    expect(accepted).toEqual(codes(allowed));
    expect([...REASON_CODES[type]].sort((a, b) => a - b)).toEqual(codes(allowed));
  });
});

test("[MQTT5-3.14.2-1] a Client has fewer codes for DISCONNECT", () => {
  expect([...CLIENT_DISCONNECT_CODES].sort((a, b) => a - b)).toEqual(codes("00 04 80-83 90 93-99"));
});

test("[MQTT5-3.15.2-1] a Client has fewer codes for AUTH", () => {
  expect([...CLIENT_AUTH_CODES]).toEqual(codes("18 19"));
});

test.each([
  [0x00, 0],
  [0x84, 1],
  [0x85, 2],
  [0x86, 4],
  [0x87, 5],
  [0x8a, 5],
  [0x8c, 5],
  [0x88, 3],
  [0x89, 3],
  [0x97, 3],
  [0x9f, 3],
  [0x80, 3],
])("[3.1/connack/codes] Reason Code %i is Return Code %i in 3.x", (reasonCode, returnCode) => {
  expect(returnCodeOf(reasonCode)).toBe(returnCode);
});
