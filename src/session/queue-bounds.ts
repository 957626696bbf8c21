/** What the queue of a session may hold: less while memory is short. */

import { type Limits, SLOW_FILL } from "../limits.ts";
import { QUEUE_BYTES_SHORT, QUEUE_MESSAGES_SHORT } from "../memory-limits.ts";
import type { Message } from "../mqtt/message.ts";
import type { Slowed } from "./held-outcome.ts";

export interface QueueBounds {
  readonly messages: number;
  readonly bytes: number;
  /** They are narrower than usual because memory is short. */
  readonly short: boolean;
}

type Queue = Pick<Slowed, "waiting" | "waitingBytes">;

interface Short {
  readonly limits: Limits;
  readonly ledger: { isShortFor(what: "queues"): boolean };
}

/** What a queue may hold now. */
export function boundsOf({ limits, ledger }: Short): QueueBounds {
  const { queueMessagesMax, queueBytesMax } = limits;
  if (!ledger.isShortFor("queues")) return { messages: queueMessagesMax, bytes: queueBytesMax, short: false };
  return {
    messages: Math.min(queueMessagesMax, QUEUE_MESSAGES_SHORT),
    bytes: Math.min(queueBytesMax, QUEUE_BYTES_SHORT),
    short: true,
  };
}

/** Whether one more message would not fit. */
export function isFull({ waiting, waitingBytes }: Queue, { size }: Message, { messages, bytes }: QueueBounds): boolean {
  return waiting >= messages || waitingBytes + size > bytes;
}

/** Whether a queue is no fuller than queues of connected clients should be. */
export function isShort({ waiting, waitingBytes }: Queue, { messages, bytes }: QueueBounds): boolean {
  return waiting <= messages * SLOW_FILL && waitingBytes <= bytes * SLOW_FILL;
}
