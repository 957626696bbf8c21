/** Rules as lines: what is written is what is meant, and what the broker has is written so that it is meant again. */

import { describe, expect, test } from "vitest";
import { linesOf, parseLines, type Rule } from "../../src/console/access/rule-lines.ts";

const again = (rules: readonly Rule[]) => parseLines(linesOf(rules));

describe("lines", () => {
  test.each<[string, Rule]>([
    ["allow publish home/#", { permission: "allow", action: "publish", topics: ["home/#"] }],
    ["  deny   all\ta/+  b/# ", { permission: "deny", action: "all", topics: ["a/+", "b/#"] }],
    ["allow sub # qos=0,1 retain=true", { permission: "allow", action: "subscribe", topics: ["#"], qos: [0, 1], retain: true }],
    ['allow pub "a room/#" username="ada b"', { permission: "allow", action: "publish", topics: ["a room/#"], username: "ada b" }],
    ["allow subscribe eq a/# b", { permission: "allow", action: "subscribe", topics: ["eq a/#", "b"] }],
    ['deny all "qos=1" ipaddr=10.0.0.0/8', { permission: "deny", action: "all", topics: ["qos=1"], ipaddr: "10.0.0.0/8" }],
  ])("%s", (line, rule) => expect(parseLines(line)).toEqual({ rules: [rule], lines: [1] }));

  test("are counted with those that are blank", () => {
    expect(parseLines("\nallow all a\n\n deny all b\n")).toMatchObject({ rules: [{ topics: ["a"] }, { topics: ["b"] }], lines: [2, 4] });
    expect(parseLines(" \n")).toEqual({ rules: [], lines: [] });
  });

  test.each([
    ["permit all a", /^Line 1 must begin with allow or deny\.$/],
    ["allow all a\nallow read a", /^Line 2 must have publish, subscribe, receive or all behind allow\.$/],
    ["allow", /^Line 1 must have publish/],
    ["allow all", /^Line 1 must name a topic filter\.$/],
    ["allow all qos=1", /^Line 1 must name a topic filter\.$/],
    ["allow all a qos=3", /^Line 1 must have 0, 1 or 2/],
    ["allow all a retain=maybe", /^Line 1 must have true or false behind retain=\.$/],
    ['allow all "a b', /^Line 1 has a quotation mark that is not closed\.$/],
    ['allow all "a\\x"', /^Line 1 has a quoted text that can't be read\.$/],
  ])("%j is none", (text, problem) => expect(parseLines(text)).toEqual({ problem: expect.stringMatching(problem) }));
});

test("what the broker has is written, and read as the same again", () => {
  const rules: Rule[] = [
    { permission: "allow", action: "pub", topic: "a/%u/#" },
    { permission: "deny", action: "all", topics: ["a b", 'say "hi"', "eq x/#", "eq", "retain=true", "#"], qos: 2, retain: false },
    { permission: "allow", action: "receive", topics: ["ü/\\n"], clientid: "c 1", clientid_re: "^a b$", username: "=", ipaddr: "::1" },
    { permission: "allow", action: "subscribe", topics: ["t"], retain: "all" },
  ];
  expect(again(rules)).toEqual({
    rules: [
      { permission: "allow", action: "publish", topics: ["a/%u/#"] },
      { ...rules[1], qos: [2] },
      rules[2],
      { permission: "allow", action: "subscribe", topics: ["t"] },
    ],
    lines: [1, 2, 3, 4],
  });
});
