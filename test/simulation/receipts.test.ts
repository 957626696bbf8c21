/**
 * A Worker that publishes and wants to know who takes its messages, over the real hosts: what its receipts say against what clients wrote down,
 * while objects lose their memory, calls are lost and made twice, and clients are slow, away, and come and go.
 */

import { describe, expect, test } from "vitest";
import { DEFAULT_CHOICES } from "../../src/choices.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import type { AcknowledgedWait, PutOutcome } from "../../src/objects/calls.ts";
import { sessionObjectName } from "../../src/objects/names.ts";
import type { SessionHost } from "../../src/objects/session-host.ts";
import { matches } from "../../src/topic/filter.ts";
import { type ClientOptions, SimulatedClient } from "./client.ts";
import { contentOf } from "./content.ts";
import { plainFilter } from "./receipt.ts";
import type { Published } from "./records.ts";
import { calm, type Faults, NO_FAULTS, World } from "./world.ts";

/** What the Worker was told of a message, and when. */
interface Told {
  readonly published: Published;
  readonly outcome: PutOutcome;
  readonly at: number;
}

/** Each client has one filter. */
const FILTERS = ["s/a", "s/+", "s/#", "$share/g/s/#", "$share/h/+/a"];

class Run {
  readonly world: World;
  readonly published: Published[] = [];
  readonly told: Told[] = [];
  /** Nothing is known of these: the call has failed. */
  failed = 0;
  readonly clients: readonly SimulatedClient[];
  readonly #random;

  constructor(seed: number, options: Partial<ClientOptions> = {}) {
    this.world = new World({
      seed,
      topology: seed % 3 === 0 ? "compact" : "sharded",
      sessionShards: seed % 2 === 0 ? 3 : 0,
      limits: DEFAULT_LIMITS,
      choices: DEFAULT_CHOICES,
    });
    const random = this.world.chance.once("the clients");
    this.#random = random;
    this.clients = Array.from({ length: 8 }, (_, number) => {
      const fixed = { version: 5, keepAliveSeconds: 0, receiveMaximum: undefined, will: undefined, long: false, ...options } as const;
      const chosen = { expirySeconds: random.pick([0, 3600, 3600]), slowMs: random.pick([0, 0, 50, 3000]), relayed: random.chance(0.5) };
      return new SimulatedClient(this.world, { id: `client-${number}`, ...chosen, ...fixed }, this.published);
    });
  }

  async begin(): Promise<void> {
    for (const client of this.clients) client.connect();
    await calm(this.world, 2_000);
    for (const client of this.clients) client.subscribe(this.#random.pick(FILTERS), this.#random.pick([0, 1, 2]));
    await calm(this.world, 2_000);
  }

  /** Publishes as another Worker. */
  publish(topic: string, qos: QoS, wait: Partial<AcknowledgedWait> | undefined): void {
    const { world } = this;
    const number = this.published.length;
    const content = contentOf(number, { version: 4, long: false, random: world.chance.now("a message of the Worker") });
    const fixed = { publisher: "", kind: "message", retain: false, forbidden: false, expirySeconds: 0, repeated: false } as const;
    const published: Published = { ...fixed, number, topic, qos, content, sentAt: world.now, acknowledgedAt: undefined, inDoubt: false };
    this.published.push(published);
    const { payload } = content;
    const message = { topic, payload, qos };
    const waiting = wait && { timeoutMs: 10_000, signal: undefined, ...wait };
    const put = (host: unknown): Promise<PutOutcome> => (host as SessionHost).publishing.put(message, waiting);
    const object = world.object(sessionObjectName(world.settings, "n", "service-7"));
    const answered = (outcome: PutOutcome): void => void this.told.push({ published, outcome, at: world.now });
    const failed = (): void => {
      this.failed += 1;
    };
    world.after(world.delay("the Worker to an object"), () => object.answer(put, answered, failed));
  }

  /** Those who have subscribed to it before it was published, and still have. */
  standing({ topic, sentAt }: Published): readonly SimulatedClient[] {
    return this.clients.filter(({ held }) =>
      held.some(
        ({ filter, since, until }) => matches(plainFilter(filter), topic) && since !== undefined && since < sentAt && until === undefined,
      ),
    );
  }

  /** Clients whose acknowledgement of a message had left them at a time. */
  acknowledgers({ number }: Published, at: number): number {
    const have = this.clients.filter(({ got, options }) =>
      got.some((each) => each.number === number && each.qos > 0 && each.at + options.slowMs <= at),
    );
    return have.length;
  }

  get problems(): string[] {
    return [...this.world.problems, ...this.clients.flatMap(({ problems }) => problems)];
  }
}

const isShared = ({ held }: SimulatedClient): boolean => held.some(({ filter }) => filter.startsWith("$share/"));

/** How many a message goes to: each who has a subscription of his own, and one of each group. */
function mostOf(run: Run, { topic }: Published): number {
  const all = run.clients.filter(({ held }) => held.some(({ filter }) => matches(plainFilter(filter), topic)));
  const groups = new Set(all.filter(isShared).flatMap(({ held }) => held.map(({ filter }) => filter)));
  return all.filter((client) => !isShared(client)).length + groups.size;
}

/** What must hold of every receipt, whatever went wrong. */
function wrongOf(run: Run, { published, outcome, at }: Told): string[] {
  const { reasonCode, taken } = outcome;
  const { number, qos, sentAt } = published;
  if (qos === 0) return taken === undefined ? [] : [`${number}: counts at QoS 0`];
  if (taken === undefined) return [`${number}: no counts`];
  if (reasonCode >= 0x80) return [];
  const problems: string[] = [];
  const { sessions, away, acknowledged = 0, pending = 0 } = taken;
  const expect = (isSo: boolean, problem: string): void => {
    if (!isSo) problems.push(`${number}: ${problem}; ${JSON.stringify(outcome)}`);
  };
  expect((reasonCode === 0x10) === (sessions === 0), "0x10 says that nobody took it");
  expect(sessions <= mostOf(run, published), `more sessions than the ${mostOf(run, published)} that there can be`);
  expect(acknowledged + away + pending <= sessions, "more fates than sessions");
  expect(acknowledged <= run.acknowledgers(published, at), `only ${run.acknowledgers(published, at)} have acknowledged it`);
  const kept = run.standing(published).filter((client) => client.durable && !isShared(client));
  expect(sessions >= kept.filter(({ held }) => held[0]!.qos > 0).length, `fewer sessions than the ${kept.length} that are kept`);
  // Storing may take as long as objects are out of reach; then the wait is over.
  if (run.world.faults === NO_FAULTS) expect(at - sentAt < 12_000, `it came after ${at - sentAt} ms`);
  return problems;
}

describe("without faults", () => {
  test("a receipt that waits comes when the last has acknowledged, and says that all have", async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const run = new Run(seed);
      await run.begin();
      for (const topic of ["s/a", "s/b", "s/b/c", "none"]) for (const qos of [1, 2] as const) run.publish(topic, qos, {});
      await calm(run.world, 11_000);
      expect([run.told.length, run.failed, run.problems], `seed ${seed}`).toEqual([8, 0, []]);
      for (const told of run.told) {
        const { published, outcome, at } = told;
        expect(wrongOf(run, told), `seed ${seed}`).toEqual([]);
        const clients = run.standing(published);
        const own = clients.filter((client) => !isShared(client));
        const ofOwn = own.filter(({ held }) => held[0]!.qos > 0);
        const { sessions, away, acknowledged, pending } = outcome.taken!;
        expect(sessions, `seed ${seed}: ${published.topic}`).toBe(mostOf(run, published));
        expect([away, pending], `seed ${seed}: ${published.topic}`).toEqual([0, 0]);
        expect(acknowledged, `seed ${seed}`).toBeGreaterThanOrEqual(ofOwn.length);
        expect(acknowledged, `seed ${seed}`).toBe(run.acknowledgers(published, at));
        // Not when its time is over.
        expect(at - published.sentAt, `seed ${seed}`).toBeLessThan(3_000 + 500);
      }
    }
  });

  test("one that does not wait says the same of sessions; at QoS 0 nothing is said", async () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const run = new Run(seed);
      await run.begin();
      for (const topic of ["s/a", "s/b/c", "none"]) for (const qos of [0, 1, 2] as const) run.publish(topic, qos, undefined);
      await calm(run.world, 11_000);
      expect([run.told.length, run.problems], `seed ${seed}`).toEqual([9, []]);
      for (const { published, outcome } of run.told) {
        const sessions = mostOf(run, published);
        const taken = published.qos === 0 ? undefined : { sessions, away: 0, acknowledged: undefined, pending: undefined };
        expect(outcome, `seed ${seed}`).toMatchObject({ refusal: undefined, taken });
      }
    }
  });

  test("clients that are away are not waited for; those that leave meanwhile no longer; those that say nothing until the time is over", async () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const run = new Run(seed, { slowMs: 60_000, expirySeconds: 3600 });
      const [first, second, third, ...others] = run.clients;
      for (const client of run.clients) client.connect();
      await calm(run.world, 2_000);
      for (const client of [first!, second!, third!]) client.subscribe("s/a", 1);
      await calm(run.world, 2_000);
      first!.drop();
      await calm(run.world, 2_000);
      run.publish("s/a", 1, { timeoutMs: 8_000 });
      await calm(run.world, 2_000);
      second!.drop();
      await calm(run.world, 3_000);
      expect(run.told).toEqual([]);
      await calm(run.world, 4_000);
      const pending = { sessions: 3, away: 2, acknowledged: 0, pending: 1 };
      expect(run.told, `seed ${seed}`).toMatchObject([{ outcome: { taken: pending } }]);
      expect(run.told[0]!.at - run.published[0]!.sentAt).toBeGreaterThan(7_999);
      third!.drop();
      await calm(run.world, 1_000);
      run.publish("s/a", 1, { timeoutMs: 60_000 });
      await calm(run.world, 1_000);
      expect(run.told[1], `seed ${seed}`).toMatchObject({ outcome: { taken: { sessions: 3, away: 3, acknowledged: 0, pending: 0 } } });
      expect([run.problems, others.length]).toEqual([[], 5]);
    }
  });

  test("objects stay awake for as long as somebody waits, and no longer", async () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      // An object that does nothing sleeps after ten seconds.
      const run = new Run(seed, { slowMs: 25_000, expirySeconds: 3600 });
      for (const client of run.clients) client.connect();
      await calm(run.world, 2_000);
      for (const client of run.clients) client.subscribe("s/a", 1);
      await calm(run.world, 2_000);
      run.publish("s/a", 1, { timeoutMs: 40_000 });
      await calm(run.world, 30_000);
      expect(run.told, `seed ${seed}`).toMatchObject([{ outcome: { taken: { sessions: 8, away: 0, acknowledged: 8, pending: 0 } } }]);
      // Far from over, but nothing is left to wait for.
      await calm(run.world, 11_000);
      expect(
        run.world.objects.filter(({ isAwake, isTopic }) => isAwake && !isTopic).map(({ name }) => name),
        `seed ${seed}`,
      ).toEqual([]);
    }
  });
});

describe("with faults", () => {
  const MANY: Faults = { ...NO_FAULTS, crash: 0.002, callLost: 0.02, answerLost: 0.02, callTwice: 0.02, closeLost: 0.02, slow: 0.02 };
  test.each([
    ["calls are lost and made twice", { ...NO_FAULTS, callLost: 0.05, answerLost: 0.05, callTwice: 0.05 }],
    ["objects lose their memory", { ...NO_FAULTS, disturbed: 0.003 }],
    ["everything", { ...MANY, disturbed: 0.002 }],
  ])("%s: no receipt says more than was, or less than must be", async (_, faults) => {
    let complete = 0;
    let all = 0;
    for (let seed = 1; seed <= 10; seed += 1) {
      const run = new Run(seed);
      const { world, clients } = run;
      const random = world.chance.once("the run");
      await run.begin();
      world.faults = faults;
      for (let count = 0; count < 60; count += 1) {
        run.publish(
          random.pick(["s/a", "s/b", "s/b/c", "none"]),
          random.pick([0, 1, 1, 2]),
          random.pick([undefined, {}, { timeoutMs: 2_000 }]),
        );
        const client = random.pick(clients);
        if (random.chance(0.1)) client.drop();
        for (const each of clients) if (!each.connected && random.chance(0.3)) each.connect();
        await calm(world, random.below(400));
      }
      await calm(world, 80_000);
      expect(run.problems, `seed ${seed}`).toEqual([]);
      expect(run.told.length + run.failed, `seed ${seed}`).toBe(60);
      expect(
        run.told.flatMap((told) => wrongOf(run, told)),
        `seed ${seed}`,
      ).toEqual([]);
      for (const { outcome } of run.told) {
        if (outcome.taken?.acknowledged === undefined) continue;
        all += 1;
        if (outcome.taken.acknowledged > 0 && outcome.taken.pending === 0) complete += 1;
      }
    }
    // It is not that nothing is ever said.
    expect(all).toBeGreaterThan(150);
    expect(complete).toBeGreaterThan(all / 4);
  });
});
