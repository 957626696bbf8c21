/** What the figures depend on besides the code: the machine, and the versions of everybody. */

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

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${platform()} ${release()}`,
    pinned: CAN_PIN,
    versions: {
      "durable-mqtt": (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version,
      workerd: versionOf("workerd"),
      miniflare: versionOf("miniflare"),
      aedes: versionOf("aedes"),
      ws: versionOf("ws"),
      "Node.js": process.version.slice(1),
      mosquitto: mosquittoVersion() ?? "not installed",
    },
  };
}
