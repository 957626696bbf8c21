/** Who is told of as a client: sessions that are here, and not what is left of those that are elsewhere. */

import { expect, test } from "vitest";
import { ServiceCalls } from "../../src/objects/service-calls.ts";
import { beginArrival, completeArrival, subscribeArriving } from "../../src/session/arrive.ts";
import { exportSession, letGo, offerSession } from "../../src/session/depart.ts";
import type { MovingSubscription } from "../../src/session/move.ts";
import { retire } from "../../src/session/moved-copy.ts";
import { PARTED_REASON_BYTES_MAX } from "../../src/storage-limits.ts";
import { type SessionNode, World } from "../support/core-harness.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

function callsOf({ core, machine }: SessionNode): ServiceCalls {
  const now = (): number => core.now;
  return new ServiceCalls({ core, machine, runtime: { now } as never, flushSoon: () => {}, written: async () => {} });
}

test("since when a client is connected is known after its object has slept, and not while it is away", () => {
  const all = new World();
  const client = all.connect("c", DURABLE);
  const { now } = all;
  const since = (): number | undefined => callsOf(all.sessions[0]!).client("c")?.connectedAt;
  all.advance(60_000);
  client.publish("t", "x");
  all.sessions[0]!.hibernate();
  expect(since()).toBe(now);
  client.lose();
  expect(since()).toBeUndefined();
  all.advance(60_000);
  all.connect("c", DURABLE);
  expect(since()).toBe(all.now);
});

test("a session that has moved away is no client here, nor is what it left behind", () => {
  const all = new World();
  const node = all.sessions[0]!;
  for (const clientId of ["here", "moved"]) all.connect(clientId, DURABLE).lose();
  all.settle();
  const calls = callsOf(node);
  const names = (): string[] => calls.clientsAfter("", 10).clients.map(({ clientId }) => clientId);
  expect(names()).toEqual(["here", "moved"]);
  retire(node.core, node.core.sessions.get("moved")!, true);
  all.settle();
  expect([...node.core.sessions.keys()].length).toBe(3);
  expect([names(), calls.client("here")?.clientId, calls.client("moved"), calls.client("none")]).toEqual([
    ["here"],
    "here",
    undefined,
    undefined,
  ]);
});

test("a session says when and why its last connection ended, at no row more, after a restart, a move and a new connection too", () => {
  const world = new World({ sessionObjects: 2 });
  const nodeOf = (clientId: string): SessionNode => world.sessions.find(({ core }) => core.sessions.has(clientId))!;
  const parted = (clientId: string) => callsOf(nodeOf(clientId)).client(clientId)?.parted;
  const at = world.now;
  const said = world.connect("said", DURABLE);
  expect(parted("said")).toBeUndefined();
  const node = nodeOf("said");
  const rows = node.meter.rowsWritten;
  said.disconnect(0x04, { reasonString: "für heute ".repeat(40) });
  world.settle();
  expect(node.meter.rowsWritten - rows).toBe(1);
  const reason = expect.stringMatching(/^(?:für heute )+/);
  expect(parted("said")).toEqual({ at, reasonCode: 0x04, reason });
  expect(new TextEncoder().encode(parted("said")!.reason).length).toBeLessThanOrEqual(PARTED_REASON_BYTES_MAX);
  world.connect("lost", DURABLE).lose();
  world.connect("kicked", DURABLE);
  nodeOf("kicked").machine.disconnect("kicked", 0x98, "by the operator", at);
  world.settle();
  const all = (): unknown => ["said", "lost", "kicked"].map((clientId) => parted(clientId));
  const told = [
    { at, reasonCode: 0x04, reason },
    { at, reasonCode: undefined, reason: "" },
    { at, reasonCode: 0x98, reason: "by the operator" },
  ];
  expect(all()).toEqual(told);
  world.advance(1000);
  for (const each of world.sessions) each.crash();
  expect(all()).toEqual(told);
  world.connect("lost", DURABLE);
  expect(parted("lost")).toEqual(told[1]);

  const from = nodeOf("kicked");
  const to = world.sessions.find((each) => each !== from)!;
  const subscriptions = offerSession(from.core, "kicked", "resume", undefined) as readonly MovingSubscription[];
  const session = beginArrival(to.core, "kicked");
  subscribeArriving(to.core, session, subscriptions, { settled: () => {} });
  completeArrival(to.core, session, { from: from.name, subscriptions, parts: [exportSession(from.core, "kicked", 0)!] });
  letGo(from.core, "kicked");
  expect(callsOf(to).client("kicked")?.parted).toEqual(told[2]);
});
