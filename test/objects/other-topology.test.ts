/** Data of another topology than the settings': who begins to store wakes the objects that have it, and they say so. */

import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { Meter } from "../../src/objects/meter.ts";
import { tellIfOther, wakingOthers } from "../../src/objects/other-topology.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { Session } from "../../src/session/session.ts";
import { encodeSessionState } from "../../src/session/state.ts";
import { SqliteRoutingStore } from "../../src/storage/sqlite-routing-store.ts";
import { SqliteSessionStore } from "../../src/storage/sqlite-session-store.ts";
import { connect, sessionStub, settings } from "./support.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 1000 } };

test("the compact broker's sessions and retained messages are told of once somebody stores something in the sharded one", async () => {
  const said = vi.spyOn(console, "log").mockImplementation(() => {});
  const told = (): object[] =>
    said.mock.calls
      .map(([line]) => JSON.parse(line as string) as { event: string })
      .filter(({ event }) => event === "data of another topology");
  const broker = sessionStub("default/broker");
  await runInDurableObject(broker, (_object, { storage }) => {
    const session = new Session("c", 1, NOBODY, new Ledger(1 << 20));
    session.expirySeconds = 1000;
    session.expiresAt = Number.POSITIVE_INFINITY;
    new SqliteSessionStore(storage.sql, new Meter()).putSession({ number: 1, clientId: "c", state: encodeSessionState(session, 1) });
    new SqliteRoutingStore(storage.sql, new Meter()).putRetained({ topic: "t", message: new Uint8Array(1), expiresAt: 0 });
  });
  await evictDurableObject(broker);
  const client = await connect("somebody", KEPT);
  expect(told()).toEqual([]);
  // A filter with a wildcard is stored by all Topic objects, the first one too.
  await client.subscribe("#", 1);
  await vi.waitFor(() => expect(told()).toHaveLength(1));
  expect(told()).toMatchObject([
    { object: "default/broker", sessions: 1, retained: 1, problem: expect.stringContaining("TOPOLOGY is sharded") },
  ]);
  // That was once and for all.
  await evictDurableObject(broker);
  await client.subscribe("+", 1);
  await client.subscribe("a/#", 1);
  expect(told()).toHaveLength(1);
  said.mockRestore();
});

test("who has a part in the topology, or holds nothing, says nothing; one object of a namespace wakes others", () => {
  const said = vi.spyOn(console, "log").mockImplementation(() => {});
  const some = () => ({ sessions: 1, retained: 0 });
  const compact = { ...settings, topology: "compact" } as const;
  for (const name of ["n/session/0", "n/topic/3", "n/client/n/broker"]) tellIfOther(name, settings, some);
  tellIfOther("n/broker", compact, some);
  tellIfOther("n/broker", settings, () => ({ sessions: 0, retained: 0 }));
  expect(said.mock.calls).toEqual([]);
  for (const name of ["n/session/0", "n/topic/3", "n/client/n/broker"]) tellIfOther(name, compact, some);
  expect(said.mock.calls).toHaveLength(3);
  said.mockRestore();
  const ctx = { waitUntil: () => {} };
  const waking = (name: string, of: typeof settings) => wakingOthers(name, of, env, ctx) !== undefined;
  expect(["n/topic/0", "n/topic/1", "n/session/0", "n/broker"].map((name) => waking(name, settings))).toEqual([true, false, false, false]);
  expect(["n/topic/0", "n/broker", "n/client/n/broker"].map((name) => waking(name, compact))).toEqual([false, true, false]);
});
