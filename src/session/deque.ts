/** Of what is empty there are many thousands: those share one. Nothing is ever put in. */
const NOTHING: unknown[] = [];

/** A first-in, first-out list that takes from its head in constant time. */
export class Deque<Item> {
  #items = NOTHING as Item[];
  #head = 0;
  readonly #changed: ((by: number) => void) | undefined;

  /** @param changed is told by how many items it has grown */
  constructor(changed?: (by: number) => void) {
    this.#changed = changed;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    if (this.#items === NOTHING) this.#items = [];
    this.#items.push(item);
    this.#changed?.(1);
  }

  /** Puts an item back at the head. */
  unshift(item: Item): void {
    this.#changed?.(1);
    if (this.#head === 0) {
      if (this.#items === NOTHING) this.#items = [];
      this.#items.unshift(item);
      return;
    }
    this.#head -= 1;
    this.#items[this.#head] = item;
  }

  peek(): Item | undefined {
    return this.#items[this.#head];
  }

  shift(): Item | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined as Item;
    this.#head += 1;
    this.#changed?.(-1);
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes out one item, wherever it is. @returns whether it was there */
  remove(item: Item): boolean {
    if (this.peek() === item && this.length > 0) {
      this.shift();
      return true;
    }
    const index = this.#items.indexOf(item, this.#head);
    if (index < 0) return false;
    this.#items.splice(index, 1);
    this.#changed?.(-1);
    return true;
  }

  clear(): void {
    if (this.length > 0) this.#changed?.(-this.length);
    this.#items = NOTHING as Item[];
    this.#head = 0;
  }

  *[Symbol.iterator](): Generator<Item> {
    for (let index = this.#head; index < this.#items.length; index += 1) yield this.#items[index]!;
  }
}
