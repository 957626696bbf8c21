/**
 * Topic Filters: what a SUBSCRIBE or UNSUBSCRIBE names (4.7.1, 4.7.3), and Shared Subscriptions among them (4.8.2). Keeps the grammar
 * and the plain rule of matching; finding many filters for a topic is filter-tree.ts, many topics for a filter is retained-scan.ts.
 */

import { isSystemTopic, quote, type TopicLimits, type TopicProblem, validateLevels, validateText } from "./name.ts";

/** A Topic Filter taken apart. */
export interface ParsedFilter {
  /** The whole text as it was subscribed: what identifies the Subscription and what UNSUBSCRIBE must repeat. */
  readonly filter: string;
  /** NAME of `$share/NAME/FILTER`; undefined when the Subscription is not shared. */
  readonly shareName: string | undefined;
  /** What topics are matched against: FILTER of a Shared Subscription, otherwise the whole text. */
  readonly topicFilter: string;
  /** The levels of `topicFilter`, at least one; empty levels are empty strings. */
  readonly levels: readonly string[];
  readonly hasWildcard: boolean;
}

export const SHARE_PREFIX = "$share/";

/** Checks a Topic Filter and takes it apart. `$share` without a slash is an ordinary filter. */
export function parseFilter(filter: string, limits: TopicLimits): ParsedFilter | TopicProblem {
  const textProblem = validateText("Topic Filter", filter, limits);
  if (textProblem !== undefined) return textProblem;

  let shareName: string | undefined;
  let topicFilter = filter;
  if (filter.startsWith(SHARE_PREFIX)) {
    const nameEnd = filter.indexOf("/", SHARE_PREFIX.length);
    shareName = nameEnd === -1 ? filter.slice(SHARE_PREFIX.length) : filter.slice(SHARE_PREFIX.length, nameEnd);
    topicFilter = nameEnd === -1 ? "" : filter.slice(nameEnd + 1);
    const problem = validateShare(filter, shareName, topicFilter);
    if (problem !== undefined) return problem;
  }

  const levelsProblem = validateLevels("Topic Filter", topicFilter, limits);
  if (levelsProblem !== undefined) return levelsProblem;
  const levels = topicFilter.split("/");
  const wildcardProblem = validateWildcards(filter, levels);
  if (wildcardProblem !== undefined) return wildcardProblem;
  return { filter, shareName, topicFilter, levels, hasWildcard: hasWildcard(topicFilter) };
}

/** `$share/{name}/{topicFilter}`, which was validated when it was subscribed. */
export function splitShare(filter: string): { name: string; topicFilter: string } {
  const slash = filter.indexOf("/", SHARE_PREFIX.length);
  return { name: filter.slice(SHARE_PREFIX.length, slash), topicFilter: filter.slice(slash + 1) };
}

/** What a valid filter, shared or not, is matched by. */
export function topicFilterOf(filter: string): string {
  return filter.startsWith(SHARE_PREFIX) ? splitShare(filter).topicFilter : filter;
}

/** Whether a valid filter can match more than one topic. */
export function hasWildcard(topicFilter: string): boolean {
  return topicFilter.includes("+") || topicFilter.endsWith("#");
}

/**
 * Whether a topic matches a filter (4.7). Both must be valid; the filter without `$share/NAME/`. The plain reading of the rules that
 * the tree and the scan are measured against; for one filter and one topic.
 */
export function matches(topicFilter: string, topic: string): boolean {
  const filterLevels = topicFilter.split("/");
  const topicLevels = topic.split("/");
  // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1]
  if (isSystemTopic(topic) && (filterLevels[0] === "+" || filterLevels[0] === "#")) return false;
  for (const [index, level] of filterLevels.entries()) {
    // Before the length is compared: `a/#` matches `a` too [5.0/4.7.1/parent].
    if (level === "#") return true;
    if (index >= topicLevels.length) return false;
    if (level !== "+" && level !== topicLevels[index]) return false;
  }
  return filterLevels.length === topicLevels.length;
}

function validateShare(filter: string, shareName: string, topicFilter: string): TopicProblem | undefined {
  // [MQTT5-4.8.2-1]
  if (shareName.length === 0) {
    return { clause: "MQTT5-4.8.2-1", message: `The Topic Filter ${quote(filter)} lacks a ShareName: $share/NAME/FILTER was expected.` };
  }
  // [MQTT5-4.8.2-2] A slash cannot be in the name: it ended there.
  if (shareName.includes("+") || shareName.includes("#")) {
    return { clause: "MQTT5-4.8.2-2", message: `The ShareName of ${quote(filter)} must not contain the wildcards + and #.` };
  }
  if (topicFilter.length === 0) {
    return {
      clause: "MQTT5-4.8.2-2",
      message: `The Topic Filter ${quote(filter)} lacks a filter after its ShareName: $share/NAME/FILTER was expected.`,
    };
  }
  return undefined;
}

function validateWildcards(filter: string, levels: readonly string[]): TopicProblem | undefined {
  for (const [index, level] of levels.entries()) {
    // [MQTT5-4.7.1-1] [MQTT311-4.7.1-2]
    if (level.includes("#") && (level !== "#" || index !== levels.length - 1)) {
      return { clause: "MQTT5-4.7.1-1", message: `The # in the Topic Filter ${quote(filter)} must stand alone in the last level.` };
    }
    // [MQTT5-4.7.1-2] [MQTT311-4.7.1-3]
    if (level.includes("+") && level !== "+") {
      return { clause: "MQTT5-4.7.1-2", message: `A + in the Topic Filter ${quote(filter)} must stand alone in its level.` };
    }
  }
  return undefined;
}
