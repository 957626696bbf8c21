/**
 * What a session still has to be sent or to acknowledge, by Packet Identifier. A message counts once in the ledger, however many sessions
 * it waits for, and keeps in memory only what counts.
 */

import { CountedMap, type Ledger } from "../ledger.ts";
import { MEMORY } from "../limits.ts";
import type { Message } from "../mqtt/message.ts";
import type { Delivery } from "./delivery.ts";

function deliveryBytes(_packetId: number, { identifiers }: Delivery): number {
  return MEMORY.deliveryBytes + MEMORY.numberBytes * (identifiers?.length ?? 0);
}

export class Deliveries extends CountedMap<number, Delivery> {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    super(ledger, "messages", deliveryBytes);
    this.#ledger = ledger;
  }

  override set(packetId: number, delivery: Delivery): this {
    this.#release(this.get(packetId)?.message);
    super.set(packetId, delivery);
    const { message } = delivery;
    if (message === undefined) return this;
    message.holders += 1;
    if (message.holders > 1) return this;
    message.keep();
    this.#ledger.add("messages", messageBytes(message));
    return this;
  }

  override delete(packetId: number): boolean {
    this.#release(this.get(packetId)?.message);
    return super.delete(packetId);
  }

  override clear(): void {
    for (const { message } of this.values()) this.#release(message);
    super.clear();
  }

  #release(message: Message | undefined): void {
    if (message === undefined) return;
    message.holders -= 1;
    if (message.holders === 0) this.#ledger.add("messages", -messageBytes(message));
  }
}

/** What a message that is kept costs, bytes; the topic is there as text and as bytes. */
export function messageBytes(message: Message): number {
  return MEMORY.messageBytes + MEMORY.characterBytes * message.topic.length + message.size;
}
