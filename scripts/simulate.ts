/**
 * `npm run simulate`: runs the real hosts and cores in a simulated world, by seed. See test/simulation/run.ts for what is checked. A
 * failing seed is printed with what broke and how it came to that; the same seed gives the same run.
 */

import { parseArgs } from "node:util";
import { run } from "../test/simulation/run.ts";

const USAGE = `Usage: npm run simulate -- [--seed N] [--count N] [--steps N] [--plain] [--stop] [--trace]
  --seed N    the first seed (1)
  --count N   how many seeds (1)
  --steps N   what clients do in each run (200)
  --plain     only publishing, subscribing and faults
  --stop      stops at the first seed that fails
  --trace     prints what happened, also when nothing broke`;

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
    plain: { type: "boolean" },
    stop: { type: "boolean" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const first = wholeNumber("seed", values.seed, 1);
const count = wholeNumber("count", values.count, 1);
const steps = wholeNumber("steps", values.steps, 200);
const plain = values.plain === true;
let failed = 0;
let delivered = 0;
for (let seed = first; seed < first + count; seed += 1) {
  const result = await run({ seed, steps, plain });
  delivered += result.delivered;
  if (result.problems.length > 0) {
    failed += 1;
    console.log(`seed ${seed}, ${steps} steps:\n  ${result.problems.join("\n  ")}`);
  }
  if (values.trace || (result.problems.length > 0 && count === 1)) console.log(result.trace.join("\n"));
  if (values.stop && failed > 0) break;
}
console.log(`${count} seeds, ${delivered} deliveries, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
