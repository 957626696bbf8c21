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
import { type PendingWill, willBytes } from "./pending-will.ts";
import type { Identity, PublishVerdict } from "./ports.ts";
import { type Connection, Session } from "./session.ts";
import { isAskedAbout, refusalIn } from "./verdict.ts";

/** [MQTT5-3.1.2-7]: kept with the session. A CONNECT without a will forgets an older one. */
export function setWill(core: SessionCore, session: Session, will: Will | undefined): void {
  if (will === undefined) {
    discardWill(core, session);
    return;
  }
  session.will = { will, dueAt: 0, inGrace: false };
  core.rowChanges.putWill(session, session.will);
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
  session.will = { will: session.will.will, dueAt: core.now + afterMs, inGrace: session.inGrace };
  core.rowChanges.putWill(session, session.will);
  core.deadlines.add({ at: session.will.dueAt, kind: WILL_DELAY, subject: session, slackMs: 0 });
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
  const { topic, qos, retain } = pending.will;
  // What was allowed at CONNECT may not be any more.
  if (pending.checked !== true && !core.authorizer.mayPublish(identity, clientId, topic, qos, retain)) {
    dropped(core, "not_authorized", undefined, { topic, qos, publisher: clientId });
    endRow(core, clientId);
    return;
  }
  if (core.wills === undefined || !isAskedAbout(topic)) {
    sendWill(core, session, pending, undefined);
    return;
  }
  // Nobody else holds it while the code takes its time.
  const bytes = willBytes(pending.will);
  core.ledger.add("wills", bytes);
  core.wills.askWill(identity, clientId, pending.will, (verdict, now) => {
    core.now = now;
    core.ledger.add("wills", -bytes);
    core.failures.guard("publishing its will", undefined, () => sendWill(core, session, pending, verdict));
  });
}

/** Its row goes once it is safe; until then, and while the Worker's code is asked, a crash repeats it. */
function sendWill(core: SessionCore, { clientId, identity }: Session, pending: PendingWill, verdict: PublishVerdict): void {
  const { will } = pending;
  const origin = core.nextOrigin(clientId);
  if (refusalIn(verdict) !== undefined) {
    dropped(core, "refused", undefined, { topic: will.topic, qos: will.qos, publisher: clientId });
    endRow(core, clientId);
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
        if (reasonCode < 0x80 || reasonCode === QUOTA_EXCEEDED) endRow(core, clientId);
        else tryAgain(core, clientId, identity, pending);
      });
    },
  };
  handOn(core, message, ticket, message.retain ? core.userShares.ownerOf(identity) : undefined);
}

/** The row of a will that is over, unless it is another one's by now. */
function endRow(core: SessionCore, clientId: string): void {
  if (core.sessions.get(clientId)?.will === undefined) core.rowChanges.deleteWill(clientId);
}

/** Nobody took it. Whatever becomes of its client meanwhile, it is due, and by its row also after a loss of memory. */
function tryAgain(core: SessionCore, clientId: string, identity: Identity, { will, retryMs }: PendingWill): void {
  const afterMs = retryMs === undefined ? WILL_RETRY_MS_FIRST : Math.min(2 * retryMs, WILL_RETRY_MS_MAX);
  const pending = { will, dueAt: core.now + afterMs, inGrace: false, retryMs: afterMs };
  const rest = restOf(core, clientId, identity, pending);
  if (core.sessions.get(clientId)?.will === undefined) core.rowChanges.putWill(rest, pending);
}

/** What is left of a connection is its will, which is due; its client has another connection or session, or none. */
export function restOf(core: SessionCore, clientId: string, identity: Identity, will: PendingWill): Session {
  const rest = new Session(clientId, 0, identity, core.ledger);
  rest.will = will;
  core.deadlines.add({ at: will.dueAt, kind: WILL_DELAY, subject: rest, slackMs: 0 });
  return rest;
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
