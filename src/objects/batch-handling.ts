/**
 * One batch from another object while its records are handled, in order and in turns: a batch may have a thousand, each with a row to write
 * or for a thousand sessions, and others want to be served in between. What becomes of each record is nothing to the others. It decides
 * nothing.
 */

import type { BatchRecord } from "../mqtt/batch.ts";
import type { Taker, Turns } from "./turns.ts";
import { recordWork } from "./work.ts";

export interface BatchHandlingOptions {
  readonly turns: Turns;
  /** Handles one record; throws nothing. @returns what that has cost beside the record itself */
  readonly handle: (record: BatchRecord, index: number) => number;
  /** Called after each turn. */
  readonly paused: () => void;
  /** Called after the last record. */
  readonly handled: () => void;
}

export class BatchHandling implements Taker {
  readonly #records: readonly BatchRecord[];
  readonly #options: BatchHandlingOptions;
  #next = 0;

  constructor(records: readonly BatchRecord[], options: BatchHandlingOptions) {
    this.#records = records;
    this.#options = options;
  }

  /** Handles what a tick may have at once, which is all of most batches. */
  begin(): void {
    this.turn(this.#options.turns.slices.tick);
  }

  turn(work: number): number {
    const { turns, handle, paused, handled } = this.#options;
    let done = 0;
    for (; done < work && this.#next < this.#records.length; this.#next += 1) {
      const record = this.#records[this.#next]!;
      done += recordWork(record) + handle(record, this.#next);
    }
    paused();
    if (this.#next < this.#records.length) turns.wait(this);
    else handled();
    return done;
  }
}
