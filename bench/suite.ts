/** Runs scenarios over contenders. The rounds take turns, so that a machine that slows down slows all of them. */

import { loadavg } from "node:os";
import type { Contender, Running } from "./brokers.ts";
import { pinServer } from "./cores.ts";
import type { Load } from "./load/options.ts";
import { describeBroker } from "./machine.ts";
import { medianOf, type ScenarioResult } from "./results.ts";
import { measure, type Timing } from "./run.ts";
import type { Group, Scenario } from "./scenarios.ts";

export interface SuiteOptions extends Timing {
  readonly rounds: number;
  readonly contenders: readonly Contender[];
  /** What was measured so far: a scenario may need a rate from it. */
  readonly known: readonly ScenarioResult[];
}

/** It only has to be far above the others. */
const CEILING_ROUNDS = 2;
const CEILING_WINDOWS = 10;

/** After a load program has gone: its connections end. */
const SETTLE_MS = 100;

export async function runScenario(scenario: Scenario, options: SuiteOptions): Promise<ScenarioResult> {
  const taking = options.contenders.filter((contender) => takesPart(contender, scenario));
  const result: ScenarioResult = {
    key: scenario.key,
    at: new Date().toISOString(),
    broker: describeBroker(),
    loadAverage: loadavg()[0]!,
    rounds: options.rounds,
    seconds: options.seconds,
    samples: Object.fromEntries(taking.map(({ key }) => [key, []])),
    failures: {},
  };
  const rounds = Math.min(options.rounds, scenario.roundsMax ?? options.rounds);
  const servers = new Map<string, Running>();
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const contender of taking) {
        if (result.failures[contender.key] !== undefined) continue;
        if (contender.key === "ceiling" && round >= CEILING_ROUNDS) continue;
        try {
          const running = servers.get(contender.key) ?? (await start(contender, scenario.env));
          servers.set(contender.key, running);
          const load = loadFor(scenario, contender, round, options.known);
          const seconds = scenario.seconds ?? options.seconds;
          const warmUpSeconds = (round === 0 ? scenario.warmUpSeconds : undefined) ?? options.warmUpSeconds;
          result.samples[contender.key]!.push(await measure(running, load, { warmUpSeconds, seconds }));
        } catch (error) {
          result.failures[contender.key] = (error as Error).message;
        }
        if (scenario.fresh) {
          await servers.get(contender.key)?.stop();
          servers.delete(contender.key);
        } else await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      }
    }
  } finally {
    for (const running of servers.values()) await running.stop();
  }
  return result;
}

export async function start(contender: Contender, env?: Readonly<Record<string, string>>): Promise<Running> {
  const running = await contender.start(env);
  pinServer(running.processId);
  return running;
}

export function takesPart(contender: Contender, { load, group, ceiling }: Scenario): boolean {
  if (load.version === 5 && !contender.speaks5) return false;
  // It has no shared subscriptions.
  if (contender.key === "aedes") return !isShared(load);
  if (contender.key === "ceiling") return ceiling === true;
  // What a relay costs is in its connections and in each frame.
  if (contender.key === "relay" && !RELAYED.includes(group)) return false;
  return !contender.mirror || (canBeMirrored(load) && !isShared(load));
}

/** Tables in which the bare relay stands beside the bare object. */
const RELAYED: readonly Group[] = ["packets", "windows", "payloads", "connections", "memory"];

function isShared(load: Load): boolean {
  return "wants" in load && load.wants === "share";
}

/** Whether the same frames come and go where nobody looks into them. */
function canBeMirrored({ kind }: Load): boolean {
  return kind !== "retained" && kind !== "library";
}

function loadFor(scenario: Scenario, contender: Contender, round: number, known: readonly ScenarioResult[]): Load {
  const { load, halfPeakOf } = scenario;
  // So that the server in Node is not what is measured.
  if (load.kind === "flow" && load.framing === "burst" && contender.key === "ceiling")
    return { ...load, window: load.window * CEILING_WINDOWS };
  // Connections stay, and so do retained messages.
  if (load.kind === "retained") return { ...load, prepare: round === 0 };
  if (load.kind !== "paced" || halfPeakOf === undefined) return load;
  const peak = medianOf(
    known.find(({ key }) => key === halfPeakOf),
    contender.key,
    ({ perSecond }) => perSecond,
  );
  if (peak === undefined) throw new Error(`its peak is not known: run "${halfPeakOf}" first`);
  return { ...load, messagesPerSecond: Math.round(peak / 2) };
}
