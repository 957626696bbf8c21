/** What it costs to handle what comes, as packets without anything: by its size, and by the rows that it writes. */

import { type BatchRecord, RECORD_LIVE, RECORD_PUBLISH, RECORD_SHARED } from "../mqtt/batch.ts";
import { PUBLISH } from "../mqtt/packet.ts";
import type { ShareTarget } from "../mqtt/share-target.ts";
import { BYTES_WORK, RETAINED_WORK } from "../work-limits.ts";

/** @param bytes of one packet of a client */
export function packetWork(bytes: Uint8Array): number {
  return messageWork(bytes.length, bytes[0]! >> 4 === PUBLISH && (bytes[0]! & 1) === 1);
}

/** A record of another object by itself; whatever is no message may write a row. */
export function recordWork(record: BatchRecord): number {
  const { kind } = record;
  if (kind === RECORD_LIVE) return messageWork(record.message.size, false);
  if (kind === RECORD_SHARED) return messageWork(record.message.size + charactersOf(record.shares), false);
  return kind === RECORD_PUBLISH ? messageWork(record.message.size, record.message.retain) : RETAINED_WORK;
}

function charactersOf(shares: readonly ShareTarget[]): number {
  let characters = 0;
  for (const { filter } of shares) characters += filter.length;
  return characters;
}

function messageWork(size: number, isRetained: boolean): number {
  return 1 + Math.floor(size / BYTES_WORK) + (isRetained ? RETAINED_WORK : 0);
}
