/** The tables of what an object has counted, minute by minute and month by month. See SCHEMA.md for who writes and who deletes; they are made when it first does. */

import type { Role } from "./migrations.ts";

/** Append to the migrations, never edit them. */
export const SAMPLE_TABLES: Role = {
  name: "samples",
  migrations: [
    {
      name: "tables",
      statements: [
        `CREATE TABLE sample (
          slot INTEGER PRIMARY KEY, minute INTEGER NOT NULL, received INTEGER NOT NULL, sent INTEGER NOT NULL, dropped INTEGER NOT NULL,
          connections INTEGER NOT NULL, sessions INTEGER NOT NULL, subscriptions INTEGER NOT NULL, checksum INTEGER NOT NULL
        )`,
      ],
    },
    {
      name: "bills",
      statements: [
        `CREATE TABLE bill (
          month INTEGER PRIMARY KEY, requests INTEGER NOT NULL, calls INTEGER NOT NULL, socket_messages INTEGER NOT NULL,
          alarms INTEGER NOT NULL, rows_read INTEGER NOT NULL, rows_written INTEGER NOT NULL, awake_ms INTEGER NOT NULL,
          checksum INTEGER NOT NULL
        )`,
      ],
    },
  ],
};
