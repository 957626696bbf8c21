/** The table of answers to what may be asked twice. See SCHEMA.md for who writes and who deletes; it is made when somebody first does. */

import type { Role } from "./migrations.ts";

/** Append to the migrations, never edit them. */
export const ANSWER_TABLES: Role = {
  name: "answers",
  migrations: [
    {
      name: "tables",
      statements: [
        `CREATE TABLE answer (
          period INTEGER NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, outcome TEXT NOT NULL, checksum INTEGER NOT NULL,
          PRIMARY KEY (period, key)
        ) WITHOUT ROWID`,
      ],
    },
  ],
};
