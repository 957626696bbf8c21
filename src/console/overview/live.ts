/** What the broker did in the last minute: worked out from what it has counted each time that it was looked at. */
import { useRef } from "preact/hooks";
import type { Figures, ObjectFigures } from "./figures.ts";

const KEPT_MS = 60_000;

/** Between two looks: messages a second, and how much there was at the second. */
export interface LivePoint {
  readonly time: number;
  readonly received: number;
  readonly sent: number;
  readonly dropped: number;
  readonly connections: number;
  readonly waiting: number;
  /** What is billed, a second. */
  readonly requests: number;
  readonly rowsWritten: number;
}

/** @returns a new list with each look, the earliest first */
export function useLive(figures: Figures | undefined): readonly LivePoint[] {
  const kept = useRef<{ last: Figures | undefined; points: readonly LivePoint[] }>({ last: undefined, points: [] });
  const { last, points } = kept.current;
  if (figures === undefined || figures === last) return points;
  const fresh = last === undefined ? [] : [pointOf(last, figures)];
  kept.current = { last: figures, points: [...points, ...fresh].filter(({ time }) => time > figures.time - KEPT_MS) };
  return kept.current.points;
}

function pointOf(before: Figures, after: Figures): LivePoint {
  const seconds = Math.max(0.001, (after.time - before.time) / 1000);
  const rate = (name: string): number => {
    let sum = 0;
    for (const [index, each] of after.metrics.entries()) {
      const was = before.metrics[index];
      // One that has woken anew counts from nothing.
      const since = was?.node === each.node && count(was, name) <= count(each, name) ? count(was, name) : 0;
      sum += count(each, name) - since;
    }
    return sum / seconds;
  };
  const total = (name: string): number => after.stats.reduce((sum, each) => sum + count(each, name), 0);
  return {
    time: after.time,
    received: rate("messages.received"),
    sent: rate("messages.sent"),
    dropped: rate("delivery.dropped"),
    connections: total("live_connections.count"),
    waiting: total("mqueue.count"),
    requests: rate("billed.requests"),
    rowsWritten: rate("billed.rows_written"),
  };
}

function count(figures: ObjectFigures, name: string): number {
  return Number(figures[name] ?? 0);
}
