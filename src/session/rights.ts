/**
 * What a connection may still do when its identity has changed, or in time: a CONNECT or an AUTH brings other rights, settings are others
 * after a restart, a login ends.
 */

import { NOT_AUTHORIZED } from "../mqtt/reason-code.ts";
import { topicFilterOf } from "../topic/filter.ts";
import { LOOK_WORK } from "../work-limits.ts";
import type { SessionCore } from "./core.ts";
import { LOGIN_END } from "./deadlines.ts";
import { setIdentity } from "./identity.ts";
import { forgetSubscription } from "./interest.ts";
import { violated } from "./lifecycle.ts";
import type { Identity } from "./ports.ts";
import type { Connection, Session } from "./session.ts";

/** Ends the subscriptions that the session may not have any more. One that was looked at under the same rights is not looked at again: rules may be many. */
export function endForbidden(core: SessionCore, session: Session): void {
  if (session.isJudged) return;
  session.isJudged = true;
  const { authorizer } = core;
  core.work += LOOK_WORK * session.subscriptions.size;
  for (const [filter, { request }] of [...session.subscriptions]) {
    const wish = [session.identity, session.clientId, topicFilterOf(filter), request.qos] as const;
    if (authorizer.mayKeep?.(...wish) ?? authorizer.maySubscribe(...wish)) continue;
    if (session.stored) core.rowChanges.deleteSubscription(session, filter);
    forgetSubscription(core, session, filter);
    core.clients.unsubscribed(session.identity, session.clientId, filter);
    if (session.connection !== undefined) core.changes.mark(session.connection);
  }
}

/** Rights and the end of the login are from now on those of this identity. */
export function replaceIdentity(core: SessionCore, session: Session, identity: Identity): void {
  const { connection } = session;
  setIdentity(core, session, identity);
  endForbidden(core, session);
  if (session.will !== undefined) core.rowChanges.putWill(session, session.will);
  core.changes.markRow(session);
  if (connection === undefined) return;
  watchLogin(core, connection);
  core.changes.mark(connection);
}

/** Whoever is connected is so for as long as its login lasts. */
export function watchLogin(core: SessionCore, connection: Connection): void {
  const { expiresAt } = connection.session.identity;
  if (expiresAt !== Number.POSITIVE_INFINITY) core.deadlines.add({ at: expiresAt, kind: LOGIN_END, subject: connection, slackMs: 0 });
}

/** A login may have ended. */
export function handleLoginEnd(core: SessionCore, connection: Connection): void {
  if (!connection.open) return;
  if (connection.session.identity.expiresAt > core.now) watchLogin(core, connection);
  else violated(core, connection, NOT_AUTHORIZED, LOGIN_ENDED);
}

export const LOGIN_ENDED = "the login has expired";
