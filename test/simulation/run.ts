/**
 * One run of the simulation: clients and faults as the seed will have it, then peace, then the promises are checked (check.ts). A plain
 * run has clients that publish and subscribe, and faults; a full one has all of MQTT that objects have to remember.
 */

import { DEFAULT_CHOICES } from "../../src/choices.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import { checkAtRest, checkPromises } from "./check.ts";
import { type ClientOptions, LONG_SECONDS, SimulatedClient } from "./client.ts";
import { Random } from "./random.ts";
import type { Published } from "./records.ts";
import { type Faults, NO_FAULTS, World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  /** How many things clients do. */
  readonly steps: number;
  /** Without retained messages, wills, shared subscriptions, expiry, clocks that jump: what seeds of before were found with. */
  readonly plain?: boolean;
}

export interface RunResult {
  readonly problems: readonly string[];
  readonly trace: readonly string[];
  readonly published: number;
  readonly delivered: number;
}

const TOPICS = ["a", "a/b", "a/c", "d/e/f", "d", "g/h"];
const FILTERS = ["a", "a/b", "a/#", "a/+", "#", "d/+/f", "+", "+/h", "g/h"];

/** Topics that only members of the shared subscription get, but for those who want all. */
const SHARED_TOPICS = ["s/a", "s/b"];
export const SHARED_FILTER = "$share/g/s/#";

const CLOCK_JUMP_MS_MAX = 20_000;

/** What a run knows of itself. */
export interface Scenario {
  readonly world: World;
  readonly clients: readonly SimulatedClient[];
  readonly members: readonly SimulatedClient[];
  readonly published: Published[];
  /** Chance for what only full runs do, so that plain ones stay what they were. */
  readonly more: Random;
  readonly plain: boolean;
  readonly wild: Faults;
  /** When faults ended. */
  peaceAt: number;
}

/** Runs one seed. */
export async function run({ seed, steps, plain = false }: RunOptions): Promise<RunResult> {
  const scenario = begin(seed, plain);
  const { world, clients, members, published } = scenario;
  const { random } = world;
  for (const client of clients) client.connect();
  await calm(world, 5_000);
  for (const member of members) member.subscribe(SHARED_FILTER, 2);
  for (const client of clients) {
    if (members.includes(client)) continue;
    for (let count = random.below(3); count > 0; count -= 1) client.subscribe(filterOf(scenario), random.below(3) as QoS);
  }
  await calm(world, 5_000);
  world.faults = scenario.wild;
  for (let step = 0; step < steps; step += 1) {
    act(scenario, random.pick(clients));
    if (random.chance(0.03)) disturb(scenario);
    await calm(world, random.chance(0.1) ? random.below(3_000) : random.below(30));
  }
  world.faults = NO_FAULTS;
  world.note("peace");
  const gone = plain ? [] : clients.filter(() => scenario.more.chance(0.2));
  scenario.peaceAt = world.now;
  for (const client of gone) client.drop();
  await makePeace(world, clients, gone);
  const problems = checkPromises(scenario, gone);
  if (!plain) problems.push(...(await checkAtRest(scenario, gone)));
  return {
    problems,
    trace: world.trace,
    published: published.length,
    delivered: clients.reduce((sum, { got }) => sum + got.length, 0),
  };
}

function begin(seed: number, plain: boolean): Scenario {
  const more = new Random(seed ^ 0x5bd1e995);
  const world = new World({
    seed,
    topology: seed % 3 === 0 ? "compact" : "sharded",
    sessionShards: plain || more.chance(0.6) ? 2 : 0,
    limits: { ...DEFAULT_LIMITS, inflightMax: 4, queueMessagesMax: 20_000, queueBytesMax: 1 << 28 },
    choices: DEFAULT_CHOICES,
  });
  const { random } = world;
  const published: Published[] = [];
  const clients = Array.from({ length: 3 + random.below(5) }, (_, index) => {
    const slowMs = random.chance(0.3) ? random.below(500) : 0;
    const version = random.chance(0.5) ? 4 : 5;
    const expirySeconds = random.chance(0.7) ? LONG_SECONDS : 0;
    const options: ClientOptions = {
      id: `client-${index}`,
      version,
      expirySeconds,
      keepAliveSeconds: 60,
      slowMs,
      receiveMaximum: undefined,
      will: undefined,
      long: false,
    };
    return new SimulatedClient(world, plain ? options : richer(options, more), published);
  });
  const wild: Faults = {
    crash: random.pick([0, 0.002, 0.01]),
    callLost: random.pick([0, 0.02]),
    answerLost: random.pick([0, 0.02]),
    callTwice: random.pick([0, 0.02]),
    closeLost: random.pick([0, 0.2]),
  };
  const members = plain || more.chance(0.5) ? [] : clients.slice(-(1 + more.below(3)));
  world.clocksJump = !plain && more.chance(0.2);
  return { world, clients, members, published, more, plain, wild, peaceAt: Number.POSITIVE_INFINITY };
}

function richer(options: ClientOptions, more: Random): ClientOptions {
  const short = options.version === 5 && options.expirySeconds > 0 && more.chance(0.3);
  return {
    ...options,
    expirySeconds: short ? 5 + more.below(30) : options.expirySeconds,
    keepAliveSeconds: more.chance(0.5) ? 20 : 60,
    receiveMaximum: more.chance(0.3) && options.version === 5 ? 1 + more.below(6) : undefined,
    will: more.chance(0.5) ? { qos: more.below(3) as QoS, delaySeconds: more.pick([0, 0, 5, 20]) } : undefined,
    long: more.chance(0.3),
  };
}

function filterOf({ world, plain, more }: Scenario): string {
  return !plain && more.chance(0.15) ? "w/+" : world.random.pick(FILTERS);
}

/** Lets virtual time pass. */
export async function calm(world: World, ms: number): Promise<void> {
  const until = world.now + ms;
  while (await world.step(until));
  world.now = Math.max(world.now, until);
}

function act(scenario: Scenario, client: SimulatedClient): void {
  const { world, plain, more, members } = scenario;
  const { random } = world;
  if (!client.connected) {
    if (random.chance(0.3)) client.connect();
    return;
  }
  if (!plain && more.chance(0.25)) {
    actMore(scenario, client);
    return;
  }
  const what = random.next();
  const isMember = members.includes(client);
  if (what < 0.85) client.publish(random.pick(TOPICS), random.below(3) as QoS);
  else if (what < 0.88) {
    if (isMember) client.subscribe(SHARED_FILTER, 2);
    else client.subscribe(filterOf(scenario), random.below(3) as QoS);
  } else if (what < 0.9) {
    if (!isMember) client.unsubscribe(random.pick(FILTERS));
    else if (more.chance(0.2)) client.unsubscribe(SHARED_FILTER);
  } else if (what < 0.93) client.drop();
  else if (what < 0.95) client.disconnect();
  else if (what < 0.97) client.connect();
  else client.ping();
}

function actMore({ more, members }: Scenario, client: SimulatedClient): void {
  const what = more.next();
  const qos = more.below(3) as QoS;
  if (what < 0.4) client.publish(more.pick(TOPICS), qos, { kind: "retained" });
  else if (what < 0.45) client.publish(more.pick(TOPICS), qos, { kind: "clearing" });
  else if (what < 0.6) client.publish(more.pick(TOPICS), qos, { expirySeconds: 1 + more.below(5) });
  else if (what < 0.97) client.publish(more.pick(members.length > 0 ? SHARED_TOPICS : TOPICS), qos);
  else client.misbehave();
}

/** Something happens to an object between two events. */
function disturb({ world, more }: Scenario): void {
  const { random } = world;
  const object = random.pick(world.objects);
  if (world.clocksJump && more.chance(0.3)) {
    object.clockAheadMs += more.below(2 * CLOCK_JUMP_MS_MAX) - CLOCK_JUMP_MS_MAX;
    world.note(`the clock of ${object.name} is ${object.clockAheadMs} ms ahead now`);
    return;
  }
  if (random.chance(0.6)) {
    if (!object.idle) return;
    world.note(`${object.name} hibernates`);
    object.hibernate();
  } else if (world.faults.crash > 0) {
    world.note(`${object.name} is reset`);
    object.reset();
  }
}

/** Everybody comes back, but for those who are gone, and everything is drained. */
async function makePeace(world: World, clients: readonly SimulatedClient[], gone: readonly SimulatedClient[]): Promise<void> {
  for (let minute = 0; minute < 30; minute += 1) {
    for (const client of clients) {
      if (gone.includes(client)) continue;
      if (!client.connected) client.connect();
      else client.ping();
    }
    await calm(world, 20_000);
  }
}
