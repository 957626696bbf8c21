/**
 * The topics under which the broker tells who is subscribed to a Topic Filter, `$presence/FILTER`: nobody but the broker publishes there. The filter
 * has no wildcards, and the topic lives where that filter does. What Session objects tell of it goes the same way, as a message that nobody is given.
 */

import { decodeUtf8, utf8Encode } from "../mqtt/bytes.ts";

const PREFIX = "$presence/";

/** Whether a Topic Name, or a Topic Filter without `$share/NAME/`, is below `$presence`: no wildcard stands for that level. */
export function isOfPresence(topic: string): boolean {
  return topic.startsWith(PREFIX);
}

export function presenceTopic(filter: string): string {
  return PREFIX + filter;
}

/** The filter that a topic, or a filter, below `$presence` is about. */
export function filterOfPresence(topic: string): string {
  return topic.slice(PREFIX.length);
}

/** A connected client that is subscribed to the filter. */
export interface Member {
  readonly clientid: string;
  /** Null for an anonymous one. */
  readonly username: string | null;
}

/** What one Session object says of those that it has. */
export interface PresenceReport {
  /** All of them are in `came`, as far as there is room; else what has changed is in `came` and `left`. */
  readonly whole: boolean;
  /** Nothing of it was told before. */
  readonly first: boolean;
  /** It has lost all that it had told. */
  readonly lost: boolean;
  /** Nobody there wants the filter any more: it has to be told of it anew. */
  readonly over: boolean;
  /** How many there are. */
  readonly count: number;
  readonly came: readonly Member[];
  readonly left: readonly Member[];
}

/** As objects send it to each other. */
export function encodeReport(report: PresenceReport): Uint8Array {
  return utf8Encode(JSON.stringify(report));
}

export function decodeReport(payload: Uint8Array): PresenceReport {
  return JSON.parse(decodeUtf8(payload)!) as PresenceReport;
}
