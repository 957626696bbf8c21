/** Patterns of operators against texts of strangers: the same answers as RegExp, in time that nobody can make long. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parsePattern } from "../src/pattern.ts";
import { processorMs } from "./support/processor-time.ts";

describe("patterns", () => {
  test.each([
    ["^dev-[0-9]+$", ["dev-1", "dev-123"], ["dev-", "xdev-1", "dev-1x"]],
    ["a(b|cd)*e?", ["a", "xxabcdbe"], ["b"]],
    ["^(ab){2,3}$", ["abab", "ababab"], ["ab", "abababab"]],
    ["[^a-c]", ["d"], ["abc", ""]],
    ["\\d\\W", ["1-"], ["11"]],
    ["^$", [""], ["a"]],
    ["(a*)*b", ["aab", "b"], ["aa"]],
    ["^.$", ["\u{1f600}"], ["ab"]],
    ["[a-]", ["-", "a"], ["b"]],
  ])("%s", (pattern, matching, others) => {
    const matches = parsePattern(pattern)!;
    expect(matching.map(matches)).toEqual(matching.map(() => true));
    expect(others.map(matches)).toEqual(others.map(() => false));
  });

  test.each([
    "(",
    ")",
    "a)",
    "[a",
    "*a",
    "a**",
    "(?=a)",
    "(a)\\1",
    "a{3,1}",
    "^*",
    "\\",
    "[b-a]",
    "a{1000}",
    "(a{999}){9}",
    "[[:alpha:]]",
    "x".repeat(257),
  ])("%s is none", (pattern) => {
    expect(parsePattern(pattern)).toBeUndefined();
  });

  test("they agree with RegExp", () => {
    const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "^", "$", "(a|b)", "(ab)", "(a*b)");
    const part = fc
      .tuple(atom, fc.constantFrom("", "", "*", "+", "?", "{2}", "{1,2}"))
      .map(([one, times]) => (/[$^]$/.test(one) ? one : one + times));
    const pattern = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        fc.array(pattern, { minLength: 1, maxLength: 3 }),
        fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 }),
        (parts, text) => {
          const source = parts.join("|");
          expect(parsePattern(source)!(text), `${source} on ${text}`).toBe(new RegExp(source, "u").test(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("what holds a backtracking matcher up for years takes no time", () => {
    const ms = processorMs(() => {
      expect(parsePattern("^(a+)+$")!(`${"a".repeat(1000)}b`)).toBe(false);
      expect(parsePattern("(((){999}){999}){999}")!("")).toBe(true);
      expect(parsePattern("^(a|a)*(a|a)*(a|a)*$")!(`${"a".repeat(1000)}b`)).toBe(false);
    });
    expect(ms).toBeLessThan(1000);
  });
});
