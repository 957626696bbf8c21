/**
 * Membership in shared subscriptions, as far as this object's sessions go. A Topic object chooses the Session object for each message,
 * by what each of them announced: how many members it has and how many of those are connected. Which member gets it is chosen here.
 */

import { SHARE_PREFIX } from "../topic/filter.ts";
import type { SessionCore } from "./core.ts";
import { LocalShare } from "./local-share.ts";
import type { Ticket } from "./ports.ts";
import type { Session } from "./session.ts";

export function joinShare(core: SessionCore, session: Session, filter: string): void {
  let share = core.shares.get(filter);
  if (share === undefined) {
    share = new LocalShare(filter);
    core.shares.set(filter, share);
  }
  share.members.add(session);
  const shares = core.sharesOf.get(session);
  if (shares === undefined) core.sharesOf.set(session, new Set([share]));
  else shares.add(share);
  share.changed();
}

/** It is a member no longer: nobody chooses it. What follows for the Topic objects is `leaveShare`'s. */
export function withdraw(core: SessionCore, session: Session, filter: string): void {
  const share = core.shares.get(filter);
  if (share === undefined || !share.members.delete(session)) return;
  share.changed();
  const shares = core.sharesOf.get(session);
  shares?.delete(share);
  if (shares?.size === 0) core.sharesOf.delete(session);
  share.backlogs.delete(session);
}

export function leaveShare(core: SessionCore, session: Session, filter: string): void {
  withdraw(core, session, filter);
  const share = core.shares.get(filter);
  if (share === undefined) return;
  announce(core, share, undefined);
  if (share.members.size > 0) return;
  core.shares.delete(filter);
  core.backlogs.delete(share);
  core.repeats.leftShare(filter);
}

/** A member connected or lost its connection: the Topic objects choose by how many are connected. */
export function announceShares(core: SessionCore, session: Session): void {
  for (const filter of session.subscriptions.keys()) {
    const share = filter.startsWith(SHARE_PREFIX) ? core.shares.get(filter) : undefined;
    if (share === undefined) continue;
    share.changed();
    announce(core, share, undefined);
  }
}

/**
 * Tells the Topic objects how many members there are, if that has changed or somebody waits for it.
 * @param ticket settled once they know
 */
export function announce(core: SessionCore, share: LocalShare, ticket: Ticket | undefined): void {
  const members = share.members.size;
  const { online } = share;
  if (ticket === undefined && members === share.announcedMembers && online === share.announcedOnline) return;
  share.announcedMembers = members;
  share.announcedOnline = online;
  core.router.share(share.filter, members, online, core.numbers.next(), ticket);
}
