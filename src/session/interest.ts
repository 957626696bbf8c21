/**
 * What this object as a whole wants from the Topic objects: one interest a filter, whatever the number of its subscribers here. Every
 * change has a version that grows; a Topic object forgets an interest only by the word of a version that is not older than the one
 * it knows, so that a late "nobody here wants it" can't undo a new subscription.
 */

import { utf8Length } from "../mqtt/bytes.ts";
import { SHARE_PREFIX } from "../topic/filter.ts";
import { FORGET_WORK } from "../work-limits.ts";
import { begin } from "./chores.ts";
import type { Interest, SessionCore } from "./core.ts";
import { forgetAllOwed, forgetOwed } from "./owed-retained.ts";
import type { Ticket } from "./ports.ts";
import type { Session, Subscription } from "./session.ts";
import { joinShare, leaveShare, withdraw } from "./share.ts";

/**
 * Makes sure that the Topic objects send what a subscription matches.
 * @param again tells them even if they know: the route and what is retained are then looked at in the same step, and one that has forgotten
 *   the route knows it again
 */
export function interestIn(core: SessionCore, { session, request }: Subscription, again: boolean, ticket: Ticket): void {
  const { filter, qos } = request;
  // One that arrives from another object is kept, though not stored here yet.
  const lasting = session.stored || session.arriving;
  const known = core.interests.get(filter);
  if (known?.confirmed && known.qos >= qos && (known.lasting || !lasting) && !again) {
    ticket.settled(0);
    return;
  }
  const version = core.numbers.next();
  const interest: Interest = known ?? { qos, confirmed: false, lasting, version };
  interest.version = version;
  if (qos > interest.qos || (lasting && !interest.lasting)) interest.confirmed = false;
  if (qos > interest.qos) interest.qos = qos;
  if (lasting) interest.lasting = true;
  core.interests.set(filter, interest);
  core.router.subscribe(
    { filter, qos: interest.qos, version, lasting: interest.lasting },
    {
      settled(reasonCode) {
        if (reasonCode < 0x80 && interest.version === version) interest.confirmed = true;
        ticket.settled(reasonCode);
      },
    },
  );
}

export function addSubscription(core: SessionCore, session: Session, subscription: Subscription): void {
  const { filter } = subscription.request;
  if (!session.subscriptions.has(filter)) session.subscriptionBytes += utf8Length(filter);
  session.subscriptions.set(filter, subscription);
  if (filter.startsWith(SHARE_PREFIX)) joinShare(core, session, filter);
  else core.subscriptions.add(filter, session.clientId, subscription);
}

/** Takes a subscription out of this object; with the last one on its filter the interest ends. */
export function forgetSubscription(core: SessionCore, session: Session, filter: string): void {
  session.asked?.get(filter)?.overtake();
  session.asked?.delete(filter);
  if (session.subscriptions.delete(filter)) session.subscriptionBytes -= utf8Length(filter);
  forgetOwed(core, session, filter);
  if (filter.startsWith(SHARE_PREFIX)) {
    leaveShare(core, session, filter);
    return;
  }
  // Another session of the same client may have taken its place.
  if (core.subscriptions.get(filter, session.clientId)?.session !== session) return;
  core.subscriptions.remove(filter, session.clientId);
  if (core.subscriptions.hasFilter(filter)) return;
  if (!core.interests.delete(filter)) return;
  core.router.unsubscribe(filter, core.numbers.next());
  core.presence.unwanted(filter);
}

/**
 * Takes all its subscriptions out of this object. Nothing comes through them from now on; the tree of filters and Topic objects hear of it in
 * slices, for there may be very many.
 * @param withRows deletes their rows, of a session that goes on without them
 */
export function forgetSubscriptions(core: SessionCore, session: Session, withRows: boolean): void {
  // It may be owed something by subscriptions that can't be read.
  forgetAllOwed(core, session);
  if (session.subscriptions.size === 0) return;
  session.isDeaf = true;
  core.deaf.add(session);
  for (const filter of session.subscriptions.keys()) if (filter.startsWith(SHARE_PREFIX)) withdraw(core, session, filter);
  begin(core, takeOut(core, session, withRows));
}

function* takeOut(core: SessionCore, session: Session, withRows: boolean): Generator<void> {
  for (const filter of [...session.subscriptions.keys()]) {
    // Whatever fails in it, it comes to its end.
    core.failures.guard("ending a subscription", session, () => {
      if (withRows && session.stored) core.rowChanges.deleteSubscription(session, filter);
      forgetSubscription(core, session, filter);
    });
    core.work += FORGET_WORK;
    yield;
  }
  core.deaf.delete(session);
}
