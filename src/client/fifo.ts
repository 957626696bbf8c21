/** A queue: first in, first out, at a cost that does not grow with what waits. */

/** Places that were read stay up to this many, or half of all. */
const READ_MAX = 64;

export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** What `shift` returns next. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > READ_MAX && this.#head * 2 > this.#items.length) this.unshift([]);
    return item;
  }

  /** Puts items in front, in their order. */
  unshift(items: readonly T[]): void {
    this.#items = [...items, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }

  /** Takes one out, wherever it is, if it is there. */
  remove(item: T): void {
    this.#items = this.drain().filter((each) => each !== item);
  }

  /** Takes everything out. */
  drain(): T[] {
    const all = this.#items.slice(this.#head) as T[];
    this.#items = [];
    this.#head = 0;
    return all;
  }
}
