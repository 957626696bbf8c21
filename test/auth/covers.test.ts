import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { covers } from "../../src/auth/covers.ts";
import { matches } from "../../src/topic/filter.ts";

/** All texts of 1 to `levelsMax` levels, without the empty one, which is neither name nor filter. */
function texts(alphabet: readonly string[], levelsMax: number): string[] {
  let longest = [...alphabet];
  const all = [...longest];
  for (let count = 2; count <= levelsMax; count++) {
    longest = longest.flatMap((text) => alphabet.map((level) => `${text}/${level}`));
    all.push(...longest);
  }
  return all.filter((text) => text !== "");
}

function filters(alphabet: readonly string[], levelsMax: number): string[] {
  const withoutHash = texts([...alphabet, "+"], levelsMax);
  const withHash = ["", ...texts([...alphabet, "+"], levelsMax - 1), ...texts([...alphabet, "+"], levelsMax - 2).map((text) => `/${text}`)]
    .map((text) => (text === "" ? "#" : `${text}/#`))
    .concat("/#");
  return [...new Set([...withoutHash, ...withHash])];
}

describe("covers", () => {
  test.each([
    ["#", "a/+/b", true],
    ["#", "#", true],
    ["a/#", "a/#", true],
    ["a/#", "a/b/+", true],
    ["a/+", "a/#", false],
    ["a/+", "a/+", true],
    ["a/+", "a/b/c", false],
    ["+/a", "+/a", true],
    ["a", "+", false],
    ["a/b", "a/b/#", false],
    ["a/b/#", "a/#", false],
    ["a/+/#", "a/#", false],
    ["+/#", "#", true],
    ["+/+/#", "#", false],
    ["/#", "/+", true],
    ["A", "a", false],
  ])("%s over %s: %s", (allowed, requested, expected) => {
    expect(covers(allowed, requested)).toBe(expected);
  });

  test("[5.0/4.7.1/parent] a/# covers a", () => {
    expect(covers("a/#", "a")).toBe(true);
    expect(covers("a/#", "ab")).toBe(false);
    expect(covers("a/+/#", "a/b")).toBe(true);
    expect(covers("a/+/#", "a")).toBe(false);
  });

  test("[MQTT5-4.7.2-1] [MQTT311-4.7.2-1] a wildcard in the first level covers nothing that begins with $", () => {
    expect(covers("#", "$SYS/#")).toBe(false);
    expect(covers("+/#", "$SYS/a")).toBe(false);
    expect(covers("+", "$SYS")).toBe(false);
    expect(covers("$SYS/#", "$SYS/+/a")).toBe(true);
    expect(covers("$SYS/+", "$SYS/a")).toBe(true);
    expect(covers("a/+", "a/$b")).toBe(true);
  });

  test("agrees with matching, for all pairs of filters of up to three levels and all topics of up to four", () => {
    const topics = texts(["a", "$s", "", "other"], 4);
    const all = filters(["a", "$s", ""], 3);
    const matched = all.map((filter) => topics.map((topic) => matches(filter, topic)));
    let coveredPairs = 0;
    for (const [allowedIndex, allowed] of all.entries()) {
      for (const [requestedIndex, requested] of all.entries()) {
        const expected = matched[requestedIndex].every((isMatched, at) => !isMatched || matched[allowedIndex][at]);
        if (covers(allowed, requested) !== expected) expect.fail(`covers(${allowed}, ${requested}) should be ${expected}`);
        if (expected) coveredPairs++;
      }
    }
    expect(all.length).toBeGreaterThan(100);
    expect(coveredPairs).toBeGreaterThan(all.length);
  });

  test("agrees with matching for longer filters over two letters", () => {
    const level = fc.constantFrom("a", "b", "+");
    const filter = fc
      .tuple(fc.array(level, { minLength: 1, maxLength: 5 }), fc.boolean())
      .map(([levels, hash]) => [...levels, ...(hash ? ["#"] : [])].join("/"));
    const topics = texts(["a", "b", "c"], 6);
    fc.assert(
      fc.property(filter, filter, (allowed, requested) => {
        const expected = topics.every((topic) => !matches(requested, topic) || matches(allowed, topic));
        expect(covers(allowed, requested)).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("is transitive and every filter covers itself", () => {
    const all = filters(["a", "$s"], 3);
    for (const filter of all) expect(covers(filter, filter)).toBe(true);
    for (const a of all) {
      for (const b of all.filter((filter) => covers(a, filter))) {
        for (const c of all.filter((filter) => covers(b, filter))) {
          if (!covers(a, c)) expect.fail(`${a} covers ${b}, ${b} covers ${c}, but ${a} does not cover ${c}`);
        }
      }
    }
  });
});
