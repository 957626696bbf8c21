/**
 * What an identity may do, as it changes: by an AUTH, by a CONNECT that resumes, by settings that are others after a restart, in time; and
 * whose a Client Identifier is.
 */

import { describe, expect, test } from "vitest";
import { covers } from "../../src/auth/covers.ts";
import { makeGrants } from "../../src/auth/grants.ts";
import { NO_RULES } from "../../src/auth/rules.ts";
import { RulesAuthorizer } from "../../src/auth/rules-authorizer.ts";
import { ServiceRights } from "../../src/auth/service-rights.ts";
import { AUTH, CONNACK, DISCONNECT } from "../../src/mqtt/packet.ts";
import { REAUTHENTICATE } from "../../src/mqtt/reason-code.ts";
import { offerSession } from "../../src/session/depart.ts";
import { OF_ANOTHER } from "../../src/session/move.ts";
import { type Authorizer, type Identity, NOBODY, type ReauthenticationPort, SERVICE_GRANTS } from "../../src/session/ports.ts";
import { matches } from "../../src/topic/filter.ts";
import { World, type WorldOptions } from "../support/core-harness.ts";

/** Filters of what may be done, and of what may not be received. */
interface Rights {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly hidden?: readonly string[];
}

/** Rights as a login brings them. */
const grants = (rights: Rights): string => JSON.stringify(rights);

/** Of those without any. */
let standing: Rights = {};

function rightsOf(identity: Identity): Required<Rights> {
  return { publish: ["#"], subscribe: ["#"], hidden: [], ...(identity.grants === "" ? standing : (JSON.parse(identity.grants) as Rights)) };
}

const BY_GRANTS: Authorizer = {
  mayPublish: (identity, _clientId, topic) => rightsOf(identity).publish.some((filter) => matches(filter, topic)),
  maySubscribe: (identity, _clientId, asked) => rightsOf(identity).subscribe.some((filter) => covers(filter, asked)),
  limitsReceive: (identity) => rightsOf(identity).hidden.length > 0,
  mayReceive: (identity, _clientId, topic) => {
    const { subscribe, hidden } = rightsOf(identity);
    return subscribe.some((filter) => matches(filter, topic)) && !hidden.some((filter) => matches(filter, topic));
  },
};

/** Whoever authenticates anew is at once who its Authentication Data says. */
const AS_SAID: ReauthenticationPort = {
  begin: (_method, _clientId, address, listener) => ({
    step: (data) => {
      const { now, ...said } = JSON.parse(new TextDecoder().decode(data)) as Partial<Identity> & { now: number };
      listener.answered({ kind: "success", identity: { ...NOBODY, address, ...said }, data: undefined }, now);
    },
    cancel: () => {},
  }),
};

const METHOD = { authenticationMethod: "X" };
const DURABLE = { clean: false, properties: { ...METHOD, sessionExpiryInterval: 1000 } };

function worldWith(options: WorldOptions = {}): World {
  standing = {};
  return new World({ authorizer: BY_GRANTS, reauthentication: AS_SAID, ...options });
}

type Client = ReturnType<World["connect"]>;

function authenticate(world: World, client: Client, identity: Partial<Identity>): void {
  const authenticationData = new TextEncoder().encode(JSON.stringify({ ...identity, now: world.now }));
  client.send({ type: AUTH, reasonCode: REAUTHENTICATE, properties: { ...METHOD, authenticationData } });
}

const filtersOf = (world: World, clientId: string): string[] => [...world.sessions[0]!.core.sessions.get(clientId)!.subscriptions.keys()];
const droppedOf = (world: World): number => world.sessions[0]!.core.counters.messagesDropped.not_authorized;

describe.each(["direct", "batched"] as const)("%s", (wiring) => {
  describe("a login that ends", () => {
    const ENDS = { expiresAt: 1_800_000_060_000 };

    test.each(["in one life", "over hibernation"])("takes the connection with it, %s, and its will is published", (how) => {
      const world = worldWith({ wiring });
      const watcher = world.connect("watcher");
      watcher.subscribe("w");
      const client = world.connect("c", { ...DURABLE, identity: ENDS, will: { topic: "w" } });
      if (how !== "in one life") world.sessions[0]!.hibernate();
      expect(world.sessions[0]!.core.deadlines.wakeAt()).toBeLessThanOrEqual(ENDS.expiresAt);
      world.advance(ENDS.expiresAt - world.now - 1);
      expect(client.wire.closed).toBeUndefined();
      world.advance(1);
      expect(client.wire.packets.at(-1)).toMatchObject({
        type: DISCONNECT,
        reasonCode: 0x87,
        properties: { reasonString: "the login has expired" },
      });
      expect(client.wire.closed).toBeDefined();
      expect(watcher.texts()).toEqual(["gone"]);
    });

    test("3.1.1 is closed without a word", () => {
      const world = worldWith({ wiring });
      const client = world.connect("c", { version: 4, identity: ENDS });
      world.advance(60_000);
      expect([client.wire.packets.length, client.wire.closed?.code]).toEqual([1, 1008]);
    });

    test("one that has ended lets nobody in", () => {
      const world = worldWith({ wiring });
      expect(world.connect("c", { identity: { expiresAt: world.now } }).connack).toMatchObject({ type: CONNACK, reasonCode: 0x87 });
    });

    test.each([
      ["later", 1_800_000_120_000, false],
      ["later, over hibernation", 1_800_000_120_000, true],
      ["sooner", 1_800_000_030_000, false],
      ["sooner, over hibernation", 1_800_000_030_000, true],
    ])("AUTH lets it end %s", (_, expiresAt, hibernates) => {
      const world = worldWith({ wiring });
      const client = world.connect("c", { ...DURABLE, identity: ENDS });
      authenticate(world, client, { expiresAt });
      expect(client.wire.packets.at(-1)).toMatchObject({ type: AUTH, reasonCode: 0 });
      if (hibernates) world.sessions[0]!.hibernate();
      world.advance(expiresAt - world.now - 1);
      expect(client.wire.closed).toBeUndefined();
      world.advance(1);
      expect(client.wire.closed).toBeDefined();
    });

    test("or never", () => {
      const world = worldWith({ wiring });
      const client = world.connect("c", { ...DURABLE, identity: ENDS });
      authenticate(world, client, {});
      world.advance(10_000_000);
      expect(client.wire.closed).toBeUndefined();
    });
  });

  describe("other rights", () => {
    test("AUTH replaces them: subscriptions that are not allowed any more end, with their rows", () => {
      const world = worldWith({ wiring });
      const client = world.connect("c", DURABLE);
      for (const filter of ["a/#", "b", "$share/g/b", "$share/g/a/1"]) client.subscribe(filter, 1);
      authenticate(world, client, { grants: grants({ subscribe: ["a/#"], publish: ["p"] }) });
      expect(filtersOf(world, "c")).toEqual(["a/#", "$share/g/a/1"]);
      expect(world.sessions[0]!.store.subscriptions().map(({ filter }) => filter)).toEqual(["$share/g/a/1", "a/#"]);
      const publisher = world.connect("p");
      for (const topic of ["a/2", "b"]) publisher.publish(topic, topic, { qos: 1 });
      expect(client.texts()).toEqual(["a/2"]);
      client.publish("b", "", { qos: 1, packetId: 9 });
      expect(client.wire.packets.at(-1)).toMatchObject({ packetId: 9, reasonCode: 0x87 });
      world.sessions[0]!.crash();
      expect(filtersOf(world, "c")).toEqual(["$share/g/a/1", "a/#"]);
    });

    test("a session that is resumed keeps what its user may still have, and nothing else that waits is sent", () => {
      const world = worldWith({ wiring });
      const before = world.connect("c", DURABLE);
      for (const filter of ["a", "b"]) before.subscribe(filter, 1);
      before.lose();
      const publisher = world.connect("p");
      for (const topic of ["a", "b", "a"]) publisher.publish(topic, topic, { qos: 1 });
      const client = world.connect("c", { ...DURABLE, identity: { grants: grants({ subscribe: ["a"] }) } });
      expect(client.connack).toMatchObject({ sessionPresent: true });
      expect([client.texts(), filtersOf(world, "c"), droppedOf(world)]).toEqual([["a", "a"], ["a"], 1]);
      expect(world.sessions[0]!.core.sessions.get("c")!.outstanding).toBe(2);
    });

    test("what waits is not lost to rules that allow a subscription by its text or at some QoS, and what they deny is not sent", () => {
      const rules = [
        { permission: "allow", action: "subscribe", topics: ["eq a/#", "b/+"], qos: [1] },
        { permission: "allow", action: "subscribe", topic: "c" },
        { permission: "deny", action: "all", topic: "#" },
      ];
      const fewer = [{ permission: "deny", action: "subscribe", topic: "c" }, ...rules];
      const authorizer = new RulesAuthorizer({ users: [], acl: NO_RULES, noMatch: "deny", allowsAnonymous: true });
      const world = worldWith({ wiring, authorizer });
      const before = world.connect("c", { ...DURABLE, identity: { grants: makeGrants({ acl: rules }).text } });
      for (const filter of ["a/#", "b/+", "c"]) before.subscribe(filter, 1);
      before.lose();
      const publisher = world.connect("p");
      for (const topic of ["a/1", "b/1", "c", "b/2"]) publisher.publish(topic, topic, { qos: 1 });
      const client = world.connect("c", { ...DURABLE, identity: { grants: makeGrants({ acl: fewer }).text } });
      expect([client.texts(), filtersOf(world, "c"), droppedOf(world)]).toEqual([["a/1", "b/1", "b/2"], ["a/#", "b/+"], 1]);
    });

    test("what waited behind a full window is looked at again", () => {
      const world = worldWith({ wiring });
      const client = world.connect("c", { ...DURABLE, properties: { ...DURABLE.properties, receiveMaximum: 1 } });
      client.subscribe("#", 1);
      const publisher = world.connect("p");
      for (const topic of ["a", "b", "a"]) publisher.publish(topic, topic, { qos: 1 });
      const [first] = client.messages();
      authenticate(world, client, { grants: grants({ subscribe: ["a"] }) });
      client.puback(first!.packetId);
      client.puback(client.messages()[0]!.packetId);
      expect([client.texts(), droppedOf(world), world.sessions[0]!.core.sessions.get("c")!.outstanding]).toEqual([[], 1, 0]);
    });

    test("a message of a shared subscription that waits for who may not have it any more goes to another member", () => {
      const world = worldWith({ wiring });
      const slow = { ...DURABLE, properties: { ...DURABLE.properties, receiveMaximum: 1 } };
      const [client, other] = [world.connect("c", slow), world.connect("other", slow)];
      for (const each of [client, other]) each.subscribe("$share/g/t", 1);
      const publisher = world.connect("p");
      for (const text of ["1", "2", "3", "4"]) publisher.publish("t", text, { qos: 1 });
      const took: string[] = [];
      authenticate(world, client, { grants: grants({ hidden: ["t"] }) });
      client.puback(client.messages()[0]!.packetId);
      for (let [next] = other.messages(); next !== undefined; [next] = other.messages()) {
        took.push(new TextDecoder().decode(next.payload));
        other.puback(next.packetId);
      }
      expect([client.texts(), took.length, droppedOf(world)]).toEqual([[], 3, 0]);
    });

    test("settings that allow less after a restart: of who is still connected too", () => {
      const world = worldWith({ wiring });
      const client = world.connect("c", { ...DURABLE, properties: { ...DURABLE.properties, receiveMaximum: 1 } });
      for (const filter of ["a", "b"]) client.subscribe(filter, 1);
      const publisher = world.connect("p");
      for (const topic of ["a", "b"]) publisher.publish(topic, `1 ${topic}`, { qos: 1 });
      const [first] = client.messages();
      standing = { subscribe: ["a"] };
      world.sessions[0]!.hibernate();
      expect(filtersOf(world, "c")).toEqual(["a"]);
      for (const topic of ["a", "b"]) publisher.publish(topic, `2 ${topic}`, { qos: 1 });
      client.puback(first!.packetId);
      expect(client.texts()).toEqual(["2 a"]);
    });

    test("a session that comes back under the same rights is not looked at anew, but after a loss of memory and under other ones it is", () => {
      let asked = 0;
      const authorizer: Authorizer = {
        ...BY_GRANTS,
        maySubscribe: (...wish) => {
          asked += 1;
          return BY_GRANTS.maySubscribe(...wish);
        },
      };
      const world = worldWith({ wiring, authorizer });
      const options = { ...DURABLE, identity: { grants: grants({ subscribe: ["a", "b"] }) } };
      const client = world.connect("c", options);
      for (const filter of ["a", "b"]) client.subscribe(filter, 1);
      client.lose();
      const askedBy = (come: () => void): number => {
        asked = 0;
        come();
        return asked;
      };
      expect(askedBy(() => world.connect("c", options).lose())).toBe(0);
      world.sessions[0]!.crash();
      expect(askedBy(() => world.connect("c", options).lose())).toBe(2);
      expect(askedBy(() => world.connect("c", options).lose())).toBe(0);
      expect(askedBy(() => world.connect("c", { ...options, identity: { grants: grants({ subscribe: ["a"] }) } }).lose())).toBe(2);
      expect(filtersOf(world, "c")).toEqual(["a"]);
    });

    test("a subscription that may be kept outlives what would not be granted anew: a loss of memory, an AUTH and a CONNECT", () => {
      const kept = { subscribe: ["a", "b"] };
      const authorizer: Authorizer = {
        ...BY_GRANTS,
        mayKeep: (_identity, _clientId, filter) => kept.subscribe.includes(filter),
      };
      const world = worldWith({ wiring, authorizer });
      const client = world.connect("c", DURABLE);
      for (const filter of ["a", "b"]) client.subscribe(filter, 1);
      standing = { subscribe: [] };
      world.sessions[0]!.hibernate();
      expect(filtersOf(world, "c")).toEqual(["a", "b"]);
      authenticate(world, client, { grants: grants({ subscribe: [] }) });
      expect(filtersOf(world, "c")).toEqual(["a", "b"]);
      client.lose();
      kept.subscribe = ["b"];
      world.connect("c", DURABLE);
      expect(filtersOf(world, "c")).toEqual(["b"]);
    });

    test("what waited under a subscription that may not be kept goes with it, over a loss of memory between too", () => {
      for (const crashes of [false, true]) {
        const kept = { subscribe: ["a/+", "b/#"] };
        const authorizer: Authorizer = {
          ...BY_GRANTS,
          mayReceive: () => true,
          mayKeep: (_identity, _clientId, filter) => kept.subscribe.includes(filter),
        };
        const world = worldWith({ wiring, authorizer });
        const before = world.connect("c", DURABLE);
        for (const filter of kept.subscribe) before.subscribe(filter, 1);
        before.lose();
        const publisher = world.connect("p");
        for (const topic of ["a/1", "b/1", "a/2"]) publisher.publish(topic, topic, { qos: 1 });
        kept.subscribe = ["a/+"];
        if (crashes) {
          // The connection that brought the change is gone, and what it ended.
          const between = world.connect("c", { ...DURABLE, properties: { ...DURABLE.properties, receiveMaximum: 1 } });
          expect(between.texts()).toEqual(["a/1"]);
          between.lose();
          world.settle();
          world.sessions[0]!.crash();
        }
        const client = world.connect("c", DURABLE);
        expect([client.texts(), filtersOf(world, "c")]).toEqual([["a/1", "a/2"], ["a/+"]]);
      }
    });

    test("what AUTH has brought outlives a loss of memory", () => {
      const world = worldWith({ wiring });
      const client = world.connect("c", DURABLE);
      client.subscribe("#", 1);
      authenticate(world, client, { grants: grants({ hidden: ["t"] }) });
      world.sessions[0]!.crash();
      world.connect("p").publish("t", "", { qos: 1 });
      expect(world.sessions[0]!.core.sessions.get("c")!.outstanding).toBe(0);
    });

    test("of a will that may not be published any more nothing is seen, and no row is left", () => {
      for (const [publish, expected] of [
        [["w"], ["gone"]],
        [["v"], []],
      ] as const) {
        const world = worldWith({ wiring });
        const watcher = world.connect("watcher");
        watcher.subscribe("w");
        const client = world.connect("c", { ...DURABLE, will: { topic: "w" } });
        authenticate(world, client, { grants: grants({ publish }) });
        client.lose();
        world.settle();
        expect([watcher.texts(), world.sessions[0]!.store.wills()]).toEqual([expected, []]);
      }
    });

    test.each([
      ["that came with the login", { grants: grants({ publish: ["w"] }) }, ["gone"]],
      ["that the settings give", {}, []],
      ["that AUTH brought", { grants: grants({ publish: ["v"] }) }, []],
    ])("a will of a connection that was lost with memory is judged by the rights %s", (how, identity, expected) => {
      const world = worldWith({ wiring });
      world.connect("watcher", DURABLE).subscribe("w", 1);
      const isLater = how === "that AUTH brought";
      const client = world.connect("c", { properties: METHOD, ...(isLater ? {} : { identity }), will: { topic: "w", qos: 1 } });
      if (isLater) authenticate(world, client, identity);
      standing = isLater ? {} : { publish: [] };
      world.sessions[0]!.crash();
      world.advance(600_000);
      expect([world.connect("watcher", DURABLE).texts(), world.sessions[0]!.store.wills()]).toEqual([expected, []]);
    });
  });

  describe("what is not to be received", () => {
    const HIDDEN = { identity: { grants: grants({ hidden: ["a/secret", "b/#"] }) } };

    test("does not come, live or retained, at any QoS", () => {
      const world = worldWith({ wiring });
      const publisher = world.connect("p");
      for (const [topic, qos] of [
        ["a/secret", 0],
        ["a/secret", 1],
        ["a/open", 1],
        ["b", 2],
      ] as const) {
        publisher.publish(topic, `retained ${topic}`, { qos, retain: true });
      }
      const client = world.connect("c", { ...DURABLE, ...HIDDEN });
      client.subscribe("#", 2);
      for (const [topic, qos] of [
        ["a/secret", 0],
        ["a/secret", 1],
        ["a/open", 0],
        ["b/c", 2],
      ] as const) {
        publisher.publish(topic, `live ${topic}`, { qos });
      }
      expect(client.texts()).toEqual(["retained a/open", "live a/open"]);
      expect(droppedOf(world)).toBe(5);
      expect(world.sessions[0]!.core.sessions.get("c")!.outstanding).toBe(1);
    });

    test("nor while the client is away", () => {
      const world = worldWith({ wiring });
      const before = world.connect("c", { ...DURABLE, ...HIDDEN });
      before.subscribe("#", 1);
      before.lose();
      world.sessions[0]!.crash();
      const publisher = world.connect("p");
      for (const topic of ["a/secret", "a/open"]) publisher.publish(topic, topic, { qos: 1 });
      expect(world.connect("c", { ...DURABLE, ...HIDDEN }).texts()).toEqual(["a/open"]);
    });

    test("goes to another member of a shared subscription", () => {
      const world = worldWith({ wiring });
      for (const [clientId, options] of [
        ["c", HIDDEN],
        ["d", {}],
      ] as const)
        world.connect(clientId, options).subscribe("$share/g/#", 1);
      const publisher = world.connect("p");
      for (const text of ["1", "2", "3", "4"]) publisher.publish("b/x", text, { qos: 1 });
      const outstanding = (clientId: string): number => world.sessions[0]!.core.sessions.get(clientId)!.outstanding;
      expect([outstanding("c"), outstanding("d")]).toEqual([0, 4]);
    });
  });
});

describe("a Client Identifier", () => {
  const ADA = { ...DURABLE, userName: "ada" };
  const EVE = { clean: true, userName: "eve" };

  test.each([
    ["connected", (client: Client) => void client],
    ["away", (client: Client) => client.lose()],
    ["lost with memory", (client: Client) => client.node.crash()],
  ])("is its user's while the session lives, %s: others are refused and touch nothing", (_, before) => {
    const world = worldWith();
    const watcher = world.connect("watcher");
    watcher.subscribe("w");
    const client = world.connect("c", { ...ADA, will: { topic: "w", properties: { willDelayInterval: 900 } } });
    client.subscribe("t", 1);
    before(client);
    const { core } = world.sessions[0]!;
    const session = core.sessions.get("c");
    for (const [version, reasonCode] of [
      [5, 0x85],
      [4, 2],
      [3, 2],
    ] as const) {
      expect(world.connect("c", { ...EVE, version }).connack).toMatchObject({ sessionPresent: false, reasonCode });
      // Nobody is another one than somebody.
      expect(world.connect("c", { clean: true, version }).connack).toMatchObject({ reasonCode });
    }
    expect([core.sessions.get("c"), watcher.texts()]).toEqual([session, []]);
    if (client.wire.closed === undefined) {
      world.connect("p").publish("t", "still here", { qos: 1 });
      expect(client.texts()).toEqual(["still here"]);
    }
    expect(world.connect("c", { ...ADA, identity: { grants: "{}" } }).connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
  });

  test("is anybody's again when the session is over", () => {
    const world = worldWith();
    world.connect("c", { ...ADA, properties: { sessionExpiryInterval: 10 } }).lose();
    world.advance(10_001);
    expect(world.connect("c", EVE).connack).toMatchObject({ reasonCode: 0 });
  });

  test.each(["user", "anyone"] as const)(
    "is the broker's own where it speaks to itself, with CLIENT_ID_OWNER=%s, and no client's",
    (owner) => {
      const world = worldWith({ authorizer: new ServiceRights(BY_GRANTS), choices: { clientIdOwner: owner } });
      const service = { clean: true, identity: { grants: SERVICE_GRANTS } } as const;
      const { core } = world.sessions[0]!;
      const own = world.connect("service", service);
      own.subscribe("t", 1);
      const client = world.connect("client");
      for (const other of [{}, ADA, { ...ADA, clean: true }])
        expect(world.connect("service", other).connack).toMatchObject({ sessionPresent: false, reasonCode: 0x85 });
      expect(world.connect("client", service).connack).toMatchObject({ reasonCode: 0x85 });
      for (const clientId of ["service", "client"]) {
        const isService = clientId === "client";
        expect(offerSession(core, clientId, "end", { userName: undefined, isService })).toBe(OF_ANOTHER);
      }
      expect([own.wire.closed, client.wire.closed]).toEqual([undefined, undefined]);
      world.connect("p").publish("t", "still here", { qos: 1 });
      expect(own.texts()).toEqual(["still here"]);
      // Of itself it takes over, as others do.
      expect(world.connect("service", service).connack).toMatchObject({ reasonCode: 0 });
    },
  );

  test("is of who says it with CLIENT_ID_OWNER=anyone: the session ends, and is never resumed", () => {
    const world = worldWith({ choices: { clientIdOwner: "anyone" } });
    const client = world.connect("c", ADA);
    client.subscribe("t", 1);
    const eve = world.connect("c", { ...DURABLE, userName: "eve" });
    expect(eve.connack).toMatchObject({ reasonCode: 0, sessionPresent: false });
    expect(client.wire.packets.at(-1)).toMatchObject({ type: DISCONNECT, reasonCode: 0x8e });
    expect(filtersOf(world, "c")).toEqual([]);
  });
});
