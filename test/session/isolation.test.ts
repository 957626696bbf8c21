/**
 * A fault of ours that happens to one client: it costs that client its connection, is told with its name, and nobody else notices.
 * Each case makes a port throw for one client at one place; a bystander's traffic goes on in the same steps.
 */

import { describe, expect, test } from "vitest";
import { DISCONNECT, NO_PROPERTIES, PUBACK, PUBCOMP, PUBREC, SUBACK } from "../../src/mqtt/packet.ts";
import { ADMINISTRATIVE_ACTION } from "../../src/mqtt/reason-code.ts";
import { SessionMachine } from "../../src/session/machine.ts";
import { RowTooLarge } from "../../src/storage/row-limit.ts";
import { type TestClient, World } from "../support/core-harness.ts";
import { deliveriesOf } from "../support/deliveries.ts";
import { messageTo } from "./support.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };

interface Told {
  readonly doing: string;
  readonly client: string | undefined;
}

/** A world in which faults are noted. */
function begin(wiring: "direct" | "batched"): { world: World; told: Told[] } {
  const told: Told[] = [];
  return { world: new World({ wiring, faults: { caught: (_error, doing, client) => void told.push({ doing, client }) } }), told };
}

function fail(): never {
  throw new Error("a fault");
}

/** Makes one method throw, for one client. */
function failing<Port extends object, Name extends keyof Port>(port: Port, name: Name, when: (...values: never[]) => boolean): () => void {
  const method = port[name] as (...values: never[]) => unknown;
  const broken = (...values: never[]): unknown => (when(...values) ? fail() : method.apply(port, values));
  Object.defineProperty(port, name, { value: broken, configurable: true, writable: true });
  return () => void Object.defineProperty(port, name, { value: method, configurable: true, writable: true });
}

/** Breaks something for one client, has it happen, and mends it. */
interface Case {
  readonly name: string;
  readonly options?: Parameters<World["connect"]>[1];
  readonly happens: (world: World, victim: TestClient, other: TestClient) => void;
  readonly doing: RegExp;
  /** Its socket can. */
  readonly closes?: boolean;
}

const CASES: readonly Case[] = [
  {
    name: "a message can't be sent to it",
    happens: (_world, victim, other) => {
      victim.subscribe("t/#", 1);
      failing(victim.wire, "send", () => true);
      other.publish("t/1", "x", { qos: 1 });
      other.publish("t/2", "x", { qos: 2 });
      other.publish("t/3", "x", { qos: 0 });
    },
    doing: /^giving it a message$/,
  },
  {
    name: "a message of a shared subscription can't be sent to it",
    happens: (_world, victim, other) => {
      victim.subscribe("$share/g/t", 1);
      failing(victim.wire, "send", () => true);
      for (let count = 0; count < 4; count += 1) other.publish("t", "x", { qos: 1 });
    },
    doing: /^giving it a message$/,
  },
  {
    name: "its message can't be answered",
    happens: (_world, victim) => {
      failing(victim.wire, "send", () => true);
      victim.publish("t", "x", { qos: 2 });
    },
    doing: /^answering its message$/,
  },
  {
    name: "its message can't be published",
    happens: (_world, victim) => {
      failing(victim.node.core.router, "publish", (message: { publisher: string }) => message.publisher === "victim");
      victim.publish("t", "x", { qos: 2 });
    },
    doing: /^publishing its message$/,
  },
  {
    name: "its SUBSCRIBE can't be answered",
    happens: (_world, victim) => {
      failing(victim.wire, "send", () => true);
      victim.subscribe("t", 1);
    },
    doing: /^(answering its SUBSCRIBE|handling a packet)$/,
  },
  {
    name: "its attachment can't be written",
    happens: (_world, victim) => {
      failing(victim.wire, "attach", () => true);
      victim.subscribe("t", 1);
    },
    doing: /^writing its state$/,
  },
  {
    name: "its row is too large",
    options: KEPT,
    happens: (_world, victim) => {
      const { store } = victim.node;
      const mend = failing(store, "putSession", (row: { clientId: string }) => {
        if (row.clientId === "victim") throw new RowTooLarge("too large");
        return false;
      });
      victim.publish("t", "x", { qos: 2 });
      mend();
    },
    doing: /^writing its state$/,
  },
  {
    name: "the row of its subscription can't be written",
    options: KEPT,
    happens: (_world, victim) => {
      const mend = failing(victim.node.store, "putSubscription", (row: { filter: string }) => row.filter === "t/victim");
      victim.subscribe("t/victim", 1);
      mend();
    },
    doing: /^writing its rows$/,
  },
  {
    name: "its will can't be published",
    options: { ...KEPT, will: { topic: "w" } },
    happens: (_world, victim) => {
      failing(victim.node.core.router, "publish", (message: { publisher: string }) => message.publisher === "victim");
      victim.lose();
    },
    doing: /^scheduling its will$/,
  },
  {
    name: "its subscriptions can't be ended",
    options: { will: { topic: "w" } },
    happens: (_world, victim) => {
      victim.subscribe("v/1", 1);
      victim.subscribe("v/2", 1);
      const mend = failing(victim.node.core.router, "unsubscribe", (filter: string) => filter.startsWith("v/"));
      victim.lose();
      mend();
    },
    doing: /^ending a subscription$/,
  },
  {
    name: "it can't be told that another connection takes over",
    options: { ...KEPT, will: { topic: "w" } },
    happens: (world, victim) => {
      failing(victim.wire, "send", () => true);
      world.connect("victim", KEPT);
    },
    doing: /^handling CONNECT$/,
  },
  {
    name: "its Keep Alive runs out and its end fails",
    options: { keepAliveSeconds: 10 },
    happens: (world, victim) => {
      failing(victim.wire, "close", () => true);
      world.advance(60_000);
    },
    doing: /^handling a deadline$/,
    closes: false,
  },
];

describe.each(["direct", "batched"] as const)("%s", (wiring) => {
  test.each(CASES)("$name: it is disconnected, and nobody else notices", ({ options = {}, happens, doing, closes = true }) => {
    const { world, told } = begin(wiring);
    const other = world.connect("other", { ...KEPT, properties: { sessionExpiryInterval: 3600 } });
    other.subscribe("t/#", 1);
    other.subscribe("$share/g/t", 1);
    const publisher = world.connect("publisher");
    const victim = world.connect("victim", options);
    for (const client of [other, publisher, victim]) client.take();
    happens(world, victim, publisher);
    world.settle();

    expect(told.map(({ client }) => client)).not.toContain("other");
    expect(told.filter((each) => doing.test(each.doing) && each.client === "victim")).not.toEqual([]);
    const { core } = victim.node;
    expect([...core.connections].map(({ session }) => session.clientId).sort()).toEqual(["other", "publisher"]);
    expect(core.sessions.get("victim")?.connection).toBeUndefined();
    if (closes) expect(victim.closed).toBeDefined();
    // Nothing is left that waits for something which never comes.
    expect([...core.openExchanges]).toEqual([]);
    // What was begun with others is over, and what comes now is as ever.
    for (const [qos, answer] of [
      [1, PUBACK],
      [2, PUBREC],
    ] as const) {
      const packetId = publisher.publish("t/now", "now", { qos, packetId: 1000 + qos });
      expect(publisher.take().filter(({ type }) => type === answer)).toMatchObject(
        expect.arrayContaining([expect.objectContaining({ packetId, reasonCode: 0 })]),
      );
    }
    publisher.pubrel(1002);
    expect(publisher.take()).toMatchObject([{ type: PUBCOMP, packetId: 1002 }]);
    expect(other.texts().filter((text) => text === "now")).toEqual(["now", "now"]);
    expect([other.closed, publisher.closed]).toEqual([undefined, undefined]);
    publisher.subscribe("another", 1);
    expect(publisher.take()).toMatchObject([{ type: SUBACK, reasonCodes: [1] }]);
    // And so for its client when it is back.
    const back = world.connect("victim", options);
    expect(back.connack).toMatchObject({ reasonCode: 0 });
    world.settle();
  });

  test("what others were to be told in the same step they are told", () => {
    const { world } = begin(wiring);
    const publishers = [0, 1, 2, 3].map((index) => world.connect(`p${index}`));
    for (const publisher of publishers) publisher.take();
    failing(publishers[1]!.wire, "send", () => true);
    for (const publisher of publishers) publisher.publish("t", "x", { qos: 1 });
    expect(publishers.map((publisher) => publisher.take().some(({ type }) => type === PUBACK))).toEqual([true, false, true, true]);
  });

  test("a message that could not be sent to a kept session waits for its client", () => {
    const { world } = begin(wiring);
    const victim = world.connect("victim", KEPT);
    victim.subscribe("t", 1);
    const publisher = world.connect("publisher");
    failing(victim.wire, "send", () => true);
    for (const text of ["a", "b", "c"]) publisher.publish("t", text, { qos: 1 });
    expect(publisher.take().filter(({ type }) => type === PUBACK)).toMatchObject([{ reasonCode: 0 }, { reasonCode: 0 }, { reasonCode: 0 }]);
    expect(world.connect("victim", KEPT).texts()).toEqual(["a", "b", "c"]);
  });

  test("a message that could not be sent counts against the bound of the queue that it waits in again", () => {
    for (const queuePolicy of ["drop_oldest", "reject_new"] as const) {
      const faults = { caught: () => {} };
      const limits = { inflightMax: 1, queueMessagesMax: 3 };
      const world = new World({ wiring, faults, auto: false, limits, choices: { queuePolicy } });
      const victim = world.connect("victim", KEPT);
      victim.subscribe("t", 1);
      world.settle();
      const { core } = victim.node;
      const machine = new SessionMachine(core);
      const come = (sequence: number): unknown => machine.deliver(messageTo("t", { sequence }), world.now);
      for (const sequence of [1, 2, 3, 4]) come(sequence);
      const session = victim.connection.session;
      const mend = failing(victim.wire, "send", () => true);
      machine.handle(victim.connection, { type: PUBACK, packetId: 1, reasonCode: 0, properties: NO_PROPERTIES }, world.now);
      come(5);
      mend();
      world.settle();
      expect([session.connection, session.waiting]).toEqual([undefined, 3]);
      const kept = deliveriesOf(core, session).map(({ message }) => message!.sequence);
      expect(kept).toEqual(queuePolicy === "drop_oldest" ? [3, 4, 5] : [2, 3, 4]);
    }
  });

  test("a 5.0 client is told, and the socket closed with 1011", () => {
    const { world } = begin(wiring);
    const victim = world.connect("victim");
    victim.take();
    failing(victim.node.core.router, "publish", () => true);
    victim.publish("t", "x", { qos: 0 });
    expect(victim.take()).toMatchObject([{ type: DISCONNECT, reasonCode: 0x80 }]);
    expect(victim.closed).toMatchObject({ code: 1011 });
  });

  test.each<[how: string, end: (world: World, victim: TestClient) => void]>([
    ["another connection of its client takes over", (world) => void world.connect("victim", KEPT)],
    ["its client says DISCONNECT", (_world, victim) => victim.disconnect()],
    [
      "the operator ends it",
      (world, { node }) =>
        void new SessionMachine(node.core).disconnect("victim", ADMINISTRATIVE_ACTION, "disconnected by the operator", world.now),
    ],
    ["nothing else does", () => {}],
  ])("a socket to which a fault has happened closes, also where %s before the step is over", (_how, end) => {
    const { world } = begin(wiring);
    const victim = world.connect("victim", KEPT);
    const { core } = victim.node;
    core.failures.caught(new Error("a fault"), "publishing its message", victim.connection.session);
    end(world, victim);
    world.settle();
    expect(victim.closed).toBeDefined();
    expect(core.connections.has(victim.connection)).toBe(false);
  });

  test("a CONNECT that fails leaves nothing behind", () => {
    for (const [method, options] of [
      ["share", KEPT],
      ["publish", { ...KEPT, will: { topic: "w" } }],
    ] as const) {
      const { world, told } = begin(wiring);
      const earlier = world.connect("victim", options);
      earlier.subscribe("$share/g/t", 1);
      const { core } = earlier.node;
      const mend = failing(core.router, method, () => true);
      world.connect("victim", options);
      mend();
      world.settle();
      expect(told.every(({ client }) => client === "victim")).toBe(true);
      // Its session waits for it, or is gone: it is not in between.
      const session = core.sessions.get("victim");
      const isWaiting = session?.connection !== undefined || (session?.expiresAt ?? 1) !== 0;
      expect(isWaiting).toBe(true);
      expect(world.connect("victim", options).connack).toMatchObject({ reasonCode: 0 });
    }
  });
});
