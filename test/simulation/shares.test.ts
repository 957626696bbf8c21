/**
 * Shared subscriptions some of whose members acknowledge nothing, over the real hosts: whatever was acknowledged to its publisher was sent to
 * a member, although queues are short and publishers have more messages open than fit into them; at QoS 2 to one alone.
 */

import { describe, expect, test } from "vitest";
import { DEFAULT_CHOICES, type SharedStrategy } from "../../src/choices.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { type ClientOptions, SimulatedClient } from "./client.ts";
import type { Published } from "./records.ts";
import { calm, NO_FAULTS, World } from "./world.ts";

/** Longer than a run: its client acknowledges nothing. */
const NEVER_MS = 1_000_000_000;

const MESSAGES = 300;

interface Group {
  readonly world: World;
  readonly published: Published[];
  readonly stuck: readonly SimulatedClient[];
  readonly well: readonly SimulatedClient[];
  readonly publishers: readonly SimulatedClient[];
}

function group(seed: number, sharedStrategy: SharedStrategy): Group {
  const world = new World({
    seed,
    topology: seed % 3 === 0 ? "compact" : "sharded",
    sessionShards: seed % 2 === 0 ? 2 : 0,
    limits: { ...DEFAULT_LIMITS, inflightMax: 4, queueMessagesMax: 8 },
    choices: { ...DEFAULT_CHOICES, sharedStrategy },
  });
  const random = world.chance.once("the group");
  const published: Published[] = [];
  const client = (id: string, slowMs: number): SimulatedClient => {
    const options: ClientOptions = {
      id,
      version: 5,
      expirySeconds: 3600,
      keepAliveSeconds: 0,
      slowMs,
      receiveMaximum: undefined,
      will: undefined,
      long: false,
      relayed: random.chance(0.5),
    };
    return new SimulatedClient(world, options, published);
  };
  const several = (name: string, count: number, slowMs: () => number): SimulatedClient[] =>
    Array.from({ length: count }, (_, number) => client(`${name}-${number}`, slowMs()));
  return {
    world,
    published,
    stuck: several("stuck", 1 + random.below(2), () => NEVER_MS),
    well: several("well", 1 + random.below(3), () => random.pick([0, 20, 200])),
    publishers: several("publisher", 1 + random.below(3), () => 0),
  };
}

async function play(seed: number, sharedStrategy: SharedStrategy): Promise<Group> {
  const all = group(seed, sharedStrategy);
  const { world, stuck, well, publishers } = all;
  const random = world.chance.once("the run");
  for (const client of [...stuck, ...well, ...publishers]) client.connect();
  await calm(world, 2_000);
  for (const member of [...stuck, ...well]) member.subscribe("$share/g/s/#", 2);
  await calm(world, 2_000);
  // Objects forget everything now and then, or calls fail: what both do together is promised to sessions, not to groups.
  world.faults = seed % 4 < 2 ? { ...NO_FAULTS, disturbed: 0.001 } : { ...NO_FAULTS, callLost: 0.02, answerLost: 0.02 };
  while (all.published.length < MESSAGES) {
    for (const publisher of publishers) publisher.publish(random.pick(["s/a", "s/b"]), random.pick([1, 1, 2]));
    await calm(world, random.below(8));
  }
  world.faults = NO_FAULTS;
  // Those who keep up take what is left; nobody had to be given up.
  await calm(world, 60_000);
  for (const client of stuck) client.endSession();
  await calm(world, 60_000);
  return all;
}

describe.each(["round_robin", "random", "least_inflight"] as const)("%s", (strategy) => {
  test("nothing that was acknowledged is dropped while a member keeps up", async () => {
    for (let seed = 1; seed <= 16; seed += 1) {
      const { world, published, stuck, well, publishers } = await play(seed, strategy);
      const count = new Map<number, number>();
      for (const { got } of [...stuck, ...well]) for (const { number } of got) count.set(number, (count.get(number) ?? 0) + 1);
      const where = `seed ${seed}`;
      expect([...world.problems, ...[...stuck, ...well, ...publishers].flatMap(({ problems }) => problems)], where).toEqual([]);
      expect(
        publishers.map(({ quiet }) => quiet),
        where,
      ).toEqual(publishers.map(() => true));
      const acknowledged = published.filter(({ acknowledgedAt }) => acknowledgedAt !== undefined);
      expect(acknowledged.length, where).toBeGreaterThanOrEqual(MESSAGES);
      expect(
        acknowledged.filter(({ number }) => !count.has(number)).map(({ number }) => number),
        where,
      ).toEqual([]);
      const twice = acknowledged.filter(({ number, qos }) => qos === 2 && count.get(number)! > 1);
      expect(
        twice.map(({ number }) => number),
        where,
      ).toEqual([]);
    }
  });
});
