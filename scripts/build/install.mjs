/**
 * Runs before `npm start`, `npm test` and the other scripts: makes node_modules what package-lock.json says, so that a fresh clone
 * needs no step before them. Plain JavaScript without dependencies, because it runs on the machine's own Node (20 or newer) before
 * the project's Node 24 is there. Does nothing, in a few milliseconds and without a network, when everything is in place.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const MODULES = join(ROOT, "node_modules");
const BIN = join(MODULES, ".bin");

/** @returns {Record<string, {version?: string, optional?: boolean}>} what a lock file lists, by path; {} when there is none */
function packagesOf(file) {
  try {
    const { "": _project, ...packages } = JSON.parse(readFileSync(file, "utf8")).packages;
    return packages;
  } catch {
    return {};
  }
}

/** Whether every package of package-lock.json is installed in its version; npm leaves optional ones of other platforms out. */
function isInstalled() {
  const installed = packagesOf(join(MODULES, ".package-lock.json"));
  const node = join(MODULES, "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  return (
    existsSync(node) &&
    Object.entries(packagesOf(join(ROOT, "package-lock.json"))).every(([path, { version, optional }]) =>
      installed[path] === undefined ? optional === true : installed[path].version === version,
    )
  );
}

function fail(sentence) {
  console.error(`durable-mqtt: ${sentence}`);
  process.exit(1);
}

if (Number(process.versions.node.split(".")[0]) < 20) {
  fail(`Node.js 20 or newer is needed to install it, this is ${process.versions.node}. See https://nodejs.org/.`);
}
if (!isInstalled()) {
  console.log("durable-mqtt: installing what package-lock.json lists (npm ci), once ...");
  // The npm that runs us, on the machine's own Node: the one in node_modules/.bin is about to be replaced.
  const { npm_execpath: npm, npm_node_execpath: node = "node" } = process.env;
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== BIN);
  const args = ["ci", "--include=dev", "--loglevel=error", "--no-audit", "--no-fund"];
  const { status } = spawnSync(npm ? node : "npm", npm ? [npm, ...args] : args, {
    cwd: ROOT,
    stdio: "inherit",
    shell: npm === undefined && process.platform === "win32",
    env: { ...process.env, PATH: path.join(delimiter) },
  });
  if (status !== 0) fail("npm ci failed (its message is above). It needs the npm registry once; try again when it can be reached.");
  if (!isInstalled()) fail("npm ci left packages out; run it with install scripts and optional dependencies allowed: npm ci");
}
