import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { makeGrants, parseGrants } from "../../src/auth/grants.ts";
import { parseAcl, parseAclText } from "../../src/auth/rules.ts";
import { RulesAuthorizer } from "../../src/auth/rules-authorizer.ts";
import { BoundedMap } from "../../src/bounded-map.ts";
import { GRANTS_BYTES_MAX, RULE_FILTERS_MAX } from "../../src/login-limits.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import { type Identity, NOBODY } from "../../src/session/ports.ts";

const problemsOf = (json: unknown): readonly string[] => parseAcl(json, "ACL").problems;
const RULE = { permission: "allow", action: "all", topic: "a" };

interface Options {
  readonly acl?: unknown;
  readonly noMatch?: "allow" | "deny";
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly attributes?: unknown;
  readonly identity?: Partial<Identity>;
  readonly clientId?: string;
}

/** What a client may do whose login brought these rules; `undefined` = it is anonymous. */
function rightsOf(rules: unknown, { acl = [], noMatch = "deny", claims, attributes, identity, clientId = "c1" }: Options = {}) {
  const list = parseAcl(acl, "ACL");
  const { text, problems } = rules === undefined ? { text: "", problems: [] } : makeGrants({ acl: rules, claims, attributes });
  expect([...list.problems, ...problems]).toEqual([]);
  const authorizer = new RulesAuthorizer({ users: [], acl: list.acl, noMatch, allowsAnonymous: true });
  const who = { ...NOBODY, ...identity, grants: text };
  return {
    publishes: (topic: string, qos: QoS = 0, retain = false) => authorizer.mayPublish(who, clientId, topic, qos, retain),
    subscribes: (filter: string, qos: QoS = 0) => authorizer.maySubscribe(who, clientId, filter, qos),
    receives: (topic: string) => authorizer.mayReceive(who, clientId, topic),
    limited: authorizer.limitsReceive(who, clientId),
  };
}

const allow = (action: string, topics: string | string[], more: object = {}): object => ({
  permission: "allow",
  action,
  topics: [topics].flat(),
  ...more,
});
const deny = (action: string, topics: string | string[], more: object = {}): object => ({
  permission: "deny",
  action,
  topics: [topics].flat(),
  ...more,
});

describe("the shape of rules", () => {
  test.each([
    [{ ...RULE, permission: "ok" }, "ACL[0].permission must be allow or deny."],
    [{ action: "all", topic: "a" }, "ACL[0].permission must be allow or deny."],
    [{ ...RULE, action: "read" }, "ACL[0].action must be publish, subscribe, receive or all."],
    [{ ...RULE, action: "constructor" }, "ACL[0].action must be publish, subscribe, receive or all."],
    [{ permission: "allow", action: "all" }, "ACL[0] must have either topic or topics."],
    [{ ...RULE, topics: ["b"] }, "ACL[0] must have either topic or topics."],
    [{ permission: "allow", action: "all", topics: [] }, "ACL[0] must have a topic."],
    [{ permission: "allow", action: "all", topics: "a" }, "ACL[0].topics must be an array."],
    [{ permission: "allow", action: "all", topics: ["a", 5] }, "ACL[0].topics[1] must be a string."],
    [
      { ...RULE, topic: "a/#/b" },
      "ACL[0].topic is not a valid Topic Filter: it must not be empty, + and # must fill a level, # only the last one.",
    ],
    [{ ...RULE, topic: "$share/g/a" }, "ACL[0].topic must be written without $share/NAME/: it holds for Shared Subscriptions as well."],
    [{ ...RULE, qos: 3 }, "ACL[0].qos must be 0, 1 or 2, or a list of them."],
    [{ ...RULE, qos: [] }, "ACL[0].qos must be 0, 1 or 2, or a list of them."],
    [{ ...RULE, retain: "yes" }, 'ACL[0].retain must be true, false or "all".'],
    [{ ...RULE, clientid: "" }, "ACL[0].clientid must be text that is not empty."],
    [
      { ...RULE, clientid_re: "(a+)\\1" },
      "ACL[0].clientid_re must be a regular expression of at most 256 characters, without references to groups and looking around.",
    ],
    [{ ...RULE, ipaddr: "10.0.0.0/33" }, "ACL[0].ipaddr must be an address or a network, such as 192.0.2.0/24 or 2001:db8::/32."],
    [{ ...RULE, action: "receive", qos: 1 }, "ACL[0] is about receiving, where qos and retain are not looked at."],
    [{ ...RULE, action: "publish", topic: "eq a/#" }, "ACL[0] has wildcards behind eq, which only a SUBSCRIBE can have."],
    [
      "all",
      "ACL[0] must be an object with permission, action, topic, topics, qos, retain, clientid, username, clientid_re, username_re and ipaddr.",
    ],
  ])("%j: %s", (rule, sentence) => {
    expect(problemsOf([rule])).toEqual([sentence]);
  });

  test.each(["a/x%c", "%c%u", "a/${clientid}x", "${peerhost}/a", "${claim.}", "a/${", "${client_attrs}"])("%s is no topic", (topic) => {
    expect(problemsOf([{ ...RULE, topic }])).toEqual([
      expect.stringMatching(/^ACL\[0\]\.topic has a level with a placeholder among other/),
    ]);
  });

  test("a field that is not known is refused: it might be a condition", () => {
    expect(problemsOf([{ ...RULE, zone_re: "x" }])).toEqual([expect.stringMatching(/^ACL\[0\] has an unknown field: permission, action/)]);
    expect(problemsOf({ pub: ["a"], rec: [] })).toEqual(["ACL has an unknown field: pub, sub and all are known."]);
  });

  test("what is neither a list nor lists of topics is no rules", () => {
    for (const json of ["all", 5, null, true]) expect(problemsOf(json)).toEqual(["ACL must be an object with pub, sub and all."]);
    expect(parseAclText("[", "ACL").problems).toEqual([expect.stringMatching(/^ACL is not valid JSON/)]);
    expect(parseAclText(" ", "ACL")).toEqual({ acl: { rules: [], closed: false }, problems: [] });
  });

  test("has a bound", () => {
    const topics = Array.from({ length: RULE_FILTERS_MAX }, (_, index) => `t/${index}`);
    expect(problemsOf([{ permission: "allow", action: "publish", topics }])).toEqual([]);
    expect(problemsOf([{ permission: "allow", action: "publish", topics }, RULE])).toEqual([
      `ACL has more than ${RULE_FILTERS_MAX} topics.`,
    ]);
  });

  test("nothing of what was given is repeated, whatever is wrong and wherever it stands", () => {
    const canary = "hunter2";
    const wrong: unknown[] = [canary, { [canary]: 1 }, { pub: canary }, { pub: [`${canary}/#/a`] }, [canary], [{ [canary]: canary }]];
    for (const field of ["permission", "action", "topic", "qos", "retain", "clientid_re", "ipaddr"])
      wrong.push([{ ...RULE, [field]: `(${canary}#` }]);
    for (const field of ["topics", "clientid", "username"]) wrong.push([{ ...RULE, [field]: { [canary]: canary } }]);
    for (const value of wrong) {
      const problems = [
        ...problemsOf(value),
        ...makeGrants({ acl: value }).problems,
        ...makeGrants({ attributes: { [canary]: [canary] } }).problems,
      ];
      expect(problems.length, JSON.stringify(value)).toBeGreaterThan(1);
      expect(problems.join(" ")).not.toContain(canary);
    }
    expect(parseAclText(`[{"${canary}`, "ACL").problems.join()).not.toContain(canary);
  });
});

test("the example of docs/security.md is right", () => {
  const text = readFileSync(join(ROOT, "docs/security.md"), "utf8");
  const [, example] = /## Rights\n[\s\S]*?```json\n([\s\S]*?)```/.exec(text)!;
  expect(parseAclText(example!, "ACL").problems).toEqual([]);
  const rights = rightsOf(JSON.parse(example!), { identity: { userName: "ada", address: "192.0.2.1" } });
  expect([rights.publishes("plant/c1/a"), rights.publishes("plant/c1/safety/a"), rights.publishes("plant/c1/a", 2)]).toEqual([
    true,
    false,
    false,
  ]);
  expect(["plant/ada/#", "plant/ada/a", "plant/+/state", "plant/x/state"].map((filter) => rights.subscribes(filter))).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

describe("rules", () => {
  test("the first that speaks of it decides", () => {
    const { publishes } = rightsOf([deny("publish", "a/b"), allow("pub", "a/#"), deny("publish", "a/c")]);
    expect(["a/b", "a/c", "a", "b"].map((topic) => publishes(topic))).toEqual([false, true, true, false]);
  });

  test("a filter is refused that has something of a denial", () => {
    const { subscribes } = rightsOf([deny("subscribe", "secret/#"), allow("sub", "#")]);
    for (const filter of ["#", "+/a", "secret", "+", "secret/+/x", "+/#"]) expect(subscribes(filter), filter).toBe(false);
    for (const filter of ["a/#", "a/+", "public/secret/#"]) expect(subscribes(filter), filter).toBe(true);
  });

  test("what a rule before the denial allows stays allowed, also together with others", () => {
    const { subscribes } = rightsOf([
      allow("subscribe", "a/b"),
      deny("subscribe", "a/b/#"),
      allow("subscribe", "a/+"),
      allow("subscribe", ["a", "a/+/+/#"]),
    ]);
    expect(subscribes("a/+")).toBe(true);
    expect(subscribes("a/#")).toBe(false);
    expect(rightsOf([allow("subscribe", ["a", "a/+", "a/+/+/#"])]).subscribes("a/#")).toBe(true);
  });

  test("qos and retain are those of what the client does", () => {
    const { publishes, subscribes } = rightsOf([
      allow("publish", "p", { qos: [1, 2], retain: false }),
      allow("subscribe", "s", { qos: 0, retain: true }),
    ]);
    expect([publishes("p", 0), publishes("p", 1), publishes("p", 2, true)]).toEqual([false, true, false]);
    expect([subscribes("s", 0), subscribes("s", 1)]).toEqual([true, false]);
  });

  test("eq: a topic without placeholders, or a subscription by its very text", () => {
    const { subscribes } = rightsOf([deny("subscribe", ["eq #", "eq +/#"]), allow("all", "#")]);
    const { publishes } = rightsOf([allow("all", "eq a/${clientid}")]);
    expect(["#", "+/#", "a/#", "+"].map((filter) => subscribes(filter))).toEqual([false, false, true, true]);
    expect([publishes("a/${clientid}"), publishes("a/c1")]).toEqual([true, false]);
    const one = rightsOf([allow("subscribe", "eq a/#"), deny("receive", "b")]);
    expect([one.subscribes("a/#"), one.subscribes("a/b"), one.receives("a/b"), one.receives("b")]).toEqual([true, false, true, false]);
  });

  test("conditions: all of them must hold", () => {
    const rules = [
      allow("all", "a", { clientid_re: "^dev-\\d+$", username: "ada" }),
      allow("all", "b", { clientid: "dev-7", username_re: "^a" }),
    ];
    const at = (clientId: string, userName?: string) => {
      const { publishes } = rightsOf(rules, { clientId, identity: { userName } });
      return [publishes("a"), publishes("b")];
    };
    expect(at("dev-7", "ada")).toEqual([true, true]);
    expect(at("dev-8", "ada")).toEqual([true, false]);
    expect(at("dev-7", "bob")).toEqual([false, false]);
    expect(at("dev-7", "al")).toEqual([false, true]);
    expect(at("dev-7")).toEqual([false, false]);
  });

  test("addresses; where none is known, denials hold and allowances do not", () => {
    const rules = [deny("all", "d", { ipaddr: "192.0.2.0/24" }), allow("all", "a", { ipaddr: "2001:db8::/32" }), allow("all", "d")];
    const at = (address: string) => {
      const { publishes } = rightsOf(rules, { identity: { address } });
      return [publishes("d"), publishes("a")];
    };
    expect(at("192.0.2.9")).toEqual([false, false]);
    expect(at("::ffff:192.0.2.9")).toEqual([false, false]);
    expect(at("198.51.100.1")).toEqual([true, false]);
    expect(at("2001:db8:1::9")).toEqual([true, true]);
    expect(at("")).toEqual([false, false]);
    expect(at("nowhere")).toEqual([false, false]);
  });

  test("a text that is too long for a pattern: denials hold and allowances do not", () => {
    const clientId = "a".repeat(2000);
    const { publishes } = rightsOf([deny("all", "d", { clientid_re: "b" }), allow("all", "a", { clientid_re: "a" }), allow("all", "d")], {
      clientId,
    });
    expect([publishes("d"), publishes("a")]).toEqual([false, false]);
  });

  test("placeholders stand for the client; what they can't stand for allows nothing and denies all", () => {
    const rules = [
      deny("all", "no/${clientid}"),
      allow("all", ["%c/#", "u/${username}", "r/${claim.role}", "x/${client_attrs.x}", "no/+"]),
    ];
    const of = (clientId: string, options: Options = {}) => rightsOf(rules, { clientId, identity: { userName: "ada" }, ...options });
    const usual = of("c1", { claims: { role: 7, other: "x" }, attributes: { x: "y" } });
    expect(["c1/a", "u/ada", "r/7", "x/y", "no/c2"].map((topic) => usual.publishes(topic))).toEqual([true, true, true, true, true]);
    expect(["c2/a", "u/bob", "r/8", "r/other", "no/c1"].map((topic) => usual.publishes(topic))).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
    for (const clientId of ["a/b", "+", "#", ""]) {
      const odd = of(clientId, { claims: { role: "a/b" } });
      for (const topic of [`${clientId}/a`, "a/b", "no/c2", `no/${clientId}`, "r/a/b", "r/a"])
        expect(odd.publishes(topic), topic).toBe(false);
      for (const filter of ["#", "+/#", "no/+", "r/#"]) expect(odd.subscribes(filter), filter).toBe(false);
    }
    expect(of("$SYS").publishes("$SYS/a")).toBe(false);
  });

  test("a claim that looks like a placeholder stays what it is", () => {
    const { publishes } = rightsOf([allow("all", ["${claim.a}/x", "b/${claim.b}"])], { claims: { a: "eq %c", b: "${clientid}" } });
    expect([publishes("c1/x"), publishes("b/c1"), publishes("b/${clientid}"), publishes("eq %c/x")]).toEqual([false, false, true, true]);
  });

  test("receive: filtered where it is denied, and only then looked at", () => {
    const { subscribes, receives, limited } = rightsOf([deny("receive", "a/secret"), allow("subscribe", "a/#"), deny("all", "#")]);
    expect([subscribes("a/#"), limited]).toEqual([true, true]);
    expect(["a/secret", "a/b", "b"].map(receives)).toEqual([false, true, false]);
    const usual = rightsOf([deny("subscribe", "a/b"), allow("subscribe", "a/+", { qos: 0 }), deny("all", "#")]);
    expect([usual.limited, usual.receives("a/c")]).toEqual([false, true]);
    expect(rightsOf([deny("all", "a", { qos: 2 }), allow("all", "a")])).toMatchObject({ limited: false });
  });

  test("who may receive nothing is sent nothing, whatever was subscribed to before", () => {
    expect(rightsOf([allow("publish", "a")])).toMatchObject({ limited: true });
    expect(rightsOf([allow("publish", "a")]).receives("a")).toBe(false);
    expect(rightsOf(undefined, { identity: { userName: "removed" } })).toMatchObject({ limited: true });
  });

  test("[MQTT5-4.7.2-1] [MQTT311-4.7.2-1] $ topics belong to rules that begin with that very level", () => {
    const rights = rightsOf([allow("all", ["#", "+/#", "$dev/+"])], { noMatch: "allow" });
    expect(["$SYS/a", "$dev/a", "$dev", "a/$SYS"].map((topic) => rights.publishes(topic))).toEqual([false, true, false, true]);
    expect(["$SYS/#", "$dev/a", "$dev/#", "#", "+"].map((filter) => rights.subscribes(filter))).toEqual([false, true, false, true, true]);
  });

  test("the older form of lists: all else is refused, whatever ACL and ACL_NO_MATCH say", () => {
    const rights = rightsOf({ pub: ["p/%c"], sub: ["eq s/#"], all: ["b"] }, { acl: [allow("all", "#")], noMatch: "allow" });
    expect(["p/c1", "p/c2", "b", "s/a", "x"].map((topic) => rights.publishes(topic))).toEqual([true, false, true, false, false]);
    expect(["s/#", "s/a", "b", "p/c1", "#"].map((filter) => rights.subscribes(filter))).toEqual([true, false, true, false, false]);
  });
});

describe("which rules", () => {
  test("those of the login, then ACL, then ACL_NO_MATCH", () => {
    const rules = [allow("all", "a"), deny("all", "b")];
    const acl = [deny("all", ["a", "c"]), allow("all", ["b", "d"])];
    for (const noMatch of ["allow", "deny"] as const) {
      const { publishes } = rightsOf(rules, { acl, noMatch });
      expect(["a", "b", "c", "d", "e", "$e"].map((topic) => publishes(topic))).toEqual([
        true,
        false,
        false,
        true,
        noMatch === "allow",
        false,
      ]);
    }
  });

  test("a login without rights has none of a user with the same name, nor those of anonymous clients", () => {
    const user = { user: "ada", password: "", acl: parseAcl([allow("all", "a")], "").acl };
    const none = parseAcl([], "").acl;
    const authorizer = new RulesAuthorizer({ users: [user], acl: none, noMatch: "deny", allowsAnonymous: true });
    const publishes = (identity: Partial<Identity>): boolean => authorizer.mayPublish({ ...NOBODY, ...identity }, "c", "a", 0, false);
    expect(publishes({ userName: "ada" })).toBe(true);
    expect(publishes({ userName: "ada", grants: "{}" })).toBe(false);
    expect(publishes({ grants: "{}" })).toBe(false);
    expect(publishes({})).toBe(true);
    expect(publishes({ userName: "bob" })).toBe(false);
  });

  test("anonymous clients: everything but $ topics, with ACL what it says", () => {
    const free = rightsOf(undefined);
    expect(["a", "$SYS/a", "$SYS/broker/connection/b/state"].map((topic) => free.publishes(topic))).toEqual([true, false, true]);
    expect(["#", "$SYS/#", "$dev/#", "$SYS/broker/connection/#"].map((filter) => free.subscribes(filter))).toEqual([
      true,
      false,
      false,
      true,
    ]);
    const ruled = rightsOf(undefined, { acl: [allow("subscribe", "$SYS/#"), allow("publish", "#", { clientid: "c1" })] });
    expect([
      ruled.subscribes("$SYS/#"),
      ruled.subscribes("a"),
      ruled.publishes("a"),
      ruled.receives("a"),
      ruled.receives("$SYS/a"),
    ]).toEqual([true, false, true, false, true]);
    expect(ruled.publishes("$SYS/broker/connection/b/state")).toBe(true);
    const closed = rightsOf(undefined, { acl: { pub: ["a"] }, noMatch: "allow" });
    expect([closed.publishes("a"), closed.publishes("b")]).toEqual([true, false]);
  });

  test("a superuser may do everything", () => {
    const { text } = makeGrants({ superuser: true, acl: [deny("all", "#")] });
    const authorizer = new RulesAuthorizer({
      users: [],
      acl: parseAcl([deny("all", "#")], "").acl,
      noMatch: "deny",
      allowsAnonymous: false,
    });
    const identity = { ...NOBODY, grants: text };
    expect(authorizer.mayPublish(identity, "c", "$SYS/a", 2, true)).toBe(true);
    expect(authorizer.maySubscribe(identity, "c", "$SYS/#", 2)).toBe(true);
    expect(authorizer.mayReceive(identity, "c", "$SYS/a")).toBe(true);
    expect(authorizer.limitsReceive(identity, "c")).toBe(false);
  });
});

describe("rights that are kept", () => {
  test("are those of a client, not of whoever shares its identity or has come before", () => {
    const acl = parseAcl([allow("all", "a/%c/%u")], "").acl;
    const authorizer = new RulesAuthorizer({ users: [], acl, noMatch: "deny", allowsAnonymous: false });
    const ada = { ...NOBODY, userName: "ada", grants: "{}" };
    const bob = { ...NOBODY, userName: "bob", grants: "{}" };
    for (let round = 0; round < 2; round++) {
      for (const [identity, clientId] of [
        [ada, "c1"],
        [ada, "c2"],
        [bob, "c1"],
      ] as const) {
        const allowed = ["a/c1/ada", "a/c2/ada", "a/c1/bob"].filter((topic) => authorizer.mayPublish(identity, clientId, topic, 0, false));
        expect(allowed).toEqual([`a/${clientId}/${identity.userName}`]);
      }
    }
  });

  test("have a bound: what was not asked for for long goes", () => {
    const kept = new BoundedMap<number, string>(100);
    kept.set(-1, "asked for", 1);
    for (let key = 0; key < 1000; key++) {
      kept.set(key, `value ${key}`, 1);
      expect(kept.get(-1)).toBe("asked for");
      expect(kept.size).toBeLessThanOrEqual(101);
    }
    expect([kept.get(999), kept.get(960), kept.get(800)]).toEqual(["value 999", "value 960", undefined]);
    kept.set(999, "another", 1);
    expect(kept.get(999)).toBe("another");
    for (let count = 0; count < 1000; count++) kept.set(5, "the same", 30);
    expect([kept.get(5), kept.get(999)]).toEqual(["the same", "another"]);
    kept.set(6, "too heavy", 1000);
    expect(kept.get(6)).toBe("too heavy");
    kept.set(7, "light", 1);
    expect([kept.get(7), kept.get(5)]).toEqual(["light", undefined]);
  });
});

describe("grants", () => {
  test("keep what they were made of, and of claims only those that rules name", () => {
    const acl = [allow("all", "a/${claim.role}/${claim.missing}"), allow("all", "${claim.list}")];
    const claims = { role: true, list: ["x"], sub: "ada", secret: "hunter2" };
    const { text, problems } = makeGrants({ superuser: false, acl, attributes: { x: "y" }, claims, claimNames: ["sub"] });
    expect(problems).toEqual([]);
    expect(JSON.parse(text)).toEqual({ acl, attributes: { x: "y" }, claims: { role: "true", sub: "ada" } });
    expect(parseGrants(text)).toMatchObject({ superuser: false, attributes: { x: "y" }, claims: { role: "true", sub: "ada" } });
    expect(makeGrants({}).text).toBe("{}");
  });

  test("have a bound", () => {
    const attributes = { a: "ä".repeat(GRANTS_BYTES_MAX / 2) };
    expect(makeGrants({ attributes })).toEqual({ text: "", problems: [`The rights have more than ${GRANTS_BYTES_MAX} bytes.`] });
  });

  test.each([
    [{ superuser: "true" }, "rights.superuser must be a boolean."],
    [{ superuser: 1 }, "rights.superuser must be a boolean."],
    [{ attributes: { a: 1 } }, "rights.attributes must be a string."],
    [{ attributes: "x" }, "rights.attributes must be a record."],
    [{ acl: "x" }, "acl must be an object with pub, sub and all."],
    [{ acl: null }, "acl must be an object with pub, sub and all."],
  ])("%j: %s", (given, sentence) => {
    expect(makeGrants(given)).toEqual({ text: "", problems: [sentence] });
  });

  test.each(["", "{", "[]", "null", '{"acl":1}', '{"acl":[{"permission":"allow"}]}', '{"superuser":"yes"}', '{"more":1}'])(
    "%j is no grants, and whoever has it has no rights",
    (text) => {
      expect(parseGrants(text)).toBeUndefined();
      const authorizer = new RulesAuthorizer({
        users: [],
        acl: parseAcl([allow("all", "#")], "").acl,
        noMatch: "allow",
        allowsAnonymous: false,
      });
      const identity = { ...NOBODY, userName: "ada", grants: text };
      expect(authorizer.mayPublish(identity, "c", "a", 0, false)).toBe(false);
      expect(authorizer.maySubscribe(identity, "c", "a", 0)).toBe(false);
      expect(authorizer.mayReceive(identity, "c", "a")).toBe(false);
    },
  );
});
