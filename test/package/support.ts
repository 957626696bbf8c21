/** The package as npm would publish it, and an empty project of somebody who installs it. */

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../../scripts/build/bundle.ts";

const run = promisify(execFile);

/** Runs a tool of the project. @returns what it writes; its error has that too */
export async function tool(name: string, args: readonly string[], cwd: string): Promise<string> {
  const path = `${join(ROOT, "node_modules", ".bin")}:${process.env.PATH}`;
  const env = { ...process.env, PATH: path, NO_COLOR: "1", WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: join(cwd, ".log") };
  try {
    const { stdout } = await run(name, [...args], { cwd, env, maxBuffer: 1 << 26 });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${name} ${args.join(" ")} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** Packs the project, which builds it first. @returns the tarball's path */
export async function pack(folder: string): Promise<string> {
  // Its output is mixed with that of the build, so it is looked for.
  await tool("npm", ["pack", "--pack-destination", folder], ROOT);
  return join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz"))!);
}

/** Installs a tarball of the project in a folder, with what it depends on from here: so that nothing is asked of the network. */
export async function install(folder: string, tarball: string): Promise<void> {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { dependencies: Record<string, string> };
  const needed = Object.keys(dependencies).map((name) => [name, `file:${join(ROOT, "node_modules", name)}`]);
  const own = { "durable-mqtt": `file:${tarball}`, ...Object.fromEntries(needed) };
  write(folder, { "package.json": JSON.stringify({ name: "stranger", private: true, type: "module", dependencies: own }) });
  await tool("npm", ["install", "--offline", "--install-links", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], folder);
}

/** A folder outside the project; its owner removes it. */
export function emptyFolder(): string {
  return mkdtempSync(join(tmpdir(), "durable-mqtt-package-"));
}

/** Writes files, by their paths in the folder. */
export function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** Packages that the project has and somebody's project would have too: linked, not installed once more. */
export function link(folder: string, names: readonly string[]): void {
  for (const name of names) {
    const target = join(folder, "node_modules", name);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), target);
  }
}

/** The first block of a language below a heading of a document. */
export function block(document: string, heading: string, language: string): string {
  const [, section] = readFileSync(join(ROOT, document), "utf8").split(`\n${heading}\n`);
  const found = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(section ?? "");
  if (found === null) throw new Error(`${document}: expected a block of ${language} below ${heading}`);
  return found[1]!;
}
