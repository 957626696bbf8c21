/** What is asked for twice with one key is done once, also when its object was reset in between. */

import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { ANSWER_PERIOD_MS, ANSWER_PERIODS } from "../../src/code-limits.ts";
import { Answers } from "../../src/objects/answers.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { SqliteAnswerStore } from "../../src/storage/sqlite-answer-store.ts";
import { sessionObject } from "./support.ts";

interface World {
  /** As an object has it that has just woken. */
  readonly woken: () => Answers;
  /** What was done, in its order. */
  readonly done: string[];
  /** Does something that is over at once. */
  readonly act: (what: string) => () => Promise<{ readonly did: string }>;
  /** Milliseconds. */
  now: number;
}

const once = { key: "k", digest: "d" };
const always = (): boolean => true;
const never = (): Promise<never> => new Promise<never>(() => {});

function withAnswers(body: (world: World) => Promise<void>): Promise<void> {
  return runInDurableObject(env.SESSIONS.getByName(`test/${crypto.randomUUID()}`), async (_object, { storage }) => {
    await storage.deleteAll();
    const world: World = {
      now: 1e12,
      done: [],
      woken: () => {
        const runtime = { ...PLATFORM, now: () => world.now };
        return new Answers({ name: "test", store: () => new SqliteAnswerStore(storage.sql, createRowMeter()), runtime });
      },
      act: (what) => async () => {
        world.done.push(what);
        return { did: what };
      },
    };
    await body(world);
  });
}

describe("what was answered", () => {
  test.each([0, 1, 2] as const)("is answered so again for a day, at QoS %i, and is then done anew", (qos) =>
    withAnswers(async (world) => {
      const { woken, act, done } = world;
      const ask = (what: string, by = once) => woken().once(by, qos, act(what), always);
      expect(await ask("one")).toEqual({ did: "one" });
      world.now += 24 * 3600 * 1000;
      expect(await ask("two")).toEqual({ did: "one" });
      expect(await ask("three", { ...once, digest: "other" })).toEqual({ unanswered: "other" });
      world.now += (ANSWER_PERIODS + 1) * ANSWER_PERIOD_MS;
      expect(await ask("four")).toEqual({ did: "four" });
      expect(done).toEqual(["one", "four"]);
    }),
  );

  test("while it is done another one waits for its answer", () =>
    withAnswers(async ({ woken, act, done }) => {
      const answers = woken();
      const asked = ["one", "two"].map((what) => answers.once(once, 1, act(what), always));
      expect(await Promise.all(asked)).toEqual([{ did: "one" }, { did: "one" }]);
      expect(await answers.once({ ...once, digest: "other" }, 1, act("three"), always)).toEqual({ unanswered: "other" });
      expect(done).toEqual(["one"]);
    }));

  test("is nothing where nothing was done", () =>
    withAnswers(async ({ woken, act, done }) => {
      const isNot = (): boolean => false;
      await woken().once(once, 2, act("refused"), isNot);
      await expect(woken().once(once, 2, () => Promise.reject(new TypeError("no message")), always)).rejects.toThrow("no message");
      expect(await woken().once(once, 2, act("done"), always)).toEqual({ did: "done" });
      expect(done).toEqual(["refused", "done"]);
    }));
});

test.each([0, 1, 2] as const)(
  "for a client that nobody is, what is asked at QoS %i leaves nothing in its object, whoever names one",
  async (qos) => {
    const session = env.SESSIONS.getByName(sessionObject(`nobody-${qos}-${crypto.randomUUID()}`));
    const tables = () =>
      runInDurableObject(session, (_object, { storage }) =>
        storage.sql
          .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE name = 'answer'")
          .toArray()
          .map(({ name }) => name),
      );
    for (const _time of ["once", "again"])
      expect(await session.send("nobody", { topic: "t", payload: "", qos }, undefined, once)).toEqual({ outcome: "away" });
    expect(await tables()).toEqual([]);
  },
);

describe("the object is reset before the answer is in rows", () => {
  test("at QoS 1 it is done again, as a PUBLISH would be", () =>
    withAnswers(async ({ woken, act, done }) => {
      void woken().once(once, 1, never, always);
      expect(await woken().once(once, 1, act("again"), always)).toEqual({ did: "again" });
      expect(done).toEqual(["again"]);
    }));

  test.each([0, 2] as const)("at QoS %i it is not done again, for nobody knows whether it was", (qos) =>
    withAnswers(async ({ woken, act, done }) => {
      void woken().once(once, qos, never, always);
      for (const answers of [woken(), woken()])
        expect(await answers.once(once, qos, act("again"), always)).toEqual({ unanswered: "unknown" });
      expect(done).toEqual([]);
    }),
  );
});
