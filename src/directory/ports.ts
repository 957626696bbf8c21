/** What the directory needs from outside: rows of its own, and for whoever lets clients in a way to ask it. */

import type { StoredRow } from "../mqtt/record.ts";
import type { Ban, BanKind, Bans } from "./bans.ts";
import type { KnownUser, Presence } from "./news.ts";

export interface UserRow extends StoredRow {
  readonly user: string;
  /** A password hash. */
  readonly password: string;
  /** JSON of its rights. */
  readonly rights: string;
  /** The version in which it got its password. */
  readonly credential: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly changedAt: number;
}

export type BanRow = Ban & StoredRow;

/** A user who was changed or removed in this version. */
export interface ChangeRow {
  readonly user: string;
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** How far those who have said that they are there have been asked in this slot whether they still are. */
export interface Round {
  readonly slot: number;
  /** The object behind which it goes on; undefined when all have been asked whose turn it was. */
  readonly after: string | undefined;
}

/** A Session object that has to be told what has changed since this version. */
export interface UntoldRow {
  readonly object: string;
  readonly since: number;
  /** Of whomever that was, as its client may have been another one by then: not of who is said to be there alone. */
  readonly ofAll?: boolean | undefined;
}

export interface DirectoryState {
  /** Grows with each change. */
  readonly version: number;
  /** The version of the last change of a ban. */
  readonly bans: number;
}

/** Rows of one directory. Each `put` costs one row whether it inserts or replaces. */
export interface DirectoryStore {
  state(): DirectoryState | undefined;
  putState(state: DirectoryState): void;
  user(name: string): UserRow | undefined;
  /** The first users whose names come behind this one, in the order of their UTF-8 bytes. */
  users(after: string, most: number): UserRow[];
  /** The same, by their place from 0. */
  usersFrom(place: number, most: number): UserRow[];
  countUsers(): number;
  putUser(row: UserRow): void;
  /** @returns whether it was there */
  deleteUser(name: string): boolean;
  bans(): BanRow[];
  putBan(ban: Ban): void;
  deleteBan(kind: BanKind, who: string): boolean;
  /** The first of them of users behind this one, in the order of their UTF-8 bytes. */
  changesSince(version: number, user: string, most: number): ChangeRow[];
  /** Those of after a time, likewise. */
  changesAfter(at: number, user: string, most: number): ChangeRow[];
  /** When the user was changed or removed, as far as that is kept. */
  change(user: string): ChangeRow | undefined;
  /** When the first of them was; undefined where there are none. */
  firstChangeAt(): number | undefined;
  putChange(row: ChangeRow): void;
  /** Deletes those of before a time. */
  deleteChanges(before: number): void;
  hasUntold(): boolean;
  untoldOf(object: string): UntoldRow | undefined;
  /** The first of them whose names come behind this one, in the order of their UTF-8 bytes. */
  untoldAfter(object: string, most: number): string[];
  putUntold(row: UntoldRow): void;
  deleteUntold(object: string): void;
  presence(object: string): Presence | undefined;
  /** The first of them whose names come behind this one, in the order of their UTF-8 bytes. */
  presencesAfter(object: string, most: number): Presence[];
  /** The objects of those of these users. */
  objectsOf(users: readonly string[]): string[];
  /** Their objects alone. */
  presentAfter(object: string, most: number): string[];
  putPresence(presence: Presence): void;
  deletePresence(object: string): void;
  round(): Round | undefined;
  putRound(round: Round): void;
}

/** What an isolate knows before a login. */
export interface Known {
  readonly bans: Bans;
  readonly isEmpty: boolean;
  readonly user: KnownUser | undefined;
  readonly like: string | undefined;
}

/** Asks the directory of a namespace. */
export interface DirectoryPort {
  /**
   * @param userName undefined where no user is asked for
   * @throws Error when it can't be asked: then nobody may be let in
   */
  look(namespace: string, userName: string | undefined): Promise<Known>;
}
