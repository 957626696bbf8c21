/**
 * The one place under `$SYS` that clients may use: mosquitto's bridges tell there whether they are connected, by default and in their
 * will, so that a bridge that may not would never come in. There is nothing else under `$SYS`.
 */

import { matches } from "../topic/filter.ts";
import { covers } from "./covers.ts";

/** By the level behind `connection` bridges tell themselves apart. */
const BRIDGE_STATE = "$SYS/broker/connection/+/state";

/** Whether bridges publish to this topic. */
export function isBridgeState(topic: string): boolean {
  return matches(BRIDGE_STATE, topic);
}

/** Whether a filter asks for something under `$SYS` that will never come. */
export function asksInVain(topicFilter: string): boolean {
  const isSystem = topicFilter === "$SYS" || topicFilter.startsWith("$SYS/");
  return isSystem && !covers("$SYS/broker/connection/#", topicFilter);
}
