import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { hasWildcard, matches, type ParsedFilter, parseFilter } from "../../src/topic/filter.ts";
import { isTopicProblem } from "../../src/topic/name.ts";
import { filters, topics } from "./arbitraries.ts";

function clauseOf(filter: string, limits = DEFAULT_LIMITS): string | undefined {
  const answer = parseFilter(filter, limits);
  return isTopicProblem(answer) ? answer.clause : undefined;
}

function parsed(filter: string): ParsedFilter {
  const answer = parseFilter(filter, DEFAULT_LIMITS);
  if (isTopicProblem(answer)) throw new Error(answer.message);
  return answer;
}

describe("the grammar of Topic Filters", () => {
  it("takes a filter apart", () => {
    expect(parsed("a//+/#")).toEqual({
      filter: "a//+/#",
      shareName: undefined,
      topicFilter: "a//+/#",
      levels: ["a", "", "+", "#"],
      hasWildcard: true,
    });
    expect(parsed("/a").levels).toEqual(["", "a"]);
    expect(parsed("/a").hasWildcard).toBe(false);
  });

  it.each(["#", "a/#", "/#", "+/#", "a/b/#"])("[MQTT5-4.7.1-1] [MQTT311-4.7.1-2] accepts %s", (filter) => {
    expect(parsed(filter).hasWildcard).toBe(true);
  });

  it.each(["a#", "a/b#", "a/#/b", "#/", "#/a", "##", "a/#b", "+#", "#+"])(
    "[MQTT5-4.7.1-1] [MQTT311-4.7.1-2] refuses %s: # stands alone in the last level",
    (filter) => {
      expect(clauseOf(filter)).toBe("MQTT5-4.7.1-1");
    },
  );

  it.each(["+", "+/a", "a/+", "a/+/b", "/+", "+/", "+/+"])("[MQTT5-4.7.1-2] [MQTT311-4.7.1-3] accepts %s", (filter) => {
    expect(parsed(filter).hasWildcard).toBe(true);
  });

  it.each(["a+", "+a", "a/b+", "a/+b/c", "++", "/++/"])(
    "[MQTT5-4.7.1-2] [MQTT311-4.7.1-3] refuses %s: + stands alone in its level",
    (filter) => {
      expect(clauseOf(filter)).toBe("MQTT5-4.7.1-2");
    },
  );

  it("[MQTT5-4.7.3-1] [MQTT311-4.7.3-1] refuses an empty filter", () => {
    expect(clauseOf("")).toBe("MQTT5-4.7.3-1");
  });

  it.each(["\0", "a/\0/+", "$share/g/a\0", "$share/g\0/a"])("[MQTT5-4.7.3-2] [MQTT311-4.7.3-2] refuses U+0000 in %j", (filter) => {
    expect(clauseOf(filter)).toBe("MQTT5-4.7.3-2");
  });

  it("[MQTT5-4.7.3-3] [MQTT311-4.7.3-3] accepts 65535 bytes, $share/NAME/ included, and refuses one more", () => {
    expect(clauseOf("a".repeat(65_535))).toBeUndefined();
    expect(clauseOf("a".repeat(65_536))).toBe("MQTT5-4.7.3-3");
    expect(clauseOf(`$share/g/${"a".repeat(65_526)}`)).toBeUndefined();
    expect(clauseOf(`$share/g/${"a".repeat(65_527)}`)).toBe("MQTT5-4.7.3-3");
  });

  it("bounds bytes and levels by configuration, the levels without $share/NAME/", () => {
    const limits = { ...DEFAULT_LIMITS, topicBytesMax: 20, topicLevelsMax: 3 };
    expect(clauseOf("a/b/#", limits)).toBeUndefined();
    expect(clauseOf("$share/g/a/b/#", limits)).toBeUndefined();
    expect(clauseOf("a/b/c/#", limits)).toBe("limit/topic-levels");
    expect(clauseOf("a".repeat(21), limits)).toBe("limit/topic-bytes");
  });

  it("accepts every filter that the property tests draw", () => {
    fc.assert(
      fc.property(filters, (filter) => {
        expect(clauseOf(filter.startsWith("$share/") ? filter.slice(1) : filter)).toBeUndefined();
      }),
    );
  });

  it("recognizes wildcards in valid filters", () => {
    fc.assert(
      fc.property(filters, (filter) => {
        expect(hasWildcard(filter)).toBe(filter.split("/").some((level) => level === "+" || level === "#"));
      }),
    );
  });
});

describe("the grammar of Shared Subscriptions", () => {
  it("[MQTT5-4.8.2-1] [MQTT5-4.8.2-2] takes $share/NAME/FILTER apart", () => {
    expect(parsed("$share/g/a/+")).toEqual({
      filter: "$share/g/a/+",
      shareName: "g",
      topicFilter: "a/+",
      levels: ["a", "+"],
      hasWildcard: true,
    });
    expect(parsed("$share/g//").topicFilter).toBe("/");
    expect(parsed("$share/$share/#").shareName).toBe("$share");
  });

  it.each(["$share/", "$share//", "$share//a", "$share//#"])("[MQTT5-4.8.2-1] refuses the empty ShareName of %s", (filter) => {
    expect(clauseOf(filter)).toBe("MQTT5-4.8.2-1");
  });

  it.each(["$share/+/a", "$share/#/a", "$share/g+/a", "$share/g#/a", "$share/#", "$share/+"])(
    "[MQTT5-4.8.2-2] refuses the wildcard in the ShareName of %s",
    (filter) => {
      expect(clauseOf(filter)).toBe("MQTT5-4.8.2-2");
    },
  );

  it.each(["$share/g", "$share/g/"])("[MQTT5-4.8.2-2] refuses %s, which has no filter after the ShareName", (filter) => {
    expect(clauseOf(filter)).toBe("MQTT5-4.8.2-2");
  });

  it("checks the wildcards of the shared filter", () => {
    expect(clauseOf("$share/g/a#")).toBe("MQTT5-4.7.1-1");
    expect(clauseOf("$share/g/#/a")).toBe("MQTT5-4.7.1-1");
    expect(clauseOf("$share/g/a+")).toBe("MQTT5-4.7.1-2");
  });

  it.each(["$share", "$shared/g/a", "$SHARE/g/a", "/$share/g/a"])("takes %s for an ordinary filter", (filter) => {
    expect(parsed(filter)).toMatchObject({ shareName: undefined, topicFilter: filter });
  });
});

/** The examples of chapter 4.7: filter, the topics that it matches, topics that it does not. */
const EXAMPLES: readonly (readonly [title: string, filter: string, matching: readonly string[], other: readonly string[]])[] = [
  [
    "[5.0/4.7.1/parent] [3.1.1/4.7/matching]",
    "sport/tennis/#",
    ["sport/tennis", "sport/tennis/", "sport/tennis/player1/score"],
    ["sport", "sport/tennis1", "sport/tennis!", "sport"],
  ],
  ["[5.0/4.7.1/parent] [3.1.1/4.7/matching]", "#", ["a", "/", "a/b/c", "a/$SYS"], ["$SYS", "$SYS/a", "$"]],
  ["[5.0/4.7.1/parent] [3.1.1/4.7/matching]", "/#", ["", "/", "/a", "//"], ["a", "a/b"]],
  ["[5.0/4.7.1/parent] [3.1.1/4.7/matching]", "+/#", ["a", "a/b", "/", "/a/b"], ["$SYS", "$SYS/a"]],
  ["[5.0/4.7.1/parent] [3.1.1/4.7/matching]", "a/+/#", ["a/b", "a/", "a/b/c"], ["a", "b/a"]],
  ["[5.0/4.7.1/plus-empty] [3.1.1/4.7/matching]", "sport/+", ["sport/", "sport/x"], ["sport", "sport/x/y", "sport//"]],
  ["[5.0/4.7.1/plus-empty] [3.1.1/4.7/matching]", "+/+", ["/finance", "/", "a/b"], ["a", "a/b/c"]],
  ["[5.0/4.7.1/plus-empty] [3.1.1/4.7/matching]", "/+", ["/finance", "/"], ["finance", "/a/b"]],
  ["[5.0/4.7.1/plus-empty] [3.1.1/4.7/matching]", "+", ["finance"], ["/finance", "finance/", "$SYS"]],
  ["[5.0/4.7.1/plus-empty] [3.1.1/4.7/matching]", "a/+/b", ["a//b", "a/x/b"], ["a/b", "a/x/y/b"]],
  ["[MQTT5-4.7.2-1] [MQTT311-4.7.2-1]", "+/monitor/Clients", ["SYS/monitor/Clients", "/monitor/Clients"], ["$SYS/monitor/Clients"]],
  ["[MQTT5-4.7.2-1] [MQTT311-4.7.2-1]", "+", ["a$"], ["$", "$SYS"]],
  ["[5.0/4.7.2/explicit] [3.1.1/4.7/matching]", "$SYS/#", ["$SYS", "$SYS/a", "$SYS/monitor/Clients"], ["SYS/a", "$SYSx"]],
  ["[5.0/4.7.2/explicit] [3.1.1/4.7/matching]", "$SYS/monitor/+", ["$SYS/monitor/Clients"], ["$SYS/monitor", "$sys/monitor/Clients"]],
  ["[5.0/4.7.2/explicit] [3.1.1/4.7/matching]", "a/+/#", ["a/$SYS", "a/$SYS/b"], ["$SYS/a"]],
  ["[5.0/4.7.3/slashes] [3.1.1/4.7/matching]", "/", ["/"], ["", "//", "a/", "/a"]],
  ["[5.0/4.7.3/slashes] [3.1.1/4.7/matching]", "a//b", ["a//b"], ["a/b", "a///b"]],
  ["[5.0/4.7.3/slashes] [3.1.1/4.7/matching]", "/a", ["/a"], ["a", "a/", "/a/"]],
  ["[5.0/4.7.3/slashes] [3.1.1/4.7/matching]", "Accounts payable", ["Accounts payable"], ["Accountspayable", " Accounts payable"]],
  ["[MQTT5-4.7.3-4] [MQTT311-4.7.3-4]", "ACCOUNTS", ["ACCOUNTS"], ["Accounts", "ACCOUNTS ", "\uFEFFACCOUNTS"]],
  ["[MQTT5-4.7.3-4] [MQTT311-4.7.3-4]", "\u00e9/#", ["\u00e9", "\u00e9/a"], ["e\u0301", "e\u0301/a", "\u00c9"]],
];

describe("matching", () => {
  it.each(EXAMPLES)("%s %s", (_title, filter, matching, other) => {
    for (const topic of matching) expect(matches(filter, topic), topic).toBe(true);
    for (const topic of other) expect(matches(filter, topic), topic).toBe(false);
  });

  it("agrees with a regular expression made from the filter", () => {
    const literal = (level: string): string => level.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    const expressionOf = (filter: string): RegExp => {
      const [first, ...others] = filter.split("/");
      const start = first === "#" ? "(?!\\$).*" : first === "+" ? "(?!\\$)[^/]*" : literal(first);
      const rest = others.map((level) => (level === "#" ? "(/.*)?" : level === "+" ? "/[^/]*" : `/${literal(level)}`));
      return new RegExp(`^${start}${rest.join("")}$`, "su");
    };
    fc.assert(
      fc.property(filters, fc.array(topics, { minLength: 1, maxLength: 20 }), (filter, drawn) => {
        const expression = expressionOf(filter);
        for (const topic of drawn) expect(matches(filter, topic)).toBe(expression.test(topic));
      }),
    );
  });
});
