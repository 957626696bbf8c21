/** `npm run backup` and `npm run restore`: copies a data folder while its broker runs, and puts a copy back. See backup.ts. */
import { parseArgs } from "node:util";
import { backUp, restore } from "./backup.ts";
import { StartProblem } from "./start-problem.ts";

const HELP = `Copies what a broker on this machine keeps, while it runs, and puts it back.

  npm run backup -- [--data .data] --to FOLDER      FOLDER must not be there yet
  npm run restore -- --from FOLDER [--data .data]   the broker must be stopped; what it had is moved aside`;

function fail(sentence: string, exitCode: number): never {
  for (const line of sentence.split("\n")) console.error(`durable-mqtt: ${line}`);
  process.exit(exitCode);
}

function options() {
  try {
    const text = { type: "string" } as const;
    const known = { data: { ...text, default: ".data" }, to: text, from: text, help: { type: "boolean" } } as const;
    return parseArgs({ options: known, allowPositionals: true });
  } catch (error) {
    return fail(`${(error as Error).message}\n${HELP}`, 2);
  }
}

const { values, positionals } = options();
const [action, ...rest] = positionals;
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
// Copies are for their user alone, as the original is.
if (process.platform !== "win32") process.umask(0o077);

try {
  if (action === "backup" && values.to !== undefined && values.from === undefined && rest.length === 0) {
    const { folder, databases, isOneMoment } = await backUp(values.data, values.to);
    console.log(
      `${databases} databases of ${values.data} are in ${folder}, ${isOneMoment ? "all as they were at one moment" : "each as it was at a moment of its own"}.`,
    );
  } else if (action === "restore" && values.from !== undefined && values.to === undefined && rest.length === 0) {
    const aside = await restore(values.from, values.data);
    console.log(
      `${values.data} is as it was when ${values.from} was made.${aside === undefined ? "" : ` What it had until now is in ${aside}.`}`,
    );
  } else fail(HELP, 2);
} catch (error) {
  fail(error instanceof StartProblem ? error.message : `It failed: ${(error as Error).message}`, 1);
}
