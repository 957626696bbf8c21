/** What the broker did in the last minute: worked out from what it has counted each time that it was looked at. */
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

/** An object as it was when it last answered. */
interface Last {
  readonly figures: ObjectFigures;
  readonly time: number;
}

export class Live {
  points: readonly LivePoint[] = [];
  #figures: Figures | undefined;
  #last: ReadonlyMap<string, Last> = new Map();

  /** @returns a new list with each look, the earliest first */
  look(figures: Figures): readonly LivePoint[] {
    if (figures === this.#figures) return this.points;
    const fresh = this.#figures === undefined ? [] : [this.#pointOf(figures)];
    const up = figures.metrics.filter((each) => each.up).map((each) => [each.node, { figures: each, time: figures.time }] as const);
    this.#figures = figures;
    this.#last = new Map([...this.#last, ...up]);
    this.points = [...this.points, ...fresh].filter(({ time }) => time > figures.time - KEPT_MS);
    return this.points;
  }

  #pointOf({ time, metrics, stats }: Figures): LivePoint {
    const rate = (name: string): number => metrics.reduce((sum, each) => sum + this.#rateOf(each, name, time), 0);
    const total = (name: string): number => stats.reduce((sum, each) => sum + count(each, name), 0);
    return {
      time,
      received: rate("messages.received"),
      sent: rate("messages.sent"),
      dropped: rate("delivery.dropped"),
      connections: total("live_connections.count"),
      waiting: total("mqueue.count"),
      requests: rate("billed.requests"),
      rowsWritten: rate("billed.rows_written"),
    };
  }

  /** Since it has answered before: one that does not answer has zeros, which are no figures. */
  #rateOf(figures: ObjectFigures, name: string, time: number): number {
    const last = this.#last.get(figures.node);
    if (!figures.up || last === undefined) return 0;
    const [now, before] = [count(figures, name), count(last.figures, name)];
    // One that has woken anew counts from nothing.
    return (now - (before <= now ? before : 0)) / Math.max(0.001, (time - last.time) / 1000);
  }
}

function count(figures: ObjectFigures, name: string): number {
  return Number(figures[name] ?? 0);
}
