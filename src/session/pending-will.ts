/** A will as its session has it, until it is published or discarded. */

import { MEMORY } from "../memory-limits.ts";
import type { Will } from "../mqtt/packet.ts";

/** A Will Message that may have to be published. */
export interface PendingWill {
  readonly will: Will;
  /** Milliseconds since the epoch; 0 while the client is connected. */
  readonly dueAt: number;
  /** It waits for a client that was lost with the object's memory, which may know nothing of it: back in time, it has its will discarded. */
  readonly inGrace: boolean;
  /** Its row does not say whose it is: what was found at CONNECT holds. */
  readonly checked?: boolean;
  /** After how long it was tried again last, because nobody took it. */
  readonly retryMs?: number;
}

/** What a will costs in memory. */
export function willBytes(will: Will | undefined): number {
  if (will === undefined) return 0;
  const { topic, payload, properties } = will;
  let bytes = MEMORY.willBytes + MEMORY.characterBytes * topic.length + payload.length;
  for (const value of Object.values(properties)) {
    if (typeof value === "string" || value instanceof Uint8Array) bytes += MEMORY.characterBytes * value.length;
  }
  for (const [name, value] of properties.userProperties ?? []) {
    bytes += MEMORY.userPropertyBytes + MEMORY.characterBytes * (name.length + value.length);
  }
  return bytes;
}
