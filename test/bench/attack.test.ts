/**
 * Attacks for a moment: with bars that only a collapse misses, such as a stall of seconds, an object that starts again, or messages that
 * are lost. How much a pair feels is for `npm run attack`: it depends on what else the machine does.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ATTACKS } from "../../bench/attack/attacks/index.ts";
import { Field } from "../../bench/attack/field.ts";
import { PAIR, SHAPES, type Shape } from "../../bench/attack/options.ts";
import type { AttackResult } from "../../bench/attack/result.ts";
import { runAttack, startOf } from "../../bench/attack/run.ts";
import { better, missesOf } from "../../bench/attack/verdict.ts";
import type { Broker } from "../../scripts/local/local-broker.ts";
import { sessionObjectName, topicShard } from "../../src/objects/names.ts";

const MOMENT = { quietSeconds: 0.5, seconds: 2, ordinaryRounds: 0, restSeconds: 0 };

/** One message of the pair may take so long, and as much more as the machine makes everybody wait while all tests run beside this one. */
const STALL_MS = 3000;
const MACHINE_FACTOR = 3;

const OBJECTS = { topology: "sharded", sessionShards: 4, topicShards: 4, topicsWithObject: [] } as const;

/** Those that once did the most harm there. */
const WORST: Readonly<Record<Shape, readonly string[]>> = {
  compact: ["retained-scan"],
  relayed: ["passwords-100"],
  "handed over": ["retained-unread"],
};

describe.each(SHAPES)("%s", (shape) => {
  let calm: Broker;
  beforeAll(async () => {
    calm = await startOf(shape);
  });
  afterAll(() => calm.dispose());

  test.each(WORST[shape])(
    "%s harms nobody else",
    async (key) => {
      const result = await runAttack(ATTACKS.find((attack) => attack.key === key)!, shape, calm, MOMENT);
      expect(result.count).toBeGreaterThan(0);
      for (const { attacked, calm: elsewhere } of [result.before, result.during, result.after]) {
        expect(attacked).toMatchObject({ lost: 0, unacknowledged: 0, ended: 0 });
        expect(attacked.max).toBeLessThan(STALL_MS + MACHINE_FACTOR * elsewhere.max);
      }
    },
    60_000,
  );
});

test("both clients of the pair belong to one Session object, where attackers look for them", () => {
  const [subscriber, publisher] = [PAIR.subscriber, PAIR.publisher].map((clientId) => sessionObjectName(OBJECTS, "default", clientId));
  expect(publisher).toBe(subscriber);
  const field = new Field({ url: "", idInUrl: false, objects: OBJECTS }, new AbortController().signal);
  expect(sessionObjectName(OBJECTS, "default", field.near("somebody"))).toBe(subscriber);
  expect(topicShard(OBJECTS, field.nearTopic("something"))).toBe(topicShard(OBJECTS, PAIR.topic));
});

describe("the bars", () => {
  const report = (attacked: object = {}, calmP99 = 2) => {
    const figures = { sent: 300, p50: 1, p99: 2, max: 3, lost: 0, unacknowledged: 0, ended: 0 };
    return { attacked: { ...figures, ...attacked }, calm: { ...figures, p99: calmP99 } };
  };
  const held: AttackResult = {
    key: "some",
    shape: "compact",
    at: "2026-11-28T00:00:00.000Z",
    loadAverage: 0,
    seconds: 6,
    tries: 1,
    broker: "0.1.0",
    before: report(),
    during: report(),
    after: report(),
    memory: { before: 100, highest: 500, after: 109 },
    count: 1,
    ended: 0,
    busy: 0.1,
    load: 0.1,
    logged: 0,
  };
  const late = { ...held, during: report({ p99: 7 }) };

  test("are held by a broker on which nobody feels anything", () => {
    expect(missesOf(held)).toEqual([]);
  });

  test("are missed by p99 above three times that in quiet, but not when the machine makes everybody wait", () => {
    expect(missesOf(late)).toEqual(["p99 during 3.5 times that in quiet"]);
    expect(missesOf({ ...held, during: report({ p99: 7 }, 3) })).toEqual([]);
    expect(missesOf({ ...held, after: report({ p99: 20 }) })).toEqual(["p99 after 10 times that in quiet"]);
  });

  test("are missed by what no machine explains", () => {
    expect(missesOf({ ...held, during: report({ ended: 1, lost: 2 }), after: report({ lost: 1, unacknowledged: 4 }) })).toEqual([
      "connections of the pair ended",
      "3 messages of the pair did not arrive",
      "4 were not acknowledged",
    ]);
  });

  test("are missed by memory that does not come back, and by an attack that was none", () => {
    expect(missesOf({ ...held, memory: { before: 100, highest: 500, after: 111 } })).toEqual(["memory 11 % above before"]);
    expect(missesOf({ ...held, count: 0 })).toEqual(["the attack did not take place"]);
    expect(missesOf({ ...held, memory: { before: undefined, highest: undefined, after: undefined } })).toEqual([]);
  });

  test("of two measurements the one counts that missed fewer, then the one in which the pair felt less", () => {
    expect(better(late, held)).toBe(held);
    const later = { ...held, during: report({ p99: 8 }) };
    expect(better(later, late)).toBe(late);
    expect(better(late, later)).toBe(late);
  });
});
