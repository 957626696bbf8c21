/** `durable-mqtt bench`: a load on a broker that its user names, no more and no longer than its user says, and what came of it. */

import { randomBytes } from "node:crypto";
import type { QoS } from "../mqtt/packet.ts";
import { PLATFORM } from "../runtime.ts";
import { Load, STAMP_BYTES } from "./bench-load.ts";
import { KINDS, type Plan, planOf, whatOf } from "./bench-plan.ts";
import { resultOf, tableOf } from "./bench-report.ts";
import { callOf } from "./calling.ts";
import { Ending } from "./ending.ts";
import { openFilesMax } from "./open-files.ts";
import { EXIT_FAILED, Problem, UsageProblem } from "./problem.ts";
import type { Command } from "./program.ts";
import { type LoginOptions, loginOptions, qosOf, serverAt, serverUrl, wholeUrl } from "./server.ts";
import { Progress } from "./terminal.ts";
import { wholeNumber } from "./values.ts";

/** Files that are open beside those of connections. */
const FILES_BESIDE = 64;

/** As large as EMQ's, bytes. */
const SIZE = 16;

interface Options extends LoginOptions {
  readonly scenario: string;
  readonly count?: number;
  readonly rate?: number;
  readonly seconds: number;
  readonly size: number;
  readonly qos: QoS;
  readonly connectRate: number;
  readonly topic?: string;
  readonly json: boolean;
}

const HELP = `
Scenarios, with what --count and --rate are:
  conn       connections, and how many of them are made in a second; they are held until the time is over
  sub        clients, each with a subscription of its own, and how many of these are made in a second
  pub        publishers, each with a topic of its own, and messages in a second; nobody is subscribed
  p2p        pairs of a publisher and a subscriber with a topic of their own, and messages in a second
  fanout     subscribers to one topic, and messages that they all together get in a second
  sharedsub  publishers; five subscribers share a subscription
p2p-1K-1K-1K-1K, fanout-1-1K-1-1K and sharedsub-1K-5-1K-1K name publishers, subscribers, topics and rate themselves, conn-tcp-10K-100 connections and rate.
The environment variable MQTT_PASSWORD may have the password of -u, who needs the right to bench/#.

For example:
  ${callOf("bench")} ws://127.0.0.1:8083 --scenario p2p --count 100 --rate 1000 --seconds 30 --qos 1`;

export function define(command: Command): void {
  loginOptions(command)
    .description("Puts a load on a broker, with the rate and for the time that are asked for, and measures it.")
    .argument("<url>", "the broker: wss://, ws://, mqtts:// or mqtt:// and a host", serverUrl)
    .requiredOption("--scenario <name>", `${KINDS.join(", ")}, or one of EMQ's names`)
    .option("--count <n>", "clients, as the scenario has it", wholeNumber(1, 100_000))
    .option("--rate <n>", "in a second, of all clients together", wholeNumber(1, 1_000_000))
    .requiredOption("--seconds <n>", "how long", wholeNumber(1, 86_400))
    .option("--size <bytes>", "of each message", wholeNumber(STAMP_BYTES, 268_000_000), SIZE)
    .option("-q, --qos <qos>", "0, 1 or 2", qosOf, 0)
    .option("--connect-rate <n>", "connections in a second before the load begins", wholeNumber(1, 10_000), 100)
    .option("-t, --topic <topic>", "its topics are below this; bench/ and a random name without it")
    .option("--json", "prints an object", false)
    .addHelpText("after", HELP)
    .action(run);
}

async function run(given: URL, options: Options): Promise<void> {
  const url = wholeUrl(given);
  const plan = planOf(options, url.protocol);
  expectPossible(plan, options.seconds);
  const server = await serverAt(url, options);
  const name = `bench-${randomBytes(4).toString("hex")}`;
  const began = PLATFORM.now();
  const ending = new Ending();
  const progress = new Progress();
  try {
    const how = { ...options, topic: options.topic ?? name.replace("-", "/"), prefix: name };
    const load = new Load(server, plan, how, ending);
    await load.run((state) => progress.tell(state));
    progress.end();
    const result = { time: new Date(began).toISOString(), ...resultOf(load, plan, how, server.name, ending.isReached) };
    console.log(options.json ? JSON.stringify(result) : tableOf(result));
    if (!result.ok) process.exitCode = EXIT_FAILED;
  } finally {
    progress.end();
    ending.dispose();
  }
}

function expectPossible({ kind, publishers, subscribers, rate }: Plan, seconds: number): void {
  const connections = publishers + subscribers;
  const isOfEach = kind === "conn" || kind === "sub";
  if (isOfEach && subscribers > rate * seconds)
    throw new UsageProblem(`${subscribers} ${whatOf(kind)} at ${rate} a second take longer than --seconds ${seconds}.`);
  if (!isOfEach && rate * seconds < 1) throw new UsageProblem(`At that rate not one message is published in ${seconds} s.`);
  const room = openFilesMax() - FILES_BESIDE;
  if (connections > room)
    throw new Problem(`Open files are limited: there is room for ${room} connections, not for ${connections} (ulimit -n).`);
}
