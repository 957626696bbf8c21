import { describe, expect, it } from "vitest";
import { NO_ACL } from "../../src/auth/acl-settings.ts";
import { NO_API } from "../../src/auth/api-settings.ts";
import { NO_DIRECTORY } from "../../src/auth/directory-settings.ts";
import { NO_HTTP } from "../../src/auth/http-settings.ts";
import { NO_TOKENS } from "../../src/auth/jwt-settings.ts";
import { DEFAULT_CHOICES } from "../../src/choices.ts";
import { DEFAULT_LIMITS, limitProblems } from "../../src/limits.ts";
import { DEFAULT_RATES } from "../../src/rate.ts";
import { parseSettings, SETTINGS, type Settings } from "../../src/settings.ts";

function parsed(env: Record<string, unknown>): Settings {
  const result = parseSettings(env);
  if (Array.isArray(result)) throw new Error(result.map((problem) => problem.sentence).join(" "));
  return result;
}

function sentences(env: Record<string, unknown>): string[] {
  const result = parseSettings(env);
  return Array.isArray(result) ? result.map((problem) => problem.sentence) : [];
}

describe("parseSettings", () => {
  it("gives the defaults for an empty environment, blank values and null", () => {
    const defaults: Settings = {
      topology: "sharded",
      sessionShards: 4,
      topicShards: 4,
      topicsWithObject: [],
      previousShapes: [],
      namespaces: ["default"],
      allowAnonymous: false,
      users: "",
      jwt: NO_TOKENS,
      api: NO_API,
      directory: NO_DIRECTORY,
      acl: NO_ACL,
      http: NO_HTTP,
      authChain: [],
      gatewaySecret: new Uint8Array(0),
      metricsToken: "",
      monitor: false,
      allowedHosts: [],
      allowedOrigins: undefined,
      choices: DEFAULT_CHOICES,
      system: { seconds: 0, anonymous: false },
      rates: DEFAULT_RATES,
      userShare: 0.5,
      limits: DEFAULT_LIMITS,
    };
    expect(parsed({})).toEqual(defaults);
    expect(parsed({ TOPOLOGY: " ", SESSION_SHARDS: "", NAMESPACES: null })).toEqual(defaults);
  });

  it("reads each variable, as text or as TOML's own types, and leaves bindings alone", () => {
    const settings = parsed({
      TOPOLOGY: "compact",
      SESSION_SHARDS: 0,
      TOPIC_SHARDS: "64",
      TOPICS_WITH_OBJECT: "ticker, match/1/score,ticker",
      PREVIOUS_SHAPES: "4+4+ticker, 0+2",
      NAMESPACES: "default, acme,acme,a_B-9",
      ALLOW_ANONYMOUS: true,
      USERS: '[{"user":"ada"}]',
      SHARED_SUBSCRIPTION_STRATEGY: "sticky",
      RESPONSE_INFORMATION: "responses/%c",
      VALIDATE_PAYLOAD_FORMAT: "true",
      PRESENCE: "true",
      ACL: '{"pub":["a"]}',
      ACL_NO_MATCH: "allow",
      ACL_DENY_ACTION: "disconnect",
      SYS_SECONDS: 60,
      SYS_ANONYMOUS: true,
      PACKET_SECONDS_MAX: "3",
      SESSIONS: { idFromName: () => 1 },
    });
    expect(settings).toMatchObject({
      topology: "compact",
      sessionShards: 0,
      topicShards: 64,
      topicsWithObject: ["match/1/score", "ticker"],
      previousShapes: [
        { sessionShards: 4, topicShards: 4, topicsWithObject: ["ticker"] },
        { sessionShards: 0, topicShards: 2, topicsWithObject: [] },
      ],
      allowAnonymous: true,
      users: '[{"user":"ada"}]',
    });
    expect(settings.namespaces).toEqual(["default", "acme", "a_B-9"]);
    expect(settings.system).toEqual({ seconds: 60, anonymous: true });
    expect(settings.choices).toEqual({
      clientIdOwner: "user",
      queuePolicy: "drop_oldest",
      sharedStrategy: "sticky",
      responseInformation: "responses/%c",
      validatePayloadFormat: true,
      denyAction: "disconnect",
      presence: true,
    });
    expect(settings.limits).toEqual({ ...DEFAULT_LIMITS, packetSecondsMax: 3 });
    expect(parsed({ NAMESPACES: "*" }).namespaces).toBe("*");
  });

  it("has one variable for every field of the limits, each of which reaches its field", () => {
    for (const [field, value] of Object.entries(DEFAULT_LIMITS)) {
      const name = field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
      const changed = Array.isArray(parseSettings({ [name]: value - 1 })) ? value + 1 : value - 1;
      expect(parsed({ [name]: changed }).limits, name).toEqual({ ...DEFAULT_LIMITS, [field]: changed });
    }
  });

  it.each([
    ["TOPOLOGY", "star", "TOPOLOGY must be sharded or compact"],
    ["SESSION_SHARDS", "1025", "SESSION_SHARDS must be a whole number from 0 to 1024"],
    ["SESSION_SHARDS", "-1", "SESSION_SHARDS must be a whole number from 0 to 1024"],
    ["TOPIC_SHARDS", 0, "TOPIC_SHARDS must be a whole number from 1 to 1024"],
    ["TOPIC_SHARDS", "4.5", "TOPIC_SHARDS must be a whole number from 1 to 1024"],
    ["TOPIC_SHARDS", "0x10", "TOPIC_SHARDS must be a whole number from 1 to 1024"],
    ["TOPICS_WITH_OBJECT", "a/+", "TOPICS_WITH_OBJECT must be at most 64 Topic Names of at most 256 bytes, not beginning with $"],
    ["TOPICS_WITH_OBJECT", "a,#", "TOPICS_WITH_OBJECT must be at most 64 Topic Names"],
    ["TOPICS_WITH_OBJECT", "a,,b", "TOPICS_WITH_OBJECT must be at most 64 Topic Names"],
    ["TOPICS_WITH_OBJECT", "a,$SYS/b", "TOPICS_WITH_OBJECT must be at most 64 Topic Names"],
    ["TOPICS_WITH_OBJECT", "\u00e4".repeat(129), "TOPICS_WITH_OBJECT must be at most 64 Topic Names"],
    ["TOPICS_WITH_OBJECT", Array.from({ length: 65 }, (_, n) => `t/${n}`).join(), "TOPICS_WITH_OBJECT must be at most 64 Topic Names"],
    ["PREVIOUS_SHAPES", "4+4+", "PREVIOUS_SHAPES must be earlier numbers of Session and Topic objects as 4+4, or 4+4+TOPIC+TOPIC"],
    ["PREVIOUS_SHAPES", "4+4+a/#", "PREVIOUS_SHAPES must be earlier numbers"],
    ["PREVIOUS_SHAPES", "4+ticker", "PREVIOUS_SHAPES must be earlier numbers"],
    ["PREVIOUS_SHAPES", "2", "PREVIOUS_SHAPES must be earlier numbers of Session and Topic objects as 4+4"],
    ["PREVIOUS_SHAPES", "2+0", "PREVIOUS_SHAPES must be earlier numbers"],
    ["PREVIOUS_SHAPES", "1025+1", "PREVIOUS_SHAPES must be earlier numbers"],
    ["PREVIOUS_SHAPES", "2+2,", "PREVIOUS_SHAPES must be earlier numbers"],
    ["NAMESPACES", "a b", "NAMESPACES must be * or names"],
    ["NAMESPACES", "default,,x", "NAMESPACES must be * or names"],
    ["NAMESPACES", `default,${"x".repeat(65)}`, "NAMESPACES must be * or names"],
    ["NAMESPACES", ["default"], "NAMESPACES must be * or names"],
    ["ALLOW_ANONYMOUS", "yes", "ALLOW_ANONYMOUS must be true or false"],
    ["SHARED_SUBSCRIPTION_STRATEGY", "fair", "SHARED_SUBSCRIPTION_STRATEGY must be one of round_robin, "],
    ["RESPONSE_INFORMATION", "a/#", "RESPONSE_INFORMATION must be a Topic Name"],
    ["VALIDATE_PAYLOAD_FORMAT", "1", "VALIDATE_PAYLOAD_FORMAT must be true or false"],
    ["PACKET_BYTES_MAX", "1 MiB", "PACKET_BYTES_MAX must be a whole number"],
    ["METRICS_TOKEN", "too short", "METRICS_TOKEN must be 16 or more letters"],
    ["CONNECTIONS_MAX", "40000", "CONNECTIONS_MAX must be a whole number from 1 to 32768"],
  ])("names the variable and the expected form: %s=%s", (name, value, beginning) => {
    const found = sentences({ [name]: value });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(beginning);
    expect(found[0]!.endsWith(".")).toBe(true);
  });

  it("reports every wrong value at once", () => {
    expect(sentences({ TOPOLOGY: "x", TOPIC_SHARDS: "x", QUEUE_MESSAGES_MAX: "x" })).toHaveLength(3);
  });

  it("reports limits that contradict each other, with the variable's name", () => {
    const result = parseSettings({ SESSION_EXPIRY_SECONDS_V3: "1000", SESSION_EXPIRY_SECONDS_MAX: "10" });
    expect(result).toEqual([
      { variable: "SESSION_EXPIRY_SECONDS_V3", sentence: expect.stringContaining("must not exceed SESSION_EXPIRY_SECONDS_MAX") },
    ]);
  });

  it("never repeats what a secret contains", () => {
    const [sentence] = sentences({ USERS: ["hunter2"] });
    expect(sentence).toBe("USERS must be a JSON array of users.");
    expect(sentences({ METRICS_TOKEN: "hunter2" })[0]).not.toContain("hunter2");
  });
});

describe("the list", () => {
  it("has unique names, and defaults that its own parsers accept", () => {
    expect(new Set(SETTINGS.map((setting) => setting.name)).size).toBe(SETTINGS.length);
    for (const setting of SETTINGS) expect(setting.parse(setting.default), setting.name).not.toBeUndefined();
  });

  it("starts from limits that do not contradict each other", () => {
    expect(limitProblems(DEFAULT_LIMITS)).toEqual([]);
  });
});
