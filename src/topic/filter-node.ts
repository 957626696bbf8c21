/**
 * The levels of many filters as a tree, one node where a filter ends or where several part. Levels that no other filter leaves or ends in
 * share a node, so that a filter costs what its bytes cost and at most two nodes, however many levels it has.
 */

import { isSystemTopic } from "./name.ts";

/** What is planted: the tree needs to know nothing but its filter. */
interface Planted {
  readonly filter: string;
}

/**
 * The place after some levels of a filter, and the levels that lead to it from the node above: in `text` from behind the end of that node.
 * Where it begins is not kept, so that a node above can be put in or taken out without a change here: whoever stands at a node that is
 * taken out meanwhile still goes the right way. Absent parts are undefined so that a leaf costs no Map.
 */
export interface FilterNode<Entry extends Planted> {
  /** A filter that ends at or below this node: not a text of its own, for a slice would keep a filter in memory that is gone. */
  text: string;
  readonly end: number;
  /** By their first level, which is not `+`. */
  children: Map<string, FilterNode<Entry>> | undefined;
  /** The child whose first level is `+`. */
  plus: FilterNode<Entry> | undefined;
  /** The filter that ends here. */
  here: Entry | undefined;
  /** The filter that goes on with `#` and ends. */
  rest: Entry | undefined;
}

const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;

const NO_MATCH = -1;

/** Called for what was planted, with what its caller gave along: a closure for each topic would cost more. It may prune, but not plant. */
type Visitor<Entry, Context> = (entry: Entry, context: Context) => void;

export function createRoot<Entry extends Planted>(): FilterNode<Entry> {
  return createNode("", -1);
}

/** Visits everything whose filter matches a valid Topic Name, once. */
export function findPlanted<Entry extends Planted, Context>(
  root: FilterNode<Entry>,
  topic: string,
  visit: Visitor<Entry, Context>,
  context: Context,
): void {
  if (!isSystemTopic(topic)) {
    walk(root, topic, 0, visit, context);
    return;
  }
  // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1] A wildcard in the first level does not match `$`: only the child by name is followed.
  const end = levelEnd(topic, 0);
  const child = root.children?.get(topic.slice(0, end));
  const at = child === undefined ? NO_MATCH : follow(child, end, topic, end);
  if (at !== NO_MATCH) walk(child!, topic, at, visit, context);
}

/** @param start where the next level begins; beyond the topic's length when there is none, for the last level may be empty */
function walk<Entry extends Planted, Context>(
  from: FilterNode<Entry>,
  topic: string,
  start: number,
  visit: Visitor<Entry, Context>,
  context: Context,
): void {
  let node = from;
  let at = start;
  for (;;) {
    if (node.rest !== undefined) visit(node.rest, context);
    if (at > topic.length) {
      if (node.here !== undefined) visit(node.here, context);
      return;
    }
    const { plus, children } = node;
    const end = levelEnd(topic, at);
    // The first level of a child has been compared already, by the look-up or as a wildcard.
    const plusAt = plus === undefined ? NO_MATCH : follow(plus, node.end + 2, topic, end);
    const child = children?.get(topic.slice(at, end));
    const childAt = child === undefined ? NO_MATCH : follow(child, node.end + 1 + end - at, topic, end);
    if (childAt !== NO_MATCH) {
      if (plusAt !== NO_MATCH) walk(plus!, topic, plusAt, visit, context);
      node = child!;
      at = childAt;
    } else if (plusAt !== NO_MATCH) {
      node = plus!;
      at = plusAt;
    } else return;
  }
}

/**
 * Compares a topic from `at` on with the levels that lead to a node, from `from` in its text on.
 * @returns where the topic's next level begins, or NO_MATCH
 */
function follow<Entry extends Planted>({ text, end }: FilterNode<Entry>, from: number, topic: string, at: number): number {
  let topicAt = at;
  for (let textAt = from; textAt < end; textAt++) {
    const unit = text.charCodeAt(textAt);
    if (unit === PLUS) topicAt = levelEnd(topic, topicAt);
    else if (topicAt < topic.length && topic.charCodeAt(topicAt) === unit) topicAt++;
    else return NO_MATCH;
  }
  return isLevelEnd(topic, topicAt, topic.length) ? topicAt + 1 : NO_MATCH;
}

export function plant<Entry extends Planted>(root: FilterNode<Entry>, entry: Entry): void {
  const { filter } = entry;
  const lastEnd = filter.endsWith("/#") ? filter.length - 2 : filter.length;
  let node = root;
  for (;;) {
    const start = node.end + 1;
    if (start > filter.length) {
      node.here = entry;
      return;
    }
    if (filter.charCodeAt(start) === HASH) {
      node.rest = entry;
      return;
    }
    const level = levelAt(filter, start);
    const child = childOf(node, level);
    const end = child === undefined ? lastEnd : commonEnd(child, start, filter, lastEnd);
    if (child !== undefined && end === child.end) {
      node = child;
      continue;
    }
    const next = createNode<Entry>(filter, end);
    setChild(node, level, next);
    if (child !== undefined) setChild(next, levelAt(child.text, end + 1), child);
    node = next;
  }
}

/** Where the levels that lead to a node and those of a filter, which have the same first one, are the same no longer. */
function commonEnd<Entry extends Planted>({ text, end }: FilterNode<Entry>, start: number, filter: string, filterEnd: number): number {
  let common = start;
  for (let at = start; ; at++) {
    if (isLevelEnd(text, at, end) && isLevelEnd(filter, at, filterEnd)) common = at;
    if (at >= end || at >= filterEnd || text.charCodeAt(at) !== filter.charCodeAt(at)) return common;
  }
}

/**
 * Takes a planted filter out below `node`; the string that was planted is compared fastest.
 * @returns what stands in the place of `node` from now on; undefined when nothing is left
 */
export function prune<Entry extends Planted>(node: FilterNode<Entry>, filter: string): FilterNode<Entry> | undefined {
  const start = node.end + 1;
  if (start > filter.length) node.here = undefined;
  else if (filter.charCodeAt(start) === HASH) node.rest = undefined;
  else {
    const level = levelAt(filter, start);
    const child = childOf(node, level)!;
    const { text } = child;
    const left = prune(child, filter);
    if (left !== child || left.text !== text) setChild(node, level, left);
  }
  const left = merged(node);
  if (left === node && node.text === filter) node.text = anyFilter(node);
  return left;
}

/** The node, or its only child when no filter ends and none branches here. */
function merged<Entry extends Planted>(node: FilterNode<Entry>): FilterNode<Entry> | undefined {
  const { here, rest, plus, children } = node;
  if (here !== undefined || rest !== undefined) return node;
  if (children === undefined) return plus;
  if (children.size > 1 || plus !== undefined) return node;
  for (const child of children.values()) return child;
}

/** A filter that ends at or below a node that is not empty. */
function anyFilter<Entry extends Planted>({ here, rest, plus, children }: FilterNode<Entry>): string {
  const entry = here ?? rest;
  if (entry !== undefined) return entry.filter;
  if (plus !== undefined) return plus.text;
  for (const { text } of children!.values()) return text;
  return "";
}

function childOf<Entry extends Planted>(node: FilterNode<Entry>, level: string): FilterNode<Entry> | undefined {
  return level === "+" ? node.plus : node.children?.get(level);
}

/**
 * Sets or removes the child that begins with a level. Its key is taken from its own text each time: what `slice` returns keeps the whole
 * text in memory, and that of a filter which is gone may be long.
 */
function setChild<Entry extends Planted>(node: FilterNode<Entry>, level: string, child: FilterNode<Entry> | undefined): void {
  if (level === "+") {
    node.plus = child;
    return;
  }
  node.children ??= new Map();
  node.children.delete(level);
  if (child !== undefined) node.children.set(levelAt(child.text, node.end + 1), child);
  else if (node.children.size === 0) node.children = undefined;
}

function createNode<Entry extends Planted>(text: string, end: number): FilterNode<Entry> {
  return { text, end, children: undefined, plus: undefined, here: undefined, rest: undefined };
}

function levelAt(text: string, start: number): string {
  return text.slice(start, levelEnd(text, start));
}

function levelEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && text.charCodeAt(at) !== SLASH) at++;
  return at;
}

function isLevelEnd(text: string, at: number, end: number): boolean {
  return at === end || text.charCodeAt(at) === SLASH;
}
