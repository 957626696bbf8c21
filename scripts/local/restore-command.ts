/** `npm run restore`: puts a copy of a data folder back in its place. See backup.ts. */
import type { Command } from "../../src/cli/program.ts";
import { restore } from "./backup.ts";
import { forItsUserAlone } from "./private.ts";

export function define(command: Command): void {
  command
    .description("Puts a copy back that `backup` has made. The broker must be stopped; what it had is moved aside.")
    .requiredOption("--from <folder>", "the copy")
    .option("--data <folder>", "the data folder of the broker", ".data")
    .action(run);
}

async function run({ data, from }: { readonly data: string; readonly from: string }): Promise<void> {
  forItsUserAlone();
  const aside = await restore(from, data);
  console.log(`${data} is as it was when ${from} was made.${aside === undefined ? "" : ` What it had until now is in ${aside}.`}`);
}
