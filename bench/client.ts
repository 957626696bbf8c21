/**
 * `npm run bench:client`: `durable-mqtt/client` beside MQTT.js, in Node on this machine, each in a process of its own against the same server.
 * Prints rates, processor time and ratios to MQTT.js. Nothing here leaves the loopback interface.
 */

import { parseArgs } from "node:util";
import { COMPACT } from "./brokers.ts";
import { LIBRARIES, type LibraryName } from "./client/libraries.ts";
import { type ClientResult, runClientScenario, SINK } from "./client/run.ts";
import { CLIENT_SCENARIOS } from "./client/scenarios.ts";
import { describeMachine } from "./machine.ts";
import { median } from "./results.ts";
import { start } from "./suite.ts";
import { number, table, times } from "./tables.ts";

const HELP = `npm run bench:client -- [options]
  --quick           one round of a quarter of a second each: does it all work?
  --only TEXT       scenarios whose title contains TEXT (several: separated by semicolons)
  --broker          against this broker (compact) instead of a server that only answers
  --version 5       protocol version, 4 or 5
  --rounds N        rounds of which the median counts (7)
  --seconds S       measured time of each (1)`;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    broker: { type: "boolean", default: false },
    version: { type: "string", default: "5" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

async function main(): Promise<void> {
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 7));
  const seconds = Number(values.seconds ?? (values.quick ? 0.25 : 1));
  const version = values.version === "4" ? 4 : 5;
  const { processor, cores, pinned, versions } = describeMachine();
  console.log(`${processor}, ${cores} cores${pinned ? ", server and client on cores of their own" : ""}`);
  console.log(`durable-mqtt ${versions["durable-mqtt"]}, Node.js ${versions["Node.js"]}, protocol version ${version}\n`);
  const running = await start(values.broker ? COMPACT : SINK);
  try {
    for (const scenario of CLIENT_SCENARIOS) {
      if (!values.only.split(";").some((word) => scenario.title.includes(word))) continue;
      // What a broker sends by itself it has from other clients.
      if (values.broker && scenario.kind === "receive") continue;
      const options = { rounds, seconds, warmUpSeconds: seconds / 2, version } as const;
      console.log(`${scenario.title}\n${tableOf(await runClientScenario(running, scenario, options))}\n`);
    }
  } finally {
    await running.stop();
  }
}

function tableOf(result: ClientResult): string {
  const rate = (name: LibraryName): number => median(result[name].map(({ perSecond }) => perSecond));
  const cpu = (name: LibraryName): number => median(result[name].map(({ cpuMicroseconds }) => cpuMicroseconds));
  const delay = (name: LibraryName, of: "p50" | "p99"): string => number(median(result[name].map((each) => each[of] ?? Number.NaN)) * 1000);
  const rows = LIBRARIES.map(({ name, title }) => {
    const ratios = [rate(name) / rate("mqttJs"), cpu("mqttJs") / cpu(name)].map(times);
    return [title, number(rate(name)), ratios[0]!, number(cpu(name)), ratios[1]!, `${delay(name, "p50")} / ${delay(name, "p99")}`];
  });
  return table(["", "per second", "to MQTT.js", "processor µs each", "MQTT.js to it", "µs, p50 / p99"], rows);
}

if (values.help) console.log(HELP);
else await main();
process.exit(0);
