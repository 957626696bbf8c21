/**
 * Drives an Outbox: makes its calls one after the other and repeats those that fail. A call whose answer can't be read has failed too.
 * Whatever happens to one item or one answer, the next batch goes.
 */

import { type FaultPort, guarded } from "../fault.ts";
import type { Ledger } from "../ledger.ts";
import { ANSWER_MS_MAX } from "../limits.ts";
import { Outbox, type Outgoing } from "../routing/outbox.ts";
import type { Runtime, Timer } from "../runtime.ts";
import { unlessRefused } from "./guarded-store.ts";
import type { CallMeter } from "./meter.ts";

export interface CallQueueOptions<Item, Answer> {
  /** Makes one batch of what waits. */
  readonly encode: (items: readonly Item[]) => Uint8Array;
  /** What is sent in the place of a batch once its call has failed; missing: the same. */
  readonly again?: (batch: Uint8Array) => Uint8Array;
  /** Sends it; rejects when it may not have arrived, or its answer can't be read. */
  readonly call: (batch: Uint8Array) => Promise<Answer>;
  /** Is told of the answer once. */
  readonly answered: (items: readonly Item[], answer: Answer) => void;
  /** What waits may go: calls `flush`, when everything that has to be in rows before it is. Missing: at once. */
  readonly goOn?: () => void;
  /** The receiver was out of reach for too long: all items have been abandoned. */
  readonly gaveUp?: () => void;
  /** Counts calls that fail. */
  readonly meter: CallMeter;
  readonly faults: FaultPort;
  readonly ledger: Ledger;
}

export class CallQueue<Item extends Outgoing, Answer> {
  readonly #runtime: Runtime;
  readonly #options: CallQueueOptions<Item, Answer>;
  readonly #outbox: Outbox<Item>;
  /** When the call that is under way was made first, milliseconds since the epoch; undefined when none is. */
  #flyingSince: number | undefined;
  /** Runs while what waits gathers others. */
  #gathering: Timer | undefined;

  constructor(runtime: Runtime, options: CallQueueOptions<Item, Answer>) {
    this.#runtime = runtime;
    this.#options = options;
    this.#outbox = new Outbox(options.ledger);
  }

  get idle(): boolean {
    return this.#outbox.length === 0;
  }

  /** Bytes that wait for the call under way to end. */
  get bytes(): number {
    return this.#outbox.bytes;
  }

  /** Items that wait for the call under way to end. */
  get waiting(): number {
    return this.#outbox.waiting;
  }

  /** What is in memory of what waits or is under way. */
  get heldBytes(): number {
    return this.#outbox.heldBytes;
  }

  /** Whether the call that is under way takes longer than somebody else should be held up. */
  get slow(): boolean {
    return this.#flyingSince !== undefined && this.#runtime.now() - this.#flyingSince >= ANSWER_MS_MAX;
  }

  /** @param beyond it is taken however much waits @returns false when the queue is full and the item was not taken */
  add(item: Item, beyond = false): boolean {
    return this.#outbox.add(item, beyond);
  }

  /**
   * Sends what waits; where calls follow each other closely, some milliseconds later, with what comes meanwhile. While a call is under
   * way it goes when that one has been answered.
   */
  flush(): void {
    const now = this.#runtime.now();
    const gatherMs = this.#outbox.gatherMs(now);
    if (gatherMs > 0) {
      this.#gathering ??= this.#runtime.after(gatherMs, () => {
        this.#gathering = undefined;
        this.#goOn();
      });
      return;
    }
    const items = this.#outbox.take(now);
    if (items === undefined) return;
    let batch: Uint8Array;
    try {
      batch = this.#options.encode(items);
    } catch (error) {
      this.#options.faults.caught(error, "encoding a batch", undefined);
      this.#outbox.succeeded();
      for (const item of items) this.#abandon(item);
      this.flush();
      return;
    }
    this.#flyingSince = now;
    this.#send(items, batch).catch(unlessRefused);
  }

  readonly #abandon = (item: Item): void => {
    guarded(this.#options.faults, "giving up a request", undefined, () => item.abandoned());
  };

  /** Items that were answered and must be sent again all the same, ahead of all that wait. To be called by `answered`. */
  putBack(items: readonly Item[]): void {
    this.#outbox.putBack(items);
  }

  /** @param again what is to be sent should this fail */
  async #send(items: readonly Item[], batch: Uint8Array, again?: Uint8Array): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#options.call(batch);
    } catch {
      const delayMs = this.#outbox.failed(this.#runtime.now(), this.#abandon);
      this.#options.meter[delayMs === undefined ? "givenUp" : "repeated"] += 1;
      const next = again ?? this.#options.again?.(batch) ?? batch;
      if (delayMs !== undefined) this.#runtime.after(delayMs, () => void this.#send(items, next, next).catch(unlessRefused));
      else this.#gaveUp();
      return;
    }
    this.#flyingSince = undefined;
    this.#outbox.succeeded();
    guarded(this.#options.faults, "taking an answer", undefined, () => this.#options.answered(items, answer));
    this.#goOn();
  }

  #goOn(): void {
    if (this.#options.goOn === undefined) this.flush();
    else this.#options.goOn();
  }

  #gaveUp(): void {
    this.#flyingSince = undefined;
    this.#options.gaveUp?.();
  }
}
