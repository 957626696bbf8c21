/**
 * A slice of a scan: begins at a topic and looks at a bounded number of places, so that one filter costs one slice of a tick however many
 * topics there are. Where it stopped, the next slice begins.
 */

import { compareTopics } from "./order.ts";
import type { TopicCursor } from "./retained-scan.ts";

/**
 * A seek is a statement of its own: it costs as much as so many topics that are met in a range (workerd, measured 2026-11). The first of a slice
 * counts as one: most subscriptions need no other, and what they cost besides is much more.
 */
const SEEK_LOOKS = 8;

export class SlicedCursor implements TopicCursor {
  readonly #cursor: TopicCursor;
  readonly #from: string;
  readonly #looksMax: number;
  #looks = 0;
  #stoppedAt: string | undefined;
  readonly range?: (from: string, to: string | undefined) => Iterable<string>;

  /**
   * @param from topics before it are not there
   * @param looksMax how many places it may look at: each topic that is met, and each seek
   */
  constructor(cursor: TopicCursor, from: string, looksMax: number) {
    this.#cursor = cursor;
    this.#from = from;
    this.#looksMax = looksMax;
    if (cursor.range !== undefined) this.range = (start, to) => this.#range(start, to);
  }

  /** Where the slice was over before the scan was: everything before this topic was looked at. Undefined when the scan came to its end. */
  get stoppedAt(): string | undefined {
    return this.#stoppedAt;
  }

  /** Places it has looked at. */
  get looks(): number {
    return this.#looks;
  }

  seek(from: string): string | undefined {
    const start = this.#later(from);
    if (!this.#look(start, this.#looks === 0 ? 1 : SEEK_LOOKS)) return undefined;
    return this.#cursor.seek(start);
  }

  *#range(from: string, to: string | undefined): Generator<string> {
    for (const topic of this.#cursor.range!(this.#later(from), to)) {
      if (!this.#look(topic, 1)) return;
      yield topic;
    }
  }

  #later(from: string): string {
    return compareTopics(from, this.#from) < 0 ? this.#from : from;
  }

  #look(topic: string, looks: number): boolean {
    if (this.#looks >= this.#looksMax) {
      this.#stoppedAt ??= topic;
      return false;
    }
    this.#looks += looks;
    return true;
  }
}
