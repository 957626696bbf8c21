/**
 * The tables of the directory of a namespace. See SCHEMA.md for who writes and who deletes. WITHOUT ROWID and no secondary indexes: every
 * row put is one row billed.
 */

import type { Role } from "./migrations.ts";

/** Append to the migrations, never edit them. */
export const DIRECTORY_TABLES: Role = {
  name: "directory",
  migrations: [
    {
      name: "tables",
      statements: [
        "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 0), version INTEGER NOT NULL, bans INTEGER NOT NULL)",
        `CREATE TABLE user (
          user TEXT PRIMARY KEY, password TEXT NOT NULL, rights TEXT NOT NULL, credential INTEGER NOT NULL,
          created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, checksum INTEGER NOT NULL
        ) WITHOUT ROWID`,
        `CREATE TABLE ban (
          kind TEXT NOT NULL, who TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL,
          checksum INTEGER NOT NULL,
          PRIMARY KEY (kind, who)
        ) WITHOUT ROWID`,
        "CREATE TABLE change (user TEXT PRIMARY KEY, version INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE untold (object TEXT PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE presence (object TEXT PRIMARY KEY, client_id TEXT NOT NULL, user TEXT, address TEXT NOT NULL) WITHOUT ROWID",
      ],
    },
  ],
};
