/**
 * Drives an Outbox: makes its calls one after the other and repeats those that fail. A call whose answer can't be read has failed too.
 */

import { Outbox, type Outgoing } from "../routing/outbox.ts";
import type { Runtime } from "./runtime.ts";

export class CallQueue<Item extends Outgoing, Answer> {
  readonly #runtime: Runtime;
  readonly #outbox = new Outbox<Item>();
  readonly #encode: (items: readonly Item[]) => Uint8Array;
  readonly #call: (batch: Uint8Array) => Promise<Answer>;
  readonly #answered: (items: readonly Item[], answer: Answer) => void;

  /**
   * @param encode makes one batch of what waits
   * @param call sends it; rejects when it may not have arrived, or its answer can't be read
   * @param answered is told of the answer once
   */
  constructor(
    runtime: Runtime,
    encode: (items: readonly Item[]) => Uint8Array,
    call: (batch: Uint8Array) => Promise<Answer>,
    answered: (items: readonly Item[], answer: Answer) => void,
  ) {
    this.#runtime = runtime;
    this.#encode = encode;
    this.#call = call;
    this.#answered = answered;
  }

  get idle(): boolean {
    return this.#outbox.length === 0;
  }

  /** @returns false when the queue is full and the item was not taken */
  add(item: Item): boolean {
    return this.#outbox.add(item);
  }

  /** Sends what waits unless a call is under way: then it goes when that one has been answered. */
  flush(): void {
    const items = this.#outbox.take();
    if (items !== undefined) void this.#send(items, this.#encode(items));
  }

  async #send(items: readonly Item[], batch: Uint8Array): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#call(batch);
    } catch {
      const delayMs = this.#outbox.failed(this.#runtime.now());
      if (delayMs !== undefined) this.#runtime.after(delayMs, () => void this.#send(items, batch));
      return;
    }
    this.#outbox.succeeded();
    this.#answered(items, answer);
    this.flush();
  }
}
