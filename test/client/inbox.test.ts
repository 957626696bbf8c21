/** What waits for a slow loop: of QoS 0 so many messages, and so many bytes, and no more. */

import { expect, test } from "vitest";
import { Arrival } from "../../src/client/arrival.ts";
import { Inbox } from "../../src/client/inbox.ts";
import { INBOX_QOS_0_BYTES_MAX, INBOX_QOS_0_MAX } from "../../src/client/limits.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import type { Properties, Publish, QoS } from "../../src/mqtt/packet.ts";
import { publishPacket } from "../support/mqtt-client.ts";

interface Brought {
  readonly topic?: string;
  readonly payload?: Uint8Array;
  readonly properties?: Properties;
}

/** As it comes. */
function arrival({ topic = "a", payload = new Uint8Array(0), properties = {} }: Brought, qos: QoS = 0): Arrival {
  const packet = decodePacket(encodePacket({ ...publishPacket(topic, payload, { qos, properties }), packetId: qos }, 5), 5);
  return new Arrival(topic, packet as Publish, undefined);
}

const MANY = Array.from({ length: 500 }, () => ["a", "b"] as const);

test.each<readonly [what: string, brought: Brought, most: number]>([
  ["messages", { payload: new Uint8Array(1) }, INBOX_QOS_0_MAX],
  ["bytes", { payload: new Uint8Array(65_536) }, INBOX_QOS_0_BYTES_MAX / 65_536],
  ["bytes of topics", { topic: "t".repeat(32_768) }, INBOX_QOS_0_BYTES_MAX / 32_768],
  ["bytes of properties", { properties: { userProperties: [["a", "x".repeat(65_300)]] } }, INBOX_QOS_0_BYTES_MAX / 65_536 + 1],
  ["what many properties cost", { properties: { userProperties: MANY } }, Math.ceil(INBOX_QOS_0_BYTES_MAX / (1 + 500 * (7 + 128)))],
])(
  "QoS 0 is bounded in %s: the next are dropped and counted, others are not, and there is room for what was read",
  async (_what, brought, most) => {
    const inbox = new Inbox(undefined, () => {});
    for (let count = 0; count < most + 3; count += 1) inbox.put(arrival(brought));
    expect(inbox.dropped).toBe(3);
    inbox.put(arrival(brought, 1));
    for (let count = 0; count < 2; count += 1) await inbox.next();
    for (let count = 0; count < 3; count += 1) inbox.put(arrival(brought));
    expect(inbox.dropped).toBe(4);
  },
);
