/** Topics and filters for property tests, from an alphabet where levels are easily confused and order is easily wrong. */

import fc from "fast-check";

const LEVELS = [
  ..."a b A $ 0 a0 ab ! a! a- a. $s $share a% \uFFFF \uFEFF é é a\uFFFF \u{10FFFF} a\u{10FFFF} a\u{10000} \u0001 a\u0001".split(" "),
  "",
  " ",
  "a ",
];
const LEVELS_MAX = 5;

// Few common levels, so that filters and topics meet, and many rare ones.
const level = fc.oneof({ weight: 2, arbitrary: fc.constantFrom("a", "b", "", "a!", "$s") }, fc.constantFrom(...LEVELS));
const filterLevel = fc.oneof({ weight: 2, arbitrary: level }, fc.constant("+"));
const levelsOf = (one: fc.Arbitrary<string>): fc.Arbitrary<string[]> => fc.array(one, { minLength: 1, maxLength: LEVELS_MAX });

export const topics = levelsOf(level)
  .map((levels) => levels.join("/"))
  .filter((topic) => topic !== "");

export const filters = fc
  .tuple(levelsOf(filterLevel), fc.boolean())
  .map(([levels, rest]) => (rest ? [...levels.slice(1), "#"] : levels).join("/"))
  .filter((filter) => filter !== "");

/** Runs of one level, so that filters have long parts in common and differ somewhere in them. */
const run = fc
  .tuple(fc.constantFrom("a", "b", "", "+", "a!"), fc.integer({ min: 1, max: 40 }))
  .map(([one, count]) => Array.from({ length: count }, () => one));
const deepLevels = fc.array(run, { minLength: 1, maxLength: 4 }).map((runs) => runs.flat().slice(0, 128));

/** Filters of up to 128 levels. */
export const deepFilters = fc
  .tuple(deepLevels, fc.boolean())
  .map(([levels, rest]) => (rest ? [...levels.slice(1), "#"] : levels).join("/"))
  .filter((filter) => filter !== "");

/** Topics of up to 128 levels. */
export const deepTopics = deepLevels
  .map((levels) => levels.map((one) => (one === "+" ? "b" : one)).join("/"))
  .filter((topic) => topic !== "");
