/** Decodes every vector, encodes every canonical one. */

import { expect, test } from "vitest";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { VIOLATION, type Violation } from "../../src/mqtt/violation.ts";
import { FRAMING_VECTORS } from "../vectors/framing.ts";
import { VECTORS } from "../vectors/index.ts";

for (const vector of VECTORS) {
  const { name, version, bytes, expected } = vector;
  test(name, () => {
    const decoded = decodePacket(bytes, version);
    if ("packet" in expected) {
      expect(decoded).toStrictEqual(expected.packet);
      if (expected.canonical) expect(encodePacket(expected.packet, version)).toStrictEqual(bytes);
      return;
    }
    const kind = expected.reasonCode === 0x81 ? "malformed" : "protocol";
    expect(decoded).toMatchObject({ type: VIOLATION, kind, reasonCode: expected.reasonCode, clause: expected.clause });
    const { message } = decoded as Violation;
    expect(message).toMatch(/^.+: .+/);
    // A vector whose own length is wrong would prove nothing else.
    expect(message.startsWith("Remaining Length")).toBe(FRAMING_VECTORS.includes(vector));
  });
}

test("the names of the vectors are different", () => {
  const names = VECTORS.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});
