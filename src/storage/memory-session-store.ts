/**
 * The rows of a Session object in memory, for tests, simulation and benchmarks. Behaves as the SQLite store does: the same bound on
 * blobs, the same order, the same count of rows written, and copies, so that nobody changes a stored row by changing their bytes.
 */

import type {
  AliasRow,
  ChunkHeads,
  ChunkRecords,
  ChunkRow,
  ExchangeRow,
  OwedRow,
  SessionRow,
  SessionStore,
  SubscriptionRow,
  WillRow,
} from "../session/ports.ts";
import { compareTopics } from "../topic/order.ts";
import { checkRowBytes } from "./row-limit.ts";
import type { RowMeter } from "./row-meter.ts";

export class MemorySessionStore implements SessionStore {
  readonly #meter: RowMeter;
  readonly #sessionRows = new Map<number, SessionRow>();
  readonly #subscriptionRows = new Map<number, Map<string, SubscriptionRow>>();
  readonly #willRows = new Map<string, WillRow>();
  readonly #chunkRows = new Map<number, ChunkRow>();
  readonly #exchangeRows = new Map<number, Map<number, ExchangeRow>>();
  readonly #owedRows = new Map<number, Map<number, OwedRow>>();
  readonly #aliasRows = new Map<number, Map<number, AliasRow>>();

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
    return this.#read([...this.#willRows.values()].map((row) => ({ ...row, will: row.will.slice() })));
  }

  chunkHeads(after: number, most: number): ChunkHeads[] {
    const rows = [...this.#chunkRows.values()].filter(({ number }) => number > after).sort((a, b) => a.number - b.number);
    return this.#read(rows.slice(0, most).map(({ number, heads }) => ({ number, heads: heads.slice() })));
  }

  chunk(number: number): ChunkRecords | undefined {
    const row = this.#chunkRows.get(number);
    return row && this.#read([{ number, records: row.records.slice() }])[0];
  }

  exchanges(): ExchangeRow[] {
    const rows = [...this.#exchangeRows.values()].flatMap((pages) => [...pages.values()]);
    rows.sort((a, b) => a.sessionNumber - b.sessionNumber || a.page - b.page);
    return this.#read(rows.map((row) => ({ ...row, exchanges: row.exchanges.slice() })));
  }

  aliases(): AliasRow[] {
    const rows = [...this.#aliasRows.values()].flatMap((aliases) => [...aliases.values()]);
    return this.#read(rows.sort((a, b) => a.connectionNumber - b.connectionNumber || a.alias - b.alias));
  }

  owed(): OwedRow[] {
    const rows = [...this.#owedRows.values()].flatMap((cursors) => [...cursors.values()]);
    return this.#read(rows.sort((a, b) => a.sessionNumber - b.sessionNumber || a.id - b.id));
  }

  putSession(row: SessionRow): void {
    checkRowBytes(row.state);
    this.#sessionRows.set(row.number, { ...row, state: row.state.slice() });
    this.#meter.rowsWritten++;
  }

  deleteSession(number: number): void {
    for (const rows of [this.#subscriptionRows, this.#exchangeRows, this.#owedRows]) {
      this.#meter.rowsWritten += rows.get(number)?.size ?? 0;
      rows.delete(number);
    }
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

  putExchanges(row: ExchangeRow): void {
    checkRowBytes(row.exchanges);
    const pages = this.#exchangeRows.get(row.sessionNumber) ?? new Map<number, ExchangeRow>();
    this.#exchangeRows.set(row.sessionNumber, pages);
    pages.set(row.page, { ...row, exchanges: row.exchanges.slice() });
    this.#meter.rowsWritten++;
  }

  deleteExchanges(sessionNumber: number, page: number): void {
    this.#deleted(this.#exchangeRows.get(sessionNumber)?.delete(page) ?? false);
  }

  putOwed(row: OwedRow): void {
    const cursors = this.#owedRows.get(row.sessionNumber) ?? new Map<number, OwedRow>();
    this.#owedRows.set(row.sessionNumber, cursors);
    cursors.set(row.id, { ...row });
    this.#meter.rowsWritten++;
  }

  deleteOwed(sessionNumber: number, id: number): void {
    this.#deleted(this.#owedRows.get(sessionNumber)?.delete(id) ?? false);
  }

  putAlias(row: AliasRow): void {
    const aliases = this.#aliasRows.get(row.connectionNumber) ?? new Map<number, AliasRow>();
    this.#aliasRows.set(row.connectionNumber, aliases);
    aliases.set(row.alias, { ...row });
    this.#meter.rowsWritten++;
  }

  deleteAliases(connectionNumber: number): void {
    this.#meter.rowsWritten += this.#aliasRows.get(connectionNumber)?.size ?? 0;
    this.#aliasRows.delete(connectionNumber);
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
    this.#chunkRows.set(row.number, { ...row, heads: row.heads.slice(), records: row.records.slice() });
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
