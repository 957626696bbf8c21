/**
 * A slice of a scan: begins at a topic and looks at a bounded number of places, so that one filter costs one slice of a tick however many
 * topics there are. Where it stopped, the next slice begins.
 */

import { compareTopics } from "./order.ts";
import type { TopicCursor } from "./retained-scan.ts";

export class SlicedCursor implements TopicCursor {
  readonly #cursor: TopicCursor;
  readonly #from: string;
  #looksLeft: number;
  #stoppedAt: string | undefined;
  readonly range?: (from: string, to: string | undefined) => Iterable<string>;

  /**
   * @param from topics before it are not there
   * @param looks how many places it may look at: each topic that is met, and each seek
   */
  constructor(cursor: TopicCursor, from: string, looks: number) {
    this.#cursor = cursor;
    this.#from = from;
    this.#looksLeft = looks;
    if (cursor.range !== undefined) this.range = (start, to) => this.#range(start, to);
  }

  /** Where the slice was over before the scan was: everything before this topic was looked at. Undefined when the scan came to its end. */
  get stoppedAt(): string | undefined {
    return this.#stoppedAt;
  }

  seek(from: string): string | undefined {
    const start = this.#later(from);
    if (!this.#look(start)) return undefined;
    return this.#cursor.seek(start);
  }

  *#range(from: string, to: string | undefined): Generator<string> {
    for (const topic of this.#cursor.range!(this.#later(from), to)) {
      if (!this.#look(topic)) return;
      yield topic;
    }
  }

  #later(from: string): string {
    return compareTopics(from, this.#from) < 0 ? this.#from : from;
  }

  #look(topic: string): boolean {
    if (this.#looksLeft === 0) {
      this.#stoppedAt ??= topic;
      return false;
    }
    this.#looksLeft -= 1;
    return true;
  }
}
