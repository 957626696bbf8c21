/**
 * Reads retained messages for subscriptions that are owed them: page after page, one for each client in turn, and no more without a pause than
 * a tick may cost, so that whoever else has something to say or hear is served in between, however many ask and for how much. Who says
 * something needs several turns of the runtime, and each would wait for a tick of reading: so while others speak the pause is longer than
 * the tick. Who asks while little was read is answered at once: most new subscriptions are owed nothing, and a pause for each of them would be
 * a timer and a call.
 */

import type { FaultPort } from "../fault.ts";
import { RETAINED_WORK_PER_MS, RETAINED_WORK_PER_TICK } from "../limits.ts";
import type { RetainedAsk, RetainedPage } from "../mqtt/batch.ts";
import type { RoutingCore } from "../routing/core.ts";
import type { Runtime, Timer } from "../runtime.ts";
import { Deque } from "../session/deque.ts";

/** Who asks for a page. */
export interface Reading {
  readonly ask: RetainedAsk;
  /** Is given the page, when it is its turn: at the next `serve`, or in a later tick. */
  take(page: RetainedPage): void;
  /** It could not be read, or not be taken. */
  failed(): void;
}

export class RetainedReader {
  readonly #runtime: Runtime;
  readonly #routing: () => RoutingCore;
  readonly #faults: FaultPort;
  readonly #served: () => void;
  /** What each client waits for, the one whose turn it is first. */
  readonly #waiting = new Map<string, Deque<Reading>>();
  /** What was read since the last pause has cost. */
  #work = 0;
  /** Runs from when that is as much as a tick may cost. */
  #pause: Timer | undefined;
  /** Somebody has spoken since the last pause began. */
  #isHeard = false;

  /** @param served called when pages were read in a tick of their own */
  constructor(runtime: Runtime, routing: () => RoutingCore, faults: FaultPort, served: () => void) {
    this.#runtime = runtime;
    this.#routing = routing;
    this.#faults = faults;
    this.#served = served;
  }

  /** Somebody else has said something: he is not to wait for a tick of reading at each step. */
  othersSpeak(): void {
    this.#isHeard = true;
  }

  ask(reading: Reading): void {
    const { clientId } = reading.ask;
    const own = this.#waiting.get(clientId) ?? new Deque<Reading>();
    own.push(reading);
    this.#waiting.set(clientId, own);
  }

  /** Reads as many pages as may be read before the next pause; whoever takes one may ask for the next. */
  serve(): void {
    if (this.#pause !== undefined) return;
    while (this.#work < RETAINED_WORK_PER_TICK && this.#waiting.size > 0) this.#work += this.#read(this.#next());
    if (this.#work < RETAINED_WORK_PER_TICK) return;
    const pauseMs = this.#isHeard ? Math.ceil(this.#work / RETAINED_WORK_PER_MS) : 0;
    this.#isHeard = false;
    this.#pause = this.#runtime.after(pauseMs, () => {
      this.#pause = undefined;
      this.#work = 0;
      if (this.#waiting.size === 0) return;
      this.serve();
      this.#served();
    });
  }

  /** The client whose turn it is has its next one behind all others. */
  #next(): Reading {
    const [clientId, own] = this.#waiting.entries().next().value!;
    const reading = own.shift()!;
    this.#waiting.delete(clientId);
    if (own.length > 0) this.#waiting.set(clientId, own);
    return reading;
  }

  /** @returns what it cost */
  #read(reading: Reading): number {
    const { clientId, filter, id, from } = reading.ask;
    try {
      const { messages, next, work } = this.#routing().retainedSlice(filter, from, this.#runtime.now());
      reading.take({ clientId, id, from, next, messages });
      return work;
    } catch (error) {
      // The others get theirs all the same.
      this.#faults.caught(error, "reading retained messages", clientId);
      reading.failed();
      return 1;
    }
  }
}
