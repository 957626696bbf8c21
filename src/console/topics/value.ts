/** A message as the view of topics keeps it, and how much it keeps: what one publisher sends must not fill the memory of a browser. */
import type { MessageProperties } from "../../client/index.ts";
import { weightOf } from "../payload/property-rows.ts";

/** New levels beyond these are counted and not shown, nor beyond so many characters of all their topics. */
export const LEVELS_MAX = 250_000;
export const TOPIC_CHARACTERS_MAX = 32 * 1024 * 1024;
/** Payloads and properties beyond it are not kept, but for those of topics that are watched. */
export const BYTES_MAX = 64 * 1024 * 1024;

export interface Value {
  /** Undefined: it was not kept, for want of room. */
  readonly payload: Uint8Array | undefined;
  readonly size: number;
  readonly qos: number;
  readonly retain: boolean;
  /** When it came, ms since the epoch. */
  readonly time: number;
  readonly properties: MessageProperties;
  /** There were properties, and no room for them. */
  readonly isStripped?: boolean;
}

export interface Came extends Value {
  readonly topic: string;
}

/** What it takes. */
export function bytesOf(value: Value | undefined): number {
  return value === undefined ? 0 : (value.payload?.length ?? 0) + weightOf(value.properties);
}

/** As much of it as there is room for: without its properties first, then without its payload. */
export function fitted<Kept extends Value>(value: Kept, room: number): Kept {
  if (bytesOf(value) <= room) return value;
  const stripped = { ...value, properties: {}, isStripped: value.isStripped === true || weightOf(value.properties) > 0 };
  return bytesOf(stripped) <= room ? stripped : { ...stripped, payload: undefined };
}
