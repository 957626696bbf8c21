/** Choosing a member of a shared subscription without looking at all of them: as if they were looked at for each message. */

import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { SHARED_STRATEGIES, type SharedStrategy } from "../../src/choices.ts";
import { Ledger } from "../../src/ledger.ts";
import { ANY_QUEUE } from "../../src/mqtt/share-target.ts";
import { nextAttempt, type SharePick, Shares } from "../../src/routing/shares.ts";
import { LocalShare } from "../../src/session/local-share.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { Session } from "../../src/session/session.ts";
import { messageTo } from "./support.ts";

/** The members of one object, looked at one by one for each message. */
class PlainShare {
  readonly members = new Set<Session>();
  #turn = 0;
  #sticky: Session | undefined;

  choose(strategy: SharedStrategy, key: number): Session | undefined {
    const connected = [...this.members].filter(({ connection }) => connection !== undefined);
    const candidates = connected.length > 0 ? connected : [...this.members];
    if (candidates.length === 0) return undefined;
    if (strategy === "sticky") {
      if (this.#sticky === undefined || !candidates.includes(this.#sticky)) this.#sticky = candidates[0];
      return this.#sticky;
    }
    if (strategy !== "round_robin") return candidates[key % candidates.length];
    this.#turn += 1;
    return candidates[this.#turn % candidates.length];
  }
}

const STRATEGIES = SHARED_STRATEGIES.filter((strategy) => strategy !== "least_inflight");

describe("in one object", () => {
  test.each(STRATEGIES)("%s chooses whom it would choose if it looked at everybody", (strategy) => {
    const step = fc.tuple(fc.constantFrom("join", "leave", "connect", "lose", "choose", "choose", "choose"), fc.nat(7));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const sessions = Array.from({ length: 8 }, (_, number) => new Session(`c${number}`, number + 1, NOBODY, new Ledger(1 << 30)));
        const share = new LocalShare("$share/g/t");
        const plain = new PlainShare();
        for (const [what, number] of steps) {
          const session = sessions[number]!;
          if (what === "choose") {
            expect(share.choose(strategy, number)).toBe(plain.choose(strategy, number));
            continue;
          }
          if (what === "join") for (const { members } of [share, plain]) members.add(session);
          else if (what === "leave") for (const { members } of [share, plain]) members.delete(session);
          else session.connection = what === "connect" ? ({} as NonNullable<Session["connection"]>) : undefined;
          share.changed();
          expect(share.online).toBe([...plain.members].filter(({ connection }) => connection !== undefined).length);
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test.each(STRATEGIES)("%s looks at ten thousand members once, whatever the number of messages", (strategy) => {
    const share = new LocalShare("$share/g/t");
    for (let number = 0; number < 10_000; number += 1) share.members.add(new Session(`c${number}`, number, NOBODY, new Ledger(1 << 30)));
    share.changed();
    let looks = 0;
    const { members } = share;
    const iterate = members[Symbol.iterator].bind(members);
    members[Symbol.iterator] = () => {
      looks += 1;
      return iterate();
    };
    for (let key = 0; key < 10_000; key += 1) share.choose(strategy, key);
    // Once for the connected ones, and once for all because there is none.
    expect(looks).toBe(2);
  });
});

describe("over objects", () => {
  const announce = (shares: Shares, sessionObject: string, members: number, online: number, version: number): void =>
    void shares.update({ sessionObject, filter: "$share/g/t", members, online, version });
  const pick = (shares: Shares, sequence: number, qos: 0 | 1 | 2 = 1, origin = "p@1"): string => {
    let found = "";
    shares.match(messageTo("t", { sequence, qos, origin }), 0, false, ({ sessionObject }) => {
      found = sessionObject;
    });
    return found;
  };

  test.each([
    ["as many members", [3, 3, 3]],
    ["more and fewer members", [5, 1, 2]],
  ])("round_robin gives everybody its share, in turn: %s", (_, counts) => {
    const shares = new Shares("round_robin", new Ledger(1 << 30));
    for (const [index, count] of counts.entries()) announce(shares, `o${index}`, count, count, 1);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const picked = Array.from({ length: 4 * total }, (_, index) => pick(shares, index));
    for (let from = 0; from + total <= picked.length; from += 1) {
      const window = picked.slice(from, from + total);
      const got = counts.map((_, index) => window.filter((name) => name === `o${index}`).length);
      for (const [index, count] of counts.entries()) expect(Math.abs(got[index]! - count)).toBeLessThanOrEqual(1);
    }
  });

  test.each(["random", "hash_client", "hash_topic", "round_robin", "least_inflight"] as const)(
    "%s: after a loss of memory a message at QoS 2 goes where it went, also one that its publisher repeats",
    (strategy) => {
      const [before, after] = [new Shares(strategy, new Ledger(1 << 30)), new Shares(strategy, new Ledger(1 << 30))];
      for (const [index, name] of ["b", "a", "c"].entries()) announce(before, name, 2, 1 + index, index + 1);
      // Rows come in another order than announcements did.
      for (const [index, name] of [
        [1, "a"],
        [0, "b"],
        [2, "c"],
      ] as const)
        announce(after, name, 2, 1 + index, index + 1);
      for (let skipped = 0; skipped < 5; skipped += 1) pick(before, skipped, 1);
      for (let sequence = 0; sequence < 200; sequence += 1) {
        expect(pick(after, sequence, 2, "p@2")).toBe(pick(before, sequence, 2, "p@1"));
      }
    },
  );

  test("a message that none of very many objects has room for is offered to each of them once for each demand", () => {
    const objects = 300;
    const shares = new Shares("round_robin", new Ledger(1 << 30));
    for (let number = 0; number < objects; number += 1) announce(shares, `n/client/${number}`, 1, 1, 1);
    const message = messageTo("t", { qos: 2 });
    const offers: string[] = [];
    const looks = vi.spyOn(Array.prototype, "includes");
    try {
      let next: SharePick | undefined = shares.pickAgain("$share/g/t", message, undefined, 0);
      while (next !== undefined && next.target.demand !== ANY_QUEUE) {
        offers.push(`${next.target.demand} ${next.sessionObject}`);
        shares.declined(next.sessionObject, "$share/g/t", next.target.demand, 0);
        next = shares.pickAgain("$share/g/t", message, nextAttempt(next.attempt, next.sessionObject, true), 0);
      }
      expect(looks.mock.calls.length).toBeLessThan(offers.length);
    } finally {
      looks.mockRestore();
    }
    expect([offers.length, new Set(offers).size]).toEqual([2 * objects, 2 * objects]);
  });

  test.each(["random", "round_robin"] as const)("%s at QoS 2 reaches everybody by the number of its members", (strategy) => {
    const shares = new Shares(strategy, new Ledger(1 << 30));
    for (const [name, count] of [
      ["a", 1],
      ["b", 2],
      ["c", 7],
    ] as const)
      announce(shares, name, count, count, 1);
    const picked = Array.from({ length: 2000 }, (_, index) => pick(shares, 1_800_000_000_000_000 + index, 2));
    for (const [name, expected] of [
      ["a", 200],
      ["b", 400],
      ["c", 1400],
    ] as const) {
      const got = picked.filter((each) => each === name).length;
      expect(Math.abs(got - expected)).toBeLessThan(expected / 3);
    }
  });

  test("least_inflight: what is on its way to members that go and come again counts for as long as it is", () => {
    const shares = new Shares("least_inflight", new Ledger(1 << 30));
    const filter = "$share/g/t";
    let version = 0;
    const set = (name: string, members: number): void => announce(shares, name, members, members, ++version);
    const next = (): string => pick(shares, 1)!;
    for (const name of ["a", "b"]) set(name, 1);
    // Three to each of them.
    for (let count = 0; count < 6; count += 1) next();
    set("b", 0);
    shares.arrived("b", filter);
    set("b", 1);
    // Two are on their way to b, so that it is the next one's turn.
    expect(next()).toBe("b");
    for (let count = 0; count < 3; count += 1) {
      shares.arrived("a", filter);
      shares.arrived("b", filter);
    }
    const got = { a: 0, b: 0 };
    for (let count = 0; count < 100; count += 1) {
      const name = next() as "a" | "b";
      got[name] += 1;
      shares.arrived(name, filter);
    }
    expect(got).toEqual({ a: 50, b: 50 });
    // None of them is left, and what was on its way arrives all the same.
    const last = next();
    for (const name of ["a", "b"]) set(name, 0);
    shares.arrived(last, filter);
    for (const name of ["a", "b"]) set(name, 1);
    expect(new Set([next(), next()])).toEqual(new Set(["a", "b"]));
  });

  test("those whose members are all away are passed over, unless all are", () => {
    const shares = new Shares("round_robin", new Ledger(1 << 30));
    announce(shares, "a", 3, 0, 1);
    announce(shares, "b", 1, 1, 1);
    expect(new Set([1, 2, 3].map((sequence) => pick(shares, sequence)))).toEqual(new Set(["b"]));
    announce(shares, "b", 1, 0, 2);
    expect(new Set([1, 2, 3, 4].map((sequence) => pick(shares, sequence)))).toEqual(new Set(["a", "b"]));
  });
});
