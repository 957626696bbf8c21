/** A will as its session has it, until it is published or discarded. */

import { MEMORY } from "../memory-limits.ts";
import type { Will } from "../mqtt/packet.ts";
import type { Identity } from "./ports.ts";

/** A Will Message that may have to be published. */
export interface PendingWill {
  readonly will: Will;
  /** Milliseconds since the epoch; 0 while the client is connected. */
  readonly dueAt: number;
  /** It waits for a client that was lost with the object's memory, which may know nothing of it: back in time, it has its will discarded. */
  readonly inGrace: boolean;
  /** Its row does not say whose it is: what was found at CONNECT holds. */
  readonly checked?: boolean;
  /** The number of its own row, of one that nobody took: it is no connection's any more. */
  readonly row?: number | undefined;
  /** After how long it was tried again last, because nobody took it. */
  readonly retryMs?: number;
}

/** A will that is being published. Its row is that of its client's will until that has another connection, and of its own then. */
export interface WillUnderWay {
  readonly clientId: string;
  readonly identity: Identity;
  readonly pending: PendingWill;
  /** Of its own row; undefined: it has its client's. */
  row: number | undefined;
}

/** No Client Identifier begins so: under such a name stands the row of a will that is no connection's any more. */
const OWN = "\0will ";

export function ownWillName(clientId: string, row: number): string {
  return `${OWN}${row} ${clientId}`;
}

/** @returns whose will it is and the number of its own row, undefined where the row is that of its client's */
export function readWillName(name: string): { readonly clientId: string; readonly row: number | undefined } {
  if (!name.startsWith(OWN)) return { clientId: name, row: undefined };
  const end = name.indexOf(" ", OWN.length);
  return { clientId: name.slice(end + 1), row: Number(name.slice(OWN.length, end)) };
}

/** Whether it is only still to be published, whoever comes back. */
export function isDue({ dueAt }: PendingWill, now: number): boolean {
  return dueAt > 0 && dueAt <= now;
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
