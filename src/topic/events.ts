/**
 * The topics under which the broker tells what happens, `$events/...`: nobody but the broker publishes there. A set of them is one number, with
 * a bit for each, so that to look whether somebody wants one costs nothing where nobody does.
 */

import { PUBLISH } from "../mqtt/packet.ts";
import { encodeProperties } from "../mqtt/property.ts";
import { matches, topicFilterOf } from "./filter.ts";

const PREFIX = "$events/";

/** Of all that the broker tells: a text, which is JSON. */
export const EVENT_PROPERTIES = encodeProperties({ payloadFormatIndicator: 1, contentType: "application/json" }, PUBLISH);

export const CLIENT_CONNECTED = 1;
export const CLIENT_DISCONNECTED = 2;
export const SESSION_SUBSCRIBED = 4;
export const SESSION_UNSUBSCRIBED = 8;
export const MESSAGE_DROPPED = 16;

export type EventKind =
  | typeof CLIENT_CONNECTED
  | typeof CLIENT_DISCONNECTED
  | typeof SESSION_SUBSCRIBED
  | typeof SESSION_UNSUBSCRIBED
  | typeof MESSAGE_DROPPED;

export const EVENT_TOPICS: Readonly<Record<EventKind, string>> = {
  [CLIENT_CONNECTED]: "$events/client/connected",
  [CLIENT_DISCONNECTED]: "$events/client/disconnected",
  [SESSION_SUBSCRIBED]: "$events/session/subscribed",
  [SESSION_UNSUBSCRIBED]: "$events/session/unsubscribed",
  [MESSAGE_DROPPED]: "$events/message/dropped",
};

export const EVENT_KINDS = Object.keys(EVENT_TOPICS).map(Number) as readonly EventKind[];

/** All kinds. */
export const ALL_EVENTS = EVENT_KINDS.reduce((all, kind) => all | kind, 0);

/** Whether a Topic Name, or a Topic Filter without `$share/NAME/`, is below `$events`: no wildcard stands for that level. */
export function isOfEvents(topic: string): boolean {
  return topic.startsWith(PREFIX);
}

/** All filters below `$events` that match the topic of an event. */
export function filtersOfEvent(topic: string): string[] {
  const [first, ...levels] = topic.split("/");
  let heads = [first!];
  const filters: string[] = [];
  for (const level of levels) {
    for (const head of heads) filters.push(`${head}/#`);
    heads = heads.flatMap((head) => [`${head}/${level}`, `${head}/+`]);
  }
  for (const head of heads) filters.push(head, `${head}/#`);
  return filters;
}

/** The events that a filter, shared or not, brings. */
export function eventsOf(filter: string): number {
  const topicFilter = topicFilterOf(filter);
  if (!isOfEvents(topicFilter)) return 0;
  return EVENT_KINDS.reduce((events, kind) => (matches(topicFilter, EVENT_TOPICS[kind]) ? events | kind : events), 0);
}
