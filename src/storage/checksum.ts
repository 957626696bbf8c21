/**
 * A checksum of what a row holds, in the row: bytes that have changed on the disk are noticed and not delivered. Every change within four
 * bytes is noticed, others but one in four thousand million. Guards against faults, not against malice.
 */

type Value = string | number | Uint8Array;

/** @returns 32 bits as a whole number that is not negative */
export function checksum(...values: readonly Value[]): number {
  let sum = 0x2545f491;
  for (const value of values) {
    if (typeof value === "string") sum = ofText(sum, value);
    else if (typeof value === "number") sum = mix(mix(sum, value | 0), Math.floor(value / 2 ** 32) | 0);
    else sum = ofBytes(sum, value);
  }
  return sum >>> 0;
}

/** One step: for what went before, each word gives another sum, and for each word every sum another one. */
function mix(sum: number, word: number): number {
  const product = Math.imul(sum ^ word, 0x9e37_79b1);
  return product ^ (product >>> 15);
}

function ofText(before: number, text: string): number {
  let sum = mix(before, text.length);
  for (let at = 0; at < text.length; at += 1) sum = mix(sum, text.charCodeAt(at));
  return sum;
}

function ofBytes(before: number, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let sum = mix(before, bytes.length);
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) sum = mix(sum, view.getInt32(at, true));
  for (; at < bytes.length; at += 1) sum = mix(sum, bytes[at]!);
  return sum;
}

/** A row as it is read, with the checksum in it; null in rows of before there were any. */
export type Checked<Row> = Row & { readonly checksum: number | null };

/**
 * What a row says about itself: whether it is as it was written.
 * @param stored null for a row of before there were checksums, of which nothing is known
 */
export function changed(stored: number | null, ...values: readonly Value[]): { readonly damaged?: true } {
  return stored === null || stored === checksum(...values) ? AS_WRITTEN : DAMAGED;
}

const AS_WRITTEN = {};
const DAMAGED = { damaged: true } as const;
