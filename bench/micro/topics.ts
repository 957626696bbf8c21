/**
 * What one match costs with few and with many filters. A broker that compared each filter would be a hundred
 * times slower with a hundred times the filters; the tree must stay within a factor of 2, cache misses included.
 */

import { matches } from "../../src/topic/filter.ts";
import { FilterTree } from "../../src/topic/filter-tree.ts";
import type { MicroRow } from "../results.ts";

const FILTER_COUNTS = [1_000, 10_000, 100_000];
const MATCH_COUNT = 200_000;
const ROUND_COUNT = 7;
const TOPIC_COUNT = 1_000;
const LIST_MATCH_COUNT = 20;
const RATIO_MAX = 2;

/** Six in ten filters name one topic, the others have wildcards at the end, in the middle or at the beginning. */
function filterOf(device: number): string {
  const site = device % 50;
  switch (device % 10) {
    case 6:
      return `site/${site}/device/${device}/+`;
    case 7:
      return `site/${site}/device/${device}/#`;
    case 8:
      return `site/+/device/${device}/temperature`;
    case 9:
      return `+/${site}/device/${device}/#`;
    default:
      return `site/${site}/device/${device}/temperature`;
  }
}

function topicOf(device: number): string {
  return `site/${device % 50}/device/${device}/temperature`;
}

/** A text as it comes out of a packet: one that was put together here is read more slowly. */
function received(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}

function treeOf(filterCount: number): FilterTree<number> {
  const tree = new FilterTree<number>();
  for (let device = 0; device < filterCount; device++) tree.add(received(filterOf(device)), `client-${device}`, device);
  return tree;
}

/** Topics spread over all devices, each found by one filter. */
function topicsOf(filterCount: number): string[] {
  const step = filterCount / TOPIC_COUNT;
  return Array.from({ length: TOPIC_COUNT }, (_, index) =>
    received(topicOf(Math.floor(index * step) + (index % Math.max(1, Math.floor(step))))),
  );
}

/** The best of several rounds, nanoseconds a match: what disturbs a round only makes it slower. */
function bestOf(matchCount: number, match: (topic: string) => void, topics: readonly string[]): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUND_COUNT; round++) {
    const start = process.hrtime.bigint();
    for (let index = 0; index < matchCount; index++) match(topics[index % topics.length]);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / matchCount);
  }
  return best;
}

function measure(filterCount: number): { filters: number; matched: number; treeNs: number; listNs: number } {
  const topics = topicsOf(filterCount);
  const tree = treeOf(filterCount);
  const filters = [...tree.filters()];
  let found = 0;
  const visit = (): void => {
    found++;
  };
  for (const topic of topics) tree.match(topic, visit);
  const matched = found / topics.length;
  const treeNs = bestOf(MATCH_COUNT, (topic) => tree.match(topic, visit), topics);
  const compareAll = (topic: string): void => {
    for (const filter of filters) if (matches(filter, topic)) found++;
  };
  const listNs = bestOf(Math.max(1, Math.floor((LIST_MATCH_COUNT * 1_000) / filterCount)), compareAll, topics);
  return { filters: filterCount, matched, treeNs, listNs };
}

/** @throws a sentence when a match depends on how many filters there are */
export function measureTopics(): MicroRow[] {
  measure(FILTER_COUNTS[0]);
  const results = FILTER_COUNTS.map(measure);
  const ratio = results[results.length - 1].treeNs / results[0].treeNs;
  if (ratio > RATIO_MAX) throw new Error(`a match among 100,000 filters takes ${ratio.toFixed(2)} times as long as among 1,000`);
  return results.map(({ filters, treeNs, listNs }) => ({
    what: `match a topic against ${filters.toLocaleString("en-US")} filters`,
    value: treeNs,
    unit: "ns",
    other: `one after the other ${listNs.toLocaleString("en-US", { maximumFractionDigits: 0 })} ns`,
  }));
}
