/** What a Session object has counted in each of the last minutes, in the SQLite database of its Durable Object: a ring of rows. */

import { SAMPLE_MINUTES } from "../storage-limits.ts";
import { type Checked, changed, checksum } from "./checksum.ts";
import type { RowMeter } from "./row-meter.ts";
import { SAMPLE_TABLES } from "./sample-tables.ts";
import { Tables } from "./tables.ts";

/** One minute of one object. */
export interface Sample {
  /** Since the epoch. */
  readonly minute: number;
  /** Messages, in that minute: published here, sent to clients, and those that a session did not get. */
  readonly received: number;
  readonly sent: number;
  readonly dropped: number;
  /** At its end, as far as it was written. */
  readonly connections: number;
  readonly sessions: number;
  readonly subscriptions: number;
}

/** As `Sample`: a query's row must be an alias and no interface. */
type SampleRow = { [Field in keyof Sample]: number };

const COLUMNS = "minute, received, sent, dropped, connections, sessions, subscriptions";

export class SqliteSampleStore {
  readonly #tables: Tables;

  /** @throws Error when the database was written by newer code or under an edited history of migrations */
  constructor(sql: SqlStorage, meter: RowMeter) {
    this.#tables = new Tables(sql, meter, SAMPLE_TABLES);
  }

  find(minute: number): Sample | undefined {
    return this.#read("WHERE slot = ? AND minute = ?", minute % SAMPLE_MINUTES, minute)[0];
  }

  /** Those of this minute and later, in their order, and the last one before. */
  since(minute: number): readonly Sample[] {
    return [
      ...this.#read("WHERE minute < ? ORDER BY minute DESC LIMIT 1", minute),
      ...this.#read("WHERE minute >= ? ORDER BY minute", minute),
    ];
  }

  /** What cannot be read is left out: it is one minute of many. */
  #read(where: string, ...bindings: number[]): readonly Sample[] {
    const rows = this.#tables.select<Checked<SampleRow>>(`SELECT ${COLUMNS}, checksum FROM sample ${where}`, ...bindings);
    return rows.flatMap(({ checksum: stored, ...sample }) => (changed(stored, ...valuesOf(sample)).damaged ? [] : [sample]));
  }

  /** Instead of the one of a day before. */
  put(sample: Sample): void {
    const values = valuesOf(sample);
    this.#tables.put(
      `INSERT OR REPLACE INTO sample (slot, ${COLUMNS}, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      sample.minute % SAMPLE_MINUTES,
      ...values,
      checksum(...values),
    );
  }
}

/** In the order of the columns. */
function valuesOf({ minute, received, sent, dropped, connections, sessions, subscriptions }: Sample): number[] {
  return [minute, received, sent, dropped, connections, sessions, subscriptions];
}
