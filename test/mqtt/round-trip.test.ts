/** What is encoded decodes to itself, for all packet types and versions. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { PACKET_NAMES } from "../../src/mqtt/fixed-header.ts";
import { type Packet, PUBLISH, PUBREL, SUBSCRIBE, UNSUBSCRIBE } from "../../src/mqtt/packet.ts";
import { arbitraryPackets } from "../support/arbitrary-packet.ts";

const RUNS = 300;

describe.each([3, 4, 5] as const)("version %i", (version) => {
  for (const arbitrary of arbitraryPackets(version)) {
    const [{ type }] = fc.sample(arbitrary, 1);
    if (type !== PUBLISH)
      test(`[MQTT5-2.1.3-1] [MQTT311-2.2.2-1] ${PACKET_NAMES[type]} has the flags of its type`, () => {
        const flags = [PUBREL, SUBSCRIBE, UNSUBSCRIBE].some((each) => each === type) ? 0b0010 : 0b0000;
        const first = fc.sample(arbitrary, 20).map((packet) => encodePacket(packet, version)[0]);
        expect(new Set(first)).toEqual(new Set([(type << 4) | flags]));
      });

    test(`${PACKET_NAMES[type]} decodes to what was encoded, and encodes to the same bytes again`, () => {
      fc.assert(
        fc.property(arbitrary, (packet) => {
          const bytes = encodePacket(packet, version);
          const decoded = decodePacket(bytes, version) as Packet;
          expect(decoded).toStrictEqual(packet);
          expect(encodePacket(decoded, version)).toStrictEqual(bytes);
        }),
        { numRuns: RUNS },
      );
    });
  }
});
