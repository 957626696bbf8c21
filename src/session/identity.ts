/**
 * Who speaks for a session, and what it may be given. What waits for it when that changes may have come under other rights: it is looked
 * at once more when it is sent.
 */

import { matches, topicFilterOf } from "../topic/filter.ts";
import type { SessionCore } from "./core.ts";
import type { Identity } from "./ports.ts";
import type { Session } from "./session.ts";

/** This one speaks for the session from now on. Where its rights may be others, what waits for it may have come under those before. */
export function setIdentity(core: SessionCore, session: Session, identity: Identity): void {
  if (core.sessions.get(session.clientId) === session) {
    core.ledger.add("sessions", identity.grants.length - session.identity.grants.length);
  }
  session.isJudged &&= hasSameRights(core, session.identity, identity);
  session.identity = identity;
  if (session.isJudged) return;
  session.limitsReceive = undefined;
  doubtWaiting(session);
}

/** Rules say the same of both, as long as this object lives. Others who are asked may have changed their minds. */
function hasSameRights({ authorizer }: SessionCore, one: Identity, other: Identity): boolean {
  return (
    authorizer.mayKeep === undefined && one.userName === other.userName && one.address === other.address && one.grants === other.grants
  );
}

/** All that waits to be sent is looked at when it is. */
export function doubtWaiting(session: Session): void {
  session.doubted = session.queued.length + session.backlog.unsent;
}

/** Whether a message of this topic may be given to the session. */
export function mayReceive(core: SessionCore, session: Session, topic: string): boolean {
  const { authorizer } = core;
  session.limitsReceive ??= authorizer.limitsReceive(session.identity, session.clientId);
  return !session.limitsReceive || authorizer.mayReceive(session.identity, session.clientId, topic);
}

/** Whether the next of what has waited, in its order, may still be given to the session. */
export function mayStillHave(core: SessionCore, session: Session, topic: string): boolean {
  if (session.doubted === 0) return true;
  session.doubted -= 1;
  const { authorizer } = core;
  // Of a former subscription, which its rights may allow no more: it is looked at even where deliveries are not.
  if (!authorizer.mayReceive(session.identity, session.clientId, topic)) return false;
  // Where others than rules say what it may subscribe to, nothing else than that tells what it may be given.
  return authorizer.mayKeep === undefined || isSubscribed(session, topic);
}

function isSubscribed({ subscriptions }: Session, topic: string): boolean {
  if (subscriptions.has(topic)) return true;
  for (const filter of subscriptions.keys()) if (matches(topicFilterOf(filter), topic)) return true;
  return false;
}
