/** What a run found, as it is kept in a file: everything that a report is made of. And what is read out of it. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../scripts/build/bundle.ts";
import type { Usage } from "../src/objects/meter.ts";
import type { Sample } from "./run.ts";
import type { Scenario } from "./scenarios.ts";

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  /** Server and load program had cores of their own. */
  readonly pinned: boolean;
  readonly versions: Readonly<Record<string, string>>;
}

export interface ScenarioResult {
  readonly key: string;
  /** When it began, ISO 8601. */
  readonly at: string;
  /** Which version of this broker was measured. */
  readonly broker: string;
  /** The machine's load average over a minute, before it began: what else was going on. */
  readonly loadAverage: number;
  /** As asked for; a scenario may have fewer. */
  readonly rounds: number;
  /** Measured time of each. */
  readonly seconds: number;
  /** By contender; empty when it failed. */
  readonly samples: Record<string, Sample[]>;
  /** Why a contender failed, in a sentence. */
  readonly failures: Record<string, string>;
}

/** What a million messages of a scenario cost in one topology. */
export interface BillRow extends Usage {
  readonly scenario: string;
  readonly contender: string;
  readonly messages: number;
  readonly deliveries: number;
  /** Seconds for which objects were awake, all of them together. */
  readonly objectSeconds: number;
}

export interface MicroRow {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The same elsewhere, if there is one. */
  readonly other: string;
}

export interface LongRow {
  readonly what: string;
  readonly contender: string;
  readonly at: string;
  readonly perSecond: number;
  /** Processor seconds of the server for a million deliveries: does not depend on what else the machine does. */
  readonly cpuOfMillion: number | undefined;
  readonly memoryBytes: number | undefined;
}

export interface Results {
  machine?: Machine;
  scenarios: ScenarioResult[];
  bill: BillRow[];
  micro: MicroRow[];
  long: LongRow[];
  /** Of what is no scenario: when it was measured, and which version. */
  taken: Partial<Record<OtherPart, Taken>>;
}

export type OtherPart = "bill" | "micro" | "long";

export interface Taken {
  readonly at: string;
  readonly broker: string;
}

const FILE = join(ROOT, "dist", "bench.json");

const NOTHING: Results = { scenarios: [], bill: [], micro: [], long: [], taken: {} };

/** @returns what the last run left, or nothing */
export function readResults(): Results {
  try {
    return { ...NOTHING, ...(JSON.parse(readFileSync(FILE, "utf8")) as Results) };
  } catch {
    return NOTHING;
  }
}

export function writeResults(results: Results): void {
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, JSON.stringify(results));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** What a scenario counts, of one sample. */
export function figureOf(unit: Scenario["unit"], sample: Sample): number {
  if (unit === "ms") return sample.p50 ?? Number.NaN;
  if (unit === "KB") return (sample.memoryAfter! - sample.memoryBefore!) / 1024 / sample.count;
  return sample.perSecond;
}

/** The median of a contender, or undefined when it was not measured. */
export function medianOf(
  result: ScenarioResult | undefined,
  contender: string,
  value: (sample: Sample) => number | undefined,
): number | undefined {
  const values = (result?.samples[contender] ?? []).map(value).filter((each): each is number => each !== undefined && !Number.isNaN(each));
  return values.length === 0 ? undefined : median(values);
}

/** How often more (or, of what should be little, less) one contender reaches than another; undefined when one was not measured. */
export function ratio(scenario: Scenario, result: ScenarioResult | undefined, contender: string, base: string): number | undefined {
  const value = (sample: Sample): number => figureOf(scenario.unit, sample);
  const [own, other] = [medianOf(result, contender, value), medianOf(result, base, value)];
  return own === undefined || other === undefined || other === 0 ? undefined : own / other;
}

/** Processor seconds of a server for a million of what a scenario counts. */
export function cpuOfMillion({ cpuSeconds, count }: Sample): number | undefined {
  return cpuSeconds === undefined || count === 0 ? undefined : (cpuSeconds / count) * 1e6;
}

/** How often less processor time one contender takes for the same than another. */
export function cpuRatio(result: ScenarioResult | undefined, contender: string, base: string): number | undefined {
  const [own, other] = [medianOf(result, contender, cpuOfMillion), medianOf(result, base, cpuOfMillion)];
  return own === undefined || other === undefined || own === 0 ? undefined : other / own;
}
