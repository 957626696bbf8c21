/**
 * Who is there under a filter (`topic/presence.ts`), as far as this object knows: which of its connected clients are subscribed to that very filter.
 *
 * Topic objects say which filters somebody watches; else nothing is looked at. Each of those stays in a row, so that the object tells who goes when it
 * has slept. What has changed is told at the end of the tick, as members that came and went and how many there are, so that a client that is taken
 * over has not gone. Nobody says when a filter is watched no more: the report that nobody takes says so by its answer.
 *
 * After a reset the sockets are gone, and with them all members, whom no row names. The row says whether there were any: then all are told to be gone.
 * It says as well that a report was not taken: then all that are there are told, with what changes next or in the next life.
 */

import { Message, type Origin } from "../mqtt/message.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, NO_MATCHING_SUBSCRIBERS } from "../mqtt/reason-code.ts";
import { intact, RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import { PRESENCE_CHANGES_MAX, PRESENCE_LISTED_CHARACTERS_MAX, PRESENCE_LISTED_MAX } from "../share-limits.ts";
import type { FilterTree } from "../topic/filter-tree.ts";
import { encodeReport, type Member, type PresenceReport, presenceTopic } from "../topic/presence.ts";
import type { Failures } from "./failures.ts";
import type { Numbers } from "./numbers.ts";
import { type Identity, isService, type RouterPort, type SessionRow, type SessionStore } from "./ports.ts";
import type { Session, Subscription } from "./session.ts";

/** In the table of sessions, under a name that no client can have [MQTT5-1.5.4-2]; one for each filter. */
const ROW_NAME = "\u0000presence";

/** No version of a session: older code leaves such a row alone. */
const ROW_VERSION = 0x50;

const NO_PROPERTIES = new Uint8Array(0);

/** What it needs of the object. */
export interface PresenceSource {
  readonly sessions: { get(clientId: string): Session | undefined };
  readonly subscriptions: Pick<FilterTree<Subscription>, "get" | "keysOf">;
  /** The filters that somebody here wants. */
  readonly interests: { has(filter: string): boolean };
  readonly router: Pick<RouterPort, "publish">;
  readonly store: Pick<SessionStore, "putSession" | "deleteSession">;
  readonly numbers: Numbers;
  readonly failures: Failures;
  /** How a message of the broker's own is named. */
  ownOrigin(): Origin;
}

/** A filter that somebody watches. */
interface Watched {
  readonly filter: string;
  /** Who is there, as it was told last, by Client Identifier. */
  readonly members: Map<string, Member>;
  /** Who may have come or gone since; one that is named is to be told as gone even if nobody here knows him. */
  readonly changed: Map<string, Member | undefined>;
  /** All are to be told. */
  isWhole: boolean;
  /** Nobody was told anything yet. */
  isNew: boolean;
  /** Members were told whom the object has lost, or something was told in vain. */
  isLost: boolean;
  /** What was told in vain is not told yet. */
  isOwed: boolean;
  /** How often it was said that it is watched. */
  times: number;
  /** Of its row; 0 when it has none. */
  number: number;
  /** Reports that were not answered. */
  underWay: number;
  /** What the row says. */
  holding: Holding;
}

/** What watchers may hold to be so: that nobody is there, that somebody is, or what is not so any more. */
const NOBODY_HELD = 0;
const SOMEBODY_HELD = 1;
const WRONG_HELD = 2;
type Holding = typeof NOBODY_HELD | typeof SOMEBODY_HELD | typeof WRONG_HELD;

const NOTHING_TOLD: Omit<Watched, "filter" | "members" | "changed"> = {
  ...{ isWhole: false, isNew: false, isLost: false, isOwed: false },
  ...{ times: 0, number: 0, underWay: 0, holding: NOBODY_HELD },
};

export class Presence {
  readonly #core: PresenceSource;
  readonly #watched = new Map<string, Watched>();
  /** Where each client is a member. */
  readonly #places = new Map<string, Set<Watched>>();
  /** Of which something is to be told. */
  readonly #left = new Set<Watched>();
  /** Whose row is to be written, or deleted. */
  readonly #unwritten = new Set<Watched>();
  #isRestored = false;

  constructor(core: PresenceSource) {
    this.#core = core;
  }

  /** A Topic object wants to know who is there, and who comes and goes; it may say so again, and is told again. */
  watch(filter: string): void {
    const watched = this.#watched.get(filter) ?? this.#begin(filter);
    watched.times += 1;
    watched.isWhole = true;
    this.#left.add(watched);
  }

  #begin(filter: string): Watched {
    const watched: Watched = { ...NOTHING_TOLD, filter, members: new Map(), changed: new Map(), isWhole: true, isNew: true };
    this.#watched.set(filter, watched);
    // Else the Topic object has not heard yet that nobody here wants it: that is what it is told.
    if (this.#core.interests.has(filter)) this.#unwritten.add(watched);
    this.#look(watched);
    return watched;
  }

  #look(watched: Watched): void {
    for (const clientId of this.#core.subscriptions.keysOf(watched.filter)?.keys() ?? []) {
      const member = this.#memberOf(watched, clientId);
      if (member !== undefined) this.#enter(watched, member);
    }
  }

  connected(clientId: string): void {
    if (this.#watched.size === 0) return;
    for (const filter of this.#core.sessions.get(clientId)?.subscriptions.keys() ?? []) this.#change(filter, clientId, undefined);
  }

  disconnected(identity: Identity, clientId: string): void {
    if (this.#watched.size === 0) return;
    for (const { filter } of this.#places.get(clientId) ?? []) this.#change(filter, clientId, undefined);
    // The object may have slept until its socket was gone.
    this.lostAsleep(identity, clientId, this.#core.sessions.get(clientId)?.subscriptions.keys() ?? []);
  }

  subscribed(clientId: string, filter: string): void {
    this.#change(filter, clientId, undefined);
  }

  unsubscribed(identity: Identity, clientId: string, filter: string): void {
    // Nobody is known by now to have been there before a start.
    this.#change(filter, clientId, this.#isRestored ? undefined : memberOf(identity, clientId));
  }

  /** Those of some filters under which it is told who is there. */
  watchedAmong(filters: Iterable<string>): readonly string[] {
    return this.#watched.size === 0 ? [] : [...filters].filter((filter) => this.#watched.has(filter));
  }

  /** A client was lost while nobody here knew that it was connected. */
  lostAsleep(identity: Identity, clientId: string, filters: Iterable<string>): void {
    if (this.#watched.size === 0) return;
    for (const filter of filters) {
      const watched = this.#watched.get(filter);
      if (watched === undefined) continue;
      // So the object has slept, and lost nobody else.
      if (watched.isLost && !watched.isOwed) watched.isWhole = false;
      watched.isLost = watched.isOwed;
      this.#change(filter, clientId, memberOf(identity, clientId));
    }
  }

  /** Nobody here wants a filter any more. */
  unwanted(filter: string): void {
    const watched = this.#watched.get(filter);
    if (watched !== undefined) this.#left.add(watched);
  }

  #change(filter: string, clientId: string, gone: Member | undefined): void {
    const watched = this.#watched.get(filter);
    if (watched === undefined) return;
    watched.changed.set(clientId, gone ?? watched.changed.get(clientId));
    this.#left.add(watched);
  }

  /** Something is to be told. */
  get isLeft(): boolean {
    return this.#left.size > 0;
  }

  /** Tells of the next filter. Not to be called in the midst of what the core does. */
  tellNext(): void {
    const [watched] = this.#left;
    if (watched === undefined) return;
    this.#left.delete(watched);
    const { filter, members } = watched;
    const over = !this.#core.interests.has(filter);
    const { came, left } = this.#takeChanges(watched);
    if (watched.changed.size > 0) this.#left.add(watched);
    const isAll = watched.isWhole && watched.changed.size === 0;
    const count = members.size;
    if (came.length + left.length > 0 || (over && !isAll))
      this.#publish(watched, { whole: false, first: false, lost: false, over: over && !isAll, count, came, left });
    if (isAll) {
      const { isNew: first, isLost: lost } = watched;
      watched.isWhole = false;
      watched.isNew = false;
      watched.isLost = false;
      this.#publish(watched, { whole: true, first, lost, over, count, came: listed(members.values()), left: [] });
    }
    // It has to be watched anew.
    if (over) watched.isNew = true;
    this.#noteRow(watched);
  }

  #takeChanges(watched: Watched): { readonly came: Member[]; readonly left: Member[] } {
    const came: Member[] = [];
    const left: Member[] = [];
    let characters = 0;
    for (const [clientId, gone] of watched.changed) {
      if (came.length + left.length === PRESENCE_CHANGES_MAX || characters > PRESENCE_LISTED_CHARACTERS_MAX) break;
      watched.changed.delete(clientId);
      const member = this.#memberOf(watched, clientId);
      const told = watched.members.get(clientId);
      if (member !== undefined && told === undefined) {
        this.#enter(watched, member);
        came.push(member);
        characters += charactersOf(member);
      }
      const leaver = member === undefined ? (told ?? gone) : undefined;
      if (leaver === undefined) continue;
      this.#leave(watched, clientId);
      left.push(leaver);
      characters += charactersOf(leaver);
    }
    return { came, left };
  }

  /** @returns the client if it is connected and has the subscription; undefined else */
  #memberOf({ filter, members }: Watched, clientId: string): Member | undefined {
    const member = memberUnder(this.#core, filter, clientId);
    // It is told when it is granted; one that is there stays while it is asked for anew.
    return member !== undefined && (members.has(clientId) || !isAsked(this.#core, filter, clientId)) ? member : undefined;
  }

  #enter(watched: Watched, member: Member): void {
    watched.members.set(member.clientid, member);
    const places = this.#places.get(member.clientid);
    if (places === undefined) this.#places.set(member.clientid, new Set([watched]));
    else places.add(watched);
  }

  #leave(watched: Watched, clientId: string): void {
    watched.members.delete(clientId);
    const places = this.#places.get(clientId);
    places?.delete(watched);
    if (places?.size === 0) this.#places.delete(clientId);
  }

  #publish(watched: Watched, report: PresenceReport): void {
    const core = this.#core;
    const { times } = watched;
    const counts = watched.holding !== NOBODY_HELD || watched.members.size > 0 || report.left.length > 0 ? 1 : 0;
    watched.underWay += counts;
    let isUnderWay = true;
    const settled = (reasonCode: number): void => {
      if (!isUnderWay) return;
      isUnderWay = false;
      watched.underWay -= counts;
      if (reasonCode >= 0x80) {
        // With what changes next.
        watched.isWhole = true;
        watched.isLost = true;
        watched.isOwed = true;
      } else if (report.whole) watched.isOwed = false;
      this.#noteRow(watched);
      // Unless somebody has begun to watch it while that was on its way.
      const isOver = reasonCode === NO_MATCHING_SUBSCRIBERS || (reasonCode < 0x80 && report.over && !core.interests.has(watched.filter));
      if (isOver && times === watched.times) this.#forget(watched);
    };
    const fixed = { topic: presenceTopic(watched.filter), qos: 1, retain: false, propertyBytes: NO_PROPERTIES, expiresAt: 0 } as const;
    const message = new Message({ ...fixed, payload: encodeReport(report), ...core.ownOrigin() });
    const isOn = core.failures.guard("telling who is there", undefined, () => core.router.publish(message, { settled }, undefined));
    if (!isOn) settled(IMPLEMENTATION_SPECIFIC_ERROR);
  }

  #forget(watched: Watched): void {
    if (this.#watched.get(watched.filter) !== watched) return;
    this.#watched.delete(watched.filter);
    for (const clientId of [...watched.members.keys()]) this.#leave(watched, clientId);
    watched.changed.clear();
    this.#left.delete(watched);
    this.#unwritten.add(watched);
  }

  #noteRow(watched: Watched): void {
    if (watched.holding === holdingOf(watched) || this.#watched.get(watched.filter) !== watched) return;
    this.#unwritten.add(watched);
  }

  /** Rows that are to be written or deleted. */
  get unwritten(): number {
    return this.#unwritten.size;
  }

  write(): void {
    const { store, numbers } = this.#core;
    for (const watched of this.#unwritten) {
      this.#unwritten.delete(watched);
      if (this.#watched.get(watched.filter) !== watched) {
        if (watched.number !== 0) store.deleteSession(watched.number);
        watched.number = 0;
        continue;
      }
      if (watched.number === 0) watched.number = numbers.next();
      watched.holding = holdingOf(watched);
      const writer = new RecordWriter(64);
      writer.byte(ROW_VERSION);
      writer.byte(watched.holding);
      writer.string(watched.filter);
      store.putSession({ number: watched.number, clientId: ROW_NAME, state: writer.finish() });
    }
  }

  /** @throws RecordError when the bytes are of another version or end too early: then the filter is not told of until it is watched anew */
  restore(row: SessionRow): void {
    const reader = new RecordReader(intact(row).state);
    const version = reader.byte();
    if (version !== ROW_VERSION) throw new RecordError(`a watched filter of version ${version}, where ${ROW_VERSION} was expected`);
    const holding = reader.byte() as Holding;
    if (holding > WRONG_HELD) throw new RecordError(`a watched filter of which ${holding} is held, where 0 to ${WRONG_HELD} were expected`);
    const filter = reader.string();
    reader.end();
    this.#watched.set(filter, { ...NOTHING_TOLD, filter, members: new Map(), changed: new Map(), number: row.number, holding });
  }

  /** All sessions are there again. */
  restored(): void {
    this.#isRestored = true;
    for (const watched of this.#watched.values()) {
      this.#look(watched);
      watched.isOwed = watched.holding === WRONG_HELD;
      watched.isLost = watched.isOwed || (watched.holding === SOMEBODY_HELD && watched.members.size === 0);
      watched.isWhole = watched.isLost;
      if (watched.isWhole || !this.#core.interests.has(watched.filter)) this.#left.add(watched);
      this.#noteRow(watched);
    }
  }
}

export function isPresenceRow({ clientId }: SessionRow): boolean {
  return clientId === ROW_NAME;
}

/** Who has gone is there for others until they have been told. */
function holdingOf({ members, underWay, isOwed }: Watched): Holding {
  if (isOwed) return WRONG_HELD;
  return members.size > 0 || underWay > 0 ? SOMEBODY_HELD : NOBODY_HELD;
}

/**
 * @returns the client if it is connected and subscribed to this very filter, granted or about to be; undefined else, and for a connection of the
 *   broker's own, by which somebody reads who is no client
 */
function memberUnder({ sessions, subscriptions }: PresenceSource, filter: string, clientId: string): Member | undefined {
  const session = sessions.get(clientId);
  const isThere = session?.connection?.open === true && !session.isDeaf && subscriptions.get(filter, clientId)?.session === session;
  return isThere && !isService(session.identity) ? memberOf(session.identity, clientId) : undefined;
}

function isAsked({ sessions }: PresenceSource, filter: string, clientId: string): boolean {
  return sessions.get(clientId)?.asked?.get(filter)?.isOpen === true;
}

function memberOf({ userName }: Identity, clientId: string): Member {
  return { clientid: clientId, username: userName ?? null };
}

function charactersOf({ clientid, username }: Member): number {
  return clientid.length + (username?.length ?? 0);
}

/** As many as there is room for. */
function listed(members: Iterable<Member>): Member[] {
  const some: Member[] = [];
  let characters = 0;
  for (const member of members) {
    characters += charactersOf(member);
    if (some.length === PRESENCE_LISTED_MAX || characters > PRESENCE_LISTED_CHARACTERS_MAX) break;
    some.push(member);
  }
  return some;
}

/** All that are there, whether somebody watches the filter or not. */
export function* membersOf(core: PresenceSource, filter: string): Generator<Member> {
  for (const clientId of core.subscriptions.keysOf(filter)?.keys() ?? []) {
    const member = isAsked(core, filter, clientId) ? undefined : memberUnder(core, filter, clientId);
    if (member !== undefined) yield member;
  }
}
