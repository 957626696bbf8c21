/**
 * Shared subscriptions some of whose members acknowledge nothing, over the real hosts: whatever was acknowledged to its publisher was sent to
 * a member, although queues are short and publishers have more messages open than fit into them; at QoS 2 to one alone.
 */

import { describe, expect, test } from "vitest";
import { DEFAULT_CHOICES, type SharedStrategy } from "../../src/choices.ts";
import { Ledger } from "../../src/ledger.ts";
import { DEFAULT_LIMITS, LATER_NEXT_MS, RETRY_MS_TOTAL, SHARE_AGAIN_MS, SHARE_AGAIN_MS_MAX } from "../../src/limits.ts";
import { decodeBatch, RECORD_SHARE, RECORD_SUBSCRIBE } from "../../src/mqtt/batch.ts";
import { encodeExchangeAnswer } from "../../src/mqtt/exchange-answer.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, SUCCESS } from "../../src/mqtt/reason-code.ts";
import { sessionObjectName, topicObjectName } from "../../src/objects/names.ts";
import { RemoteRouter } from "../../src/objects/remote-router.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { type ClientOptions, SimulatedClient } from "./client.ts";
import type { Published } from "./records.ts";
import { Stage } from "./stage.ts";
import { notHeld, stillRuntime } from "./still-runtime.ts";
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

/** Milliseconds. */
const HOUR = 3_600_000;

describe("what a Topic object does not take for long is told more and more seldom, and in the end", () => {
  test("when it is out of reach", async () => {
    const stage = new Stage({ TOPOLOGY: "sharded", SESSION_SHARDS: "1", TOPIC_SHARDS: "1" });
    const member = await stage.connect("member", false);
    const passing = await stage.connect("passing", true);
    member.subscribe("$share/g/a", 1);
    passing.subscribe("b", 1);
    await stage.advance(100);
    const topicObject = topicObjectName("default", 0);
    stage.unreachable.add(topicObject);
    member.vanish();
    const calls = (): number => {
      const { repeated, givenUp } = stage.session(sessionObjectName(stage.settings, "default", "member")).figures().outbox!.calls;
      return repeated + givenUp;
    };
    await stage.advance(2 * HOUR);
    const before = calls();
    await stage.advance(HOUR);
    expect(calls() - before).toBeLessThan(400);
    expect([stage.routes, stage.timers]).toEqual([1, 2]);
    stage.unreachable.delete(topicObject);
    await stage.advance(2 * SHARE_AGAIN_MS_MAX + RETRY_MS_TOTAL + 2 * SHARE_AGAIN_MS);
    expect([stage.routes, stage.timers]).toEqual([2, 0]);
  });

  const settings = parseSettings({ TOPOLOGY: "sharded", TOPIC_SHARDS: "1", ALLOW_ANONYMOUS: "true" }) as Settings;
  const many = Array.from({ length: 100 }, (_, index) => `${index}`);

  function refusing() {
    const runtime = stillRuntime();
    const heard = new Set<string>();
    const topic = { takes: false, calls: 0, heard };
    const exchange = async (bytes: Uint8Array): Promise<Uint8Array> => {
      topic.calls += 1;
      const { records } = decodeBatch(bytes);
      const codes = new Uint8Array(records.length).fill(topic.takes ? SUCCESS : IMPLEMENTATION_SPECIFIC_ERROR);
      for (const record of topic.takes ? records : []) {
        if (record.kind === RECORD_SHARE || (record.kind === RECORD_SUBSCRIBE && record.lasting)) heard.add(record.filter);
      }
      return encodeExchangeAnswer({ life: "1", codes, late: [], counts: [] });
    };
    const topics = () => ({ exchange, hold: notHeld });
    const router: RemoteRouter = new RemoteRouter(settings, "n/session/0", topics, runtime, new Ledger(1 << 30), () => router.flush());
    /** Lets so many milliseconds pass. */
    const pass = async (ms: number): Promise<void> => {
      for (const until = runtime.now() + ms; runtime.now() < until; ) {
        const now = runtime.now();
        await new Promise((resolve) => setImmediate(resolve));
        runtime.run();
        if (runtime.now() === now) return;
      }
    };
    return { topic, router, pass, runtime };
  }

  test.each(["shared", "plain"])("when it refuses all %s ones, also very many", async (kind) => {
    const { topic, router, pass } = refusing();
    const filters = kind === "shared" ? many.map((name) => `$share/g/${name}`) : many;
    for (const [index, filter] of filters.entries()) {
      if (kind === "shared") router.share(filter, 1, 1, index + 1, undefined);
      else router.subscribe({ filter, qos: 1, version: index + 1, lasting: false }, { settled: () => {} });
    }
    router.flush();
    await pass(2 * HOUR);
    topic.calls = 0;
    await pass(HOUR);
    expect(topic.calls).toBeLessThan(60);
    expect(topic.calls).toBeGreaterThan(10);
    topic.takes = true;
    await pass(2 * SHARE_AGAIN_MS_MAX + many.length * LATER_NEXT_MS);
    expect([...topic.heard].sort()).toEqual([...filters].sort());
    topic.calls = 0;
    await pass(HOUR);
    expect(topic.calls).toBe(0);
  });

  test("and soon, once it takes something or there is something new", async () => {
    const { topic, router, pass, runtime } = refusing();
    router.share("$share/g/a", 1, 1, 1, undefined);
    router.subscribe({ filter: "b", qos: 1, version: 2, lasting: false }, { settled: () => {} });
    router.flush();
    await pass(2 * HOUR);
    topic.takes = true;
    const since = runtime.now();
    router.share("$share/g/c", 1, 1, 3, { settled: () => {} });
    router.flush();
    await pass(2 * SHARE_AGAIN_MS);
    await pass(2 * SHARE_AGAIN_MS);
    expect([...topic.heard].sort()).toEqual(["$share/g/a", "$share/g/c", "b"]);
    expect(runtime.now() - since).toBeLessThan(SHARE_AGAIN_MS_MAX);
  });

  test("but what is wanted no more, or was told anew, is not told again", async () => {
    const { topic, router, pass } = refusing();
    router.subscribe({ filter: "b", qos: 1, version: 1, lasting: false }, { settled: () => {} });
    router.flush();
    await pass(HOUR);
    router.unsubscribe("b", 2);
    topic.takes = true;
    await pass(HOUR);
    expect([...topic.heard]).toEqual([]);
  });
});
