/** Runs the command `durable-mqtt` from its sources, as npm scripts do. */

import { type SpawnOptions, spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ROOT } from "../../scripts/build/bundle.ts";

export const COMMAND = join(ROOT, "scripts", "local", "durable-mqtt.ts");

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts it. @param env added to an environment that has no settings */
export function spawnCommand(args: readonly string[], env: Readonly<Record<string, string>> = {}, options: SpawnOptions = {}) {
  const own = { PATH: process.env.PATH, HOME: process.env.HOME, ...env };
  return spawn(process.execPath, [COMMAND, ...args], { stdio: "pipe", env: own, ...options });
}

/** @param input what comes by the standard input */
export async function runCommand(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ""): Promise<Result> {
  const child = spawnCommand(args, env);
  child.stdin!.on("error", () => {}).end(input);
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
  return { code: await exited, stdout, stderr };
}
