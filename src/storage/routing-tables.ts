/**
 * The tables of the routing role. See SCHEMA.md for who writes and who deletes. WITHOUT ROWID and no secondary indexes: every row put
 * is one row billed, and `retained` lies sorted by topic, compared byte by byte (SQLite's default collation, BINARY, over UTF-8). To compare
 * two topics of such a table SQLite reads their rows to the end (SQLite 3.51, seen 2026-11): what is large lies beside it, in `retained_body`.
 */

import type { Role } from "./migrations.ts";

/** Append to the migrations, never edit them. */
export const ROUTING_TABLES: Role = {
  name: "routing",
  migrations: [
    {
      name: "tables",
      statements: [
        `CREATE TABLE route (
          filter TEXT NOT NULL, session_object TEXT NOT NULL, qos INTEGER NOT NULL, version INTEGER NOT NULL,
          members INTEGER NOT NULL, online INTEGER NOT NULL,
          PRIMARY KEY (filter, session_object)
        ) WITHOUT ROWID`,
        "CREATE TABLE retained (topic TEXT PRIMARY KEY, message BLOB NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID",
      ],
    },
    {
      name: "lineage",
      statements: ["CREATE TABLE lineage (id INTEGER PRIMARY KEY CHECK (id = 0), numbers TEXT NOT NULL)"],
    },
    {
      name: "checksums",
      statements: ["route", "retained"].map((table) => `ALTER TABLE ${table} ADD COLUMN checksum INTEGER`),
    },
    {
      name: "owners",
      statements: ["ALTER TABLE retained ADD COLUMN owner INTEGER NOT NULL DEFAULT 0"],
    },
    {
      name: "bodies",
      statements: [
        "CREATE TABLE retained_body (number INTEGER PRIMARY KEY, message BLOB NOT NULL)",
        "ALTER TABLE retained ADD COLUMN body INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE retained ADD COLUMN body_bytes INTEGER NOT NULL DEFAULT 0",
      ],
    },
  ],
};
