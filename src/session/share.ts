/**
 * Shared subscriptions, as far as this object's members go. A Topic object chooses the Session object for each message, by what each
 * of them announced: how many members it has and how many of those are connected. Here one of the members is chosen: a connected one
 * while there is one [5.0/4.8.2/one]. Offline members stay members, and keep what they were given, until their session ends.
 */

import type { SharedStrategy } from "../choices.ts";
import { Message } from "../mqtt/message.ts";
import { SHARE_PREFIX } from "../topic/filter.ts";
import type { SessionCore } from "./core.ts";
import { deliverShared } from "./deliver.ts";
import type { Ticket } from "./ports.ts";
import type { Session } from "./session.ts";

/** The members of one `$share/{ShareName}/{filter}` in this object. */
export class LocalShare {
  /** The whole filter, `$share/` included. */
  readonly filter: string;
  /** In the order in which they joined. */
  readonly members = new Set<Session>();
  /** What the Topic objects were told last. */
  announcedMembers = 0;
  announcedOnline = 0;
  #turn = 0;
  #sticky: Session | undefined;
  /** Those of whom one may be chosen: the connected ones, or all while there is none. Made anew after each change, not for each message. */
  #candidates: readonly Session[] | undefined;
  #online = 0;

  constructor(filter: string) {
    this.filter = filter;
  }

  get online(): number {
    this.#list();
    return this.#online;
  }

  /** A member came or went, connected or lost its connection. */
  changed(): void {
    this.#candidates = undefined;
  }

  #list(): readonly Session[] {
    if (this.#candidates !== undefined) return this.#candidates;
    const connected = [...this.members].filter(({ connection }) => connection !== undefined);
    this.#online = connected.length;
    this.#candidates = connected.length > 0 ? connected : [...this.members];
    return this.#candidates;
  }

  /** A connected member while there is one; else one whose session keeps it for later. */
  #mayBeChosen(session: Session): boolean {
    return this.members.has(session) && (session.connection !== undefined || this.online === 0);
  }

  /**
   * The member that gets a message.
   * @param key which one, for strategies by which a Topic object chooses the member itself
   */
  choose(strategy: SharedStrategy, key: number): Session | undefined {
    const candidates = this.#list();
    if (candidates.length === 0) return undefined;
    switch (strategy) {
      case "round_robin":
        this.#turn += 1;
        return candidates[this.#turn % candidates.length];
      case "sticky":
        if (this.#sticky === undefined || !this.#mayBeChosen(this.#sticky)) this.#sticky = candidates[0];
        return this.#sticky;
      case "least_inflight": {
        // Among equals in turn: an idle group would else know but its first member.
        this.#turn += 1;
        const from = this.#turn % candidates.length;
        const rotated = [...candidates.slice(from), ...candidates.slice(0, from)];
        return rotated.reduce((least, each) => (each.deliveries.size < least.deliveries.size ? each : least));
      }
      default:
        return candidates[key % candidates.length];
    }
  }
}

export function joinShare(core: SessionCore, session: Session, filter: string): void {
  let share = core.shares.get(filter);
  if (share === undefined) {
    share = new LocalShare(filter);
    core.shares.set(filter, share);
  }
  share.members.add(session);
  share.changed();
}

export function leaveShare(core: SessionCore, session: Session, filter: string): void {
  const share = core.shares.get(filter);
  if (share === undefined || !share.members.delete(session)) return;
  share.changed();
  announce(core, share, undefined);
  if (share.members.size === 0) core.shares.delete(filter);
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
  core.router.share(share.filter, members, online, core.nextNumber(), ticket);
}

/** A message of a member whose session ended without having acknowledged it goes to another one [5.0/4.8.2/qos1-handover]. */
export function redistribute(core: SessionCore, message: Message, filter: string): void {
  const share = core.shares.get(filter);
  if (share !== undefined) {
    deliverShared(core, message, filter, message.sequence);
    return;
  }
  core.router.redistribute(new Message({ ...message, ...core.nextOrigin(message.publisher) }), filter);
}
