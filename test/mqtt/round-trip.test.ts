/** What is encoded decodes to itself, for all packet types and versions. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { PACKET_NAMES } from "../../src/mqtt/fixed-header.ts";
import type { Packet } from "../../src/mqtt/packet.ts";
import { arbitraryPackets } from "../support/arbitrary-packet.ts";

const RUNS = 300;

describe.each([3, 4, 5] as const)("version %i", (version) => {
  for (const arbitrary of arbitraryPackets(version)) {
    const [{ type }] = fc.sample(arbitrary, 1);
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
