/**
 * `npm run simulate`: runs the real hosts and cores in a simulated world, by seed. See test/simulation/run.ts for what is checked. A
 * failing seed is printed with what broke and the shortest list of steps that breaks it; the same seed gives the same run.
 */

import { parseArgs } from "node:util";
import { Coverage, coverageText } from "../../test/simulation/coverage.ts";

const USAGE = `Usage: npm run simulate -- [--seed N] [--count N] [--steps N] [--reshaped] [--deployed] [--stop] [--trace] [--whole] [--coverage]
  --seed N    the first seed (1)
  --count N   how many seeds (1)
  --steps N   what clients do in each run (200)
  --reshaped  the numbers of objects change, twice
  --deployed  a new build spreads in the midst of it, object by object
  --stop      stops at the first seed that fails
  --trace     prints all that happened, also when nothing broke
  --whole     leaves a run that failed as long as it was
  --coverage  runs each seed in both forms, and says in the end which lines of sessions, routing and objects none has reached`;

const FOLDERS = ["session", "routing", "objects"];

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  const number = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(number) || number < 0) {
    console.error(`--${name} must be a whole number, found ${text}\n${USAGE}`);
    process.exit(2);
  }
  return number;
}

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    count: { type: "string" },
    steps: { type: "string" },
    trace: { type: "boolean" },
    reshaped: { type: "boolean" },
    deployed: { type: "boolean" },
    stop: { type: "boolean" },
    whole: { type: "boolean" },
    coverage: { type: "boolean" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const coverage = new Coverage();
if (values.coverage) await coverage.begin();
const { run } = await import("../../test/simulation/run.ts");
const { listOf, shorten } = await import("../../test/simulation/shorten.ts");
const first = wholeNumber("seed", values.seed, 1);
const count = wholeNumber("count", values.count, 1);
const steps = wholeNumber("steps", values.steps, 200);
let failed = 0;
let delivered = 0;
const forms = values.coverage ? [false, true] : [values.reshaped];
const all = Array.from({ length: count }, (_, index) =>
  forms.map((reshaped) => ({ seed: first + index, steps, reshaped, deployed: values.deployed })),
).flat();
for (const options of all) {
  const { seed } = options;
  const result = await run(options);
  delivered += result.delivered;
  if (values.trace) console.log(result.trace.join("\n"));
  if (result.problems.length === 0) continue;
  failed += 1;
  console.log(`seed ${seed}, ${steps} steps:\n  ${result.problems.join("\n  ")}`);
  if (!values.whole) {
    const short = await shorten(options, result);
    console.log(`shortened to ${short.steps.length} of ${result.happened.length}, which break:`);
    console.log(`  ${short.problems.join("\n  ")}\n${listOf(short).join("\n")}`);
  }
  if (values.stop) break;
}
console.log(`${all.length} seeds, ${delivered} deliveries, ${failed} failed`);
if (values.coverage) console.log(coverageText(await coverage.end(FOLDERS)));
process.exit(failed === 0 ? 0 : 1);
