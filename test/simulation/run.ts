/**
 * One run of the simulation: clients and faults as the seed will have it, then peace, then the promises are checked (check.ts). What
 * happens in a run can be left out piece by piece (shrink.ts): each piece has its own source of chance.
 */

import { DEFAULT_CHOICES } from "../../src/choices.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import type { Happening } from "./chance.ts";
import { checkAtRest, checkPromises, checkTidied } from "./check.ts";
import { type ClientOptions, LONG_SECONDS, SimulatedClient } from "./client.ts";
import type { Random } from "./random.ts";
import type { Published } from "./records.ts";
import { actUnlucky, leaveUnlucky, strangeFault, unluckyClient } from "./unlucky.ts";
import { calm, type Faults, NO_FAULTS, World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  /** How many things clients do. */
  readonly steps: number;
  /** The numbers of objects change, twice. */
  readonly reshaped?: boolean | undefined;
  /** Of what chance would have happen, only this does; undefined: all of it. */
  readonly kept?: ReadonlySet<string> | undefined;
}

export interface RunResult {
  readonly problems: readonly string[];
  /** What happened because chance would have it, in order. */
  readonly happened: readonly Happening[];
  readonly trace: readonly string[];
  readonly published: number;
  readonly delivered: number;
}

const TOPICS = ["a", "a/b", "a/c", "d/e/f", "d", "g/h"];
const FILTERS = ["a", "a/b", "a/#", "a/+", "#", "d/+/f", "+", "+/h", "g/h"];

/** Topics that only members of the shared subscription get, but for those who want all. */
const SHARED_TOPICS = ["s/a", "s/b"];
export const SHARED_FILTER = "$share/g/s/#";

const OTHER_SHAPES = [
  { sessionShards: 5, topicShards: 5 },
  { sessionShards: 1, topicShards: 1 },
  { sessionShards: 0, topicShards: 3 },
  { sessionShards: 3, topicShards: 2 },
  { sessionShards: 2, topicShards: 4 },
];

/** What a run knows of itself. */
export interface Scenario {
  readonly world: World;
  readonly clients: readonly SimulatedClient[];
  /** Those that were left out included. */
  readonly clientCount: number;
  readonly members: readonly SimulatedClient[];
  readonly published: Published[];
  /** One to whom faults of the broker's own happen. */
  readonly unlucky: SimulatedClient | undefined;
  readonly wild: Faults;
  /** Queues are so short that messages are dropped. */
  readonly short: boolean;
  readonly reshaped: boolean;
  /** Objects lose memory and sockets at once. */
  readonly crashes: boolean;
  /** When faults ended. */
  peaceAt: number;
}

/** Something that a client does. */
interface Act {
  readonly client: SimulatedClient;
  /** What it does, behind its name. */
  readonly what: string;
  readonly run: () => void;
}

/** Runs one seed. What the broker logs meanwhile goes into the trace. */
export async function run({ seed, steps, reshaped = false, kept }: RunOptions): Promise<RunResult> {
  const scenario = begin(seed, reshaped, kept);
  const { log } = console;
  console.log = (line: string) => {
    scenario.world.note(line);
    const strange = strangeFault(line);
    if (strange !== undefined) scenario.world.problem(strange);
  };
  try {
    return await play(scenario, steps);
  } finally {
    console.log = log;
  }
}

async function play(scenario: Scenario, steps: number): Promise<RunResult> {
  const { world, clients, published, unlucky } = scenario;
  const { chance } = world;
  for (const client of clients) client.connect();
  unlucky?.connect();
  await calm(world, 5_000);
  for (const client of clients) firstSubscriptions(scenario, client);
  await calm(world, 5_000);
  world.faults = scenario.wild;
  const shapes = scenario.reshaped ? [chance.once("the shape").pick(OTHER_SHAPES), { sessionShards: 2, topicShards: 2 }] : [];
  for (let step = 1; step <= steps; step += 1) {
    if (shapes.length > 0 && step % Math.ceil(steps / 3) === 0) world.reshape(shapes.shift()!);
    const random = chance.once(`step ${step}`);
    const act = chooseAct(scenario, random);
    if (act !== undefined && chance.takes(`step ${step}`, () => `${act.client.id} ${act.what}`)) act.run();
    if (unlucky !== undefined && chance.once(`unlucky ${step}`).chance(0.3)) actUnlucky(unlucky, chance.once(`unlucky act ${step}`));
    await calm(world, random.chance(0.1) ? random.below(3_000) : random.below(30));
  }
  world.faults = NO_FAULTS;
  world.note("peace");
  // Of one without Keep Alive that was lost without a word nobody ever knows that it is gone.
  const mayGo = clients.filter(({ options }) => options.keepAliveSeconds > 0);
  const gone = mayGo.filter(({ id }) => chance.happens("gone", id, 0.2, () => `${id} goes and does not come back`));
  scenario.peaceAt = world.now;
  for (const client of gone) client.drop();
  if (unlucky !== undefined) await leaveUnlucky(world, unlucky, published);
  await makePeace(world, clients, gone);
  for (const object of world.objects) await object.wake();
  const problems = [...world.problems.splice(0), ...checkPromises(scenario, gone)];
  problems.push(...(await checkAtRest(scenario, gone)));
  problems.push(...(await checkTidied(scenario)));
  return {
    problems: [...problems, ...world.problems],
    happened: chance.happened,
    trace: world.trace,
    published: published.length,
    delivered: clients.reduce((sum, { got }) => sum + got.length, 0),
  };
}

function begin(seed: number, reshaped: boolean, kept: ReadonlySet<string> | undefined): Scenario {
  const short = seed % 11 === 0;
  const world: World = new World({
    seed,
    topology: seed % 3 === 0 && !reshaped ? "compact" : "sharded",
    sessionShards: seed % 5 < 3 || reshaped ? 2 : 0,
    limits: { ...DEFAULT_LIMITS, inflightMax: 4, queueMessagesMax: short ? 8 : 20_000, queueBytesMax: short ? 1 << 20 : 1 << 28 },
    choices: DEFAULT_CHOICES,
    sqlite: seed % 4 === 1,
    kept,
  });
  const { chance } = world;
  const random = chance.once("the run");
  const published: Published[] = [];
  const options = Array.from({ length: 3 + random.below(5) }, (_, index) => clientOptions(`client-${index}`, random));
  const membersFrom = random.chance(0.5) ? options.length : options.length - 1 - random.below(3);
  const clients: SimulatedClient[] = [];
  const members: SimulatedClient[] = [];
  for (const [index, each] of options.entries()) {
    if (!chance.takes(`client ${each.id}`, () => `${each.id} is there: ${describeOptions(each)}`)) continue;
    const client = new SimulatedClient(world, each, published);
    clients.push(client);
    if (index >= membersFrom) members.push(client);
  }
  const crash = random.pick([0, 0.002, 0.01]);
  const wild: Faults = {
    crash,
    writeRefused: crash > 0 ? random.pick([0, 0.005]) : 0,
    callLost: random.pick([0, 0.02]),
    answerLost: random.pick([0, 0.02]),
    callTwice: random.pick([0, 0.02]),
    closeLost: random.pick([0, 0.2]),
    alarmLate: random.pick([0, 0.2]),
    alarmTwice: random.pick([0, 0.2]),
    slow: random.pick([0.02, 0.05, 0.2]),
    disturbed: random.pick([0.0005, 0.002]),
    // A session that a fault has ended while it moved may be left behind where it was.
    unlucky: seed % 4 === 2 && !reshaped ? 0.1 : 0,
  };
  world.clocksJump = random.chance(0.2);
  return {
    world,
    clients,
    clientCount: options.length,
    members,
    published,
    unlucky: wild.unlucky > 0 ? unluckyClient(world, chance.once("the unlucky client"), published) : undefined,
    wild,
    short,
    reshaped,
    crashes: crash > 0 || reshaped,
    peaceAt: Number.POSITIVE_INFINITY,
  };
}

function clientOptions(id: string, random: Random): ClientOptions {
  const version = random.chance(0.5) ? 4 : 5;
  const isKept = random.chance(0.7);
  const isShort = version === 5 && random.chance(0.3);
  return {
    id,
    version,
    expirySeconds: !isKept ? 0 : isShort ? 5 + random.below(30) : LONG_SECONDS,
    keepAliveSeconds: random.pick([20, 20, 60, 60, 0]),
    slowMs: random.chance(0.3) ? random.below(500) : 0,
    receiveMaximum: random.chance(0.3) && version === 5 ? 1 + random.below(6) : undefined,
    will: random.chance(0.5) ? { qos: random.below(3) as QoS, delaySeconds: random.pick([0, 0, 5, 20]) } : undefined,
    long: random.chance(0.3),
    relayed: random.chance(0.5),
    aliases: version === 5 && random.chance(0.3),
  };
}

function describeOptions({ version, expirySeconds, slowMs, will, relayed, receiveMaximum }: ClientOptions): string {
  const parts = [
    version === 4 ? "3.1.1" : "5.0",
    expirySeconds === 0 ? "clean" : expirySeconds === LONG_SECONDS ? "kept" : `kept for ${expirySeconds} s`,
    ...(relayed ? ["relayed"] : []),
    ...(slowMs > 0 ? [`acknowledges after ${slowMs} ms`] : []),
    ...(receiveMaximum === undefined ? [] : [`Receive Maximum ${receiveMaximum}`]),
    ...(will === undefined ? [] : [`will at QoS ${will.qos} after ${will.delaySeconds} s`]),
  ];
  return parts.join(", ");
}

function firstSubscriptions({ world: { chance }, members }: Scenario, client: SimulatedClient): void {
  const { id } = client;
  const random = chance.once(`subscriptions of ${id}`);
  const subscribe = (filter: string, qos: QoS): void => {
    if (chance.takes(`subscription ${id} ${filter}`, () => `${id} subscribes to ${filter} at QoS ${qos}`)) client.subscribe(filter, qos);
  };
  if (members.includes(client)) subscribe(SHARED_FILTER, 2);
  else for (let count = random.below(3); count > 0; count -= 1) subscribe(filterOf(random), random.below(3) as QoS);
}

function filterOf(random: Random): string {
  return random.chance(0.15) ? "w/+" : random.pick(FILTERS);
}

function chooseAct(scenario: Scenario, random: Random): Act | undefined {
  const { clients, members, published } = scenario;
  const id = `client-${random.below(scenario.clientCount)}`;
  const client = clients.find((each) => each.id === id);
  if (client === undefined) return undefined;
  const act = (what: string, run: () => void): Act => ({ client, what, run });
  const what = random.next();
  const qos = random.below(3) as QoS;
  const publish = (topic: string, options: Parameters<SimulatedClient["publish"]>[2] = {}): Act => {
    const { kind = "message", expirySeconds = 0 } = options;
    const notes = [...(kind === "message" ? [] : [kind]), ...(expirySeconds === 0 ? [] : [`expires after ${expirySeconds} s`])];
    const text = [`publishes ${published.length} to ${topic} at QoS ${qos}`, ...notes].join(", ");
    return act(text, () => client.publish(topic, qos, options));
  };
  if (!client.connected) return random.chance(0.3) ? act("connects", () => client.connect()) : undefined;
  const isMember = members.includes(client);
  if (what < 0.64) return publish(random.pick(TOPICS));
  if (what < 0.74) return publish(random.pick(TOPICS), { kind: "retained" });
  if (what < 0.75) return publish(random.pick(TOPICS), { kind: "clearing" });
  if (what < 0.79) return publish(random.pick(TOPICS), { expirySeconds: 1 + random.below(5) });
  if (what < 0.875) return publish(random.pick(members.length > 0 ? SHARED_TOPICS : TOPICS));
  if (what < 0.88) return act("sends a packet that does not exist", () => client.misbehave());
  if (what < 0.905) {
    const [filter, wanted] = isMember ? [SHARED_FILTER, 2 as const] : [filterOf(random), qos];
    return act(`subscribes to ${filter} at QoS ${wanted}`, () => client.subscribe(filter, wanted));
  }
  if (what < 0.92) {
    const filter = isMember ? SHARED_FILTER : random.pick(FILTERS);
    return isMember && random.chance(0.8) ? undefined : act(`unsubscribes from ${filter}`, () => client.unsubscribe(filter));
  }
  if (what < 0.945) return act("drops its connection", () => client.drop());
  if (what < 0.955) return act("loses the Worker that relays it", () => client.breakRelay());
  if (what < 0.97) return act("disconnects", () => client.disconnect());
  if (what < 0.985) return act("connects once more", () => client.connect());
  return act("pings", () => client.ping());
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
