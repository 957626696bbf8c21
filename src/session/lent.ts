/**
 * Messages that are kept and still views of the frames and batches they came in. Most are acknowledged within moments: only what is still
 * kept when so much more has come gets bytes of its own. So what is in memory beside what the ledger counts stays within a bound.
 */

import { LENT_BYTES_MAX, LENT_MESSAGES_MAX } from "../memory-limits.ts";
import type { Message } from "../mqtt/message.ts";

export class Lent {
  readonly #messages: Message[] = [];
  /** Of the frames and batches that they are views of. */
  #bytes = 0;
  #last: ArrayBufferLike | undefined;

  /** It has begun to be kept. */
  add(message: Message): void {
    const { buffer } = message.payload;
    // What comes together comes one after the other.
    if (buffer !== this.#last) this.#bytes += buffer.byteLength;
    this.#last = buffer;
    this.#messages.push(message);
    if (this.#bytes > LENT_BYTES_MAX || this.#messages.length >= LENT_MESSAGES_MAX) this.#end();
  }

  #end(): void {
    for (const message of this.#messages) if (message.holders > 0) message.keep();
    this.#messages.length = 0;
    this.#bytes = 0;
    this.#last = undefined;
  }
}
