/**
 * Makes the calls of an object to others. A call on another object's stub is billed as a request. Calls on a target that such a call has
 * returned belong to it and are not billed, but while the target is held neither of the two objects hibernates, and both are billed for
 * their time. So calls are made one by one until those of a moment have cost what holding costs (`HOLD`); then targets of those that are called
 * are held for as long as there are so many calls in each moment. One that fails is let go: its call has failed as any other does, and is
 * repeated by who has made it.
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

/** When targets are held. */
export interface HoldRule {
  /** A moment, milliseconds. */
  readonly ms: number;
  /** Calls of this object in a moment, to all others, from which on it holds those that it calls ... */
  readonly calls: number;
  /** ... so often in one. */
  readonly callsOfWay: number;
  /** With fewer in a moment it lets all of them go, and ... */
  readonly callsHeld: number;
  /** ... with fewer to one of them that one. */
  readonly callsOfWayHeld: number;
}

/**
 * The rule for objects that call others.
 * @param callees that each of them may call
 * @param callers each of those is called by
 */
export function holdRule(callees: number, callers: number): HoldRule {
  const calls = HOLD.callsOfObject * (1 + callees / callers);
  const { ms, staying, callsOfWay, callsOfWayHeld } = HOLD;
  return { ms, calls: Math.ceil(calls), callsHeld: Math.ceil(staying * calls), callsOfWay, callsOfWayHeld };
}

/** For objects that call those of clients, or of topics, which hardly anybody else calls: whoever holds one of them pays for it alone. */
export function holdRuleAlone(): HoldRule {
  return { ...holdRule(1, 1), callsOfWay: Math.ceil(HOLD.callsOfObject), callsOfWayHeld: Math.ceil(0.8 * HOLD.callsOfObject) };
}

/**
 * The rules for a namespace with so many objects.
 * @param sessionObjects 0: one for each client ID
 */
export function holdRules(sessionObjects: number, topicObjects: number): { readonly toTopics: HoldRule; readonly toSessions: HoldRule } {
  if (sessionObjects === 0) return { toTopics: holdRule(topicObjects, Number.POSITIVE_INFINITY), toSessions: holdRuleAlone() };
  return { toTopics: holdRule(topicObjects, sessionObjects), toSessions: holdRule(sessionObjects, topicObjects) };
}

/** Objects whose calls are counted. With an object for each client there may be many. */
const WAYS_MAX = 256;

/** The calls to one object. */
interface Way {
  held: HeldTarget | undefined;
  /** In which it was called last. */
  moment: number;
  /** In that moment. */
  calls: number;
  /** The moment in which a target was asked for last, and whether there is no answer yet. */
  asked: number;
  asks: boolean;
  /** Under way on the target. */
  flying: number;
}

export class Caller {
  readonly #runtime: Runtime;
  readonly #callee: (name: string) => Callee;
  readonly #rule: HoldRule;
  readonly #ways = new Map<string, Way>();
  /** The number of this moment. */
  #moment = 0;
  /** When it began, milliseconds since the epoch. */
  #since = 0;
  /** In it, to all objects. */
  #calls = 0;
  /** The moment in which it was looked last whom it need not know any more. */
  #forgotten = -1;
  /** Ends it, while a target is held. */
  #looking: Timer | undefined;
  /** Targets that are held. */
  held = 0;

  /** @param callee gives an object by its name, a new stub for every call: one whose object was reset stays broken */
  constructor(runtime: Runtime, callee: (name: string) => Callee, rule: HoldRule) {
    this.#runtime = runtime;
    this.#callee = callee;
    this.#rule = rule;
  }

  /** Calls an object. @returns its answer; rejects when the call has failed, whether or not it ran */
  call(name: string, batch: Uint8Array): Promise<Uint8Array> {
    if (this.#looking === undefined && this.#isOver(this.#runtime.now())) this.#begin();
    const way = this.#way(name);
    this.#calls += 1;
    way.calls += 1;
    if (way.held !== undefined) return this.#through(way, way.held, batch);
    const isDense = this.#looking !== undefined || this.#calls >= this.#rule.calls;
    const mayAsk = !way.asks && way.asked !== this.#moment;
    if (isDense && mayAsk && way.calls >= this.#rule.callsOfWay) void this.#hold(name, way);
    return this.#callee(name).take(batch);
  }

  /** A clock that was set back begins anew, too. */
  #isOver(now: number): boolean {
    return now < this.#since || now - this.#since >= this.#rule.ms;
  }

  #begin(): void {
    this.#moment += 1;
    this.#since = this.#runtime.now();
    this.#calls = 0;
  }

  #way(name: string): Way {
    let way = this.#ways.get(name);
    if (way === undefined) {
      if (this.#ways.size >= WAYS_MAX && this.#forgotten !== this.#moment) this.#forget();
      way = { held: undefined, moment: this.#moment, calls: 0, asked: 0, asks: false, flying: 0 };
      this.#ways.set(name, way);
    }
    if (way.moment === this.#moment) return way;
    way.moment = this.#moment;
    way.calls = 0;
    return way;
  }

  /** Nothing is known of them that matters. Who is new in this moment stays until the next one: a second look would find nobody. */
  #forget(): void {
    this.#forgotten = this.#moment;
    for (const [name, { held, asks, moment }] of this.#ways)
      if (held === undefined && !asks && moment !== this.#moment) this.#ways.delete(name);
  }

  async #through(way: Way, held: HeldTarget, batch: Uint8Array): Promise<Uint8Array> {
    way.flying += 1;
    try {
      return await held.take(batch);
    } catch (error) {
      this.#letGo(way, held);
      throw error;
    } finally {
      way.flying -= 1;
    }
  }

  /**
   * Once in a moment at most. Nothing depends on it: where it fails, as with an object of an earlier build, calls are made one by one, and it is
   * tried again.
   */
  async #hold(name: string, way: Way): Promise<void> {
    way.asked = this.#moment;
    way.asks = true;
    try {
      way.held = await this.#callee(name).hold();
      this.held += 1;
      this.#looking ??= this.#lookLater();
    } catch {
    } finally {
      way.asks = false;
    }
  }

  #lookLater(): Timer {
    return this.#runtime.after(this.#rule.ms, () => this.#look());
  }

  /** Whether there were enough calls is looked at once in each moment. */
  #look(): void {
    const isEnough = this.#calls >= this.#rule.callsHeld;
    for (const way of this.#ways.values()) {
      const calls = way.moment === this.#moment ? way.calls : 0;
      if (way.flying === 0 && !(isEnough && calls >= this.#rule.callsOfWayHeld)) this.#letGo(way, way.held);
    }
    this.#begin();
    this.#looking = this.held > 0 ? this.#lookLater() : undefined;
  }

  #letGo(way: Way, held: HeldTarget | undefined): void {
    if (held === undefined || way.held !== held) return;
    way.held = undefined;
    this.held -= 1;
    held[Symbol.dispose]();
  }
}
