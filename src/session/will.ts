/**
 * Will Messages: kept in a row from CONNECT on, whatever the session, because a lost object gives no other chance to publish them;
 * published when the connection ended without DISCONNECT 0x00 and the Will Delay or the session is over, whichever comes first.
 */

import { WILL_WATCH_MS } from "../limits.ts";
import { messageOfPublish, messageOfWill } from "../mqtt/message.ts";
import type { Will } from "../mqtt/packet.ts";
import { QUOTA_EXCEEDED } from "../mqtt/reason-code.ts";
import { RETAINED_WORK } from "../work-limits.ts";
import { handOn } from "./consume.ts";
import type { SessionCore } from "./core.ts";
import { WILL_DELAY, WILL_WATCH } from "./deadlines.ts";
import { dropped } from "./dropped.ts";
import { willBytes } from "./pending-will.ts";
import type { PublishVerdict } from "./ports.ts";
import type { Connection, Session } from "./session.ts";
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

/** Publishes the will; its row goes once it is safe, so that a crash repeats it rather than loses it. */
export function publishWill(core: SessionCore, session: Session): void {
  const pending = session.will;
  if (pending === undefined) return;
  session.will = undefined;
  const { clientId, identity } = session;
  const { topic, qos, retain } = pending.will;
  // What was allowed at CONNECT may not be any more.
  if (pending.checked !== true && !core.authorizer.mayPublish(identity, clientId, topic, qos, retain)) {
    dropped(core, "not_authorized", undefined, { topic, qos, publisher: clientId });
    core.rowChanges.deleteWill(clientId);
    return;
  }
  if (core.wills === undefined || !isAskedAbout(topic)) {
    sendWill(core, session, pending.will, undefined);
    return;
  }
  // Nobody else holds it while the code takes its time.
  const bytes = willBytes(pending);
  core.ledger.add("wills", bytes);
  core.wills.askWill(identity, clientId, pending.will, (verdict, now) => {
    core.now = now;
    core.ledger.add("wills", -bytes);
    core.failures.guard("publishing its will", undefined, () => sendWill(core, session, pending.will, verdict));
  });
}

/** Its row goes once it is safe; until then, and while the Worker's code is asked, a crash repeats it. */
function sendWill(core: SessionCore, { clientId, identity }: Session, will: Will, verdict: PublishVerdict): void {
  const origin = core.nextOrigin(clientId);
  if (refusalIn(verdict) !== undefined) {
    dropped(core, "refused", undefined, { topic: will.topic, qos: will.qos, publisher: clientId });
    if (core.sessions.get(clientId)?.will === undefined) core.rowChanges.endWill(clientId);
    return;
  }
  const changed = verdict !== undefined && "publish" in verdict ? verdict.publish : undefined;
  const message =
    changed === undefined ? messageOfWill(will, origin, core.now) : messageOfPublish(changed, changed.topic, origin, core.now);
  if (message.retain) core.work += RETAINED_WORK;
  const ticket = {
    settled(reasonCode: number) {
      core.failures.guard("ending its will", core.sessions.get(clientId), () => {
        const successor = core.sessions.get(clientId)?.will;
        // Somebody's queue was full: the others have it, and a repeat would not help.
        const isSafe = reasonCode < 0x80 || reasonCode === QUOTA_EXCEEDED;
        if (isSafe && successor === undefined) core.rowChanges.endWill(clientId);
      });
    },
  };
  handOn(core, message, ticket, message.retain ? core.userShares.ownerOf(identity) : undefined);
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
