/**
 * The rows of a Session object in the SQLite database of its Durable Object. Synchronous: the platform commits what one event wrote
 * together, before anything that the event sent leaves. Knows nothing of what the blobs mean.
 */

import type { AliasRow, ChunkRow, ExchangeRow, SessionRow, SessionStore, SubscriptionRow, WillRow } from "../session/ports.ts";
import { checkRowBytes } from "./row-limit.ts";
import type { RowMeter } from "./row-meter.ts";
import { SESSION_TABLES } from "./session-tables.ts";
import { Tables } from "./tables.ts";

export class SqliteSessionStore implements SessionStore {
  readonly #tables: Tables;

  /** @throws Error when the database was written by newer code or under an edited history of migrations */
  constructor(sql: SqlStorage, meter: RowMeter) {
    this.#tables = new Tables(sql, meter, SESSION_TABLES);
  }

  sessions(): SessionRow[] {
    return this.#tables
      .select<{ number: number; client_id: string; state: ArrayBuffer }>("SELECT number, client_id, state FROM session ORDER BY number")
      .map((row) => ({ number: row.number, clientId: row.client_id, state: new Uint8Array(row.state) }));
  }

  subscriptions(): SubscriptionRow[] {
    return this.#tables
      .select<{ session_number: number; filter: string; options: number; identifier: number }>(
        "SELECT session_number, filter, options, identifier FROM subscription ORDER BY session_number, filter",
      )
      .map((row) => ({
        sessionNumber: row.session_number,
        filter: row.filter,
        options: row.options,
        subscriptionIdentifier: row.identifier,
      }));
  }

  wills(): WillRow[] {
    return this.#tables
      .select<{ client_id: string; will: ArrayBuffer }>("SELECT client_id, will FROM will ORDER BY client_id")
      .map((row) => ({ clientId: row.client_id, will: new Uint8Array(row.will) }));
  }

  chunks(): ChunkRow[] {
    return this.#tables
      .select<{ number: number; records: ArrayBuffer }>("SELECT number, records FROM chunk ORDER BY number")
      .map((row) => ({ number: row.number, records: new Uint8Array(row.records) }));
  }

  exchanges(): ExchangeRow[] {
    return this.#tables
      .select<{ session_number: number; page: number; exchanges: ArrayBuffer }>(
        "SELECT session_number, page, exchanges FROM exchange ORDER BY session_number, page",
      )
      .map((row) => ({ sessionNumber: row.session_number, page: row.page, exchanges: new Uint8Array(row.exchanges) }));
  }

  aliases(): AliasRow[] {
    return this.#tables
      .select<{ connection_number: number; alias: number; topic: string }>(
        "SELECT connection_number, alias, topic FROM alias ORDER BY connection_number, alias",
      )
      .map((row) => ({ connectionNumber: row.connection_number, alias: row.alias, topic: row.topic }));
  }

  putSession(row: SessionRow): void {
    checkRowBytes(row.state);
    this.#tables.put(
      `INSERT INTO session (number, client_id, state) VALUES (?, ?, ?)
        ON CONFLICT (number) DO UPDATE SET client_id = excluded.client_id, state = excluded.state`,
      row.number,
      row.clientId,
      row.state,
    );
  }

  deleteSession(number: number): void {
    this.#tables.delete("DELETE FROM subscription WHERE session_number = ?", number);
    this.#tables.delete("DELETE FROM exchange WHERE session_number = ?", number);
    this.#tables.delete("DELETE FROM session WHERE number = ?", number);
  }

  putSubscription(row: SubscriptionRow): void {
    this.#tables.put(
      `INSERT INTO subscription (session_number, filter, options, identifier) VALUES (?, ?, ?, ?)
        ON CONFLICT (session_number, filter) DO UPDATE SET options = excluded.options, identifier = excluded.identifier`,
      row.sessionNumber,
      row.filter,
      row.options,
      row.subscriptionIdentifier,
    );
  }

  deleteSubscription(sessionNumber: number, filter: string): void {
    this.#tables.delete("DELETE FROM subscription WHERE session_number = ? AND filter = ?", sessionNumber, filter);
  }

  putExchanges(row: ExchangeRow): void {
    checkRowBytes(row.exchanges);
    this.#tables.put(
      `INSERT INTO exchange (session_number, page, exchanges) VALUES (?, ?, ?)
        ON CONFLICT (session_number, page) DO UPDATE SET exchanges = excluded.exchanges`,
      row.sessionNumber,
      row.page,
      row.exchanges,
    );
  }

  deleteExchanges(sessionNumber: number, page: number): void {
    this.#tables.delete("DELETE FROM exchange WHERE session_number = ? AND page = ?", sessionNumber, page);
  }

  putAlias(row: AliasRow): void {
    this.#tables.put(
      `INSERT INTO alias (connection_number, alias, topic) VALUES (?, ?, ?)
        ON CONFLICT (connection_number, alias) DO UPDATE SET topic = excluded.topic`,
      row.connectionNumber,
      row.alias,
      row.topic,
    );
  }

  deleteAliases(connectionNumber: number): void {
    this.#tables.delete("DELETE FROM alias WHERE connection_number = ?", connectionNumber);
  }

  putWill(row: WillRow): void {
    checkRowBytes(row.will);
    this.#tables.put(
      "INSERT INTO will (client_id, will) VALUES (?, ?) ON CONFLICT (client_id) DO UPDATE SET will = excluded.will",
      row.clientId,
      row.will,
    );
  }

  deleteWill(clientId: string): void {
    this.#tables.delete("DELETE FROM will WHERE client_id = ?", clientId);
  }

  putChunk(row: ChunkRow): void {
    checkRowBytes(row.records);
    this.#tables.put(
      "INSERT INTO chunk (number, records) VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET records = excluded.records",
      row.number,
      row.records,
    );
  }

  deleteChunk(number: number): void {
    this.#tables.delete("DELETE FROM chunk WHERE number = ?", number);
  }
}
