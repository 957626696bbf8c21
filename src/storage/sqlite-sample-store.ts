/**
 * What an object has counted, in the SQLite database of its Durable Object: a Session object in each of the last minutes, in a ring of rows, and both
 * kinds what is billed in each of the last months.
 */

import { BILL_MONTHS, SAMPLE_MINUTES } from "../storage-limits.ts";
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

/** Numbers of a month that are added up, in the order of the columns. */
export const BILLED = ["requests", "calls", "socketMessages", "alarms", "rowsRead", "rowsWritten", "awakeMs"] as const;

/** What is billed of one object in one month: each field is a line of the platform's price list, or what one is worked out from. */
export type Billed = { readonly [Field in (typeof BILLED)[number]]: number } & {
  /** Since the year 0. */
  readonly month: number;
};

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

  /** The last one until this minute. Where there is one of the same day, those of other days are not looked through. */
  last(minute: number): Sample | undefined {
    const slot = minute % SAMPLE_MINUTES;
    const ofDay = this.#read("WHERE slot <= ? AND minute BETWEEN ? AND ? ORDER BY slot DESC LIMIT 1", slot, minute - slot, minute);
    return ofDay[0] ?? this.#read("WHERE minute <= ? ORDER BY minute DESC LIMIT 1", minute)[0];
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

  /** The last months, the earliest first. One that cannot be read is left out. */
  months(): readonly Billed[] {
    const rows = this.#tables.select<Checked<BillRow>>(`SELECT ${BILL_ALIASES}, checksum FROM bill ORDER BY month`);
    return rows.flatMap(({ checksum: stored, ...billed }) => (changed(stored, ...billValuesOf(billed)).damaged ? [] : [billed]));
  }

  /** Adds to a month, and forgets those that are long over. */
  bill(month: number, more: (field: (typeof BILLED)[number]) => number): void {
    const all = this.months();
    const known = all.find((each) => each.month === month);
    const sums = Object.fromEntries(BILLED.map((field) => [field, (known?.[field] ?? 0) + more(field)]));
    const values = billValuesOf({ ...sums, month } as Billed);
    this.#tables.put(
      `INSERT OR REPLACE INTO bill (${BILL_COLUMNS}, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...values,
      checksum(...values),
    );
    if (known === undefined) this.#tables.delete("DELETE FROM bill WHERE month <= ?", month - BILL_MONTHS);
  }
}

function billValuesOf(billed: Billed): number[] {
  return [billed.month, ...BILLED.map((field) => billed[field])];
}

const BILL_COLUMNS = "month, requests, calls, socket_messages, alarms, rows_read, rows_written, awake_ms";
const BILL_ALIASES =
  "month, requests, calls, socket_messages AS socketMessages, alarms, rows_read AS rowsRead, rows_written AS rowsWritten, awake_ms AS awakeMs";

type BillRow = { [Field in keyof Billed]: number };

/** In the order of the columns. */
function valuesOf({ minute, received, sent, dropped, connections, sessions, subscriptions }: Sample): number[] {
  return [minute, received, sent, dropped, connections, sessions, subscriptions];
}
