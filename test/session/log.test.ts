/** The message log: what a message costs in rows, how chunks live and end, and what a restart finds. */

import { describe, expect, test } from "vitest";
import { CHUNK_BYTES, RECIPIENT_BYTES_MAX, REPEAT_WINDOW_MS } from "../../src/limits.ts";
import { type LogRecord, MessageLog, type Recipient } from "../../src/session/log.ts";
import { Repeats } from "../../src/session/repeats.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { World } from "../support/core-harness.ts";
import { messageTo } from "./support.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

function setup() {
  const meter = createRowMeter();
  const store = new MemorySessionStore(meter);
  let sequence = 0;
  const open = (): MessageLog => new MessageLog(store, new Repeats(), 1);
  const log = open();
  /** Appends a message for one recipient of session 1. */
  const append = (bytes = 10, to: MessageLog = log): LogRecord => {
    sequence += 1;
    const record = to.append(messageTo("t", { payload: new Uint8Array(bytes), sequence }));
    to.addRecipient(record, {
      sessionNumber: 1,
      packetId: sequence,
      qos: 1,
      retain: false,
      identifiers: undefined,
      share: "",
    } as Recipient);
    return record;
  };
  const cost = (action: () => void): number => {
    const before = meter.rowsWritten;
    action();
    return meter.rowsWritten - before;
  };
  const chunks = (): number[] => store.chunks().map(({ number }) => number);
  return { store, log, open, append, cost, chunks };
}

describe("rows", () => {
  test("one row for all that came since the last flush, none for nothing", () => {
    const { log, append, cost } = setup();
    for (let count = 0; count < 50; count += 1) append();
    expect(cost(() => log.flush())).toBe(1);
    expect(cost(() => log.flush())).toBe(0);
  });

  test("a message that everybody had before the flush is never written", () => {
    const { log, append, cost } = setup();
    log.release(append());
    expect(cost(() => log.flush())).toBe(0);
  });

  test("a subscriber that keeps up costs one row a flush and no deletes: the newest chunk is overwritten", () => {
    const { log, append, cost, chunks, store } = setup();
    let previous = append();
    log.flush();
    for (let count = 0; count < 100; count += 1) {
      const next = append(1000);
      log.release(previous);
      expect(cost(() => log.flush())).toBe(1);
      previous = next;
    }
    expect(chunks()).toEqual([1]);
    // What is done is not written again: the chunk holds what is needed and no more.
    expect(store.chunks()[0]!.records.length).toBeLessThan(1500);
  });

  test("large messages cost one row each as well", () => {
    const { log, append, cost, chunks } = setup();
    for (let count = 0; count < 5; count += 1) {
      append(CHUNK_BYTES - 500);
      expect(cost(() => log.flush())).toBe(1);
    }
    expect(chunks()).toEqual([1, 2, 3, 4, 5]);
  });

  test("a chunk is full at its size, and is deleted once nobody needs anything in it", () => {
    const { log, append, cost, chunks } = setup();
    const records = [...Array(40).keys()].map(() => append(1000));
    log.flush();
    expect(chunks()).toEqual([1, 2, 3]);
    const inFirst = records.filter(({ chunk }) => chunk!.number === 1);
    for (const record of inFirst.slice(1)) log.release(record);
    expect(cost(() => log.flush())).toBe(0);
    log.release(inFirst[0]!);
    expect(cost(() => log.flush())).toBe(1);
    expect(chunks()).toEqual([2, 3]);
  });

  test("the newest chunk is deleted by `tidy` only when nobody needs it", () => {
    const { log, append, chunks } = setup();
    const record = append();
    log.flush();
    log.tidy();
    expect([log.untidy, chunks()]).toEqual([false, [1]]);
    log.release(record);
    log.flush();
    expect([log.untidy, chunks()]).toEqual([true, [1]]);
    log.tidy();
    expect(chunks()).toEqual([]);
    append();
    log.flush();
    expect(chunks()).toEqual([2]);
  });

  test("a record with several recipients is needed until the last of them has it", () => {
    const { log, append, chunks } = setup();
    const record = append();
    log.addRecipient(record, {
      sessionNumber: 2,
      packetId: 1,
      qos: 2,
      retain: false,
      identifiers: [3],
      share: "",
      owed: false,
    } as Recipient);
    log.flush();
    log.release(record);
    log.tidy();
    expect(chunks()).toEqual([1]);
    log.release(record);
    log.tidy();
    expect(chunks()).toEqual([]);
  });
});

describe("restart", () => {
  const everything = (): boolean => true;
  const nothingDamaged = (chunk: number, problem: string): never => {
    throw new Error(`chunk ${chunk}: ${problem}`);
  };

  test("finds what is needed, with all that is known of it, in order; done chunks go at the next flush", () => {
    const { log, open, append, chunks } = setup();
    const records = [...Array(40).keys()].map(() => append(1000));
    log.flush();
    const again = open();
    const restored = again.restore(({ packetId }) => packetId > 30, nothingDamaged);
    expect(restored.map(({ record }) => record.sequence)).toEqual(records.slice(30).map(({ sequence }) => sequence));
    expect(restored[0]!.recipients).toMatchObject([{ sessionNumber: 1, packetId: 31, qos: 1, retain: false, identifiers: undefined }]);
    expect(restored[0]!.record.message).toMatchObject({ topic: "t", qos: 1, origin: "elsewhere@1", sequence: 31 });
    again.flush();
    expect(chunks()).toEqual([3]);
  });

  test("new chunks and sequences come after the old ones", () => {
    const { log, open, append, chunks } = setup();
    const last = append();
    log.flush();
    const again = open();
    again.restore(everything, nothingDamaged);
    const next = append(CHUNK_BYTES, again);
    again.flush();
    expect(next.sequence).toBeGreaterThan(last.sequence);
    expect(chunks()).toEqual([1, 2]);
  });

  test("what was restored is released like anything else", () => {
    const { log, open, append, chunks } = setup();
    append();
    log.flush();
    const again = open();
    for (const { record } of again.restore(everything, nothingDamaged)) again.release(record);
    again.tidy();
    expect(chunks()).toEqual([]);
  });

  test("a damaged chunk is told and left alone; the others are read", () => {
    const { log, open, append, store, chunks } = setup();
    for (let count = 0; count < 40; count += 1) append(1000);
    log.flush();
    const [first, second] = store.chunks();
    store.putChunk({ number: first!.number, records: new Uint8Array([99]) });
    store.putChunk({ number: second!.number, records: second!.records.slice(0, 5000) });
    const damaged: string[] = [];
    const again = open();
    const restored = again.restore(everything, (chunk, problem) => damaged.push(`${chunk}: ${problem}`));
    expect(damaged).toEqual(["1: a chunk of version 99, where 2 was expected", expect.stringMatching(/^2: the record ends/)]);
    expect(restored.at(-1)!.record.message.sequence).toBe(40);
    // Of the second chunk the beginning could be read, the third is whole.
    const numbers = restored.map(({ record }) => record.message.sequence);
    const third = restored.filter(({ record }) => record.chunk!.number === 3).map(({ record }) => record.message.sequence);
    expect(third).toEqual([...Array(third.length).keys()].map((index) => 41 - third.length + index));
    expect([numbers[0]! > 10, third.length > 5]).toEqual([true, true]);
    again.flush();
    expect(chunks()).toEqual([1, 2, 3]);
  });

  test("remembers from its chunks which messages were here already", () => {
    const { store, append } = setup();
    const repeats = new Repeats();
    const remembering = new MessageLog(store, repeats, 1);
    repeats.isRepeat(messageTo("t", { sequence: 7, origin: "a@1" }), "topic-1", 1000);
    append(10, remembering);
    remembering.flush();
    const again = new Repeats();
    new MessageLog(store, again, 1).restore(everything, nothingDamaged);
    expect(again.isRepeat(messageTo("t", { sequence: 7, origin: "a@1" }), "topic-1", 2000)).toBe(true);
    expect(again.isRepeat(messageTo("t", { sequence: 8, origin: "a@1" }), "topic-1", 2000)).toBe(false);
  });
});

describe("in the core", () => {
  test("one row stores a message for any number of durable subscribers of the object", () => {
    const world = new World();
    const clients = [...Array(20).keys()].map((number) => {
      const client = world.connect(`c${number}`, DURABLE);
      client.subscribe("t", 1);
      return client;
    });
    const publisher = world.connect("p");
    const { meter } = world.sessions[0]!;
    const before = meter.rowsWritten;
    publisher.publish("t", "x", { qos: 1 });
    expect(meter.rowsWritten - before).toBe(1);
    for (const client of clients) client.puback(1);
    expect(meter.rowsWritten - before).toBe(1);
  });

  test("acknowledging costs far below one row a message", () => {
    const world = new World({ limits: { inflightMax: 500 } });
    const client = world.connect("c", DURABLE);
    client.subscribe("t", 1);
    const publisher = world.connect("p");
    const { meter } = world.sessions[0]!;
    for (let count = 0; count < 500; count += 1) publisher.publish("t", "x".repeat(100), { qos: 1 });
    const before = meter.rowsWritten;
    for (const { packetId } of client.messages()) client.puback(packetId);
    world.advance(REPEAT_WINDOW_MS + 1);
    expect(meter.rowsWritten - before).toBeLessThan(20);
    expect(world.sessions[0]!.store.chunks()).toEqual([]);
  });

  test("clean sessions and QoS 0 write no rows", () => {
    const world = new World();
    const clean = world.connect("clean");
    const durable = world.connect("durable", DURABLE);
    durable.subscribe("t", 0);
    clean.subscribe("t", 2);
    const publisher = world.connect("p");
    const before = world.sessions[0]!.meter.rowsWritten;
    for (const qos of [0, 1, 2] as const) publisher.publish("t", "x", { qos });
    clean.puback(1);
    clean.pubrec(2);
    clean.pubcomp(2);
    publisher.pubrel(2);
    publisher.disconnect();
    expect(world.sessions[0]!.meter.rowsWritten).toBe(before);
  });

  test("a retained publish costs one row", () => {
    const world = new World();
    const publisher = world.connect("p");
    const { meter } = world.topics[0]!;
    publisher.publish("t", "x", { retain: true });
    expect(meter.rowsWritten).toBe(1);
    publisher.publish("t", "y", { retain: true });
    expect(meter.rowsWritten).toBe(2);
  });

  test("a message for very many durable subscriptions still fits its rows, and reaches all of them", () => {
    const world = new World({ auto: false, limits: { subscriptionsMax: 1024, objectBytesMax: 1 << 30 } });
    const node = world.sessions[0]!;
    // 1024 filters that all match one topic: each of ten levels by name or by wildcard.
    const filters = [...Array(1024).keys()].map((number) =>
      [...Array(10).keys()].map((bit) => ((number >> bit) & 1 ? "+" : "l")).join("/"),
    );
    const subscriptions = filters.map(
      (filter) => ({ filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 2 }) as const,
    );
    const count = 120;
    for (let number = 0; number < count; number += 1) {
      const client = world.connect(`c${number}`, DURABLE);
      client.send({ type: 8, packetId: 1, subscriptions, properties: { subscriptionIdentifiers: [268_435_455] } });
      client.lose();
    }
    world.connect("p").publish(filters[0]!, new Uint8Array(1_000_000), { qos: 1 });
    world.settle();
    const bytes = node.store.chunks().map(({ records }) => records.length);
    expect(Math.max(...bytes)).toBeLessThan(1_000_000 + RECIPIENT_BYTES_MAX + 64 * 1024);
    node.crash();
    const waiting = [...node.core.sessions.values()].reduce((sum, { deliveries }) => sum + deliveries.size, 0);
    expect(waiting).toBe(count);
  });
});
