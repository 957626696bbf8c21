/**
 * The rows of a Topic object in the SQLite database of its Durable Object. Topics come in the order of their UTF-8 bytes, which is
 * the order of the table. Knows nothing of what a message holds, nor of matching: the scan asks, this seeks.
 */

import type { QoS } from "../mqtt/packet.ts";
import type { Holding, Kept, RetainedRow, RouteRow, RoutingStore } from "../routing/ports.ts";
import { RETAINED_COUNTED_MAX, RETAINED_INLINE_BYTES_MAX } from "../storage-limits.ts";
import { compareTopics, nextTopic } from "../topic/order.ts";
import { type Checked, changed, checksum } from "./checksum.ts";
import type { SqlRow } from "./metered-sql.ts";
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
  #holding: Holding | undefined;
  /** They were too many to be counted by the way. */
  #hasMany = false;
  /** The same by owner. */
  #holdings: Map<number, Holding> | undefined;
  /** Milliseconds since the epoch. */
  #noneExpiresBefore = 0;
  /** Neither this topic nor any after it is retained; undefined where that is not known. */
  #noneFrom: string | undefined;

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
    const [row] = this.#tables.select<Checked<{ message: ArrayBuffer; expires_at: number; owner: number; body: number }>>(
      "SELECT message, expires_at, owner, checksum, body FROM retained WHERE topic = ?",
      topic,
    );
    if (row === undefined) return undefined;
    const { owner, expires_at: expiresAt, body } = row;
    const message = body === 0 ? new Uint8Array(row.message) : this.#body(body);
    return {
      topic,
      message,
      expiresAt,
      ...(owner === 0 ? {} : { owner }),
      ...changed(row.checksum, ...summed(topic, message, expiresAt, owner)),
    };
  }

  /** Of one that is not there nothing: its checksum tells. */
  #body(number: number): Uint8Array {
    const [row] = this.#tables.select<{ message: ArrayBuffer }>("SELECT message FROM retained_body WHERE number = ?", number);
    return new Uint8Array(row?.message ?? 0);
  }

  kept(topic: string): Kept | undefined {
    return this.#tables.select<Kept & SqlRow>(`SELECT ${KEPT} FROM retained WHERE topic = ?`, topic)[0];
  }

  /** The first call reads every row; later ones none. */
  holding(): Holding {
    const query = "SELECT COUNT(*) AS count, COALESCE(SUM(LENGTH(message) + body_bytes), 0) AS bytes FROM retained";
    this.#holding ??= this.#tables.select<Holding & SqlRow>(query)[0] ?? NOTHING;
    return this.#holding;
  }

  /** The first call reads every row; later ones none. */
  holdingOf(owner: number): Holding {
    const query = "SELECT owner, COUNT(*) AS count, SUM(LENGTH(message) + body_bytes) AS bytes FROM retained GROUP BY owner";
    this.#holdings ??= new Map(
      this.#tables.select<Holding & Kept & SqlRow>(query).map(({ owner, count, bytes }) => [owner, { count, bytes }]),
    );
    return this.#holdings.get(owner) ?? NOTHING;
  }

  knownRetainedCount(): number | undefined {
    return this.#holding?.count;
  }

  fewRetainedCount(): number | undefined {
    if (this.#holding === undefined && !this.#hasMany) this.#countFew();
    return this.#holding?.count;
  }

  #countFew(): void {
    const few = "SELECT LENGTH(message) + body_bytes AS bytes FROM retained LIMIT ?";
    const query = `SELECT COUNT(*) AS count, COALESCE(SUM(bytes), 0) AS bytes FROM (${few})`;
    const [found = NOTHING] = this.#tables.select<Holding & SqlRow>(query, RETAINED_COUNTED_MAX + 1);
    if (found.count > RETAINED_COUNTED_MAX) this.#hasMany = true;
    else this.#holding = found;
  }

  putRetained(row: RetainedRow): void {
    checkRowBytes(row.message);
    const { topic, message, expiresAt, owner = 0 } = row;
    if (this.#noneFrom !== undefined && compareTopics(topic, this.#noneFrom) >= 0) this.#noneFrom = undefined;
    if (expiresAt > 0) this.#noneExpiresBefore = Math.min(this.#noneExpiresBefore, expiresAt);
    const counts = this.#holding !== undefined || this.#holdings !== undefined;
    const replaced = counts ? this.kept(topic) : undefined;
    this.#putMessage(row, owner);
    if (replaced !== undefined) this.#count(replaced, -1);
    this.#count({ owner, bytes: message.length }, 1);
  }

  /** What is large goes into a row of its own, which changes with the topic's own and goes with it. The topic keeps its number meanwhile. */
  #putMessage(row: RetainedRow, owner: number): void {
    const { topic, message, expiresAt } = row;
    const isLarge = message.length > RETAINED_INLINE_BYTES_MAX;
    const body = isLarge ? this.#putBody(topic, message) : 0;
    const [put] = this.#tables.put<{ body: number }>(
      `INSERT INTO retained (topic, message, expires_at, owner, checksum, body, body_bytes) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (topic) DO UPDATE SET
          message = excluded.message, expires_at = excluded.expires_at, owner = excluded.owner, checksum = excluded.checksum,
          body = MAX(body, excluded.body), body_bytes = excluded.body_bytes
        RETURNING body`,
      topic,
      isLarge ? NO_BYTES : message,
      expiresAt,
      owner,
      checksum(...summed(topic, message, expiresAt, owner)),
      body,
      isLarge ? message.length : 0,
    );
    if (put!.body === body) return;
    // The message before was large, and this one is not.
    this.#tables.put("UPDATE retained SET body = 0 WHERE topic = ?", topic);
    this.#deleteBody(put!.body);
  }

  /** @returns its number */
  #putBody(topic: string, message: Uint8Array): number {
    const [row] = this.#tables.select<{ body: number }>("SELECT body FROM retained WHERE topic = ? AND body > 0", topic);
    const [put] = this.#tables.put<{ number: number }>(
      `INSERT INTO retained_body (number, message) VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET message = excluded.message
        RETURNING number`,
      row?.body ?? null,
      message,
    );
    return put!.number;
  }

  #deleteBody(number: number): void {
    if (number > 0) this.#tables.delete("DELETE FROM retained_body WHERE number = ?", number);
  }

  deleteRetained(topic: string): boolean {
    return this.#forget(this.#tables.take<Deleted>(`DELETE FROM retained WHERE topic = ? RETURNING ${KEPT}, body`, topic)) > 0;
  }

  /**
   * Reads every row up to the last that it deletes: there is no index over the times, as each put would pay a row for it. Where all that had
   * expired are gone it looks when the next one will, so that whoever finds no room does not read all of them each time.
   */
  deleteExpiredRetained(now: number, max: number): number {
    if (now < this.#noneExpiresBefore) return 0;
    const deleted = this.#forget(
      this.#tables.take<Deleted>(
        `DELETE FROM retained WHERE topic IN (SELECT topic FROM retained WHERE expires_at > 0 AND expires_at <= ? LIMIT ?) RETURNING ${KEPT}, body`,
        now,
        max,
      ),
    );
    if (deleted < max) {
      const [first] = this.#tables.select<{ at: number | null }>("SELECT MIN(expires_at) AS at FROM retained WHERE expires_at > 0");
      this.#noneExpiresBefore = first?.at ?? Number.POSITIVE_INFINITY;
    }
    return deleted;
  }

  /** Most subscriptions look in vain, where few topics or none are retained: then nobody asks the database twice. */
  seek(from: string): string | undefined {
    if (this.#noneFrom !== undefined && compareTopics(from, this.#noneFrom) >= 0) return undefined;
    const [found] = this.#tables.select<{ topic: string }>("SELECT topic FROM retained WHERE topic >= ? ORDER BY topic LIMIT 1", from);
    if (found === undefined) this.#noneFrom = from;
    return found?.topic;
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

  /** @returns how many */
  #forget(deleted: readonly Deleted[]): number {
    if (deleted.length > 0) this.#hasMany = false;
    for (const row of deleted) {
      this.#deleteBody(row.body);
      this.#count(row, -1);
    }
    return deleted.length;
  }

  #count({ owner, bytes }: Kept, by: 1 | -1): void {
    const changed = (before: Holding): Holding => ({ count: before.count + by, bytes: before.bytes + by * bytes });
    if (this.#holding !== undefined) this.#holding = changed(this.#holding);
    if (this.#holdings === undefined) return;
    const after = changed(this.#holdings.get(owner) ?? NOTHING);
    if (after.count === 0) this.#holdings.delete(owner);
    else this.#holdings.set(owner, after);
  }
}

const KEPT = "owner, LENGTH(message) + body_bytes AS bytes";

type Deleted = Kept & SqlRow & { readonly body: number };

const NO_BYTES = new Uint8Array(0);

const NOTHING: Holding = { count: 0, bytes: 0 };

/** What the checksum of a retained message is of: rows of nobody have that of before there were owners. */
function summed(topic: string, message: Uint8Array, expiresAt: number, owner: number): (string | number | Uint8Array)[] {
  return owner === 0 ? [topic, message, expiresAt] : [topic, message, expiresAt, owner];
}
