/**
 * The tables of one role in the database of a Durable Object, made when the first row is put. Making them costs two rows each, and an
 * object of which only clean sessions and QoS 0 are asked must write no row at all; so, until then, reads find nothing and deletes do
 * nothing.
 *
 * A host that empties the database (`deleteAll`) must make new stores: this one remembers that its tables are there.
 */

import { MeteredSql, type SqlBinding, type SqlRow } from "./metered-sql.ts";
import { appliedMigrations, migrate, type Role } from "./migrations.ts";
import type { RowMeter } from "./row-meter.ts";

export class Tables {
  readonly #sql: MeteredSql;
  readonly #role: Role;
  readonly #made: (() => void) | undefined;
  #exist: boolean;

  /**
   * Reads the record of migrations and applies new ones to tables that are there.
   * @param made called once the tables are made: the object has stored nothing of this role before
   * @throws Error when the record does not fit the code
   */
  constructor(sql: SqlStorage, meter: RowMeter, role: Role, made?: () => void) {
    this.#made = made;
    this.#sql = new MeteredSql(sql, meter);
    this.#role = role;
    const applied = appliedMigrations(this.#sql, role);
    this.#exist = applied > 0;
    if (this.#exist && applied < role.migrations.length) migrate(this.#sql, role);
  }

  select<Row extends SqlRow>(query: string, ...bindings: SqlBinding[]): Row[] {
    return this.#exist ? this.#sql.select<Row>(query, ...bindings) : [];
  }

  /** Inserts or updates: the statement that may need the tables made. @param query with RETURNING @returns what was put, as far as it says */
  put<Row extends SqlRow>(query: string, ...bindings: SqlBinding[]): Row[] {
    if (!this.#exist) {
      migrate(this.#sql, this.#role);
      this.#exist = true;
      this.#made?.();
    }
    return this.#sql.select<Row>(query, ...bindings);
  }

  /** Deletes. @param query with RETURNING @returns what was deleted, as far as it says */
  take<Row extends SqlRow>(query: string, ...bindings: SqlBinding[]): Row[] {
    return this.select<Row>(query, ...bindings);
  }

  /** @returns how many rows were deleted */
  delete(query: string, ...bindings: SqlBinding[]): number {
    return this.#exist ? this.#sql.run(query, ...bindings) : 0;
  }
}
