/** Where the month is told: on the terminal, and in documents between markers, with a plot. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/build/bundle.ts";
import type { Measured } from "./measured.ts";
import { monthPlot } from "./plot.ts";
import { freeTable, monthTable, partsTable, sharingTable } from "./tables.ts";
import { topicsTable } from "./topics.ts";

/** Tables by document and marker. */
export function monthSections(measured: Measured): Readonly<Record<string, Readonly<Record<string, string>>>> {
  return {
    "docs/costs.md": {
      "month-clean": monthTable(measured, false),
      "month-kept": monthTable(measured, true),
      "month-free": freeTable(measured),
      "month-parts": partsTable(measured),
      "month-sharing": sharingTable(measured),
    },
    "docs/architecture.md": { topics: topicsTable(measured) },
  };
}

export const PLOT = "docs/performance/month.svg";

export function printMonth(measured: Measured): void {
  const titles: Readonly<Record<string, string>> = {
    "month-clean": "Dollars a month, clean sessions",
    "month-kept": "Dollars a month, kept sessions",
    "month-free": "Where the free plan ends",
    "month-parts": "What that is made of",
    "month-sharing": "What shares calls and rows",
    topics: "Topic objects: hashed, and an object for each topic",
  };
  console.log(`\nUnits as counted on ${measured.at.slice(0, 10)}, durable-mqtt ${measured.broker}.`);
  for (const sections of Object.values(monthSections(measured))) {
    for (const [name, text] of Object.entries(sections)) console.log(`\n${titles[name]}\n${text}`);
  }
}

/** Into the documents, and the plot beside them. */
export function writeMonth(measured: Measured): void {
  for (const [path, sections] of Object.entries(monthSections(measured))) {
    const file = join(ROOT, path);
    const text = Object.entries(sections).reduce((before, [name, section]) => replaced(before, name, section), readFileSync(file, "utf8"));
    writeFileSync(file, text);
  }
  writeFileSync(join(ROOT, PLOT), monthPlot(measured));
}

/** @throws where a document has no place for it */
function replaced(text: string, name: string, section: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`there is no place for "${name}": expected ${begin} and ${end}`);
  return `${text.slice(0, from + begin.length)}\n\n${section}\n\n${text.slice(to)}`;
}
