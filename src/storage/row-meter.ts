/**
 * Counts what the platform bills for storage: rows read and rows written. One meter belongs to one object; stores of all kinds add to
 * it, the object reports it. Knows nothing of what the rows hold.
 */

/** Running totals since the object started. */
export interface RowMeter {
  rowsRead: number;
  rowsWritten: number;
}

export function createRowMeter(): RowMeter {
  return { rowsRead: 0, rowsWritten: 0 };
}
