/**
 * The tables of the routing role. See SCHEMA.md for who writes and who deletes. WITHOUT ROWID and no secondary indexes: every row put
 * is one row billed, and `retained` lies sorted by topic, compared byte by byte (SQLite's default collation, BINARY, over UTF-8).
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
  ],
};
