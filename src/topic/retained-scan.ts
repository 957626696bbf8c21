/**
 * Finds the stored topics that a filter matches without reading those that it does not: a range for `#`, one seek for a name, and for
 * `+` a jump from one value of the level to the next. Works over any sorted store and knows nothing of what is stored.
 *
 * Topics whose names are ordered below `/` lie between a topic and what is under it: `a`, `a!b`, `a/b`. A level's own topic and
 * the topics under it are therefore met separately, and each leads on to the very next place that can match.
 */

import { hasWildcard } from "./filter.ts";
import { isSystemTopic } from "./name.ts";
import { compareTopics, nextTopic } from "./order.ts";

/** Stored topics in code point order (which is UTF-8 byte order, see order.ts). They must not change while a scan goes on. */
export interface TopicCursor {
  /** The first stored topic that is `from` or after it. One scan asks in ascending order. */
  seek(from: string): string | undefined;
  /** The stored topics that are `from` or after it and before `to` (undefined: to the end), for stores that can read ahead. */
  range?(from: string, to: string | undefined): Iterable<string>;
}

/** What follows `/`: `a0` is the first name after all that begin with `a/`. */
const AFTER_SLASH = "0";
/** What follows `$`. */
const AFTER_SYSTEM = "%";

/**
 * Yields each stored topic that the filter matches, in order, once. Seeks at most three times for each value of a
 * `+` level that it has to look at and once for each match.
 * @param topicFilter a valid filter without `$share/NAME/`
 */
export function scanTopics(topicFilter: string, cursor: TopicCursor): Iterable<string> {
  if (hasWildcard(topicFilter)) return new Scan(topicFilter.split("/"), cursor).below("", 0);
  return cursor.seek(topicFilter) === topicFilter ? [topicFilter] : NONE;
}

/** Yields each stored topic, those that begin with $ too, which no filter matches together with others. */
export function* allTopics(cursor: TopicCursor): Generator<string> {
  if (cursor.range !== undefined) {
    yield* cursor.range("", undefined);
    return;
  }
  for (let topic = cursor.seek(""); topic !== undefined; topic = cursor.seek(nextTopic(topic))) yield topic;
}

const NONE: readonly string[] = [];

class Scan {
  readonly #levels: readonly string[];
  readonly #cursor: TopicCursor;
  /** The last answer of the store: as a scan only ascends, it answers each question up to itself. */
  #found: string | undefined;
  #ended = false;

  constructor(levels: readonly string[], cursor: TopicCursor) {
    this.#levels = levels;
    this.#cursor = cursor;
  }

  /** Yields the topics that begin with `prefix`, which is empty or ends with `/`, and go on as the levels from `index` say. */
  *below(prefix: string, index: number): Generator<string> {
    const wildcard = this.#wildcardFrom(index);
    const name = prefix + this.#levels.slice(index, wildcard).join("/");
    if (wildcard === this.#levels.length) {
      if (this.#seek(name) === name) yield name;
    } else if (this.#levels[wildcard] === "+") {
      yield* this.#eachValue(wildcard === index ? prefix : `${name}/`, wildcard);
    } else if (wildcard > index) {
      // [5.0/4.7.1/parent] `a/#` matches `a` itself.
      if (this.#seek(name) === name) yield name;
      yield* this.#range(`${name}/`, name + AFTER_SLASH);
    } else if (prefix !== "") {
      yield* this.#range(prefix, prefix.slice(0, -1) + AFTER_SLASH);
    } else {
      // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1] [5.0/4.7.2/retained]
      yield* this.#range("", "$");
      yield* this.#range(AFTER_SYSTEM, undefined);
    }
  }

  /** Level `index` is `+`: goes through all values that it has after `prefix`. */
  *#eachValue(prefix: string, index: number): Generator<string> {
    const isLast = index === this.#levels.length - 1;
    const endsHere = isLast || this.#levels[index + 1] === "#";
    let topic = this.#seek(prefix);
    while (topic?.startsWith(prefix)) {
      const slash = topic.indexOf("/", prefix.length);
      if (prefix === "" && isSystemTopic(topic)) {
        // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1] [5.0/4.7.2/retained]
        topic = this.#seek(AFTER_SYSTEM);
      } else if (slash === -1) {
        if (endsHere) yield topic;
        topic = this.#seek(nextTopic(topic));
      } else {
        if (!isLast) yield* this.below(topic.slice(0, slash + 1), index + 1);
        topic = this.#seek(topic.slice(0, slash) + AFTER_SLASH);
      }
    }
  }

  *#range(from: string, to: string | undefined): Generator<string> {
    if (this.#ended || (this.#found !== undefined && to !== undefined && compareTopics(this.#found, to) >= 0)) return;
    if (this.#cursor.range !== undefined) {
      yield* this.#cursor.range(from, to);
      return;
    }
    let topic = this.#seek(from);
    while (topic !== undefined && (to === undefined || compareTopics(topic, to) < 0)) {
      yield topic;
      topic = this.#seek(nextTopic(topic));
    }
  }

  #seek(from: string): string | undefined {
    if (this.#ended || (this.#found !== undefined && compareTopics(from, this.#found) <= 0)) return this.#found;
    this.#found = this.#cursor.seek(from);
    this.#ended = this.#found === undefined;
    return this.#found;
  }

  #wildcardFrom(index: number): number {
    let at = index;
    while (at < this.#levels.length && this.#levels[at] !== "+" && this.#levels[at] !== "#") at++;
    return at;
  }
}
