/**
 * All that waits for a time, in one queue with one next time; one entry for each subject and kind. An entry is a hint: whoever handles
 * it looks whether it still holds and enters it again if the time has moved, so that what moves often (Keep Alive) costs nothing when
 * it moves. Whoever ends a subject forgets its entries: clients that come and go leave nothing behind.
 */

/** What can fall due; each is handled by the file of its name. */
export const KEEP_ALIVE = 1;
export const WILL_DELAY = 2;
export const SESSION_EXPIRY = 3;
export const LOG_TIDY = 4;
export const WILL_WATCH = 5;
export const RETAINED = 6;
export const SLOW = 7;
export const UNREAD = 8;
export const LOGIN_END = 9;
export const CONSUME = 10;

export type DeadlineKind =
  | typeof KEEP_ALIVE
  | typeof WILL_DELAY
  | typeof SESSION_EXPIRY
  | typeof LOG_TIDY
  | typeof WILL_WATCH
  | typeof RETAINED
  | typeof SLOW
  | typeof UNREAD
  | typeof LOGIN_END
  | typeof CONSUME;

export interface Deadline {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly kind: DeadlineKind;
  /** A connection, a session or a consumer; undefined for the object itself. */
  readonly subject: object | undefined;
  /** How much later than `at` it may be handled when nothing else wakes the object, milliseconds. */
  readonly slackMs: number;
}

interface Entry extends Deadline {
  /** Its place in the heap. */
  index: number;
}

/** A binary heap by time, whose entries can be found by subject. */
export class Deadlines {
  readonly #heap: Entry[] = [];
  readonly #bySubject = new Map<object | undefined, Entry[]>();
  /** What `wakeAt` answers; undefined when it has to be found again. */
  #wakeAt: number | undefined = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#heap.length;
  }

  /** Enters a deadline in the place of another one of its kind and subject. */
  add(deadline: Deadline): void {
    const { subject, kind } = deadline;
    const entries = this.#bySubject.get(subject) ?? [];
    const known = entries.findIndex((entry) => entry.kind === kind);
    if (known >= 0) this.#takeOut(entries.splice(known, 1)[0]!);
    const entry: Entry = { ...deadline, index: this.#heap.length };
    entries.push(entry);
    this.#bySubject.set(subject, entries);
    this.#heap.push(entry);
    this.#rise(entry);
    if (this.#wakeAt !== undefined) this.#wakeAt = Math.min(this.#wakeAt, entry.at + entry.slackMs);
  }

  /** The subject has ended: nothing of it falls due any more. */
  forget(subject: object): void {
    for (const entry of this.#bySubject.get(subject) ?? []) this.#takeOut(entry);
    this.#bySubject.delete(subject);
  }

  isDue(now: number): boolean {
    const first = this.#heap[0];
    return first !== undefined && first.at <= now;
  }

  /** Takes out one deadline that is due, or undefined. */
  takeDue(now: number): Deadline | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#takeOut(first);
    const entries = this.#bySubject.get(first.subject)!;
    if (entries.length === 1) this.#bySubject.delete(first.subject);
    else entries.splice(entries.indexOf(first), 1);
    return first;
  }

  /** The latest time at which the object must be awake: the earliest of all deadlines with their slack; Infinity when there is none. */
  wakeAt(): number {
    this.#wakeAt ??= this.#heap.reduce((earliest, { at, slackMs }) => Math.min(earliest, at + slackMs), Number.POSITIVE_INFINITY);
    return this.#wakeAt;
  }

  #takeOut(entry: Entry): void {
    if (entry.at + entry.slackMs === this.#wakeAt) this.#wakeAt = undefined;
    const last = this.#heap.pop()!;
    if (last === entry) return;
    last.index = entry.index;
    this.#heap[last.index] = last;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry): void {
    while (entry.index > 0) {
      const parent = this.#heap[(entry.index - 1) >> 1]!;
      if (parent.at <= entry.at) return;
      this.#swap(parent, entry);
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const left = this.#heap[2 * entry.index + 1];
      const right = this.#heap[2 * entry.index + 2];
      const child = right !== undefined && right.at < left!.at ? right : left;
      if (child === undefined || child.at >= entry.at) return;
      this.#swap(entry, child);
    }
  }

  /** Exchanges an entry with its child. */
  #swap(upper: Entry, lower: Entry): void {
    const { index } = upper;
    upper.index = lower.index;
    lower.index = index;
    this.#heap[upper.index] = upper;
    this.#heap[lower.index] = lower;
  }
}
