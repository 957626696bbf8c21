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
import { cpuOfMillion, cpuRatio, figureOf, median, medianOf, type Results, ratio, type ScenarioResult } from "./results.ts";
import type { Sample } from "./run.ts";
import { type Group, ROUNDS_WITHOUT_TARGET, SCENARIOS, type Scenario } from "./scenarios.ts";
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

/** What a report of these results would have no figures of. */
export function unmeasured({ scenarios, bill, micro, long }: Results): string[] {
  const all = contenders();
  const missing = SCENARIOS.filter((scenario) => {
    const result = scenarios.find(({ key }) => key === scenario.key);
    return all.some((contender) => takesPart(contender, scenario) && result?.samples[contender.key] === undefined);
  });
  const others = Object.entries({ bill, micro, long }).filter(([, rows]) => rows.length === 0);
  return [...missing.map(({ key }) => key), ...others.map(([name]) => name)];
}

/**
 * Replaces what stands between the markers, and draws the plots, once everything was measured, whether in one run or in several: a part
 * of it would take away the figures of all else, or stand beside those of another commit.
 */
export function writeReport(results: Results): void {
  const missing = unmeasured(results);
  if (missing.length > 0) {
    console.log(`\ndocs/performance.md stays as it is: not everything was measured yet (${missing.join(", ")}).`);
    return;
  }
  const sections: Record<string, () => string> = {
    machine: () => machineText(results),
    targets: () => targetTable(results),
    work: () => workTable(results),
    packets: () => ratioTable(results, "packets"),
    windows: () => ratioTable(results, "windows"),
    library: () => ratioTable(results, "library"),
    packets5: () => ratioTable(results, "packets5"),
    bursts: () => ratioTable(results, "bursts"),
    payloads: () => ratioTable(results, "payloads"),
    connections: () => ratioTable(results, "connections"),
    latency: () => latencyTable(results, "latency"),
    emq: () => latencyTable(results, "emq"),
    memory: () => memoryTable(results),
    cpu: () => cpuTable(results),
    ceiling: () => ceilingTable(results),
    units: () => billUnits(results),
    prices: () => billPrices(results),
    micro: () => microTable(results.micro),
    long: () => longTable(results),
  };
  const path = join(ROOT, "docs/performance.md");
  let text = readFileSync(path, "utf8");
  for (const [name, make] of Object.entries(sections)) text = between(text, name, make);
  writeFileSync(path, text);
  mkdirSync(join(ROOT, "docs", "performance"), { recursive: true });
  for (const [name, svg] of Object.entries(plots(results))) writeFileSync(join(ROOT, "docs", "performance", `${name}.svg`), svg);
  console.log("\ndocs/performance.md and its plots are written.");
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

function machineText(results: Results): string {
  const { machine } = results;
  if (machine === undefined) return "Nothing was measured yet.";
  const times = results.scenarios.map(({ at }) => at).sort();
  const loads = results.scenarios.map(({ loadAverage }) => loadAverage);
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `- ${machine.processor}, ${machine.cores} cores, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB, ${machine.system}`,
    `- ${versions.join(", ")}`,
    `- from ${clock(times[0])} to ${clock(times.at(-1))} UTC; ${timing(results)}`,
    `- the servers had ${machine.pinned ? "the first core and the load program the other one" : "no core of their own"}`,
    `- load average before each scenario: median ${median(loads).toFixed(1)}, highest ${Math.max(...loads).toFixed(1)} (servers and load program alone make about 2)`,
  ].join("\n");
}

/** Of most scenarios, and of those that were measured anew in another way. */
function timing({ scenarios }: Results): string {
  const usual = roundsOf(scenarios[0]);
  const others = SCENARIOS.filter(({ targets }) => targets !== undefined).flatMap(({ key, title }) => {
    const found = roundsOf(scenarios.find((result) => result.key === key));
    return found === undefined || found === usual ? [] : [`; ${title}: ${found}`];
  });
  const fewer = Math.min(scenarios[0]?.rounds ?? 0, ROUNDS_WITHOUT_TARGET);
  return `medians of ${usual} (${fewer} where nothing is aimed at, 1 of idle connections)${others.join("")}`;
}

function roundsOf(result: ScenarioResult | undefined): string | undefined {
  return result && `${result.rounds} rounds of ${result.seconds} s`;
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
