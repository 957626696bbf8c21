/**
 * One run of the simulation: clients and faults as the seed will have it, then peace, then the promises are checked: what was
 * acknowledged at QoS 1 and 2 has reached every durable subscription that stood when it was sent, at QoS 2 once; order holds for each
 * publisher, topic and QoS; nobody got what it had not subscribed to; what is stored has gone back to its minimum.
 */

import { DEFAULT_CHOICES } from "../../src/choices.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import { matches } from "../../src/topic/filter.ts";
import { type Got, type Published, SimulatedClient } from "./client.ts";
import { type Faults, NO_FAULTS, World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  /** How many things clients do. */
  readonly steps: number;
}

export interface RunResult {
  readonly problems: readonly string[];
  readonly trace: readonly string[];
  readonly published: number;
  readonly delivered: number;
}

const TOPICS = ["a", "a/b", "a/c", "d/e/f", "d", "g/h"];
const FILTERS = ["a", "a/b", "a/#", "a/+", "#", "d/+/f", "+", "+/h", "g/h"];

/** Runs one seed. */
export async function run({ seed, steps }: RunOptions): Promise<RunResult> {
  const world = new World({
    seed,
    topology: seed % 3 === 0 ? "compact" : "sharded",
    limits: { ...DEFAULT_LIMITS, inflightMax: 4, queueMessagesMax: 20_000, queueBytesMax: 1 << 28 },
    choices: DEFAULT_CHOICES,
  });
  const { random } = world;
  const published: Published[] = [];
  const clients = Array.from({ length: 3 + random.below(5) }, (_, index) => {
    const slowMs = random.chance(0.3) ? random.below(500) : 0;
    return new SimulatedClient(world, `client-${index}`, random.chance(0.5) ? 4 : 5, random.chance(0.7), slowMs, published);
  });
  const wild: Faults = {
    crash: random.pick([0, 0.002, 0.01]),
    callLost: random.pick([0, 0.02]),
    answerLost: random.pick([0, 0.02]),
    callTwice: random.pick([0, 0.02]),
    closeLost: random.pick([0, 0.2]),
  };
  for (const client of clients) client.connect();
  await calm(world, 5_000);
  for (const client of clients) {
    for (let count = random.below(3); count > 0; count -= 1) client.subscribe(random.pick(FILTERS), random.below(3) as QoS);
  }
  await calm(world, 5_000);
  world.faults = wild;
  for (let step = 0; step < steps; step += 1) {
    act(world, random.pick(clients));
    if (random.chance(0.03)) disturb(world);
    await calm(world, random.chance(0.1) ? random.below(3_000) : random.below(30));
  }
  world.faults = NO_FAULTS;
  world.note("peace");
  await makePeace(world, clients);
  return {
    problems: check(world, clients, published),
    trace: world.trace,
    published: published.length,
    delivered: clients.reduce((sum, { got }) => sum + got.length, 0),
  };
}

/** Lets virtual time pass. */
async function calm(world: World, ms: number): Promise<void> {
  const until = world.now + ms;
  while (await world.step(until));
  world.now = Math.max(world.now, until);
}

function act(world: World, client: SimulatedClient): void {
  const { random } = world;
  if (!client.connected) {
    if (random.chance(0.3)) client.connect();
    return;
  }
  const what = random.next();
  if (what < 0.85) client.publish(random.pick(TOPICS), random.below(3) as QoS);
  else if (what < 0.88) client.subscribe(random.pick(FILTERS), random.below(3) as QoS);
  else if (what < 0.9) client.unsubscribe(random.pick(FILTERS));
  else if (what < 0.93) client.drop();
  else if (what < 0.95) client.disconnect();
  else if (what < 0.97) client.connect();
  else client.ping();
}

/** Something happens to an object between two events. */
function disturb(world: World): void {
  const { random } = world;
  const object = random.pick(world.objects);
  if (random.chance(0.6)) {
    if (!object.idle) return;
    world.note(`${object.name} hibernates`);
    object.hibernate();
  } else if (world.faults.crash > 0) {
    world.note(`${object.name} is reset`);
    object.reset();
  }
}

/** Everybody comes back and everything is drained. */
async function makePeace(world: World, clients: readonly SimulatedClient[]): Promise<void> {
  for (let minute = 0; minute < 30; minute += 1) {
    for (const client of clients) {
      if (!client.connected) client.connect();
      else client.ping();
    }
    await calm(world, 20_000);
  }
}

function check(world: World, clients: readonly SimulatedClient[], published: readonly Published[]): string[] {
  const problems: string[] = [];
  for (const client of clients) {
    problems.push(...client.problems.map((problem) => `${client.id}: ${problem}`));
    if (!client.connected) problems.push(`${client.id} can't connect in peace`);
    else if (!client.quiet) problems.push(`${client.id} waits for an answer that does not come`);
    problems.push(...checkDeliveries(client, published), ...checkOrder(client, published));
  }
  for (const object of world.objects) {
    const { chunks } = object.stored();
    if (chunks > 1) problems.push(`${object.name} keeps ${chunks} chunks of a log that everybody has read`);
  }
  return problems;
}

function checkDeliveries(client: SimulatedClient, published: readonly Published[]): string[] {
  const problems: string[] = [];
  const byNumber = new Map<number, Got[]>();
  for (const got of client.got) byNumber.set(got.number, [...(byNumber.get(got.number) ?? []), got]);
  for (const message of published) {
    const got = byNumber.get(message.number) ?? [];
    const what = `message ${message.number} (${message.topic}, QoS ${message.qos}, of ${message.publisher})`;
    const held = client.held.filter(({ filter }) => matches(filter, message.topic));
    if (got.length > 0 && held.length === 0) problems.push(`${client.id} got ${what} without a subscription`);
    const standing = held.filter(({ since, until }) => since !== undefined && since < message.sentAt && until === undefined);
    const due = Math.max(-1, ...standing.map(({ qos }) => Math.min(qos, message.qos)));
    if (client.durable && message.acknowledged && due > 0 && got.length === 0) problems.push(`${client.id} never got ${what}`);
    const sessions = got.filter(({ qos }) => qos === 2).map(({ session }) => session);
    if (new Set(sessions).size < sessions.length) problems.push(`${client.id} got ${what} ${sessions.length} times at QoS 2`);
  }
  return problems;
}

/** First copies come in the order in which they were published, for each publisher, topic and QoS. */
function checkOrder(client: SimulatedClient, published: readonly Published[]): string[] {
  const problems: string[] = [];
  const last = new Map<string, number>();
  const seen = new Set<number>();
  for (const { number, qos, at } of client.got) {
    if (seen.has(number)) continue;
    seen.add(number);
    const { publisher, topic, qos: publishedQoS, sentAt } = published[number]!;
    // An earlier copy may have found nobody: before the subscription stood, and where QoS 0 is all that it has and the client was away.
    const stood = client.held.some(
      ({ filter, since, until }) => since !== undefined && since < sentAt && (until ?? at) >= at && matches(filter, topic),
    );
    if (!stood || qos < publishedQoS) continue;
    const key = `${publisher} ${topic} ${publishedQoS} ${qos}`;
    const before = last.get(key) ?? -1;
    if (number < before)
      problems.push(`${client.id} got message ${number} of ${publisher} on ${topic} at QoS ${qos} after message ${before}`);
    else last.set(key, number);
  }
  return problems;
}
