/**
 * The members that one shared subscription has in this object, and which of them gets a message: a connected one while there is one
 * [5.0/4.8.2/one]. Offline members stay members, and keep what they were given, until their session ends.
 */

import type { SharedStrategy } from "../choices.ts";
import type { Session } from "./session.ts";

/** The members of one `$share/{ShareName}/{filter}` in this object. */
export class LocalShare {
  /** The whole filter, `$share/` included. */
  readonly filter: string;
  /** In the order in which they joined. */
  readonly members = new Set<Session>();
  /** Members whose queues may hold messages that came through it: another one takes them over as soon as it has room. */
  readonly backlogs = new Set<Session>();
  /** What the Topic objects were told last; an earlier life may have told them what nobody here knows. */
  announcedMembers: number | undefined;
  announcedOnline: number | undefined;
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

  /** Those of whom one may be chosen. */
  get candidates(): readonly Session[] {
    return this.#list();
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
        return rotated.reduce((least, each) => (each.outstanding < least.outstanding ? each : least));
      }
      default:
        return candidates[key % candidates.length];
    }
  }
}
