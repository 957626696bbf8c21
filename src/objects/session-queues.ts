/** The way from a Topic object to Session objects: an outbox for each that something is on its way to, flushed once in a tick. */

import type { FaultPort } from "../fault.ts";
import type { Ledger } from "../ledger.ts";
import { BatchWriter } from "../mqtt/batch.ts";
import { type DeliveryAnswer, decodeDeliveryAnswer } from "../mqtt/delivery-answer.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR } from "../mqtt/reason-code.ts";
import type { Runtime, Timer } from "../runtime.ts";
import { hash } from "../topic/hash.ts";
import { CallQueue } from "./call-queue.ts";
import { type Callee, Caller, type HeldTarget, type HoldRule } from "./caller.ts";
import { createCallMeter } from "./meter.ts";
import type { Delivery } from "./topic-delivery.ts";

/** Gives a Session object by its name, a new stub for every call: one whose object was reset stays broken. */
export type SessionObjects = (name: string) => { deliver(batch: Uint8Array): Promise<Uint8Array>; hold(): Promise<HeldTarget> };

export interface SessionQueuesOptions {
  /** Of the Topic object. */
  readonly name: string;
  readonly shape: number;
  readonly sessions: SessionObjects;
  /** The events that somebody wants, as each batch says. */
  readonly events: () => number;
  /** A Session object has answered a batch, by its number. */
  readonly answered: (sessionObject: string, batch: number, deliveries: readonly Delivery[], answer: DeliveryAnswer) => void;
  readonly runtime: Runtime;
  readonly faults: FaultPort;
  readonly ledger: Ledger;
  readonly hold: HoldRule;
}

type SessionQueue = CallQueue<Delivery, DeliveryAnswer>;

export class SessionQueues {
  readonly calls = createCallMeter();
  readonly #options: SessionQueuesOptions;
  /** One for all queues, so that no two batches have the same number. */
  readonly #writer: BatchWriter;
  readonly #caller: Caller;
  readonly #queues = new Map<string, SessionQueue>();
  /** Those that got something in this tick. */
  readonly #filled = new Set<SessionQueue>();
  #tick: Timer | undefined;

  constructor(options: SessionQueuesOptions) {
    this.#options = options;
    this.#writer = new BatchWriter(options.name, options.runtime.now(), options.shape, hash(options.runtime.incarnation()));
    const { sessions, runtime, hold } = options;
    const callee = (name: string): Callee => ({ take: (batch) => sessions(name).deliver(batch), hold: () => sessions(name).hold() });
    this.#caller = new Caller(runtime, callee, hold);
  }

  /** What waits for the calls under way to end. */
  get bytes(): number {
    return this.#sum((queue) => queue.bytes);
  }

  /** What is in memory of what waits or is under way. */
  get heldBytes(): number {
    return this.#sum((queue) => queue.heldBytes);
  }

  #sum(of: (queue: SessionQueue) => number): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + of(queue), 0);
  }

  /** Whether nothing waits for a Session object and nothing is on its way there. */
  isIdle(sessionObject: string): boolean {
    return this.#queues.get(sessionObject)?.idle !== false;
  }

  /** @returns whether the Session object is slow to answer */
  send(sessionObject: string, delivery: Delivery): boolean {
    const { ledger, runtime } = this.#options;
    const queue = this.#queue(sessionObject);
    if (!ledger.takes("messages") || !queue.add(delivery)) {
      delivery.done?.(IMPLEMENTATION_SPECIFIC_ERROR);
      return queue.slow;
    }
    this.#filled.add(queue);
    this.#tick ??= runtime.after(0, () => this.#flush());
    return queue.slow;
  }

  #flush(): void {
    this.#tick = undefined;
    for (const queue of this.#filled) queue.flush();
    this.#filled.clear();
  }

  #queue(sessionObject: string): SessionQueue {
    const known = this.#queues.get(sessionObject);
    if (known !== undefined) return known;
    const { events, answered, runtime, faults, ledger } = this.#options;
    let number = 0;
    const queue: SessionQueue = new CallQueue<Delivery, DeliveryAnswer>(runtime, {
      encode: (deliveries) => {
        this.#writer.begin();
        number = this.#writer.number;
        this.#writer.events(events());
        for (const { record } of deliveries) this.#writer.add(record);
        return this.#writer.finish();
      },
      call: async (batch) => decodeDeliveryAnswer(await this.#caller.call(sessionObject, batch)),
      answered: (deliveries, answer) => {
        answered(sessionObject, number, deliveries, answer);
        if (this.#queues.get(sessionObject)?.idle) this.#queues.delete(sessionObject);
      },
      meter: this.calls,
      faults,
      ledger,
    });
    this.#queues.set(sessionObject, queue);
    return queue;
  }
}
