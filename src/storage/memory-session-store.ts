/**
 * The rows of a Session object in memory, for tests, simulation and benchmarks. Behaves as the SQLite store does: the same bound on
 * blobs, the same order, the same count of rows written, and copies, so that nobody changes a stored row by changing their bytes.
 */

import type { ChunkRow, SessionRow, SessionStore, SubscriptionRow, WillRow } from "../session/ports.ts";
import { compareTopics } from "../topic/order.ts";
import { checkRowBytes } from "./row-limit.ts";
import type { RowMeter } from "./row-meter.ts";

export class MemorySessionStore implements SessionStore {
  readonly #meter: RowMeter;
  readonly #sessionRows = new Map<number, SessionRow>();
  readonly #subscriptionRows = new Map<number, Map<string, SubscriptionRow>>();
  readonly #willRows = new Map<string, WillRow>();
  readonly #chunkRows = new Map<number, ChunkRow>();

  constructor(meter: RowMeter) {
    this.#meter = meter;
  }

  sessions(): SessionRow[] {
    const rows = [...this.#sessionRows.values()].sort((a, b) => a.number - b.number);
    return this.#read(rows.map((row) => ({ ...row, state: row.state.slice() })));
  }

  subscriptions(): SubscriptionRow[] {
    const rows = [...this.#subscriptionRows.values()].flatMap((filters) => [...filters.values()]);
    return this.#read(rows.sort((a, b) => a.sessionNumber - b.sessionNumber || compareTopics(a.filter, b.filter)));
  }

  wills(): WillRow[] {
    const rows = [...this.#willRows.values()].sort((a, b) => compareTopics(a.clientId, b.clientId));
    return this.#read(rows.map((row) => ({ ...row, will: row.will.slice() })));
  }

  chunks(): ChunkRow[] {
    const rows = [...this.#chunkRows.values()].sort((a, b) => a.number - b.number);
    return this.#read(rows.map((row) => ({ ...row, records: row.records.slice() })));
  }

  putSession(row: SessionRow): void {
    checkRowBytes(row.state);
    this.#sessionRows.set(row.number, { ...row, state: row.state.slice() });
    this.#meter.rowsWritten++;
  }

  deleteSession(number: number): void {
    this.#meter.rowsWritten += this.#subscriptionRows.get(number)?.size ?? 0;
    this.#subscriptionRows.delete(number);
    this.#deleted(this.#sessionRows.delete(number));
  }

  putSubscription(row: SubscriptionRow): void {
    let filters = this.#subscriptionRows.get(row.sessionNumber);
    if (filters === undefined) {
      filters = new Map();
      this.#subscriptionRows.set(row.sessionNumber, filters);
    }
    filters.set(row.filter, { ...row });
    this.#meter.rowsWritten++;
  }

  deleteSubscription(sessionNumber: number, filter: string): void {
    this.#deleted(this.#subscriptionRows.get(sessionNumber)?.delete(filter) ?? false);
  }

  putWill(row: WillRow): void {
    checkRowBytes(row.will);
    this.#willRows.set(row.clientId, { ...row, will: row.will.slice() });
    this.#meter.rowsWritten++;
  }

  deleteWill(clientId: string): void {
    this.#deleted(this.#willRows.delete(clientId));
  }

  putChunk(row: ChunkRow): void {
    checkRowBytes(row.records);
    this.#chunkRows.set(row.number, { ...row, records: row.records.slice() });
    this.#meter.rowsWritten++;
  }

  deleteChunk(number: number): void {
    this.#deleted(this.#chunkRows.delete(number));
  }

  #read<Row>(rows: Row[]): Row[] {
    this.#meter.rowsRead += rows.length;
    return rows;
  }

  #deleted(existed: boolean): void {
    if (existed) this.#meter.rowsWritten++;
  }
}
