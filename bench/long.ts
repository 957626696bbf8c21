/**
 * `npm run bench:long`: does anything give way with many connections, many subscriptions, or over ten minutes? The same load each time, and
 * its rate and the server's memory beside those of the first step.
 */

import { parseArgs } from "node:util";
import { type Contender, OWN, type ProcessFigures, processFigures } from "./brokers.ts";
import type { Crowd, FlowLoad } from "./load/options.ts";
import { longTable } from "./long-table.ts";
import { describeBroker } from "./machine.ts";
import { writeReport } from "./report.ts";
import { type LongRow, median, readResults, writeResults } from "./results.ts";
import { measure, type Sample } from "./run.ts";
import { start } from "./suite.ts";

const { values } = parseArgs({
  options: {
    /** A part of the name of what changes: "clients", "subscriptions" or "minutes". */
    only: { type: "string", default: "" },
    contenders: { type: "string" },
    minutes: { type: "string", default: "10" },
    rounds: { type: "string", default: "5" },
  },
});
const rounds = Number(values.rounds);

const LOAD: FlowLoad = {
  kind: "flow",
  version: 4,
  qos: 0,
  payloadBytes: 64,
  publishers: 10,
  subscribers: 10,
  wants: "pairs",
  window: 100,
  framing: "burst",
};

/** Those of the load itself. */
const OWN_CONNECTIONS = LOAD.publishers + LOAD.subscribers;

/** In one SUBSCRIBE after another; as many as one session may have. */
const SUBSCRIPTIONS_EACH = 1000;

const ROOM = { SESSIONS_MAX: "100000", CONNECTIONS_MAX: "32768" };

function crowds(): { what: string; at: string; crowd: Crowd }[] {
  const connections = [100, 1000, 10_000].map((count) => ({
    what: "clients are connected",
    at: count.toLocaleString("en-US"),
    crowd: { connections: count - OWN_CONNECTIONS, subscriptionsEach: 0 },
  }));
  const subscriptions = [1, 1000, 10_000, 100_000].map((count) => ({
    what: "there are further subscriptions",
    at: count.toLocaleString("en-US"),
    crowd: { connections: Math.ceil(count / SUBSCRIPTIONS_EACH), subscriptionsEach: Math.min(count, SUBSCRIPTIONS_EACH) },
  }));
  return [...connections, ...subscriptions];
}

/** Each step with a broker of its own. All steps take turns, round by round, so that a busy machine slows them alike. */
async function growth(contender: Contender): Promise<LongRow[]> {
  const steps = crowds().filter(({ what }) => what.includes(values.only));
  const samples = new Map<string, Sample[]>(steps.map(({ what, at }) => [what + at, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const { what, at, crowd } of steps) {
      const running = await start(contender, ROOM);
      try {
        samples.get(what + at)!.push(await measure(running, LOAD, { warmUpSeconds: 2, seconds: 2, crowd }));
      } finally {
        await running.stop();
      }
    }
  }
  return steps.map(({ what, at }) => {
    const found = samples.get(what + at)!;
    return {
      what,
      at,
      contender: contender.name,
      perSecond: median(found.map(({ perSecond }) => perSecond)),
      cpuOfMillion: median(found.map(({ cpuSeconds, count }) => ((cpuSeconds ?? Number.NaN) / count) * 1e6)),
      memoryBytes: median(found.map(({ memoryAfter }) => memoryAfter ?? 0)),
    };
  });
}

/** One load without a pause. */
async function endurance(contender: Contender, minutes: number): Promise<LongRow[]> {
  const running = await start(contender);
  const rows: LongRow[] = [];
  let before = 0;
  const ticked = (perSecond: number, figures: ProcessFigures | undefined): void => {
    const cpuSeconds = (figures?.cpuSeconds ?? Number.NaN) - before;
    before += cpuSeconds;
    rows.push({
      what: "minutes pass",
      at: String(rows.length + 1),
      contender: contender.name,
      perSecond,
      cpuOfMillion: (cpuSeconds / (perSecond * 60)) * 1e6,
      memoryBytes: figures?.memoryBytes,
    });
    console.log(rows.at(-1));
  };
  try {
    const begun = async (): Promise<void> => {
      before = processFigures(running.processId)?.cpuSeconds ?? Number.NaN;
    };
    // Half a second more than the last minute needs.
    await measure(running, LOAD, { warmUpSeconds: 5, seconds: minutes * 60 + 0.5, tickSeconds: 60, ticked, begun });
  } finally {
    await running.stop();
  }
  return rows;
}

const long: LongRow[] = [];
const keys = values.contenders?.split(",");
for (const contender of OWN.filter(({ key }) => keys === undefined || keys.includes(key))) {
  long.push(...(await growth(contender)));
  if ("minutes pass".includes(values.only)) long.push(...(await endurance(contender, Number(values.minutes))));
}
const results = readResults();
const measured = new Set(long.map(({ what, contender }) => what + contender));
results.long = [...results.long.filter(({ what, contender }) => !measured.has(what + contender)), ...long];
results.taken.long = { at: new Date().toISOString(), broker: describeBroker() };
console.log(longTable(results));
writeResults(results);
writeReport(results);
process.exit(0);
