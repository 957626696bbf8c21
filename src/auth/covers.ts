/**
 * Whether one Topic Filter lies within another (4.7). Pure; knows no users and no rules.
 */

import { hasWildcard } from "../topic/filter.ts";
import { isSystemTopic } from "../topic/name.ts";

/**
 * Whether every topic that `requested` matches is matched by `allowed` too. Both must be valid and without `$share/NAME/`.
 */
export function covers(allowed: string, requested: string): boolean {
  const allowedLevels = allowed.split("/");
  const requestedLevels = requested.split("/");
  // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1] A wildcard in the first level stands for no `$` level.
  if (isSystemTopic(requested) && hasWildcard(allowedLevels[0])) return false;
  // What these match besides what lies below would be the empty name, which is no topic: they are the same as `+/#` and `/+/#`.
  if (requested === "#" || requested === "/#") requestedLevels.splice(-1, 0, "+");

  for (const [index, level] of allowedLevels.entries()) {
    // Before the lengths are compared: `a/#` covers `a` too [5.0/4.7.1/parent].
    if (level === "#") return true;
    const wanted = requestedLevels[index];
    // `a/#` wants `a` and all below it: no filter that ends, or that wants one level more, covers that.
    if (wanted === undefined || wanted === "#") return false;
    if (level !== "+" && level !== wanted) return false;
  }
  return allowedLevels.length === requestedLevels.length;
}
