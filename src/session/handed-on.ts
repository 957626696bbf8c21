/** A message that waited for a member of a shared subscription and is on its way to one elsewhere, where nobody here has it any more. */

import type { Message } from "../mqtt/message.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, NO_MATCHING_SUBSCRIBERS } from "../mqtt/reason-code.ts";
import type { SessionCore } from "./core.ts";
import type { DropReason } from "./counters.ts";
import { dropped } from "./dropped.ts";
import type { Ticket } from "./ports.ts";

export class HandedOn implements Ticket {
  readonly #core: SessionCore;
  readonly #message: Message;
  readonly #reason: DropReason;

  /** @param reason why it does not stay here */
  constructor(core: SessionCore, message: Message, reason: DropReason) {
    this.#core = core;
    this.#message = message;
    this.#reason = reason;
  }

  /** A queue that was too full for it has counted that where it is. */
  settled(reasonCode: number): void {
    if (reasonCode === NO_MATCHING_SUBSCRIBERS || reasonCode === IMPLEMENTATION_SPECIFIC_ERROR) this.lost();
  }

  lost(): void {
    dropped(this.#core, this.#reason, undefined, this.#message);
  }
}
