/**
 * What may be asked twice of a Session object and is done once: who asks names it by a key, and is given the answer of the first time for a day.
 * A key is in rows with its answer before that is given. Should the object be reset in between, what was asked at QoS 1 is done again, as
 * PUBLISH would be; at QoS 0 and 2, where nothing may come twice, the key is in rows before anything is done, and who asks again is told
 * that nobody knows what became of it.
 */

import { ANSWER_PERIOD_MS, ANSWER_PERIODS, ANSWERS_MAX } from "../code-limits.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { Runtime } from "../runtime.ts";
import type { AnswerRow, SqliteAnswerStore } from "../storage/sqlite-answer-store.ts";
import type { Once, Unanswered } from "./calls.ts";
import { log } from "./log.ts";

export interface AnswersOptions {
  /** Of the object. */
  readonly name: string;
  /** Opened when somebody first asks for something once. */
  readonly store: () => SqliteAnswerStore;
  readonly runtime: Runtime;
}

export class Answers {
  readonly #options: AnswersOptions;
  #store: SqliteAnswerStore | undefined;
  #count = 0;
  /** What is being done now, by key. */
  readonly #open = new Map<string, { readonly digest: string; readonly outcome: Promise<unknown> }>();

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /**
   * @param once undefined: it is done, however often it is asked for
   * @param qos the highest of the messages
   * @param act does it; what it gives goes into a row as JSON
   * @param isDone whether that was done: what was not may be asked for again with the same key
   * @param inVain what is answered where nothing can be done and nothing is to be put for that, which costs an object its tables
   */
  async once<Outcome>(
    once: Once | undefined,
    qos: QoS,
    act: () => Promise<Outcome>,
    isDone: (outcome: Outcome) => boolean,
    inVain: () => Outcome | undefined = () => undefined,
  ): Promise<Outcome | Unanswered> {
    if (once === undefined) return act();
    const { key, digest } = once;
    const open = this.#open.get(key);
    if (open !== undefined) return open.digest === digest ? (open.outcome as Promise<Outcome>) : { unanswered: "other" };
    const outcome = this.#first(once, qos, act, isDone, inVain);
    this.#open.set(key, { digest, outcome });
    try {
      return await outcome;
    } finally {
      this.#open.delete(key);
    }
  }

  async #first<Outcome>(
    { key, digest }: Once,
    qos: QoS,
    act: () => Promise<Outcome>,
    isDone: (outcome: Outcome) => boolean,
    inVain: () => Outcome | undefined,
  ): Promise<Outcome | Unanswered> {
    const store = this.#opened();
    const until = Math.floor(this.#options.runtime.now() / ANSWER_PERIOD_MS);
    const known = store.find(key, until - ANSWER_PERIODS, until);
    if (known?.damaged)
      log("stored data skipped", { object: this.#options.name, problem: "an answer: its bytes have changed since they were written" });
    else if (known !== undefined) return answerOf<Outcome>(known, digest);
    const vain = inVain();
    if (vain !== undefined) return vain;
    if (!this.#hasRoom(store, until)) return { unanswered: "full" };
    const row = { period: known?.period ?? until, key, digest, outcome: "" };
    if (qos !== 1) store.put(row);
    if (known === undefined) this.#count += 1;
    const forget = (): void => {
      store.delete(row);
      this.#count -= 1;
    };
    try {
      const outcome = await act();
      if (isDone(outcome)) store.put({ ...row, outcome: JSON.stringify(outcome) });
      else forget();
      return outcome;
    } catch (error) {
      // Nothing was done.
      forget();
      throw error;
    }
  }

  #opened(): SqliteAnswerStore {
    if (this.#store === undefined) {
      this.#store = this.#options.store();
      this.#count = this.#store.count();
    }
    return this.#store;
  }

  #hasRoom(store: SqliteAnswerStore, period: number): boolean {
    if (this.#count < ANSWERS_MAX) return true;
    this.#count -= store.deleteBefore(period - ANSWER_PERIODS);
    return this.#count < ANSWERS_MAX;
  }
}

function answerOf<Outcome>({ digest, outcome }: AnswerRow, asked: string): Outcome | Unanswered {
  if (digest !== asked) return { unanswered: "other" };
  return outcome === "" ? { unanswered: "unknown" } : (JSON.parse(outcome) as Outcome);
}
