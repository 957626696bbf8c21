/** What the page does not send, because the broker would end the connection for it: topics and filters that are none. */

/** @returns why nothing can be published to it, as the end of a sentence; undefined when it can be tried */
export function problemOfTopic(topic: string): string | undefined {
  if (topic.includes("\0")) return "a topic must not contain U+0000";
  return /[+#]/.test(topic) ? "a topic must not contain the wildcards + and #, which are for subscriptions" : undefined;
}

/** MQTT.js looks at wildcards itself, but knows nothing of shared subscriptions. */
export function problemOfFilter(filter: string): string | undefined {
  if (filter.includes("\0")) return "a filter must not contain U+0000";
  if (!filter.startsWith("$share/")) return undefined;
  return /^\$share\/[^/+#]+\/./.test(filter) ? undefined : "a shared subscription is $share/NAME/FILTER";
}
