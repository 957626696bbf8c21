/** `npm run backup`: copies a data folder while its broker runs. See backup.ts. */
import type { Command } from "../../src/cli/program.ts";
import { backUp } from "./backup.ts";
import { forItsUserAlone } from "./private.ts";

export function define(command: Command): void {
  command
    .description("Copies what a broker on this machine keeps, while it runs.")
    .option("--data <folder>", "the data folder of the broker", ".data")
    .requiredOption("--to <folder>", "where the copy is put; the folder must not be there yet")
    .action(run);
}

async function run({ data, to }: { readonly data: string; readonly to: string }): Promise<void> {
  forItsUserAlone();
  const { folder, databases, isOneMoment } = await backUp(data, to);
  const moment = isOneMoment ? "all as they were at one moment" : "each as it was at a moment of its own";
  console.log(`${databases} databases of ${data} are in ${folder}, ${moment}.`);
}
