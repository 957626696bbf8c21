/** What the figures depend on besides the code: the machine, and the versions of everybody. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { ROOT } from "../scripts/build/bundle.ts";
import { mosquittoVersion } from "./brokers.ts";
import { CAN_PIN } from "./cores.ts";
import type { Machine } from "./results.ts";

function versionOf(packageName: string): string {
  return (JSON.parse(readFileSync(join(ROOT, "node_modules", packageName, "package.json"), "utf8")) as { version: string }).version;
}

/** The commit that is measured, and whether more than it; nothing where there is no repository. */
function commit(): string {
  const git = (...words: string[]): string => spawnSync("git", words, { cwd: ROOT, encoding: "utf8" }).stdout?.trim() ?? "";
  const short = git("rev-parse", "--short", "HEAD");
  if (short === "") return "";
  const changed = git("status", "--porcelain", "--", "src", "package-lock.json") !== "";
  return ` of commit ${short}${changed ? " with changes" : ""}`;
}

/** This broker's version, as exactly as it is known. */
export function describeBroker(): string {
  return `${(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version}${commit()}`;
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${platform()} ${release()}`,
    pinned: CAN_PIN,
    versions: {
      workerd: versionOf("workerd"),
      miniflare: versionOf("miniflare"),
      aedes: versionOf("aedes"),
      ws: versionOf("ws"),
      "Node.js": process.version.slice(1),
      mosquitto: mosquittoVersion() ?? "not installed",
    },
  };
}
