/** What a Session object counts since it woke. */

/** Why a message did not reach a session that it was for. */
export const DROP_REASONS = ["queue_full", "too_large", "expired", "memory", "unread", "not_authorized"] as const;

export type DropReason = (typeof DROP_REASONS)[number];

export interface SessionCounters {
  /** Messages that clients published here, and wills. */
  messagesReceived: number;
  /** PUBLISH packets that were sent to clients, repeats included. */
  messagesDelivered: number;
  readonly messagesDropped: Record<DropReason, number>;
  /** Rows that belonged to no session any more and were deleted at the start. */
  rowsSwept: number;
  /** Faults of the broker's own that happened to one client. */
  faults: number;
}

export function createCounters(): SessionCounters {
  const dropped = Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>;
  return { messagesReceived: 0, messagesDelivered: 0, messagesDropped: dropped, rowsSwept: 0, faults: 0 };
}
