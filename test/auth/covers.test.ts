import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { covers, coversTogether, levelsOf, overlap } from "../../src/auth/covers.ts";
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

describe("overlap", () => {
  test.each([
    ["a/#", "+/b", "a/b"],
    ["a/#", "a", "a"],
    ["a/+", "a", undefined],
    ["a/#", "a/+/#", "a/+/#"],
    ["+/+", "a/#", "a/+"],
    ["#", "a/+", "a/+"],
    ["/#", "+/b", "/b"],
    ["/#", "+", undefined],
    ["a/b", "a/c", undefined],
  ])("%s and %s: %s", (a, b, expected) => {
    expect(overlap(levelsOf(a), levelsOf(b))?.join("/")).toBe(expected);
    expect(overlap(levelsOf(b), levelsOf(a))?.join("/")).toBe(expected);
  });

  test("[MQTT5-4.7.2-1] [MQTT311-4.7.2-1] a wildcard in the first level has nothing in common with what begins with $", () => {
    for (const wild of ["#", "+/#", "+/a"]) expect(overlap(levelsOf(wild), levelsOf("$SYS/#"))).toBeUndefined();
    expect(overlap(levelsOf("$SYS/#"), levelsOf("$SYS/+"))).toEqual(["$SYS", "+"]);
  });

  test("is what both match, for all pairs of filters of up to three levels and all topics of up to four", () => {
    const topics = texts(["a", "$s", "", "other"], 4);
    const all = filters(["a", "$s", ""], 3);
    const matched = new Map(all.map((filter) => [filter, topics.map((topic) => matches(filter, topic))]));
    for (const a of all) {
      for (const b of all) {
        const both = matched.get(a)!.map((isMatched, at) => isMatched && matched.get(b)![at]);
        const common = overlap(levelsOf(a), levelsOf(b))?.join("/");
        const ours = topics.map((topic) => common !== undefined && matches(common, topic));
        if (common === "" || ours.some((isMatched, at) => isMatched !== both[at])) expect.fail(`overlap(${a}, ${b}) is not ${common}`);
      }
    }
  });
});

describe("coversTogether", () => {
  test.each([
    [["a", "a/+", "a/+/#"], "a/#", true],
    [["a", "a/+/#"], "a/#", true],
    [["a", "a/+", "a/+/+"], "a/#", false],
    [["a", "a/+/+/#"], "a/#", false],
    [["+", "+/+", "+/+/#"], "#", true],
    [["+", "/+", "/#", "+/#"], "#", true],
    [["a/b", "a/+"], "a/+", true],
    [["a/b", "a/c"], "a/+", false],
    [[], "a", false],
    [[], "#", false],
  ])("%j over %s: %s", (allowed, requested, expected) => {
    expect(coversTogether(allowed.map(levelsOf), levelsOf(requested))).toBe(expected);
  });

  test("agrees with matching, for lists of filters of up to three levels and all topics of up to five", () => {
    const topics = texts(["a", "$s", "", "other"], 5);
    const all = filters(["a", "$s", ""], 3);
    const matched = new Map(all.map((filter) => [filter, topics.map((topic) => matches(filter, topic))]));
    // Of these several cover what none does alone, often enough.
    const few = fc.constantFrom("+", "+/+", "+/+/#", "a", "a/+", "a/+/#", "a/+/+", "/+/#", "/+", "$s", "$s/+/#", "$s/+");
    let covered = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof(few, fc.constantFrom(...all)), { maxLength: 8 }), fc.constantFrom(...all), (allowed, requested) => {
        const expected = matched.get(requested)!.every((is, at) => !is || allowed.some((each) => matched.get(each)![at]));
        const ours = coversTogether(allowed.map(levelsOf), levelsOf(requested));
        if (ours !== expected) expect.fail(`coversTogether(${allowed}, ${requested}) should be ${expected}`);
        if (expected && !allowed.some((each) => covers(each, requested))) covered += 1;
      }),
      { numRuns: 5000 },
    );
    expect(covered).toBeGreaterThan(0);
  });
});
