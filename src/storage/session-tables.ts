/**
 * The tables of the session role. See SCHEMA.md for who writes and who deletes. No secondary indexes and no AUTOINCREMENT, and
 * WITHOUT ROWID where the key is not one integer: so every row put is one row billed.
 */

import type { Role } from "./migrations.ts";

/** Append to the migrations, never edit them. */
export const SESSION_TABLES: Role = {
  name: "session",
  migrations: [
    {
      name: "tables",
      statements: [
        "CREATE TABLE session (number INTEGER PRIMARY KEY, client_id TEXT NOT NULL, state BLOB NOT NULL)",
        `CREATE TABLE subscription (
          session_number INTEGER NOT NULL, filter TEXT NOT NULL, options INTEGER NOT NULL, identifier INTEGER NOT NULL,
          PRIMARY KEY (session_number, filter)
        ) WITHOUT ROWID`,
        "CREATE TABLE will (client_id TEXT PRIMARY KEY, will BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE chunk (number INTEGER PRIMARY KEY, records BLOB NOT NULL)",
      ],
    },
  ],
};
