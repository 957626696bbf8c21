/**
 * The rows of a Topic object in memory, for tests, simulation and benchmarks. Behaves as the SQLite store does: the same bound on
 * blobs, the same order of topics, the same count of rows written, and copies of what is stored.
 */

import type { Holding, Kept, RetainedRow, RouteRow, RoutingStore } from "../routing/ports.ts";
import { RETAINED_INLINE_BYTES_MAX } from "../storage-limits.ts";
import { compareTopics, nextTopic } from "../topic/order.ts";
import { SortedTopics } from "../topic/sorted-topics.ts";
import { checkRowBytes } from "./row-limit.ts";
import type { RowMeter } from "./row-meter.ts";

export class MemoryRoutingStore implements RoutingStore {
  readonly #meter: RowMeter;
  readonly #routeRows = new Map<string, Map<string, RouteRow>>();
  readonly #retainedRows = new Map<string, RetainedRow>();
  readonly #topics = new SortedTopics();
  #retainedBytes = 0;
  #lineageRow: string | undefined;

  constructor(meter: RowMeter) {
    this.#meter = meter;
  }

  routes(): RouteRow[] {
    const rows = [...this.#routeRows.values()].flatMap((objects) => [...objects.values()]);
    this.#meter.rowsRead += rows.length;
    return rows.sort((a, b) => compareTopics(a.filter, b.filter) || compareTopics(a.sessionObject, b.sessionObject));
  }

  putRoute(row: RouteRow): void {
    let objects = this.#routeRows.get(row.filter);
    if (objects === undefined) {
      objects = new Map();
      this.#routeRows.set(row.filter, objects);
    }
    objects.set(row.sessionObject, { ...row });
    this.#meter.rowsWritten++;
  }

  deleteRoute(filter: string, sessionObject: string): void {
    const objects = this.#routeRows.get(filter);
    if (objects?.delete(sessionObject) !== true) return;
    if (objects.size === 0) this.#routeRows.delete(filter);
    this.#meter.rowsWritten++;
  }

  lineage(): string | undefined {
    return this.#lineageRow;
  }

  putLineage(lineage: string): void {
    this.#lineageRow = lineage;
    this.#meter.rowsWritten++;
  }

  retained(topic: string): RetainedRow | undefined {
    const row = this.#retainedRows.get(topic);
    if (row === undefined) return undefined;
    this.#meter.rowsRead++;
    return { ...row, message: row.message.slice() };
  }

  kept(topic: string): Kept | undefined {
    const row = this.#retainedRows.get(topic);
    if (row === undefined) return undefined;
    this.#meter.rowsRead++;
    return keptOf(row);
  }

  holding(): Holding {
    return { count: this.#retainedRows.size, bytes: this.#retainedBytes };
  }

  holdingOf(owner: number): Holding {
    const own = [...this.#retainedRows.values()].map(keptOf).filter((kept) => kept.owner === owner);
    return { count: own.length, bytes: own.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  knownRetainedCount(): number {
    return this.#retainedRows.size;
  }

  fewRetainedCount(): number {
    return this.#retainedRows.size;
  }

  putRetained(row: RetainedRow): void {
    checkRowBytes(row.message);
    const former = this.#retainedRows.get(row.topic);
    this.#retainedBytes += row.message.length - (former?.message.length ?? 0);
    this.#retainedRows.set(row.topic, { ...row, message: row.message.slice() });
    this.#topics.add(row.topic);
    this.#meter.rowsWritten += rowsOf(row);
    // The row of its own goes, and the topic's says so.
    if (former !== undefined && rowsOf(former) > rowsOf(row)) this.#meter.rowsWritten += 2;
  }

  deleteRetained(topic: string): boolean {
    const row = this.#retainedRows.get(topic);
    if (row === undefined) return false;
    this.#retainedBytes -= row.message.length;
    this.#retainedRows.delete(topic);
    this.#topics.remove(topic);
    this.#meter.rowsWritten += rowsOf(row);
    return true;
  }

  deleteExpiredRetained(now: number, max: number): number {
    const isExpired = ({ expiresAt }: RetainedRow): boolean => expiresAt > 0 && expiresAt <= now;
    const expired = [...this.#topics].filter((topic) => isExpired(this.#retainedRows.get(topic)!)).slice(0, max);
    for (const topic of expired) this.deleteRetained(topic);
    return expired.length;
  }

  seek(from: string): string | undefined {
    const topic = this.#topics.seek(from);
    if (topic !== undefined) this.#meter.rowsRead++;
    return topic;
  }

  /** Seeks for each topic, so that rows may change meanwhile. */
  *range(from: string, to?: string): Generator<string> {
    let topic = this.seek(from);
    while (topic !== undefined && (to === undefined || compareTopics(topic, to) < 0)) {
      yield topic;
      topic = this.seek(nextTopic(topic));
    }
  }
}

/** What is large has two. */
function rowsOf({ message }: RetainedRow): number {
  return message.length > RETAINED_INLINE_BYTES_MAX ? 2 : 1;
}

function keptOf({ owner = 0, message }: RetainedRow): Kept {
  return { owner, bytes: message.length };
}
