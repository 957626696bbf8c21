/**
 * A set of topics in code point order, in memory: the TopicCursor of stores without a database index. Adding and removing move the
 * topics after the place, which for 100,000 topics is microseconds.
 */

import { compareTopics } from "./order.ts";
import type { TopicCursor } from "./retained-scan.ts";

export class SortedTopics implements TopicCursor {
  readonly #topics: string[];

  constructor(topics: Iterable<string> = []) {
    this.#topics = [...new Set(topics)].sort(compareTopics);
  }

  get size(): number {
    return this.#topics.length;
  }

  /** @returns whether the topic is new */
  add(topic: string): boolean {
    const index = this.#indexFrom(topic);
    if (this.#topics[index] === topic) return false;
    this.#topics.splice(index, 0, topic);
    return true;
  }

  /** @returns whether the topic was there */
  remove(topic: string): boolean {
    const index = this.#indexFrom(topic);
    if (this.#topics[index] !== topic) return false;
    this.#topics.splice(index, 1);
    return true;
  }

  has(topic: string): boolean {
    return this.#topics[this.#indexFrom(topic)] === topic;
  }

  seek(from: string): string | undefined {
    return this.#topics[this.#indexFrom(from)];
  }

  *range(from: string, to: string | undefined): Generator<string> {
    const end = to === undefined ? this.#topics.length : this.#indexFrom(to);
    for (let index = this.#indexFrom(from); index < end; index++) yield this.#topics[index];
  }

  [Symbol.iterator](): ArrayIterator<string> {
    return this.#topics.values();
  }

  /** The index of the first topic that is `from` or after it. */
  #indexFrom(from: string): number {
    let low = 0;
    let high = this.#topics.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareTopics(this.#topics[middle], from) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
