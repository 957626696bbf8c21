/** How long many things took: percentiles within a hundredth, however many there are. */

/** Each bucket ends a hundredth above the one before; the first ends at a microsecond. */
const GROWTH = Math.log(1.01);
const FIRST_MS = 0.001;

export class Histogram {
  count = 0;
  /** The longest, milliseconds. */
  max = 0;
  #sum = 0;
  readonly #buckets: number[] = [];

  /** @param ms how long one took */
  add(ms: number): void {
    this.count += 1;
    this.#sum += ms;
    this.max = Math.max(this.max, ms);
    const bucket = Math.max(0, Math.ceil(Math.log(ms / FIRST_MS) / GROWTH));
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  /** Milliseconds; 0 of none. */
  get mean(): number {
    return this.count === 0 ? 0 : this.#sum / this.count;
  }

  /** @param share such as 0.99 @returns milliseconds within which so large a part of them was; 0 of none */
  percentile(share: number): number {
    let left = Math.ceil(this.count * share);
    // A bucket that nothing is in is passed over.
    for (const bucket in this.#buckets) {
      left -= this.#buckets[bucket]!;
      if (left <= 0) return Math.min(this.max, FIRST_MS * Math.exp(Number(bucket) * GROWTH));
    }
    return this.max;
  }
}
