/** Long jobs in slices: what is left of one has its turns, and whatever happens in between finds nothing half done. */

import { describe, expect, test } from "vitest";
import type { SharedStrategy } from "../../src/choices.ts";
import { begin, goOnWithChores } from "../../src/session/chores.ts";
import { letGo } from "../../src/session/depart.ts";
import { flush } from "../../src/session/flush.ts";
import { endSession } from "../../src/session/lifecycle.ts";
import { retire } from "../../src/session/moved-copy.ts";
import { revoke, type Verdict } from "../../src/session/revoke.ts";
import { storeWaiting } from "../../src/session/rows.ts";
import { FORGET_WORK, SLICES } from "../../src/work-limits.ts";
import { type SessionNode, type TestClient, World, type WorldOptions } from "../support/core-harness.ts";
import { miscounted, recountSessions } from "../support/recount.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };
/** Two subscriptions are a share. */
const SMALL = { ...SLICES, share: 2 * FORGET_WORK };
const COUNT = 10;

const many = Array.from({ length: COUNT }, (_, index) => `m/${index}/+`);
const shared = many.map((filter) => `$share/g/${filter}`);

function world(options: WorldOptions = {}): { all: World; node: SessionNode } {
  const all = new World({ slices: SMALL, auto: false, ...options });
  return { all, node: all.sessions[0]! };
}

/** A session whose client is away. */
function away(all: World, clientId: string, filters: readonly string[]): void {
  const client = all.connect(clientId, DURABLE);
  all.settle();
  for (const filter of filters) client.subscribe(filter, 1);
  all.settle();
  client.lose();
  all.settle();
}

/** One share of what is left. */
function proceed({ core, machine, world: { now } }: SessionNode): boolean {
  return machine.proceed(now, core.slices.share);
}

function wanted({ core }: SessionNode, filters: readonly string[]): number {
  return filters.filter((filter) => core.interests.has(filter) || core.shares.has(filter)).length;
}

/** Memory, ledger and rows know nothing of it any more. */
function expectGone(node: SessionNode): void {
  const { core, store } = node;
  expect([core.deaf.size, core.chores.length, core.subscriptions.size, core.interests.size, core.shares.size]).toEqual([0, 0, 0, 0, 0]);
  expect(store.subscriptions()).toEqual([]);
  expect(miscounted(core.ledger, recountSessions(core))).toEqual([]);
}

describe("jobs", () => {
  function* job(of: SessionNode, name: string, steps: number, log: string[]): Generator<void> {
    for (let step = 1; step <= steps; step += 1) {
      log.push(`${name}${step}`);
      of.core.work += 1;
      yield;
    }
  }

  test("what is no more than a share is done at once; of the rest the first job that began goes first", () => {
    const { node } = world();
    const log: string[] = [];
    for (const [name, steps] of [
      ["a", 1],
      ["b", 5],
      ["c", 4],
    ] as const)
      begin(node.core, job(node, name, steps, log));
    expect(log.splice(0)).toEqual(["a1", "b1", "b2", "c1", "c2"]);
    while (proceed(node)) log.push("|");
    expect(log).toEqual(["b3", "b4", "|", "b5", "c3", "|", "c4"]);
  });

  test("one that fails is over, and the others go on", () => {
    const { node } = world({ faults: FAULTS_TOLD });
    const log: string[] = [];
    begin(
      node.core,
      (function* () {
        node.core.work += 2;
        yield;
        throw new Error("a fault");
      })(),
    );
    begin(node.core, job(node, "b", 4, log));
    goOnWithChores(node.core, node.core.work + 100);
    expect([log, node.core.chores.length]).toEqual([["b1", "b2", "b3", "b4"], 0]);
  });
});

/** Faults are told and no more. */
const FAULTS_TOLD = { caught: () => {} };

describe("the end of a session with many subscriptions", () => {
  test("is taken in slices; from the first on nothing comes for it, and nobody waits for what is left", () => {
    const { all, node } = world();
    away(all, "c", many);
    const session = node.core.sessions.get("c")!;
    endSession(node.core, session);
    expect([node.core.sessions.has("c"), session.subscriptions.size, wanted(node, many)]).toEqual([false, COUNT - 2, COUNT - 2]);
    expect(miscounted(node.core.ledger, recountSessions(node.core))).toEqual([]);
    const publisher = all.connect("p");
    publisher.publish("m/9/x", "for nobody", { qos: 1 });
    expect([session.outstanding, node.core.counters.messagesDelivered]).toEqual([0, 0]);
    for (let left = COUNT - 2; left > 0; left -= 2) {
      expect(wanted(node, many)).toBe(left);
      proceed(node);
    }
    all.settle();
    expectGone(node);
    expect(all.topics[0]!.store.routes()).toEqual([]);
  });

  test("leaves alone what a new session of the client subscribes to meanwhile", () => {
    const { all, node } = world();
    away(all, "c", many);
    endSession(node.core, node.core.sessions.get("c")!);
    const client = all.connect("c", DURABLE);
    for (const filter of many.slice(-2)) client.subscribe(filter, 1);
    all.settle();
    expect(wanted(node, many)).toBe(2);
    expect(node.store.subscriptions().map(({ filter }) => filter)).toEqual(many.slice(-2));
    all.connect("p").publish("m/9/x", "for the new one", { qos: 1 });
    all.settle();
    expect(client.texts()).toEqual(["for the new one"]);
  });

  test("lets no message that comes meanwhile take the route from whoever subscribes then", () => {
    const { all, node } = world();
    away(all, "c", many);
    const other = all.connect("other", DURABLE);
    const publisher = all.connect("p");
    endSession(node.core, node.core.sessions.get("c")!);
    publisher.publish("m/9/x", "for nobody", { qos: 1 });
    other.subscribe("m/9/+", 1, { retainHandling: 2 });
    all.settle();
    publisher.publish("m/9/x", "for the other", { qos: 1 });
    all.settle();
    expect(other.texts()).toEqual(["for the other"]);
    other.disconnect(0, { sessionExpiryInterval: 0 });
    all.settle();
    expectGone(node);
  });

  test.each<SharedStrategy>(["round_robin", "sticky", "hash_client"])(
    "leaves its shared subscriptions at once, all of them: what comes meanwhile goes to other members (%s)",
    (sharedStrategy) => {
      const { all, node } = world({ choices: { sharedStrategy } });
      away(all, "c", shared);
      const other = all.connect("other");
      all.settle();
      for (const filter of shared) other.subscribe(filter, 1);
      all.settle();
      other.take();
      endSession(node.core, node.core.sessions.get("c")!);
      const publisher = all.connect("p");
      for (let index = 0; index < COUNT; index += 1) publisher.publish(`m/${index}/x`, `${index}`, { qos: 1 });
      all.settle();
      expect(other.texts()).toEqual(Array.from({ length: COUNT }, (_, index) => `${index}`));
      other.lose();
      all.settle();
      expectGone(node);
    },
  );

  test("hands what waited through them to members elsewhere", () => {
    const { all, node } = world({ wiring: "batched", sessionObjects: 2 });
    away(all, "a", shared);
    const publisher = all.connect("p");
    for (let index = 0; index < COUNT; index += 1) publisher.publish(`m/${index}/x`, `${index}`, { qos: 1 });
    all.settle();
    expect(node.core.sessions.get("a")!.outstanding).toBe(COUNT);
    const other = all.connect("b", { at: 1 });
    all.settle();
    for (const filter of shared) other.subscribe(filter, 1);
    all.settle();
    endSession(node.core, node.core.sessions.get("a")!);
    all.settle();
    expect(other.texts().sort()).toEqual(Array.from({ length: COUNT }, (_, index) => `${index}`));
  });

  test("loses nothing and leaves nothing when the object is reset in between", () => {
    const { all, node } = world();
    away(all, "c", many);
    endSession(node.core, node.core.sessions.get("c")!);
    // What was to be written with the first slice.
    node.core.chores.clear();
    node.flush();
    node.crash();
    expect([node.core.sessions.size, node.core.counters.rowsSwept]).toEqual([0, 0]);
    // Topic objects find out when something comes.
    const publisher = all.connect("p");
    for (let index = 0; index < COUNT; index += 1) publisher.publish(`m/${index}/x`, "", { qos: 1 });
    all.settle();
    publisher.disconnect();
    all.settle();
    expectGone(node);
  });

  test("an answer of a Topic object that comes meanwhile brings no row back", () => {
    const { all, node } = world({ wiring: "batched" });
    const client = all.connect("c", DURABLE);
    all.settle();
    for (const filter of many) client.subscribe(filter, 1);
    expect(node.core.sessions.get("c")!.asked?.size).toBe(COUNT);
    client.lose();
    endSession(node.core, node.core.sessions.get("c")!);
    for (const _way of ["there", "back"]) for (const link of all.links()) link.step();
    expect(node.core.deaf.size).toBe(1);
    all.settle();
    expectGone(node);
    expect(all.topics[0]!.store.routes()).toEqual([]);
  });
});

describe("a session that is elsewhere", () => {
  test("is let go of in slices", () => {
    const { all, node } = world();
    away(all, "c", [...many, ...shared]);
    letGo(node.core, "c");
    expect(wanted(node, many)).toBeGreaterThan(0);
    node.flush();
    all.settle();
    expectGone(node);
  });

  test("leaves a copy whose subscriptions go in slices, and do not come back in a reset", () => {
    const { all, node } = world();
    away(all, "c", many);
    retire(node.core, node.core.sessions.get("c")!, true);
    node.core.chores.clear();
    node.flush();
    expect(node.store.subscriptions().length).toBe(COUNT - 2);
    node.crash();
    expect(node.core.sessions.get("c")!.subscriptions.size).toBe(0);
    expect(node.core.counters.rowsSwept).toBe(COUNT - 2);
    expect([node.store.subscriptions(), node.core.interests.size]).toEqual([[], 0]);
  });
});

describe("the operator's word about many sessions", () => {
  const END: Verdict = { kind: "end", reasonCode: 0x87, message: "gone" };

  test("is carried out in slices, and heard of when it has been for all", () => {
    const { all, node } = world();
    for (let index = 0; index < COUNT; index += 1) away(all, `c${index}`, []);
    let isJudged = false;
    revoke(
      node.core,
      () => END,
      () => {
        isJudged = true;
      },
    );
    for (let before = COUNT; !isJudged; before = node.core.sessions.size) {
      expect(node.core.sessions.size).toBeGreaterThanOrEqual(before - 2);
      proceed(node);
    }
    expect(node.core.sessions.size).toBe(0);
  });

  test("is not about those who come meanwhile, nor about those who have ended", () => {
    const { all, node } = world();
    for (let index = 0; index < COUNT; index += 1) away(all, `c${index}`, []);
    const judged: string[] = [];
    revoke(
      node.core,
      ({ clientId }) => {
        judged.push(clientId);
        return END;
      },
      () => judged.push("all"),
    );
    const before = judged.length;
    expect(before).toBeLessThan(COUNT);
    const last = `c${COUNT - 1}`;
    endSession(node.core, node.core.sessions.get(last)!);
    const again = all.connect(last, DURABLE);
    all.settle();
    expect([judged.includes(last), judged.at(-1), again.closed, node.core.sessions.size]).toEqual([false, "all", undefined, 1]);
  });

  test("a fault at one of them is nothing to the others", () => {
    const { all, node } = world({ faults: FAULTS_TOLD });
    for (let index = 0; index < COUNT; index += 1) away(all, `c${index}`, []);
    let isJudged = false;
    revoke(
      node.core,
      ({ clientId }) => {
        if (clientId === "c3") throw new Error("a fault");
        return END;
      },
      () => {
        isJudged = true;
      },
    );
    all.settle();
    expect([isJudged, [...node.core.sessions.keys()]]).toEqual([true, ["c3"]]);
  });
});

describe("what waits in memory for many clients", () => {
  test("has rows session by session, and comes in order; who has taken it meanwhile has none", () => {
    const { all, node } = world({ limits: { inflightMax: 1 } });
    const clients = ["a", "b", "c"].map((clientId) => all.connect(clientId));
    all.settle();
    for (const client of clients) client.subscribe("t", 1);
    all.settle();
    const publisher = all.connect("p");
    for (let index = 0; index < 4; index += 1) publisher.publish("t", `${index}`, { qos: 1 });
    all.settle();
    expect(node.core.waitingInMemory.size).toBe(3);
    storeWaiting(node.core);
    expect([...node.core.sessions.values()].map(({ stored }) => stored)).toEqual([true, false, false, false]);
    publisher.publish("t", "4", { qos: 1 });
    // The second one takes all before its turn.
    for (let packetId = 1; packetId <= 5; packetId += 1) clients[1]!.puback(packetId);
    all.settle();
    expect(["a", "b", "c"].map((clientId) => node.core.sessions.get(clientId)!.stored)).toEqual([true, false, true]);
    expect(node.core.waitingInMemory.size).toBe(0);
    node.hibernate();
    for (const client of clients) for (let packetId = 1; packetId <= 5; packetId += 1) if (client !== clients[1]) client.puback(packetId);
    all.settle();
    for (const client of clients) expect(client.texts()).toEqual(["0", "1", "2", "3", "4"]);
  });

  test("has rows of its own where who waited for the same took all before it was written", () => {
    const { all, node } = world({ limits: { inflightMax: 1 } });
    const [first, second] = ["a", "b"].map((clientId) => all.connect(clientId)) as [TestClient, TestClient];
    all.settle();
    for (const client of [first, second]) client.subscribe("t", 1);
    all.settle();
    const publisher = all.connect("p");
    for (let index = 0; index < 4; index += 1) publisher.publish("t", `${index}`, { qos: 1 });
    all.settle();
    storeWaiting(node.core);
    for (let packetId = 1; packetId <= 4; packetId += 1) first.puback(packetId);
    flush(node.core);
    all.settle();
    node.hibernate();
    for (let packetId = 1; packetId <= 4; packetId += 1) second.puback(packetId);
    all.settle();
    for (const client of [first, second]) expect(client.texts()).toEqual(["0", "1", "2", "3"]);
  });
});
