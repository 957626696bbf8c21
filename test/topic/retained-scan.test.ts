import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matches } from "../../src/topic/filter.ts";
import { scanTopics, type TopicCursor } from "../../src/topic/retained-scan.ts";
import { SortedTopics } from "../../src/topic/sorted-topics.ts";
import { filters, topics } from "./arbitraries.ts";

/** A store that can only seek, and counts how often. It refuses to be asked backwards. */
class CountingCursor implements TopicCursor {
  readonly asked: string[] = [];
  readonly sorted: SortedTopics;

  constructor(sorted: SortedTopics) {
    this.sorted = sorted;
  }

  seek(from: string): string | undefined {
    const last = this.asked.at(-1);
    if (last !== undefined && Buffer.compare(Buffer.from(last), Buffer.from(from)) >= 0) throw new Error("a scan must ascend");
    this.asked.push(from);
    return this.sorted.seek(from);
  }
}

class RangeCursor extends CountingCursor {
  readonly ranges: [from: string, to: string | undefined][] = [];

  range(from: string, to: string | undefined): Iterable<string> {
    this.ranges.push([from, to]);
    return this.sorted.range(from, to);
  }
}

function scan(filter: string, ...stored: string[]): string[] {
  return [...scanTopics(filter, new SortedTopics(stored))];
}

/** How many values the `+` levels of a filter take on the way through the topics, a topic and what is under it counted apart. */
function plusValueCount(filter: string, stored: Iterable<string>): number {
  const levels = filter.split("/");
  const values = new Set<string>();
  for (const topic of stored) {
    const topicLevels = topic.split("/");
    for (const [index, level] of levels.entries()) {
      if (level !== "+" || topicLevels.length <= index) continue;
      const before = levels.slice(0, index).join("/");
      if (index > 0 && !matches(before, topicLevels.slice(0, index).join("/"))) continue;
      const value = topicLevels.slice(0, index + 1).join("/");
      values.add(topicLevels.length > index + 1 ? `${value}/` : value);
    }
  }
  return values.size;
}

const stores = fc.array(topics, { maxLength: 60 }).map((drawn) => new SortedTopics(drawn));

describe("scanTopics", () => {
  it("yields what comparing every topic finds, in order, with and without ranges", () => {
    fc.assert(
      fc.property(stores, fc.array(filters, { minLength: 1, maxLength: 5 }), (sorted, drawn) => {
        for (const filter of drawn) {
          const expected = [...sorted].filter((topic) => matches(filter, topic));
          expect([...scanTopics(filter, new CountingCursor(sorted))]).toEqual(expected);
          expect([...scanTopics(filter, new RangeCursor(sorted))]).toEqual(expected);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("finds each stored topic by its own name and by its own name with wildcards", () => {
    fc.assert(
      fc.property(stores, fc.nat(), (sorted, mask) => {
        for (const topic of sorted) {
          expect([...scanTopics(topic, sorted)]).toEqual([topic]);
          const filter = topic
            .split("/")
            .map((level, index) => ((mask >> index) & 1 && !(index === 0 && level.startsWith("$")) ? "+" : level))
            .join("/");
          expect([...scanTopics(filter, sorted)]).toContain(topic);
        }
      }),
    );
  });

  it("seeks a bounded number of times for each value of a + level and once for each match", () => {
    fc.assert(
      fc.property(stores, filters, (sorted, filter) => {
        const cursor = new CountingCursor(sorted);
        const matchCount = [...scanTopics(filter, cursor)].length;
        expect(cursor.asked.length).toBeLessThanOrEqual(3 * plusValueCount(filter, sorted) + matchCount + 2);
      }),
      { numRuns: 1_000 },
    );
  });

  it("[5.0/4.7.1/parent] finds the parent of # although other topics lie between it and its children", () => {
    expect(scan("a/#", "a", "a ", "a!b", "a-", "a.b", "a/", "a//b", "a/b", "a0", "a\u0001")).toEqual(["a", "a/", "a//b", "a/b"]);
    expect(scan("a/+/#", "a", "a/b", "a/b!", "a/b!/c", "a/b/c", "a0")).toEqual(["a/b", "a/b!", "a/b!/c", "a/b/c"]);
  });

  it("[5.0/4.7.1/plus-empty] [5.0/4.7.3/slashes] finds empty levels", () => {
    expect(scan("+/+", "/", "/x", "x", "x/", "x//")).toEqual(["/", "/x", "x/"]);
    expect(scan("/+", "/", "/x", "//", "x/")).toEqual(["/", "/x"]);
    expect(scan("+", "/", "/x", "x")).toEqual(["x"]);
    expect(scan("a/+/b", "a//b", "a/b", "a/x/b")).toEqual(["a//b", "a/x/b"]);
  });

  it("[MQTT5-4.7.2-1] [MQTT311-4.7.2-1] [5.0/4.7.2/retained] skips $ for a wildcard in the first level and only there", () => {
    const stored = ["\u0001", "#", "$", "$SYS", "$SYS/a", "%", "a", "a/$SYS"];
    expect(scan("#", ...stored)).toEqual(["\u0001", "#", "%", "a", "a/$SYS"]);
    expect(scan("+", ...stored)).toEqual(["\u0001", "#", "%", "a"]);
    expect(scan("+/a", ...stored)).toEqual([]);
    expect(scan("+/#", ...stored)).toEqual(["\u0001", "#", "%", "a", "a/$SYS"]);
    expect(scan("a/+", ...stored)).toEqual(["a/$SYS"]);
  });

  it("[5.0/4.7.2/explicit] finds $ topics by name", () => {
    expect(scan("$SYS/#", "$SYS", "$SYS/a", "$SYS/a/b", "$SYSx", "a")).toEqual(["$SYS", "$SYS/a", "$SYS/a/b"]);
    expect(scan("$SYS/+/b", "$SYS", "$SYS/a", "$SYS/a/b")).toEqual(["$SYS/a/b"]);
  });

  it("[MQTT5-4.7.3-4] [MQTT311-4.7.3-4] tells apart what looks alike", () => {
    expect(scan("\u00e9/+", "\u00e9/a", "e\u0301/a", "\u00c9/a")).toEqual(["\u00e9/a"]);
  });

  it("keeps to the order of UTF-8 bytes where that of UTF-16 units differs", () => {
    for (const [earlier, later] of [
      ["\uFFFF", "\u{10000}"],
      ["\uE000", "\u{10FFFF}"],
    ]) {
      const cursorOf = (...stored: string[]): CountingCursor => new CountingCursor(new SortedTopics(stored));
      expect([...scanTopics(`+/${later}`, cursorOf(`a/${earlier}`, `a/${later}`))]).toEqual([`a/${later}`]);
      expect([...scanTopics(`${earlier}/#`, cursorOf(`${earlier}/a`, `${later}/a`))]).toEqual([`${earlier}/a`]);
      expect([...scanTopics("+", cursorOf(earlier, later))]).toEqual([earlier, later]);
    }
  });

  it("passes over one $ subtree with one seek", () => {
    const stored = Array.from({ length: 1_000 }, (_, index) => `$SYS/${index}`);
    const cursor = new CountingCursor(new SortedTopics([...stored, "a"]));
    expect([...scanTopics("+", cursor)]).toEqual(["a"]);
    expect(cursor.asked.length).toBeLessThanOrEqual(3);
  });

  it("finds nothing in an empty store with one seek or two", () => {
    for (const filter of ["a", "+", "#", "a/#", "a/+/b"]) {
      const cursor = new CountingCursor(new SortedTopics());
      expect([...scanTopics(filter, cursor)]).toEqual([]);
      expect(cursor.asked.length).toBeLessThanOrEqual(2);
    }
  });
});

describe("the cost of a scan among 10,000 topics", () => {
  const sites = ["east", "north", "west"];
  const sorted = new SortedTopics(
    sites.flatMap((site) => [`${site}/status`, ...Array.from({ length: 3_333 }, (_, index) => `${site}/device/${index}/temperature`)]),
  );

  it.each([
    ["north/status", 1, 1],
    ["+/status", 3, 9],
    ["+/device/17/temperature", 3, 9],
    ["+/device/17/#", 3, 12],
    ["north/device/17/#", 1, 3],
    ["+/nothing/+", 0, 9],
    ["south/#", 0, 2],
  ])("%s: %i matches, at most %i seeks", (filter, matchCount, seeksMax) => {
    expect(sorted.size).toBe(10_002);
    const cursor = new CountingCursor(sorted);
    expect([...scanTopics(filter, cursor)]).toHaveLength(matchCount);
    expect(cursor.asked.length).toBeLessThanOrEqual(seeksMax);
  });

  it("reads # through a range where the store has one, with one seek for the parent", () => {
    const cursor = new RangeCursor(sorted);
    expect([...scanTopics("north/device/#", cursor)]).toHaveLength(3_333);
    expect(cursor.asked).toEqual(["north/device"]);
    expect(cursor.ranges).toEqual([["north/device/", "north/device0"]]);
  });

  it("asks for no range that it knows to be empty", () => {
    const cursor = new RangeCursor(sorted);
    expect([...scanTopics("+/nothing/#", cursor)]).toEqual([]);
    // The seek for `nothing` itself has found `status`, which is after all of `nothing/`.
    expect(cursor.ranges).toEqual([]);
  });

  it("reads no further than it is asked to", () => {
    const cursor = new CountingCursor(sorted);
    const matching = scanTopics("#", cursor)[Symbol.iterator]();
    matching.next();
    matching.next();
    expect(cursor.asked.length).toBeLessThanOrEqual(4);
  });
});
