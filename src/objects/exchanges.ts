/**
 * The batches that a Topic object gets: each is handled once, in the order of its sender, and answered; one that comes again has the same
 * answer. Outcomes that come later than the answer are kept until the sender has heard of them.
 */

import { ANSWER_MS_MAX, RETRY_MS_MAX, RETRY_MS_TOTAL } from "../limits.ts";
import { type Batch, decodeBatch, RECORD_AWAITED } from "../mqtt/batch.ts";
import { areOfOneLife } from "../mqtt/batch-number.ts";
import { encodeExchangeAnswer } from "../mqtt/exchange-answer.ts";
import { Fence } from "../routing/fence.ts";
import type { Runtime, Timer } from "../runtime.ts";
import type { Exchange } from "./exchange.ts";

/** Session objects that are remembered: with an object for each client ID there may be many. The oldest are forgotten first. */
export const SENDERS_MAX = 4096;

/** So many of those that have said nothing for the longest time are looked at for one that nothing is open with. */
const SENDERS_LOOKED_AT = 16;

/** What is known of one life of a Session object. */
interface Sender {
  readonly epoch: number;
  /** Its last batch, and the answer: one that comes again is not done again. */
  readonly number: number;
  readonly answer: Promise<Uint8Array>;
  readonly exchange: Exchange;
  /** Batches that were answered with something pending, until their sender has heard of all outcomes. */
  readonly pending: Map<number, Exchange>;
}

/**
 * The exchanges of which something is awaited still.
 * @param batches all that are awaited; empty when that was not said, undefined when nothing is
 */
function stillAwaited(known: Map<number, Exchange> | undefined, batches: readonly number[] | undefined): Map<number, Exchange> {
  if (known === undefined || batches === undefined) return new Map();
  if (batches.length === 0) return known;
  return new Map(batches.flatMap((batch) => (known.has(batch) ? [[batch, known.get(batch)!] as const] : [])));
}

export interface ExchangesOptions {
  readonly shape: number;
  /** Names this life. */
  readonly life: string;
  readonly runtime: Runtime;
  readonly handle: (batch: Batch) => Exchange;
  /** All records of a batch have been begun. */
  readonly handled: () => void;
}

export class Exchanges {
  readonly #options: ExchangesOptions;
  readonly #runtime: Runtime;
  readonly #fence = new Fence();
  readonly #senders = new Map<string, Sender>();
  #awake: Timer | undefined;

  constructor(options: ExchangesOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
  }

  /** @returns the answer, as bytes */
  async take(bytes: Uint8Array): Promise<Uint8Array> {
    const batch = decodeBatch(bytes);
    const { sender, epoch, shape, number, records } = batch;
    if (shape !== this.#options.shape) throw new Error(`${sender} knows another shape of the broker`);
    if (!this.#fence.admits(sender, epoch, this.#runtime.now())) throw new Error("a call of its sender's earlier life");
    let from = this.#senders.get(sender);
    const isOfLife = from !== undefined && areOfOneLife(from, batch);
    if (isOfLife && from?.number === number) return from.answer;
    // What came before is handled before, also where its sender has given it up.
    if (from !== undefined && !from.exchange.isHandled) {
      await from.exchange.handled;
      return this.take(bytes);
    }
    if (!isOfLife) from = undefined;
    if (from !== undefined && number < from.number) throw new Error("a call that was answered long ago");
    const awaited = records[0]?.kind === RECORD_AWAITED ? records[0] : undefined;
    if (awaited !== undefined && (from === undefined || awaited.life !== this.#options.life)) {
      return encodeExchangeAnswer({ life: this.#options.life, codes: undefined, counts: [], late: [] });
    }
    const pending = stillAwaited(from?.pending, awaited?.batches);
    const exchange = this.#options.handle(batch);
    const answer = this.#answer(exchange, number, pending, awaited?.batches ?? []);
    // Behind all others.
    this.#senders.delete(sender);
    if (this.#senders.size >= SENDERS_MAX) this.#forgetOne();
    this.#senders.set(sender, { epoch, number, answer, exchange, pending });
    if (pending.size === 0) this.#mayRest();
    return answer;
  }

  /** One with which something is open would send that again, out of turn: it is forgotten only where there are many of those. */
  #forgetOne(): void {
    let looked = 0;
    for (const [sender, { exchange, pending }] of this.#senders) {
      looked += 1;
      const isOpen = pending.size > 0 || !exchange.isHandled || exchange.pending;
      if (isOpen && looked < SENDERS_LOOKED_AT) continue;
      this.#senders.delete(isOpen ? this.#senders.keys().next().value! : sender);
      return;
    }
  }

  /** @param asked earlier batches whose outcomes are asked for */
  async #answer(exchange: Exchange, number: number, pending: Map<number, Exchange>, asked: readonly number[]): Promise<Uint8Array> {
    if (!exchange.isHandled) await exchange.handled;
    this.#options.handled();
    if (exchange.open) {
      const patience = this.#runtime.after(ANSWER_MS_MAX, () => exchange.leaveAll());
      await exchange.due;
      patience.cancel();
    }
    if (exchange.pending) {
      pending.set(number, exchange);
      this.#stayAwake();
    }
    const late = asked.flatMap((batch) => {
      const of = pending.get(batch);
      return of === undefined ? [] : [{ batch, codes: of.codes, counts: of.counts }];
    });
    return encodeExchangeAnswer({ life: this.#options.life, codes: exchange.codes, counts: exchange.counts, late });
  }

  /** Outcomes that are still to be told are in memory alone: for as long as somebody may ask for them the object must not hibernate. */
  #stayAwake(): void {
    this.#awake?.cancel();
    this.#awake = this.#runtime.after(RETRY_MS_TOTAL + RETRY_MS_MAX, () => {
      this.#awake = undefined;
    });
  }

  #mayRest(): void {
    if (this.#awake === undefined) return;
    for (const { pending } of this.#senders.values()) if (pending.size > 0) return;
    this.#awake.cancel();
    this.#awake = undefined;
  }
}
