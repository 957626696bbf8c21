/**
 * `npm run docs:floors`: draws the floors of `src` into docs/architecture.md, and its table of folders, each between its markers. The
 * arrows come from the imports of the code as it is now. A test compares the page with what this would write.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../build/bundle.ts";
import { CLIENTS, FLOORS, importsOfFolders, type Place } from "./house.ts";

const DOCUMENT = join(ROOT, "docs", "architecture.md");

const PARTS: Readonly<Record<string, () => string>> = { floors: drawFloors, folders: tableOfFolders, files: tableOfFiles };

const FOLDERS = FLOORS.flatMap(({ places }, floor) => places.filter(isFolder).map((place) => ({ ...place, floor })));

/** A Mermaid diagram, framed by blank lines: the highest floor on top, one arrow for each folder that imports from another. */
function drawFloors(): string {
  const lines = ["flowchart TD"];
  for (const [index, { name, places }] of [...FLOORS.entries()].reverse()) {
    const folders = places.filter(isFolder);
    if (folders.length === 0) continue;
    lines.push(
      `  subgraph floor${index}["${index}: ${name}"]`,
      ...folders.map(({ path }) => `    ${boxOf(path)}["${path.slice(0, -1)}"]`),
      "  end",
    );
  }
  lines.push(`  subgraph clients["clients"]`, ...CLIENTS.map(({ path }) => `    ${boxOf(path)}["${path.slice(0, -1)}"]`), "  end");
  for (const [folder, others] of importsOfFolders()) {
    for (const other of [...others].sort()) lines.push(`  ${boxOf(folder)} --> ${boxOf(other)}`);
  }
  return `\n\`\`\`mermaid\n${lines.join("\n")}\n\`\`\`\n\n`;
}

function tableOfFolders(): string {
  const row = ({ path, is, start }: Place, floor: string, imports: string): string =>
    `| \`${path.slice(0, -1)}\` | ${is} | ${floor} | ${imports} | [${start}](../${path}${start}) |\n`;
  const rows = [...FOLDERS].reverse().map((place) => row(place, `${place.floor}: ${FLOORS[place.floor]!.name}`, mayImport(place)));
  rows.push(...CLIENTS.map((place) => row(place, "none, it is a client", besideOf(place).join(", "))));
  return `\n| Folder | What it is | Floor | May import | Start reading in |\n|---|---|---|---|---|\n${rows.join("")}\n`;
}

function tableOfFiles(): string {
  const rows = FLOORS.flatMap(({ name, places }, floor) =>
    places.filter((place) => !isFolder(place)).map(({ path, is }) => `| [${path}](../${path}) | ${is} | ${floor}: ${name} |\n`),
  );
  return `\n| File | What it is | Floor |\n|---|---|---|\n${rows.reverse().join("")}\n`;
}

function mayImport({ floor, ...place }: Place & { readonly floor: number }): string {
  const below = floor === 1 ? "floor 0" : `floors 0 to ${floor - 1}`;
  return [below, ...besideOf(place)].join(", ");
}

function besideOf({ beside = [], uses = [] }: Place): string[] {
  return [...beside, ...uses].map((path) => `\`${path.replace(/\/$/, "")}\``);
}

function isFolder({ path }: Place): boolean {
  return path.endsWith("/");
}

function boxOf(path: string): string {
  return path.slice("src/".length, -1).replaceAll("/", "-");
}

/** @returns the page's parts as they are and as they should be, by the names of their markers */
export function partsOfPage(): Record<string, { found: string | undefined; wanted: string }> {
  const page = readFileSync(DOCUMENT, "utf8");
  return Object.fromEntries(Object.entries(PARTS).map(([name, write]) => [name, { found: marked(name).exec(page)?.[0], wanted: write() }]));
}

function marked(name: string): RegExp {
  return new RegExp(`(?<=<!-- ${name} -->\\n)[\\s\\S]*?(?=<!-- /${name} -->)`);
}

if (process.argv[1] === import.meta.filename) {
  let page = readFileSync(DOCUMENT, "utf8");
  for (const [name, write] of Object.entries(PARTS)) page = page.replace(marked(name), write);
  writeFileSync(DOCUMENT, page);
}
