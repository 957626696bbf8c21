/** Messages and connections over a minute, as this page has seen it, or over the hour and the day that the broker keeps. */
import type { ComponentChildren } from "preact";
import { rateText } from "../parts/numbers.ts";
import { Plot, type Series } from "../parts/plot.tsx";
import { usePolled } from "../parts/polled.ts";
import { ApiProblem } from "../session/api.ts";
import { sentence } from "../session/link.ts";
import { api } from "../session/session.ts";
import type { LivePoint } from "./live.ts";

export const RANGES = [
  { key: "minute", name: "Minute", seconds: 60 },
  { key: "hour", name: "Hour", seconds: 3600 },
  { key: "day", name: "Day", seconds: 86_400 },
] as const;

export type Range = (typeof RANGES)[number]["key"];

/** Of `/monitor`. */
interface Point {
  readonly time_stamp: number;
  readonly received: number;
  readonly sent: number;
  readonly dropped: number;
  readonly live_connections: number;
}

const HEIGHT = 170;
const LOOK_MS = 30_000;

export function Curves({ range, live }: { readonly range: Range; readonly live: readonly LivePoint[] }) {
  return range === "minute" ? <Live points={live} /> : <Kept key={range} range={range} />;
}

function Live({ points }: { readonly points: readonly LivePoint[] }) {
  if (points.length < 2) return <p class="nothing">The first points come in some seconds.</p>;
  const times = points.map(({ time }) => time / 1000);
  return (
    <Both
      times={times}
      rates={rateSeries(points)}
      counts={[
        { name: "connections", values: points.map(({ connections }) => connections) },
        { name: "waiting messages", values: points.map(({ waiting }) => waiting) },
      ]}
    >
      <Plot
        label="What is billed, a second"
        height={HEIGHT}
        times={times}
        series={[
          { name: "requests", values: points.map(({ requests }) => requests) },
          { name: "rows written", values: points.map(({ rowsWritten }) => rowsWritten) },
        ]}
        text={rateText}
      />
    </Both>
  );
}

function Kept({ range }: { readonly range: Exclude<Range, "minute"> }) {
  const { seconds } = RANGES.find(({ key }) => key === range)!;
  const asker = api.value;
  const { answer, error, again } = usePolled(
    (signal) => asker.get<Point[]>("/monitor", { latest: seconds }, signal),
    [asker, range],
    LOOK_MS,
  );
  if (answer === undefined && error === undefined) return <p class="nothing">Asking the broker …</p>;
  if (answer === undefined)
    return (
      <p class="nothing">
        {error instanceof ApiProblem && error.status === 404 ? (
          <>
            The broker does not keep what it counts. It does with the variable <code>MONITOR</code> set to <code>true</code>; the last
            minute is seen without it.
          </>
        ) : (
          <>
            {sentence(error)}{" "}
            <button type="button" onClick={again}>
              Try again
            </button>
          </>
        )}
      </p>
    );
  // The last point is of a time that is not over.
  const points = answer.slice(0, -1);
  const step = points.length > 1 ? (points[1]!.time_stamp - points[0]!.time_stamp) / 1000 : 60;
  const perSecond = points.map(({ received, sent, dropped }) => ({
    received: received / step,
    sent: sent / step,
    dropped: dropped / step,
  }));
  return (
    <Both
      times={points.map(({ time_stamp }) => time_stamp / 1000)}
      rates={rateSeries(perSecond)}
      counts={[{ name: "connections", values: points.map(({ live_connections }) => live_connections) }]}
    />
  );
}

function rateSeries(points: readonly { readonly received: number; readonly sent: number; readonly dropped: number }[]): Series[] {
  return [
    { name: "in", values: points.map(({ received }) => received), color: "--accent" },
    { name: "out", values: points.map(({ sent }) => sent), color: "--good" },
    { name: "dropped", values: points.map(({ dropped }) => dropped), color: "--bad" },
  ];
}

interface BothProps {
  readonly times: readonly number[];
  readonly rates: readonly Series[];
  readonly counts: readonly Series[];
  /** Further plots. */
  readonly children?: ComponentChildren;
}

function Both({ times, rates, counts, children }: BothProps) {
  return (
    <div class="columns">
      <Plot label="Messages a second" height={HEIGHT} times={times} series={rates} text={rateText} />
      <Plot label="How many" height={HEIGHT} times={times} series={counts} />
      {children}
    </div>
  );
}
