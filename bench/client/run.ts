/** Measures clients against a server. The rounds take turns, so that a machine that slows down slows all of them. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Contender, Running } from "../brokers.ts";
import { serve } from "../brokers.ts";
import { onLoadCore } from "../cores.ts";
import type { LoadEvent, LoadResult } from "../load/options.ts";
import type { Timing } from "../run.ts";
import { LIBRARIES, type LibraryName } from "./libraries.ts";
import type { ClientScenario } from "./scenarios.ts";

export interface ClientOptions extends Timing {
  readonly name: LibraryName;
  readonly scenario: ClientScenario;
  readonly url: string;
  readonly version: 4 | 5;
}

export interface ClientSample extends LoadResult {
  /** Processor time of the client's process for each message. */
  readonly cpuMicroseconds: number;
}

export type ClientResult = Record<LibraryName, ClientSample[]>;

/** A server that only answers (bench/servers/sink.ts): so it is the client that is measured. */
export const SINK: Contender = {
  key: "sink",
  name: "no broker",
  mirror: true,
  speaks5: true,
  async start() {
    const { url, ...rest } = await serve("sink.ts");
    return { target: () => ({ url, idInUrl: false }), ...rest };
  },
};

export interface ClientRunOptions extends Timing {
  readonly rounds: number;
  readonly version: 4 | 5;
}

export async function runClientScenario(running: Running, scenario: ClientScenario, options: ClientRunOptions): Promise<ClientResult> {
  const { rounds, version, warmUpSeconds, seconds } = options;
  const { url } = running.target({ kind: "send", version, qos: scenario.qos, payloadBytes: 0, publishers: 1 });
  const result: ClientResult = { mqttJs: [], own: [], ownOverWs: [] };
  for (let round = 0; round < rounds; round += 1) {
    // Nobody is always the first.
    const order = LIBRARIES.map((_, index) => LIBRARIES[(index + round) % LIBRARIES.length]!);
    for (const { name } of order) {
      result[name].push(await measureClient({ name, scenario, url, version, warmUpSeconds, seconds }));
    }
  }
  return result;
}

/** @throws a sentence when the program fails */
async function measureClient(options: ClientOptions): Promise<ClientSample> {
  const [command, ...rest] = onLoadCore([process.execPath, join(import.meta.dirname, "program.ts"), JSON.stringify(options)]);
  const child = spawn(command!, rest, { stdio: ["ignore", "pipe", "pipe"] });
  let told = "";
  let complaint = "";
  child.stdout.on("data", (data: Buffer) => {
    told += data.toString();
  });
  child.stderr.on("data", (data: Buffer) => {
    complaint += data.toString();
  });
  await once(child, "close");
  const events = told
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LoadEvent);
  const end = events.find((event) => event.event === "end");
  if (end === undefined) throw new Error(`${options.name}, ${options.scenario.title}: ${complaint || "it measured nothing"}`);
  const { busy, seconds, count } = end.result;
  return { ...end.result, cpuMicroseconds: (busy * seconds * 1e6) / count };
}
