/**
 * `npm run bench:profile`: what the processor time of a delivery goes to, in one scenario of the benchmark and for each contender that runs
 * in workerd. Samples the server with `perf` (Linux; the package linux-perf or perf) while the load of the benchmark runs, and sorts the
 * samples twice: by what kind of code it is, and by the event of the runtime that it is done for. Nothing here leaves the loopback interface.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Contender, contenders, type Running } from "./brokers.ts";
import type { Load } from "./load/options.ts";
import { describeBroker } from "./machine.ts";
import { measure } from "./run.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { start } from "./suite.ts";

const HELP = `npm run bench:profile -- [options]
  --only KEYS       scenarios (pairs-0), separated by commas
  --contenders KEYS compact, handed, relayed, floor, relay (all of them), separated by commas
  --seconds S       measured time (5), after a warm-up of as much
  --help`;

const IN_WORKERD = ["compact", "handed", "relayed", "floor", "relay"];

/** Samples a second: few enough to cost little, and no divisor of anything. */
const FREQUENCY = 1999;

/** The first that fits the sampled function, its file and its thread decides. */
const KINDS: readonly (readonly [kind: string, fits: (sample: Sample) => boolean])[] = [
  ["V8's threads: garbage, compiling", ({ thread }) => thread.startsWith("V8")],
  ["kernel: sockets, waiting, pages", ({ file }) => file.includes("kernel")],
  ["JavaScript", ({ file, stack }) => file.includes("JIT") || file.includes("perf-") || /^Builtins_/.test(stack[0]!)],
  ["V8 beneath it", ({ stack }) => /\bv8::|cppgc|heap::base/.test(stack[0]!)],
  [
    "allocating and copying",
    ({ file, stack }) => file.includes("libc") || /malloc|Malloc|TCMalloc|operator (?:new|delete)/.test(stack[0]!),
  ],
  ["workerd", ({ stack }) => /workerd::/.test(stack[0]!) && !/^kj::|^non-virtual thunk to kj::/.test(stack[0]!)],
  ["event loop and promises (kj), calls (Cap'n Proto)", ({ stack }) => /\bkj::|capnp::/.test(stack[0]!)],
];

/** By the outermost turn of an isolate that a sample is in. */
const EVENTS: readonly (readonly [event: string, turn: RegExp])[] = [
  ["a frame comes to an object", /runSingle<workerd::api::HibernatableWebSocket/],
  ["a frame comes to a Worker, or to an object from another", /runSingle<workerd::api::LegacyWebSocketAdapter/],
  ["a timer is due", /runSingle<workerd::IoContext::TimeoutManagerImpl/],
  ["a call comes", /runSingle<workerd::api::JsRpc|runSingle<workerd::IoContext::makeReentryCallbackImpl.*JsRpc/],
  ["the answer to a call comes", /runSingle<workerd::IoContext::awaitIoImpl<capnp/],
  ["something else that was waited for comes", /runSingle<workerd::IoContext::awaitIoImpl/],
  ["a request comes", /runSingle<workerd::\(anonymous namespace\)::WorkerEntrypoint::requestImpl/],
  ["another turn of an isolate", /IoContext::runSingle/],
];
const OUTSIDE = "outside of isolates: sockets, event loop, threads";

interface Sample {
  readonly thread: string;
  /** Of the innermost function. */
  readonly file: string;
  /** Functions, the innermost first. */
  readonly stack: readonly string[];
}

function samplesOf(path: string): Sample[] {
  const { stdout } = spawnSync("perf", ["script", "-i", path, "-F", "comm,ip,sym,dso"], { encoding: "utf8", maxBuffer: 2 ** 30 });
  return stdout.split("\n\n").flatMap((block) => {
    const [thread = "", ...lines] = block.trim().split("\n");
    const frames = lines.map((line) => /^\s*[0-9a-f]+ (.*) \((.*)\)$/.exec(line));
    const stack = frames.map((frame) => frame?.[1] ?? "[unknown]");
    return stack.length === 0 ? [] : [{ thread: thread.trim(), file: frames[0]?.[2] ?? "", stack }];
  });
}

/** The part of the samples that each name has. */
function partsOf(samples: readonly Sample[], nameOf: (sample: Sample) => string): Map<string, number> {
  const parts = new Map<string, number>();
  for (const sample of samples) parts.set(nameOf(sample), (parts.get(nameOf(sample)) ?? 0) + 1 / samples.length);
  return parts;
}

const kindOf = (sample: Sample): string => KINDS.find(([, fits]) => fits(sample))?.[0] ?? "other";

function eventOf({ stack }: Sample): string {
  const turn = stack.findLast((name) => name.includes("IoContext::runSingle<"));
  return turn === undefined ? OUTSIDE : EVENTS.find(([, pattern]) => pattern.test(turn))![0];
}

async function recording(processId: number, path: string): Promise<ChildProcess> {
  const args = ["record", "-q", "-e", "cpu-clock", "-F", String(FREQUENCY), "-g", "-p", String(processId), "-o", path];
  const child = spawn("perf", args, { stdio: ["ignore", "ignore", "inherit"] });
  await once(child, "spawn");
  return child;
}

interface Profile {
  readonly name: string;
  /** Processor time of a delivery, microseconds. */
  readonly us: number;
  readonly samples: readonly Sample[];
}

/** @param path of the file for the samples */
async function profileOf({ name }: Contender, running: Running, load: Load, seconds: number, path: string): Promise<Profile> {
  await measure(running, load, { warmUpSeconds: seconds, seconds: 0.2 });
  const recorder = await recording(running.processId!, path);
  const sample = await measure(running, load, { warmUpSeconds: 0.2, seconds });
  const ended = once(recorder, "exit");
  recorder.kill("SIGINT");
  await ended;
  return { name, us: (sample.cpuSeconds! / sample.count) * 1e6, samples: samplesOf(path) };
}

/** A column for each profile, a row for each name, the one that takes most first. */
function table(title: string, profiles: readonly Profile[], nameOf: (sample: Sample) => string): string {
  const columns = profiles.map(({ us, samples }) => ({ us, parts: partsOf(samples, nameOf) }));
  const sum = (name: string): number => columns.reduce((all, { us, parts }) => all + (parts.get(name) ?? 0) * us, 0);
  const names = [...new Set(columns.flatMap(({ parts }) => [...parts.keys()]))].sort((a, b) => sum(b) - sum(a));
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const cells = (name: string): string[] =>
    columns.map(({ us, parts }) => {
      const part = parts.get(name);
      return part === undefined ? "-" : `${(part * us).toPrecision(3)} (${Math.round(part * 100)} %)`;
    });
  return [
    row([title, ...profiles.map(({ name }) => name)]),
    row(["---", ...profiles.map(() => "---")]),
    row(["all, us", ...columns.map(({ us }) => us.toPrecision(3))]),
    ...names.map((name) => row([name, ...cells(name)])),
  ].join("\n");
}

function fail(sentence: string): never {
  console.error(`${sentence}\n\n${HELP}`);
  process.exit(2);
}

async function printProfiles(scenario: Scenario, taking: readonly Contender[], seconds: number, path: string): Promise<void> {
  const profiles: Profile[] = [];
  for (const contender of taking) {
    const running = await start(contender, scenario.env);
    try {
      profiles.push(await profileOf(contender, running, scenario.load, seconds, path));
    } finally {
      await running.stop();
    }
  }
  const what = scenario.unit === "visits/s" ? "visit" : "delivery";
  console.log(`\n${scenario.title}, ${describeBroker()}: processor time of a ${what}\n`);
  console.log(`${table("done for", profiles, eventOf)}\n\n${table("what it is", profiles, kindOf)}\n`);
}

const text = { type: "string" } as const;
const { values } = parseArgs({ options: { only: text, contenders: text, seconds: text, help: { type: "boolean", default: false } } });
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const scenarios = (values.only ?? fail("--only must name a scenario")).split(",").map((key) => {
  const names = SCENARIOS.map((scenario) => scenario.key).join(", ");
  return SCENARIOS.find((scenario) => scenario.key === key) ?? fail(`--only must name scenarios (${names}), found ${key}`);
});
const keys = values.contenders?.split(",") ?? IN_WORKERD;
const unknown = keys.find((key) => !IN_WORKERD.includes(key));
if (unknown !== undefined) fail(`--contenders must be of ${IN_WORKERD.join(", ")}, found ${unknown}`);
const seconds = Number(values.seconds ?? 5);
if (!(seconds > 0 && seconds <= 60)) fail(`--seconds must be a number above 0, at most 60, found ${values.seconds}`);
if (spawnSync("perf", ["--version"]).status !== 0)
  fail("perf is not installed here, or does not work: on Debian it is in the package linux-perf.");

const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-profile-"));
try {
  const taking = contenders().filter(({ key }) => keys.includes(key));
  for (const scenario of scenarios) await printProfiles(scenario, taking, seconds, join(folder, "perf.data"));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
