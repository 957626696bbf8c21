/** What a Session object asks of a Topic object: a record of a batch, and who waits for its outcome. */

import { type BatchRecord, clientOf } from "../mqtt/batch.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR } from "../mqtt/reason-code.ts";
import type { Counts } from "../mqtt/receipt.ts";
import { recordBytes } from "../mqtt/record-bytes.ts";
import type { Outgoing } from "../routing/outbox.ts";
import type { Ticket } from "../session/ports.ts";

export class Request implements Outgoing {
  readonly record: BatchRecord;
  readonly size: number;
  /** A life of the Topic object that is over had it. */
  again = false;
  readonly #ticket: Ticket | undefined;

  constructor(record: BatchRecord, ticket: Ticket | undefined) {
    this.record = record;
    this.size = recordBytes(record);
    this.#ticket = ticket;
  }

  /** For whom it is, as far as the record says so. */
  get client(): string | undefined {
    return clientOf(this.record);
  }

  settled(reasonCode: number): void {
    this.#ticket?.settled(reasonCode);
  }

  /** Its message has a receipt, and this is what there is. */
  count(counts: Counts): void {
    if ("message" in this.record) this.record.message.receipt?.set(counts);
  }

  abandoned(): void {
    this.#ticket?.settled(IMPLEMENTATION_SPECIFIC_ERROR);
  }
}
