/**
 * Makes the calls of an object to others. A call on another object's stub is billed as a request. Calls on a target that such a call has
 * returned belong to it and are not billed, but while the target is held neither of the two objects hibernates, and both are billed for
 * their time. So calls are made one by one until those of a moment have cost what holding costs (`HOLD`), and a target is held for as long
 * as there are so many in each moment. One that fails is let go: its call has failed as any other does, and is repeated by who has made it.
 */

import { HOLD } from "../limits.ts";
import type { Runtime, Timer } from "../runtime.ts";

/** What another object has returned to be held: calls on it belong to the call that has returned it. */
export interface HeldTarget extends Disposable {
  take(batch: Uint8Array): Promise<Uint8Array>;
}

/** The ways to call another object. */
export interface Callee {
  /** A single call. */
  take(batch: Uint8Array): Promise<Uint8Array>;
  hold(): Promise<HeldTarget>;
}

/** When a target is held: so many calls in so many milliseconds; fewer where this object holds another one and is awake anyway. */
export interface HoldRule {
  readonly ms: number;
  readonly calls: number;
  readonly callsAwake: number;
}

/** Objects whose calls are counted. With an object for each client there may be many. */
const WAYS_MAX = 256;

export class Caller {
  readonly #runtime: Runtime;
  readonly #callee: (name: string) => Callee;
  readonly #rule: HoldRule;
  readonly #ways = new Map<string, Way>();
  /** Targets that are held. */
  held = 0;

  /** @param callee gives an object by its name, a new stub for every call: one whose object was reset stays broken */
  constructor(runtime: Runtime, callee: (name: string) => Callee, rule: HoldRule = HOLD) {
    this.#runtime = runtime;
    this.#callee = callee;
    this.#rule = rule;
  }

  /** Calls an object. @returns its answer; rejects when the call has failed, whether or not it ran */
  call(name: string, batch: Uint8Array): Promise<Uint8Array> {
    return this.#way(name).call(batch);
  }

  /** Calls of a moment that are worth a target of their own. */
  get least(): number {
    return this.held > 0 ? this.#rule.callsAwake : this.#rule.calls;
  }

  #way(name: string): Way {
    const known = this.#ways.get(name);
    if (known !== undefined) return known;
    if (this.#ways.size >= WAYS_MAX) for (const [other, way] of this.#ways) if (way.isQuiet) this.#ways.delete(other);
    const way = new Way(this, this.#runtime, () => this.#callee(name), this.#rule.ms);
    this.#ways.set(name, way);
    return way;
  }
}

/** The calls to one object. */
class Way {
  readonly #caller: Caller;
  readonly #runtime: Runtime;
  readonly #callee: () => Callee;
  readonly #ms: number;
  #held: HeldTarget | undefined;
  /** One was asked for. */
  #asks = false;
  /** When the moment began in which calls are counted, milliseconds since the epoch. */
  #since = 0;
  #calls = 0;
  /** Under way on the target. */
  #flying = 0;
  #looking: Timer | undefined;

  constructor(caller: Caller, runtime: Runtime, callee: () => Callee, ms: number) {
    this.#caller = caller;
    this.#runtime = runtime;
    this.#callee = callee;
    this.#ms = ms;
  }

  /** Nothing is known of it that matters. */
  get isQuiet(): boolean {
    return this.#held === undefined && !this.#asks && this.#isOver(this.#runtime.now());
  }

  call(batch: Uint8Array): Promise<Uint8Array> {
    const held = this.#held;
    if (held !== undefined) {
      this.#calls += 1;
      return this.#through(held, batch);
    }
    const now = this.#runtime.now();
    if (this.#isOver(now)) this.#begin(now);
    this.#calls += 1;
    if (!this.#asks && this.#calls >= this.#caller.least) void this.#hold();
    return this.#callee().take(batch);
  }

  /** A clock that was set back begins anew, too. */
  #isOver(now: number): boolean {
    return now < this.#since || now - this.#since >= this.#ms;
  }

  #begin(now: number): void {
    this.#since = now;
    this.#calls = 0;
  }

  async #through(held: HeldTarget, batch: Uint8Array): Promise<Uint8Array> {
    this.#flying += 1;
    try {
      return await held.take(batch);
    } catch (error) {
      this.#letGo(held);
      throw error;
    } finally {
      this.#flying -= 1;
    }
  }

  /** Nothing depends on it: where it fails, as with an object of an earlier build, calls are made one by one, and it is tried again. */
  async #hold(): Promise<void> {
    this.#asks = true;
    try {
      this.#held = await this.#callee().hold();
      this.#caller.held += 1;
      this.#look();
    } catch {
    } finally {
      this.#asks = false;
      this.#begin(this.#runtime.now());
    }
  }

  /** Whether there were enough calls is looked at once in each moment. */
  #look(): void {
    this.#looking = this.#runtime.after(this.#ms, () => {
      const isEnough = this.#calls >= this.#caller.least || this.#flying > 0;
      this.#calls = 0;
      if (isEnough) this.#look();
      else this.#letGo(this.#held);
    });
  }

  #letGo(held: HeldTarget | undefined): void {
    if (held === undefined || this.#held !== held) return;
    this.#held = undefined;
    this.#caller.held -= 1;
    this.#looking?.cancel();
    this.#begin(this.#runtime.now());
    held[Symbol.dispose]();
  }
}
