/** Statements on the SQLite of Node, answered as a Durable Object answers. */

import type { StatementSync } from "node:sqlite";

/** What of a cursor the stores look at. */
interface Answer {
  readonly toArray: () => unknown[];
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/** @param query what the statement was prepared from */
export function answerOf(statement: StatementSync, query: string, bindings: readonly (string | number | Uint8Array | null)[]): Answer {
  if (/^\s*(?:SELECT|PRAGMA)/.test(query)) {
    const rows = statement.all(...bindings);
    return { toArray: () => rows, rowsRead: rows.length, rowsWritten: 0 };
  }
  if (/\sRETURNING\s/.test(query)) {
    const rows = statement.all(...bindings);
    return { toArray: () => rows, rowsRead: rows.length, rowsWritten: rows.length };
  }
  const { changes } = statement.run(...bindings);
  return { toArray: () => [], rowsRead: 0, rowsWritten: Number(changes) };
}
