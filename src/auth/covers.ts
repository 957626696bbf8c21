/**
 * How Topic Filters lie to each other (4.7), as sets of the topics that they match. Pure; knows no users and no rules.
 *
 * Filters are compared by their levels as `levelsOf` gives them. There are more texts than any list of filters names, so that a `+` that
 * several filters would have to share among them has a text that none of them names: what is said below of several filters is exact.
 */

import { isSystemTopic } from "../topic/name.ts";

/**
 * The levels of a valid filter without `$share/NAME/`. `#` and `/#` match nothing of their own besides the empty name, which is no topic:
 * they are written as `+/#` and `/+/#`.
 */
export function levelsOf(filter: string): readonly string[] {
  const levels = filter.split("/");
  if (filter === "#" || filter === "/#") levels.splice(-1, 0, "+");
  return levels;
}

/** Whether every topic that `requested` matches is matched by `allowed` too. Both must be valid and without `$share/NAME/`. */
export function covers(allowed: string, requested: string): boolean {
  return coversLevels(levelsOf(allowed), levelsOf(requested));
}

export function coversLevels(allowed: readonly string[], requested: readonly string[]): boolean {
  // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1] A wildcard in the first level stands for no `$` level.
  if (allowed[0] === "+" && isSystemTopic(requested[0]!)) return false;
  for (const [index, level] of allowed.entries()) {
    // Before the lengths are compared: `a/#` covers `a` too [5.0/4.7.1/parent].
    if (level === "#") return true;
    const wanted = requested[index];
    // `a/#` wants `a` and all below it: no filter that ends, or that wants one level more, covers that.
    if (wanted === undefined || wanted === "#") return false;
    if (level !== "+" && level !== wanted) return false;
  }
  return allowed.length === requested.length;
}

/**
 * The topics that both match, which are those of a filter again.
 * @returns its levels; undefined when there is no such topic
 */
export function overlap(a: readonly string[], b: readonly string[]): readonly string[] | undefined {
  // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1]
  if (a[0] === "+" ? isSystemTopic(b[0]!) : b[0] === "+" && isSystemTopic(a[0]!)) return undefined;
  const levels: string[] = [];
  for (let at = 0; ; at++) {
    // Before the ends are compared: `a/#` and `a` have `a` in common [5.0/4.7.1/parent].
    if (a[at] === "#") return [...levels, ...b.slice(at)];
    if (b[at] === "#") return [...levels, ...a.slice(at)];
    const [mine, other] = [a[at], b[at]];
    if (mine === undefined || other === undefined) return mine === other ? levels : undefined;
    if (mine !== "+" && other !== "+" && mine !== other) return undefined;
    levels.push(mine === "+" ? other : mine);
  }
}

/**
 * Whether every topic that `requested` matches is matched by one of `allowed`. A filter without `#` has topics of one length, among them one
 * with names that nobody else uses: who matches that one matches all. With `#` this is asked for each length up to the longest of `allowed`
 * and for all that is longer.
 */
export function coversTogether(allowed: readonly (readonly string[])[], requested: readonly string[]): boolean {
  const isCovered = (levels: readonly string[]): boolean => allowed.some((each) => coversLevels(each, levels));
  if (isCovered(requested)) return true;
  if (requested.at(-1) !== "#") return false;
  const deepest = allowed.reduce((most, { length }) => Math.max(most, length), 0);
  const levels = requested.slice(0, -1);
  for (; levels.length <= deepest; levels.push("+")) {
    if (!isCovered(levels)) return false;
  }
  return isCovered([...levels, "#"]);
}
