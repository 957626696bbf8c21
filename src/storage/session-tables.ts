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
    {
      name: "pieces",
      statements: [
        `CREATE TABLE exchange (
          session_number INTEGER NOT NULL, page INTEGER NOT NULL, exchanges BLOB NOT NULL,
          PRIMARY KEY (session_number, page)
        ) WITHOUT ROWID`,
        `CREATE TABLE alias (
          connection_number INTEGER NOT NULL, alias INTEGER NOT NULL, topic TEXT NOT NULL,
          PRIMARY KEY (connection_number, alias)
        ) WITHOUT ROWID`,
      ],
    },
    {
      name: "checksums",
      statements: ["session", "subscription", "will", "chunk", "exchange", "alias"].map(
        (table) => `ALTER TABLE ${table} ADD COLUMN checksum INTEGER`,
      ),
    },
    {
      name: "owed",
      statements: [
        `CREATE TABLE owed (
          session_number INTEGER NOT NULL, id INTEGER NOT NULL, filter TEXT NOT NULL, place TEXT NOT NULL, from_topic TEXT NOT NULL,
          checksum INTEGER,
          PRIMARY KEY (session_number, id)
        ) WITHOUT ROWID`,
      ],
    },
    {
      // What stands before a blob is read without it: of the log a start reads the heads.
      name: "heads",
      statements: [
        `CREATE TABLE log (
          number INTEGER PRIMARY KEY, heads BLOB NOT NULL, heads_checksum INTEGER, records BLOB NOT NULL, checksum INTEGER
        )`,
        "INSERT INTO log (number, heads, records, checksum) SELECT number, x'00', records, checksum FROM chunk",
        "DROP TABLE chunk",
      ],
    },
    {
      // By numbers: to find a key that is none, SQLite reads rows to the end, and a will may be large (SCHEMA.md).
      name: "wills",
      statements: [
        "CREATE TABLE will_message (number INTEGER PRIMARY KEY, client_id TEXT NOT NULL, will BLOB NOT NULL, checksum INTEGER)",
        "INSERT INTO will_message (client_id, will, checksum) SELECT client_id, will, checksum FROM will",
        "DROP TABLE will",
      ],
    },
  ],
};
