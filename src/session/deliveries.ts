/**
 * What a session still has to be sent or to acknowledge, by Packet Identifier. A message counts once in the ledger, however many sessions
 * it waits for; what else it may hold in memory is bounded by `lent.ts`.
 */

import { CountedMap, type Ledger } from "../ledger.ts";
import { MEMORY } from "../memory-limits.ts";
import type { Message } from "../mqtt/message.ts";
import type { Delivery } from "./delivery.ts";

/** One more waits for its message. @returns what that adds */
function taken(_packetId: number, { identifiers, message }: Delivery): number {
  const bytes = deliveryBytes(identifiers);
  if (message === undefined) return bytes;
  message.holders += 1;
  return message.holders === 1 ? bytes + messageBytes(message) : bytes;
}

/** One of those that wait for its message is over. @returns what goes with it */
function left(_packetId: number, { identifiers, message }: Delivery): number {
  const bytes = deliveryBytes(identifiers);
  if (message === undefined) return bytes;
  message.holders -= 1;
  return message.holders === 0 ? bytes + messageBytes(message) : bytes;
}

function deliveryBytes(identifiers: readonly number[] | undefined): number {
  return MEMORY.deliveryBytes + MEMORY.numberBytes * (identifiers?.length ?? 0);
}

export class Deliveries extends CountedMap<number, Delivery> {
  constructor(ledger: Ledger) {
    super(ledger, "messages", taken, left);
  }
}

/** What a message that is kept costs, bytes; the topic is there as text and as bytes. */
export function messageBytes(message: Message): number {
  return MEMORY.messageBytes + MEMORY.characterBytes * message.topic.length + message.size;
}
