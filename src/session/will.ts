/**
 * Will Messages: kept in a row from CONNECT on, whatever the session, because a lost object gives no other chance to publish them;
 * published when the connection ended without DISCONNECT 0x00 and the Will Delay or the session is over, whichever comes first.
 */

import { WILL_RETRY_MS_FIRST, WILL_RETRY_MS_MAX, WILL_WATCH_MS } from "../limits.ts";
import { messageOfPublish, messageOfWill } from "../mqtt/message.ts";
import type { Will } from "../mqtt/packet.ts";
import { QUOTA_EXCEEDED } from "../mqtt/reason-code.ts";
import { RETAINED_WORK } from "../work-limits.ts";
import { handOn } from "./consume.ts";
import type { SessionCore } from "./core.ts";
import { WILL_DELAY, WILL_WATCH } from "./deadlines.ts";
import { dropped } from "./dropped.ts";
import { isDue, type PendingWill, type WillUnderWay, willBytes } from "./pending-will.ts";
import type { Identity, PublishVerdict } from "./ports.ts";
import { type Connection, Session } from "./session.ts";
import { isAskedAbout, refusalIn } from "./verdict.ts";

/** [MQTT5-3.1.2-7]: kept with the session. A CONNECT without a will forgets an older one, but for one that is being published. */
export function setWill(core: SessionCore, session: Session, will: Will | undefined): void {
  partUnderWay(core, session.clientId);
  if (will === undefined) {
    discardWill(core, session);
    return;
  }
  keepWill(core, session, { will, dueAt: 0, inGrace: false });
}

/** It has a row from now on. */
export function keepWill(core: SessionCore, session: Session, will: PendingWill): void {
  partUnderWay(core, session.clientId);
  session.will = will;
  core.rowChanges.putWill(session, will);
}

/** [MQTT5-3.1.2-10] [MQTT5-3.14.4-3] [MQTT311-3.1.2-10] [MQTT311-3.14.4-3] */
export function discardWill(core: SessionCore, session: Session): void {
  if (session.will === undefined) return;
  session.will = undefined;
  core.rowChanges.deleteWill(session.clientId);
}

/** The connection ended without DISCONNECT 0x00: the will waits for its delay, or goes at once [MQTT5-3.1.2-8] [MQTT311-3.1.2-8]. */
export function scheduleWill(core: SessionCore, session: Session, afterMs: number): void {
  if (session.will === undefined) return;
  if (afterMs <= 0) {
    publishWill(core, session);
    return;
  }
  const dueAt = core.now + afterMs;
  keepWill(core, session, { will: session.will.will, dueAt, inGrace: session.inGrace });
  core.deadlines.add({ at: dueAt, kind: WILL_DELAY, subject: session, slackMs: 0 });
}

/** Will Delay Interval, milliseconds; the end of the session comes first if it is sooner [5.0/3.1.3.2.2/min]. */
export function willDelayMs(session: Session): number {
  const delay = session.will?.will.properties.willDelayInterval ?? 0;
  return Math.min(delay, session.expirySeconds) * 1000;
}

/** Publishes the will; its row goes once it is safe, so that a crash repeats it rather than loses it. Until somebody has it, it is tried again. */
export function publishWill(core: SessionCore, session: Session): void {
  const pending = session.will;
  if (pending === undefined) return;
  session.will = undefined;
  const { clientId, identity } = session;
  core.rests.delete(session);
  const underWay: WillUnderWay = { clientId, identity, pending, row: pending.row };
  if (pending.row === undefined) core.willsUnderWay.set(clientId, underWay);
  attempt(core, underWay, () => judgeWill(core, underWay));
}

/** Its client is back, and not [MQTT5-3.1.3-9] before its Will Delay was over, nor, after a restart, its grace: so its will goes. */
export function publishIfDue(core: SessionCore, session: Session): void {
  if (session.will !== undefined && isDue(session.will, core.now)) publishWill(core, session);
}

/** By a fault its row stays for the next life of the object, or for the next will of its client: not each that fails has one of its own. */
function attempt(core: SessionCore, underWay: WillUnderWay, publish: () => void): void {
  try {
    publish();
  } catch (error) {
    if (underWay.row === undefined) core.willsUnderWay.delete(underWay.clientId);
    throw error;
  }
}

function judgeWill(core: SessionCore, underWay: WillUnderWay): void {
  const { clientId, identity, pending } = underWay;
  const { topic, qos, retain } = pending.will;
  // What was allowed at CONNECT may not be any more.
  if (pending.checked !== true && !core.authorizer.mayPublish(identity, clientId, topic, qos, retain)) {
    dropped(core, "not_authorized", undefined, { topic, qos, publisher: clientId });
    endRow(core, underWay);
    return;
  }
  if (core.wills === undefined || !isAskedAbout(topic)) {
    sendWill(core, underWay, undefined);
    return;
  }
  // Nobody else holds it while the code takes its time.
  const bytes = willBytes(pending.will);
  core.ledger.add("wills", bytes);
  core.wills.askWill(identity, clientId, pending.will, (verdict, now) => {
    core.now = now;
    core.ledger.add("wills", -bytes);
    core.failures.guard("publishing its will", undefined, () => attempt(core, underWay, () => sendWill(core, underWay, verdict)));
  });
}

/** Its row goes once it is safe; until then, and while the Worker's code is asked, a crash repeats it. */
function sendWill(core: SessionCore, underWay: WillUnderWay, verdict: PublishVerdict): void {
  const { clientId, identity, pending } = underWay;
  const { will } = pending;
  const origin = core.nextOrigin(clientId);
  if (refusalIn(verdict) !== undefined) {
    dropped(core, "refused", undefined, { topic: will.topic, qos: will.qos, publisher: clientId });
    endRow(core, underWay);
    return;
  }
  const changed = verdict !== undefined && "publish" in verdict ? verdict.publish : undefined;
  const message =
    changed === undefined ? messageOfWill(will, origin, core.now) : messageOfPublish(changed, changed.topic, origin, core.now);
  if (message.retain) core.work += RETAINED_WORK;
  const ticket = {
    settled(reasonCode: number) {
      core.failures.guard("ending its will", core.sessions.get(clientId), () => {
        // Somebody's queue was full: the others have it, and a repeat would not help.
        if (reasonCode < 0x80 || reasonCode === QUOTA_EXCEEDED) endRow(core, underWay);
        else tryAgain(core, underWay);
      });
    },
  };
  handOn(core, message, ticket, message.retain ? core.userShares.ownerOf(identity) : undefined);
}

/** The will is over. */
function endRow(core: SessionCore, { clientId, row }: WillUnderWay): void {
  if (row !== undefined) core.rowChanges.deleteOwnWill(clientId, row);
  else {
    core.willsUnderWay.delete(clientId);
    core.rowChanges.deleteWill(clientId);
  }
}

/** The row of its client's will is wanted for another one. */
function partUnderWay(core: SessionCore, clientId: string): void {
  const underWay = core.willsUnderWay.get(clientId);
  if (underWay !== undefined) part(core, underWay, { ...underWay.pending, dueAt: core.now, inGrace: false });
}

/** It is nobody's connection's any more, and its client may have another one: its row says so, and that it is due. */
function part(core: SessionCore, underWay: WillUnderWay, pending: PendingWill): void {
  const { clientId, identity } = underWay;
  if (underWay.row === undefined) endRow(core, underWay);
  underWay.row ??= core.numbers.next();
  core.rowChanges.putOwnWill(clientId, identity, { ...pending, row: underWay.row });
}

/** Nobody took it. Whatever becomes of its client meanwhile, it is due, and by its row also after a loss of memory. */
function tryAgain(core: SessionCore, underWay: WillUnderWay): void {
  const { clientId, identity, pending } = underWay;
  const { will, retryMs } = pending;
  const afterMs = retryMs === undefined ? WILL_RETRY_MS_FIRST : Math.min(2 * retryMs, WILL_RETRY_MS_MAX);
  const next = { will, dueAt: core.now + afterMs, inGrace: false, retryMs: afterMs };
  part(core, underWay, next);
  restOf(core, clientId, identity, { ...next, row: underWay.row });
}

/** What is left of a connection is its will, which is due; its client has another connection or session, or none. */
export function restOf(core: SessionCore, clientId: string, identity: Identity, will: PendingWill): void {
  const rest = new Session(clientId, 0, identity, core.ledger);
  rest.will = will;
  core.rests.add(rest);
  core.deadlines.add({ at: will.dueAt, kind: WILL_DELAY, subject: rest, slackMs: 0 });
}

/**
 * A row of before such wills had rows of their own: its client is back without a will, and this is of a connection before.
 * @param will due already or soon
 */
export function partRest(core: SessionCore, clientId: string, identity: Identity, pending: PendingWill): void {
  const underWay: WillUnderWay = { clientId, identity, pending, row: undefined };
  part(core, underWay, pending);
  restOf(core, clientId, identity, { ...pending, row: underWay.row });
}

/** A will whose connection has no Keep Alive: should the object be reset without a word, nothing else would wake it to find out. */
function isUnwatched({ session, keepAliveMs }: Connection): boolean {
  return session.will !== undefined && keepAliveMs === 0;
}

/** Makes sure that the object wakes now and then while it keeps such wills. */
export function watchWills(core: SessionCore, connections: Iterable<Connection>): void {
  if (core.watchesWills) return;
  for (const connection of connections) {
    if (!isUnwatched(connection)) continue;
    core.watchesWills = true;
    core.deadlines.add({ at: core.now + WILL_WATCH_MS, kind: WILL_WATCH, subject: undefined, slackMs: WILL_WATCH_MS });
    return;
  }
}

/** The object is awake, which was the purpose. */
export function handleWillWatch(core: SessionCore): void {
  core.watchesWills = false;
  watchWills(core, core.connections);
}
