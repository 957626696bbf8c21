/** The message log: what a message costs in rows, how chunks live and end, and what a restart finds. */

import { describe, expect, test, vi } from "vitest";
import { REPEAT_WINDOW_MS } from "../../src/limits.ts";
import type { Recipient } from "../../src/session/chunk.ts";
import type { Head } from "../../src/session/chunk-heads.ts";
import type { Damaged } from "../../src/session/chunk-rows.ts";
import { MessageLog } from "../../src/session/log.ts";
import type { LogRecord } from "../../src/session/log-record.ts";
import { Repeats } from "../../src/session/repeats.ts";
import { AS_PUBLISHED } from "../../src/session/retain.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { CHUNK_BYTES, RECIPIENT_BYTES_MAX, REPEATS_CHUNKS_MAX } from "../../src/storage-limits.ts";
import { World } from "../support/core-harness.ts";
import { allChunks } from "../support/deliveries.ts";
import { messageTo } from "./support.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

const nothingDamaged: Damaged = (chunk, { message }) => {
  throw new Error(`chunk ${chunk}: ${message}`);
};

function setup() {
  const meter = createRowMeter();
  const store = new MemorySessionStore(meter);
  let sequence = 0;
  const open = (damaged = nothingDamaged): MessageLog => new MessageLog(store, new Repeats(), 1, damaged);
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
  const chunks = (): number[] => allChunks(store).map(({ number }) => number);
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
    log.release(append().sequence);
    expect(cost(() => log.flush())).toBe(0);
  });

  test("a subscriber that keeps up costs one row a flush and no deletes: the newest chunk is overwritten", () => {
    const { log, append, cost, chunks, store } = setup();
    let previous = append();
    log.flush();
    for (let count = 0; count < 100; count += 1) {
      const next = append(1000);
      log.release(previous.sequence);
      expect(cost(() => log.flush())).toBe(1);
      previous = next;
    }
    expect(chunks()).toEqual([1]);
    // What is done is not written again: the chunk holds what is needed and no more.
    expect(allChunks(store)[0]!.records.length).toBeLessThan(1500);
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
    for (const record of inFirst.slice(1)) log.release(record.sequence);
    expect(cost(() => log.flush())).toBe(0);
    log.release(inFirst[0]!.sequence);
    expect(cost(() => log.flush())).toBe(1);
    expect(chunks()).toEqual([2, 3]);
  });

  test("the newest chunk is deleted by `tidy` only when nobody needs it", () => {
    const { log, append, chunks } = setup();
    const record = append();
    log.flush();
    log.tidy();
    expect([log.untidy, chunks()]).toEqual([false, [1]]);
    log.release(record.sequence);
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
    log.release(record.sequence);
    log.tidy();
    expect(chunks()).toEqual([1]);
    log.release(record.sequence);
    log.tidy();
    expect(chunks()).toEqual([]);
  });
});

describe("restart", () => {
  const everything = (): boolean => true;

  /** What a new log says after a start of what is needed. */
  function restored(log: MessageLog, needed: (head: Head) => boolean = everything, damaged: Damaged = nothingDamaged): Head[] {
    const heads: Head[] = [];
    log.restore((head) => {
      if (!needed(head)) return false;
      heads.push({ ...head });
      return true;
    }, damaged);
    return heads;
  }

  const read = (log: MessageLog, head: Head) => log.find({ ...head, sent: false }, head.sessionNumber);

  test.each(["with heads", "without heads, as older code wrote them"])(
    "finds what is needed, %s, with all that is known of it, in order; done chunks go at the next flush",
    (how) => {
      const { log, open, append, chunks, store } = setup();
      const records = [...Array(40).keys()].map(() => append(1000));
      log.flush();
      if (how !== "with heads") for (const row of allChunks(store)) store.putChunk({ ...row, heads: new Uint8Array(1) });
      const again = open();
      const heads = restored(again, ({ packetId }) => packetId > 30);
      expect(heads.map(({ sequence }) => sequence)).toEqual(records.slice(30).map(({ sequence }) => sequence));
      expect(heads[0]).toMatchObject({ sessionNumber: 1, packetId: 31, flags: 1, size: 1001 });
      expect(read(again, heads[0]!)).toMatchObject({ message: { topic: "t", qos: 1, origin: "elsewhere@1", sequence: 31 }, share: "" });
      expect(heads.map((head) => read(again, head)!.message.sequence)).toEqual([...Array(10).keys()].map((index) => 31 + index));
      again.flush();
      expect(chunks()).toEqual([3]);
    },
  );

  test("finds what is in older chunks when nothing of the newest one is needed, and when one between them can't be read", () => {
    const { log, open, append, store } = setup();
    for (let count = 0; count < 60; count += 1) append(1000);
    log.flush();
    const [, second] = allChunks(store);
    store.putChunk({ ...second!, heads: new Uint8Array(1), records: new Uint8Array([99]) });
    const again = open();
    const heads = restored(
      again,
      ({ packetId }) => packetId <= 40,
      () => {},
    );
    expect(heads.map((head) => read(again, head)?.message.sequence)).toEqual(heads.map(({ packetId }) => packetId));
  });

  test("reads the newest chunk and none of the others, until something of them is asked for", () => {
    const { log, open, append, store } = setup();
    for (let count = 0; count < 40; count += 1) append(1000);
    log.flush();
    const reads = vi.spyOn(store, "chunk");
    const again = open();
    const heads = restored(again);
    expect(reads.mock.calls).toEqual([[3]]);
    expect([read(again, heads[0]!)?.message.sequence, read(again, heads[1]!)?.message.sequence]).toEqual([1, 2]);
    expect(reads.mock.calls).toEqual([[3], [1]]);
  });

  test("of chunks that are not read every recipient counts: the last one takes the row with it", () => {
    const { log, open, append, chunks } = setup();
    for (let count = 0; count < 40; count += 1) append(1000);
    log.flush();
    const again = open();
    const first = restored(again).filter(({ sequence }) => sequence <= 16);
    for (const { sequence } of first.slice(1)) again.release(sequence);
    again.flush();
    expect(chunks()).toEqual([1, 2, 3]);
    again.release(first[0]!.sequence);
    again.flush();
    expect(chunks()).not.toContain(1);
  });

  test("who came through a shared subscription, or has Subscription Identifiers, is read from the record", () => {
    const { log, open } = setup();
    const record = log.append(messageTo("t"));
    const due = { qos: 2, retain: AS_PUBLISHED, owed: true } as const;
    log.addRecipient(record, { ...due, sessionNumber: 1, packetId: 7, identifiers: [5, 6], share: "$share/g/t" });
    log.addRecipient(record, { ...due, sessionNumber: 2, packetId: 7, identifiers: undefined, share: "" });
    log.append(messageTo("t"));
    log.flush();
    const filling = log.append(messageTo("t", { payload: new Uint8Array(CHUNK_BYTES) }));
    log.addRecipient(filling, { ...due, sessionNumber: 2, packetId: 8, identifiers: undefined, share: "" });
    log.flush();
    const again = open();
    const [one, other] = restored(again);
    expect(read(again, one!)).toMatchObject({ identifiers: [5, 6], share: "$share/g/t" });
    expect(read(again, other!)).toMatchObject({ identifiers: undefined, share: "" });
    expect([one!.flags, other!.flags]).toEqual([2 + 4 + 8 + 16 + 32 + 64, 2 + 4 + 8 + 16]);
  });

  test("a message for more recipients than heads have room for is found all the same", () => {
    const { log, open, store } = setup();
    const record = log.append(messageTo("t"));
    for (let sessionNumber = 1; sessionNumber <= 12_000; sessionNumber += 1) {
      const due = { qos: 1, retain: false, identifiers: undefined, share: "", owed: false } as const;
      log.addRecipient(record, { ...due, sessionNumber: 2 ** 50 + sessionNumber, packetId: 1 });
    }
    log.flush();
    expect(store.chunkHeads(0, 1)[0]!.heads.length).toBe(1);
    expect(restored(open()).length).toBe(12_000);
  });

  test("new chunks and sequences come after the old ones", () => {
    const { log, open, append, chunks } = setup();
    const last = append();
    log.flush();
    const again = open();
    restored(again);
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
    for (const { sequence } of restored(again)) again.release(sequence);
    again.tidy();
    expect(chunks()).toEqual([]);
  });

  test("a damaged chunk is told once, when it is read, and left alone; the others are there", () => {
    const { log, open, append, store, chunks } = setup();
    for (let count = 0; count < 60; count += 1) append(1000);
    log.flush();
    const [first, second] = allChunks(store);
    store.putChunk({ ...first!, records: new Uint8Array([99]) });
    store.putChunk({ ...second!, records: second!.records.slice(0, 5000) });
    const damaged: string[] = [];
    const again = open((chunk, { message }) => damaged.push(`${chunk}: ${message}`));
    const heads = restored(again);
    const found = heads.map((head) => read(again, head)?.message.sequence);
    expect(damaged).toEqual(["1: a chunk of version 99, where 3 was expected", expect.stringMatching(/^2: the record ends/)]);
    const inFirst = found.indexOf(found.find((sequence) => sequence !== undefined));
    // Of the second chunk the beginning can be read.
    expect(found.slice(inFirst, inFirst + 4)).toEqual(heads.slice(inFirst, inFirst + 4).map((_head, index) => inFirst + 1 + index));
    expect(found[inFirst + 5]).toBe(undefined);
    expect(found.at(-1)).toBe(60);
    for (const { sequence } of heads) again.release(sequence);
    again.flush();
    again.tidy();
    expect(chunks()).toEqual([1, 2]);
  });

  test("the newest chunk, or one without heads, is read at the start: damage is told there", () => {
    const { log, open, append, store, chunks } = setup();
    for (let count = 0; count < 40; count += 1) append(1000);
    log.flush();
    const [first, , third] = allChunks(store);
    store.putChunk({ ...first!, heads: new Uint8Array(1), records: new Uint8Array([99]) });
    store.putChunk({ ...third!, records: third!.records.slice(0, 2500) });
    const damaged: string[] = [];
    const again = open();
    const heads = restored(again, everything, (chunk, { message }) => damaged.push(`${chunk}: ${message}`));
    expect(damaged).toEqual(["1: a chunk of version 99, where 3 was expected", expect.stringMatching(/^3: the record ends/)]);
    expect(heads.map((head) => read(again, head)?.message.sequence)).toEqual(heads.map(({ packetId }) => packetId));
    append(10, again);
    again.flush();
    expect(chunks()).toEqual([1, 2, 3, 4]);
  });

  test("remembers from its chunks which messages were here already", () => {
    const { store, append } = setup();
    const repeats = new Repeats();
    const remembering = new MessageLog(store, repeats, 1, nothingDamaged);
    repeats.isRepeat(messageTo("t", { sequence: 7, origin: "a@1" }), "topic-1", 1000);
    append(10, remembering);
    remembering.flush();
    const again = new Repeats();
    new MessageLog(store, again, 1, nothingDamaged).restore(everything, nothingDamaged);
    expect(again.isRepeat(messageTo("t", { sequence: 7, origin: "a@1" }), "topic-1", 2000)).toBe(true);
    expect(again.isRepeat(messageTo("t", { sequence: 8, origin: "a@1" }), "topic-1", 2000)).toBe(false);
  });

  test.each([1, 40])(
    "of so many pairs that no chunk holds all, each chunk remembers some: what %i chunks remember is known again",
    (most) => {
      const { store, append } = setup();
      const repeats = new Repeats();
      const remembering = new MessageLog(store, repeats, 1, nothingDamaged);
      const pairs = most * 200;
      for (let pair = 0; pair < pairs; pair += 1) {
        repeats.isRepeat(messageTo("t", { sequence: 7, origin: `origin-${pair}@1` }), "topic-1", 1000 + pair);
        if (pair % 100 === 0) append(CHUNK_BYTES, remembering);
        remembering.flush();
      }
      append(CHUNK_BYTES, remembering);
      remembering.flush();
      const again = new Repeats();
      const reads = vi.spyOn(store, "chunk");
      new MessageLog(store, again, 1, nothingDamaged).restore(everything, nothingDamaged);
      const known = [...Array(pairs).keys()]
        .slice(-3900)
        .filter((pair) => again.isRepeat(messageTo("t", { sequence: 7, origin: `origin-${pair}@1` }), "topic-1", 2000 + pairs));
      // More than ORIGINS_MAX are never known.
      expect(known.length).toBe(Math.min(pairs, 3900));
      expect(reads.mock.calls.length).toBeLessThanOrEqual(most === 1 ? 1 : 1 + REPEATS_CHUNKS_MAX);
    },
  );
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
    expect(allChunks(world.sessions[0]!.store)).toEqual([]);
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
    const bytes = allChunks(node.store).map(({ records }) => records.length);
    expect(Math.max(...bytes)).toBeLessThan(1_000_000 + RECIPIENT_BYTES_MAX + 64 * 1024);
    node.crash();
    const waiting = [...node.core.sessions.values()].reduce((sum, { outstanding }) => sum + outstanding, 0);
    expect(waiting).toBe(count);
  });
});
