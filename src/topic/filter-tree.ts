/**
 * All subscribed filters, found by topic. A value is kept for each pair of a Topic Filter and a key (a session, an object, a share).
 * Filters without wildcards cost one look-up by the whole topic; only filters with wildcards are in the tree, one node for each level.
 * What a match costs depends on the topic's depth, on how many wildcard branches it can follow, and on what matches, not on how many
 * other filters there are. Knows nothing of what keys and values mean; filters come without `$share/NAME/` and are valid.
 */

import { hasWildcard } from "./filter.ts";
import { isSystemTopic } from "./name.ts";

interface Entry<Value> {
  readonly filter: string;
  readonly values: Map<string, Value>;
}

/** The place after some levels of a filter; absent parts are undefined so that a leaf costs no Map. */
interface Node<Value> {
  children: Map<string, Node<Value>> | undefined;
  plus: Node<Value> | undefined;
  /** The filter that ends here. */
  here: Entry<Value> | undefined;
  /** The filter that goes on with `#` and ends. */
  rest: Entry<Value> | undefined;
}

/** Called for each matching pair. It may remove pairs from the tree, but not add. */
export type MatchVisitor<Value> = (value: Value, key: string, filter: string) => void;

export class FilterTree<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #root: Node<Value> = createNode();
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
    let entry = this.#entries.get(filter);
    if (entry === undefined) {
      entry = { filter, values: new Map() };
      this.#entries.set(filter, entry);
      if (hasWildcard(filter)) plant(this.#root, entry);
    }
    const previous = entry.values.get(key);
    this.#pairCount -= entry.values.size;
    entry.values.set(key, value);
    this.#pairCount += entry.values.size;
    return previous;
  }

  get(filter: string, key: string): Value | undefined {
    return this.#entries.get(filter)?.values.get(key);
  }

  /** @returns whether the pair was there */
  remove(filter: string, key: string): boolean {
    const entry = this.#entries.get(filter);
    if (entry === undefined || !entry.values.delete(key)) return false;
    this.#pairCount--;
    if (entry.values.size === 0) {
      this.#entries.delete(filter);
      if (hasWildcard(filter)) prune(this.#root, filter, 0);
    }
    return true;
  }

  hasFilter(filter: string): boolean {
    return this.#entries.has(filter);
  }

  /** The keys and values of one filter, as they are now and will be: not a copy. */
  keysOf(filter: string): ReadonlyMap<string, Value> | undefined {
    return this.#entries.get(filter)?.values;
  }

  /** All different filters, in no promised order. */
  filters(): MapIterator<string> {
    return this.#entries.keys();
  }

  /** All pairs as filter, key, value; those of one filter follow each other. */
  *[Symbol.iterator](): Generator<[filter: string, key: string, value: Value]> {
    for (const entry of this.#entries.values()) {
      for (const [key, value] of entry.values) yield [entry.filter, key, value];
    }
  }

  /**
   * Visits each pair whose filter matches, once; a key with several matching filters is visited for each of them.
   * @param topic a valid Topic Name
   */
  match(topic: string, visit: MatchVisitor<Value>): void {
    const exact = this.#entries.get(topic);
    if (exact !== undefined) visitEntry(exact, visit);
    if (!isSystemTopic(topic)) {
      walk(this.#root, topic, 0, visit);
      return;
    }
    // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1] A wildcard in the first level does not match `$`: only the child by name is followed.
    const end = levelEnd(topic, 0);
    const child = this.#root.children?.get(topic.slice(0, end));
    if (child !== undefined) walk(child, topic, end + 1, visit);
  }
}

/** @param start where the next level begins; beyond the topic's length when there is none, for the last level may be empty */
function walk<Value>(from: Node<Value>, topic: string, start: number, visit: MatchVisitor<Value>): void {
  let node = from;
  let at = start;
  for (;;) {
    if (node.rest !== undefined) visitEntry(node.rest, visit);
    if (at > topic.length) {
      if (node.here !== undefined) visitEntry(node.here, visit);
      return;
    }
    const end = levelEnd(topic, at);
    const child = node.children?.get(topic.slice(at, end));
    const plus = node.plus;
    at = end + 1;
    if (child !== undefined && plus !== undefined) walk(plus, topic, at, visit);
    const next = child ?? plus;
    if (next === undefined) return;
    node = next;
  }
}

function visitEntry<Value>(entry: Entry<Value>, visit: MatchVisitor<Value>): void {
  for (const [key, value] of entry.values) visit(value, key, entry.filter);
}

function plant<Value>(root: Node<Value>, entry: Entry<Value>): void {
  const { filter } = entry;
  let node = root;
  for (let at = 0; at <= filter.length; at = levelEnd(filter, at) + 1) {
    const level = filter.slice(at, levelEnd(filter, at));
    if (level === "#") {
      node.rest = entry;
      return;
    }
    node = childFor(node, level);
  }
  node.here = entry;
}

function childFor<Value>(node: Node<Value>, level: string): Node<Value> {
  if (level === "+") {
    node.plus ??= createNode();
    return node.plus;
  }
  node.children ??= new Map();
  let child = node.children.get(level);
  if (child === undefined) {
    child = createNode();
    node.children.set(level, child);
  }
  return child;
}

/** Takes a planted filter out below `node`. @returns whether nothing is left at or below `node` */
function prune<Value>(node: Node<Value>, filter: string, at: number): boolean {
  const end = levelEnd(filter, at);
  const level = filter.slice(at, end);
  if (at > filter.length) node.here = undefined;
  else if (level === "#") node.rest = undefined;
  else if (level === "+") {
    if (prune(node.plus!, filter, end + 1)) node.plus = undefined;
  } else if (prune(node.children!.get(level)!, filter, end + 1)) {
    node.children!.delete(level);
    if (node.children!.size === 0) node.children = undefined;
  }
  return node.here === undefined && node.rest === undefined && node.plus === undefined && node.children === undefined;
}

function createNode<Value>(): Node<Value> {
  return { children: undefined, plus: undefined, here: undefined, rest: undefined };
}

function levelEnd(text: string, start: number): number {
  const slash = text.indexOf("/", start);
  return slash === -1 ? text.length : slash;
}
