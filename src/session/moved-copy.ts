/**
 * What is left of a session that is elsewhere: a copy without subscriptions, and its QoS 2 exchanges, for as long as their publishers may
 * repeat them. When the session comes back, it takes what the copy got meanwhile.
 */

import { DEADLINE_COARSE_MS, REPEAT_WINDOW_MS } from "../limits.ts";
import { isShared } from "./chunk.ts";
import type { SessionCore } from "./core.ts";
import { SESSION_EXPIRY } from "./deadlines.ts";
import { forgetExchanges } from "./exchanges.ts";
import { forgetSubscriptions } from "./interest.ts";
import { beginWaiting, endSession } from "./lifecycle.ts";
import { NOBODY } from "./ports.ts";
import { restoreIncoming } from "./publish.ts";
import { take } from "./queue.ts";
import { forgetDeliveries } from "./redistribute.ts";
import { forgetRow } from "./rows.ts";
import { Session } from "./session.ts";
import { inRows, peek } from "./waiting.ts";
import { discardWill } from "./will.ts";

/**
 * The session is elsewhere: what is left of it here is a copy, which gets nothing any more.
 * @param withRows deletes the rows of its subscriptions, where its own stays
 */
export function retire(core: SessionCore, session: Session, withRows: boolean): void {
  session.retired = true;
  leaveRest(core, session);
  discardWill(core, session);
  forgetSubscriptions(core, session, withRows);
  core.changes.markRow(session);
}

/** What is left of sessions that moved away, as a session that no client can ask for: no Client Identifier has U+0000. */
const REST = "\0moved";

/** Whether it is the session of a client that is here, and not what is left of one. */
export function isHere({ clientId, retired }: Session): boolean {
  return !retired && clientId !== REST;
}

/**
 * For a while after sessions have left: their numbers are not given again, should the clock be set back, and their QoS 2 exchanges,
 * whose publishers repeat them at their new owners under the names they have from here, are not called settled.
 */
function leaveRest(core: SessionCore, session: Session): void {
  const rest = core.sessions.get(REST) ?? new Session(REST, core.numbers.next(), NOBODY, core.ledger);
  core.sessions.set(REST, rest);
  for (const [packetId, { sequence, reasonCode, begunAt }] of session.received) {
    if (!session.openExchanges.has(sequence)) continue;
    session.received.delete(packetId);
    restoreIncoming(core, rest, { packetId: rest.allocatePacketId(), sequence, settled: reasonCode !== undefined, begunAt });
    core.openExchanges.set(sequence, rest);
    session.openExchanges.delete(sequence);
  }
  rest.expirySeconds = REPEAT_WINDOW_MS / 1000;
  beginWaiting(core, rest);
}

/** A session may have expired. */
export function handleSessionExpiry(core: SessionCore, session: Session): void {
  if (session.connection === undefined && session.expiresAt <= core.now) endHere(core, session);
}

/** A session is over here. One that was offered may live on elsewhere, where its publisher repeats what it began here. */
export function endHere(core: SessionCore, session: Session): void {
  if (session.offered && !session.retired && core.sessions.get(session.clientId) === session) leaveRest(core, session);
  endSession(core, session);
}

/** The retired copy makes room for the session, which is fetched back. Its rows stay until that is here. */
export function setAside(core: SessionCore, clientId: string): Session | undefined {
  const copy = core.sessions.get(clientId);
  if (copy === undefined) return undefined;
  core.sessions.delete(clientId);
  core.aside.add(copy);
  core.deadlines.forget(copy);
  return copy;
}

/** The session could not be fetched. */
export function putBack(core: SessionCore, copy: Session): void {
  core.aside.delete(copy);
  if (!copy.stored) {
    forgetDeliveries(core, copy, false);
    forgetExchanges(copy);
    return;
  }
  core.sessions.set(copy.clientId, copy);
  if (copy.expiresAt !== Number.POSITIVE_INFINITY)
    core.deadlines.add({ at: copy.expiresAt, kind: SESSION_EXPIRY, subject: copy, slackMs: DEADLINE_COARSE_MS });
}

/**
 * The session is here. It takes what came for it through shared subscriptions since it went: nobody else has that.
 * @param through the number of the last delivery that it took with it
 */
export function mergeCopy(core: SessionCore, session: Session, copy: Session, through: number): void {
  for (const waiting of [...inRows(copy)]) {
    if (!isShared(waiting.flags) || waiting.sequence <= through) continue;
    const delivery = peek(core, copy, waiting);
    if (delivery === undefined) continue;
    const { share, message, qos, retain, identifiers } = delivery;
    take(core, session, message, { qos, retain, identifiers, share, owed: false }, core.log.append(message));
  }
  dropCopy(core, copy);
}

export function dropCopy(core: SessionCore, copy: Session): void {
  core.aside.delete(copy);
  forgetDeliveries(core, copy, false);
  forgetRow(core, copy);
  forgetExchanges(copy);
}
