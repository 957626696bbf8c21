/** What `onPublish` may answer, one by one: what each becomes, and what is said of those that are none. */

import { describe, expect, test } from "vitest";
import { HOOK_MS_MAX } from "../../src/code-limits.ts";
import { HookFaults } from "../../src/hooks/hook-faults.ts";
import { OnPublish } from "../../src/hooks/on-publish.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { HOOK_LINES_MAX, HOOK_SILENCE_MS } from "../../src/login-limits.ts";
import { NO_PROPERTIES, type Properties, PUBLISH, type Publish, type QoS } from "../../src/mqtt/packet.ts";
import { NOBODY } from "../../src/session/ports.ts";

const LIMITS = { ...DEFAULT_LIMITS, packetBytesMax: 2000, topicLevelsMax: 4 };
const NOW = 1_800_000_000_000;
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function publish(qos: QoS = 1, retain = false, properties: Properties = NO_PROPERTIES): Publish {
  const payload = new TextEncoder().encode("as it was");
  return { type: PUBLISH, dup: false, qos, retain, topic: "a/b", packetId: 1, properties, propertyBytes: new Uint8Array(0), payload };
}

/** Asks a hook that returns this. @returns the verdict, and what was logged */
function ask(said: unknown, packet = publish()) {
  const problems: string[] = [];
  const faults = new HookFaults({ now: () => NOW, after: () => ({ cancel: () => {} }), incarnation: () => "" }, ({ problem }) =>
    problems.push(problem),
  );
  const context = { env: {}, namespace: "default", publish: async () => {} };
  const within = (answer: PromiseLike<unknown>): Promise<unknown> => Promise.resolve(answer);
  const hook = new OnPublish({
    onPublish: (message) => (typeof said === "function" ? said(message) : said),
    context,
    limits: LIMITS,
    faults,
    within,
  });
  return { verdict: hook.ask(NOBODY, "c1", packet, "a/b", HOOK_MS_MAX), problems };
}

const LONG = "x".repeat(3000);
const FAULT = { reasonCode: 0x83, isFault: true };

describe("what is none", () => {
  test.each<readonly [value: unknown, sentence: string]>([
    [true, "expected nothing, a message, or { refuse: reasonCode, reason }"],
    [false, "expected nothing, a message, or"],
    [null, "expected nothing, a message, or"],
    ["a/b", "expected nothing, a message, or"],
    [["a"], "expected nothing, a message, or"],
    [() => ({ topic: "a/#" }), "must not contain the wildcards + and #"],
    [{ topic: "+" }, "must not contain the wildcards + and #"],
    [{ topic: "" }, "must have at least one character"],
    [{ topic: "a/b/c/d/e" }, "has 5 levels; at most 4"],
    [{ topic: 5 }, "topic must be a text"],
    [{ topic: "a\0" }, "topic must be a text"],
    [{ topic: "a\ud800" }, "topic must be a text"],
    [{ topic: "$SYS/broker/x" }, "topics below $SYS are the broker's own"],
    [{ payload: LONG }, "makes a packet of 30"],
    [{ payload: { a: 1 } }, "payload must be a text, Uint8Array or ArrayBuffer"],
    [{ payload: null }, "payload must be a text"],
    [{ qos: 3 }, "qos must be 0, 1 or 2"],
    [{ qos: "1" }, "qos must be 0, 1 or 2"],
    [{ qos: 2 }, "its QoS may not be above that of the client, 1"],
    [{ retain: true }, "it may not be retained where the client did not ask"],
    [{ retain: 1 }, "retain must be true or false"],
    [{ properties: [] }, "properties must be an object"],
    [{ properties: { topicAlias: 1 } }, "properties has no topicAlias; expected: payloadFormatIndicator"],
    [{ properties: { subscriptionIdentifiers: [1] } }, "properties has no subscriptionIdentifiers"],
    [{ properties: { payloadFormatIndicator: 2 } }, "properties.payloadFormatIndicator must be 0 or 1"],
    [{ properties: { contentType: LONG } }, "makes a packet of"],
    [{ properties: { contentType: "x".repeat(70_000) } }, "Content Type"],
    [{ properties: { responseTopic: "a/+" } }, "the Response Topic"],
    [{ properties: { responseTopic: "" } }, "properties.responseTopic must be a Topic Name"],
    [{ properties: { correlationData: "x" } }, "properties.correlationData must be a Uint8Array"],
    [{ properties: { messageExpiryInterval: -1 } }, "Message Expiry Interval"],
    [{ properties: { messageExpiryInterval: 1.5 } }, "properties.messageExpiryInterval must be a whole number"],
    [{ properties: { userProperties: [["a"]] } }, "properties.userProperties must be a list of pairs of texts"],
    [{ properties: { userProperties: [["a", 1]] } }, "properties.userProperties must be a list of pairs of texts"],
    [{ tpoic: "a" }, "a message has no tpoic; expected: topic, payload"],
    [{ refused: 0x87 }, "a message has no refused"],
    [{ reason: "no" }, "a message has no reason"],
    [{ refuse: 0x87, topic: "a" }, "a refusal has no topic; expected: refuse, reason"],
    [{ refuse: 0x00 }, "refuse must be a Reason Code of PUBACK: 0x80, 0x83, 0x87, 0x90, 0x97, 0x99"],
    [{ refuse: 0x91 }, "refuse must be a Reason Code of PUBACK"],
    [{ refuse: "0x87" }, "refuse must be a Reason Code of PUBACK"],
    [{ refuse: undefined }, "refuse must be a Reason Code of PUBACK"],
    [{ refuse: 0x87, reason: 5 }, "reason must be a text"],
    [{ refuse: 0x87, reason: "\0" }, "reason must be a text without U+0000"],
    [{ refuse: 0x87, reason: LONG }, "at most 1024 bytes"],
    [{ refuse: 0x87, reason: null }, "reason must be a text"],
  ])("%j", async (value, sentence) => {
    for (const said of [value, Promise.resolve(typeof value === "function" ? value() : value)]) {
      const { verdict, problems } = ask(said);
      expect(await verdict).toMatchObject(FAULT);
      expect(problems).toEqual([expect.stringContaining(sentence)]);
    }
  });

  test("what can't be read, and errors that have no text", async () => {
    const detached = new ArrayBuffer(8);
    structuredClone(detached, { transfer: [detached] });
    const unreadable = Object.defineProperty(new Error(), "message", { get: () => unreadable });
    const unread = Object.defineProperty({}, "topic", {
      enumerable: true,
      get: () => {
        throw Object.create(null);
      },
    });
    const wrong: (() => unknown)[] = [() => ({ payload: detached }), () => unread];
    for (const error of [Object.create(null), unreadable, { toString: () => ({}) }]) {
      wrong.push(() => {
        throw error;
      });
    }
    for (const said of wrong) {
      const now = ask(said);
      expect(now.verdict).toMatchObject(FAULT);
      const later = ask(Promise.resolve().then(said));
      expect(await later.verdict).toMatchObject(FAULT);
      expect([now.problems.length, later.problems]).toEqual([1, now.problems]);
    }
  });

  test("what it throws or rejects with, whatever that is", async () => {
    for (const error of [new Error("away"), "away", undefined, null, 5]) {
      const thrown = ask(() => {
        throw error;
      });
      expect(thrown.verdict).toMatchObject(FAULT);
      const rejected = ask(Promise.reject(error));
      expect(await rejected.verdict).toMatchObject(FAULT);
      const sentence = error instanceof Error ? error.message : String(error);
      expect([thrown.problems, rejected.problems]).toEqual([[sentence], [sentence]]);
    }
  });
});

describe("what is one", () => {
  test("nothing, and a message with nothing in it", async () => {
    expect(ask(undefined).verdict).toBeUndefined();
    expect(await ask(Promise.resolve()).verdict).toBeUndefined();
    expect(ask({}).verdict).toMatchObject({ publish: { topic: "a/b", qos: 1, retain: false, properties: {} } });
    expect(ask({ topic: undefined, properties: undefined }).verdict).toMatchObject({ publish: { topic: "a/b" } });
  });

  test("each field alone; what is not said is as it was", () => {
    const properties = { contentType: "text/plain", correlationData: Uint8Array.of(1, 2), userProperties: [["k", "v"]] as const };
    const packet = publish(2, true, { ...properties, topicAlias: 4, messageExpiryInterval: 60 });
    const as = (said: object): Publish => (ask(said, packet).verdict as { publish: Publish }).publish;
    const before = { topic: "a/b", qos: 2, retain: true, properties: { ...properties, messageExpiryInterval: 60 } };
    expect(as({ topic: "c" })).toMatchObject({ ...before, topic: "c" });
    expect(as({ topic: "c" }).properties.topicAlias).toBeUndefined();
    expect(as({ qos: 0 })).toMatchObject({ ...before, qos: 0 });
    expect(as({ retain: false })).toMatchObject({ ...before, retain: false });
    expect(as({ properties: {} }).properties).toEqual({});
    expect(as({ properties: { userProperties: [["a", "b"]] } }).properties).toEqual({ userProperties: [["a", "b"]] });
    for (const payload of ["ü", new TextEncoder().encode("ü"), new TextEncoder().encode("ü").buffer]) {
      expect(as({ payload })).toMatchObject(before);
      expect(text(as({ payload }).payload)).toBe("ü");
    }
    expect(text(as({}).payload)).toBe("as it was");
  });

  test("what it was given, changed and given back", () => {
    const hook = (message: object) => ({ ...message, topic: "c" });
    const faults = new HookFaults({ now: () => NOW, after: () => ({ cancel: () => {} }), incarnation: () => "" }, () => {});
    const context = { env: {}, namespace: "default", publish: async () => {} };
    const asked = new OnPublish({ onPublish: hook, context, limits: LIMITS, faults, within: async (answer) => answer });
    const verdict = asked.ask(NOBODY, "c1", publish(1, true, { responseTopic: "r", payloadFormatIndicator: 1 }), "a/b", 1);
    expect(verdict).toMatchObject({ publish: { topic: "c", retain: true, properties: { responseTopic: "r", payloadFormatIndicator: 1 } } });
  });

  test("what it was given, changed in place: its QoS and RETAIN stay within those of the client, and what it does not say is as it was", async () => {
    const packet = (): Publish => publish(0, false, { userProperties: [["k", "v"]] });
    const changing = (as: (message: Record<string, unknown>) => unknown) => [
      ask(as, packet()),
      ask(async (message: Record<string, unknown>) => as(message), packet()),
    ];
    const changes: readonly (readonly [name: string, value: unknown, sentence: string])[] = [
      ["qos", 1, "its QoS may not be above that of the client, 0"],
      ["retain", true, "it may not be retained where the client did not ask"],
      ["topic", 5, "topic must be a text"],
    ];
    for (const [name, value, sentence] of changes) {
      for (const { verdict, problems } of changing((message) => Object.assign(message, { [name]: value }))) {
        expect(await verdict).toMatchObject(FAULT);
        expect(problems).toEqual([expect.stringContaining(sentence)]);
      }
      for (const { verdict } of changing((message) => void Object.assign(message, { [name]: value })))
        expect(await verdict).toBeUndefined();
      const others = changing((message) => {
        Object.assign(message, { [name]: value });
        (message.payload as Uint8Array).fill(0);
        (message.properties as { userProperties: [string, string][] }).userProperties[0]![1] = "else";
        return { topic: "c" };
      });
      for (const { verdict } of others) {
        const { publish: made } = (await verdict) as { publish: Publish };
        expect(made).toMatchObject({ topic: "c", qos: 0, retain: false, properties: { userProperties: [["k", "v"]] } });
        expect(text(made.payload)).toBe("as it was");
      }
    }
  });

  test("a refusal, with a reason or without", async () => {
    expect(ask({ refuse: 0x87 }).verdict).toEqual({ reasonCode: 0x87, reason: "", isFault: false });
    expect(await ask(Promise.resolve({ refuse: 0x97, reason: "full" })).verdict).toEqual({
      reasonCode: 0x97,
      reason: "full",
      isFault: false,
    });
  });
});

test("what is logged: the same once in a while, no more than a number of lines, and how many were left out", () => {
  let now = NOW;
  const told: (readonly [problem: string, others: number])[] = [];
  const runtime = { now: () => now, after: () => ({ cancel: () => {} }), incarnation: () => "" };
  const faults = new HookFaults(runtime, ({ problem, others }) => told.push([problem, others]));
  for (let count = 0; count < 5; count += 1) faults.caught("onPublish", new Error("same"), `c${count}`);
  for (let count = 0; count < 2 * HOOK_LINES_MAX; count += 1) faults.caught("onPublish", `number ${count}`, "c");
  expect(told.length).toBe(HOOK_LINES_MAX);
  expect(told.slice(0, 2)).toEqual([
    ["same", 0],
    ["number 0", 4],
  ]);
  now += HOOK_SILENCE_MS;
  faults.caught("onPublish", "same", "c");
  expect(told.at(-1)).toEqual(["same", HOOK_LINES_MAX + 1]);
  // A clock that was set back must not silence anything.
  now -= 10 * HOOK_SILENCE_MS;
  faults.caught("onPublish", "same", "c");
  expect(told.at(-1)).toEqual(["same", 0]);
});
