/** Rights to subscribe that a hook gives: rules first, what nobody was asked about is denied, what was granted is kept until the hook denies it. */

import { describe, expect, test } from "vitest";
import { AskedRights, type AskHook, type Wish } from "../../src/auth/asked-rights.ts";
import { parseAcl } from "../../src/auth/rules.ts";
import { RulesAuthorizer } from "../../src/auth/rules-authorizer.ts";
import { ASKED_AT_ONCE, ASKED_FILTER_CHARACTERS_MAX, ASKED_MS_MAX } from "../../src/login-limits.ts";
import { Brake } from "../../src/objects/brake.ts";
import { PLATFORM, type Runtime } from "../../src/runtime.ts";
import { NOBODY } from "../../src/session/ports.ts";

const ACL = [
  { permission: "deny", action: "all", topic: "own/secret" },
  { permission: "allow", action: "all", topic: "own/#" },
  { permission: "deny", action: "receive", topic: "asked/muted" },
];
const ADA = { ...NOBODY, userName: "ada", grants: "{}" };

function setup(ask: AskHook, noMatch: "allow" | "deny" = "deny") {
  const { acl, problems } = parseAcl(ACL, "ACL");
  expect(problems).toEqual([]);
  const asked: Wish[] = [];
  const clock = { now: 1000 };
  const runtime: Runtime = { ...PLATFORM, now: () => clock.now };
  const rules = (otherwise: "allow" | "deny") =>
    new RulesAuthorizer({ users: [], acl, noMatch: otherwise, allowsAnonymous: true, bindsAnonymous: true });
  const rights = new AskedRights({
    rules: rules(noMatch),
    closed: rules("deny"),
    open: rules("allow"),
    noMatch,
    runtime,
    namespace: "n",
    ask: (identity, clientId, wish, namespace) => {
      asked.push(wish);
      return ask(identity, clientId, wish, namespace);
    },
  });
  const prepare = (filters: readonly string[], identity = ADA, clientId = "c") =>
    rights.prepare(
      identity,
      clientId,
      filters.map((topicFilter) => ({ topicFilter, qos: 1 })),
    );
  const may = (filter: string, identity = ADA, clientId = "c", qos: 0 | 1 | 2 = 1) => rights.maySubscribe(identity, clientId, filter, qos);
  const mayKeep = (filter: string) => rights.mayKeep(ADA, "c", filter, 1);
  return { rights, asked, clock, prepare, may, mayKeep };
}

describe("rights that a hook gives", () => {
  test("of a filter that is longer than what is remembered nobody is asked: it is refused, and ends where a client comes back with it", async () => {
    const { asked, prepare, may, mayKeep } = setup(async () => "allow");
    const [longest, longer] = ["f".repeat(ASKED_FILTER_CHARACTERS_MAX), `own/${"f".repeat(ASKED_FILTER_CHARACTERS_MAX)}`];
    await prepare([longest, `${longest}f`, longer]);
    expect(asked.map(({ topicFilter }) => topicFilter)).toEqual([longest]);
    expect([longest, `${longest}f`, longer].map((filter) => [may(filter), mayKeep(filter)])).toEqual([
      [true, true],
      [false, false],
      [true, true],
    ]);
  });

  test("rules decide without it; what they do not speak of, whole or in part, is asked about", async () => {
    const { asked, prepare, may } = setup(async () => "allow");
    expect(prepare(["own/a", "own/secret", "own/+", "$SYS/#"])).toBeUndefined();
    expect(["own/a", "own/secret", "own/+", "$SYS/#"].map((filter) => may(filter))).toEqual([true, false, false, false]);
    expect(await prepare(["asked/a", "+/a", "own/a", "asked/a"])).toBe(true);
    expect(asked.map(({ topicFilter }) => topicFilter)).toEqual(["asked/a", "+/a"]);
    expect(["asked/a", "+/a"].map((filter) => may(filter))).toEqual([true, true]);
    // What it can match and a rule denies no hook allows.
    expect(prepare(["#", "own/#"])).toBeUndefined();
    expect(may("#")).toBe(false);
  });

  test("what nobody was asked about is denied: another filter, QoS, client or user", async () => {
    const { prepare, may } = setup(async () => "allow");
    expect(may("asked/a")).toBe(false);
    await prepare(["asked/a"]);
    expect(may("asked/a")).toBe(true);
    expect(may("asked/b")).toBe(false);
    expect(may("asked/a", ADA, "d")).toBe(false);
    expect(may("asked/a", { ...ADA, userName: "bob" })).toBe(false);
    expect(may("asked/a", ADA, "c", 2)).toBe(false);
  });

  test.each(["deny", "allow"] as const)("ignore: ACL_NO_MATCH=%s decides", async (noMatch) => {
    const { prepare, may } = setup(async () => "ignore", noMatch);
    expect(await prepare(["asked/a"])).toBe(true);
    expect(may("asked/a")).toBe(noMatch === "allow");
  });

  test("a granted subscription is kept until it is denied; one that is away takes nothing and gives nothing", async () => {
    let answer: Awaited<ReturnType<AskHook>> = "allow";
    const { prepare, may, mayKeep } = setup(async () => answer);
    // After the memory of the object was lost.
    expect(mayKeep("asked/a")).toBe(true);
    expect([mayKeep("own/a"), mayKeep("own/secret")]).toEqual([true, false]);
    await prepare(["asked/a"]);
    answer = undefined;
    expect(await prepare(["asked/a"])).toBe(false);
    expect([may("asked/a"), mayKeep("asked/a")]).toEqual([false, true]);
    answer = "deny";
    expect(await prepare(["asked/a"])).toBe(true);
    expect([may("asked/a"), mayKeep("asked/a")]).toEqual([false, false]);
  });

  test("one that fails is one that is away", async () => {
    const { prepare, may } = setup(() => Promise.reject(new Error()));
    expect(await prepare(["asked/a"])).toBe(false);
    expect(may("asked/a")).toBe(false);
  });

  test("some at a time, and only for a while", async () => {
    let now = 0;
    let most = 0;
    let running = 0;
    const { clock, asked, prepare } = setup(async () => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      now += ASKED_MS_MAX / 20;
      clock.now = 1000 + now;
      return "allow";
    });
    expect(await prepare(Array.from({ length: 500 }, (_, index) => `asked/${index}`))).toBe(false);
    expect(most).toBe(ASKED_AT_ONCE);
    expect(asked.length).toBeLessThan(20 + ASKED_AT_ONCE);
  });

  test("publishing is decided by rules alone; what a subscription brings is denied by a rule alone", async () => {
    const { rights } = setup(async () => "allow");
    expect(rights.mayPublish(ADA, "c", "own/a", 0, false)).toBe(true);
    expect(rights.mayPublish(ADA, "c", "asked/a", 0, false)).toBe(false);
    expect(rights.limitsReceive(ADA, "c")).toBe(true);
    expect(["asked/a", "asked/muted", "own/secret"].map((topic) => rights.mayReceive(ADA, "c", topic))).toEqual([true, false, false]);
  });
});

test("a packet that waits for an answer: goes on once, and not at all when nobody waits for it any longer", async () => {
  const brake = new Brake(PLATFORM);
  let went = 0;
  const goOn = (): void => {
    went += 1;
  };
  const packet = Uint8Array.of(1, 2);
  brake.holdUntil(packet, Promise.resolve(true), goOn);
  expect([brake.isOn, brake.bytes]).toEqual([true, 2]);
  await Promise.resolve();
  expect([brake.isOn, brake.take(), brake.take(), went]).toEqual([false, packet, undefined, 1]);
  brake.holdUntil(packet, Promise.resolve(true), goOn);
  brake.release();
  brake.holdUntil(packet, new Promise(() => {}), goOn);
  await Promise.resolve();
  expect([brake.isOn, went]).toEqual([true, 1]);
});
