/** Who is told of as a client: sessions that are here, and not what is left of those that are elsewhere. */

import { expect, test } from "vitest";
import { ServiceCalls } from "../../src/objects/service-calls.ts";
import { retire } from "../../src/session/moved-copy.ts";
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
