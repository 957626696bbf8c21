/**
 * What Topic objects give to each other when their number has changed: routes to those who match their topics now, and each retained
 * message to the one that owns its topic now. Pure; `objects/adoption.ts` makes the calls.
 */

import { BATCH_BYTES_MAX } from "../limits.ts";
import { hasWildcard, topicFilterOf } from "../topic/filter.ts";
import { nextTopic } from "../topic/order.ts";
import type { RetainedRow, RouteRow, RoutingStore } from "./ports.ts";

/** Whether a Topic object owns a topic. */
export type Owns = (topic: string) => boolean;

/** Retained messages in one part at most. */
const PART_ROWS_MAX = 1000;

/** The routes that a Topic object needs: those of its own topics, and all with wildcards. */
export function routesFor(store: RoutingStore, owns: Owns): RouteRow[] {
  return store.routes().filter(({ filter }) => {
    const topicFilter = topicFilterOf(filter);
    return hasWildcard(topicFilter) || owns(topicFilter);
  });
}

/** Some retained messages of topics that another Topic object owns, in the order of topics. @param from the least topic */
export function retainedFor(store: RoutingStore, owns: Owns, from: string): RetainedRow[] {
  const rows: RetainedRow[] = [];
  let bytes = 0;
  for (const topic of topicsFrom(store, from)) {
    const row = owns(topic) ? store.retained(topic) : undefined;
    // One that can't be read is of no use elsewhere either.
    if (row === undefined || row.damaged) continue;
    rows.push(row);
    bytes += row.message.length;
    if (bytes >= BATCH_BYTES_MAX || rows.length >= PART_ROWS_MAX) break;
  }
  return rows;
}

function* topicsFrom(store: RoutingStore, from: string): Generator<string> {
  if (store.range !== undefined) {
    yield* store.range(from, undefined);
    return;
  }
  for (let topic = store.seek(from); topic !== undefined; topic = store.seek(nextTopic(topic))) yield topic;
}

/** The numbers of Topic objects, the present one first, as a Topic object remembers them once it has what the earlier ones had. */
export function lineageOf(topicShards: number, previous: readonly number[]): string {
  return [topicShards, ...previous].join("<");
}

export type LineageAnswer =
  /** Nothing has changed. */
  | { readonly kind: "same" }
  /** Its rows may be incomplete: it has to ask the others. */
  | { readonly kind: "adopt" }
  /** Its rows were made for another number, which the settings do not name. */
  | { readonly kind: "unknown"; readonly topicShards: number };

/**
 * What the remembered lineage means under the present settings.
 * @param remembered undefined for an object that never had to remember
 */
export function compareLineage(remembered: string | undefined, topicShards: number, previous: readonly number[]): LineageAnswer {
  const others = previous.filter((each) => each !== topicShards);
  if (remembered === undefined || remembered === "") return { kind: others.length > 0 ? "adopt" : "same" };
  if (remembered === lineageOf(topicShards, previous)) return { kind: "same" };
  const before = Number(remembered.split("<")[0]);
  if (before === topicShards && others.length === 0) return { kind: "same" };
  return before === topicShards || others.includes(before) ? { kind: "adopt" } : { kind: "unknown", topicShards: before };
}
