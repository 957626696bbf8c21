/**
 * All subscribed filters, found by topic. A value is kept for each pair of a Topic Filter and a key (a session, an object, a share).
 * Filters without wildcards cost one look-up by the whole topic; only filters with wildcards are in a tree of levels (filter-node.ts).
 * What a match costs depends on the topic's depth, on how many wildcard branches it can follow, and on what matches, not on how many
 * other filters there are. Knows nothing of what keys and values mean; filters come without `$share/NAME/` and are valid.
 */

import { hasWildcard } from "./filter.ts";
import { createRoot, type FilterNode, findPlanted, plant, prune } from "./filter-node.ts";

/** A filter with its pairs: most have one, which then needs no Map. */
interface Entry<Value> {
  readonly filter: string;
  key: string;
  value: Value;
  /** All pairs once there have been several; then `key` and `value` mean nothing. */
  values: Map<string, Value> | undefined;
}

/** Called for each matching pair. It may remove pairs from the tree, but not add. */
export type MatchVisitor<Value> = (value: Value, key: string, filter: string) => void;

export class FilterTree<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #root: FilterNode<Entry<Value>> = createRoot();
  #pairCount = 0;

  /** The number of pairs of a filter and a key. */
  get size(): number {
    return this.#pairCount;
  }

  /** The number of different filters. */
  get filterCount(): number {
    return this.#entries.size;
  }

  /** Sets the value of a pair. @returns the value that it replaces, or undefined */
  add(filter: string, key: string, value: Value): Value | undefined {
    const entry = this.#entries.get(filter);
    if (entry === undefined) {
      const planted = { filter, key, value, values: undefined };
      this.#entries.set(filter, planted);
      if (hasWildcard(filter)) plant(this.#root, planted);
      this.#pairCount++;
      return undefined;
    }
    const previous = pairValue(entry, key);
    this.#pairCount -= countOf(entry);
    setValue(entry, key, value);
    this.#pairCount += countOf(entry);
    return previous;
  }

  get(filter: string, key: string): Value | undefined {
    const entry = this.#entries.get(filter);
    return entry && pairValue(entry, key);
  }

  /** @returns whether the pair was there */
  remove(filter: string, key: string): boolean {
    const entry = this.#entries.get(filter);
    if (entry === undefined) return false;
    const { values } = entry;
    if (values === undefined ? entry.key !== key : !values.delete(key)) return false;
    this.#pairCount--;
    if (values === undefined || values.size === 0) {
      this.#entries.delete(filter);
      if (hasWildcard(filter)) prune(this.#root, entry.filter);
    }
    return true;
  }

  hasFilter(filter: string): boolean {
    return this.#entries.has(filter);
  }

  /** The keys and values of one filter, as they are now. */
  keysOf(filter: string): ReadonlyMap<string, Value> | undefined {
    const entry = this.#entries.get(filter);
    return entry && (entry.values ?? new Map([[entry.key, entry.value]]));
  }

  /** All different filters, in no promised order. */
  filters(): MapIterator<string> {
    return this.#entries.keys();
  }

  /** All pairs as filter, key, value; those of one filter follow each other. */
  *[Symbol.iterator](): Generator<[filter: string, key: string, value: Value]> {
    for (const entry of this.#entries.values()) {
      if (entry.values === undefined) yield [entry.filter, entry.key, entry.value];
      else for (const [key, value] of entry.values) yield [entry.filter, key, value];
    }
  }

  /**
   * Visits each pair whose filter matches, once; a key with several matching filters is visited for each of them.
   * @param topic a valid Topic Name
   */
  match(topic: string, visit: MatchVisitor<Value>): void {
    const exact = this.#entries.get(topic);
    if (exact !== undefined) visitEntry(exact, visit);
    findPlanted(this.#root, topic, visitEntry, visit);
  }
}

function visitEntry<Value>(entry: Entry<Value>, visit: MatchVisitor<Value>): void {
  if (entry.values === undefined) visit(entry.value, entry.key, entry.filter);
  else for (const [key, value] of entry.values) visit(value, key, entry.filter);
}

function pairValue<Value>({ key: only, value, values }: Entry<Value>, key: string): Value | undefined {
  if (values !== undefined) return values.get(key);
  return only === key ? value : undefined;
}

function countOf<Value>({ values }: Entry<Value>): number {
  return values === undefined ? 1 : values.size;
}

function setValue<Value>(entry: Entry<Value>, key: string, value: Value): void {
  if (entry.values === undefined && entry.key === key) entry.value = value;
  else {
    entry.values ??= new Map([[entry.key, entry.value]]);
    entry.values.set(key, value);
  }
}
