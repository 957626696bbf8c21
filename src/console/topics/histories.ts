/** The last values of the topics that somebody looks at, or has pinned: of others only the last two are kept. */
import { bytesOf, type Value } from "./value.ts";

const VALUES_MAX = 1000;
const BYTES_MAX = 2 * 1024 * 1024;

interface History {
  readonly values: Value[];
  bytes: number;
  /** Those that came, also those that it holds no more. */
  count: number;
}

export class Histories {
  readonly #of = new Map<string, History>();

  has(topic: string): boolean {
    return this.#of.has(topic);
  }

  /** Keeps what comes from now on. @param known what is known already, the oldest first */
  begin(topic: string, known: readonly (Value | undefined)[]): void {
    if (this.#of.has(topic)) return;
    this.#of.set(topic, { values: [], bytes: 0, count: 0 });
    for (const value of known) if (value !== undefined) this.came(topic, value);
  }

  end(topic: string): void {
    this.#of.delete(topic);
  }

  came(topic: string, value: Value): void {
    const history = this.#of.get(topic);
    if (history === undefined) return;
    history.values.push(value);
    history.count += 1;
    history.bytes += bytesOf(value);
    while (history.values.length > VALUES_MAX || (history.bytes > BYTES_MAX && history.values.length > 1))
      history.bytes -= bytesOf(history.values.shift());
  }

  /** Forgets what came, of all of them. */
  clear(): void {
    for (const topic of this.#of.keys()) this.#of.set(topic, { values: [], bytes: 0, count: 0 });
  }

  count(topic: string): number {
    return this.#of.get(topic)?.count ?? 0;
  }

  /** The oldest first. */
  values(topic: string): readonly Value[] {
    return this.#of.get(topic)?.values ?? [];
  }
}
