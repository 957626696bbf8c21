/**
 * What Topic objects give to each other when there are others than before: routes to those who match their topics now, and each retained
 * message to the one that owns its topic now. Pure; `objects/adoption.ts` makes the calls.
 */

import { BATCH_BYTES_MAX } from "../limits.ts";
import { topicFilterOf } from "../topic/filter.ts";
import { compareTopics, nextTopic } from "../topic/order.ts";
import type { RetainedRow, RouteRow, RoutingStore } from "./ports.ts";

/** What a Topic object has to do with. */
export interface Part {
  /** Whether it owns a topic. */
  readonly owns: (topic: string) => boolean;
  /** The only topic that it owns; undefined where there may be more. */
  readonly only: string | undefined;
  /** Whether it has to know who wants a filter, which is without `$share/NAME/`. */
  readonly isConcerned: (filter: string) => boolean;
}

/** Retained messages in one part at most. */
const PART_ROWS_MAX = 1000;

/** The routes that a Topic object needs. */
export function routesFor(store: RoutingStore, { isConcerned }: Pick<Part, "isConcerned">): RouteRow[] {
  return store.routes().filter(({ filter }) => isConcerned(topicFilterOf(filter)));
}

/** Some retained messages of topics that another Topic object owns, in the order of topics. @param from the least topic */
export function retainedFor(store: RoutingStore, { owns, only }: Pick<Part, "owns" | "only">, from: string): RetainedRow[] {
  const rows: RetainedRow[] = [];
  let bytes = 0;
  for (const topic of only === undefined ? topicsFrom(store, from) : topicsOf(only, from)) {
    const row = owns(topic) ? store.retained(topic) : undefined;
    // One that can't be read is of no use elsewhere either.
    if (row === undefined || row.damaged) continue;
    rows.push(row);
    bytes += row.message.length;
    if (bytes >= BATCH_BYTES_MAX || rows.length >= PART_ROWS_MAX) break;
  }
  return rows;
}

function topicsOf(only: string, from: string): string[] {
  return compareTopics(only, from) < 0 ? [] : [only];
}

function* topicsFrom(store: RoutingStore, from: string): Generator<string> {
  if (store.range !== undefined) {
    yield* store.range(from, undefined);
    return;
  }
  for (let topic = store.seek(from); topic !== undefined; topic = store.seek(nextTopic(topic))) yield topic;
}

/** Which Topic objects there were (`topicsText`), the present ones first, as a Topic object remembers it once it has what the earlier ones had. */
export function lineageOf(present: string, previous: readonly string[]): string {
  return [present, ...previous].join("<");
}

export type LineageAnswer =
  /** Nothing has changed. */
  | { readonly kind: "same" }
  /** Its rows may be incomplete: it has to ask the others. */
  | { readonly kind: "adopt" }
  /** Its rows were made for others, which the settings do not name. */
  | { readonly kind: "unknown"; readonly before: string };

/**
 * What a Topic object remembers that gives to others: its rows are complete for none any more. It is which there were since, with an
 * empty one at the end: until it has asked the others the settings must name each of them.
 * @param remembered before
 * @param present those that it gives to, of which it may be one itself: then it has yet to ask for what was due before
 */
export function givenLineage(remembered: string, present: string, isOne: boolean): string {
  return [...new Set([...(isOne ? dueOf(remembered) : []), present]), ""].join("<");
}

export function isGiven(lineage: string): boolean {
  return lineage.split("<").at(-1) === "";
}

/** Which Topic objects the settings must name unless they are as now, the earliest first. Former builds that gave kept none of them. */
function dueOf(lineage: string): string[] {
  const all = lineage.split("<");
  return isGiven(lineage) ? all.slice(0, -1) : all.slice(0, 1);
}

/** The latest of the Topic objects in a lineage that is complete. */
export function latestOf(lineage: string): string {
  return lineage.split("<")[0]!;
}

/**
 * What the remembered lineage means under the present settings.
 * @param remembered undefined for an object that never had to remember
 * @param isAlike whether the object has the same topics in two shapes, and what is said of them is enough to find those of earlier ones
 */
export function compareLineage(
  remembered: string | undefined,
  present: string,
  previous: readonly string[],
  isAlike: (one: string, other: string) => boolean,
): LineageAnswer {
  const others = previous.filter((each) => each !== present);
  if (remembered === lineageOf(present, previous)) return { kind: "same" };
  const due = remembered === undefined ? [] : dueOf(remembered);
  const before = due.find((each) => ![present, ...others].some((other) => isAlike(each, other)));
  if (before !== undefined) return { kind: "unknown", before };
  return { kind: others.length > 0 ? "adopt" : "same" };
}
