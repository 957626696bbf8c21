/** What waits for a slow loop: of QoS 0 so many messages, and so many bytes, and no more. */

import { expect, test } from "vitest";
import { Arrival } from "../../src/client/arrival.ts";
import { Inbox } from "../../src/client/inbox.ts";
import { INBOX_QOS_0_BYTES_MAX, INBOX_QOS_0_MAX } from "../../src/client/limits.ts";
import { Message } from "../../src/client/message.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import { publishPacket } from "../support/mqtt-client.ts";

function arrival(payload: Uint8Array, qos: QoS = 0): Arrival {
  return new Arrival(new Message("a", publishPacket("a", payload, { qos })), qos, undefined);
}

test.each([
  ["messages", 1, INBOX_QOS_0_MAX],
  ["bytes", 65_536, INBOX_QOS_0_BYTES_MAX / 65_536],
])(
  "QoS 0 is bounded in %s: the next are dropped and counted, others are not, and there is room for what was read",
  async (_what, bytes, most) => {
    const inbox = new Inbox(undefined, () => {});
    const payload = new Uint8Array(bytes);
    for (let count = 0; count < most + 3; count += 1) inbox.put(arrival(payload));
    expect(inbox.dropped).toBe(3);
    inbox.put(arrival(payload, 1));
    for (let count = 0; count < 2; count += 1) await inbox.next();
    for (let count = 0; count < 3; count += 1) inbox.put(arrival(payload));
    expect(inbox.dropped).toBe(4);
  },
);
