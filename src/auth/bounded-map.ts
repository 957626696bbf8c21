/** A cache that does not grow beyond its bound: what was put in first goes first. */

export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, { readonly value: Value; readonly weight: number }>();
  readonly #weightMax: number;
  #weight = 0;

  constructor(weightMax: number) {
    this.#weightMax = weightMax;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: Key, value: Value, weight: number): void {
    this.#delete(key);
    for (const oldest of this.#entries.keys()) {
      if (this.#weight + weight <= this.#weightMax) break;
      this.#delete(oldest);
    }
    this.#entries.set(key, { value, weight });
    this.#weight += weight;
  }

  get size(): number {
    return this.#entries.size;
  }

  #delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#weight -= entry.weight;
  }
}
