/**
 * The batches that a Session object gets from Topic objects: each is taken once, in the order of its sender and in slices, and answered when
 * all of it is in rows or on its way to its connections; one that comes again has the same answer. It decides nothing about a record.
 */

import type { FaultPort } from "../fault.ts";
import { type Batch, type BatchRecord, clientOf, decodeBatch } from "../mqtt/batch.ts";
import { encodeDeliveryAnswer, type Unwanted } from "../mqtt/delivery-answer.ts";
import { countsOf } from "../mqtt/receipt.ts";
import { Fence } from "../routing/fence.ts";
import type { Runtime } from "../runtime.ts";
import type { SessionCore } from "../session/core.ts";
import type { SessionMachine } from "../session/machine.ts";
import { BatchHandling } from "./batch-handling.ts";
import type { Router } from "./router.ts";
import { takeRecord } from "./take-record.ts";
import type { Turns } from "./turns.ts";

export interface IncomingBatchesOptions {
  readonly core: SessionCore;
  readonly machine: SessionMachine;
  readonly router: Router;
  readonly shape: number;
  readonly turns: Turns;
  readonly runtime: Runtime;
  readonly faults: FaultPort;
  /** Resolves once everything so far is in rows, and sent. */
  readonly written: () => Promise<void>;
  readonly flushSoon: () => void;
}

/** Which batch it is. */
type Sent = Pick<Batch, "sender" | "epoch" | "number">;

/** The last batch of a Topic object. */
interface Taken {
  readonly epoch: number;
  readonly number: number;
  /** Resolves when all of its records have been taken. */
  readonly over: Promise<void>;
  isOver: boolean;
  readonly answer: Promise<Uint8Array>;
}

export class IncomingBatches {
  readonly #options: IncomingBatchesOptions;
  readonly #fence = new Fence();
  /**
   * The last batch of each Topic object: when it comes again, what was refused is refused again. So is what a fault of ours has interrupted:
   * such a message counts as seen, and handled anew it would be taken for a repeat and acknowledged unsent.
   */
  readonly #taken = new Map<string, Taken>();

  constructor(options: IncomingBatchesOptions) {
    this.#options = options;
  }

  /** @returns the answer; rejects when the batch is of an earlier life or another shape of the broker */
  async take(bytes: Uint8Array): Promise<Uint8Array> {
    const batch = decodeBatch(bytes);
    const { sender, epoch, shape, number } = batch;
    if (shape !== this.#options.shape) throw new Error(`${sender} knows another shape of the broker`);
    const now = this.#options.runtime.now();
    const isLate = this.#options.core.repeats.isKeptOut(sender, epoch, now) || !this.#fence.admits(sender, epoch, now);
    if (isLate) throw new Error("a call of its sender's earlier life");
    const last = this.#taken.get(sender);
    if (last?.epoch === epoch && last.number === number) return last.answer;
    // What came before is taken before, also where its sender has given it up: names of messages are told apart by their order.
    if (last?.isOver === false) {
      await last.over;
      return this.take(bytes);
    }
    const taken = this.#begin(batch);
    this.#taken.set(sender, taken);
    return taken.answer;
  }

  #begin({ sender, epoch, number, records, receipts, events }: Batch): Taken {
    const { core, machine, turns, runtime, flushSoon, written } = this.#options;
    if (events !== 0) machine.learnEvents(events, runtime.now());
    // Whoever subscribes while some of it is left wants what was not wanted before: by an older version no such route is forgotten.
    const version = core.numbers.next();
    const unwanted: Unwanted[] = [];
    const slow: number[] = [];
    let handled!: () => void;
    const over = new Promise<void>((resolve) => {
      handled = resolve;
    });
    const handle = (record: BatchRecord, index: number): number => {
      const before = core.work;
      if (this.#takeOne({ sender, epoch, number }, record, index, unwanted)) slow.push(index);
      return core.work - before;
    };
    const answer = over.then(async () => {
      const bytes = encodeDeliveryAnswer({ version, unwanted, slow, counts: countsOf(receipts) });
      await written();
      return bytes;
    });
    const taken: Taken = { epoch, number, over, isOver: false, answer };
    const isHandled = (): void => {
      taken.isOver = true;
      handled();
    };
    new BatchHandling(records, { turns, handle, paused: flushSoon, handled: isHandled }).begin();
    return taken;
  }

  /** @param index of the record in its batch @returns whether its publisher is to wait for slow clients */
  #takeOne({ sender, epoch, number }: Sent, record: BatchRecord, index: number, unwanted: Unwanted[]): boolean {
    const { core, machine, router, runtime, faults, flushSoon } = this.#options;
    try {
      takeRecord(core, machine, { sender, epoch, record, index, now: runtime.now() }, unwanted);
    } catch (error) {
      // The others are taken all the same. Of this one its publisher hears that not everyone has it.
      faults.caught(error, `taking a record of ${sender}`, clientOf(record));
      unwanted.push({ record: index, share: undefined, full: true });
    }
    if (!machine.isSlow) return false;
    machine.whenCaughtUp(() => {
      router.caughtUp(sender, number, index);
      flushSoon();
    });
    return true;
  }
}
