/** Runs the load program against a server, within a bound of time, and reads what the server used meanwhile. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type ProcessFigures, processFigures, type Running } from "./brokers.ts";
import { onLoadCore } from "./cores.ts";
import type { Crowd, Load, LoadEvent, LoadOptions, LoadResult } from "./load/options.ts";

/** How long connecting, preparing and settling may take besides what is measured. */
const GRACE_SECONDS = 60;

export interface Sample extends LoadResult {
  /** Processor seconds of the server in the measured time; undefined where there is no /proc. */
  readonly cpuSeconds: number | undefined;
  /** Memory of the server before and after the measured time, bytes. */
  readonly memoryBefore: number | undefined;
  readonly memoryAfter: number | undefined;
}

export interface Timing {
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface MeasureOptions extends Timing {
  readonly crowd?: Crowd;
  /** Awaited before the first message of a load of so many messages. */
  readonly begun?: () => Promise<void>;
  /** Hears of the rate so often, and of the server. */
  readonly tickSeconds?: number;
  readonly ticked?: (perSecond: number, figures: ProcessFigures | undefined) => void;
  /** Awaited when the measured time is over and all clients are still there. */
  readonly ended?: () => Promise<void>;
}

/** @throws a sentence when the load program fails or does not end in time */
export async function measure(running: Running, load: Load, options: MeasureOptions): Promise<Sample> {
  const { begun, ended, ticked, ...times } = options;
  const told: LoadOptions = { target: running.target(load), load, ...times };
  const program = join(import.meta.dirname, "load", "program.ts");
  const [command, ...rest] = onLoadCore([process.execPath, program, JSON.stringify(told)]);
  const child = spawn(command!, rest, { stdio: ["pipe", "pipe", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (data: Buffer) => {
    complaint += data.toString();
  });
  child.stdin.on("error", () => {});
  const limitSeconds = times.warmUpSeconds + times.seconds + GRACE_SECONDS;
  return new Promise((resolve, reject) => {
    let before: ProcessFigures | undefined;
    const late = setTimeout(() => finish(() => reject(new Error(`did not end within ${limitSeconds} s`))), limitSeconds * 1000);
    const finish = (settle: () => void): void => {
      clearTimeout(late);
      child.removeAllListeners("exit");
      child.once("exit", settle);
      if (child.exitCode !== null || child.signalCode !== null) settle();
      else child.kill("SIGKILL");
    };
    createInterface(child.stdout).on("line", (line) => {
      const event = JSON.parse(line) as LoadEvent;
      const figures = processFigures(running.processId);
      if (event.event === "tick") {
        ticked?.(event.perSecond, figures);
        return;
      }
      if (event.event === "begin") {
        before = figures;
        void (begun?.() ?? Promise.resolve()).then(() => child.stdin.write("\n"), reject);
        return;
      }
      const used = before && figures && figures.cpuSeconds - before.cpuSeconds;
      const sample = { ...event.result, cpuSeconds: used, memoryBefore: before?.memoryBytes, memoryAfter: figures?.memoryBytes };
      child.removeAllListeners("exit");
      void (ended?.() ?? Promise.resolve()).then(() => finish(() => resolve(sample)), reject);
    });
    child.once("exit", (code) => finish(() => reject(new Error(lastLine(complaint) ?? `the load program ended with code ${code}`))));
  });
}

function lastLine(text: string): string | undefined {
  const lines = text.split("\n").filter((line) => /\S/.test(line));
  return lines.find((line) => /^(?:\w*Error|the load program)/.test(line)) ?? lines.at(-1);
}
