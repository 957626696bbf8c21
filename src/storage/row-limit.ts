/**
 * The one bound that every store keeps: a row's blob is at most ROW_BYTES_MAX. The platform refuses rows over 2 MB, workerd on one's
 * own machine takes more (seen with 2,200,000 bytes, 2026-11): checked here, all stores refuse alike and tests see it.
 */

import { ROW_BYTES_MAX } from "../storage-limits.ts";

/** Nothing was written, and storage is well: it is this row's owner who has too much. */
export class RowTooLarge extends RangeError {}

/** @throws RowTooLarge when the blob has more than ROW_BYTES_MAX bytes */
export function checkRowBytes(blob: Uint8Array): void {
  if (blob.length <= ROW_BYTES_MAX) return;
  throw new RowTooLarge(`A blob of ${blob.length} bytes does not fit into a row: at most ${ROW_BYTES_MAX} bytes are stored.`);
}
