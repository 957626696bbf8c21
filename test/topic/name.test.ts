import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { isSystemTopic, isTopicProblem, validateTopicName } from "../../src/topic/name.ts";

const clauseOf = (topic: string, limits = DEFAULT_LIMITS): string | undefined => validateTopicName(topic, limits)?.clause;

describe("Topic Names", () => {
  it.each(["a", "/", "//", "a/b", " ", "a/ b", "$SYS/x", "$", "\uFEFFa", "sports/tennis/\u{1F3BE}"])("accepts %j", (topic) => {
    expect(validateTopicName(topic, DEFAULT_LIMITS)).toBeUndefined();
  });

  it.each(["+", "#", "a/+", "a/#", "a+b", "a#", "/+/"])("[MQTT5-4.7.0-1] [MQTT311-4.7.1-1] refuses the wildcard in %j", (topic) => {
    expect(clauseOf(topic)).toBe("MQTT5-4.7.0-1");
  });

  it("[MQTT5-4.7.3-1] [MQTT311-4.7.3-1] refuses an empty name", () => {
    expect(clauseOf("")).toBe("MQTT5-4.7.3-1");
  });

  it.each(["\0", "a\0b", "a/b\0"])("[MQTT5-4.7.3-2] [MQTT311-4.7.3-2] refuses U+0000 in %j", (topic) => {
    expect(clauseOf(topic)).toBe("MQTT5-4.7.3-2");
  });

  it("[MQTT5-4.7.3-3] [MQTT311-4.7.3-3] accepts 65535 bytes and refuses one more", () => {
    expect(clauseOf("a".repeat(65_535))).toBeUndefined();
    expect(clauseOf("a".repeat(65_536))).toBe("MQTT5-4.7.3-3");
  });

  it.each([
    ["é", 2],
    ["€", 3],
    ["\uFFFD", 3],
    ["\u{1F3BE}", 4],
  ])("[MQTT5-4.7.3-3] [MQTT311-4.7.3-3] counts the UTF-8 bytes of %s, not its characters", (character, bytes) => {
    expect(Buffer.byteLength(character)).toBe(bytes);
    const longest = character.repeat(Math.floor(65_535 / bytes)) + "a".repeat(65_535 % bytes);
    expect(clauseOf(longest)).toBeUndefined();
    expect(clauseOf(`${longest}a`)).toBe("MQTT5-4.7.3-3");
  });

  it("never accepts more bytes than the protocol, whatever is configured", () => {
    expect(clauseOf("a".repeat(65_536), { ...DEFAULT_LIMITS, topicBytesMax: 100_000 })).toBe("MQTT5-4.7.3-3");
  });

  it("tells the configured length from the protocol's", () => {
    const limits = { ...DEFAULT_LIMITS, topicBytesMax: 4 };
    expect(clauseOf("aaaa", limits)).toBeUndefined();
    expect(clauseOf("aaé", limits)).toBeUndefined();
    expect(clauseOf("aaaé", limits)).toBe("limit/topic-bytes");
  });

  it("bounds the number of levels, counting empty ones", () => {
    const limits = { ...DEFAULT_LIMITS, topicLevelsMax: 3 };
    expect(clauseOf("a/b/c", limits)).toBeUndefined();
    expect(clauseOf("//", limits)).toBeUndefined();
    expect(clauseOf("///", limits)).toBe("limit/topic-levels");
  });

  it("describes a problem by the beginning of the name, free of control characters and half characters", () => {
    const problem = validateTopicName(`\0${"\u{1F3BE}".repeat(100)}`, DEFAULT_LIMITS);
    expect(isTopicProblem(problem)).toBe(true);
    expect(problem?.message).toMatch(/^The Topic Name "\\u0000/);
    expect(Buffer.from(problem?.message ?? "").toString()).toBe(problem?.message);
    expect(problem?.message.length).toBeLessThan(200);
  });

  it("knows system topics by the first character", () => {
    expect([isSystemTopic("$SYS"), isSystemTopic("$"), isSystemTopic("a$"), isSystemTopic("/$SYS"), isSystemTopic("")]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
