/**
 * The rows of a Topic object in the SQLite database of its Durable Object. Topics come in the order of their UTF-8 bytes, which is
 * the order of the table. Knows nothing of what a message holds, nor of matching: the scan asks, this seeks.
 */

import type { QoS } from "../mqtt/packet.ts";
import type { RetainedRow, RouteRow, RoutingStore } from "../routing/ports.ts";
import { nextTopic } from "../topic/order.ts";
import { type Checked, changed, checksum } from "./checksum.ts";
import { ROUTING_TABLES } from "./routing-tables.ts";
import { checkRowBytes } from "./row-limit.ts";
import type { RowMeter } from "./row-meter.ts";
import { Tables } from "./tables.ts";

/** Topics that a range reads ahead with its first query; each further one doubles. */
const PAGE_TOPICS_FIRST = 100;
const PAGE_TOPICS_MAX = 1000;

export class SqliteRoutingStore implements RoutingStore {
  readonly #tables: Tables;
  /** Counted when first asked for: it reads every row, and most starts never ask. */
  #count: number | undefined;

  /** @throws Error when the database was written by newer code or under an edited history of migrations */
  constructor(sql: SqlStorage, meter: RowMeter, made?: () => void) {
    this.#tables = new Tables(sql, meter, ROUTING_TABLES, made);
  }

  routes(): RouteRow[] {
    return this.#tables
      .select<Checked<{ filter: string; session_object: string; qos: number; version: number; members: number; online: number }>>(
        "SELECT filter, session_object, qos, version, members, online, checksum FROM route ORDER BY filter, session_object",
      )
      .map(({ session_object: sessionObject, qos, checksum, ...row }) => {
        const { filter, version, members, online } = row;
        return { ...row, sessionObject, qos: qos as QoS, ...changed(checksum, filter, sessionObject, qos, version, members, online) };
      });
  }

  putRoute(row: RouteRow): void {
    this.#tables.put(
      `INSERT INTO route (filter, session_object, qos, version, members, online, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (filter, session_object) DO UPDATE SET
          qos = excluded.qos, version = excluded.version, members = excluded.members, online = excluded.online,
          checksum = excluded.checksum`,
      row.filter,
      row.sessionObject,
      row.qos,
      row.version,
      row.members,
      row.online,
      checksum(row.filter, row.sessionObject, row.qos, row.version, row.members, row.online),
    );
  }

  deleteRoute(filter: string, sessionObject: string): void {
    this.#tables.delete("DELETE FROM route WHERE filter = ? AND session_object = ?", filter, sessionObject);
  }

  lineage(): string | undefined {
    return this.#tables.select<{ numbers: string }>("SELECT numbers FROM lineage")[0]?.numbers;
  }

  putLineage(lineage: string): void {
    this.#tables.put("INSERT INTO lineage (id, numbers) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET numbers = excluded.numbers", lineage);
  }

  retained(topic: string): RetainedRow | undefined {
    const [row] = this.#tables.select<Checked<{ message: ArrayBuffer; expires_at: number }>>(
      "SELECT message, expires_at, checksum FROM retained WHERE topic = ?",
      topic,
    );
    if (row === undefined) return undefined;
    const message = new Uint8Array(row.message);
    return { topic, message, expiresAt: row.expires_at, ...changed(row.checksum, topic, message, row.expires_at) };
  }

  /** The first call reads every row; later ones none. */
  retainedCount(): number {
    this.#count ??= this.#tables.select<{ count: number }>("SELECT COUNT(*) AS count FROM retained")[0]?.count ?? 0;
    return this.#count;
  }

  knownRetainedCount(): number | undefined {
    return this.#count;
  }

  putRetained(row: RetainedRow): void {
    checkRowBytes(row.message);
    const sum = checksum(row.topic, row.message, row.expiresAt);
    // Not one upsert: that would not tell a new topic from a replaced message, and the count needs to know. Most puts replace.
    const replaced = this.#tables.put(
      "UPDATE retained SET message = ?, expires_at = ?, checksum = ? WHERE topic = ?",
      row.message,
      row.expiresAt,
      sum,
      row.topic,
    );
    if (replaced > 0) return;
    this.#tables.put(
      "INSERT INTO retained (topic, message, expires_at, checksum) VALUES (?, ?, ?, ?)",
      row.topic,
      row.message,
      row.expiresAt,
      sum,
    );
    if (this.#count !== undefined) this.#count++;
  }

  deleteRetained(topic: string): boolean {
    return this.#forget(this.#tables.delete("DELETE FROM retained WHERE topic = ?", topic)) > 0;
  }

  /** Reads every row up to the last that it deletes: there is no index over the times, as each put would pay a row for it. */
  deleteExpiredRetained(now: number, max: number): number {
    return this.#forget(
      this.#tables.delete(
        "DELETE FROM retained WHERE topic IN (SELECT topic FROM retained WHERE expires_at > 0 AND expires_at <= ? LIMIT ?)",
        now,
        max,
      ),
    );
  }

  seek(from: string): string | undefined {
    return this.#tables.select<{ topic: string }>("SELECT topic FROM retained WHERE topic >= ? ORDER BY topic LIMIT 1", from)[0]?.topic;
  }

  /**
   * Reads pages ahead. Rows may change meanwhile: every topic that stays is met exactly once and in order; a topic that is deleted
   * while its page is being walked is still met.
   */
  *range(from: string, to?: string): Generator<string> {
    let lower = from;
    for (let pageTopics = PAGE_TOPICS_FIRST; ; pageTopics = Math.min(2 * pageTopics, PAGE_TOPICS_MAX)) {
      const page = this.#page(lower, to, pageTopics);
      for (const { topic } of page) yield topic;
      if (page.length < pageTopics) return;
      lower = nextTopic(page[page.length - 1].topic);
    }
  }

  #page(from: string, to: string | undefined, topicsMax: number): { topic: string }[] {
    return to === undefined
      ? this.#tables.select("SELECT topic FROM retained WHERE topic >= ? ORDER BY topic LIMIT ?", from, topicsMax)
      : this.#tables.select("SELECT topic FROM retained WHERE topic >= ? AND topic < ? ORDER BY topic LIMIT ?", from, to, topicsMax);
  }

  #forget(deleted: number): number {
    if (this.#count !== undefined) this.#count -= deleted;
    return deleted;
  }
}
