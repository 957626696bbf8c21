/** What attacks did, as tables: on the terminal while they run, and in docs/security.md between markers when all were measured. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../../scripts/build/bundle.ts";
import { describeMachine } from "../machine.ts";
import { median } from "../results.ts";
import { number, table } from "../tables.ts";
import type { Attack } from "./attack.ts";
import { ATTACKS } from "./attacks/index.ts";
import { SHAPES, type Shape } from "./options.ts";
import type { AttackResult } from "./result.ts";
import { missesOf } from "./verdict.ts";

const FILE = join(ROOT, "dist", "attack.json");

const DOCUMENT = join(ROOT, "docs", "security.md");

/** @returns what the last runs left, or nothing */
export function readAttackResults(): AttackResult[] {
  try {
    return JSON.parse(readFileSync(FILE, "utf8")) as AttackResult[];
  } catch {
    return [];
  }
}

export function writeAttackResults(results: readonly AttackResult[]): void {
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, JSON.stringify(results));
}

const mib = (bytes: number | undefined): string => (bytes === undefined ? "-" : String(Math.round(bytes / 2 ** 20)));

const HEAD = ["attack", "p99 ms before / during / after", "p99 elsewhere during", "MiB before / highest / after", "bars"];

function cells(name: string, result: AttackResult): string[] {
  const { before, during, after, memory } = result;
  const misses = missesOf(result);
  return [
    name,
    [before, during, after].map(({ attacked }) => number(attacked.p99)).join(" / "),
    number(during.calm.p99),
    [memory.before, memory.highest, memory.after].map(mib).join(" / "),
    misses.length === 0 ? "held" : `**missed**: ${misses.join("; ")}`,
  ];
}

export function printHead(shape: Shape): void {
  console.log(`\n${shape}\n\n${table([...HEAD, "done", "ended", "busy", "runtime", "logged"], [])}`);
}

/** One attack on the terminal, as soon as it is there, with what tells whether it was an attack and not a load on the machine. */
export function printResult(attack: Attack, result: AttackResult): void {
  const { count, ended, busy, load, logged } = result;
  const share = (value: number | undefined): string => (value === undefined ? "-" : `${Math.round(value * 100)} %`);
  const row = [...cells(attack.key, result), String(count), String(ended), share(busy), share(load), String(logged)];
  console.log(`| ${row.join(" | ")} |`);
}

/** Replaces what stands between the markers, if there is something to say of every attack. */
export function writeAttackReport(results: readonly AttackResult[]): void {
  const missing = SHAPES.flatMap((shape) => ATTACKS.filter(({ key }) => find(results, key, shape) === undefined).map(({ key }) => key));
  if (missing.length > 0) {
    console.log(`\ndocs/security.md stays as it is: ${missing.length} were not measured yet (of ${SHAPES.length * ATTACKS.length}).`);
    return;
  }
  let text = readFileSync(DOCUMENT, "utf8");
  text = between(text, "attack:conditions", conditions(results));
  text = between(text, "attack:missed", missedList(results));
  for (const shape of SHAPES) text = between(text, `attack:${shape.replace(" ", "-")}`, tableOf(results, shape));
  text = between(
    text,
    "attack:list",
    table(
      ["attack", "what it does"],
      ATTACKS.map(({ key, title }) => [`\`${key}\``, title]),
    ),
  );
  writeFileSync(DOCUMENT, text);
  console.log("\ndocs/security.md is written.");
}

function find(results: readonly AttackResult[], key: string, shape: Shape): AttackResult | undefined {
  return results.find((result) => result.key === key && result.shape === shape);
}

function tableOf(results: readonly AttackResult[], shape: Shape): string {
  return table(
    HEAD,
    ATTACKS.map(({ key }) => cells(`\`${key}\``, find(results, key, shape)!)),
  );
}

/** What misses a bar, plainly. */
function missedList(results: readonly AttackResult[]): string {
  const lines = ATTACKS.flatMap(({ key }) => {
    const missed = SHAPES.flatMap((shape) => {
      const misses = missesOf(find(results, key, shape)!);
      return misses.length === 0 ? [] : [`${shape}: ${misses.join(", ")}`];
    });
    return missed.length === 0 ? [] : [`- \`${key}\`. ${missed.join("; ")}`];
  });
  return lines.length === 0 ? "Nothing." : lines.join("\n");
}

/** A process that does something waits longer for its turn than one that is left alone: then the second pair is no measure of it. */
const BUSY_MACHINE =
  "- **other programs kept the machine busy**: whoever does something there waits for a turn, so that most of what missed a bar of p99 may be the machine and not the broker. `npm run attack -- --missed` on a quiet one tells";

function conditions(results: readonly AttackResult[]): string {
  const { processor, cores, system, versions } = describeMachine();
  const times = results.map(({ at }) => at.slice(0, 16).replace("T", " ")).sort();
  const loads = results.map(({ loadAverage }) => loadAverage);
  const missed = results.filter((result) => missesOf(result).length > 0).length;
  const busy = median(loads) > cores;
  const again = results.filter(({ tries }) => tries > 1);
  const brokers = [...new Set(results.map(({ broker }) => broker))];
  return [
    `- durable-mqtt ${brokers.join(", ")}`,
    `- ${processor}, ${cores} cores, ${system}; workerd ${versions.workerd}, Node.js ${versions["Node.js"]}`,
    `- from ${times[0]} to ${times.at(-1)} UTC, ${median(results.map(({ seconds }) => seconds))} s each; load average before each: median ${median(loads).toFixed(1)}, highest ${Math.max(...loads).toFixed(1)}`,
    `- ${results.length - missed} of ${results.length} held every bar${again.length === 0 ? "" : `; ${again.length} had missed one at first and were measured up to ${Math.max(...again.map(({ tries }) => tries))} times`}`,
    ...(busy ? [BUSY_MACHINE] : []),
  ].join("\n");
}

/** @throws when the document has lost its markers */
function between(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < 0) throw new Error(`docs/security.md has no ${begin}`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}
