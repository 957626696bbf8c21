/**
 * Messages that Session objects have for slow clients, and whose publishers hear so when those have caught up. Should a Session object
 * lose its memory, nobody tells that any more: then they hear it after a bounded time.
 */

import { type FaultPort, guarded } from "../fault.ts";
import { AWAITED_MS, SLOW_MS_MAX } from "../limits.ts";
import { JointOutcome } from "../mqtt/joint-outcome.ts";
import { SUCCESS } from "../mqtt/reason-code.ts";
import type { Delivered } from "../routing/ports.ts";
import type { Runtime, Timer } from "../runtime.ts";
import type { Delivery } from "./topic-delivery.ts";

interface HeldBatch {
  /** By the number of the record. */
  readonly waiting: Map<number, () => void>;
  readonly patience: Timer;
}

/** What is held of one Session object. */
interface Held {
  /** By the number of the batch. */
  readonly batches: Map<number, HeldBatch>;
  /** What was caught up with before the answer to its batch was here. */
  readonly early: Set<string>;
}

const NOTHING: ReadonlyMap<Delivery, Delivered> = new Map();

export class HeldDeliveries {
  readonly #runtime: Runtime;
  readonly #faults: FaultPort;
  /** By Session object. */
  readonly #held = new Map<string, Held>();

  constructor(runtime: Runtime, faults: FaultPort) {
    this.#runtime = runtime;
    this.#faults = faults;
  }

  /**
   * A batch is answered. Publishers wait for slow clients: the answers to their own batches don't.
   * @param slow the numbers of its records that are held
   * @returns what takes the outcomes of those deliveries
   */
  hold(object: string, batch: number, slow: readonly number[], deliveries: readonly Delivery[]): ReadonlyMap<Delivery, Delivered> {
    const early = this.#held.get(object)?.early;
    const outcomes = slow.length === 0 ? NOTHING : this.#hold(this.#of(object), batch, slow, deliveries);
    early?.clear();
    if (this.#held.get(object)?.batches.size === 0) this.#held.delete(object);
    return outcomes;
  }

  #hold({ batches, early }: Held, batch: number, slow: readonly number[], deliveries: readonly Delivery[]): Map<Delivery, Delivered> {
    const outcomes = new Map<Delivery, Delivered>();
    const waiting = new Map<number, () => void>();
    for (const record of slow) {
      const delivery = deliveries[record];
      if (delivery?.done === undefined || early.has(`${batch} ${record}`)) continue;
      const joint = new JointOutcome(delivery.done, 2);
      outcomes.set(delivery, joint.settled);
      waiting.set(record, () => joint.settled(SUCCESS));
      delivery.cause?.exchange.leave(delivery.cause.index);
    }
    if (waiting.size > 0) {
      const patience = this.#runtime.after(SLOW_MS_MAX + AWAITED_MS, () => {
        batches.delete(batch);
        for (const settle of waiting.values()) guarded(this.#faults, "telling a publisher that all have its message", undefined, settle);
      });
      batches.set(batch, { waiting, patience });
    }
    return outcomes;
  }

  /**
   * Slow clients in a Session object are ready for what came with this record of a batch.
   * @param isUnderWay a batch has not been answered yet: it may be that one
   */
  caughtUp(object: string, batch: number, record: number, isUnderWay: boolean): void {
    const held = this.#held.get(object)?.batches.get(batch);
    const settle = held?.waiting.get(record);
    if (held === undefined || settle === undefined) {
      if (isUnderWay) this.#of(object).early.add(`${batch} ${record}`);
      return;
    }
    held.waiting.delete(record);
    if (held.waiting.size === 0) {
      held.patience.cancel();
      this.#held.get(object)?.batches.delete(batch);
    }
    settle();
  }

  #of(object: string): Held {
    let held = this.#held.get(object);
    if (held === undefined) {
      held = { batches: new Map(), early: new Set() };
      this.#held.set(object, held);
    }
    return held;
  }
}
