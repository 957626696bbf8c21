/**
 * What an object of the simulation has stored: in the memory stores, or in the real stores over SQLite. What one event writes can be
 * taken back as a whole, and any of its writes may fail.
 */

import { DatabaseSync } from "node:sqlite";
import type { DirectoryStore } from "../../src/directory/ports.ts";
import type { RoutingStore } from "../../src/routing/ports.ts";
import type { SessionStore } from "../../src/session/ports.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import type { RowMeter } from "../../src/storage/row-meter.ts";
import { SqliteDirectoryStore } from "../../src/storage/sqlite-directory-store.ts";
import { SqliteRoutingStore } from "../../src/storage/sqlite-routing-store.ts";
import { SqliteSessionStore } from "../../src/storage/sqlite-session-store.ts";
import { allChunks } from "../support/deliveries.ts";
import { answerOf } from "./durable-sql.ts";

export interface Rows {
  readonly sessions: SessionStore;
  readonly routing: RoutingStore;
  /** Stores for a new life of the object. */
  reopen(): void;
  begin(): void;
  commit(): void;
  /** Nothing since `begin` was written. */
  rollback(): void;
}

/** Rows in maps; taking back means copying. */
export class MemoryRows implements Rows {
  sessions: SessionStore;
  routing: RoutingStore;
  readonly #meter: RowMeter;
  #before: [SessionStore, RoutingStore] | undefined;

  constructor(meter: RowMeter) {
    this.#meter = meter;
    this.sessions = new MemorySessionStore(meter);
    this.routing = new MemoryRoutingStore(meter);
  }

  reopen(): void {}

  begin(): void {
    const sessions = new MemorySessionStore(this.#meter);
    for (const row of this.sessions.sessions()) sessions.putSession(row);
    for (const row of this.sessions.subscriptions()) sessions.putSubscription(row);
    for (const row of this.sessions.wills()) sessions.putWill(row);
    for (const row of allChunks(this.sessions)) sessions.putChunk(row);
    for (const row of this.sessions.exchanges()) sessions.putExchanges(row);
    for (const row of this.sessions.aliases()) sessions.putAlias(row);
    for (const row of this.sessions.owed()) sessions.putOwed(row);
    const routing = new MemoryRoutingStore(this.#meter);
    for (const row of this.routing.routes()) routing.putRoute(row);
    for (const topic of this.routing.range!("", undefined)) routing.putRetained(this.routing.retained(topic)!);
    const lineage = this.routing.lineage();
    if (lineage !== undefined) routing.putLineage(lineage);
    this.#before = [sessions, routing];
  }

  commit(): void {
    this.#before = undefined;
  }

  rollback(): void {
    if (this.#before === undefined) return;
    [this.sessions, this.routing] = this.#before;
    this.#before = undefined;
  }
}

/** Rows in SQLite; taking back is what the database does. A directory has its rows here. */
export class SqliteRows implements Rows {
  directory!: DirectoryStore;
  sessions!: SessionStore;
  routing!: RoutingStore;
  readonly #meter: RowMeter;
  readonly database = new DatabaseSync(":memory:");
  #open = false;

  constructor(meter: RowMeter) {
    this.#meter = meter;
    this.reopen();
  }

  reopen(): void {
    const sql = {
      exec: (query: string, ...bindings: (string | number | Uint8Array | null)[]) =>
        answerOf(this.database.prepare(query), query, bindings),
    } as unknown;
    this.sessions = new SqliteSessionStore(sql as SqlStorage, this.#meter);
    this.routing = new SqliteRoutingStore(sql as SqlStorage, this.#meter);
    this.directory = new SqliteDirectoryStore(sql as SqlStorage, this.#meter);
  }

  begin(): void {
    this.database.exec("BEGIN");
    this.#open = true;
  }

  commit(): void {
    if (this.#open) this.database.exec("COMMIT");
    this.#open = false;
  }

  rollback(): void {
    if (this.#open) this.database.exec("ROLLBACK");
    this.#open = false;
  }
}

/** A store that refuses every change while it is told to, as storage that is full or ill does. */
export function refusing<Store extends object>(store: Store, refuses: () => boolean): Store {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        if (/^(put|delete)/.test(String(name)) && refuses()) throw new Error("the storage does not take the row");
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

/** A row of the table of sessions that belongs to no client. */
export function isOwnRow({ clientId }: { readonly clientId: string }): boolean {
  return clientId.startsWith("\u0000");
}
