/**
 * `npm run rights`: holds the rights of clients against a model that asks for every topic, on many random lists of rules; puts each mistake of
 * a list into a copy of the source and looks whether the model finds it; and measures what a question costs.
 */

import { parseArgs } from "node:util";
import { measureRights } from "../../test/auth/rules-bench.ts";
import { checkCase, emptyTally } from "../../test/auth/rules-cases.ts";
import { findMutations, RIGHTS_MUTATIONS } from "../../test/auth/rules-mutations.ts";

const USAGE = `Usage: npm run rights -- [--count N] [--first N] [--only model,mutations,bench] [--every N]
  --count N  how many lists of rules (100000)
  --first N  the first seed (1)
  --only     some of the three parts
  --every N  each N-th mistake (1)`;

/** Lists of rules in which a mistake has to be found. */
const MUTATION_SEEDS = 2000;

const { values } = parseArgs({
  options: {
    count: { type: "string" },
    first: { type: "string" },
    only: { type: "string" },
    every: { type: "string" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const parts = (values.only ?? "model,mutations,bench").split(",");
let wrong = 0;

if (parts.includes("model")) {
  const tally = emptyTally();
  const first = Number(values.first ?? 1);
  const count = Number(values.count ?? 100_000);
  for (let seed = first; seed < first + count && wrong < 5; seed++) {
    const problem = checkCase(seed, tally);
    if (problem === undefined) continue;
    wrong += 1;
    console.log(problem);
  }
  const told = Object.entries(tally).map(
    ([name, { asked, allowed }]) => `${asked} ${name}, ${((100 * allowed) / asked).toFixed(0)} % allowed`,
  );
  console.log(`${count} lists of rules: ${told.join("; ")}; ${wrong} wrong answers`);
}
if (parts.includes("mutations")) {
  for (const { name, seed } of await findMutations(
    MUTATION_SEEDS,
    RIGHTS_MUTATIONS.filter((_, index) => index % Number(values.every ?? 1) === 0),
  )) {
    console.log(`${name}: ${seed === undefined ? "NOT FOUND" : `seed ${seed}`}`);
    if (seed === undefined) wrong += 1;
  }
}
if (parts.includes("bench")) for (const line of measureRights()) console.log(line);
process.exit(wrong === 0 ? 0 : 1);
