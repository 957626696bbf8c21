/** `durable-mqtt init`: a new project with a broker in a Worker of its own, ready to run and to deploy. */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import { Problem } from "../../src/cli/problem.ts";
import type { Command } from "../../src/cli/program.ts";
import { filesOf } from "./init-files.ts";
import { VERSION, versionsOf } from "./version.ts";

/** What a project needs beside the package. */
const TOOLS = ["@cloudflare/workers-types", "typescript", "wrangler"];

interface Options {
  readonly name?: string;
  readonly package: string;
}

export function define(command: Command): void {
  command
    .description(
      "Makes a new project: a Worker of ten lines with a broker in it, its wrangler.toml, and a README that explains its secrets.",
    )
    .argument("<folder>", "one that is not there yet, or is empty")
    .option("--name <name>", "of the Worker, part of its address; that of the folder without it", workerName)
    .option("--package <source>", "where npm finds durable-mqtt: a version, or file: and the path of a package", `^${VERSION}`)
    .action(run);
}

/** As Cloudflare takes it. */
function workerName(text: string): string {
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError("Expected up to 63 small letters, digits and dashes between them.");
}

function nameOfFolder(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-|-$/g, "");
  return name === "" ? "my-broker" : name;
}

function run(argument: string, { name, package: source }: Options): void {
  const folder = resolve(argument);
  expectEmpty(folder, argument);
  const tools = Object.fromEntries(TOOLS.map((tool) => [tool, versionsOf(tool)]));
  const files = filesOf({ name: name ?? nameOfFolder(folder), source, tools });
  write(folder, files);
  const way = argument === "." ? "" : argument;
  console.log(`${argument} has a broker:\n`);
  for (const path of Object.keys(files)) console.log(`  ${join(way, path)}`);
  console.log(`\nWhat next:\n`);
  for (const step of [...(way === "" ? [] : [`cd ${/\s/.test(way) ? `'${way}'` : way}`]), "npm install", "npm run dev"])
    console.log(`  ${step}`);
  console.log(`\n${join(way, "README.md")} says who may connect, and how to deploy it.`);
}

function expectEmpty(folder: string, argument: string): void {
  try {
    const [first, ...more] = readdirSync(folder);
    if (first === undefined) return;
    const others = more.length === 0 ? "" : ` and ${more.length} more`;
    throw new Problem(`${argument} is not empty: it has ${first}${others}. Expected a folder that is not there yet, or is empty.`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    throw error instanceof Problem ? error : new Problem(`${argument} can't be used (${code}).`);
  }
}

/** All of them, or none. */
function write(folder: string, files: Readonly<Record<string, string>>): void {
  const made = mkdirSync(folder, { recursive: true });
  try {
    for (const [path, text] of Object.entries(files)) {
      const file = join(folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text, { flag: "wx" });
    }
  } catch (error) {
    for (const path of Object.keys(files)) rmSync(join(folder, path.split("/", 1)[0]!), { recursive: true, force: true });
    if (made !== undefined) rmSync(made, { recursive: true, force: true });
    throw new Problem(`${folder} can't be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}
