/** `npm run bench:console`: what the console's view of topics feels like under load, in a real browser on this machine. */

import { parseArgs } from "node:util";
import { watchTopics } from "./console/watch.ts";
import { describeMachine } from "./machine.ts";
import { number, table } from "./tables.ts";

const HELP = `npm run bench:console -- [options]
  --topics N    topics (100,000)
  --rate N      messages a second (5,000)
  --seconds S   measured time of each part (10)`;

const { values } = parseArgs({
  options: {
    topics: { type: "string", default: "100000" },
    rate: { type: "string", default: "5000" },
    seconds: { type: "string", default: "10" },
    help: { type: "boolean", default: false },
  },
});

async function main(): Promise<void> {
  const { processor, cores } = describeMachine();
  console.log(`${processor}, ${cores} cores; Chromium without a graphics card, the broker and the load beside it\n`);
  const { parts, topics, elements, heapBytes } = await watchTopics({
    topics: Number(values.topics),
    rate: Number(values.rate),
    seconds: Number(values.seconds),
  });
  const rows = parts.map(({ part, frames, longestTask, rate }) => [
    part,
    number(frames.count / Number(values.seconds)),
    [frames.p50, frames.p99, frames.most].map((ms) => ms.toFixed(0)).join(" / "),
    longestTask === 0 ? "below 50" : longestTask.toFixed(0),
    number(rate),
  ]);
  console.log(table(["", "frames a second", "ms between frames, p50 / p99 / longest", "longest task, ms", "messages a second"], rows));
  console.log(`\n${number(topics)} topics; ${elements} elements in the document; ${(heapBytes / 1024 / 1024).toFixed(0)} MiB of heap`);
}

if (values.help) console.log(HELP);
else await main();
process.exit(0);
