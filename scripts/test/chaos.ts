/**
 * `npm run chaos`: real clients on a real broker with a data folder, while its runtime is killed with SIGKILL and started again. See
 * test/restart/chaos.ts for what is done and checked. Exit code 1 and a list when a message is missing, doubled or out of order.
 */

import { parseArgs } from "node:util";
import { runChaos } from "../../test/restart/chaos.ts";

const USAGE = `Usage: npm run chaos -- [--topology compact|sharded] [--kills N] [--seconds N] [--shapes LIST]
  --topology T   only this one (compact, then sharded)
  --kills N      how often the runtime is killed (20)
  --seconds N    how long clients publish (3 for each kill)
  --shapes LIST  sharded only: the numbers of objects one after the other, as 2+2,5+5,2+2, with topics that have one of their own as 2+2+chaos/4/left/2; kills and seconds are for each`;

function fail(sentence: string): never {
  console.error(`${sentence}\n${USAGE}`);
  process.exit(2);
}

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  const number = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(number) || number < 1) fail(`--${name} must be a whole number above 0, found ${text}`);
  return number;
}

function options(): { topology?: string; kills?: string; seconds?: string; shapes?: string; help?: boolean } {
  try {
    const option = { type: "string" } as const;
    return parseArgs({ options: { topology: option, kills: option, seconds: option, shapes: option, help: { type: "boolean" } } }).values;
  } catch (error) {
    return fail((error as Error).message);
  }
}

const TOPOLOGIES = ["compact", "sharded"] as const;

const { topology, kills: killsText, seconds: secondsText, shapes: shapesText, help } = options();
if (help) {
  console.log(USAGE);
  process.exit(0);
}
const shapes = shapesText?.split(",") ?? [];
if (!shapes.every((shape) => /^\d+\+\d+(\+[^+#]+)*$/.test(shape))) fail(`--shapes must be numbers as 2+2,5+5,2+2, found ${shapesText}`);
const wanted = shapes.length > 0 ? "sharded" : topology;
const chosen = TOPOLOGIES.filter((each) => wanted === undefined || wanted === each);
if (chosen.length === 0) fail(`--topology must be compact or sharded, found ${topology}`);
const kills = wholeNumber("kills", killsText, 20);
const seconds = wholeNumber("seconds", secondsText, 3 * kills);
let failed = false;
for (const each of chosen) {
  const { problems, acknowledged, repeats, toClean } = await runChaos({ topology: each, kills, seconds, shapes });
  const verdict = problems.length === 0 ? "nothing missing, nothing doubled, all in order" : `${problems.length} problems:`;
  console.log(`${each}, ${kills} kills: ${acknowledged[1]} messages acknowledged at QoS 1 and ${acknowledged[2]} at QoS 2.`);
  console.log(`  Two durable subscribers: ${verdict}; ${repeats} repeats at QoS 1. Two clean ones got ${toClean}.`);
  for (const problem of problems) console.log(`  ${problem}`);
  failed ||= problems.length > 0;
}
process.exit(failed ? 1 : 0);
