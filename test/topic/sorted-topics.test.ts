import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareTopics } from "../../src/topic/order.ts";
import { SortedTopics } from "../../src/topic/sorted-topics.ts";
import { topics } from "./arbitraries.ts";

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe("compareTopics", () => {
  it("orders as the UTF-8 bytes do", () => {
    const texts = fc.oneof(topics, fc.string({ unit: "binary", maxLength: 4 }));
    fc.assert(
      fc.property(texts, texts, texts, (common, a, b) => {
        expect(Math.sign(compareTopics(a, b))).toBe(byBytes(a, b));
        expect(Math.sign(compareTopics(common + a, common + b))).toBe(byBytes(a, b));
      }),
      { numRuns: 1_000 },
    );
  });

  it("puts characters beyond U+FFFF last, unlike the order of UTF-16 units", () => {
    expect(compareTopics("\uFFFF", "\u{10000}")).toBeLessThan(0);
    expect("\uFFFF" < "\u{10000}").toBe(false);
    expect(compareTopics("\u{10000}", "\u{10FFFF}")).toBeLessThan(0);
    expect(compareTopics("\u{10000}a", "\u{10000}")).toBeGreaterThan(0);
  });
});

describe("SortedTopics", () => {
  it("holds the same as a set, sorted, after any additions and removals", () => {
    fc.assert(
      fc.property(fc.array(topics), fc.array(fc.tuple(fc.boolean(), topics)), topics, topics, (initial, changes, from, to) => {
        const sorted = new SortedTopics(initial);
        const set = new Set(initial);
        const some = initial.map((topic): [boolean, string] => [topic.length % 2 === 0, topic]);
        for (const [isAdded, topic] of [...changes, ...some]) {
          expect(isAdded ? sorted.add(topic) : sorted.remove(topic)).toBe(isAdded !== set.has(topic));
          if (isAdded) set.add(topic);
          else set.delete(topic);
          expect(sorted.has(topic)).toBe(isAdded);
        }
        const expected = [...set].sort(byBytes);
        expect([...sorted]).toEqual(expected);
        expect(sorted.size).toBe(set.size);
        expect(sorted.seek(from)).toBe(expected.find((topic) => byBytes(topic, from) >= 0));
        expect([...sorted.range(from, to)]).toEqual(expected.filter((topic) => byBytes(topic, from) >= 0 && byBytes(topic, to) < 0));
        expect([...sorted.range(from, undefined)]).toEqual(expected.filter((topic) => byBytes(topic, from) >= 0));
      }),
    );
  });
});
