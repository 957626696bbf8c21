/** What the contract suites of the stores share. */

import type { RowMeter } from "../../src/storage/row-meter.ts";

/**
 * Runs a test body with an empty database. `open` makes a store over it; called again it stands for a restart: a new store over the
 * same rows. The meter counts for all of them.
 */
export type WithStore<Store> = (body: (open: () => Store, meter: RowMeter) => void) => Promise<void>;

/** Bytes that differ along the way, so that a shifted or shortened copy shows. */
export function bytes(length: number, seed = 0): Uint8Array {
  const result = new Uint8Array(length);
  for (let at = 0; at < length; at++) result[at] = (at * 31 + (at >> 8) + seed) & 0xff;
  return result;
}

/** Whether two arrays hold the same bytes: for megabytes, where the test runner's own comparison takes seconds. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/**
 * Topics whose order tells UTF-8 from UTF-16 and bytes from letters, sorted by their UTF-8 bytes: characters below `/`, above U+FFFF
 * against U+E000 to U+FFFF, a byte order mark, case, composed and decomposed letters, empty levels.
 */
export const NASTY_TOPICS: readonly string[] = [
  "\u0001",
  " ",
  "!a",
  "$SYS/uptime",
  "'; DROP TABLE retained; --",
  "/",
  "//",
  "/a",
  "A",
  "a",
  "a ",
  "a!",
  "a!b",
  "a-b",
  "a/",
  "a/!",
  "a//b",
  "a/b",
  "a/b/c",
  "a/b0",
  "a0",
  "a\u0308",
  "b",
  "~",
  "\u007f",
  "ä",
  "\u07ff",
  "\u0800",
  "\ud7ff",
  "\ue000",
  "\ufefffeff",
  "\uffff",
  "\u{10000}",
  "\u{1f600}",
  "\u{10ffff}",
];
