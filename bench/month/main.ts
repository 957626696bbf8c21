/** `npm run bench:month`: what a month costs, at once, from what was counted last; `npm run bench -- --bill` counts anew. */

import { parseArgs } from "node:util";
import { table } from "../tables.ts";
import { WAY_NAMES } from "./cases.ts";
import { readMeasured } from "./measured.ts";
import { month, WAYS } from "./model.ts";
import { printMonth, writeMonth } from "./report.ts";
import { monthRow } from "./tables.ts";

const HELP = `npm run bench:month -- [options]
Prints what a month costs by the price list, from what was counted last (npm run bench -- --bill counts anew).
  --clients N     for so many clients instead of the usual cases
  --every S       of which each sends a message every S seconds (60)
  --write         writes the tables and the plot into the documents`;

const { values } = parseArgs({
  options: {
    clients: { type: "string" },
    every: { type: "string", default: "60" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function own(clients: number, seconds: number): string {
  const measured = readMeasured();
  const rows = [false, true].map((kept) =>
    monthRow(`${kept ? "kept" : "clean"} sessions`, { clients, messagesPerSecond: clients / seconds, kept }, measured),
  );
  const objects = WAYS.map((way) => {
    const { sessionObjects, topicObjects } = month({ clients, messagesPerSecond: clients / seconds, kept: false }, way, measured);
    return `${sessionObjects} + ${topicObjects}`;
  });
  const head = ["dollars a month", ...WAYS.map((way) => WAY_NAMES[way]), "AWS IoT Core", "EMQX Serverless"];
  return table(head, [...rows, ["Session and Topic objects", ...objects, "", ""]]);
}

/** @throws a sentence for what is no such number */
function positive(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!(value >= least && value <= 1e7)) throw new Error(`--${name} is ${text}: expected a number from ${least} to 10000000`);
  return value;
}

try {
  if (values.help) console.log(HELP);
  else if (values.clients !== undefined) {
    console.log(own(Math.round(positive("clients", values.clients, 1)), positive("every", values.every, 0.001)));
  } else printMonth(readMeasured());
  if (values.write) writeMonth(readMeasured());
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
