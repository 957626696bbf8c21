/**
 * One batch from a Session object while a Topic object handles it: what became of each record, and when that is answered. The answer
 * waits for no record that is held up by a Session object which is slow or out of reach, and for none longer than ANSWER_MS_MAX: so
 * nobody is held up by subscribers that are not his.
 */

import { PENDING } from "../mqtt/exchange-answer.ts";
import { SUCCESS } from "../mqtt/reason-code.ts";
import { type CountsOfRecord, countsOf, type ReceiptOfRecord } from "../mqtt/receipt.ts";

export class Exchange {
  /** One for each record; they change until nothing is pending. */
  readonly codes: Uint8Array;
  /** The answer is due. */
  readonly due: Promise<void>;
  /** All records have been begun. */
  readonly handled: Promise<void>;
  isHandled = false;
  #answer!: () => void;
  #handled!: () => void;
  /** Records that the answer waits for, and one until all have been begun. */
  #awaited = 1;
  /** Records that are pending and that the answer does not wait for. */
  readonly #left = new Set<number>();

  readonly #receipts: readonly ReceiptOfRecord[];

  /** @param receipts of those that have one */
  constructor(records: number, receipts: readonly ReceiptOfRecord[]) {
    this.#receipts = receipts;
    this.codes = new Uint8Array(records).fill(SUCCESS);
    this.due = new Promise((resolve) => {
      this.#answer = resolve;
    });
    this.handled = new Promise((resolve) => {
      this.#handled = resolve;
    });
  }

  /** What is counted of the messages that have receipts. */
  get counts(): readonly CountsOfRecord[] {
    return countsOf(this.#receipts);
  }

  /** Something is pending that the answer waits for. */
  get open(): boolean {
    return this.#awaited > 0;
  }

  get pending(): boolean {
    return this.codes.includes(PENDING);
  }

  /** The outcome of this record comes later. @returns what takes it, once, as a Reason Code */
  expect(record: number): (reasonCode: number) => void {
    this.codes[record] = PENDING;
    this.#awaited += 1;
    return (reasonCode) => this.#settle(record, reasonCode);
  }

  /** The record could not be handled: what comes of it later is not heard. */
  fail(record: number, reasonCode: number): void {
    if (this.codes[record] === PENDING) this.#settle(record, reasonCode);
    else this.codes[record] = reasonCode;
  }

  #settle(record: number, reasonCode: number): void {
    if (this.codes[record] !== PENDING) return;
    this.codes[record] = reasonCode;
    if (!this.#left.delete(record)) this.#done();
  }

  /** The answer does not wait for this record. */
  leave(record: number): void {
    if (this.codes[record] !== PENDING || this.#left.has(record)) return;
    this.#left.add(record);
    this.#done();
  }

  /** All records have been begun. */
  begun(): void {
    this.isHandled = true;
    this.#handled();
    this.#done();
  }

  /** It has taken long enough. */
  leaveAll(): void {
    for (const record of this.codes.keys()) this.leave(record);
  }

  #done(): void {
    this.#awaited -= 1;
    if (this.#awaited === 0) this.#answer();
  }
}
