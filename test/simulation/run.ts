/**
 * One run of the simulation: clients and faults as the seed will have it, then peace, then the promises are checked (check.ts). What
 * happens in a run can be left out piece by piece (shrink.ts): each piece has its own source of chance.
 */

import { DEFAULT_CHOICES, SHARED_STRATEGIES } from "../../src/choices.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import type { HoldRule } from "../../src/objects/caller.ts";
import type { PreviousShape } from "../../src/shape-settings.ts";
import { PIECE_SIZES, type PieceSizes } from "../../src/storage-limits.ts";
import { SLICES, type Slices } from "../../src/work-limits.ts";
import type { Happening } from "./chance.ts";
import { checkAtRest, checkPromises, checkTidied } from "./check.ts";
import { type ClientOptions, LONG_SECONDS, SimulatedClient, type SubscriptionOptions, type WillOptions } from "./client.ts";
import { checkConsumers } from "./consumer.ts";
import type { Random } from "./random.ts";
import type { Published } from "./records.ts";
import { actUnlucky, leaveUnlucky, strangeFault, unluckyClient } from "./unlucky.ts";
import { USERS, type UserName, withInstantCrypto } from "./users.ts";
import { actWatcher, checkWatcher, watcherOf } from "./watcher.ts";
import { calm, type Faults, NO_FAULTS, World } from "./world.ts";
import { ODD_PACKETS, WRONG_PACKETS } from "./wrong-packets.ts";

export interface RunOptions {
  readonly seed: number;
  /** How many things clients do. */
  readonly steps: number;
  /** The numbers of objects change, twice; in a third of the runs so do the topics that have one of their own, or they alone. */
  readonly reshaped?: boolean | undefined;
  /** A new build of the broker spreads in the midst of it. */
  readonly deployed?: boolean | undefined;
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
/** Not everybody may publish to it. */
const RESTRICTED_TOPIC = "x/y";
const RESTRICTED_FILTER = "x/#";

/** A message expires within seconds, or outlives the run. */
const EXPIRIES: readonly ((random: Random) => number)[] = [(random) => 1 + random.below(5), () => LASTING_SECONDS];
export const LASTING_SECONDS = 5_000;

/** Topics that only members of the shared subscription get, but for those who want all. */
const SHARED_TOPICS = ["s/a", "s/b"];
export const SHARED_FILTER = "$share/g/s/#";

const FIRST_SHAPE: PreviousShape = { sessionShards: 2, topicShards: 2, topicsWithObject: [] };

const OTHER_SHAPES: readonly PreviousShape[] = [
  { sessionShards: 5, topicShards: 5, topicsWithObject: [] },
  { sessionShards: 1, topicShards: 1, topicsWithObject: [] },
  { sessionShards: 0, topicShards: 3, topicsWithObject: [] },
  { sessionShards: 3, topicShards: 2, topicsWithObject: [] },
  { sessionShards: 2, topicShards: 4, topicsWithObject: [] },
];

/** Topics that have an object of their own. */
const SOME_TOPICS: readonly (readonly string[])[] = [[], ["a/b"], ["a", "d/e/f", "s/a"], ["a/b", "g/h", "s/a", "s/b", "w/client-0"]];

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
  /** One that listens to the events of the broker. */
  readonly watcher: SimulatedClient | undefined;
  readonly wild: Faults;
  /** Queues are so short that messages are dropped. */
  readonly short: boolean;
  readonly reshaped: boolean;
  /** Topics have an object of their own now and then. */
  readonly withTopics: boolean;
  readonly deployed: boolean;
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
export async function run({ seed, steps, reshaped = false, deployed = false, kept }: RunOptions): Promise<RunResult> {
  const scenario = begin(seed, reshaped, deployed, kept);
  const { log } = console;
  console.log = (line: string) => {
    scenario.world.note(line);
    const strange = strangeFault(line);
    if (strange !== undefined) scenario.world.problem(strange);
  };
  try {
    return await withInstantCrypto(() => play(scenario, steps));
  } finally {
    console.log = log;
  }
}

async function play(scenario: Scenario, steps: number): Promise<RunResult> {
  const { world, clients, published, unlucky, watcher } = scenario;
  const { chance } = world;
  for (const client of clients) {
    client.connect();
    // Real clients do not wait for CONNACK.
    if (isHasty(scenario, client)) firstSubscriptions(scenario, client, true);
  }
  unlucky?.connect();
  watcher?.connect();
  await calm(world, 5_000);
  for (const client of clients) if (!isHasty(scenario, client)) firstSubscriptions(scenario, client, false);
  await calm(world, 5_000);
  world.faults = scenario.wild;
  const shapes = scenario.reshaped ? shapesOf(scenario) : [];
  const between = Math.ceil(steps / (shapes.length + 1));
  const deployAt = 1 + Math.floor(steps * (0.2 + 0.5 * chance.once("the deploy").next()));
  for (let step = 1; step <= steps; step += 1) {
    if (shapes.length > 0 && step % between === 0) world.reshape(shapes.shift()!);
    if (scenario.deployed && step === deployAt) world.deploy();
    const random = chance.once(`step ${step}`);
    const act = chooseAct(scenario, random);
    if (act !== undefined && chance.takes(`step ${step}`, () => `${act.client.id} ${act.what}`)) act.run();
    banSomebody(scenario, step);
    if (unlucky !== undefined && chance.once(`unlucky ${step}`).chance(0.3)) actUnlucky(unlucky, chance.once(`unlucky act ${step}`));
    if (watcher !== undefined && chance.once(`watcher ${step}`).chance(0.1)) actWatcher(watcher, chance.once(`watcher act ${step}`));
    await calm(world, random.chance(0.1) ? random.below(3_000) : random.below(30));
  }
  world.faults = NO_FAULTS;
  world.note("peace");
  // Of one without Keep Alive that was lost without a word nobody ever knows that it is gone.
  const mayGo = clients.filter(({ options }) => options.keepAliveSeconds > 0);
  const gone = mayGo.filter(({ id }) => chance.happens("gone", id, 0.2, () => `${id} goes and does not come back`));
  scenario.peaceAt = world.now;
  for (const client of gone) client.drop();
  await resetAsTheyGo(scenario);
  if (unlucky !== undefined) await leaveUnlucky(world, unlucky, published);
  await makePeace(world, watcher === undefined ? clients : [...clients, watcher], gone);
  for (const object of world.objects) await object.wake();
  const problems = [...world.problems.splice(0), ...checkPromises(scenario, gone)];
  if (watcher !== undefined) {
    const present = clients.filter((client) => !gone.includes(client));
    problems.push(...(await checkWatcher(world, watcher, present, published)));
  }
  problems.push(...(await checkAtRest(scenario, gone)));
  problems.push(...checkConsumers(scenario));
  problems.push(...(await checkTidied(scenario)));
  return {
    problems: [...problems, ...world.problems],
    happened: chance.happened,
    trace: world.trace,
    published: published.length,
    delivered: clients.reduce((sum, { got }) => sum + got.length, 0),
  };
}

/** Somebody is banned now and then, for so long that what was told late is in force for a while. */
function banSomebody({ world: { chance, operator, clocksJump }, clients }: Scenario, step: number): void {
  const random = chance.once(`ban ${step}`);
  if (operator === undefined || clocksJump || clients.length === 0 || !random.chance(0.03)) return;
  const { id } = random.pick(clients);
  const ms = 2_000 + random.below(60_000);
  if (chance.takes(`ban ${step}`, () => `${id} is banned for ${ms} ms`)) operator.ban(id, ms);
}

/** From the first shape to another and back, and for some to the other once more. */
function shapesOf({ world, withTopics }: Scenario): PreviousShape[] {
  const { chance } = world;
  const random = chance.once("the shape");
  const numbers = random.pick(OTHER_SHAPES);
  if (!withTopics) return random.chance(0.3) ? [numbers, FIRST_SHAPE, numbers] : [numbers, FIRST_SHAPE];
  const topics = chance.once("the topics with an object");
  const first = { ...FIRST_SHAPE, topicsWithObject: world.settings.topicsWithObject };
  const other = { ...(topics.chance(0.5) ? FIRST_SHAPE : numbers), topicsWithObject: topics.pick(SOME_TOPICS) };
  const back = topics.chance(0.5) ? first : { ...first, topicsWithObject: topics.pick(SOME_TOPICS) };
  return random.chance(0.3) ? [other, back, other] : [other, back];
}

/** How likely an event ends in a crash just when clients go for good. */
const AS_THEY_GO = 0.2;

/** With the usual ones hardly a queue is in more than one piece. */
const SIZES: readonly PieceSizes[] = [
  PIECE_SIZES,
  { chunkBytes: 300, loadedMessages: 2, loadedBytes: 1000 },
  { chunkBytes: 2000, loadedMessages: 7, loadedBytes: 4096 },
];

/** With the usual ones hardly anything is done in more than one. */
const SOME_SLICES: readonly Slices[] = [SLICES, { share: 1, tick: 3, many: 0, frames: 1, attachments: 1 }];

/** With the usual one hardly an object is called often enough. */
const HOLD_RULES: readonly (HoldRule | undefined)[] = [undefined, { ms: 300, calls: 2, callsOfWay: 1, callsHeld: 1, callsOfWayHeld: 1 }];

function begin(seed: number, reshaped: boolean, deployed: boolean, kept: ReadonlySet<string> | undefined): Scenario {
  const short = seed % 11 === 0;
  const withTopics = reshaped ? seed % 3 === 2 : seed % 7 === 4;
  const world: World = new World({
    seed,
    topology: seed % 3 === 0 && !reshaped ? "compact" : "sharded",
    sessionShards: seed % 5 < 3 || reshaped ? 2 : 0,
    topicsWithObject: withTopics ? SOME_TOPICS[seed % SOME_TOPICS.length]! : [],
    limits: { ...DEFAULT_LIMITS, inflightMax: 4, queueMessagesMax: short ? 8 : 20_000, queueBytesMax: short ? 1 << 20 : 1 << 28 },
    choices: {
      ...DEFAULT_CHOICES,
      clientIdOwner: (seed >> 1) % 2 === 0 ? "anyone" : "user",
      queuePolicy: seed % 2 === 0 ? "reject_new" : "drop_oldest",
      sharedStrategy: SHARED_STRATEGIES[seed % SHARED_STRATEGIES.length]!,
    },
    sizes: SIZES[seed % SIZES.length]!,
    slices: SOME_SLICES[(seed >> 1) % SOME_SLICES.length]!,
    hold: HOLD_RULES[(seed >> 3) % HOLD_RULES.length]!,
    sqlite: seed % 4 === 1,
    users: USERS,
    banning: seed % 6 === 5 && !deployed,
    // Some clients send faster than this at times; those that look in the end at what is left do not.
    ...(seed % 7 === 3 ? { rates: { clientMessages: { count: 13, ms: 20_000, burst: undefined } } } : {}),
    deployed,
    // A queue that drops something promises nothing.
    hasConsumers: !short && !deployed && (seed >> 2) % 3 === 0,
    kept,
  });
  const { chance } = world;
  const random = chance.once("the run");
  const published: Published[] = [];
  const options = Array.from({ length: 3 + random.below(5) }, (_, index) => {
    const each = clientOptions(`client-${index}`, random);
    // The build before knew no login that ends.
    return deployed ? { ...each, tokens: false } : each;
  });
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
    watcher: (seed >> 1) % 3 === 1 && !deployed ? watcherOf(world, chance.once("the watcher"), published) : undefined,
    unlucky: wild.unlucky > 0 ? unluckyClient(world, chance.once("the unlucky client"), published) : undefined,
    wild,
    short,
    reshaped,
    withTopics,
    deployed,
    crashes: crash > 0 || reshaped || deployed,
    peaceAt: Number.POSITIVE_INFINITY,
  };
}

function clientOptions(id: string, random: Random): ClientOptions {
  const version = random.pick([3, 4, 4, 5, 5, 5] as const);
  const user = random.pick<UserName>([undefined, undefined, "alice", "bob", "carol"]);
  const isKept = random.chance(0.7);
  const isShort = version === 5 && random.chance(0.3);
  return {
    id,
    version,
    expirySeconds: !isKept ? 0 : isShort ? 5 + random.below(30) : LONG_SECONDS,
    keepAliveSeconds: random.pick([20, 20, 60, 60, 0]),
    slowMs: random.chance(0.3) ? random.below(500) : 0,
    receiveMaximum: random.chance(0.3) && version === 5 ? 1 + random.below(6) : undefined,
    will: random.chance(0.5) ? willOptions(random) : undefined,
    long: random.chance(0.3),
    relayed: random.chance(0.5),
    aliases: version === 5 && random.chance(0.3),
    aliasesTaken: version === 5 && random.chance(0.3) ? 1 + random.below(3) : 0,
    packetBytesMax: version === 5 && random.chance(0.2) ? PACKET_BYTES_MAX : 0,
    user,
    scram: version === 5 && user !== undefined && random.chance(0.3),
    tokens: user !== undefined && random.chance(0.3),
  };
}

/** A client that takes no more than so much gets everything but long messages. */
export const PACKET_BYTES_MAX = 600;

function willOptions(random: Random): WillOptions {
  return {
    qos: random.below(3) as QoS,
    delaySeconds: random.pick([0, 0, 5, 20]),
    retain: random.chance(0.3),
    expirySeconds: random.chance(0.2) ? LASTING_SECONDS : 0,
  };
}

/** Identifiers of one to three bytes. */
function subscriptionOptions(random: Random, isShared: boolean): SubscriptionOptions {
  return {
    identifier: random.pick([0, 1 + random.below(100), 1_000 + random.below(100), 100_000 + random.below(100)]),
    noLocal: !isShared && random.chance(0.2),
    retainAsPublished: random.chance(0.3),
    retainHandling: random.pick([0, 0, 0, 1, 2] as const),
  };
}

function describeSubscription({ identifier = 0, noLocal, retainAsPublished, retainHandling }: SubscriptionOptions): string {
  const parts = [
    ...(identifier === 0 ? [] : [`identifier ${identifier}`]),
    ...(noLocal ? ["No Local"] : []),
    ...(retainAsPublished ? ["Retain As Published"] : []),
    ...(retainHandling === 0 ? [] : [`Retain Handling ${retainHandling}`]),
  ];
  return parts.length === 0 ? "" : `, of 5.0: ${parts.join(", ")}`;
}

function isHasty({ world: { chance } }: Scenario, { id }: SimulatedClient): boolean {
  return chance.once(`haste of ${id}`).chance(0.5);
}

function describeOptions(options: ClientOptions): string {
  const {
    version,
    expirySeconds,
    slowMs,
    will,
    relayed,
    receiveMaximum,
    packetBytesMax = 0,
    aliasesTaken = 0,
    user,
    scram,
    tokens,
  } = options;
  const parts = [
    version === 3 ? "3.1" : version === 4 ? "3.1.1" : "5.0",
    ...(user === undefined ? [] : [`${user}${tokens ? " by tokens" : scram ? " by SCRAM" : ""}`]),
    ...(packetBytesMax === 0 ? [] : [`Maximum Packet Size ${packetBytesMax}`]),
    ...(aliasesTaken === 0 ? [] : [`Topic Alias Maximum ${aliasesTaken}`]),
    expirySeconds === 0 ? "clean" : expirySeconds === LONG_SECONDS ? "kept" : `kept for ${expirySeconds} s`,
    ...(relayed ? ["relayed"] : []),
    ...(slowMs > 0 ? [`acknowledges after ${slowMs} ms`] : []),
    ...(receiveMaximum === undefined ? [] : [`Receive Maximum ${receiveMaximum}`]),
    ...(will === undefined ? [] : [`will at QoS ${will.qos} after ${will.delaySeconds} s${will.retain ? ", retained" : ""}`]),
  ];
  return parts.join(", ");
}

function firstSubscriptions({ world: { chance }, members }: Scenario, client: SimulatedClient, early: boolean): void {
  const { id } = client;
  const random = chance.once(`subscriptions of ${id}`);
  const subscribe = (filter: string, qos: QoS): void => {
    const options = subscriptionOptions(random, filter === SHARED_FILTER);
    const text = `subscribes to ${filter} at QoS ${qos}${describeSubscription(options)}${early ? ", at once" : ""}`;
    if (chance.takes(`subscription ${id} ${filter}`, () => `${id} ${text}`)) client.subscribe(filter, qos, options, early);
  };
  if (members.includes(client)) subscribe(SHARED_FILTER, 2);
  else for (let count = random.below(3); count > 0; count -= 1) subscribe(filterOf(random), random.below(3) as QoS);
}

function filterOf(random: Random): string {
  return random.chance(0.15) ? "w/+" : random.chance(0.05) ? RESTRICTED_FILTER : random.pick(FILTERS);
}

/** Other filters in a SUBSCRIBE with very many: it is taken in several slices. */
const BESIDE = 70;

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
  const isMember = members.includes(client);
  const subscribe = (early: boolean): Act => {
    const [filter, wanted] = isMember ? [SHARED_FILTER, 2 as const] : [filterOf(random), qos];
    const options = subscriptionOptions(random, isMember);
    const beside = random.chance(0.25) ? BESIDE : 0;
    const text = `subscribes to ${filter} at QoS ${wanted}${describeSubscription(options)}${beside > 0 ? `, and ${beside} others` : ""}`;
    return act(text, () => client.subscribe(filter, wanted, options, early, beside));
  };
  if (!client.connected) return random.chance(0.3) ? connecting(client, random, subscribe(true), act) : undefined;
  if (what < 0.64) return publish(random.pick(TOPICS));
  if (what < 0.72) return publish(random.pick(TOPICS), { kind: "retained" });
  if (what < 0.74) return publish(random.pick(TOPICS), { kind: "retained", expirySeconds: random.pick(EXPIRIES)(random) });
  if (what < 0.75) return publish(random.pick(TOPICS), { kind: "clearing" });
  if (what < 0.785) return publish(random.pick(TOPICS), { expirySeconds: random.pick(EXPIRIES)(random) });
  if (what < 0.79) return publish(RESTRICTED_TOPIC);
  if (what < 0.875) return publish(random.pick(members.length > 0 ? SHARED_TOPICS : TOPICS));
  if (what < 0.88) {
    const isOdd = random.chance(0.3);
    const packet = random.pick(isOdd ? ODD_PACKETS : WRONG_PACKETS);
    return act(`sends ${packet.what}`, () => (isOdd ? client.mumble(packet) : client.misbehave(packet)));
  }
  if (what < 0.905) return subscribe(false);
  if (what < 0.92) {
    const filter = isMember ? SHARED_FILTER : random.pick(FILTERS);
    return isMember && random.chance(0.8) ? undefined : act(`unsubscribes from ${filter}`, () => client.unsubscribe(filter));
  }
  if (what < 0.945) return act("drops its connection", () => client.drop());
  if (what < 0.955) return act("loses the Worker that relays it", () => client.breakRelay());
  if (what < 0.97) return disconnecting(client, random, act);
  if (what < 0.985) return connecting(client, random, subscribe(true), act);
  if (what < 0.99) return act("authenticates anew", () => client.reauthenticate());
  return act("pings", () => client.ping());
}

type MakeAct = (what: string, run: () => void) => Act;

/** A client connects, as a rule as itself; some do not wait for CONNACK. @param next what it does at once then */
function connecting(client: SimulatedClient, random: Random, next: Act, act: MakeAct): Act {
  const what = random.next();
  if (what < 0.05) {
    const user = random.pick<UserName>([undefined, "alice", "bob"]);
    return act(`connects as ${user ?? "nobody"}`, () => client.connect(user));
  }
  if (what > 0.3) return act("connects", () => client.connect());
  return act(`connects and at once ${next.what}`, () => {
    client.connect();
    next.run();
  });
}

function disconnecting(client: SimulatedClient, random: Random, act: MakeAct): Act {
  const what = random.next();
  if (client.options.version === 5 && what < 0.1) return act("leaves, with its will", () => client.disconnectWithWill());
  if (client.options.version === 5 && what < 0.2) {
    const seconds = random.pick([0, 5, 20]);
    return act(`disconnects and lets its session last ${seconds} s`, () => client.disconnectFor(seconds));
  }
  return act("disconnects", () => client.disconnect());
}

/** What those who are gone leave is on its way between rows as objects lose their memory: nobody comes back who would excuse what is lost. */
async function resetAsTheyGo({ world, wild }: Scenario): Promise<void> {
  if (wild.crash === 0) return;
  world.faults = { ...NO_FAULTS, crash: AS_THEY_GO };
  await calm(world, 2_000);
  world.faults = NO_FAULTS;
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
