/**
 * The ledger of the specification's clauses (test/data/*.tsv) against the tags in the source and the titles of the tests. A tag
 * `[MQTT311-3.3.1-4]` in the source says where a clause is kept; a test title that begins with it says that it is proved. Ranges
 * (`[MQTT5-3.3.1-5..8]`) stand for each of their clauses.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

interface Clause {
  readonly id: string;
  readonly version: "5.0" | "3.1.1" | "3.1";
  readonly duty: string;
  readonly statement: string;
}

/** Clauses that bind a server and have no test, each with the reason. */
const WITHOUT_PROOF: Readonly<Record<string, string>> = {
  "MQTT311-7.0.0-1": "binds servers that connect to other servers; this one never does",
  "5.0/3.14/server-shutdown": "the platform stops objects without notice, so there is no orderly shutdown to announce",
};

function rows(file: string): string[][] {
  const lines = readFileSync(join(ROOT, "test/data", file), "utf8")
    .trim()
    .split("\n")
    .slice(1);
  return lines.map((line) => line.split("\t"));
}

function readLedger(): Map<string, Clause> {
  const clauses: Clause[] = [];
  for (const [file, prefix, version] of [
    ["mqtt311.tsv", "MQTT311", "3.1.1"],
    ["mqtt5.tsv", "MQTT5", "5.0"],
  ] as const) {
    for (const [id, , duty, statement] of rows(file)) {
      clauses.push({ id: id!.replace(/^MQTT/, prefix), version, duty: duty!, statement: statement! });
    }
  }
  for (const [id, , duty, statement] of rows("unnumbered.tsv")) {
    clauses.push({ id: id!, version: id!.slice(0, id!.indexOf("/")) as Clause["version"], duty: duty!, statement: statement! });
  }
  return new Map(clauses.map((clause) => [clause.id, clause]));
}

function filesOf(folder: string, suffix: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(suffix))
    .map((file) => join(folder, file));
}

/** `MQTT5-3.3.1-5..8` is 5, 6, 7 and 8. */
function expand(id: string): string[] {
  const range = /^(.*-)(\d+)\.\.(\d+)$/.exec(id);
  if (range === null) return [id];
  const [, head, first, last] = range;
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => `${head}${Number(first) + index}`);
}

const ID = String.raw`(?:MQTT5|MQTT311)-[\d.]+-\d+(?:\.\.\d+)?|(?:5\.0|3\.1\.1|3\.1)\/[\w./-]+`;

/** Every id and the files that name it. */
function idsIn(files: readonly string[], find: (text: string) => Iterable<string>): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of files) {
    for (const id of find(readFileSync(join(ROOT, file), "utf8"))) {
      for (const each of expand(id)) found.set(each, (found.get(each) ?? new Set()).add(file));
    }
  }
  return found;
}

function* all(text: string, pattern: RegExp): Generator<string> {
  for (const [, id] of text.matchAll(pattern)) yield id!;
}

/** Tags in comments, and the clauses that violations name: `[id]`, `"id"`. */
function* tagsOf(text: string): Generator<string> {
  yield* all(text, new RegExp(String.raw`[["'](${ID})[\]"']`, "g"));
}

/** Ids at the beginning of a string: only titles begin so. */
function* titlesOf(text: string): Generator<string> {
  for (const [, ids] of text.matchAll(new RegExp(String.raw`["'\`]((?:\[(?:${ID})\] ?)+)`, "g"))) yield* all(ids!, /\[([^\]]+)\]/g);
}

const ledger = readLedger();
const tags = idsIn(filesOf("src", ".ts"), tagsOf);
// The titles of the codec's vectors are in their data.
const titles = idsIn([...filesOf("test", ".test.ts"), ...filesOf("test/vectors", ".ts")], titlesOf);
const binds = ({ duty }: Clause): boolean => duty !== "client";
const unproved = [...ledger.values()].filter(({ id }) => !titles.has(id));

it("prints how many clauses are proved", () => {
  const lines = ["version  duty    proved  total"];
  for (const version of ["3.1", "3.1.1", "5.0"]) {
    for (const duty of ["server", "both", "client"]) {
      const clauses = [...ledger.values()].filter((clause) => clause.version === version && clause.duty === duty);
      const proved = clauses.filter(({ id }) => titles.has(id)).length;
      if (clauses.length > 0)
        lines.push(`${version.padEnd(8)} ${duty.padEnd(7)} ${String(proved).padStart(6)} ${String(clauses.length).padStart(6)}`);
    }
  }
  for (const { id, duty, statement } of unproved) lines.push(`unproved ${id} (${duty}): ${statement}`);
  console.log(lines.join("\n"));
  expect(ledger.size).toBe(141 + 251 + 116);
});

it("knows every id that the source or a test title names", () => {
  const unknown = [...tags, ...titles].filter(([id]) => !ledger.has(id));
  expect(unknown.map(([id, files]) => `${id} in ${[...files].join(", ")}`)).toEqual([]);
});

it("finds a proof for every clause that the source says it keeps", () => {
  const listed = new Set(Object.keys(WITHOUT_PROOF));
  const bare = [...tags].filter(([id]) => !titles.has(id) && !listed.has(id));
  expect(bare.map(([id, files]) => `${id} in ${[...files].join(", ")}`)).toEqual([]);
});

it("finds a proof for every clause that binds a server", () => {
  const missing = unproved.filter((clause) => binds(clause) || tags.has(clause.id)).map(({ id }) => id);
  expect(missing.sort()).toEqual(Object.keys(WITHOUT_PROOF).sort());
});
