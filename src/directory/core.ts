/**
 * The directory of a namespace: its users and their credentials, its bans, and who has to be told of a change. What was changed and who does
 * not know it yet stands in rows before anybody is told, so that a restart forgets nobody. Nothing is awaited: the host tells.
 */

import {
  DIRECTORY_CHANGES_MS,
  DIRECTORY_USERS_MAX,
  DIRECTORY_USERS_PER_CALL,
  FLAPPING_BANS_MAX,
  USER_NAME_BYTES_MAX,
} from "../login-limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import { type Ban, type BanKind, type BanList, Bans, banProblem, roomProblem } from "./bans.ts";
import { withCredential } from "./grants.ts";
import type { KnownUser, Looked, News, Presence, UserNews } from "./news.ts";
import type { ChangeRow, DirectoryState, DirectoryStore, UserRow } from "./ports.ts";

/** What is to become of a user; what is missing stays as it is. */
export interface UserEntry {
  readonly user: string;
  /** A password hash. */
  readonly password?: string | undefined;
  /** JSON of its rights. */
  readonly rights?: string | undefined;
}

/** `add` refuses users who are there, `change` those who are not, `put` does either. */
export type PutMode = "add" | "change" | "put";

export interface PutProblem {
  readonly code: "ALREADY_EXISTS" | "NOT_FOUND" | "BAD_REQUEST";
  /** A sentence without capital and full stop. */
  readonly problem: string;
}

export type PutResult = "added" | "changed" | "unchanged" | PutProblem;

/** The one who bans by itself. */
export const FLAPPING = "flapping";

/** Of those who have said that they are there, at once: all of them would be in memory. */
const PRESENCES_READ = 1000;

export interface DirectoryCoreOptions {
  readonly store: DirectoryStore;
  /** The Session objects; undefined where each client has its own: those say of themselves that they are there. */
  readonly objects: readonly string[] | undefined;
  /** Then: which that is. */
  readonly objectOf?: (clientId: string) => string;
  /** Something stored can't be used, as it is not what was written: a sentence that quotes nothing of it. */
  readonly damaged?: (problem: string) => void;
}

export class DirectoryCore {
  readonly #store: DirectoryStore;
  readonly #objects: readonly string[] | undefined;
  readonly #objectOf: (clientId: string) => string;
  readonly #damaged: (problem: string) => void;
  #state: DirectoryState;
  #bans: BanList;
  #counted: number | undefined;
  /** When the first of the changes that are kept is no news to anybody any more; Infinity where there are none. */
  #changesOverAt: number;

  constructor({ store, objects, objectOf = String, damaged = () => {} }: DirectoryCoreOptions) {
    this.#store = store;
    this.#damaged = damaged;
    this.#objects = objects;
    this.#objectOf = objectOf;
    this.#state = store.state() ?? { version: 0, bans: 0 };
    this.#bans = this.#readBans();
    this.#changesOverAt = (store.firstChangeAt() ?? Number.POSITIVE_INFINITY) + DIRECTORY_CHANGES_MS;
  }

  #readBans(): BanList {
    const rows = this.#store.bans();
    const bans = rows.filter(({ damaged }) => damaged !== true);
    if (bans.length < rows.length) this.#damaged(`${rows.length - bans.length} bans are not what was written and hold no more`);
    return { version: this.#state.bans, bans };
  }

  get bans(): readonly Ban[] {
    return this.#bans.bans;
  }

  /** @param knownBans the version of the list that the asker has; -1 for none */
  look(userName: string | undefined, knownBans: number): Looked {
    const first = this.#store.users("", 1)[0];
    const user = userName === undefined || first === undefined ? undefined : this.#store.user(userName);
    const isKnown = user !== undefined && user.damaged !== true;
    if (user?.damaged) this.#damaged("a user is not what was written and is let in no more");
    return {
      version: this.#state.version,
      bans: knownBans === this.#bans.version ? undefined : this.#bans,
      isEmpty: first === undefined,
      user: isKnown ? knownUser(user) : undefined,
      like: isKnown || userName === undefined ? undefined : (this.#store.users(userName, 1)[0] ?? first)?.password,
    };
  }

  /**
   * @param after the user behind whom it goes on; "" at first
   * @returns what has changed since this version and concerns an object
   */
  news(object: string, since: number, after = ""): News {
    const bans = after === "" && this.#bans.version > since ? this.#bans : undefined;
    const isOfAll = this.#objects !== undefined || this.#store.untoldOf(object)?.ofAll === true;
    if (isOfAll) return this.#page(this.#store.changesSince(since, after, DIRECTORY_USERS_PER_CALL), bans);
    return this.#ofOne(this.#store.presence(object)?.userName, ({ version }) => version > since, bans);
  }

  /**
   * @param after as above
   * @returns what one has to know who knew nothing until now: the bans, and what may be news to logins that are on their way
   */
  recent(now: number, after: string): News {
    const recent = this.#store.changesAfter(now - DIRECTORY_CHANGES_MS, after, DIRECTORY_USERS_PER_CALL);
    return this.#page(recent, after === "" ? this.#bans : undefined);
  }

  #page(changes: readonly ChangeRow[], bans: BanList | undefined): News {
    const next = changes.length < DIRECTORY_USERS_PER_CALL ? undefined : changes.at(-1)!.user;
    return { version: this.#state.version, bans, users: changes.map((change) => this.#newsOf(change)), next };
  }

  /** To who has the sessions of one client it is no news what has become of others. */
  #ofOne(userName: string | undefined, isNew: (change: ChangeRow) => boolean, bans: BanList | undefined): News {
    const change = userName === undefined ? undefined : this.#store.change(userName);
    const users = change !== undefined && isNew(change) ? [this.#newsOf(change)] : [];
    return { version: this.#state.version, bans, users };
  }

  /** A Session object of a client of its own says that it is there. */
  enter(presence: Presence, now: number): News {
    const known = this.#store.presence(presence.object);
    if (known === undefined || !isSame(known, presence)) this.#putPresence(presence, known);
    return this.#ofOne(presence.userName, ({ at }) => at > now - DIRECTORY_CHANGES_MS, this.#bans);
  }

  /**
   * A session is about to be put into such an object, or has been, by somebody other than its client: what a client says of itself stands.
   * @param instead it goes where it is still this, of a time before the session was there
   * @returns what stands of the object
   */
  expect(presence: Presence, instead: Presence | undefined): Presence {
    const known = this.#store.presence(presence.object);
    if (known !== undefined && (instead === undefined || !isSame(known, instead) || isSame(known, presence))) return known;
    this.#putPresence(presence, known);
    return presence;
  }

  /** Who was there before may still be: what has become of him, and could not be told, is not to be forgotten with his name. */
  #putPresence(presence: Presence, known: Presence | undefined): void {
    this.#store.putPresence(presence);
    if (known?.userName === undefined || known.userName === presence.userName) return;
    const untold = this.#store.untoldOf(presence.object);
    if (untold !== undefined && !untold.ofAll) this.#store.putUntold({ ...untold, ofAll: true });
  }

  /** @returns the first objects behind this one that have said so, at most so many */
  presentAfter(object: string, most: number): readonly string[] {
    return this.#store.presentAfter(object, most);
  }

  get hasPresences(): boolean {
    return this.#store.presentAfter("", 1).length > 0;
  }

  /** Nobody is there any more. */
  absent(object: string): void {
    this.#store.deletePresence(object);
  }

  #newsOf({ user, version }: ChangeRow): UserNews {
    const row = this.#store.user(user);
    if (row === undefined || row.damaged) return { user, version, credential: undefined, grants: undefined };
    return { user, version, credential: row.credential, grants: withCredential(row.rights, row.credential) };
  }

  /** @returns one result for each entry, in their order */
  putUsers(entries: readonly UserEntry[], mode: PutMode, now: number): PutResult[] {
    const version = this.#nextVersion(now);
    const concerned: string[] = [];
    const results = entries.map((entry): PutResult => {
      const row = this.#store.user(entry.user);
      const problem = entryProblem(entry, row, mode, this.#hasRoom);
      if (problem !== undefined) return problem;
      const next = nextRow(entry, row, version, now);
      if (row !== undefined && row.damaged !== true && next.password === row.password && next.rights === row.rights) return "unchanged";
      this.#store.putUser(next);
      // Who is new has no logins, unless the removal of one of that name is not long ago.
      if (row !== undefined || this.#store.change(entry.user) !== undefined) concerned.push(entry.user);
      if (row !== undefined) return "changed";
      this.#added(1);
      return "added";
    });
    if (results.some((result) => result === "added" || result === "changed")) this.#usersChanged(version, concerned, now);
    return results;
  }

  /** @returns whether it was there */
  removeUser(user: string, now: number): boolean {
    if (!this.#store.deleteUser(user)) return false;
    this.#added(-1);
    this.#usersChanged(this.#nextVersion(now), [user], now);
    return true;
  }

  user(name: string): UserRow | undefined {
    return this.#store.user(name);
  }

  /** @param from the name behind which, or the place at which it begins @returns at most so many, in the order of their names */
  users(from: string | number, most: number): UserRow[] {
    return typeof from === "string" ? this.#store.users(from, most) : this.#store.usersFrom(from, most);
  }

  #added(count: number): void {
    if (this.#counted !== undefined) this.#counted += count;
  }

  get userCount(): number {
    return this.#count;
  }

  /** Counted when first asked for: that reads every row. */
  get #count(): number {
    this.#counted ??= this.#store.countUsers();
    return this.#counted;
  }

  get #hasRoom(): boolean {
    return this.#count < DIRECTORY_USERS_MAX;
  }

  /** Above all that were, also those of a time that the database was put back from. */
  #nextVersion(now: number): number {
    return Math.max(this.#state.version + 1, now);
  }

  #usersChanged(version: number, users: readonly string[], now: number): void {
    const since = this.#state.version;
    this.#state = { ...this.#state, version };
    this.#store.putState(this.#state);
    if (users.length === 0) return;
    for (const user of users) this.#store.putChange({ user, version, at: now });
    this.#changesOverAt = Math.min(this.#changesOverAt, now + DIRECTORY_CHANGES_MS);
    this.#tell(since, () => this.#store.objectsOf(users));
  }

  /**
   * Bans somebody, or bans him differently.
   * @returns why that can't be, in a sentence
   */
  putBan(ban: Ban, now: number): string | undefined {
    const problem = banProblem(ban);
    if (problem !== undefined) return problem;
    const others = this.bans.filter(({ kind, who, until }) => (kind !== ban.kind || who !== ban.who) && until > now);
    const full = ban.by === FLAPPING && others.filter(({ by }) => by === FLAPPING).length >= FLAPPING_BANS_MAX;
    const noRoom = full ? `there are ${FLAPPING_BANS_MAX} bans by ${FLAPPING} already` : roomProblem(others, ban.kind);
    if (noRoom !== undefined) return noRoom;
    this.#store.putBan(ban);
    this.#bansChanged(now, () => this.#banned(ban, now));
    return undefined;
  }

  /** The objects of those whom a ban concerns. */
  *#banned(ban: Ban, now: number): Generator<string> {
    const { kind, who, until } = ban;
    if (until <= now) return;
    if (kind === "clientid") {
      const object = this.#objectOf(who);
      if (this.#store.presence(object) !== undefined) yield object;
    } else if (kind === "username") {
      yield* this.#store.objectsOf([who]);
    } else {
      const bans = new Bans({ version: 0, bans: [ban] });
      for (let page = this.#store.presencesAfter("", PRESENCES_READ); page.length > 0; ) {
        for (const { object, clientId, userName, address } of page)
          if (bans.find({ clientId, userNames: userName === undefined ? [] : [userName], address }, now) !== undefined) yield object;
        page = this.#store.presencesAfter(page.at(-1)!.object, PRESENCES_READ);
      }
    }
  }

  /** @returns whether it was there */
  removeBan(kind: BanKind, who: string, now: number): boolean {
    if (!this.#store.deleteBan(kind, who)) return false;
    this.#bansChanged(now, () => []);
    return true;
  }

  /** Deletes bans that are over. @returns how many */
  sweep(now: number): number {
    const over = this.bans.filter(({ until }) => until <= now);
    for (const { kind, who } of over) this.#store.deleteBan(kind, who);
    if (over.length > 0) this.#bansChanged(now, () => []);
    return over.length;
  }

  /** Deletes changes that are no news to any login any more, once everybody was told. */
  sweepChanges(now: number): void {
    if (this.#changesOverAt > now || this.#store.hasUntold()) return;
    this.#store.deleteChanges(now - DIRECTORY_CHANGES_MS + 1);
    // Of those that came meanwhile not each has a time of its own to be deleted at.
    this.#changesOverAt = this.#store.firstChangeAt() === undefined ? Number.POSITIVE_INFINITY : now + DIRECTORY_CHANGES_MS;
  }

  /** When the next ban is over, or changes are, milliseconds since the epoch; Infinity when none will be. */
  get sweepAt(): number {
    const changes = this.#store.hasUntold() ? Number.POSITIVE_INFINITY : this.#changesOverAt;
    return this.bans.reduce((earliest, { until }) => Math.min(earliest, until), changes);
  }

  /** @param concerned the objects of whom it concerns, where those are found only by what they have said of themselves */
  #bansChanged(now: number, concerned: () => Iterable<string>): void {
    const since = this.#state.version;
    const version = this.#nextVersion(now);
    this.#state = { version, bans: version };
    this.#store.putState(this.#state);
    this.#bans = this.#readBans();
    this.#tell(since, concerned);
  }

  /**
   * @param since the version before the change
   * @param concerned as above
   */
  #tell(since: number, concerned: () => Iterable<string>): void {
    const objects = this.#objects ?? concerned();
    for (const object of objects) if (this.#store.untoldOf(object) === undefined) this.#store.putUntold({ object, since });
  }

  /** Whether anybody has to be told anything. */
  get hasUntold(): boolean {
    return this.#store.hasUntold();
  }

  /** @returns the first objects behind this one that have to be told something, at most so many */
  untoldAfter(object: string, most: number): readonly string[] {
    return this.#store.untoldAfter(object, most);
  }

  /** @returns the version since which an object knows nothing; undefined where it knows all */
  untoldSince(object: string): number | undefined {
    return this.#store.untoldOf(object)?.since;
  }

  /**
   * An object has taken the news.
   * @param through their version
   * @param isPresent whether there is still a session
   */
  told(object: string, through: number, isPresent: boolean): void {
    if (this.#state.version > through) this.#store.putUntold({ ...this.#store.untoldOf(object), object, since: through });
    else this.#store.deleteUntold(object);
    if (this.#objects === undefined && !isPresent) this.#store.deletePresence(object);
  }
}

function isSame(one: Presence, other: Presence): boolean {
  return one.clientId === other.clientId && one.userName === other.userName && one.address === other.address;
}

function knownUser({ password, rights, credential }: UserRow): KnownUser {
  return { password, grants: withCredential(rights, credential) };
}

function entryProblem(entry: UserEntry, row: UserRow | undefined, mode: PutMode, hasRoom: boolean): PutProblem | undefined {
  const { user, password } = entry;
  if (user === "" || utf8Length(user) > USER_NAME_BYTES_MAX) {
    return { code: "BAD_REQUEST", problem: `a user name has 1 to ${USER_NAME_BYTES_MAX} bytes` };
  }
  if (mode === "add" && row !== undefined) return { code: "ALREADY_EXISTS", problem: "there is a user of this name already" };
  if (mode === "change" && row === undefined) return { code: "NOT_FOUND", problem: "there is no user of this name" };
  if (row === undefined && password === undefined) return { code: "BAD_REQUEST", problem: "a new user needs a password" };
  if (row === undefined && !hasRoom) return { code: "BAD_REQUEST", problem: `there are ${DIRECTORY_USERS_MAX} users already` };
  return undefined;
}

function nextRow({ user, password, rights }: UserEntry, row: UserRow | undefined, version: number, now: number): UserRow {
  const next = password ?? row!.password;
  return {
    user,
    password: next,
    rights: rights ?? row?.rights ?? NO_RIGHTS,
    credential: next === row?.password ? row.credential : version,
    createdAt: row?.createdAt ?? now,
    changedAt: now,
  };
}

const NO_RIGHTS = "{}";
