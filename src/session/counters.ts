/** What a Session object counts since it woke. */

/**
 * Why a message did not reach a session that it was for; refused: it reached none, because the Worker's code has said so or has failed;
 * session_ended: it waited for a session that ended, and goes to nobody else.
 */
export const DROP_REASONS = [
  "queue_full",
  "too_large",
  "expired",
  "memory",
  "unread",
  "not_authorized",
  "refused",
  "session_ended",
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** What clients may send so much of in a time. */
export const PACED = ["messages", "bytes", "subscribes"] as const;

export interface SessionCounters {
  /** Messages that clients published here, and wills. */
  messagesReceived: number;
  /** PUBLISH packets that were sent to clients, repeats included. */
  messagesDelivered: number;
  /** Those of them that were the broker's own figures, below `$SYS`. */
  systemDelivered: number;
  readonly messagesDropped: Record<DropReason, number>;
  /** Events that were not told because too many had to be at once, or that did not reach all who want them. */
  eventsLeftOut: number;
  /** PUBLISH and SUBSCRIBE packets that were dropped or refused because their client sends faster than it may, by the rate. */
  readonly aboveRate: Record<(typeof PACED)[number], number>;
  /** Rows that belonged to no session any more and were deleted at the start. */
  rowsSwept: number;
  /** Faults of the broker's own that happened to one client. */
  faults: number;
}

/** Messages that sessions did not get, for whatever reason. */
export function droppedTotal({ messagesDropped }: SessionCounters): number {
  let total = 0;
  for (const reason of DROP_REASONS) total += messagesDropped[reason];
  return total;
}

export function createCounters(): SessionCounters {
  const dropped = Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>;
  const aboveRate = { messages: 0, bytes: 0, subscribes: 0 };
  return {
    messagesReceived: 0,
    messagesDelivered: 0,
    systemDelivered: 0,
    messagesDropped: dropped,
    eventsLeftOut: 0,
    aboveRate,
    rowsSwept: 0,
    faults: 0,
  };
}
