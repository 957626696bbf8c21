/** The table of what an object has counted, minute by minute. See SCHEMA.md for who writes and who deletes; it is made when it first does. */

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
  ],
};
