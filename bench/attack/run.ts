/**
 * One attack on one shape of the broker: starts a broker of its own on the loopback interface, puts a pair that keeps every rule on it
 * (and one on a broker that is left alone), and reads how long the pair's messages take and how much memory the runtime has before,
 * during and after.
 */

import { loadavg } from "node:os";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { hashPassword } from "../../src/auth/password.ts";
import { processFigures } from "../brokers.ts";
import { sleep } from "../load/measure.ts";
import { describeBroker } from "../machine.ts";
import type { Attack } from "./attack.ts";
import { type AttackerEvent, type AttackerOrder, INTRUDER, type PairOrder, type PairReport, type Shape, type Target } from "./options.ts";
import { Program } from "./program.ts";
import type { AttackResult } from "./result.ts";
import { MEMORY_FACTOR } from "./verdict.ts";

/** Of the shape that is deployed. */
const SHARDS = 4;

/** Besides what is measured: preparing, draining and cleaning up may take so long. */
const GRACE_MS = 90_000;

const MEMORY_TICK_MS = 50;

/** So often, as what one collection frees another one gives back to the system. */
const COLLECTIONS = 3;
const COLLECTION_MS = 200;

/**
 * By default V8 keeps pages that it does not need for later, and begins with a small part for new objects that grows under any load:
 * then the memory of the process says little about what the broker holds. Here it gives pages back when garbage is collected, and begins
 * with that part as large as it may become.
 */
const V8_FLAGS = "--expose-gc --memory-pool-timeout=0 --min-semi-space-size=16";

export interface AttackTiming {
  /** Measured before and after the attack, each. */
  readonly quietSeconds: number;
  readonly seconds: number;
  /** Rounds of ordinary load before; 0 where memory is not looked at. */
  readonly ordinaryRounds: number;
  /** After the attack memory may take so long to be back, besides what the broker's own rules give; 0 where it is not looked at. */
  readonly restSeconds: number;
}

let users: Promise<string> | undefined;

function usersSecret(): Promise<string> {
  users ??= hashPassword(new TextEncoder().encode(INTRUDER.password)).then((password) =>
    JSON.stringify([{ user: INTRUDER.userName, password, publish: INTRUDER.rights, subscribe: INTRUDER.rights }]),
  );
  return users;
}

/** A broker of this shape, on the loopback interface as always. */
export async function startOf(shape: Shape, log: () => void = () => {}): Promise<Broker> {
  process.env.MINIFLARE_WORKERD_V8_FLAGS = V8_FLAGS;
  const topology = shape === "compact" ? "compact" : "sharded";
  const shards = { SESSION_SHARDS: String(SHARDS), TOPIC_SHARDS: String(SHARDS) };
  const env = { TOPOLOGY: topology, ALLOW_ANONYMOUS: "true", USERS: await usersSecret(), ...shards };
  return startBroker({ env, log, collectsGarbage: true });
}

function targetOf(broker: Broker, shape: Shape): Target {
  const topology = shape === "compact" ? "compact" : "sharded";
  return {
    url: broker.mqttUrl,
    idInUrl: shape === "handed over",
    objects: { topology, sessionShards: SHARDS, topicShards: SHARDS, topicsWithObject: [] },
  };
}

/** Reads the memory of the runtime all the time. */
class MemoryWatch {
  readonly #broker: Broker;
  readonly #timer: NodeJS.Timeout;
  highest: number | undefined;

  constructor(broker: Broker) {
    this.#broker = broker;
    this.#timer = setInterval(() => this.#read(), MEMORY_TICK_MS);
  }

  #read(): number | undefined {
    const bytes = processFigures(this.#broker.processId)?.memoryBytes;
    if (bytes !== undefined) this.highest = Math.max(this.highest ?? 0, bytes);
    return bytes;
  }

  /** What is in use and no garbage. */
  async held(): Promise<number | undefined> {
    for (let i = 0; i < COLLECTIONS; i += 1) {
      await this.#broker.collectGarbage();
      await sleep(COLLECTION_MS);
    }
    return this.#read();
  }

  /** The same when it is back within the bound, or after so many seconds. */
  async rest(bound: number | undefined, seconds: number): Promise<number | undefined> {
    const end = performance.now() + seconds * 1000;
    let held = await this.held();
    while (bound !== undefined && held !== undefined && held > bound && performance.now() < end) held = await this.held();
    return held;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** @param calm a broker of the same shape, which is left alone */
export async function runAttack(attack: Attack, shape: Shape, calm: Broker, timing: AttackTiming): Promise<AttackResult> {
  const at = new Date().toISOString();
  const loadAverage = loadavg()[0]!;
  let logged = 0;
  const broker = await startOf(shape, () => {
    logged += 1;
  });
  const target = targetOf(broker, shape);
  const watch = new MemoryWatch(broker);
  const pair = new Program("pair.ts", { attacked: target, calm: targetOf(calm, shape) });
  const attacker = new Program("attacker.ts", { attack: attack.key, target, ordinaryRounds: timing.ordinaryRounds });
  const measure = (seconds: number): Promise<PairReport> => {
    pair.tell(JSON.stringify({ seconds } satisfies PairOrder));
    return pair.answer(seconds * 1000 + GRACE_MS);
  };
  const order = (line: AttackerOrder): void => attacker.tell(line);
  try {
    await attacker.answer<AttackerEvent>(GRACE_MS);
    await measure(1);
    const before = await measure(timing.quietSeconds);
    const memoryBefore = await watch.held();
    watch.highest = memoryBefore;
    const cpuBefore = processFigures(broker.processId)?.cpuSeconds;

    order("begin");
    const drained = measure(timing.seconds);
    await sleep(timing.seconds * 1000);
    const cpuAfter = processFigures(broker.processId)?.cpuSeconds;
    order("stop");
    const during = await drained;
    const event = await attacker.answer<AttackerEvent>(GRACE_MS);
    if (event.event !== "stopped") throw new Error("the attacker is out of step");

    const after = await measure(timing.quietSeconds);
    const bound = memoryBefore && memoryBefore * MEMORY_FACTOR;
    const { restSeconds } = timing;
    const memoryAfter = await watch.rest(bound, restSeconds && restSeconds + (attack.restSeconds ?? 0));
    const load = cpuBefore === undefined || cpuAfter === undefined ? undefined : (cpuAfter - cpuBefore) / timing.seconds;
    const memory = { before: memoryBefore, highest: watch.highest, after: memoryAfter };
    const figures = { before, during, after, memory, load, logged };
    return {
      key: attack.key,
      shape,
      at,
      broker: describeBroker(),
      loadAverage,
      seconds: timing.seconds,
      tries: 1,
      ...event.report,
      ...figures,
    };
  } finally {
    pair.end();
    attacker.end();
    watch.stop();
    await broker.dispose();
  }
}
