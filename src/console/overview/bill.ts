/** The bill of a month, worked out from what objects have counted and the price list. */
import { PAID } from "./prices.ts";

/** Of `/usage`. */
export interface MonthUsage {
  /** Such as `2026-11`, of UTC. */
  readonly month: string;
  readonly requests: number;
  readonly calls: number;
  readonly socket_messages: number;
  readonly alarms: number;
  readonly rows_read: number;
  readonly rows_written: number;
  readonly awake_seconds: number;
}

export interface BillLine {
  readonly name: string;
  /** What was used. */
  readonly units: number;
  readonly included: number;
  /** Dollars for a million beyond that. */
  readonly price: number;
  /** Dollars. */
  readonly cost: number;
}

export interface Bill {
  readonly lines: readonly BillLine[];
  /** Dollars, without the plan itself. */
  readonly total: number;
}

export function billOf(usage: MonthUsage): Bill {
  const { requests, calls, socket_messages, alarms, rows_read, rows_written, awake_seconds } = usage;
  const lines = [
    lineOf(
      "Requests",
      requests + calls + alarms + socket_messages / PAID.socketMessagesForRequest,
      PAID.includedRequests,
      PAID.millionRequests,
    ),
    lineOf("Rows written", rows_written, PAID.includedRowsWritten, PAID.millionRowsWritten),
    lineOf("Rows read", rows_read, PAID.includedRowsRead, PAID.millionRowsRead),
    lineOf("Running time, GB-s", awake_seconds * PAID.gigabytesOfObject, PAID.includedGigabyteSeconds, PAID.millionGigabyteSeconds),
  ];
  return { lines, total: lines.reduce((sum, { cost }) => sum + cost, 0) };
}

function lineOf(name: string, units: number, included: number, price: number): BillLine {
  return { name, units, included, price, cost: (Math.max(0, units - included) / 1e6) * price };
}

/** What the whole month will have, if it goes on as it did until now. @param now ms since the epoch */
export function projected(usage: MonthUsage, now: number): MonthUsage {
  const [year, month] = usage.month.split("-").map(Number) as [number, number];
  const [begin, end] = [Date.UTC(year, month - 1), Date.UTC(year, month)];
  const factor = (end - begin) / Math.max(1, Math.min(now, end) - begin);
  const { month: name, ...counts } = usage;
  const all = Object.fromEntries(Object.entries(counts).map(([field, count]) => [field, count * factor]));
  return { month: name, ...all } as unknown as MonthUsage;
}
