/**
 * All that waits for a time, in one queue with one next time. An entry is a hint: whoever handles it looks whether it still holds
 * and enters it again if the time has moved, so that what moves often (Keep Alive) costs nothing when it moves.
 */

/** What can fall due; each is handled by the file of its name. */
export const KEEP_ALIVE = 1;
export const WILL_DELAY = 2;
export const SESSION_EXPIRY = 3;
export const LOG_TIDY = 4;

export type DeadlineKind = typeof KEEP_ALIVE | typeof WILL_DELAY | typeof SESSION_EXPIRY | typeof LOG_TIDY;

export interface Deadline {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly kind: DeadlineKind;
  /** A connection's or session's name; undefined for the object itself. */
  readonly subject: object | undefined;
  /** How much later than `at` it may be handled when nothing else wakes the object, milliseconds. */
  readonly slackMs: number;
}

/** A binary heap by time. */
export class Deadlines {
  readonly #heap: Deadline[] = [];

  add(deadline: Deadline): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(deadline);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.at <= deadline.at) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = deadline;
  }

  /** Takes out one deadline that is due, or undefined. */
  takeDue(now: number): Deadline | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at > now) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(deadline: Deadline): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child += 1;
      if (heap[child]!.at >= deadline.at) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = deadline;
  }

  /** The latest time at which the object must be awake: the earliest of all deadlines with their slack; Infinity when there is none. */
  wakeAt(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const deadline of this.#heap) {
      const at = deadline.at + deadline.slackMs;
      if (at < earliest) earliest = at;
    }
    return earliest;
  }
}
