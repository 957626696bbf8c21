/**
 * Topic Names and Topic Filters as far as a client has to know them (4.7, 4.8.2): what would only be refused is not sent, and messages find
 * their subscriptions. The broker's own grammar (src/topic) says more and is larger; a test holds the two together.
 */

import { TOPIC_FILTER_INVALID, TOPIC_NAME_INVALID } from "../mqtt/reason-code.ts";
import { MqttError } from "./error.ts";

/** @throws MqttError */
export function expectTopic(topic: string): void {
  if (topic === "" || /[\0+#]/.test(topic)) {
    const message = `Topic ${JSON.stringify(topic)}: expected characters, none of them +, # or U+0000`;
    throw new MqttError("invalid", message, { reasonCode: TOPIC_NAME_INVALID });
  }
}

/** Levels with + alone or without wildcards; # alone in the last one. */
const FILTER = /^(?:(?:\+|[^+#/]*)\/)*(?:[+#]|[^+#/]*)$/;

/**
 * @returns what topics are matched against: without `$share/NAME/`
 * @throws MqttError
 */
export function topicFilterOf(filter: string): string {
  const topicFilter = filter.startsWith("$share/") ? /^\$share\/[^+#/]+\/(.+)$/s.exec(filter)?.[1] : filter;
  if (topicFilter && FILTER.test(topicFilter) && !topicFilter.includes("\0")) return topicFilter;
  const message = `Filter ${JSON.stringify(filter)}: expected + alone in a level, # alone in the last, a NAME in $share/NAME/FILTER`;
  throw new MqttError("invalid", message, { reasonCode: TOPIC_FILTER_INVALID, filter });
}

export function isShared(filter: string): boolean {
  return filter.startsWith("$share/");
}

/** What the topics of a valid filter look like. */
export function patternOf(topicFilter: string): RegExp {
  const levels = topicFilter
    .replace(/[.*?^${}()|[\]\\]/g, "\\$&")
    .replaceAll("+", "[^/]*")
    // `a/#` matches `a` too.
    .replace(/\/?#$/, (end) => (end === "#" ? ".*" : "(?:/.*)?"));
  // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1]
  return new RegExp(`^${/^[+#]/.test(topicFilter) ? "(?!\\$)" : ""}${levels}$`, "s");
}
