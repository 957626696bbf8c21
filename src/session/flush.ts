/** The end of an event: clients that a fault happened to are disconnected, then all that must be safe before anything leaves is written. */

import { UNSPECIFIED_ERROR } from "../mqtt/reason-code.ts";
import { FAILED } from "./close-code.ts";
import type { SessionCore } from "./core.ts";
import { clientLost, connectionLost, endSession } from "./lifecycle.ts";
import type { Ended } from "./ports.ts";
import { writeRows } from "./rows.ts";

const FAULT: Ended = { reasonCode: UNSPECIFIED_ERROR, reason: FAILED };

/**
 * Writes everything that must be safe before what the wires gathered is sent.
 * @param attachments how many of them at most; the others are left to the next flush, before which the object may not sleep
 * @param late the same of those whose sessions have no rows
 */
export function flush(core: SessionCore, attachments = Number.POSITIVE_INFINITY, late = Number.POSITIVE_INFINITY): void {
  endFailed(core);
  // What a fault in writing has ended leaves something to write again. Each round ends somebody, or is the last.
  do writeRows(core, attachments, late);
  while (endFailed(core));
}

/** @returns whether anything has ended */
function endFailed(core: SessionCore): boolean {
  let some = false;
  for (const [session, ends] of core.failures.take()) {
    const { connection } = session;
    const isHere = core.sessions.get(session.clientId) === session;
    if (connection !== undefined) {
      core.failures.guard("closing its connection", session, () => connection.disconnect(UNSPECIFIED_ERROR, FAILED));
      core.failures.guard("ending its connection", session, () => connectionLost(core, connection, FAULT));
    }
    // Neither connected nor waiting: it failed on its way between.
    else if (isHere && session.expiresAt === 0 && !session.arriving)
      core.failures.guard("losing its client", session, () => clientLost(core, session));
    if (ends && isHere) core.failures.guard("ending its session", session, () => endSession(core, session));
    some ||= connection !== undefined || (ends && isHere);
  }
  return some;
}
