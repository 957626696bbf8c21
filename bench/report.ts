/**
 * What was measured as tables: on the terminal while it runs, and in docs/performance.md between markers. The words around them are
 * written by hand.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/build/bundle.ts";
import { billPrices, billUnits } from "./bill-tables.ts";
import { contenders } from "./brokers.ts";
import { longTable } from "./long-table.ts";
import { microTable } from "./micro/index.ts";
import { plots } from "./plots.ts";
import {
  cpuOfMillion,
  cpuRatio,
  figureOf,
  type Machine,
  median,
  medianOf,
  type OtherPart,
  type Results,
  ratio,
  type ScenarioResult,
} from "./results.ts";
import type { Sample } from "./run.ts";
import { type Group, SCENARIOS, type Scenario } from "./scenarios.ts";
import { takesPart } from "./suite.ts";
import { number, table, times } from "./tables.ts";

/** In the order of the columns. */
export const NAMES: Readonly<Record<string, string>> = {
  compact: "compact",
  handed: "handed over",
  relayed: "relayed",
  aedes: "aedes",
  mosquitto: "mosquitto",
  floor: "bare object",
  relay: "bare relay",
  ceiling: "no broker",
};

const BROKERS = ["compact", "handed", "relayed", "aedes", "mosquitto"];
const OWN = ["compact", "handed", "relayed"];
const OTHERS = ["aedes", "mosquitto", "floor", "relay"];

/** One scenario on the terminal, as soon as it is there. */
export function printScenario(scenario: Scenario, result: ScenarioResult): void {
  const keys = Object.keys(result.samples);
  const cells = keys.map((key) => {
    if (result.failures[key] !== undefined) return "failed";
    const value = medianOf(result, key, (sample) => figureOf(scenario.unit, sample));
    const against = (base: string): string => times(ratio(scenario, result, key, base));
    return key === "aedes" ? number(value) : `${number(value)} (${against("aedes")}, floor ${against("floor")})`;
  });
  console.log(`\n${scenario.title}, ${scenario.unit}`);
  console.log(
    table(
      keys.map((key) => NAMES[key] ?? key),
      [cells],
    ),
  );
  for (const [key, reason] of Object.entries(result.failures)) console.log(`${NAMES[key]}: ${reason}`);
}

export function printBill(results: Results): void {
  console.log(`\n${billUnits(results)}\n\n${billPrices(results)}`);
}

/** A table of docs/performance.md. */
interface Part {
  /** Of its markers. */
  readonly name: string;
  /** What it is made of. */
  readonly of: readonly Scenario[] | OtherPart;
  readonly make: (results: Results) => string;
  /** It is about the load program's ceiling, too. */
  readonly ceiling?: true;
}

const TARGETED = SCENARIOS.filter(({ targets }) => targets !== undefined);
const of = (...groups: Group[]): Scenario[] => SCENARIOS.filter(({ group }) => groups.includes(group));
const ratios = (group: Group): Part => ({ name: group, of: of(group), make: (results) => ratioTable(results, group) });

const PARTS: readonly Part[] = [
  { name: "targets", of: TARGETED, make: targetTable },
  { name: "work", of: TARGETED, make: workTable },
  ...(["packets", "windows", "library", "packets5", "bursts", "payloads", "connections"] as const).map(ratios),
  { name: "latency", of: of("latency"), make: (results) => latencyTable(results, "latency") },
  { name: "emq", of: of("emq"), make: (results) => latencyTable(results, "emq") },
  { name: "memory", of: of("memory"), make: memoryTable },
  { name: "cpu", of: of("packets", "payloads"), make: cpuTable },
  { name: "ceiling", of: SCENARIOS.filter(({ ceiling }) => ceiling), make: ceilingTable, ceiling: true },
  { name: "units", of: "bill", make: billUnits },
  { name: "prices", of: "bill", make: billPrices },
  { name: "micro", of: "micro", make: ({ micro }) => microTable(micro) },
  { name: "long", of: "long", make: longTable },
];

/** Keys of what was not measured yet, of those who take part in each; a part with one of them has no table. */
export function unmeasured(results: Results, { of, ceiling }: Pick<Part, "of" | "ceiling">): string[] {
  if (typeof of === "string") return results[of].length === 0 ? [of] : [];
  const all = contenders().filter(({ key }) => ceiling || key !== "ceiling");
  const missing = of.filter((scenario) => {
    const result = find(results, scenario.key);
    return all.some((contender) => takesPart(contender, scenario) && result?.samples[contender.key] === undefined);
  });
  return missing.map(({ key }) => key);
}

/** Replaces what stands between the markers of each part of which everything was measured, and draws the plots. Each says of what it is. */
export function writeReport(results: Results): void {
  const path = join(ROOT, "docs/performance.md");
  const { machine } = results;
  let text = readFileSync(path, "utf8");
  if (machine !== undefined) text = between(text, "machine", () => machineText(results, machine));
  for (const part of PARTS) {
    const missing = unmeasured(results, part);
    if (missing.length === 0) text = between(text, part.name, () => `${part.make(results)}\n\n${takenText(results, part.of)}`);
    else console.log(`The table "${part.name}" stays as it is: not measured yet is ${missing.join(", ")}.`);
  }
  writeFileSync(path, text);
  mkdirSync(join(ROOT, "docs", "performance"), { recursive: true });
  for (const plot of plots(results)) {
    if (unmeasured(results, plot).length === 0) writeFileSync(join(ROOT, "docs", "performance", `${plot.name}.svg`), plot.draw());
  }
  console.log("\ndocs/performance.md and its plots are written.");
}

/** When a part was measured, of which version, and how often. */
function takenText(results: Results, of: Part["of"]): string {
  if (typeof of === "string") {
    const taken = results.taken[of];
    return taken === undefined ? "" : `${taken.broker}, ${clock(taken.at)} UTC.`;
  }
  const taken = of.flatMap(({ key }) => find(results, key) ?? []);
  const brokers = [...new Set(taken.map(({ broker }) => broker))];
  const times = taken.map(({ at }) => at).sort();
  const rounds = [
    ...new Set(taken.map(({ key, rounds, seconds }) => `${Math.min(rounds, roundsMaxOf(key))} of ${secondsOf(key) ?? seconds} s`)),
  ];
  return `${brokers.join(" and ")}, ${clock(times[0])} to ${clock(times.at(-1))} UTC; rounds: ${rounds.join(", ")}.`;
}

function roundsMaxOf(key: string): number {
  return SCENARIOS.find((scenario) => scenario.key === key)?.roundsMax ?? Number.POSITIVE_INFINITY;
}

function secondsOf(key: string): number | undefined {
  return SCENARIOS.find((scenario) => scenario.key === key)?.seconds;
}

function between(text: string, name: string, make: () => string): string {
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  return from < 0 || to < 0 ? text : `${text.slice(0, from + begin.length)}\n\n${make()}\n\n${text.slice(to)}`;
}

export function find(results: Results, key: string): ScenarioResult | undefined {
  return results.scenarios.find((result) => result.key === key);
}

function measured(results: Results, groups: readonly Group[]): { scenario: Scenario; result: ScenarioResult }[] {
  return SCENARIOS.filter(({ group }) => groups.includes(group)).flatMap((scenario) => {
    const result = find(results, scenario.key);
    return result === undefined ? [] : [{ scenario, result }];
  });
}

function machineText(results: Results, machine: Machine): string {
  const loads = results.scenarios.map(({ loadAverage }) => loadAverage);
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `- ${machine.processor}, ${machine.cores} cores, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB, ${machine.system}`,
    `- ${versions.join(", ")}`,
    `- the servers had ${machine.pinned ? "the first core and the load program the other one" : "no core of their own"}`,
    `- load average before each scenario: median ${median(loads).toFixed(1)}, highest ${Math.max(...loads).toFixed(1)} (servers and load program alone make about 2)`,
  ].join("\n");
}

function clock(time: string | undefined): string {
  return time === undefined ? "-" : time.slice(0, 16).replace("T", " ");
}

function targetTable(results: Results): string {
  const rows = SCENARIOS.flatMap((scenario) => {
    const { targets } = scenario;
    if (targets === undefined) return [];
    const result = find(results, scenario.key);
    const cell = (key: "compact" | "handed" | "relayed"): string => {
      const parts = [verdict(ratio(scenario, result, key, "aedes"), targets[key])];
      if (key === "compact" && targets.mosquitto !== undefined) {
        parts.push(`mosquitto ${verdict(ratio(scenario, result, key, "mosquitto"), targets.mosquitto)}`);
      }
      if (key !== "compact" && targets.ofCompact !== undefined) {
        parts.push(`compact ${verdict(ratio(scenario, result, key, "compact"), targets.ofCompact[key])}`);
      }
      return parts.join("; ");
    };
    return [[scenario.title, cell("compact"), cell("handed"), cell("relayed"), bare(scenario, result)]];
  });
  return table(["against aedes", "compact", "sharded, handed over", "sharded, relayed", "bare object, bare relay"], rows);
}

/** What passes frames on and does nothing else: where that does not reach what was aimed at, no broker on it can. */
function bare(scenario: Scenario, result: ScenarioResult | undefined): string {
  return ["floor", "relay"].map((key) => times(ratio(scenario, result, key, "aedes"))).join(", ");
}

/** The same by processor time: what is left of the comparison when the machine has other things to do. */
function workTable(results: Results): string {
  const rows = SCENARIOS.filter(({ targets }) => targets !== undefined).map(({ key, title }) => {
    const result = find(results, key);
    const against = ["compact", "handed", "relayed", "mosquitto", "floor"].map((contender) => times(cpuRatio(result, contender, "aedes")));
    return [title, ...against];
  });
  return table(["processor time of aedes / own", "compact", "handed over", "relayed", "mosquitto", "bare object"], rows);
}

function verdict(reached: number | undefined, wanted: number | undefined): string {
  if (reached === undefined || wanted === undefined) return times(reached);
  return reached >= wanted ? `${times(reached)} (${times(wanted)})` : `**${times(reached)}** (${times(wanted)})`;
}

/** Rates, with ratios to aedes, and to what does nothing in the same place: the bare object, for relayed connections the bare relay. */
function ratioTable(results: Results, group: Group): string {
  const rows = measured(results, [group]).map(({ scenario, result }) => {
    const value = (key: string): string =>
      result.failures[key] === undefined ? number(medianOf(result, key, (sample) => figureOf(scenario.unit, sample))) : "failed";
    const cells = OWN.map((key) => {
      const place = key === "relayed" && result.samples.relay !== undefined ? "relay" : "floor";
      const ratios = [ratio(scenario, result, key, "aedes"), ratio(scenario, result, key, place)];
      return ratios.every((each) => each === undefined) ? value(key) : `${value(key)} (${ratios.map(times).join("; ")})`;
    });
    return [scenario.title, ...cells, ...OTHERS.map(value)];
  });
  return table(["per second (to aedes; to the bare object or relay)", ...[...OWN, ...OTHERS].map((key) => NAMES[key]!)], rows);
}

function latencyTable(results: Results, group: Group): string {
  const rows = measured(results, [group]).map(({ scenario, result }) => [
    scenario.title,
    ...[...BROKERS, "floor"].map((key) => {
      const figures = [(sample: Sample) => sample.mean, (sample: Sample) => sample.p50, (sample: Sample) => sample.p99];
      const [mean, ...others] = figures.map((figure) => medianOf(result, key, figure));
      return mean === undefined ? "-" : [mean, ...others].map(number).join(" / ");
    }),
  ]);
  return table(["milliseconds, mean / p50 / p99", ...[...BROKERS, "floor"].map((key) => NAMES[key]!)], rows);
}

function memoryTable(results: Results): string {
  const keys = [...BROKERS, "floor", "relay"];
  const idle = find(results, "idle");
  const each = (key: string): number | undefined => medianOf(idle, key, (sample) => figureOf("KB", sample));
  const beyond = (key: string): string => {
    const value = each(key);
    const floor = each(key === "relayed" ? "relay" : "floor");
    return value === undefined || floor === undefined || !OWN.includes(key) ? "-" : number(value - floor);
  };
  const whole = (key: string): string => {
    const bytes = medianOf(idle, key, (sample) => sample.memoryAfter);
    return bytes === undefined ? "-" : `${number(bytes / 2 ** 20)} MiB`;
  };
  return table(
    ["10,000 idle connections", ...keys.map((key) => NAMES[key]!)],
    [
      ["KB each", ...keys.map((key) => number(each(key)))],
      ["KB each beyond what bare sockets take in the same place", ...keys.map(beyond)],
      ["the whole process", ...keys.map(whole)],
    ],
  );
}

function cpuTable(results: Results): string {
  const keys = [...BROKERS, "floor"];
  const rows = measured(results, ["packets", "windows", "payloads"]).map(({ scenario, result }) => [
    scenario.title,
    ...keys.map((key) => {
      const memory = medianOf(result, key, ({ memoryAfter }) => memoryAfter);
      return memory === undefined ? "-" : `${number(medianOf(result, key, cpuOfMillion))}, ${number(memory / 2 ** 20)}`;
    }),
  ]);
  return table(["processor seconds per million deliveries, MiB of memory", ...keys.map((key) => NAMES[key]!)], rows);
}

function ceilingTable(results: Results): string {
  const rows = SCENARIOS.filter(({ ceiling }) => ceiling).flatMap((scenario) => {
    const result = find(results, scenario.key);
    if (result === undefined) return [];
    const rate = (key: string): number | undefined => medianOf(result, key, ({ perSecond }) => perSecond);
    const busy = [...BROKERS].map((key) => medianOf(result, key, (sample) => sample.busy));
    const share = (value: number | undefined): string => (value === undefined ? "-" : `${(value * 100).toFixed(0)} %`);
    return [[scenario.title, number(rate("ceiling")), ...busy.map(share)]];
  });
  return table(["", "without a broker, per second", ...BROKERS.map((key) => `busy with ${NAMES[key]}`)], rows);
}
