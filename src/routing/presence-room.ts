/**
 * Who is there under one filter (`topic/presence.ts`), as a Topic object puts it together of what Session objects say: of each of them how many it
 * has, and of some of those what they are called. In memory alone: whoever has forgotten it asks anew.
 */

import { PRESENCE_LISTED_CHARACTERS_MAX, PRESENCE_LISTED_MAX, PRESENCE_LISTED_OF_OBJECT_MAX } from "../share-limits.ts";
import type { Member, PresenceReport } from "../topic/presence.ts";

/** What one Session object has. */
interface Place {
  count: number;
  /** Those that are listed, by Client Identifier. */
  members: Map<string, Member>;
  /** It has told all of them. */
  isWhole: boolean;
  /** Before it has: those whom it has told to have gone. */
  readonly gone: Set<string>;
}

export interface RoomChange {
  readonly came: readonly Member[];
  readonly left: readonly Member[];
  /** There is more to it, but nobody knows who. */
  readonly isUnclear: boolean;
}

const NOTHING: RoomChange = { came: [], left: [], isUnclear: false };

/** What all rooms of an object share. */
export interface Listing {
  /** Members that are listed in them. */
  listed: number;
}

export class PresenceRoom {
  /** Nobody has watched before. */
  readonly isNew: boolean;
  /** Session objects that were asked to tell, now and from now on. */
  readonly told = new Set<string>();
  /** Those of them that have not told all that they have. */
  readonly awaited = new Set<string>();
  /** Those that were waited for too long. */
  readonly late = new Set<string>();
  readonly #places = new Map<string, Place>();
  /** Of all places, connected clients. */
  count = 0;
  #listed = 0;
  #characters = 0;

  readonly #listing: Listing;

  constructor(isNew: boolean, listing: Listing) {
    this.isNew = isNew;
    this.#listing = listing;
  }

  /** Nobody watches it any more. */
  end(): void {
    for (const place of this.#places.values()) this.#empty(place);
  }

  /** Some of them: all, where `isComplete` says so. */
  *members(): Generator<Member> {
    for (const { members } of this.#places.values()) yield* members.values();
  }

  get isComplete(): boolean {
    return this.#listed === this.count && this.awaited.size + this.late.size === 0;
  }

  /** Nobody waits for them any longer: what they tell is news. */
  giveUp(): void {
    for (const sessionObject of this.awaited) this.late.add(sessionObject);
    this.awaited.clear();
  }

  /** A Session object has told something. */
  take(sessionObject: string, report: PresenceReport): RoomChange {
    if (report.over) return this.#takeEnd(sessionObject, report);
    if (report.whole) this.late.delete(sessionObject);
    return report.whole ? this.#takeWhole(sessionObject, report) : this.#takeChanges(sessionObject, report);
  }

  #takeEnd(sessionObject: string, { left, lost }: PresenceReport): RoomChange {
    const before = this.#places.get(sessionObject);
    const wasKnown = before !== undefined && isListed(before);
    const dropped = this.drop(sessionObject);
    this.#places.delete(sessionObject);
    const others = wasKnown ? [] : left.filter(({ clientid }) => !dropped.left.some((member) => member.clientid === clientid));
    return { ...dropped, left: [...dropped.left, ...others], isUnclear: dropped.isUnclear || (lost && !wasKnown) };
  }

  #takeWhole(sessionObject: string, { count, came, first, lost }: PresenceReport): RoomChange {
    const before = this.#places.get(sessionObject);
    // What it has told an earlier life of this object is no news, nor is anything to who has just begun to watch.
    const isKnown = this.awaited.delete(sessionObject) && before?.isWhole !== true && (this.isNew || !first);
    const known = new Map(before?.members);
    const wasListed = known.size === (before?.count ?? 0);
    const isSame = before?.isWhole === true && before.count === count;
    const place: Place = { count: 0, members: new Map(), isWhole: true, gone: new Set() };
    this.#empty(before);
    this.#places.set(sessionObject, place);
    this.#setCount(place, count);
    for (const member of came) this.#list(place, member);
    if (isKnown) {
      // What came before may have been older than this: after a reset it comes again.
      const back = came.filter(({ clientid }) => before?.gone.has(clientid));
      const over = came.length < count ? [] : [...known.values()].filter(({ clientid }) => !place.members.has(clientid));
      return { came: back, left: over, isUnclear: lost };
    }
    if (came.length < count || !wasListed) return { ...NOTHING, isUnclear: !isSame };
    const now = new Set(came.map(({ clientid }) => clientid));
    return {
      came: came.filter(({ clientid }) => !known.has(clientid)),
      left: [...known.values()].filter(({ clientid }) => !now.has(clientid)),
      isUnclear: false,
    };
  }

  #takeChanges(sessionObject: string, { count, came, left }: PresenceReport): RoomChange {
    const before = this.#places.get(sessionObject);
    const place = before ?? { count: 0, members: new Map<string, Member>(), isWhole: false, gone: new Set<string>() };
    this.#places.set(sessionObject, place);
    const wasListed = before !== undefined && isListed(before);
    // What comes again is told once, as far as it can be known; who is told to have gone twice has gone.
    const news: RoomChange = {
      came: came.filter(({ clientid }) => !place.members.has(clientid)),
      left: left.filter(({ clientid }) => place.members.has(clientid) || !wasListed),
      isUnclear: false,
    };
    for (const { clientid } of left) {
      this.#unlist(place, clientid);
      if (!place.isWhole) place.gone.add(clientid);
    }
    for (const member of came) {
      this.#list(place, member);
      place.gone.delete(member.clientid);
    }
    this.#setCount(place, count);
    return news;
  }

  /** A Session object does not want the filter any more: nobody is there. */
  drop(sessionObject: string): RoomChange {
    for (const each of [this.told, this.awaited, this.late]) each.delete(sessionObject);
    const place = this.#places.get(sessionObject);
    if (place === undefined) return NOTHING;
    const left = [...place.members.values()];
    const isUnclear = place.count > left.length;
    this.#empty(place);
    place.isWhole = true;
    return { came: [], left, isUnclear };
  }

  #empty(place: Place | undefined): void {
    if (place === undefined) return;
    for (const clientId of [...place.members.keys()]) this.#unlist(place, clientId);
    this.#setCount(place, 0);
  }

  #setCount(place: Place, count: number): void {
    this.count += count - place.count;
    place.count = count;
  }

  #list(place: Place, member: Member): void {
    const characters = charactersOf(member);
    if (place.members.has(member.clientid) || this.#listed === PRESENCE_LISTED_MAX) return;
    if (this.#characters + characters > PRESENCE_LISTED_CHARACTERS_MAX || this.#listing.listed === PRESENCE_LISTED_OF_OBJECT_MAX) return;
    place.members.set(member.clientid, member);
    this.#listed += 1;
    this.#listing.listed += 1;
    this.#characters += characters;
  }

  #unlist(place: Place, clientId: string): void {
    const member = place.members.get(clientId);
    if (member === undefined) return;
    place.members.delete(clientId);
    this.#listed -= 1;
    this.#listing.listed -= 1;
    this.#characters -= charactersOf(member);
  }
}

/** Whether all that are there are known by name. */
function isListed({ count, members, isWhole }: Place): boolean {
  return isWhole && members.size === count;
}

function charactersOf({ clientid, username }: Member): number {
  return clientid.length + (username?.length ?? 0);
}
