/**
 * `npm run bench`: this broker in its shapes beside aedes and mosquitto, on this machine, in one run, under the same load program. Prints
 * ratios, and writes docs/performance.md with its plots. Nothing here leaves the loopback interface.
 */

import { parseArgs } from "node:util";
import { runBill } from "./bill.ts";
import { contenders, mosquittoVersion } from "./brokers.ts";
import { describeBroker, describeMachine } from "./machine.ts";
import { runMicro } from "./micro/index.ts";
import { measureUnits } from "./month/measure.ts";
import { writeMeasured } from "./month/measured.ts";
import { printMonth, writeMonth } from "./month/report.ts";
import { printBill, printScenario, writeReport } from "./report.ts";
import { type OtherPart, type Results, readResults, writeResults } from "./results.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { runScenario } from "./suite.ts";

const HELP = `npm run bench -- [options]
A part replaces that part of what was measured before. Each table of docs/performance.md says which commit it is of, and is written once
all of it was measured, whether in one run or in several.
  --quick           one round of half a second each, and no report: does it all work?
  --only TEXT       the scenario of this key, or those whose key or title contains TEXT, or of this table (several: separated by commas)
  --contenders KEYS compact, handed, relayed, aedes, mosquitto, floor, relay, ceiling (separated by commas)
  --rounds N        rounds of which the median counts (5)
  --seconds S       measured time of each (1)
  --bill            only what it costs: a million messages, and a month (docs/costs.md; npm run bench:month prints that at once)
  --micro           only the micro-benchmarks
  --report          only writes the report of what was measured last`;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    contenders: { type: "string" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    bill: { type: "boolean", default: false },
    micro: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

async function main(): Promise<void> {
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  const seconds = Number(values.seconds ?? (values.quick ? 0.5 : 1));
  const everything = !values.bill && !values.micro && !values.report;
  // A part of the whole replaces that part of what was measured before.
  const results = readResults();
  if (everything) await runScenarios(results, rounds, seconds);
  if (everything ? values.only === undefined : values.bill) {
    results.bill = await runBill(values.quick ? 200 : 20_000);
    printBill(results);
    save(results, "bill");
    await countMonth();
  }
  if (everything ? values.only === undefined : values.micro) {
    results.micro = await runMicro(values.quick);
    save(results, "micro");
  }
  if (!values.quick) writeReport(results);
}

/** Quickly counted is too little to be written down. */
async function countMonth(): Promise<void> {
  const measured = await measureUnits(values.quick ? { warmUpSeconds: 1, seconds: 1, rates: [10, 1000], visits: 1 } : undefined);
  if (!values.quick) {
    writeMeasured(measured);
    writeMonth(measured);
  }
  printMonth(measured);
}

async function runScenarios(results: Results, rounds: number, seconds: number): Promise<void> {
  const words = values.only?.split(",") ?? [""];
  const keys = values.contenders?.split(",");
  const taking = contenders().filter(({ key }) => keys === undefined || keys.includes(key));
  if (mosquittoVersion() === undefined) console.log("mosquitto is not installed here, so it is not measured.\n");
  results.machine = describeMachine();
  for (const scenario of SCENARIOS.filter((each) => words.some((word) => isMeant(each, word)))) {
    const result = await runScenario(scenario, {
      rounds,
      seconds,
      warmUpSeconds: seconds / 2,
      contenders: taking,
      known: results.scenarios,
    });
    results.scenarios = [...results.scenarios.filter(({ key }) => key !== scenario.key), result];
    printScenario(scenario, result);
    save(results);
  }
}

/** A word that is a key means that one alone. */
function isMeant({ key, title, group }: Scenario, word: string): boolean {
  if (SCENARIOS.some((each) => each.key === word)) return key === word;
  if (SCENARIOS.some((each) => each.group === word)) return group === word;
  return key.includes(word) || title.includes(word);
}

/** After every step, so that a run that was stopped leaves what it found. */
function save(results: Results, part?: OtherPart): void {
  if (part !== undefined) results.taken[part] = { at: new Date().toISOString(), broker: describeBroker() };
  if (!values.quick) writeResults(results);
}

if (values.help) console.log(HELP);
else await main();
process.exit(0);
