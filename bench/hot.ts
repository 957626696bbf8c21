/**
 * `npm run bench:hot`: one hot topic beside 1,000 cold ones on a broker of 4 + 4 objects, relayed: what the cold ones feel, with the hot one
 * among those that share Topic objects, and with an object of its own (TOPICS_WITH_OBJECT). Prints a table; `--write` puts it between its
 * markers in docs/operations.md. Nothing here leaves the loopback interface.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { ROOT } from "../scripts/build/bundle.ts";
import { startBroker } from "../scripts/local/local-broker.ts";
import { topicShard } from "../src/objects/names.ts";
import { onLoadCore, pinServer } from "./cores.ts";
import type { ColdOptions, ColdResult, Delays, HotOptions } from "./hot/options.ts";
import { describeMachine } from "./machine.ts";
import { median } from "./results.ts";
import { number, table } from "./tables.ts";

const HELP = `npm run bench:hot -- [options]
  --quick       one round of a second each: does it all work?
  --rounds N    rounds of which the median counts (3)
  --seconds S   measured time of each (5)
  --only TEXT   rows whose title contains TEXT
  --write       puts the table into docs/operations.md`;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    seconds: { type: "string" },
    only: { type: "string", default: "" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const SHARDS = 4;
const TOPIC = "match/1/score";
const COLD = Array.from({ length: 1000 }, (_, index) => `cold/${index}`);
const SHARED = { topicShards: SHARDS, topicsWithObject: [] };

/** Cold topics that share the object of the hot one when that has none of its own. */
const BESIDE = COLD.filter((topic) => topicShard(SHARED, topic) === topicShard(SHARED, TOPIC));

interface Heat {
  readonly title: string;
  readonly hot: Pick<HotOptions, "messagesPerSecond" | "publishers" | "subscribers" | "kept" | "window"> | undefined;
}

const PUBLISHERS = { publishers: 8, window: 20 };

const HEATS: readonly Heat[] = [
  { title: "nothing hot", hot: undefined },
  { title: "1,000 a second to 1 client", hot: { messagesPerSecond: 1000, subscribers: 1, kept: false, ...PUBLISHERS } },
  { title: "200 a second to 20 clients", hot: { messagesPerSecond: 200, subscribers: 20, kept: false, ...PUBLISHERS } },
  { title: "200 a second to 4 kept sessions", hot: { messagesPerSecond: 200, subscribers: 4, kept: true, ...PUBLISHERS } },
  { title: "as fast as it goes, to 1 client", hot: { messagesPerSecond: undefined, subscribers: 1, kept: false, ...PUBLISHERS } },
];

interface Measured extends ColdResult {
  /** Messages a second of the hot topic. */
  readonly hot: number;
}

const PAYLOAD_BYTES = 64;
const COLD_LOAD = { topics: COLD, beside: BESIDE, clients: 20, messagesPerSecond: 500, payloadBytes: PAYLOAD_BYTES } as const;

function program(options: HotOptions | ColdOptions): ChildProcess {
  const [command, ...rest] = onLoadCore([process.execPath, join(import.meta.dirname, "hot/program.ts"), JSON.stringify(options)]);
  const child = spawn(command!, rest, { stdio: ["ignore", "pipe", "inherit"] });
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  return child;
}

async function measure({ hot }: Heat, hasOwn: boolean, seconds: number): Promise<Measured> {
  const env = { TOPOLOGY: "sharded", SESSION_SHARDS: String(SHARDS), TOPIC_SHARDS: String(SHARDS), ALLOW_ANONYMOUS: "true" };
  const broker = await startBroker({ env: { ...env, TOPICS_WITH_OBJECT: hasOwn ? TOPIC : "" } });
  pinServer(broker.processId);
  const { mqttUrl: url } = broker;
  const rates: number[] = [];
  const flood = hot && program({ role: "hot", url, topic: TOPIC, payloadBytes: PAYLOAD_BYTES, ...hot });
  if (flood !== undefined) {
    const lines = createInterface(flood.stdout!);
    lines.on("line", (line) => rates.push(Number(line)));
    await once(lines, "line");
  }
  rates.length = 0;
  const load = program({ role: "cold", url, ...COLD_LOAD, warmUpSeconds: Math.min(2, seconds), seconds });
  const [line] = (await once(createInterface(load.stdout!), "line")) as [string];
  const result = JSON.parse(line) as ColdResult;
  if (flood !== undefined) {
    const ended = once(flood, "exit");
    flood.kill("SIGKILL");
    await ended;
  }
  await broker.dispose();
  return { ...result, hot: flood === undefined ? 0 : median(rates) };
}

async function main(): Promise<void> {
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const seconds = Number(values.seconds ?? (values.quick ? 1 : 5));
  const { processor, cores, versions } = describeMachine();
  const loads: number[] = [];
  const rows: string[][] = [];
  for (const heat of HEATS.filter(({ title }) => title.includes(values.only))) {
    const samples: Record<"shared" | "own", Measured[]> = { shared: [], own: [] };
    // In turns: what else the machine does is the same for both.
    for (let round = 0; round < rounds; round += 1) {
      loads.push(loadavg()[0]!);
      samples.shared.push(await measure(heat, false, seconds));
      samples.own.push(await measure(heat, true, seconds));
    }
    for (const [which, title] of [
      ["shared", "shares a Topic object"],
      ["own", "has its own"],
    ] as const) {
      const all = samples[which];
      const missing = all.reduce((sum, each) => sum + each.missing, 0);
      if (missing > 0) console.log(`${heat.title}, ${title}: ${missing} cold messages did not arrive in time`);
      const delay = (of: (each: Measured) => Delays): string =>
        `${number(median(all.map((each) => of(each).p50)))} / ${number(median(all.map((each) => of(each).p99)))}`;
      const hot = heat.hot === undefined ? "-" : number(median(all.map((each) => each.hot)));
      rows.push([heat.title, title, hot, delay(({ beside }) => beside), delay(({ elsewhere }) => elsewhere)]);
      console.log(rows.at(-1)!.join(" | "));
    }
  }
  const head = ["the hot topic", "it", "a second", "cold ones beside it, ms", "other cold ones, ms"];
  const text = [
    table(head, rows),
    "",
    `p50 / p99 from PUBLISH to the subscriber, QoS 1, relayed, 4 + 4 objects, ${COLD_LOAD.messagesPerSecond} messages a second on ${number(COLD.length)} cold topics, ${BESIDE.length} of which share the object`,
    `that the hot one has otherwise; median of ${rounds} rounds of ${seconds} s. ${processor}, ${cores} cores, load average before each median ${median(loads).toFixed(1)},`,
    `highest ${Math.max(...loads).toFixed(1)}; durable-mqtt ${versions["durable-mqtt"]}.`,
  ].join("\n");
  console.log(`\n${text}`);
  if (values.write) write(text);
}

function write(text: string): void {
  const path = join(ROOT, "docs/operations.md");
  const old = readFileSync(path, "utf8");
  const marked = /(?<=<!-- bench:hot -->\n)[\s\S]*?(?=<!-- \/bench:hot -->)/;
  if (!marked.test(old)) throw new Error(`${path} has no <!-- bench:hot --> with its end`);
  writeFileSync(
    path,
    old.replace(marked, () => `\n${text}\n\n`),
  );
}

if (values.help) console.log(HELP);
else await main();
process.exit(0);
