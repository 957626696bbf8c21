/**
 * Brings the tables of a role (session, routing) to the form that this version of the code expects. Keeps one law: history is only
 * appended to. What was applied is recorded with a checksum, and a database whose record differs from the code's list is refused
 * before anything is touched.
 *
 * The record is one row for each role in a table `migration`: `PRAGMA user_version` is refused in Durable Objects (SQLITE_AUTH, seen
 * 2026-11), and a compact object keeps both roles in one database. A start on an up-to-date database reads that row and writes none.
 */

import type { MeteredSql } from "./metered-sql.ts";

export interface Migration {
  /** Unique within its role. */
  readonly name: string;
  /** One SQL statement each. */
  readonly statements: readonly string[];
}

/** The tables that one kind of store needs, and how they came to be: append to `migrations`, never edit. */
export interface Role {
  readonly name: string;
  readonly migrations: readonly Migration[];
}

/**
 * @returns how many of the role's migrations the database has had; 0 when it never had tables of this role
 * @throws Error when the record does not fit the code's list: history was edited, or newer code has been here
 */
export function appliedMigrations(sql: MeteredSql, role: Role): number {
  // Asking for the columns of a table that is not there is answered by no rows and costs none.
  if (sql.select("PRAGMA table_info(migration)").length === 0) return 0;
  const [record] = sql.select<{ applied: string }>("SELECT applied FROM migration WHERE role = ?", role.name);
  if (record === undefined) return 0;

  const applied = parseApplied(record.applied, role);
  const known = role.migrations.map(fingerprint);
  if (applied.length > known.length) {
    throw new Error(
      `The database has had ${applied.length} migrations of the role ${role.name}, this code knows ${known.length}: it was written by a newer version, which has to be deployed again.`,
    );
  }
  const edited = applied.findIndex((entry, index) => entry !== known[index]);
  if (edited !== -1) {
    throw new Error(
      `Migration ${edited + 1} of the role ${role.name} was applied as ${applied[edited]}, but the code has ${known[edited]}: migrations may be appended, never edited.`,
    );
  }
  return applied.length;
}

function parseApplied(text: string, { name }: Role): readonly string[] {
  try {
    const applied: unknown = JSON.parse(text);
    if (Array.isArray(applied)) return applied as string[];
  } catch {
    // Told below.
  }
  throw new Error(`The record of the migrations of the role ${name} can't be read: ${JSON.stringify(text.slice(0, 100))}.`);
}

/**
 * Applies the role's migrations that the database has not had, in order. There is no `await` in it, so a crash leaves all of it or
 * nothing; but a statement that throws does not undo those before it (seen 2026-11), so each must be tried before it is released.
 * Costs 2 rows for each table made and 1 for the record; none when there is nothing to do.
 * @throws as `appliedMigrations`
 */
export function migrate(sql: MeteredSql, role: Role): void {
  const pending = role.migrations.slice(appliedMigrations(sql, role));
  if (pending.length === 0) return;
  for (const statement of pending.flatMap((migration) => migration.statements)) sql.run(statement);
  sql.run("CREATE TABLE IF NOT EXISTS migration (role TEXT PRIMARY KEY, applied TEXT NOT NULL) WITHOUT ROWID");
  sql.run(
    "INSERT INTO migration (role, applied) VALUES (?, ?) ON CONFLICT (role) DO UPDATE SET applied = excluded.applied",
    role.name,
    JSON.stringify(role.migrations.map(fingerprint)),
  );
}

/** A migration's name and a checksum of its statements; layout (white space) may change. */
export function fingerprint(migration: Migration): string {
  const text = migration.statements.map((statement) => statement.trim().replace(/\s+/g, " ")).join(";");
  // FNV-1a: guards against mistakes, not against malice.
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return `${migration.name}:${(hash >>> 0).toString(16).padStart(8, "0")}`;
}
