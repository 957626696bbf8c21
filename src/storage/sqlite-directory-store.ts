/**
 * The rows of a directory in the SQLite database of its Durable Object. Users come in the order of the UTF-8 bytes of their names, which is
 * the order of the table. Knows nothing of what rights and hashes say.
 */

import type { Ban, BanKind } from "../directory/bans.ts";
import type { Presence } from "../directory/news.ts";
import type { BanRow, ChangeRow, DirectoryState, DirectoryStore, Round, UntoldRow, UserRow } from "../directory/ports.ts";
import { changed, checksum } from "./checksum.ts";
import { DIRECTORY_TABLES } from "./directory-tables.ts";
import type { SqlRow } from "./metered-sql.ts";
import type { RowMeter } from "./row-meter.ts";
import { Tables } from "./tables.ts";

interface StoredUser extends SqlRow {
  user: string;
  password: string;
  rights: string;
  credential: number;
  created_at: number;
  changed_at: number;
  checksum: number;
}

interface StoredBan extends SqlRow {
  kind: BanKind;
  who: string;
  by: string;
  reason: string;
  at: number;
  until: number;
  checksum: number;
}

const USER = "SELECT user, password, rights, credential, created_at, changed_at, checksum FROM user";

/**
 * Among those who are there one row says how far they have been asked. No object has this name, and whoever looks for those behind it does not find
 * it, builds that know nothing of it neither.
 */
const ROUND = "";

/** What stands for never in a row. */
const NEVER = 0;

/** A version is taken from it where all changes since are to be told: builds that know nothing of that tell what came since the beginning. */
const OF_ALL = -1;

export class SqliteDirectoryStore implements DirectoryStore {
  readonly #tables: Tables;

  /** @throws Error when the database was written by newer code or under an edited history of migrations */
  constructor(sql: SqlStorage, meter: RowMeter) {
    this.#tables = new Tables(sql, meter, DIRECTORY_TABLES);
  }

  state(): DirectoryState | undefined {
    return this.#tables.select<{ version: number; bans: number }>("SELECT version, bans FROM state")[0];
  }

  putState({ version, bans }: DirectoryState): void {
    this.#tables.put(
      "INSERT INTO state (id, version, bans) VALUES (0, ?, ?) ON CONFLICT (id) DO UPDATE SET version = excluded.version, bans = excluded.bans",
      version,
      bans,
    );
  }

  user(name: string): UserRow | undefined {
    return this.#tables.select<StoredUser>(`${USER} WHERE user = ?`, name).map(userRow)[0];
  }

  users(after: string, most: number): UserRow[] {
    return this.#tables.select<StoredUser>(`${USER} WHERE user > ? ORDER BY user LIMIT ?`, after, most).map(userRow);
  }

  usersFrom(place: number, most: number): UserRow[] {
    return this.#tables.select<StoredUser>(`${USER} ORDER BY user LIMIT ? OFFSET ?`, most, place).map(userRow);
  }

  countUsers(): number {
    return this.#tables.select<{ count: number }>("SELECT COUNT(*) AS count FROM user")[0]?.count ?? 0;
  }

  putUser({ user, password, rights, credential, createdAt, changedAt }: UserRow): void {
    const values = [user, password, rights, credential, createdAt, changedAt];
    this.#tables.put(
      `INSERT INTO user (user, password, rights, credential, created_at, changed_at, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (user) DO UPDATE SET
          password = excluded.password, rights = excluded.rights, credential = excluded.credential,
          created_at = excluded.created_at, changed_at = excluded.changed_at, checksum = excluded.checksum`,
      ...values,
      checksum(...values),
    );
  }

  deleteUser(name: string): boolean {
    return this.#tables.delete("DELETE FROM user WHERE user = ?", name) > 0;
  }

  bans(): BanRow[] {
    return this.#tables.select<StoredBan>("SELECT kind, who, by, reason, at, until, checksum FROM ban").map(banRow);
  }

  putBan({ kind, who, by, reason, at, until }: Ban): void {
    const values = [kind, who, by, reason, at, until === Number.POSITIVE_INFINITY ? NEVER : until];
    this.#tables.put(
      `INSERT INTO ban (kind, who, by, reason, at, until, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (kind, who) DO UPDATE SET
          by = excluded.by, reason = excluded.reason, at = excluded.at, until = excluded.until, checksum = excluded.checksum`,
      ...values,
      checksum(...values),
    );
  }

  deleteBan(kind: BanKind, who: string): boolean {
    return this.#tables.delete("DELETE FROM ban WHERE kind = ? AND who = ?", kind, who) > 0;
  }

  changesSince(version: number, user: string, most: number): ChangeRow[] {
    return this.#changes("user > ? AND version > ? ORDER BY user LIMIT ?", user, version, most);
  }

  changesAfter(at: number, user: string, most: number): ChangeRow[] {
    return this.#changes("user > ? AND at > ? ORDER BY user LIMIT ?", user, at, most);
  }

  change(user: string): ChangeRow | undefined {
    return this.#changes("user = ?", user)[0];
  }

  #changes(where: string, ...values: (string | number)[]): ChangeRow[] {
    return this.#tables.select<{ user: string; version: number; at: number }>(
      `SELECT user, version, at FROM change WHERE ${where}`,
      ...values,
    );
  }

  firstChangeAt(): number | undefined {
    return this.#tables.select<{ at: number | null }>("SELECT MIN(at) AS at FROM change")[0]?.at ?? undefined;
  }

  putChange({ user, version, at }: ChangeRow): void {
    this.#tables.put(
      "INSERT INTO change (user, version, at) VALUES (?, ?, ?) ON CONFLICT (user) DO UPDATE SET version = excluded.version, at = excluded.at",
      user,
      version,
      at,
    );
  }

  deleteChanges(before: number): void {
    this.#tables.delete("DELETE FROM change WHERE at < ?", before);
  }

  hasUntold(): boolean {
    return this.#tables.select("SELECT since FROM untold LIMIT 1").length > 0;
  }

  untoldOf(object: string): UntoldRow | undefined {
    const [row] = this.#tables.select<{ since: number }>("SELECT since FROM untold WHERE object = ?", object);
    if (row === undefined) return undefined;
    return row.since < 0 ? { object, since: OF_ALL - row.since, ofAll: true } : { object, since: row.since };
  }

  untoldAfter(object: string, most: number): string[] {
    return this.#objectsAfter("untold", object, most);
  }

  putUntold({ object, since, ofAll }: UntoldRow): void {
    this.#tables.put(
      "INSERT INTO untold (object, since) VALUES (?, ?) ON CONFLICT (object) DO UPDATE SET since = excluded.since",
      object,
      ofAll ? OF_ALL - since : since,
    );
  }

  deleteUntold(object: string): void {
    this.#tables.delete("DELETE FROM untold WHERE object = ?", object);
  }

  presence(object: string): Presence | undefined {
    return this.#presences("WHERE object = ?", object)[0];
  }

  presencesAfter(object: string, most: number): Presence[] {
    return this.#presences("WHERE object > ? ORDER BY object LIMIT ?", object, most);
  }

  objectsOf(users: readonly string[]): string[] {
    const rows = this.#tables.select<{ object: string }>(
      "SELECT object FROM presence WHERE user IN (SELECT value FROM json_each(?))",
      JSON.stringify(users),
    );
    return rows.map((row) => row.object);
  }

  presentAfter(object: string, most: number): string[] {
    return this.#objectsAfter("presence", object, most);
  }

  #objectsAfter(table: "untold" | "presence", object: string, most: number): string[] {
    const rows = this.#tables.select<{ object: string }>(
      `SELECT object FROM ${table} WHERE object > ? ORDER BY object LIMIT ?`,
      object,
      most,
    );
    return rows.map((row) => row.object);
  }

  #presences(where: string, ...values: (string | number)[]): Presence[] {
    return this.#tables
      .select<{ object: string; client_id: string; user: string | null; address: string }>(
        `SELECT object, client_id, user, address FROM presence ${where}`,
        ...values,
      )
      .map(({ object, client_id: clientId, user, address }) => ({ object, clientId, userName: user ?? undefined, address }));
  }

  putPresence({ object, clientId, userName, address }: Presence): void {
    // Nobody is called by an empty name, which stands for none.
    this.#tables.put(
      `INSERT INTO presence (object, client_id, user, address) VALUES (?, ?, NULLIF(?, ''), ?)
        ON CONFLICT (object) DO UPDATE SET client_id = excluded.client_id, user = excluded.user, address = excluded.address`,
      object,
      clientId,
      userName ?? "",
      address,
    );
  }

  deletePresence(object: string): void {
    this.#tables.delete("DELETE FROM presence WHERE object = ?", object);
  }

  round(): Round | undefined {
    const row = this.presence(ROUND);
    return row && { slot: Number(row.clientId), after: row.address === "" ? undefined : row.address };
  }

  putRound({ slot, after }: Round): void {
    this.putPresence({ object: ROUND, clientId: String(slot), userName: undefined, address: after ?? "" });
  }
}

function userRow(row: StoredUser): UserRow {
  const { user, password, rights, credential, created_at: createdAt, changed_at: changedAt } = row;
  const sum = changed(row.checksum, user, password, rights, credential, createdAt, changedAt);
  return { user, password, rights, credential, createdAt, changedAt, ...sum };
}

function banRow({ kind, who, by, reason, at, until, checksum: stored }: StoredBan): BanRow {
  const sum = changed(stored, kind, who, by, reason, at, until);
  return { kind, who, by, reason, at, until: until === NEVER ? Number.POSITIVE_INFINITY : until, ...sum };
}
