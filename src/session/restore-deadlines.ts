/** What an object that lost its memory has to do in time for sessions whose clients are not here: graces, expiries, delayed wills. */

import { RESTART_GRACE_MS } from "../limits.ts";
import { isOwed, isShared, qosIn } from "./chunk.ts";
import type { SessionCore } from "./core.ts";
import { SESSION_EXPIRY, WILL_DELAY } from "./deadlines.ts";
import { beginGrace, endSession } from "./lifecycle.ts";
import { isDue } from "./pending-will.ts";
import { keepWithinBounds } from "./queue.ts";
import type { Session } from "./session.ts";
import { noteBacklogs } from "./waiting.ts";
import { keepWill, scheduleWill } from "./will.ts";

/** Starts what waits for a time: the grace of those whose sockets are gone, the expiry and the will delay of those that were away. */
export function settle(core: SessionCore, session: Session): void {
  // What a full queue dropped may be in the log still: no row is written for that, nor does what is attached tell it where something older
  // waits.
  const { queueMessagesMax, queueBytesMax } = core.limits;
  if (session.connection === undefined && session.expiresAt === 0) forgetAcknowledged(core, session);
  keepWithinBounds(core, session, { messages: queueMessagesMax, bytes: queueBytesMax, short: false });
  if (session.connection !== undefined) {
    noteBacklogs(core, session);
    return;
  }
  if (session.expirySeconds === 0) {
    settleEnded(core, session);
    return;
  }
  if (session.expiresAt === 0) {
    beginGrace(core, session);
    return;
  }
  if (session.expiresAt !== Number.POSITIVE_INFINITY) {
    core.deadlines.add({ at: session.expiresAt, kind: SESSION_EXPIRY, subject: session, slackMs: 0 });
  }
  const { will } = session;
  // A will that is due at 0 was being published when memory was lost.
  if (will?.dueAt === 0) keepWill(core, session, { ...will, dueAt: core.now });
  if (session.will !== undefined) awaitWill(core, session);
  session.inGrace = session.will?.inGrace === true && !isDue(session.will, core.now);
}

/**
 * A session that was online when memory was lost has acknowledged more than its row knows, and rows of messages stay as long as others need
 * them. What is older than it may have had open was acknowledged: it would come again for nothing, and take up Packet Identifiers.
 */
function forgetAcknowledged(core: SessionCore, session: Session): void {
  const { inflightMax, queueMessagesMax, receiveMaximum } = core.limits;
  const { backlog } = session;
  let surplus = backlog.count - (inflightMax + queueMessagesMax + receiveMaximum);
  for (let index = 0; surplus > 0 && index < backlog.count; surplus -= 1) {
    // What it is owed waits for as long as it takes.
    if (isOwed(backlog.at(index).flags)) index += 1;
    else core.log.release(backlog.remove(index).sequence);
  }
}

/**
 * A session that ended with its socket. What is left of it is its will, and what waits for other members of its shared subscriptions: which
 * of that was sent is in the attachment, of which the object is told behind its start (`lostAsleep`). Both have one grace, however often the
 * object wakes in it.
 */
function settleEnded(core: SessionCore, session: Session): void {
  if (session.will === undefined && !mayHandOn(core, session)) {
    const { number, identity, subscriptions } = session;
    core.endedAsleepUntil = core.now + RESTART_GRACE_MS;
    if (session.stored) core.endedAsleep.set(number, { identity, watched: core.presence.watchedAmong(subscriptions.keys()) });
    endSession(core, session);
    return;
  }
  session.inGrace = true;
  if (session.will !== undefined) {
    if (session.will.dueAt === 0) scheduleWill(core, session, RESTART_GRACE_MS);
    else awaitWill(core, session);
    session.expiresAt = session.will.dueAt;
  } else if (session.expiresAt === 0) {
    session.expiresAt = core.now + RESTART_GRACE_MS;
    core.changes.markRow(session);
  }
  core.deadlines.add({ at: session.expiresAt, kind: SESSION_EXPIRY, subject: session, slackMs: 0 });
}

/** Whether something waits that may go to another member unless it was sent; all of it counts as sent until it is known. */
function mayHandOn(core: SessionCore, { backlog, expiresAt }: Session): boolean {
  if (expiresAt > 0 && expiresAt <= core.now) return false;
  for (const { flags } of backlog) if (isShared(flags) && qosIn(flags) === 2) return true;
  return false;
}

/** The will is published at the time in its row. */
function awaitWill(core: SessionCore, session: Session): void {
  core.deadlines.add({ at: session.will!.dueAt, kind: WILL_DELAY, subject: session, slackMs: 0 });
}
