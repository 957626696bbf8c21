/**
 * Runs SQL statements in the database of a Durable Object and counts the rows they cost. Cursors are always read to their end: only
 * then are their counters right, and no cursor is open while rows change.
 */

import type { RowMeter } from "./row-meter.ts";

export type SqlBinding = string | number | Uint8Array | null;
export type SqlRow = Record<string, SqlStorageValue>;

export class MeteredSql {
  readonly #sql: SqlStorage;
  readonly #meter: RowMeter;

  constructor(sql: SqlStorage, meter: RowMeter) {
    this.#sql = sql;
    this.#meter = meter;
  }

  /** @param query one statement: of several, the platform's counters tell only the last (seen 2026-11) */
  select<Row extends SqlRow>(query: string, ...bindings: SqlBinding[]): Row[] {
    const cursor = this.#sql.exec<Row>(query, ...bindings);
    const rows = cursor.toArray();
    this.#count(cursor);
    return rows;
  }

  /** @param query one statement @returns the rows that it wrote or deleted */
  run(query: string, ...bindings: SqlBinding[]): number {
    const cursor = this.#sql.exec(query, ...bindings);
    cursor.toArray();
    return this.#count(cursor);
  }

  #count(cursor: Pick<SqlStorageCursor<SqlRow>, "rowsRead" | "rowsWritten">): number {
    this.#meter.rowsRead += cursor.rowsRead;
    this.#meter.rowsWritten += cursor.rowsWritten;
    return cursor.rowsWritten;
  }
}
