/** What `bench` has measured, for a program to read, and as a table for people. */

import type { Load, LoadOptions } from "./bench-load.ts";
import type { Plan } from "./bench-plan.ts";
import type { Histogram } from "./histogram.ts";
import { paint } from "./terminal.ts";

/** Milliseconds. */
interface Times {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

interface Row {
  readonly count: number;
  /** Of messages, over the time of the load. */
  readonly per_second?: number;
  /** Undefined for what takes no time, and where there was none. */
  readonly ms?: Times;
}

export interface Result {
  readonly server: string;
  readonly scenario: string;
  readonly publishers: number;
  readonly subscribers: number;
  readonly topics: number;
  readonly qos: number;
  readonly size: number;
  /** What was asked for. */
  readonly rate: number;
  readonly seconds: number;
  /** Stopped before its time. */
  readonly stopped: boolean;
  readonly connected: Row;
  readonly subscribed?: Row;
  readonly published?: Row;
  readonly acknowledged?: Row;
  readonly received?: Row;
  /** Messages that subscribers have not got. */
  readonly lost: number;
  /** Of what was due, what was not done because this machine or the broker was not quick enough. */
  readonly missed: number;
  /** Connections, subscriptions and messages. */
  readonly failed: number;
  readonly error?: string;
  /** Nothing failed, and at QoS 1 and 2 nothing is lost. */
  readonly ok: boolean;
}

/** @param seconds undefined where how many there were in a second says nothing */
function rowOf(histogram: Histogram, seconds?: number): Row {
  const { count, mean, max } = histogram;
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => rounded(histogram.percentile(share))) as [number, number, number];
  const times = count === 0 ? {} : { ms: { mean: rounded(mean), p50, p95, p99, max: rounded(max) } };
  return { count, ...(seconds === undefined ? {} : { per_second: perSecond(count, seconds) }), ...times };
}

function perSecond(count: number, seconds: number): number {
  return seconds === 0 ? 0 : Math.round((count / seconds) * 10) / 10;
}

/** To a microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** @param server as far as it may be told @param stopped before its time */
export function resultOf(load: Load, plan: Plan, { qos, size, seconds }: LoadOptions, server: string, stopped: boolean): Result {
  const { kind, publishers, subscribers, topics, copies } = plan;
  const { connected, subscribed, acknowledged, received, published, missed, failed, error, loadMs } = load.measured;
  const during = loadMs / 1000;
  const hasMessages = kind !== "conn" && kind !== "sub";
  const lost = Math.max(0, load.expected - received.count);
  const isWhole = !hasMessages || (lost === 0 && acknowledged.count === published);
  return {
    server,
    scenario: kind,
    publishers,
    subscribers,
    topics,
    qos,
    size,
    rate: kind === "fanout" ? plan.rate * copies : plan.rate,
    seconds,
    stopped,
    connected: rowOf(connected),
    ...(subscribed.count > 0 ? { subscribed: rowOf(subscribed) } : {}),
    ...(hasMessages ? { published: { count: published, per_second: perSecond(published, during) } } : {}),
    ...(hasMessages && qos > 0 ? { acknowledged: rowOf(acknowledged, during) } : {}),
    ...(copies > 0 ? { received: rowOf(received, during) } : {}),
    lost,
    missed,
    failed,
    ...(error === undefined ? {} : { error }),
    ok: failed === 0 && (qos === 0 || stopped || isWhole),
  };
}

const COLUMNS = ["mean", "p50", "p95", "p99", "max"] as const;
const WIDTH = 10;

export function tableOf(result: Result): string {
  const { server, scenario, connected, subscribed, published, acknowledged, received } = result;
  const head = `${"".padEnd(12)}${["count", "/s", ...COLUMNS].map((name) => name.padStart(WIDTH)).join("")}  ms`;
  const rows = { connected, subscribed, published, acknowledged, received };
  const lines = Object.entries(rows).flatMap(([name, row]) => (row === undefined ? [] : [lineOf(name, row)]));
  return [`${scenario} at ${server}: ${scaleOf(result)}`, paint("dim", head), ...lines, verdictOf(result)].join("\n");
}

function numberOf(number: number): string {
  return number.toLocaleString("en");
}

function scaleOf({ scenario, publishers, subscribers, topics, qos, size, rate, seconds }: Result): string {
  const sides = Object.entries(scenario === "conn" ? { connections: subscribers } : { publishers, subscribers, topics }).filter(
    ([, count]) => count > 0,
  );
  const parts = sides.map(([name, count]) => `${numberOf(count)} ${count === 1 ? name.slice(0, -1) : name}`);
  const messages = publishers > 0 ? [`QoS ${qos}`, `${numberOf(size)} bytes`] : [];
  return [...parts, ...messages, `${numberOf(rate)} a second for ${numberOf(seconds)} s`].join(", ");
}

function lineOf(name: string, { count, per_second, ms }: Row): string {
  const times = COLUMNS.map((column) => (ms === undefined ? "" : ms[column].toFixed(1)));
  const cells = [numberOf(count), per_second === undefined ? "" : numberOf(per_second), ...times];
  return `${name.padEnd(12)}${cells.map((cell) => cell.padStart(WIDTH)).join("")}`.trimEnd();
}

function verdictOf({ ok, stopped, lost, missed, failed, error }: Result): string {
  const parts = [
    ok ? paint("green", "ok") : paint("red", "failed"),
    stopped && "stopped before its time",
    lost > 0 && `${numberOf(lost)} messages are lost`,
    missed > 0 && paint("yellow", `${numberOf(missed)} were not done in their time: this machine or the broker was not quick enough`),
    failed > 0 && `${numberOf(failed)} failures, the first: ${error!.replace(/\.$/, "")}`,
  ];
  return parts.filter((part) => part !== false).join(", ");
}
