/** Messages that are views of what they came in: those that are kept for long hold nothing of it, those that are soon over are not copied. */

import { expect, test } from "vitest";
import { LENT_BYTES_MAX, LENT_MESSAGES_MAX } from "../../src/memory-limits.ts";
import { Message } from "../../src/mqtt/message.ts";
import { Lent } from "../../src/session/lent.ts";

const FRAME_BYTES = 10_000;
const PAYLOAD_BYTES = 10;

function messageIn(frame: Uint8Array, at: number): Message {
  return new Message({
    ...{ topic: "t", qos: 1, retain: false, propertyBytes: new Uint8Array(0), expiresAt: 0, publisher: "p", origin: "o@1" },
    ...{ sequence: 1, repeated: false, settledBelow: 0, payload: frame.subarray(at, at + PAYLOAD_BYTES) },
  });
}

/** What messages hold in memory, bytes. */
function heldBy(messages: readonly Message[]): number {
  const buffers = new Set(messages.map(({ payload }) => payload.buffer));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

test("however many are kept, what they hold beside themselves is bounded", () => {
  const lent = new Lent();
  const kept: Message[] = [];
  for (let count = 0; count < 1000; count += 1) {
    const message = messageIn(new Uint8Array(FRAME_BYTES), 100);
    message.holders = 1;
    lent.add(message);
    kept.push(message);
    expect(heldBy(kept)).toBeLessThanOrEqual(LENT_BYTES_MAX + FRAME_BYTES + kept.length * PAYLOAD_BYTES);
  }
});

test("one that is over before so much more has come is not copied, and one that is still kept is, whatever its frame had beside it", () => {
  const lent = new Lent();
  const frame = new Uint8Array(FRAME_BYTES);
  const [over, kept] = [messageIn(frame, 0), messageIn(frame, 100)];
  for (const message of [over, kept]) {
    message.holders = 1;
    lent.add(message);
  }
  over.holders = 0;
  // All of one frame, which counts once.
  for (let count = 2; count < LENT_MESSAGES_MAX; count += 1) {
    expect(kept.payload.buffer).toBe(frame.buffer);
    lent.add(messageIn(frame, 200));
  }
  expect(over.payload.buffer).toBe(frame.buffer);
  expect(heldBy([kept])).toBe(PAYLOAD_BYTES);
});
