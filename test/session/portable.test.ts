/** A session is told of and taken as a whole: with all that it has, in rows at once, counted as everything else, and gone without a trace when it ends. */

import { describe, expect, test } from "vitest";
import { PUBLISH, PUBREL } from "../../src/mqtt/packet.ts";
import { PortableCalls } from "../../src/objects/portable-calls.ts";
import { beginArrival, subscribeArriving } from "../../src/session/arrive.ts";
import { isPortable, type PortableSession, problemOf, takeSession, tellSession } from "../../src/session/portable.ts";
import { utf8, World } from "../support/core-harness.ts";
import { allChunks } from "../support/deliveries.ts";
import { miscounted, recountSessions } from "../support/recount.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };
const ADA = { ...KEPT, userName: "ada" };
const WILL = { topic: "will", payload: utf8("gone"), qos: 1 as const, retain: false, properties: { willDelayInterval: 1000 } };

/** A session with something in every state. */
function filled(): { readonly world: World; readonly told: PortableSession } {
  const world = new World();
  const client = world.connect("c", { ...KEPT, will: WILL });
  client.subscribe("t/#", 2);
  const publisher = world.connect("p");
  for (const [payload, qos] of [
    ["one", 1],
    ["two", 2],
    ["three", 2],
  ] as const)
    publisher.publish("t/a", utf8(payload), { qos });
  client.pubrec(2);
  client.publish("x", utf8("mine"), { qos: 2, packetId: 77 });
  client.lose();
  for (const payload of ["four", "five"]) publisher.publish("t/b", utf8(payload), { qos: 1 });
  world.settle();
  const { core } = world.sessions[0]!;
  const session = core.sessions.get("c")!;
  expect(isPortable(core, session)).toBe(true);
  // As if its client had gone before they came.
  return { world, told: { ...tellSession(core, session), owed: ["t/#"], userName: "ada", grants: "{}" } };
}

function taken(told: PortableSession) {
  const world = new World();
  const node = world.sessions[0]!;
  expect(problemOf(node.core, told)).toBeUndefined();
  let outcome: number | undefined;
  const session = beginArrival(node.core, told.clientId);
  subscribeArriving(node.core, session, told.subscriptions, {
    settled: (reasonCode) => {
      outcome = reasonCode;
    },
  });
  world.settle();
  expect(outcome).toBe(0);
  return { world, node, session };
}

describe("a session that is brought", () => {
  test("is what it was, also after a crash, and what is told of it is the same again", () => {
    const { told } = filled();
    const { world, node, session } = taken(told);
    takeSession(node.core, session, told);
    world.settle();
    expect(tellSession(node.core, session)).toEqual(told);
    expect(miscounted(node.core.ledger, recountSessions(node.core))).toEqual([]);
    node.crash();
    const restored = node.core.sessions.get("c")!;
    expect(node.problems).toEqual([]);
    expect(tellSession(node.core, restored)).toEqual(told);
    expect(miscounted(node.core.ledger, recountSessions(node.core))).toEqual([]);

    const client = world.connect("c", ADA);
    const came = client.take();
    const messages = came.filter((packet) => packet.type === PUBLISH);
    expect(came.flatMap((packet) => (packet.type === PUBREL ? [packet.packetId] : []))).toEqual([2]);
    expect(messages.map(({ payload, packetId, dup }) => [new TextDecoder().decode(payload), packetId, dup])).toEqual([
      ["one", 1, true],
      ["three", 3, true],
      ["four", 4, false],
      ["five", 5, false],
    ]);
  });

  test("leaves nothing when it ends", () => {
    const { told } = filled();
    const { world, node, session } = taken(told);
    takeSession(node.core, session, told);
    world.settle();
    world.connect("c", { ...ADA, clean: true });
    // Until nobody repeats anything of it any more.
    world.advance(86_400_000);
    expect([node.store.wills(), allChunks(node.store), node.store.subscriptions()]).toEqual([[], [], []]);
    expect(miscounted(node.core.ledger, recountSessions(node.core))).toEqual([]);
  });

  test("has what was published while it was on its way, behind what it had", () => {
    const { told } = filled();
    const { world, node, session } = taken(told);
    const publisher = world.connect("p");
    publisher.publish("t/new", utf8("new"), { qos: 1 });
    world.settle();
    takeSession(node.core, session, told);
    world.settle();
    const client = world.connect("c", ADA);
    expect(client.messages().map(({ payload }) => new TextDecoder().decode(payload))).toEqual(["one", "three", "four", "five", "new"]);
  });

  test("has no more time than it had, and its will is published when that is due", () => {
    const { told } = filled();
    const { world, node, session } = taken(told);
    const watcher = world.connect("w");
    watcher.subscribe("will", 1);
    takeSession(node.core, session, { ...told, expiresAt: world.now + 5_000, will: { ...told.will!, dueAt: world.now + 1_000 } });
    world.settle();
    world.advance(2_000);
    expect(watcher.messages().map(({ payload }) => new TextDecoder().decode(payload))).toEqual(["gone"]);
    expect(node.core.sessions.has("c")).toBe(true);
    world.advance(600_000);
    expect(node.core.sessions.has("c")).toBe(false);
  });
});

test("pages hold so much; one that is too large is named, and the walk goes on behind it", async () => {
  const world = new World({ limits: { queueBytesMax: 100_000_000, packetBytesMax: 4_000_000 } });
  const publisher = world.connect("p");
  for (const [id, megabytes] of [
    ["a", 1],
    ["b", 24],
    ["c", 1],
    ["d", 1],
    ["e", 0],
  ] as const) {
    const client = world.connect(id, KEPT);
    client.subscribe(`to/${id}`, 1);
    client.lose();
    for (let n = 0; n < megabytes; n += 1) publisher.publish(`to/${id}`, new Uint8Array(1_000_000), { qos: 1 });
  }
  world.settle();
  const { core } = world.sessions[0]!;
  const runtime = { now: () => world.now, after: () => ({ cancel: () => {} }), incarnation: () => "" };
  const calls = new PortableCalls({ core, runtime, written: async () => {}, owns: () => true, arrivals: undefined as never });
  const pages: unknown[] = [];
  for (let from: string | undefined = ""; from !== undefined; ) {
    const page = await calls.after(from);
    pages.push([page.sessions.map(({ clientId, deliveries }) => `${clientId} ${deliveries.length}`), page.tooLarge]);
    from = page.next;
  }
  expect(pages).toEqual([
    [["a 1"], []],
    [[], ["b"]],
    [["c 1", "d 1", "e 0"], []],
  ]);
});

test("what ends with its connection, or is over, is not told of", () => {
  const world = new World();
  world.connect("brief");
  world.connect("kept", KEPT);
  const { core } = world.sessions[0]!;
  const portable = (id: string): boolean => isPortable(core, core.sessions.get(id)!);
  expect([portable("brief"), portable("kept")]).toEqual([false, true]);
});
