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
import { contenders, type Running } from "./brokers.ts";
import type { Load } from "./load/options.ts";
import { describeBroker } from "./machine.ts";
import { measure } from "./run.ts";
import { SCENARIOS } from "./scenarios.ts";
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

/** The parts of all samples by name, the largest first. */
function sorted(samples: readonly Sample[], nameOf: (sample: Sample) => string): (readonly [name: string, share: number])[] {
  const counts = new Map<string, number>();
  for (const sample of samples) counts.set(nameOf(sample), (counts.get(nameOf(sample)) ?? 0) + 1);
  return [...counts].map(([name, count]) => [name, count / samples.length] as const).sort(([, a], [, b]) => b - a);
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

async function profile(running: Running, load: Load, seconds: number, path: string) {
  await measure(running, load, { warmUpSeconds: seconds, seconds: 0.2 });
  const recorder = await recording(running.processId!, path);
  const sample = await measure(running, load, { warmUpSeconds: 0.2, seconds });
  const ended = once(recorder, "exit");
  recorder.kill("SIGINT");
  await ended;
  return { us: (sample.cpuSeconds! / sample.count) * 1e6, samples: samplesOf(path) };
}

function table(title: string, columns: readonly string[], parts: readonly Map<string, number>[], us: readonly number[]): string {
  const sum = (name: string): number => parts.reduce((all, part, index) => all + (part.get(name) ?? 0) * us[index]!, 0);
  const names = [...new Set(parts.flatMap((part) => [...part.keys()]))].sort((a, b) => sum(b) - sum(a));
  const cell = (part: Map<string, number>, index: number, name: string): string => {
    const share = part.get(name);
    return share === undefined ? "-" : `${(share * us[index]!).toPrecision(3)} (${Math.round(share * 100)} %)`;
  };
  return [
    `| ${title} | ${columns.join(" | ")} |`,
    `|---|${columns.map(() => "---").join("|")}|`,
    `| all, us | ${us.map((value) => value.toPrecision(3)).join(" | ")} |`,
    ...names.map((name) => `| ${name} | ${parts.map((part, index) => cell(part, index, name)).join(" | ")} |`),
  ].join("\n");
}

const text = { type: "string" } as const;
const { values } = parseArgs({ options: { only: text, contenders: text, seconds: text, help: { type: "boolean", default: false } } });
if (values.help || values.only === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}
if (spawnSync("perf", ["--version"]).status !== 0) {
  console.error("perf is not installed here, or does not work: on Debian it is the package linux-perf.");
  process.exit(2);
}
const keys = values.contenders?.split(",") ?? IN_WORKERD;
const taking = contenders().filter(({ key }) => IN_WORKERD.includes(key) && keys.includes(key));
const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-profile-"));
for (const key of values.only.split(",")) {
  const scenario = SCENARIOS.find((each) => each.key === key);
  if (scenario === undefined) throw new Error(`there is no scenario ${key}: ${SCENARIOS.map((each) => each.key).join(", ")}`);
  const profiles = [];
  for (const contender of taking) {
    const running = await start(contender, scenario.env);
    profiles.push(await profile(running, scenario.load, Number(values.seconds ?? 5), join(folder, "perf.data")));
    await running.stop();
  }
  const columns = taking.map(({ name }) => name);
  const us = profiles.map((each) => each.us);
  console.log(`\n${scenario.title}, ${describeBroker()}: processor time of a ${scenario.unit === "visits/s" ? "visit" : "delivery"}\n`);
  for (const [title, nameOf] of [
    ["done for", eventOf],
    ["what it is", kindOf],
  ] as const)
    console.log(
      `${table(
        title,
        columns,
        profiles.map(({ samples }) => new Map(sorted(samples, nameOf))),
        us,
      )}\n`,
    );
}
rmSync(folder, { recursive: true, force: true });
process.exit(0);
