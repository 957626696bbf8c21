/**
 * `npm run simulate:mutations`: puts every mistake that the simulation is to find into a copy of the source, one after the other, and
 * says what found it. `npm test` tries a few of them.
 */

import { parseArgs } from "node:util";
import { FIELD_MUTATIONS } from "../../test/simulation/forms.ts";
import { MUTATIONS, Workbench } from "../../test/simulation/mutations.ts";

const USAGE = `Usage: npm run simulate:mutations -- [--only TEXT] [--all] [--seeds N]
  --only TEXT  those whose name has this in it; several with commas
  --all        also those that no run is expected to find
  --seeds N    at most so many seeds for each`;

const { values } = parseArgs({
  options: { only: { type: "string" }, all: { type: "boolean" }, seeds: { type: "string" }, help: { type: "boolean" } },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const all = [...MUTATIONS.map((mutation) => ({ ...mutation, unnoticed: undefined })), ...FIELD_MUTATIONS];
const chosen = all.filter(
  ({ name, unnoticed }) => (values.only ?? "").split(",").some((text) => name.includes(text)) && (values.all || unnoticed === undefined),
);
const workbench = await Workbench.open();
let missed = 0;
for (const mutation of chosen) {
  const seeds = Math.min(mutation.seeds, Number(values.seeds ?? mutation.seeds));
  const found = await workbench.run({ ...mutation, seeds }).catch((error: unknown) => String(error).slice(0, 300));
  if (typeof found !== "object") missed += mutation.unnoticed === undefined ? 1 : 0;
  const what = typeof found === "object" ? `seed ${found.seed}: ${found.problem.slice(0, 120)}` : (found ?? "NOT FOUND");
  console.log(`${mutation.name}\n  ${what}`);
}
await workbench.close();
console.log(`${chosen.length} mistakes, ${missed} not found`);
process.exit(missed === 0 ? 0 : 1);
