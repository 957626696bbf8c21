/** What is stored outlives memory; what is stored in a form that the code does not know costs itself and a line in the log. */

import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { NO_BYTES } from "../../src/mqtt/record.ts";
import type { SimulatedClient } from "../simulation/client.ts";
import type { SimulatedObject } from "../simulation/object.ts";
import { Broker, gotOf, SHAPES } from "./support.ts";

let log: MockInstance<typeof console.log>;
beforeEach(() => {
  log = vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => void log.mockRestore());

const logged = (): { event: string; problem: string }[] => log.mock.calls.map(([line]) => JSON.parse(line as string));

async function restart(broker: Broker, ...clients: readonly SimulatedClient[]): Promise<void> {
  broker.crash();
  await broker.pass(4_000);
  for (const client of clients) client.connect();
  await broker.pass(4_000);
}

describe.each(SHAPES)("%s, %i Session objects", (...shape) => {
  test("sessions, what waits for them, and retained messages outlive every object's memory", async () => {
    const broker = new Broker(shape);
    const reader = await broker.connect("reader");
    const writer = await broker.connect("writer");
    reader.subscribe("live", 2);
    await broker.pass(4_000);
    reader.drop();
    await broker.pass(4_000);
    writer.publish("live", 2);
    writer.publish("kept", 1, { kind: "retained" });
    await broker.pass(4_000);
    await restart(broker, writer, reader);
    expect(reader.lives.at(-2)!.resumed).toBe(true);
    expect(gotOf(broker, reader, "live")).toEqual([broker.published.findIndex(({ topic }) => topic === "live")]);
    reader.subscribe("kept", 1);
    await broker.pass(4_000);
    expect(gotOf(broker, reader, "kept").length).toBe(1);
    expect([logged(), reader.problems, writer.problems]).toEqual([[], [], []]);
  });

  test("storage that refuses a write: nothing is acknowledged, one line says so, and the object starts again from what is stored", async () => {
    const broker = new Broker(shape);
    const reader = await broker.connect("reader");
    const writer = await broker.connect("writer");
    reader.subscribe("t", 1);
    await broker.pass(4_000);
    writer.publish("t", 1);
    await broker.pass(4_000);
    broker.world.faults = { ...broker.world.faults, writeRefused: 1 };
    writer.publish("t", 1);
    await broker.pass(1_000);
    const [first, second] = broker.published;
    expect([first!.acknowledgedAt === undefined, second!.acknowledgedAt === undefined]).toEqual([false, true]);
    expect(logged().map(({ event }) => event)).toContain("rows could not be written; the object starts again");
    broker.world.faults = { ...broker.world.faults, writeRefused: 0 };
    await broker.pass(4_000);
    for (const client of [reader, writer]) if (!client.connected) client.connect();
    await broker.pass(90_000, reader, writer);
    expect(second!.acknowledgedAt).toBeDefined();
    expect(new Set(gotOf(broker, reader, "t"))).toEqual(new Set([0, 1]));
    expect([reader.problems, writer.problems]).toEqual([[], []]);
  });

  test.each([
    ["a newer version", Uint8Array.of(99, 1, 2, 3)],
    ["a truncated blob", Uint8Array.of(1, 0x80)],
    ["nothing at all", new Uint8Array(0)],
  ])("%s in every kind of row: one line for each, and the object serves on", async (_, bad) => {
    const broker = new Broker(shape);
    const client = await broker.connect("client");
    client.subscribe("t", 1);
    await broker.pass(4_000);
    const object = broker.world.objects.find(({ isTopic }) => !isTopic)!;
    const store = object.sessionStore;
    store.putSession({ number: 1, clientId: "old", state: bad });
    store.putSubscription({ sessionNumber: 1, filter: "t", options: 1, subscriptionIdentifier: 0 });
    store.putWill({ clientId: "old", will: bad });
    store.putChunk({ number: 1, heads: NO_BYTES, records: bad });
    await restart(broker, client);
    const lines = logged().filter(({ event }) => event === "stored data skipped");
    expect(lines.map(({ problem }) => problem.replace(/:.*/s, "")).sort()).toEqual([
      "message log, chunk 1",
      "session row 1",
      'will of "old"',
    ]);
    expect(client.lives.at(-2)!.resumed).toBe(true);
    client.publish("t", 1);
    await broker.pass(4_000);
    expect(gotOf(broker, client, "t").length).toBe(1);
    // Whoever comes under the name of the session that can't be read begins a new one.
    const old = await broker.connect("old");
    expect([old.connected, old.problems, client.problems]).toEqual([true, [], []]);
  });

  test("a retained message that can't be read is as good as none", async () => {
    const broker = new Broker(shape);
    const client = await broker.connect("client");
    client.publish("t/good", 1, { kind: "retained" });
    client.publish("t/bad", 1, { kind: "retained" });
    await broker.pass(4_000);
    const holds = (object: SimulatedObject): boolean => object.routingStore.retained("t/bad") !== undefined;
    broker.world.objects.find(holds)!.routingStore.putRetained({ topic: "t/bad", message: Uint8Array.of(99), expiresAt: 0 });
    await restart(broker, client);
    client.subscribe("t/+", 1);
    await broker.pass(4_000);
    expect([gotOf(broker, client, "t/good").length, gotOf(broker, client, "t/bad")]).toEqual([1, []]);
  });
});
