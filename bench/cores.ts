/**
 * Server and load program on cores of their own, where the system can do it: otherwise it tends to put two processes that wake each other
 * on one core, and what is measured is both together.
 */

import { spawnSync } from "node:child_process";
import { cpus } from "node:os";

const COUNT = cpus().length;

export const CAN_PIN = COUNT > 1 && spawnSync("taskset", ["-c", "0", "true"]).status === 0;

/** Puts a server with all its threads on every core but the last. */
export function pinServer(processId: number | undefined): void {
  if (CAN_PIN && processId !== undefined) spawnSync("taskset", ["-a", "-p", "-c", COUNT === 2 ? "0" : `0-${COUNT - 2}`, `${processId}`]);
}

/** @returns the command that starts a program on the last core */
export function onLoadCore(command: readonly string[]): string[] {
  return CAN_PIN ? ["taskset", "-c", `${COUNT - 1}`, ...command] : [...command];
}
