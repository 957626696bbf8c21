/** Counts what measured.ts has, on workerd: messages at fixed rates at random times, as those of many clients come, and visits. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { LATER_MS } from "../../src/limits.ts";
import type { Usage } from "../../src/objects/meter.ts";
import { processFigures } from "../brokers.ts";
import { pinServer } from "../cores.ts";
import { LoadClient } from "../load/client.ts";
import { PublishTemplate } from "../load/frames.ts";
import { inParallel } from "../load/measure.ts";
import type { Target } from "../load/options.ts";
import { describeBroker } from "../machine.ts";
import { COUNTED_WAYS, type CountedWay, type Measured, type Paced, type Visit, type Wake } from "./measured.ts";

const SHARDS = 4;
const PAIRS = 100;
const CONCURRENCY = 50;
const PAYLOAD_BYTES = 64;
const VERSION = 4;
const QOS = 1;
/** Rates at which nothing, something and much is shared, and at which one object holds another. */
const RATES = [10, 100, 300, 1000, 4000];
const WARM_UP_SECONDS = 5;
const SECONDS = 4;
const VISITS = 8;
/** Between two of them, so that they do not share calls. */
const VISIT_PAUSE_MS = 250;

export interface CountChoice {
  /** At each rate, before anything is counted: until objects hold each other. */
  readonly warmUpSeconds: number;
  /** At each rate. */
  readonly seconds: number;
  readonly rates: readonly number[];
  readonly visits: number;
}

const WHOLE: CountChoice = { warmUpSeconds: WARM_UP_SECONDS, seconds: SECONDS, rates: RATES, visits: VISITS };

/** About five minutes. */
export async function measureUnits(choice: CountChoice = WHOLE): Promise<Measured> {
  const paced: Paced[] = [];
  const visits: Visit[] = [];
  for (const way of COUNTED_WAYS) {
    for (const kept of [false, true]) {
      const found = await countWay(way, kept, choice);
      paced.push(...found.paced);
      visits.push(...found.visits);
    }
  }
  return { at: new Date().toISOString(), broker: describeBroker(), shards: SHARDS, pairs: PAIRS, paced, visits, wake: await countWake() };
}

/** @returns a row for each rate, and one of visits if there are any */
export async function countWay(way: CountedWay, kept: boolean, choice: CountChoice): Promise<Pick<Measured, "paced" | "visits">> {
  const { warmUpSeconds, seconds, rates, visits } = choice;
  const broker = await startBroker({ env: envOf(way) });
  pinServer(broker.processId);
  try {
    const visit = visits === 0 ? [] : [await countVisits(broker, way, kept, visits)];
    const pairs = await connect(targetOf(broker, way), kept);
    try {
      const paced: Paced[] = [];
      for (const rate of rates) paced.push(await countPaced(broker, pairs, { way, kept, rate, warmUpSeconds, seconds }));
      return { paced, visits: visit };
    } finally {
      for (const client of [...pairs.publishers, ...pairs.subscribers]) client.leave();
    }
  } finally {
    await broker.dispose();
  }
}

function envOf(way: CountedWay): Record<string, string> {
  const shards = { SESSION_SHARDS: String(SHARDS), TOPIC_SHARDS: String(SHARDS) };
  return { TOPOLOGY: way === "compact" ? "compact" : "sharded", ALLOW_ANONYMOUS: "true", ...shards };
}

function targetOf(broker: Broker, way: CountedWay): Target {
  return { url: broker.mqttUrl, idInUrl: way === "handed" };
}

interface Pairs {
  readonly publishers: readonly LoadClient[];
  readonly subscribers: readonly LoadClient[];
  readonly templates: readonly PublishTemplate[];
}

async function connect(target: Target, kept: boolean): Promise<Pairs> {
  const subscribers = await inParallel(PAIRS, CONCURRENCY, async (index) => {
    const client = await LoadClient.connect(target, `subscriber-${index}`, VERSION, kept);
    client.framing = "packet";
    await client.subscribe([`bench/${index}`], QOS);
    return client;
  });
  const publishers = await inParallel(PAIRS, CONCURRENCY, async (index) => {
    const client = await LoadClient.connect(target, `publisher-${index}`, VERSION);
    client.framing = "packet";
    return client;
  });
  return { publishers, subscribers, templates: publishers.map((_, n) => new PublishTemplate(`bench/${n}`, QOS, PAYLOAD_BYTES, VERSION)) };
}

interface PacedCase {
  readonly way: CountedWay;
  readonly kept: boolean;
  readonly rate: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

async function countPaced(broker: Broker, pairs: Pairs, { way, kept, rate, warmUpSeconds, seconds }: PacedCase): Promise<Paced> {
  let arrived = 0;
  for (const subscriber of pairs.subscribers) {
    subscriber.delivered = () => {
      arrived += 1;
    };
  }
  await settled(broker);
  const warmUp = await send(pairs, rate, warmUpSeconds);
  const before = await broker.usage();
  const cpuBefore = processFigures(broker.processId)?.cpuSeconds;
  const sent = await send(pairs, rate, seconds);
  const cpuAfter = processFigures(broker.processId)?.cpuSeconds;
  const after = await settled(broker);
  if (arrived !== warmUp + sent)
    throw new Error(`${warmUp + sent} messages were sent at ${rate} a second (${way}), and ${arrived} arrived`);
  const each = (field: keyof Usage): number => round((after[field] - before[field]) / sent);
  const cpuMs = cpuBefore === undefined || cpuAfter === undefined ? undefined : round(((cpuAfter - cpuBefore) * 1000) / sent);
  return {
    way,
    kept,
    messagesPerSecond: rate,
    calls: each("calls"),
    socketMessages: each("socketMessages"),
    rowsWritten: each("rowsWritten"),
    cpuMs,
  };
}

/** @returns how many it were */
async function send({ publishers, templates }: Pairs, rate: number, seconds: number): Promise<number> {
  let sent = 0;
  const begun = performance.now();
  for (let at = nextAfter(0, rate); at < seconds * 1000; ) {
    const now = performance.now() - begun;
    for (; at <= now && at < seconds * 1000; at = nextAfter(at, rate)) {
      const index = Math.floor(Math.random() * PAIRS);
      publishers[index]!.publish(templates[index]!, QOS, 1);
      sent += 1;
    }
    await sleep(1);
  }
  return sent;
}

/** When the next of so many messages a second comes, ms, if none knows of the others. */
function nextAfter(at: number, rate: number): number {
  return at + (-Math.log(1 - Math.random()) * 1000) / rate;
}

/** Each comes twice, and only the second time counts. */
async function countVisits(broker: Broker, way: CountedWay, kept: boolean, visits: number): Promise<Visit> {
  const visit = async (index: number): Promise<void> => {
    await sleep(index * VISIT_PAUSE_MS);
    const client = await LoadClient.connect(targetOf(broker, way), `visitor-${index}`, VERSION, kept);
    await client.subscribe([`visits/${index}`], QOS);
    // Long enough that a filter that is still wanted gets its row.
    await sleep(1.5 * LATER_MS);
    client.leave();
  };
  await inParallel(visits, visits, visit);
  const before = await settled(broker);
  await inParallel(visits, visits, visit);
  const after = await settled(broker);
  const each = (field: keyof Usage): number => round((after[field] - before[field]) / visits);
  return {
    way,
    kept,
    requests: each("requests"),
    calls: each("calls"),
    socketMessages: each("socketMessages"),
    rowsWritten: each("rowsWritten"),
  };
}

/** With few sessions and with many: what is read for each, and what whatever there is. */
async function countWake(): Promise<Wake> {
  const [few, many] = [1, 41];
  const [ofFew, ofMany] = [await rowsOfStart(few), await rowsOfStart(many)];
  const rowsOfSession = (ofMany - ofFew) / (many - few);
  return { rows: round(ofFew - few * rowsOfSession), rowsOfSession: round(rowsOfSession) };
}

async function rowsOfStart(sessions: number): Promise<number> {
  const data = mkdtempSync(join(tmpdir(), "durable-mqtt-month-"));
  try {
    const first = await startBroker({ env: envOf("compact"), data });
    await inParallel(sessions, sessions, async (index) => {
      const client = await LoadClient.connect(targetOf(first, "compact"), `keeper-${index}`, VERSION, true);
      await client.subscribe([`kept/${index}`], QOS);
      client.leave();
    });
    await settled(first);
    await first.dispose();
    const second = await startBroker({ env: envOf("compact"), data });
    const client = await LoadClient.connect(targetOf(second, "compact"), "somebody", VERSION);
    client.leave();
    const { rowsRead } = await settled(second);
    await second.dispose();
    return rowsRead;
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** Waits until objects have told what they tell later. */
async function settled(broker: Broker): Promise<Usage> {
  let last = await broker.usage();
  for (let since = Date.now(); Date.now() - since < 1.5 * LATER_MS; ) {
    await sleep(LATER_MS / 4);
    const now = await broker.usage();
    if (Object.entries(now).some(([field, count]) => count !== last[field as keyof Usage])) since = Date.now();
    last = now;
  }
  return last;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
