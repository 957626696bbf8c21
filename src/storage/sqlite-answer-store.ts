/** Answers of a Session object to what may be asked twice, in the SQLite database of its Durable Object. Knows nothing of what they say. */

import { ANSWER_TABLES } from "./answer-tables.ts";
import { type Checked, changed, checksum } from "./checksum.ts";
import type { RowMeter } from "./row-meter.ts";
import { Tables } from "./tables.ts";

export interface AnswerRow {
  /** In which it was first asked: old ones are deleted by it. */
  readonly period: number;
  readonly key: string;
  /** Of what was asked. */
  readonly digest: string;
  /** Empty while it is not known. */
  readonly outcome: string;
  readonly damaged?: true;
}

export class SqliteAnswerStore {
  readonly #tables: Tables;

  /** @throws Error when the database was written by newer code or under an edited history of migrations */
  constructor(sql: SqlStorage, meter: RowMeter) {
    this.#tables = new Tables(sql, meter, ANSWER_TABLES);
  }

  /** @param since the first period that still counts */
  find(key: string, since: number, until: number): AnswerRow | undefined {
    for (let period = until; period >= since; period -= 1) {
      const [row] = this.#tables.select<Checked<{ digest: string; outcome: string }>>(
        "SELECT digest, outcome, checksum FROM answer WHERE period = ? AND key = ?",
        period,
        key,
      );
      if (row === undefined) continue;
      const { digest, outcome } = row;
      return { period, key, digest, outcome, ...changed(row.checksum, period, key, digest, outcome) };
    }
    return undefined;
  }

  put({ period, key, digest, outcome }: AnswerRow): void {
    this.#tables.put(
      `INSERT INTO answer (period, key, digest, outcome, checksum) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (period, key) DO UPDATE SET digest = excluded.digest, outcome = excluded.outcome, checksum = excluded.checksum`,
      period,
      key,
      digest,
      outcome,
      checksum(period, key, digest, outcome),
    );
  }

  delete({ period, key }: Pick<AnswerRow, "period" | "key">): void {
    this.#tables.delete("DELETE FROM answer WHERE period = ? AND key = ?", period, key);
  }

  /** @returns how many were deleted */
  deleteBefore(period: number): number {
    return this.#tables.delete("DELETE FROM answer WHERE period < ?", period);
  }

  count(): number {
    return this.#tables.select<{ count: number }>("SELECT COUNT(*) AS count FROM answer")[0]?.count ?? 0;
  }
}
