/** Runs the command `durable-mqtt` from its sources: as npm scripts do, or, where that says the same, within this process, which is quicker. */

import { type SpawnOptions, spawn } from "node:child_process";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { vi } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { COMMANDS } from "../../scripts/local/commands.ts";
import { runProgram } from "../../src/cli/program.ts";

export const COMMAND = join(ROOT, "scripts", "local", "durable-mqtt.ts");

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts it. @param env added to an environment that has no settings */
export function spawnCommand(args: readonly string[], env: Readonly<Record<string, string>> = {}, options: SpawnOptions = {}) {
  // It starts in half the time where its modules were compiled before.
  const own = { PATH: process.env.PATH, HOME: process.env.HOME, NODE_COMPILE_CACHE: join(ROOT, "node_modules/.cache/command"), ...env };
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

/** What one process says is not to be mixed with what another call in it says. */
let before: Promise<unknown> = Promise.resolve();

/** Calls it within this process, which is quicker: for what does not end by a signal. One after the other. @param input as above */
export function callCommand(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ""): Promise<Result> {
  const called = before.then(() => calling(args, env, input));
  before = called.catch(() => {});
  return called;
}

async function calling(args: readonly string[], env: Readonly<Record<string, string>>, input: string): Promise<Result> {
  for (const [name, value] of Object.entries({ FORCE_COLOR: "", ...env })) vi.stubEnv(name, value);
  const said = { stdout: [] as Buffer[], stderr: "" };
  const spies = [
    vi.spyOn(console, "log").mockImplementation((line: string) => void said.stdout.push(Buffer.from(`${line}\n`))),
    vi.spyOn(console, "error").mockImplementation((line: string) => {
      said.stderr += `${line}\n`;
    }),
    vi.spyOn(process.stderr, "write").mockImplementation((piece) => {
      said.stderr += String(piece);
      return true;
    }),
    vi.spyOn(process.stdout, "write").mockImplementation((piece) => said.stdout.push(Buffer.from(piece)) > 0),
    vi.spyOn(process, "stdin", "get").mockReturnValue(Readable.from([input], { objectMode: false }) as typeof process.stdin),
  ];
  try {
    const code = await runProgram(COMMANDS, "0", args);
    return { code, stdout: Buffer.concat(said.stdout).toString(), stderr: said.stderr };
  } finally {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
    process.exitCode = undefined;
  }
}
