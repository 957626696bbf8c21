/**
 * Acknowledgements that other Workers wait for (`wait: "acknowledged"`): this Session object tells those where the messages entered of what has
 * become of them here, and hears the same of its own. Each tells of a message how much there was of it in all, so that what is told twice does no
 * harm; who can't be told in the time that somebody waits hears nothing.
 */

import { RETRY_MS_FIRST, RETRY_MS_MAX } from "../limits.ts";
import type { Receipt } from "../mqtt/receipt.ts";
import type { Runtime, Timer } from "../runtime.ts";
import type { Receipts, Tracking } from "../session/receipts.ts";
import type { Acknowledged, SessionCalls } from "./calls.ts";

export interface AcknowledgementsOptions {
  /** Of the object. */
  readonly name: string;
  readonly receipts: () => Receipts;
  readonly peers: (name: string) => Pick<SessionCalls, "acknowledged">;
  readonly runtime: Runtime;
}

/** What there was of all that were awaited. */
export interface Outcome {
  readonly acknowledged: number;
  readonly over: number;
  readonly away: number;
}

interface Wait {
  /** By the object that has said it. */
  readonly told: Map<string, Outcome>;
  /** Called when something was told. */
  changed: () => void;
}

export class Acknowledgements {
  readonly #options: AcknowledgementsOptions;
  /** Messages that entered here, by the number of their receipt. */
  readonly #waits = new Map<number, Wait>();
  /** What is to be told to other objects, or was told and may not have arrived, by object. */
  readonly #untold = new Map<string, Set<Tracking>>();
  /** Objects that are being told, or will be when they could not be. */
  readonly #telling = new Set<string>();
  #awake: Timer | undefined;

  constructor(options: AcknowledgementsOptions) {
    this.#options = options;
  }

  /** What is told of this receipt counts from now on; `wait` or `forget` ends that. */
  expect({ number }: Receipt): void {
    this.#waits.set(number, { told: new Map(), changed: () => {} });
  }

  forget({ number }: Receipt): void {
    this.#waits.delete(number);
  }

  /**
   * Waits for all acknowledgements that there will be.
   * @param receipt which says how many are awaited
   * @param until milliseconds since the epoch
   * @param signal ends it, as the time does
   */
  async wait(receipt: Receipt, until: number, signal: AbortSignal | undefined): Promise<Outcome> {
    const { runtime } = this.#options;
    const wait = this.#waits.get(receipt.number)!;
    const isOver = (): boolean => {
      const { acknowledged, over, away } = sumOf(wait);
      return acknowledged + over + away >= receipt.awaited;
    };
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      wait.changed = () => {
        if (isOver()) resolve();
      };
      wait.changed();
      timer = runtime.after(Math.max(0, until - runtime.now()), resolve);
      if (signal?.aborted) resolve();
      // One that came over a call tells no listeners.
      else if (signal !== undefined) signal.onabort = () => resolve();
    });
    timer?.cancel();
    this.forget(receipt);
    return sumOf(wait);
  }

  /** Another object tells what there was. */
  take(object: string, all: readonly Acknowledged[]): void {
    for (const { number, ...outcome } of all) {
      const wait = this.#waits.get(number);
      if (wait === undefined) continue;
      const { acknowledged, over, away } = outcome;
      const known = wait.told.get(object);
      // Calls may overtake each other.
      const isOld = known !== undefined && known.acknowledged + known.over + known.away > acknowledged + over + away;
      if (isOld) continue;
      wait.told.set(object, outcome);
      wait.changed();
    }
  }

  /** To be called when everything of a tick is in rows: tells what has become of messages since. */
  serve(): void {
    const { name, receipts } = this.#options;
    const mine: Tracking[] = [];
    for (const tracking of receipts().takeChanged()) {
      if (tracking.object === name) mine.push(tracking);
      else this.#untold.set(tracking.object, (this.#untold.get(tracking.object) ?? new Set()).add(tracking));
    }
    if (mine.length > 0) this.take(name, mine.map(acknowledgedOf));
    for (const object of this.#untold.keys()) this.#tell(object, RETRY_MS_FIRST);
    this.#stayAwake();
  }

  /** @param retryMs after which it is tried again, if it fails */
  #tell(object: string, retryMs: number): void {
    if (this.#telling.has(object)) return;
    const { name, peers, runtime } = this.#options;
    const untold = [...(this.#untold.get(object) ?? [])].filter(({ until }) => until > runtime.now());
    this.#untold.delete(object);
    if (untold.length === 0) return;
    this.#telling.add(object);
    peers(object)
      .acknowledged(name, untold.map(acknowledgedOf))
      .then(
        () => {
          this.#telling.delete(object);
          this.#tell(object, RETRY_MS_FIRST);
        },
        () => {
          this.#untold.set(object, new Set([...untold, ...(this.#untold.get(object) ?? [])]));
          runtime.after(retryMs, () => {
            this.#telling.delete(object);
            this.#tell(object, Math.min(2 * retryMs, RETRY_MS_MAX));
          });
        },
      );
  }

  /** What is awaited is in memory alone: for as long as somebody waits for it the object must not hibernate. */
  #stayAwake(): void {
    const { receipts, runtime } = this.#options;
    const { until } = receipts();
    if (until === undefined) {
      this.#awake?.cancel();
      this.#awake = undefined;
      return;
    }
    this.#awake ??= runtime.after(Math.max(0, until - runtime.now()), () => {
      this.#awake = undefined;
      receipts().forget(runtime.now());
      this.#stayAwake();
    });
  }
}

function acknowledgedOf({ number, acknowledged, over, away }: Tracking): Acknowledged {
  return { number, acknowledged, over, away };
}

function sumOf({ told }: Wait): Outcome {
  const sum = { acknowledged: 0, over: 0, away: 0 };
  for (const { acknowledged, over, away } of told.values()) {
    sum.acknowledged += acknowledged;
    sum.over += over;
    sum.away += away;
  }
  return sum;
}
