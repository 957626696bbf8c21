/** The table of properties against table 2-4 of the specification, and sections that stand alone. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PACKET_NAMES } from "../../src/mqtt/fixed-header.ts";
import { NO_PROPERTIES, PUBLISH } from "../../src/mqtt/packet.ts";
import {
  decodeProperties,
  decodeWillProperties,
  encodeProperties,
  PROPERTY_RULES,
  propertiesLength,
  WILL,
  writeProperties,
} from "../../src/mqtt/property.ts";
import { arbitraryProperties } from "../support/arbitrary-packet.ts";
import { bytesOf } from "../vectors/vector.ts";

/** Copied by hand: identifier, name, type, packets. */
const TABLE = `
  01 Payload Format Indicator          byte     PUBLISH WILL
  02 Message Expiry Interval           uint32   PUBLISH WILL
  03 Content Type                      string   PUBLISH WILL
  08 Response Topic                    string   PUBLISH WILL
  09 Correlation Data                  binary   PUBLISH WILL
  0b Subscription Identifier           variable PUBLISH SUBSCRIBE
  11 Session Expiry Interval           uint32   CONNECT CONNACK DISCONNECT
  12 Assigned Client Identifier        string   CONNACK
  13 Server Keep Alive                 uint16   CONNACK
  15 Authentication Method             string   CONNECT CONNACK AUTH
  16 Authentication Data               binary   CONNECT CONNACK AUTH
  17 Request Problem Information       byte     CONNECT
  18 Will Delay Interval               uint32   WILL
  19 Request Response Information      byte     CONNECT
  1a Response Information              string   CONNACK
  1c Server Reference                  string   CONNACK DISCONNECT
  1f Reason String                     string   CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH
  21 Receive Maximum                   uint16   CONNECT CONNACK
  22 Topic Alias Maximum               uint16   CONNECT CONNACK
  23 Topic Alias                       uint16   PUBLISH
  24 Maximum QoS                       byte     CONNACK
  25 Retain Available                  byte     CONNACK
  26 User Property                     pair     CONNECT CONNACK PUBLISH WILL PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT AUTH
  27 Maximum Packet Size               uint32   CONNECT CONNACK
  28 Wildcard Subscription Available   byte     CONNACK
  29 Subscription Identifier Available byte     CONNACK
  2a Shared Subscription Available     byte     CONNACK`;

const PLACES = ["WILL", ...PACKET_NAMES.slice(1)];

test("[5.0/2.2.2.2/invalid] the table of properties is that of the specification", () => {
  const written = PROPERTY_RULES.map(({ id, title, type, places }) => {
    const where = PLACES.filter((_, place) => (places & (1 << place)) !== 0);
    return [id.toString(16).padStart(2, "0"), title, type, ...where.sort()].join(" ");
  });
  const expected = TABLE.trim()
    .split("\n")
    .map((line) => {
      const [, id, title, type, where] = /^\s*(\S+) (.+?)\s+(byte|uint16|uint32|variable|string|binary|pair)\s+(.+)$/.exec(line)!;
      return [id, title, type, ...where.split(" ").sort()].join(" ");
    });
  expect(written).toEqual(expected);
});

test("[5.0/props/duplicate] only User Property and, in PUBLISH, Subscription Identifier may repeat", () => {
  const repeating = PROPERTY_RULES.filter(({ repeats }) => repeats !== 0).map(({ title, repeats, places }) => [title, repeats, places]);
  expect(repeating).toEqual([
    ["Subscription Identifier", 1 << PUBLISH, expect.any(Number)],
    ["User Property", repeating[1][2], repeating[1][2]],
  ]);
});

describe("a section that stands alone", () => {
  test("goes both ways, its length told before", () => {
    fc.assert(
      fc.property(arbitraryProperties(PUBLISH, 5), (properties) => {
        const bytes = encodeProperties(properties, PUBLISH);
        expect(bytes).toHaveLength(propertiesLength(properties, PUBLISH));
        expect(decodeProperties(bytes, PUBLISH)).toStrictEqual(properties);
        const target = new Uint8Array(bytes.length + 2);
        expect(writeProperties(target, 1, properties)).toBe(1 + bytes.length);
        expect(target.subarray(1, 1 + bytes.length)).toEqual(bytes);
      }),
    );
  });

  test("of a will can be kept and read again", () => {
    fc.assert(
      fc.property(arbitraryProperties(WILL, 5), (properties) => {
        expect(decodeWillProperties(encodeProperties(properties))).toStrictEqual(properties);
      }),
    );
    expect(decodeWillProperties(bytesOf("23 0001"))).toBeUndefined();
    expect(decodeWillProperties(new Uint8Array(0))).toBe(NO_PROPERTIES);
  });

  test("is refused as in a packet", () => {
    expect(decodeProperties(bytesOf("01 02"), PUBLISH)).toMatchObject({ reasonCode: 0x82 });
    expect(decodeProperties(bytesOf("01"), PUBLISH)).toMatchObject({ reasonCode: 0x81, clause: "5.0/2.1.4/length" });
    expect(decodeProperties(bytesOf('08 0001 "#"'), WILL)).toMatchObject({ clause: "MQTT5-3.3.2-14" });
  });
});
