/**
 * `durable-mqtt probe`: goes the way of a message at each QoS, from the connection to the end, and says how long each step took and which one
 * failed. For people, for cron, and for Prometheus (the textfile collector of its node exporter).
 */

import { renameSync, rmSync, writeFileSync } from "node:fs";
import { InvalidArgumentError, Option } from "commander";
import { systemClock } from "../client/platform.ts";
import type { QoS } from "../mqtt/packet.ts";
import { PLATFORM } from "../runtime.ts";
import { Ending } from "./ending.ts";
import { type Probed, probeOnce, STEPS } from "./probing.ts";
import { EXIT_FAILED, Problem } from "./problem.ts";
import type { Command } from "./program.ts";
import { SERVER_HELP, type ServerOptions, serverOf, serverOptions } from "./server.ts";
import { paint } from "./terminal.ts";
import { durationOf, durationOption } from "./values.ts";

interface Options extends ServerOptions {
  readonly qos: readonly QoS[];
  readonly topic?: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly every?: number;
  readonly quiet: boolean;
  readonly json: boolean;
  readonly textfile?: string;
}

export function define(command: Command): void {
  serverOptions(command)
    .description("Connects, subscribes, publishes, receives and disconnects at each QoS, and prints the time of each step.")
    .addOption(new Option("-q, --qos <list>", "the QoS to try").argParser(qosList).default([0, 1, 2], "0,1,2"))
    .option("-t, --topic <topic>", "where to; probe/ and a random name without it")
    .addOption(durationOption("-W, --timeout <time>", "for each step", "10s"))
    .option("--every <time>", "again and again, until it is stopped", everyOf)
    .option("--quiet", "prints nothing when all went well", false)
    .option("--json", "prints an object a line", false)
    .option("--textfile <file>", "writes a file for the textfile collector of Prometheus, as a whole each time")
    .addHelpText("after", `${SERVER_HELP}\nIt ends with 0 when all went well, and with 1 when anything did not.`)
    .action(run);
}

function qosList(text: string): QoS[] {
  const list = text.split(",");
  if (/^[012](?:,[012])*$/.test(text) && new Set(list).size === list.length) return list.map((qos) => Number(qos) as QoS);
  throw new InvalidArgumentError("Expected 0, 1, 2, or several of them with commas.");
}

function everyOf(text: string): number {
  const ms = durationOf(text);
  if (ms < 1000) throw new InvalidArgumentError("Expected a second or more.");
  return ms;
}

async function run(options: Options): Promise<void> {
  const { every } = options;
  const server = await serverOf(options);
  const ending = new Ending();
  try {
    for (let isFirst = true; isFirst || every !== undefined; isFirst = false) {
      const began = systemClock.now();
      const probed = await probeOnce(server, options, ending);
      if (probed !== undefined) report(probed, server.name, options, isFirst);
      if (probed?.ok === false && every === undefined) process.exitCode = EXIT_FAILED;
      if (every !== undefined) await ending.pause(Math.max(0, every - (systemClock.now() - began)));
      if (ending.isReached) break;
    }
    if (every === undefined && ending.isReached) throw new Problem("It was stopped before it was through.");
  } finally {
    ending.dispose();
  }
}

function report(probed: Probed, server: string, options: Options, isFirst: boolean): void {
  const time = new Date(PLATFORM.now());
  if (probed.ok && options.quiet) {
    // As cron wants it.
  } else if (options.json) console.log(JSON.stringify({ time: time.toISOString(), server, ...probed }));
  else console.log(tableOf(probed, server, time, isFirst, options));
  if (options.textfile === undefined) return;
  try {
    writeWhole(options.textfile, expositionOf(probed, server, time));
  } catch (error) {
    // A disk that is full now may have room for the next one.
    if (isFirst) throw error;
    console.error(`durable-mqtt: ${(error as Problem).message}`);
  }
}

const WIDTH = 12;

/** Of one probe a table; of many, after the first, a line each. */
function tableOf({ ok, rounds, error }: Probed, server: string, time: Date, isFirst: boolean, { every }: Options): string {
  const verdict = ok ? paint("green", "ok") : paint("red", `failed: ${error}`);
  const head = `${"".padEnd(7)}${STEPS.map((step) => step.padStart(WIDTH)).join("")}  ms`;
  const rows = rounds.map(({ qos, steps }) => `QoS ${qos}  ${STEPS.map((step) => numberOf(steps[step])).join("")}`);
  const total = rounds.flatMap(({ steps }) => Object.values(steps)).reduce((sum, ms) => sum + ms, 0);
  if (every !== undefined && !isFirst) return `${time.toISOString()}  ${verdict}  ${total.toFixed(1)} ms`;
  return [server, paint("dim", head), ...rows, `${verdict}, ${total.toFixed(1)} ms`].join("\n");
}

function numberOf(ms: number | undefined): string {
  return (ms === undefined ? "-" : ms.toFixed(1)).padStart(WIDTH);
}

/** The exposition format of Prometheus, 0.0.4. */
export function expositionOf({ ok, rounds }: Probed, server: string, time: Date): string {
  const label = `server="${server.replace(/["\\\n]/g, "_")}"`;
  const durations = rounds.flatMap(({ qos, steps }) =>
    STEPS.filter((step) => steps[step] !== undefined).map(
      (step) => `durable_mqtt_probe_duration_seconds{${label},qos="${qos}",step="${step}"} ${(steps[step]! / 1000).toFixed(6)}`,
    ),
  );
  return [
    "# HELP durable_mqtt_probe_success Whether all steps at each QoS went well.",
    "# TYPE durable_mqtt_probe_success gauge",
    `durable_mqtt_probe_success{${label}} ${ok ? 1 : 0}`,
    "# HELP durable_mqtt_probe_duration_seconds How long a step took.",
    "# TYPE durable_mqtt_probe_duration_seconds gauge",
    ...durations,
    "# HELP durable_mqtt_probe_timestamp_seconds When this was.",
    "# TYPE durable_mqtt_probe_timestamp_seconds gauge",
    `durable_mqtt_probe_timestamp_seconds{${label}} ${Math.round(time.getTime() / 1000)}`,
    "",
  ].join("\n");
}

/** Whoever reads the file finds it whole. */
function writeWhole(file: string, text: string): void {
  const half = `${file}.${process.pid}`;
  try {
    writeFileSync(half, text);
    renameSync(half, file);
  } catch (error) {
    rmSync(half, { force: true });
    throw new Problem(`${file} can't be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}
