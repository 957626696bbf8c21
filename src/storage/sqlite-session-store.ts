/**
 * The rows of a Session object in the SQLite database of its Durable Object. Synchronous: the platform commits what one event wrote
 * together, before anything that the event sent leaves. Knows nothing of what the blobs mean.
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
import { type Checked, changed, checksum } from "./checksum.ts";
import { checkRowBytes } from "./row-limit.ts";
import type { RowMeter } from "./row-meter.ts";
import { SESSION_TABLES } from "./session-tables.ts";
import { Tables } from "./tables.ts";

export class SqliteSessionStore implements SessionStore {
  readonly #tables: Tables;
  /** Under which number each will is, by Client Identifier; known once they were read. */
  #willNumbers: Map<string, number> | undefined;

  /** @throws Error when the database was written by newer code or under an edited history of migrations */
  constructor(sql: SqlStorage, meter: RowMeter, made?: () => void) {
    this.#tables = new Tables(sql, meter, SESSION_TABLES, made);
  }

  sessions(): SessionRow[] {
    return this.#tables
      .select<Checked<{ number: number; client_id: string; state: ArrayBuffer }>>(
        "SELECT number, client_id, state, checksum FROM session ORDER BY number",
      )
      .map(({ number, client_id: clientId, state: blob, checksum }) => {
        const state = new Uint8Array(blob);
        return { number, clientId, state, ...changed(checksum, number, clientId, state) };
      });
  }

  subscriptions(): SubscriptionRow[] {
    return this.#tables
      .select<Checked<{ session_number: number; filter: string; options: number; identifier: number }>>(
        "SELECT session_number, filter, options, identifier, checksum FROM subscription ORDER BY session_number, filter",
      )
      .map(({ session_number: sessionNumber, filter, options, identifier: subscriptionIdentifier, checksum }) => ({
        sessionNumber,
        filter,
        options,
        subscriptionIdentifier,
        ...changed(checksum, sessionNumber, filter, options, subscriptionIdentifier),
      }));
  }

  wills(): WillRow[] {
    const rows = this.#tables.select<Checked<{ number: number; client_id: string; will: ArrayBuffer }>>(
      "SELECT number, client_id, will, checksum FROM will_message ORDER BY number",
    );
    this.#willNumbers = new Map(rows.map(({ number, client_id: clientId }) => [clientId, number]));
    return rows.map(({ client_id: clientId, will: blob, checksum }) => {
      const will = new Uint8Array(blob);
      return { clientId, will, ...changed(checksum, clientId, will) };
    });
  }

  chunkHeads(after: number, most: number): ChunkHeads[] {
    return this.#tables
      .select<Checked<{ number: number; heads: ArrayBuffer }>>(
        "SELECT number, heads, heads_checksum AS checksum FROM log WHERE number > ? ORDER BY number LIMIT ?",
        after,
        most,
      )
      .map(({ number, heads: blob, checksum }) => {
        const heads = new Uint8Array(blob);
        return { number, heads, ...changed(checksum, number, heads) };
      });
  }

  chunk(number: number): ChunkRecords | undefined {
    const [row] = this.#tables.select<Checked<{ records: ArrayBuffer }>>("SELECT records, checksum FROM log WHERE number = ?", number);
    if (row === undefined) return undefined;
    const records = new Uint8Array(row.records);
    return { number, records, ...changed(row.checksum, number, records) };
  }

  exchanges(): ExchangeRow[] {
    return this.#tables
      .select<Checked<{ session_number: number; page: number; exchanges: ArrayBuffer }>>(
        "SELECT session_number, page, exchanges, checksum FROM exchange ORDER BY session_number, page",
      )
      .map(({ session_number: sessionNumber, page, exchanges: blob, checksum }) => {
        const exchanges = new Uint8Array(blob);
        return { sessionNumber, page, exchanges, ...changed(checksum, sessionNumber, page, exchanges) };
      });
  }

  aliases(): AliasRow[] {
    return this.#tables
      .select<Checked<{ connection_number: number; alias: number; topic: string }>>(
        "SELECT connection_number, alias, topic, checksum FROM alias ORDER BY connection_number, alias",
      )
      .map(({ connection_number: connectionNumber, alias, topic, checksum }) => ({
        connectionNumber,
        alias,
        topic,
        ...changed(checksum, connectionNumber, alias, topic),
      }));
  }

  owed(): OwedRow[] {
    return this.#tables
      .select<Checked<{ session_number: number; id: number; filter: string; place: string; from_topic: string }>>(
        "SELECT session_number, id, filter, place, from_topic, checksum FROM owed ORDER BY session_number, id",
      )
      .map(({ session_number: sessionNumber, id, filter, place, from_topic: from, checksum }) => ({
        sessionNumber,
        id,
        filter,
        place,
        from,
        ...changed(checksum, sessionNumber, id, filter, place, from),
      }));
  }

  putSession(row: SessionRow): void {
    checkRowBytes(row.state);
    this.#tables.put(
      `INSERT INTO session (number, client_id, state, checksum) VALUES (?, ?, ?, ?)
        ON CONFLICT (number) DO UPDATE SET client_id = excluded.client_id, state = excluded.state, checksum = excluded.checksum`,
      row.number,
      row.clientId,
      row.state,
      checksum(row.number, row.clientId, row.state),
    );
  }

  deleteSession(number: number): void {
    this.#tables.delete("DELETE FROM subscription WHERE session_number = ?", number);
    this.#tables.delete("DELETE FROM exchange WHERE session_number = ?", number);
    this.#tables.delete("DELETE FROM owed WHERE session_number = ?", number);
    this.#tables.delete("DELETE FROM session WHERE number = ?", number);
  }

  putSubscription(row: SubscriptionRow): void {
    this.#tables.put(
      `INSERT INTO subscription (session_number, filter, options, identifier, checksum) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (session_number, filter) DO UPDATE SET
          options = excluded.options, identifier = excluded.identifier, checksum = excluded.checksum`,
      row.sessionNumber,
      row.filter,
      row.options,
      row.subscriptionIdentifier,
      checksum(row.sessionNumber, row.filter, row.options, row.subscriptionIdentifier),
    );
  }

  deleteSubscription(sessionNumber: number, filter: string): void {
    this.#tables.delete("DELETE FROM subscription WHERE session_number = ? AND filter = ?", sessionNumber, filter);
  }

  putExchanges(row: ExchangeRow): void {
    checkRowBytes(row.exchanges);
    this.#tables.put(
      `INSERT INTO exchange (session_number, page, exchanges, checksum) VALUES (?, ?, ?, ?)
        ON CONFLICT (session_number, page) DO UPDATE SET exchanges = excluded.exchanges, checksum = excluded.checksum`,
      row.sessionNumber,
      row.page,
      row.exchanges,
      checksum(row.sessionNumber, row.page, row.exchanges),
    );
  }

  deleteExchanges(sessionNumber: number, page: number): void {
    this.#tables.delete("DELETE FROM exchange WHERE session_number = ? AND page = ?", sessionNumber, page);
  }

  putOwed(row: OwedRow): void {
    this.#tables.put(
      `INSERT INTO owed (session_number, id, filter, place, from_topic, checksum) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (session_number, id) DO UPDATE SET from_topic = excluded.from_topic, checksum = excluded.checksum`,
      row.sessionNumber,
      row.id,
      row.filter,
      row.place,
      row.from,
      checksum(row.sessionNumber, row.id, row.filter, row.place, row.from),
    );
  }

  deleteOwed(sessionNumber: number, id: number): void {
    this.#tables.delete("DELETE FROM owed WHERE session_number = ? AND id = ?", sessionNumber, id);
  }

  putAlias(row: AliasRow): void {
    this.#tables.put(
      `INSERT INTO alias (connection_number, alias, topic, checksum) VALUES (?, ?, ?, ?)
        ON CONFLICT (connection_number, alias) DO UPDATE SET topic = excluded.topic, checksum = excluded.checksum`,
      row.connectionNumber,
      row.alias,
      row.topic,
      checksum(row.connectionNumber, row.alias, row.topic),
    );
  }

  deleteAliases(connectionNumber: number): void {
    this.#tables.delete("DELETE FROM alias WHERE connection_number = ?", connectionNumber);
  }

  putWill(row: WillRow): void {
    checkRowBytes(row.will);
    const numbers = this.#numbersOfWills();
    const [put] = this.#tables.put<{ number: number }>(
      `INSERT INTO will_message (number, client_id, will, checksum) VALUES (?, ?, ?, ?)
        ON CONFLICT (number) DO UPDATE SET will = excluded.will, checksum = excluded.checksum
        RETURNING number`,
      numbers.get(row.clientId) ?? null,
      row.clientId,
      row.will,
      checksum(row.clientId, row.will),
    );
    numbers.set(row.clientId, put!.number);
  }

  deleteWill(clientId: string): void {
    const numbers = this.#numbersOfWills();
    const number = numbers.get(clientId);
    if (number === undefined) return;
    this.#tables.delete("DELETE FROM will_message WHERE number = ?", number);
    numbers.delete(clientId);
  }

  #numbersOfWills(): Map<string, number> {
    if (this.#willNumbers === undefined) this.wills();
    return this.#willNumbers!;
  }

  putChunk(row: ChunkRow): void {
    checkRowBytes(row.records);
    this.#tables.put(
      `INSERT INTO log (number, heads, heads_checksum, records, checksum) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (number) DO UPDATE SET
          heads = excluded.heads, heads_checksum = excluded.heads_checksum, records = excluded.records, checksum = excluded.checksum`,
      row.number,
      row.heads,
      checksum(row.number, row.heads),
      row.records,
      checksum(row.number, row.records),
    );
  }

  deleteChunk(number: number): void {
    this.#tables.delete("DELETE FROM log WHERE number = ?", number);
  }
}
