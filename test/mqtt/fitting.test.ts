/** Explanations of any length: the answer leaves all the same, with as much of them as fits. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutUtf8, FIELD_BYTES_MAX, utf8Encode, utf8Length } from "../../src/mqtt/bytes.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  AUTH,
  CONNACK,
  DISCONNECT,
  type Packet,
  type Properties,
  PUBACK,
  PUBCOMP,
  PUBREC,
  PUBREL,
  SUBACK,
  UNSUBACK,
} from "../../src/mqtt/packet.ts";

const ANSWERS: readonly [name: string, packet: (properties: Properties) => Packet][] = [
  ["CONNACK", (properties) => ({ type: CONNACK, sessionPresent: false, reasonCode: 0x87, properties })],
  ["PUBACK", (properties) => ({ type: PUBACK, packetId: 9, reasonCode: 0x87, properties })],
  ["PUBREC", (properties) => ({ type: PUBREC, packetId: 9, reasonCode: 0x87, properties })],
  ["PUBREL", (properties) => ({ type: PUBREL, packetId: 9, reasonCode: 0x92, properties })],
  ["PUBCOMP", (properties) => ({ type: PUBCOMP, packetId: 9, reasonCode: 0x92, properties })],
  ["SUBACK", (properties) => ({ type: SUBACK, packetId: 9, reasonCodes: [0x87, 1, 0x97], properties })],
  ["UNSUBACK", (properties) => ({ type: UNSUBACK, packetId: 9, reasonCodes: [0x11, 0], properties })],
  ["DISCONNECT", (properties) => ({ type: DISCONNECT, reasonCode: 0x97, properties })],
  ["AUTH", (properties) => ({ type: AUTH, reasonCode: 0x18, properties: { authenticationMethod: "m", ...properties } })],
];

/** What a client gets. */
function sent(packet: Packet): Packet {
  const decoded = decodePacket(encodePacket(packet, 5), 5);
  if ("clause" in decoded) throw new Error(JSON.stringify(decoded));
  return decoded as Packet;
}

describe.each(ANSWERS)("%s", (_, packet) => {
  test("a Reason String that is too long is cut behind a whole character, and costs nothing else", () => {
    for (const reason of ["x".repeat(70_000), "é".repeat(40_000), `x${"𝄞".repeat(20_000)}`, `${"x".repeat(65_534)}é`]) {
      const { properties, ...rest } = sent(packet({ reasonString: reason })) as Packet & { properties: Properties };
      const { properties: _bare, ...bare } = packet({}) as Packet & { properties: Properties };
      expect(rest).toEqual(bare);
      const said = properties.reasonString!;
      expect(reason.startsWith(said)).toBe(true);
      expect(utf8Length(said)).toBeGreaterThan(FIELD_BYTES_MAX - 4);
    }
  });

  test("User Properties that are too long are left out, the others stay in their order", () => {
    const wide = "x".repeat(65_536);
    const userProperties = [
      ["a", "1"],
      [wide, "2"],
      ["b", wide],
      ["c", "3"],
    ] as const;
    const { properties } = sent(packet({ userProperties })) as Packet & { properties: Properties };
    expect(properties.userProperties).toEqual([
      ["a", "1"],
      ["c", "3"],
    ]);
  });
});

test("Response Information that is too long is left out of CONNACK", () => {
  const connack = (responseInformation: string): Packet => ({
    type: CONNACK,
    sessionPresent: true,
    reasonCode: 0,
    properties: { receiveMaximum: 7, responseInformation },
  });
  expect(sent(connack("x".repeat(65_536)))).toMatchObject({ sessionPresent: true, properties: { receiveMaximum: 7 } });
  expect(sent(connack("x".repeat(65_536)))).not.toHaveProperty("properties.responseInformation");
  expect(sent(connack("x".repeat(65_535)))).toHaveProperty("properties.responseInformation");
});

test("properties that fit are encoded as they are", () => {
  const properties: Properties = { reasonString: "x".repeat(65_535), userProperties: [["é".repeat(32_767), ""]] };
  for (const [, packet] of ANSWERS) expect(sent(packet(properties))).toMatchObject({ properties });
});

test("a text is cut to at most so many bytes, never within a character, and no shorter than needed", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), fc.nat(90), (text, bytesMax) => {
      const cut = cutUtf8(text, bytesMax);
      expect(text.startsWith(cut)).toBe(true);
      expect(utf8Encode(cut).length).toBeLessThanOrEqual(bytesMax);
      const next = String.fromCodePoint(...[...text.slice(cut.length)].slice(0, 1).map((each) => each.codePointAt(0)!));
      if (next !== "") expect(utf8Encode(cut + next).length).toBeGreaterThan(bytesMax);
      const last = cut.charCodeAt(cut.length - 1);
      const splits = cut.length < text.length && last >= 0xd800 && last < 0xdc00 && (text.charCodeAt(cut.length) & 0xfc00) === 0xdc00;
      expect(splits).toBe(false);
    }),
  );
});
