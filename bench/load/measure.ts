/** What every load measures: a time after the warm-up, what was counted in it, and what the load program itself used of its core. */

import { once } from "node:events";
import type { LoadEvent, LoadOptions, LoadResult } from "./options.ts";

type Times = Pick<LoadOptions, "warmUpSeconds" | "seconds" | "tickSeconds">;

/** How often a measurement in which nothing was counted yet looks again. */
const COUNTED_POLL_MS = 10;

export class Measure {
  count = 0;
  lost = 0;
  /** Milliseconds that single messages took, since the measured time began. */
  readonly delays: number[] = [];
  readonly #options: Times;
  #begun = 0;
  #cpu = process.cpuUsage();
  #before = 0;

  constructor(options: Times) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#begun > 0;
  }

  delay(milliseconds: number): void {
    if (this.running) this.delays.push(milliseconds);
  }

  begin(): void {
    this.#begun = performance.now();
    this.#cpu = process.cpuUsage();
    this.#before = this.count;
    tell({ event: "begin" });
  }

  /** Warms up, measures, and tells. A measurement of a moment goes on until there is something to tell. */
  async run(): Promise<void> {
    await sleep(this.#options.warmUpSeconds * 1000);
    this.begin();
    const ticks = this.#tick();
    await sleep(this.#options.seconds * 1000);
    while (this.count === this.#before) await sleep(COUNTED_POLL_MS);
    clearInterval(ticks);
    this.end();
  }

  #tick(): NodeJS.Timeout | undefined {
    const { tickSeconds } = this.#options;
    if (tickSeconds === undefined) return undefined;
    let [at, count] = [performance.now(), this.count];
    return setInterval(() => {
      const now = performance.now();
      tell({ event: "tick", perSecond: (this.count - count) / ((now - at) / 1000) });
      [at, count] = [now, this.count];
    }, tickSeconds * 1000);
  }

  /** Begins when the other side has read its meters, to whom nothing must have been sent yet. */
  async beginWhenTold(): Promise<void> {
    this.begin();
    await once(process.stdin, "data");
    this.#begun = performance.now();
    this.#cpu = process.cpuUsage();
  }

  end(): void {
    const seconds = (performance.now() - this.#begun) / 1000;
    const count = this.count - this.#before;
    const { user, system } = process.cpuUsage(this.#cpu);
    const result = { perSecond: count / seconds, count, seconds, busy: (user + system) / 1e6 / seconds, lost: this.lost };
    tell({ event: "end", result: { ...result, ...percentiles(this.delays) } });
  }
}

function percentiles(delays: number[]): Pick<LoadResult, "mean" | "p50" | "p99"> | undefined {
  if (delays.length === 0) return undefined;
  const sorted = Float64Array.from(delays).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { mean: delays.reduce((sum, delay) => sum + delay, 0) / delays.length, p50: at(0.5), p99: at(0.99) };
}

export function tell(event: LoadEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export interface Later {
  readonly promise: Promise<void>;
  resolve(): void;
}

export function later(): Later {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve: () => resolve() };
}

/** Does something for each number below `count`, some at once. */
export async function inParallel<T>(count: number, concurrency: number, each: (index: number) => Promise<T>): Promise<T[]> {
  const results = new Array<T>(count);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      results[index] = await each(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, concurrency) }, worker));
  return results;
}
