/**
 * All chance of one run, by name and time: what is drawn for one occasion does not depend on what was drawn before, so that leaving out
 * one step changes nothing but what follows from it. What may happen (a step of a client, a fault) goes through `happens` and so can be
 * listed, and left out when a failing run is shortened.
 */

import { hash } from "../../src/topic/hash.ts";
import { Random } from "./random.ts";

/** Something that happened in a run. */
export interface Happening {
  /** Names it in every run of the same seed: its kind, where, and the time. */
  readonly id: string;
  /** Milliseconds since the beginning. */
  readonly at: number;
  /** What it was, for people. */
  readonly text: string;
}

export class Chance {
  readonly happened: Happening[] = [];
  readonly #seed: number;
  readonly #kept: ReadonlySet<string> | undefined;
  readonly #now: () => number;
  /** How often each name was drawn for at this time. */
  readonly #counts = new Map<string, number>();
  #countedAt = -1;

  /** @param kept nothing else happens; undefined: everything that chance will have */
  constructor(seed: number, kept: ReadonlySet<string> | undefined, now: () => number) {
    this.#seed = seed;
    this.#kept = kept;
    this.#now = now;
  }

  /** The source of chance of one thing of which there is one in each run. */
  once(name: string): Random {
    return new Random(hash(`${this.#seed} ${name}`));
  }

  /** The source of chance of one occasion of something that is drawn for again and again. */
  now(name: string): Random {
    return this.once(this.#occasion(name));
  }

  #occasion(name: string): string {
    const now = this.#now();
    if (now !== this.#countedAt) this.#counts.clear();
    this.#countedAt = now;
    const count = this.#counts.get(name) ?? 0;
    this.#counts.set(name, count + 1);
    return `${name} ${now}${count === 0 ? "" : ` ${count}`}`;
  }

  /**
   * @param kind in one or more words without digits
   * @param where the client, object or call whose chance it is
   * @param text what happens, for people
   */
  happens(kind: string, where: string, probability: number, text: () => string): boolean {
    if (probability === 0) return false;
    const id = this.#occasion(`${kind}: ${where}`);
    return this.once(id).chance(probability) && this.takes(id, text);
  }

  /** Something that happens unless it is left out. */
  takes(id: string, text: () => string): boolean {
    if (this.#kept !== undefined && !this.#kept.has(id)) return false;
    this.happened.push({ id, at: this.#now(), text: text() });
    return true;
  }
}
