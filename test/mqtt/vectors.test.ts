/** Decodes every vector, encodes every canonical one. */

import { expect, test } from "vitest";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { VECTORS } from "../vectors/index.ts";

for (const { name, version, bytes, expected } of VECTORS)
  test(name, () => {
    const decoded = decodePacket(bytes, version);
    if ("packet" in expected) {
      expect(decoded).toStrictEqual(expected.packet);
      if (expected.canonical) expect(encodePacket(expected.packet, version)).toStrictEqual(bytes);
    } else {
      const kind = expected.reasonCode === 0x81 ? "malformed" : "protocol";
      expect(decoded).toMatchObject({ type: 0, kind, reasonCode: expected.reasonCode, clause: expected.clause });
      expect(decoded).toHaveProperty("message", expect.stringMatching(/^.+: .+/));
    }
  });
