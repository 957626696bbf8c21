/** The month's bill: its parts by hand, and that the documents say what the model says. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { awsMonth, emqxMonth } from "../../bench/month/elsewhere.ts";
import { countWay } from "../../bench/month/measure.ts";
import { COUNTED_WAYS, type CountedWay, type Measured, readMeasured } from "../../bench/month/measured.ts";
import {
  awake,
  type Fleet,
  freePlanEnds,
  misfit,
  month,
  OBJECT_CONNECTIONS,
  OBJECT_EVENTS_A_SECOND,
  pings,
  RULE,
  ruleOfThumb,
} from "../../bench/month/model.ts";
import { monthPlot } from "../../bench/month/plot.ts";
import { monthSections, PLOT } from "../../bench/month/report.ts";
import { billedOfMessage, dollars } from "../../bench/month/tables.ts";
import { TOPICS, topicsMonth } from "../../bench/month/topics.ts";
import { atLeast, rowsOfMessage, wayOut } from "../../bench/month/ways.ts";
import { ROOT } from "../../scripts/build/bundle.ts";
import { Caller, holdRule } from "../../src/objects/caller.ts";
import { ROW_GATHER_CHANGES, ROW_GATHER_MS } from "../../src/storage-limits.ts";

const MONTH = 30 * 86_400;

/** As if a connection cost nothing, and nothing were read. */
function measured(): Measured {
  const visit = (way: CountedWay, kept: boolean) => ({ way, kept, requests: 0, calls: 0, socketMessages: 0, rowsWritten: 0 });
  const visits = COUNTED_WAYS.flatMap((way) => [visit(way, false), visit(way, true)]);
  return { at: "", broker: "", shards: 4, pairs: 100, paced: [], visits, wake: { rows: 0, rowsOfSession: 0 } };
}

/** Random numbers from 0 to 1, the same ones each time. */
function random(): () => number {
  let seed = 1;
  return () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
}

/** What is billed a second of one way, and for which part of the time it is held, where an object calls others so often. */
async function callsOf(rate: number, ways: number, seconds: number): Promise<{ billed: number; held: number }> {
  let now = 1e12;
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  const after = (ms: number, run: () => void) => {
    const timer = { at: now + ms, run };
    timers.push(timer);
    const cancel = () => {
      timers = timers.filter((other) => other !== timer);
    };
    return { cancel };
  };
  const [answer, next] = [async () => new Uint8Array(), random()];
  let billed = 0;
  const take = () => {
    billed += 1;
    return answer();
  };
  const hold = async () => {
    billed += 1;
    return { take: answer, [Symbol.dispose]: () => {} };
  };
  const caller = new Caller({ now: () => now, after, incarnation: () => "1" }, () => ({ take, hold }), holdRule(ways, ways));
  let heldMs = 0;
  for (const end = now + seconds * 1000; now < end; ) {
    const at = now - (Math.log(next()) * 1000) / (rate * ways);
    for (let due = first(); due !== undefined && due.at <= at; due = first()) {
      heldMs += caller.held * (due.at - now);
      now = due.at;
      timers = timers.filter((other) => other !== due);
      due.run();
    }
    heldMs += caller.held * (at - now);
    now = at;
    await caller.call(`way ${Math.floor(next() * ways)}`, new Uint8Array());
  }
  return { billed: billed / seconds / ways, held: heldMs / 1000 / seconds / ways };

  function first() {
    return timers.toSorted((a, b) => a.at - b.at)[0];
  }
}

const fleet = (clients: number, messagesPerSecond: number, kept = false): Fleet => ({ clients, messagesPerSecond, kept });

describe("parts of the model", () => {
  test("an object is awake for as long as the times of its events make together", () => {
    // The times of a million events, laid down one after the other.
    let [at, until, total] = [0, 0, 0];
    const next = random();
    for (let each = 0; each < 1e6; each += 1) {
      at += -Math.log(next()) / 0.05;
      total += at + 10 - Math.max(at, until);
      until = at + 10;
    }
    expect(awake(0.05, 10)).toBeCloseTo(total / at, 2);
    expect(awake(0, 10)).toBe(0);
  });

  test("a client pings when it has sent nothing for its Keep Alive", () => {
    expect(pings(0, 60)).toBeCloseTo(1 / 60);
    expect(pings(1e-6, 60)).toBeCloseTo(1 / 60, 4);
    expect(pings(1, 60)).toBeLessThan(1e-20);
  });

  test("messages share a row with what comes soon after another one, or is much", () => {
    expect(rowsOfMessage(0)).toBe(1);
    expect(rowsOfMessage(1000)).toBeCloseTo(1 / (ROW_GATHER_MS + Math.exp(-ROW_GATHER_MS)));
    expect(rowsOfMessage(1e6)).toBe(1 / ROW_GATHER_CHANGES);
  });

  test("so many come in a second at least", () => {
    expect(atLeast(1, 2)).toBeCloseTo(1 - Math.exp(-2));
    expect(atLeast(3, 2)).toBeCloseTo(1 - Math.exp(-2) * (1 + 2 + 2));
    expect(atLeast(22, 1000)).toBe(1);
    expect(atLeast(22, 0)).toBe(0);
  });

  // The rule itself, from the object that keeps to it, at random times in a clock that is set.
  test.each([2, 3, 5, 6, 13, 16, 40])(
    "calls are held and billed as by the object that makes them: %d a second on each of four ways",
    async (rate) => {
      const counted = await callsOf(rate, 4, 400);
      const { billed, held } = wayOut({ average: 1, hashed: false, perSecond: rate }, 4, holdRule(4, 4));
      expect([Math.abs(billed - counted.billed) < 0.1 * rate, Math.abs(held - counted.held) < 0.1]).toEqual([true, true]);
    },
  );
});

describe("a month", () => {
  test("compact: messages, alarms and running time by hand", () => {
    const { units, dollars, sessionObjects, topicObjects } = month(fleet(1000, 1000), "compact", measured());
    expect([sessionObjects, topicObjects]).toEqual([1, 0]);
    // A PUBLISH and a PUBACK for each message, nobody pings; one upgrade a day; an alarm every 16.5 minutes, and a row for it.
    const alarms = MONTH / (16.5 * 60);
    expect(units.requests).toBeCloseTo((2000 * MONTH) / 20 + 30_000 + alarms, 0);
    expect(units.rowsWritten).toBeCloseTo(alarms, 0);
    expect(units.gigabyteSeconds.listed).toBeCloseTo(MONTH * 0.128, -1);
    expect(dollars.listed).toBeCloseTo(5 + ((units.requests - 1e6) / 1e6) * 0.15);
    expect(dollars.most).toBe(dollars.listed);
  });

  test("kept sessions: a row for each message that shares none", () => {
    const clean = month(fleet(10, 100), "compact", measured()).units;
    const kept = month(fleet(10, 100, true), "compact", measured()).units;
    expect(kept.rowsWritten - clean.rowsWritten).toBeCloseTo((100 * MONTH) / (0.3 + Math.exp(-0.3)), 0);
  });

  test("sharded: two calls for each message that shares none, and as many objects as carry it", () => {
    const few = month(fleet(1000, 40), "handed", measured());
    expect([few.sessionObjects, few.topicObjects]).toEqual([4, 4]);
    const calls = 80 * MONTH;
    expect((few.units.requests - (80 * MONTH) / 20) / calls).toBeCloseTo(1, 1);
    // Where they are dense, none is billed, and no object sleeps.
    const dense = month(fleet(1000, 1000), "handed", measured());
    expect(dense.units.requests / ((2000 * MONTH) / 20)).toBeCloseTo(1, 1);
    expect(dense.units.gigabyteSeconds.listed).toBeCloseTo(8 * MONTH * 0.128, -4);
    const many = month(fleet(100_000, 100_000), "handed", measured());
    expect(many.eventsOfObject).toBeLessThanOrEqual(OBJECT_EVENTS_A_SECOND);
    expect(many.sessionObjects).toBeGreaterThan(200);
    const idle = month(fleet(100_000, 0), "relayed", measured());
    expect(100_000 / idle.sessionObjects).toBeLessThan(OBJECT_CONNECTIONS);
    expect(month(fleet(100_000, 1000), "each", measured()).sessionObjects).toBe(100_000);
  });

  test("what may hibernate and is not billed for it makes the difference between both readings of the price list", () => {
    const { gigabyteSeconds } = month(fleet(10, 10 / 60), "relayed", measured()).units;
    const always = 8 * MONTH * 0.128;
    expect(gigabyteSeconds.listed).toBeLessThan(0.01 * always);
    expect(gigabyteSeconds.most).toBeGreaterThan(0.3 * always);
    expect(gigabyteSeconds.most).toBeLessThan(always);
  });

  test("relayed clients that send nothing reach an object every ten minutes instead of every minute", () => {
    const [relayed, handed] = (["relayed", "handed"] as const).map((way) => month(fleet(1000, 0), way, measured()).units.requests);
    expect(handed! / relayed!).toBeGreaterThan(5);
  });

  test("more clients than one object takes are not in one object", () => {
    expect(misfit(fleet(OBJECT_CONNECTIONS, 1), "compact")).toBeUndefined();
    expect(misfit(fleet(100_000, 1), "compact")).toBe("not in one object");
  });

  test("the free plan ends with a hundred thousand requests a day", () => {
    // Two packets a message, twenty of which are a request.
    const ends = freePlanEnds((tenths) => fleet(10, tenths / 10), "compact", measured(), "listed", 1000);
    expect(ends / 10).toBeCloseTo(11.5, 0);
    const keptEnds = freePlanEnds((tenths) => fleet(10, tenths / 10, true), "compact", measured(), "listed", 1000);
    expect(keptEnds / 10).toBeCloseTo(1.1, 0);
  });

  test("elsewhere, by hand", () => {
    // 7.776 billion messages, of which one at $1, four at $0.80 and the rest at $0.70; 43.2 million minutes.
    expect(awsMonth(fleet(1000, 1000))).toBeCloseTo(1000 + 3200 + 2.776 * 700 + 43.2 * 0.08, 1);
    expect(emqxMonth(fleet(1000, 10))).toBeCloseTo(42.2 * 2 + ((20 * 88 * MONTH) / 2 ** 30 - 1) * 0.15, 2);
    expect(emqxMonth(fleet(1001, 1))).toBeUndefined();
    expect(emqxMonth(fleet(1000, 1000))).toBeUndefined();
  });
});

describe("topics", () => {
  test("an object for each topic has a call for each of them where somebody subscribes to all", () => {
    const resting = { topics: 1000, perSecond: 0 };
    const visits = measured().visits.map((row) => ({ ...row, calls: 3, rowsWritten: 2 }));
    const [hashed, each] = [true, false].map((way) => topicsMonth(resting, way, { ...measured(), visits }));
    // 720 visits: four objects and sixteen pages, which are asked for and brought, or a thousand objects; seventeen rows of each for its tables.
    expect(hashed!.calls).toBeCloseTo(720 * (3 * 4 + 2 * 16), 0);
    expect(each!.calls).toBeCloseTo(720 * 3000, 0);
    expect(hashed!.rowsWritten).toBeCloseTo(720 * 8 + 68, 0);
    expect(each!.rowsWritten).toBeCloseTo(720 * 2000 + 17_000, 0);
  });

  test.each([
    [100, 100_000, 1 / 86_400],
    [40, 1000, 1],
    [40, 100_000, 1 / 60],
  ])("an object for each costs %d times as much, as the page says: %d topics, %f a second", (factor, topics, perSecond) => {
    const [hashed, each] = [true, false].map((way) => topicsMonth({ topics, perSecond }, way, readMeasured()).dollars.listed);
    expect(each! / hashed!).toBeGreaterThan(factor);
  });

  test("it is never the cheaper way", () => {
    for (const { title, ...topics } of TOPICS) {
      const [hashed, each] = [true, false].map((way) => topicsMonth(topics, way, readMeasured()).dollars);
      expect([title, each!.listed >= hashed!.listed, each!.most >= hashed!.most]).toEqual([title, true, true]);
    }
  });
});

describe("what was counted", () => {
  const counted = readMeasured();

  test("is there for every way", () => {
    for (const way of COUNTED_WAYS) {
      for (const kept of [false, true]) {
        expect(counted.visits.filter((row) => row.way === way && row.kept === kept)).toHaveLength(1);
        expect(counted.paced.filter((row) => row.way === way && row.kept === kept).length).toBeGreaterThan(1);
      }
    }
  });

  test("is no more than the model says where calls are single and where they are dense, but for the first rows of objects", () => {
    for (const { way, kept, messagesPerSecond, calls, rowsWritten } of counted.paced) {
      if (messagesPerSecond > RULE.single && messagesPerSecond < RULE.dense) continue;
      const billed = way === "compact" ? 0 : billedOfMessage(messagesPerSecond, counted);
      const rows = kept ? rowsOfMessage(messagesPerSecond / (way === "compact" ? 1 : counted.shards)) : 0;
      const told = [way, kept, messagesPerSecond, calls, rowsWritten];
      expect([...told, calls <= billed + 0.15, rowsWritten <= rows * 1.2 + 0.02]).toEqual([...told, true, true]);
    }
  });

  test("is counted of a broker that runs", async () => {
    const { paced } = await countWay("compact", true, { warmUpSeconds: 0, seconds: 0.5, rates: [200], visits: 0 });
    expect(paced).toHaveLength(1);
    expect(paced[0]).toMatchObject({ way: "compact", kept: true, calls: 0, socketMessages: 2 });
    expect(paced[0]!.rowsWritten).toBeGreaterThan(0);
    expect(paced[0]!.rowsWritten).toBeLessThan(1.5);
  }, 60_000);
});

describe("the documents", () => {
  const counted = readMeasured();
  const textOf = (path: string): string => readFileSync(join(ROOT, path), "utf8");

  test.each(
    Object.entries(monthSections(counted)).flatMap(([path, sections]) =>
      Object.entries(sections).map(([name, section]) => [path, name, section] as const),
    ),
  )("%s has the table %s of the model (npm run bench:month -- --write)", (path, name, section) => {
    expect(textOf(path)).toContain(`<!-- ${name} -->\n\n${section}\n\n<!-- /${name} -->`);
  });

  describe("the rule of thumb", () => {
    const text = textOf("docs/costs.md");
    const section = text.slice(0, text.indexOf("\n## "));
    const near = (value: number, low: number, high: number): boolean => value >= low * 0.9 - 0.5 && value <= high * 1.1 + 0.5;

    test.each(["compact", "handed", "relayed"] as const)("is what the model says, %s", (way) => {
      for (const clients of [10, 100, 1000]) {
        for (const messagesPerSecond of [0.1, 1, 4, 17, 40, 60, 80, 100, 150, 400, 500, 1000].filter((rate) => rate <= clients)) {
          const { listed, most } = month(fleet(clients, messagesPerSecond), way, counted).dollars;
          const rule = ruleOfThumb(fleet(clients, messagesPerSecond), way)!;
          const told = [way, clients, messagesPerSecond, rule, listed, most];
          expect([...told, near(listed, rule.listed, rule.most)]).toEqual([...told, true]);
          expect([...told, near(most, rule.listed, rule.most)]).toEqual([...told, true]);
        }
      }
    });

    test("is what the page says", () => {
      expect(section).toContain(`$5 a month up to ${RULE.included} messages a second`);
      expect(section).toContain(`${RULE.compact * 100} cents for each message a second more`);
      expect(section).toContain(`${RULE.sharded * 100} cents for each message a second`);
      expect(section).toContain(`up to ${RULE.single} messages a second in all`);
      expect(section).toContain(`up to $${RULE.running}`);
      expect(section).toContain(`From ${RULE.dense} messages a second on`);
      expect(section).toContain(
        `$${5 + RULE.running} and ${RULE.compact * 100} cents for each message a second**, relayed ${RULE.relayed * 100}`,
      );
      expect(ruleOfThumb(fleet(1000, 70), "handed")).toBeUndefined();
    });

    test("and so are its numbers of objects", () => {
      const [usual, fewer] = [undefined, 5000].map((events) => month(fleet(100_000, 100_000), "relayed", counted, events));
      const objects = (of: typeof usual): string => `${of!.sessionObjects} + ${of!.topicObjects}`;
      expect(text).toContain(`on ${objects(fewer)} objects than on ${objects(usual)}`);
    });

    test("and so is what fewer objects cost", () => {
      const dollars = (way: "compact" | "handed", least: number): number =>
        Math.round(month(fleet(1000, 100), way, counted, undefined, least).dollars.listed);
      const [one, two, four] = [1, 2, 4].map((least) => `$${dollars("handed", least)}`);
      const said = `compact costs $${dollars("compact", 1)} a month, 1 + 1 objects that are handed sockets ${one}, 2 + 2 ${two}, and the 4 + 4 of a deploy ${four},`;
      expect(text.replaceAll(/\s+/g, " ")).toContain(said);
    });

    test("and so are its examples", () => {
      const compact = (clients: number, perSecond: number, kept = false): number =>
        month(fleet(clients, perSecond, kept), "compact", counted).dollars.listed;
      const cost = (clients: number, perSecond: number): string => `$${dollars(compact(clients, perSecond))}`;
      expect(section).toContain(
        `1,000 clients that send once a minute cost ${cost(1000, 1000 / 60)}, and 1,000 messages a second ${cost(1000, 1000)}`,
      );
      expect(section).toContain(`1,000 idle clients cost ${Math.round((compact(1000, 0) - 5) * 100)} cents`);
      expect(compact(1000, 19, true) - compact(1000, 19)).toBeLessThan(0.1);
      expect(compact(1000, 30, true) - compact(1000, 30)).toBeGreaterThan(10);
      const ends = [false, true].map((kept) =>
        freePlanEnds((clients) => ({ clients, messagesPerSecond: clients / 60, kept }), "compact", counted, "listed"),
      );
      expect(section).toContain(`${ends[0]} clients that send once a minute to clean sessions, or for ${ends[1]} to kept ones`);
    });
  });

  test("the plot is of the model", () => {
    expect(textOf(PLOT)).toBe(monthPlot(counted));
  });
});
