/**
 * Two builds of the broker on the same data. Forward, an object reads what the build before has written, and objects of both talk to each
 * other; that is simulated (test/simulation/builds.ts), with every promise. Back, an older build finds what a newer one has written: it
 * never takes it for something else, says so, serves everybody else, and leaves it where it is for the next deploy.
 */

import { afterEach, beforeEach, expect, type MockInstance, test, vi } from "vitest";
import { NO_BYTES } from "../../src/mqtt/record.ts";
import { ofUnknownVersion, stateOfBefore, willOfBefore } from "../simulation/builds.ts";
import type { SimulatedClient } from "../simulation/client.ts";
import type { SimulatedObject } from "../simulation/object.ts";
import { Broker, gotOf } from "./support.ts";

let log: MockInstance<typeof console.log>;
beforeEach(() => {
  log = vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => void log.mockRestore());

function told(): string[] {
  const lines = log.mock.calls.map(([line]) => JSON.parse(line as string) as { event: string; problem: string });
  log.mockClear();
  return [...new Set(lines.map(({ event, problem }) => `${event}: ${problem}`))];
}

/** Rewrites everything that has a version. */
function rewrite({ sessionStore, routingStore }: SimulatedObject, bytesOf: (bytes: Uint8Array, what: string) => Uint8Array): void {
  for (const row of sessionStore.sessions()) sessionStore.putSession({ ...row, state: bytesOf(row.state, "session") });
  for (const row of sessionStore.wills()) sessionStore.putWill({ ...row, will: bytesOf(row.will, "will") });
  for (const { number } of sessionStore.chunkHeads(0, 100)) {
    const { records } = sessionStore.chunk(number)!;
    sessionStore.putChunk({ number, heads: NO_BYTES, records: bytesOf(records, "chunk") });
  }
  for (const topic of routingStore.range!("", undefined)) {
    const row = routingStore.retained(topic)!;
    routingStore.putRetained({ ...row, message: bytesOf(row.message, "retained") });
  }
}

interface Kept {
  readonly broker: Broker;
  readonly object: SimulatedObject;
  readonly reader: SimulatedClient;
}

/** A session that is kept and for which a message waits, a will that waits, and a retained message. */
async function keptBroker(): Promise<Kept> {
  const broker = new Broker(["compact", 1]);
  const reader = await broker.connect("reader", { will: { qos: 1, delaySeconds: 600 } });
  reader.subscribe("t", 1);
  await broker.pass(4_000);
  reader.drop();
  const writer = await broker.connect("writer", { expirySeconds: 0 });
  writer.publish("t", 1);
  writer.publish("r", 1, { kind: "retained" });
  await broker.pass(4_000);
  writer.disconnect();
  await broker.pass(4_000);
  return { broker, object: broker.world.object("n/broker"), reader };
}

test("a build finds all that the build before has written", async () => {
  const { broker, object, reader } = await keptBroker();
  rewrite(object, (bytes, what) => (what === "session" ? stateOfBefore(bytes) : what === "will" ? willOfBefore(bytes) : bytes));
  object.reset();
  reader.connect();
  await broker.pass(4_000);
  expect([gotOf(broker, reader, "t").length, reader.problems, told()]).toEqual([1, [], []]);
});

test("after a roll-back what the newer build has written is left alone, told, and there again with the next deploy", async () => {
  const { broker, object, reader } = await keptBroker();
  const [before, after]: Uint8Array[][] = [[], []];
  rewrite(object, (bytes) => {
    before.push(bytes);
    return ofUnknownVersion(bytes);
  });
  object.reset();
  told();
  const other = await broker.connect("other");
  other.subscribe("#", 1);
  await broker.pass(4_000);
  other.publish("o", 1);
  await broker.pass(4_000);
  expect([gotOf(broker, other, "o").length, gotOf(broker, other, "r").length, other.problems]).toEqual([1, 0, []]);
  const lines = told();
  for (const what of [/session row \d+: .*version 100/, /will of "reader": .*version 100/, /chunk \d+: .*version 100/, /"r": version 100/])
    expect(lines.filter((line) => what.test(line))).toHaveLength(1);
  other.disconnect();
  // Long after, all of it is still there.
  await broker.pass(600_000);
  rewrite(object, (bytes) => {
    if (bytes[0] !== 100) return bytes;
    after.push(bytes);
    return before[after.length - 1]!;
  });
  expect(after).toHaveLength(4);
  object.reset();
  reader.connect();
  await broker.pass(4_000);
  reader.subscribe("r", 1);
  await broker.pass(4_000);
  expect([gotOf(broker, reader, "t").length, gotOf(broker, reader, "r").length, reader.problems]).toEqual([1, 1, []]);
});

test("what waits for a session that can't be read stays, however much the log is used by others", async () => {
  const { broker, object, reader } = await keptBroker();
  const other = await broker.connect("other");
  other.subscribe("o", 1);
  await broker.pass(4_000);
  const [before] = object.sessionStore.sessions().filter(({ clientId }) => clientId === "reader");
  object.sessionStore.putSession({ ...before!, state: ofUnknownVersion(before!.state) });
  for (let life = 0; life < 3; life += 1) {
    object.reset();
    other.drop();
    const writer = await broker.connect("writer", { expirySeconds: 0 });
    writer.publish("o", 1);
    await broker.pass(4_000);
    writer.disconnect();
    other.connect();
    // So long after its last message nothing is left of a log that nobody needs.
    await broker.pass(600_000, other);
    expect(new Set(gotOf(broker, other, "o")).size).toBe(life + 1);
  }
  object.sessionStore.putSession(before!);
  object.reset();
  reader.connect();
  await broker.pass(4_000);
  expect([gotOf(broker, reader, "t").length, reader.problems, other.problems]).toEqual([1, [], []]);
});

test("a client that comes meanwhile begins another session, and that one counts from then on", async () => {
  const { broker, object, reader } = await keptBroker();
  rewrite(object, (bytes, what) => (what === "session" ? ofUnknownVersion(bytes) : bytes));
  object.reset();
  reader.connect();
  await broker.pass(4_000);
  expect([reader.problems, gotOf(broker, reader, "t")]).toEqual([["the broker lost a durable session"], []]);
  reader.subscribe("u", 1);
  await broker.pass(4_000);
  const [older] = object.sessionStore.sessions().filter(({ state }) => state[0] === 100);
  const [newer] = object.sessionStore.sessions().filter(({ state }) => state[0] !== 100);
  object.sessionStore.putSession({ ...older!, state: newer!.state });
  told();
  object.reset();
  reader.connect();
  await broker.pass(4_000);
  expect(told()).toEqual([expect.stringContaining(`session row ${older!.number}: "reader" has a newer one`)]);
  expect(object.sessionStore.sessions().map(({ number }) => number)).toEqual([newer!.number]);
  expect([...object.sessionHost!.core.sessions.get("reader")!.subscriptions.keys()]).toEqual(["u"]);
});
