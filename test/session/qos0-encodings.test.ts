/** What a message is sent as at QoS 0. */

import { expect, test } from "vitest";
import { decodePacket } from "../../src/mqtt/decode.ts";
import type { Publish } from "../../src/mqtt/packet.ts";
import { QoS0Encodings } from "../../src/session/qos0-encodings.ts";
import { messageTo } from "./support.ts";

const NOW = 1_800_000_000_000;

test("it is made once for each form, except where time shows", () => {
  const encodings = new QoS0Encodings();
  const made = messageTo("t");
  expect(encodings.of(made, 5, false, NOW)).toBe(encodings.of(made, 5, false, NOW + 1));
  expect(encodings.of(made, 3, true, NOW)).toBe(encodings.of(made, 4, true, NOW));
  const forms = ([5, 4] as const).flatMap((version) => [true, false].map((retain) => encodings.of(made, version, retain, NOW)));
  expect(new Set(forms.map(String)).size).toBe(4);
  const mortal = messageTo("t", { expiresAt: NOW + 10_000 });
  encodings.of(mortal, 5, false, NOW);
  const later = decodePacket(encodings.of(mortal, 5, false, NOW + 5000), 5) as Publish;
  expect(later.properties.messageExpiryInterval).toBe(5);
});

test("of one message at a time: the one before keeps nothing of it, nor is anything left when it is over", () => {
  const encodings = new QoS0Encodings();
  const [one, other] = [messageTo("one"), messageTo("other")];
  const first = encodings.of(one, 4, false, NOW);
  expect(encodings.of(other, 4, false, NOW)).not.toEqual(first);
  const again = encodings.of(one, 4, false, NOW);
  expect(again).toEqual(first);
  expect(again).not.toBe(first);
  encodings.clear();
  expect(encodings.of(one, 4, false, NOW)).not.toBe(again);
});
