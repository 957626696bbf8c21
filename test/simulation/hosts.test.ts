/** What the hosts do when the platform lets them down in ways that the simulation does not play. */

import { describe, expect, test, vi } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { BATCH_BYTES_MAX, RETAINED_WORK_PER_MS, RETAINED_WORK_PER_TICK, RETRY_MS_TOTAL } from "../../src/limits.ts";
import { MEMORY } from "../../src/memory-limits.ts";
import {
  type BatchRecord,
  BatchWriter,
  decodeBatch,
  RECORD_ASK,
  RECORD_AWAITED,
  RECORD_LIVE,
  RECORD_PAGE,
  RECORD_PUBLISH,
  RECORD_REDISTRIBUTE,
  RECORD_SHARE,
  RECORD_SHARED,
  RECORD_SUBSCRIBE,
  RECORD_UNSUBSCRIBE,
} from "../../src/mqtt/batch.ts";
import { decodeDeliveryAnswer, encodeDeliveryAnswer, type Unwanted } from "../../src/mqtt/delivery-answer.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  decodeExchangeAnswer,
  type ExchangeAnswer,
  encodeExchangeAnswer,
  NOTHING_RETAINED,
  PENDING,
} from "../../src/mqtt/exchange-answer.ts";
import { writeMessage } from "../../src/mqtt/message.ts";
import { CONNECT, NO_PROPERTIES } from "../../src/mqtt/packet.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, NO_MATCHING_SUBSCRIBERS, SUCCESS } from "../../src/mqtt/reason-code.ts";
import { RecordWriter } from "../../src/mqtt/record.ts";
import { IF_GIVEN, SHORT_QUEUE, type ShareDemand } from "../../src/mqtt/share-target.ts";
import { Arrivals } from "../../src/objects/arrivals.ts";
import { CallQueue } from "../../src/objects/call-queue.ts";
import { LocalRouter } from "../../src/objects/local-router.ts";
import { createCallMeter, Meter } from "../../src/objects/meter.ts";
import { shapeHistory, shapeNumber } from "../../src/objects/names.ts";
import { Request } from "../../src/objects/request.ts";
import { RetainedReader } from "../../src/objects/retained-reader.ts";
import type { Router } from "../../src/objects/router.ts";
import { SessionHost } from "../../src/objects/session-host.ts";
import { TopicHost } from "../../src/objects/topic-host.ts";
import { TopicQueue } from "../../src/objects/topic-queue.ts";
import type { RoutingCore } from "../../src/routing/core.ts";
import type { Runtime } from "../../src/runtime.ts";
import { addSubscription } from "../../src/session/interest.ts";
import { endSession } from "../../src/session/lifecycle.ts";
import type { SessionMachine } from "../../src/session/machine.ts";
import { NOBODY, type Ticket, type Wanted } from "../../src/session/ports.ts";
import { Session } from "../../src/session/session.ts";
import { encodeSessionState } from "../../src/session/state.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { RowTooLarge } from "../../src/storage/row-limit.ts";
import { SLICES } from "../../src/work-limits.ts";
import { messageTo } from "../session/support.ts";
import { NO_FAULTS } from "../support/faults.ts";
import { connectPacket } from "../support/mqtt-client.ts";
import { notHeld, stillRuntime } from "./still-runtime.ts";

test("a shape that is back is another one: calls of the time before are refused", () => {
  const shape = (sessionShards: string, previous: string): number =>
    shapeNumber(
      parseSettings({ TOPOLOGY: "sharded", SESSION_SHARDS: sessionShards, TOPIC_SHARDS: "2", PREVIOUS_SHAPES: previous }) as Settings,
    );
  const numbers = [shape("2", ""), shape("5", "2+2"), shape("2", "5+2,2+2"), shape("1024", "2+2"), shape("0", "2+2,2+2")];
  expect(new Set(numbers).size).toBe(numbers.length);
});

test("a batch that comes a second time is answered as the first, and nothing in it is done again", async () => {
  const meter = new Meter();
  const store = new MemoryRoutingStore(meter);
  const runtime = stillRuntime();
  const settings = parseSettings({ TOPOLOGY: "sharded" }) as Settings;
  const host = new TopicHost({
    settings,
    name: "n/topic/0",
    store,
    topics: () => {
      throw new Error("there are no others");
    },
    sessions: () => ({ deliver: () => new Promise(() => {}), hold: notHeld }),
    meter,
    runtime,
  });
  const writer = new BatchWriter("n/session/0", 1, shapeNumber(settings), 0);
  writer.begin();
  writer.add({ kind: RECORD_SUBSCRIBE, filter: "a", qos: 0, version: 1, lasting: true });
  writer.add({ kind: RECORD_PUBLISH, message: messageTo("a", { retain: true, payload: new Uint8Array([1]) }) });
  const batch = writer.finish();
  const [first, written] = [await host.exchange(batch), meter.rowsWritten];
  // Another publisher's newer retained message must stay.
  const other = new BatchWriter("n/session/1", 1, shapeNumber(settings), 0);
  other.add({ kind: RECORD_PUBLISH, message: messageTo("a", { retain: true, payload: new Uint8Array([2]), sequence: 2 }) });
  await host.exchange(other.finish());
  expect(await host.exchange(batch)).toEqual(first);
  expect(meter.rowsWritten).toBe(written + 1);
  expect(store.retained("a")?.message.at(-1)).toBe(2);
});

function sessionHost(settings: Settings, sockets: WebSocket[] = [], store = new MemorySessionStore(new Meter())): SessionHost {
  const meter = new Meter();
  return new SessionHost({
    state: {
      storage: { getAlarm: async () => null, setAlarm: async () => {} },
      getWebSockets: () => sockets,
      abort: () => {},
      acceptWebSocket: () => {},
    },
    store,
    settings,
    name: "n/session/0",
    meter,
    runtime: stillRuntime(),
    router: () => ({ serve: () => {}, flush: () => {}, share: () => {} }) as unknown as Router,
    peers: () => {
      throw new Error("there are no others");
    },
  });
}

test("a Topic object says which member of a shared subscription is due, and whether all others are as well", () => {
  const settings = parseSettings({ TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true", SHARED_SUBSCRIPTION_STRATEGY: "hash_client" }) as Settings;
  const host = sessionHost(settings);
  const { core } = host;
  const sessions = ["m", "n", "plain"].map((clientId) => {
    const session = new Session(clientId, core.numbers.next(), NOBODY, core.ledger);
    session.expirySeconds = 1000;
    const filter = clientId === "plain" ? "a" : "$share/g/a";
    const request = { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    core.sessions.set(clientId, session);
    addSubscription(core, session, { session, request, identifier: 0 });
    return session;
  });
  const writer = new BatchWriter("n/topic/0", 1, shapeNumber(settings), 0);
  let sequence = 0;
  const come = (key: number, live: boolean): number[] => {
    writer.begin();
    sequence += 1;
    const shares = [{ filter: "$share/g/a", key, demand: 0 as const }];
    writer.add({ kind: RECORD_SHARED, live, shares, message: messageTo("a", { sequence, origin: "n/session/9@1" }) });
    // Its answer waits for a clock that stands still.
    void host.deliver(writer.finish());
    return sessions.map(({ outstanding }) => outstanding);
  };
  expect(come(0, false)).toEqual([1, 0, 0]);
  expect(come(1, false)).toEqual([1, 1, 0]);
  expect(come(1, true)).toEqual([1, 2, 1]);
});

test.each([
  ["as before", { kind: RECORD_LIVE } as const],
  [
    "with one for a shared subscription",
    { kind: RECORD_SHARED, live: true, shares: [{ filter: "$share/g/a", key: 0, demand: 0 }] } as const,
  ],
])("a message that comes again %s reaches a session that has moved here in between without it", async (_, record) => {
  const settings = parseSettings({ TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true" }) as Settings;
  const host = sessionHost(settings);
  const { core } = host;
  const writer = new BatchWriter("n/topic/0", 1, shapeNumber(settings), 0);
  const come = async (repeated: boolean): Promise<void> => {
    writer.begin();
    writer.add({ ...record, message: messageTo("a", { qos: 2, sequence: 5, settledBelow: 1, origin: "n/session/9@1", repeated }) });
    await host.deliver(writer.finish());
  };
  await come(false);
  const session = new Session("moved", core.numbers.next(), NOBODY, new Ledger(1 << 30));
  const request = { filter: "a", qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  addSubscription(core, session, { session, request, identifier: 0 });
  session.lacks.add([{ object: "n/session/9", sequences: [5] }]);
  core.sessions.set("moved", session);
  core.moved.add(session);
  for (const _copy of [1, 2]) await come(true);
  expect(session.outstanding).toBe(1);
});

test("who was told that nobody here has a message is not overtaken by an earlier life of itself, though this object starts anew in between", async () => {
  const settings = parseSettings({ TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true" }) as Settings;
  const store = new MemorySessionStore(new Meter());
  const share = "$share/g/a";
  const come = async (host: SessionHost, epoch: number, demand: ShareDemand): Promise<readonly Unwanted[]> => {
    const writer = new BatchWriter("n/topic/0", epoch, shapeNumber(settings), 0);
    writer.begin();
    const message = messageTo("a", { qos: 2, sequence: 5, settledBelow: 1, origin: "n/session/9@1", repeated: demand === IF_GIVEN });
    writer.add({ kind: RECORD_SHARED, live: false, shares: [{ filter: share, key: 0, demand }], message });
    return decodeDeliveryAnswer(await host.deliver(writer.finish())).unwanted;
  };
  expect(await come(sessionHost(settings, [], store), 2, IF_GIVEN)).toEqual([{ record: 0, share, full: true }]);
  const anew = sessionHost(settings, [], store);
  await expect(come(anew, 1, SHORT_QUEUE)).rejects.toThrow("earlier life");
  expect(await come(anew, 2, SHORT_QUEUE)).toEqual([{ record: 0, share, full: false }]);
});

test("what came late for a session that ends while it is asked for is given to nobody who is gone, and not let go of", async () => {
  const settings = parseSettings({ TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true" }) as Settings;
  const { core } = sessionHost(settings);
  const session = new Session("s", core.numbers.next(), NOBODY, core.ledger);
  session.cameFrom = [{ object: "n/session/9", through: 0 }];
  core.sessions.set("s", session);
  const writer = new RecordWriter(64);
  writeMessage(writer, messageTo("a"));
  const due = { qos: 1, retain: false, identifiers: undefined, share: "$share/g/a", owed: false } as const;
  const late = { ...due, packetId: 1, sent: false, message: writer.finish() };
  const letGo = vi.fn(async () => {});
  const arrivals = new Arrivals({
    ...{ core, settings, name: "n/session/0", router: {} as Router, written: async () => {} },
    peers: () => ({
      offerSession: async () => undefined,
      exportSession: async () => {
        endSession(core, session);
        const state = encodeSessionState(session, 1);
        return { state, will: undefined, had: [], settled: new Map(), deliveries: [late], through: 5, next: undefined };
      },
      letGo,
    }),
  });
  await arrivals.fetch("s", false, NOBODY);
  expect([session.outstanding, core.sessions.size, letGo.mock.calls]).toEqual([0, 0, []]);
});

/** The longest filters of shared subscriptions that match a topic. */
const longShares = (topic: string, count: number): string[] =>
  [...Array(count).keys()].map((index) => `$share/${index}${"x".repeat(65_000)}/${topic}`);

test("no batch is larger than a call may be, whatever the filters of shared subscriptions that are in it", async () => {
  const settings = parseSettings({ TOPOLOGY: "sharded" }) as Settings;
  const runtime = stillRuntime();
  const calls: Uint8Array[] = [];
  const host = new TopicHost({
    ...{ settings, name: "n/topic/0", store: new MemoryRoutingStore(new Meter()), meter: new Meter(), runtime },
    topics: () => {
      throw new Error("there are no others");
    },
    sessions: () => ({
      deliver: async (bytes) => {
        calls.push(bytes);
        return encodeDeliveryAnswer({ version: 1, unwanted: [], slow: [], counts: [] });
      },
      hold: notHeld,
    }),
  });
  const writer = new BatchWriter("n/session/0", 1, shapeNumber(settings), 0);
  writer.begin();
  for (const filter of longShares("t", 4)) writer.add({ kind: RECORD_SHARE, filter, members: 1, online: 1, version: 1 });
  for (let sequence = 1; sequence <= 100; sequence += 1)
    writer.add({ kind: RECORD_PUBLISH, message: messageTo("t", { qos: 0, sequence }) });
  void host.exchange(writer.finish());
  const arrived = (): number => calls.reduce((sum, bytes) => sum + decodeBatch(bytes).records.length, 0);
  while (arrived() < 100) {
    runtime.run();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(Math.max(...calls.map(({ length }) => length))).toBeLessThan(BATCH_BYTES_MAX + 1024);
  expect(host.count().outboxes).toBe(0);
});

test("nor is one with messages for other members of such", async () => {
  const lengths: number[] = [];
  const runtime = stillRuntime();
  const queue = new TopicQueue({
    ...{ name: "n/session/0", shape: 1, runtime, events: () => 0, settled: () => queue.flush() },
    exchange: async (bytes) => {
      lengths.push(bytes.length);
      return encodeExchangeAnswer({ life: "1", codes: new Uint8Array(decodeBatch(bytes).records.length), counts: [], late: [] });
    },
    ...{ meter: createCallMeter(), faults: NO_FAULTS, ledger: new Ledger(1 << 30) },
  });
  const [filter] = longShares("t", 1);
  for (let sequence = 1; sequence <= 100; sequence += 1)
    queue.add(new Request({ kind: RECORD_REDISTRIBUTE, message: messageTo("t", { sequence }), filter: filter! }, undefined));
  queue.flush();
  while (queue.heldBytes > 0) {
    runtime.run();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(Math.max(...lengths)).toBeLessThan(BATCH_BYTES_MAX + 1024);
});

test("what is for another member is answered when one has it, and says so where there is none", async () => {
  const settings = parseSettings({ TOPOLOGY: "sharded", TOPIC_SHARDS: "1" }) as Settings;
  const meter = new Meter();
  const runtime = stillRuntime();
  let answer!: (bytes: Uint8Array) => void;
  const host = new TopicHost({
    ...{ settings, name: "n/topic/0", store: new MemoryRoutingStore(meter), meter, runtime },
    topics: () => {
      throw new Error("there are no others");
    },
    sessions: () => ({
      deliver: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      hold: notHeld,
    }),
  });
  const ask = async (writer: BatchWriter, record: BatchRecord): Promise<ExchangeAnswer> => {
    writer.begin();
    writer.add(record);
    return decodeExchangeAnswer(await host.exchange(writer.finish().slice()));
  };
  const [ended, other] = ["n/session/0", "n/session/1"].map((sender) => new BatchWriter(sender, 1, shapeNumber(settings), 0)) as [
    BatchWriter,
    BatchWriter,
  ];
  const handedOn = { kind: RECORD_REDISTRIBUTE, message: messageTo("t", { qos: 1 }), filter: "$share/g/t" } as const;
  expect([...(await ask(ended, handedOn)).codes!]).toEqual([NO_MATCHING_SUBSCRIBERS]);
  await ask(other, { kind: RECORD_SHARE, filter: "$share/g/t", members: 1, online: 1, version: 1 });
  const first = ask(ended, handedOn);
  const asked = ended.number;
  // It is sent, and the answer waits no longer.
  runtime.run();
  const { codes, life } = await first;
  expect([...codes!]).toEqual([PENDING]);
  answer(encodeDeliveryAnswer({ version: 1, unwanted: [], slow: [], counts: [] }));
  await new Promise(setImmediate);
  const { late } = await ask(ended, { kind: RECORD_AWAITED, life, batches: [asked] });
  expect(late.map((outcomes) => [...outcomes.codes])).toEqual([[SUCCESS]]);
});

test("once another one has the routes of a Topic object it handles nothing any more, also of what is inside already", async () => {
  const [settings, changed] = ["2", "3"].map((topicShards) =>
    parseSettings({ TOPOLOGY: "sharded", TOPIC_SHARDS: topicShards, PREVIOUS_SHAPES: topicShards === "2" ? "" : "4+2" }),
  ) as [Settings, Settings];
  const meter = new Meter();
  const store = new MemoryRoutingStore(meter);
  const runtime = stillRuntime();
  const alone = (): never => {
    throw new Error("there are no others");
  };
  const sessions = () => ({ deliver: () => new Promise<never>(() => {}), hold: notHeld });
  const slices = { ...SLICES, share: 1, tick: 1 };
  const host = new TopicHost({ settings, name: "n/topic/0", store, topics: alone, sessions, meter, runtime, slices });
  const writer = new BatchWriter("n/session/0", 1, shapeNumber(settings), 0);
  writer.begin();
  for (const topic of ["a", "b", "c"])
    writer.add({ kind: RECORD_PUBLISH, message: messageTo(topic, { retain: true, payload: new Uint8Array([1]) }) });
  writer.add({ kind: RECORD_SUBSCRIBE, filter: "d", qos: 0, version: 1, lasting: true });
  const answer = host.exchange(writer.finish());
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  host.adoption.giveRoutes({ ...changed, object: "n/topic/2", lineage: "3", shapes: shapeHistory(changed) });
  log.mockRestore();
  for (let turn = 0; turn < 5; turn += 1) {
    runtime.run();
    await new Promise(setImmediate);
  }
  const failed = IMPLEMENTATION_SPECIFIC_ERROR;
  expect([...decodeExchangeAnswer(await answer).codes!]).toEqual([NO_MATCHING_SUBSCRIBERS, failed, failed, failed]);
  expect([store.retained("a") !== undefined, store.retained("b"), store.routes(), store.lineage()]).toEqual([
    true,
    undefined,
    [],
    undefined,
  ]);
  await expect(host.keepRetained([], true)).rejects.toThrow("its topics have moved");
});

test("a fault at one message of a batch is told of that message, and the others are taken", async () => {
  const settings = parseSettings({ TOPOLOGY: "sharded" }) as Settings;
  const host = sessionHost(settings);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const deliver = vi.spyOn(host.machine, "deliver").mockImplementation(({ topic }) => {
    if (topic === "b") throw new Error("a fault");
    return "taken";
  });
  const writer = new BatchWriter("n/topic/0", 1, shapeNumber(settings), 0);
  writer.begin();
  for (const [index, topic] of ["a", "b", "c"].entries())
    writer.add({ kind: RECORD_LIVE, message: messageTo(topic, { sequence: index + 1, publisher: "p" }) });
  const batch = writer.finish();
  // When it comes again, too: what was not taken is not acknowledged then.
  for (const _time of [1, 2]) {
    expect(decodeDeliveryAnswer(await host.deliver(batch)).unwanted).toEqual([{ record: 1, share: undefined, full: true }]);
  }
  expect(deliver.mock.calls.map(([{ topic }]) => topic)).toEqual(["a", "b", "c"]);
  const lines = log.mock.calls.map(([line]) => JSON.parse(line as string));
  log.mockRestore();
  expect(lines).toMatchObject([{ object: "n/session/0", doing: "taking a record of n/topic/0", client: "p", problem: "a fault" }]);
});

test("a fault at one record of a batch is told of that record, and the others are handled", async () => {
  const settings = parseSettings({ TOPOLOGY: "sharded" }) as Settings;
  const meter = new Meter();
  const store = new MemoryRoutingStore(meter);
  const put = vi.spyOn(store, "putRetained").mockImplementationOnce(() => {
    throw new RowTooLarge("too large");
  });
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const alone = (): never => {
    throw new Error("there are no others");
  };
  const sessions = () => ({ deliver: () => new Promise<never>(() => {}), hold: notHeld });
  const host = new TopicHost({ settings, name: "n/topic/0", store, topics: alone, sessions, meter, runtime: stillRuntime() });
  const writer = new BatchWriter("n/session/0", 1, shapeNumber(settings), 0);
  writer.begin();
  for (const topic of ["a", "b", "c"])
    writer.add({ kind: RECORD_PUBLISH, message: messageTo(topic, { retain: true, payload: new Uint8Array([1]), publisher: "p" }) });
  const batch = writer.finish();
  for (const _time of [1, 2]) {
    const { codes } = decodeExchangeAnswer(await host.exchange(batch));
    expect([...codes!]).toEqual([IMPLEMENTATION_SPECIFIC_ERROR, NO_MATCHING_SUBSCRIBERS, NO_MATCHING_SUBSCRIBERS]);
  }
  expect(put).toHaveBeenCalledTimes(3);
  expect(log.mock.calls.map(([line]) => JSON.parse(line as string))).toMatchObject([
    { object: "n/topic/0", client: "p", problem: "too large" },
  ]);
  log.mockRestore();
});

test("that nothing is retained is told in the answer, and what is comes in a call", async () => {
  const settings = parseSettings({ TOPOLOGY: "sharded", TOPIC_SHARDS: "1" }) as Settings;
  const meter = new Meter();
  const called: Uint8Array[] = [];
  const deliver = (batch: Uint8Array): Promise<never> => {
    called.push(batch);
    return new Promise(() => {});
  };
  const alone = (): never => {
    throw new Error("there are no others");
  };
  const runtime = stillRuntime();
  const store = new MemoryRoutingStore(meter);
  const host = new TopicHost({
    settings,
    name: "n/topic/0",
    store,
    topics: alone,
    sessions: () => ({ deliver, hold: notHeld }),
    meter,
    runtime,
  });
  const writer = new BatchWriter("n/session/0", 1, shapeNumber(settings), 0);
  const exchange = (record: BatchRecord): Promise<Uint8Array> => {
    writer.begin();
    writer.add(record);
    return host.exchange(writer.finish());
  };
  const ask = { kind: RECORD_ASK, clientId: "c", filter: "a", id: 1, from: "" } as const;
  expect([...decodeExchangeAnswer(await exchange(ask)).codes!]).toEqual([NOTHING_RETAINED]);
  runtime.run();
  expect(called).toEqual([]);
  await exchange({ kind: RECORD_PUBLISH, message: messageTo("a", { retain: true, payload: new Uint8Array([1]) }) });
  const answer = exchange(ask);
  await Promise.resolve();
  runtime.run();
  // Nobody answers the call.
  expect([...decodeExchangeAnswer(await answer).codes!]).toEqual([PENDING]);
  expect(called.map((batch) => decodeBatch(batch).records)).toMatchObject([[{ kind: RECORD_PAGE, id: 1, messages: [{ topic: "a" }] }]]);
});

describe("who asks a Topic object for retained messages and is owed none", () => {
  /** @returns asks for as many as there are filters, in one batch, and tells what became of each */
  function asking(runtime: Runtime, retained: readonly string[]): (filters: readonly string[]) => Promise<readonly number[]> {
    const settings = parseSettings({ TOPOLOGY: "sharded", TOPIC_SHARDS: "1" }) as Settings;
    const meter = new Meter();
    const alone = (): never => {
      throw new Error("there are no others");
    };
    const store = new MemoryRoutingStore(meter);
    for (const topic of retained) store.putRetained({ topic, message: new Uint8Array(1), expiresAt: 0 });
    const host = new TopicHost({ settings, name: "n/topic/0", store, topics: alone, sessions: alone, meter, runtime });
    const writer = new BatchWriter("n/session/0", 1, shapeNumber(settings), 0);
    let id = 0;
    return async (filters) => {
      writer.begin();
      for (const filter of filters) writer.add({ kind: RECORD_ASK, clientId: "c", filter, id: id++, from: "" });
      return [...decodeExchangeAnswer(await host.exchange(writer.finish())).codes!];
    };
  }

  test("is told so in the answer to his batch, however many he asks for and whoever waits, where one look shows it", async () => {
    const ask = asking(stillRuntime(), ["a/b/c", "b"]);
    while (!(await ask(["+/+/d"])).includes(PENDING));
    const filters = Array.from({ length: RETAINED_WORK_PER_TICK }, (_, index) => (index % 2 === 0 ? `a/${index}` : `c/${index}/+`));
    expect(new Set(await ask(filters))).toEqual(new Set([NOTHING_RETAINED]));
  });

  test("is told so at once, one batch after the other, until a tick's work is done, where more has to be looked at", async () => {
    const runtime = stillRuntime();
    const ask = asking(runtime, ["a/b/c"]);
    let answered = 0;
    for (; !(await ask(["+/+/d"])).includes(PENDING); answered += 1);
    // Each costs at least 1, and each place that is looked at.
    expect(answered).toBeGreaterThan(1);
    expect(answered).toBeLessThanOrEqual(RETAINED_WORK_PER_TICK / 2);
    runtime.run();
    expect(await ask(["+/+/d"])).toEqual([NOTHING_RETAINED]);
  });
});

test("a batch of a life that began in the same millisecond as the one before it is taken for no repeat", async () => {
  const meter = new Meter();
  const store = new MemoryRoutingStore(meter);
  const runtime = stillRuntime();
  const settings = parseSettings({ TOPOLOGY: "sharded" }) as Settings;
  const alone = (): never => {
    throw new Error("there are no others");
  };
  const host = new TopicHost({ settings, name: "n/topic/0", store, topics: alone, sessions: alone, meter, runtime });
  const subscribe = async (salt: number, filter: string): Promise<void> => {
    const writer = new BatchWriter("n/session/0", 1, shapeNumber(settings), salt);
    writer.begin();
    writer.add({ kind: RECORD_SUBSCRIBE, filter, qos: 0, version: 1, lasting: true });
    const codes = decodeExchangeAnswer(await host.exchange(writer.finish())).codes!;
    expect([...codes]).toEqual([SUCCESS]);
  };
  await subscribe(7, "a");
  await subscribe(3, "b");
  await subscribe(2 ** 32 - 1, "c");
  expect(store.routes().map(({ filter }) => filter)).toEqual(["a", "b", "c"]);
  // The last one again.
  await subscribe(2 ** 32 - 1, "d");
  expect(store.routes()).toHaveLength(3);
});

test("between ticks of reading retained messages there is time for others, while they speak for as long as was read", () => {
  const runtime = stillRuntime();
  let [work, given] = [0, 0];
  const routing = { retainedSlice: () => ({ messages: [], next: "b", work }) } as unknown as RoutingCore;
  const served = (): void => {};
  const reader = new RetainedReader(runtime, () => routing, NO_FAULTS, served);
  const ask = { clientId: "c", filter: "#", id: 1, from: "" };
  const read = (each: number, asks: number): void => {
    work = each;
    for (let i = 0; i < asks; i += 1) reader.ask({ ask, take: () => (given += 1), failed: () => {} });
    reader.serve();
  };
  const pausedMs = (): number => {
    const before = runtime.now();
    runtime.run();
    return runtime.now() - before;
  };
  reader.othersSpeak();
  read(RETAINED_WORK_PER_TICK / 2, 4);
  expect(given).toBe(2);
  // A large message takes long, and others have as long. Whoever asks meanwhile waits as well.
  read(10 * RETAINED_WORK_PER_TICK + 1, 1);
  expect(given).toBe(2);
  reader.othersSpeak();
  expect(pausedMs()).toBe(RETAINED_WORK_PER_TICK / RETAINED_WORK_PER_MS);
  expect(given).toBe(3);
  expect(pausedMs()).toBe((10 * RETAINED_WORK_PER_TICK) / RETAINED_WORK_PER_MS + 1);
  expect(given).toBe(4);
  // While nobody does nobody is kept waiting, and comes in between all the same.
  expect(pausedMs()).toBe(0);
  expect(given).toBe(5);
});

test("who asks for one page of retained messages waits for no more than one of each who asks for many", () => {
  const runtime = stillRuntime();
  const slice = { messages: [], next: "b", work: RETAINED_WORK_PER_TICK };
  const reader = new RetainedReader(
    runtime,
    () => ({ retainedSlice: () => slice }) as unknown as RoutingCore,
    NO_FAULTS,
    () => {},
  );
  const given: string[] = [];
  const ask = (clientId: string, id: number): void =>
    reader.ask({ ask: { clientId, filter: "#", id, from: "" }, take: () => given.push(`${clientId}${id}`), failed: () => {} });
  for (const clientId of ["greedy", "second"]) for (let id = 0; id < 32; id += 1) ask(clientId, id);
  ask("modest", 0);
  reader.serve();
  while (given.length < 65) runtime.run();
  expect(given.slice(0, 6)).toEqual(["greedy0", "second0", "modest0", "greedy1", "second1", "greedy2"]);
});

describe("who speaks while retained messages are read has time in between", () => {
  const PAUSE_MS = RETAINED_WORK_PER_TICK / RETAINED_WORK_PER_MS;

  /** As a still one, and tells for how long somebody wanted to wait. */
  function watched(): { runtime: ReturnType<typeof stillRuntime>; waits: number[] } {
    const still = stillRuntime();
    const waits: number[] = [];
    const after: Runtime["after"] = (ms, run) => {
      waits.push(ms);
      return still.after(ms, run);
    };
    return { runtime: { ...still, after }, waits };
  }

  test("in a compact object, who publishes", () => {
    const { runtime, waits } = watched();
    const settings = parseSettings({ TOPOLOGY: "compact" }) as Settings;
    const machine = (): SessionMachine => ({ takePage: () => {} }) as unknown as SessionMachine;
    const store = new MemoryRoutingStore(new Meter());
    const router = new LocalRouter(settings, "n/broker", store, runtime, new Ledger(1 << 30), machine, () => {});
    const readATick = (): void => {
      for (let id = 0; id < RETAINED_WORK_PER_TICK; id += 1)
        router.ask("", { clientId: "c", filter: `a/${id}`, id, from: "" }, { settled: () => {} });
      router.serve();
    };
    readATick();
    expect(waits).toEqual([0]);
    router.publish(messageTo("b"), undefined, undefined);
    runtime.run();
    expect(waits).toEqual([0, PAUSE_MS]);
  });

  test("in a Topic object, whoever sends a batch", async () => {
    const { runtime, waits } = watched();
    const settings = parseSettings({ TOPOLOGY: "sharded", TOPIC_SHARDS: "1" }) as Settings;
    const alone = (): never => {
      throw new Error("there are no others");
    };
    const meter = new Meter();
    const store = new MemoryRoutingStore(meter);
    store.putRetained({ topic: "a/b", message: new Uint8Array(1), expiresAt: 0 });
    const host = new TopicHost({
      settings,
      name: "n/topic/0",
      store,
      topics: alone,
      sessions: alone,
      meter,
      runtime,
    });
    const writer = new BatchWriter("n/session/0", 1, shapeNumber(settings), 0);
    writer.begin();
    for (let id = 0; id < RETAINED_WORK_PER_TICK; id += 1) writer.add({ kind: RECORD_ASK, clientId: "c", filter: "+/d", id, from: "" });
    await host.exchange(writer.finish());
    expect(waits[0]).toBeGreaterThanOrEqual(PAUSE_MS);
    expect(waits[0]).toBeLessThan(2 * PAUSE_MS);
  });
});

test("a call queue goes on whatever its items, its answers and its batches throw", async () => {
  const told: string[] = [];
  const abandoned: string[] = [];
  const answers: string[] = [];
  const item = (name: string) => ({
    name,
    size: 1,
    abandoned: () => {
      abandoned.push(name);
      throw new Error(`${name} does not take it`);
    },
  });
  const queue = new CallQueue<ReturnType<typeof item>, string>(stillRuntime(), {
    ledger: new Ledger(1 << 30),
    encode: (items) => {
      if (items.some(({ name }) => name === "odd")) throw new Error("it can't be encoded");
      return new Uint8Array(0);
    },
    call: () => Promise.resolve("answer"),
    answered: (items) => {
      answers.push(...items.map(({ name }) => name));
      throw new Error("nobody takes the answer");
    },
    meter: createCallMeter(),
    faults: { caught: (error) => void told.push((error as Error).message) },
  });
  for (const name of ["first", "odd", "last"]) {
    queue.add(item(name));
    queue.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([answers, abandoned, queue.idle]).toEqual([["first", "last"], ["odd"], true]);
  expect(told).toEqual(["nobody takes the answer", "it can't be encoded", "odd does not take it", "nobody takes the answer"]);
});

test("an answer that can't be read counts as none: the call is made again, and its items are settled once", async () => {
  const runtime = stillRuntime();
  const answers = [Promise.reject(new Error("an answer of another version")), Promise.resolve("read")];
  const settled: string[] = [];
  const item = { size: 1, abandoned: () => void settled.push("abandoned") };
  const meter = createCallMeter();
  const queue = new CallQueue<typeof item, string>(runtime, {
    ledger: new Ledger(1 << 30),
    encode: () => new Uint8Array(0),
    call: () => answers.shift()!,
    answered: (_items, answer) => void settled.push(answer),
    meter,
    faults: NO_FAULTS,
  });
  queue.add(item);
  queue.flush();
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toEqual([]);
  runtime.run();
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toEqual(["read"]);
  expect(queue.idle).toBe(true);
  expect(meter).toEqual({ repeated: 1, givenUp: 0 });
});

describe("on the way to a Topic object", () => {
  /** The filters of one call: those that are not wanted with a minus sign, those that are to have a row with a plus sign. */
  const filtersOf = (batch: Uint8Array): string[] =>
    decodeBatch(batch).records.map((record) =>
      record.kind === RECORD_SUBSCRIBE ? `${record.lasting ? "+" : ""}${record.filter}` : `-${(record as { filter: string }).filter}`,
    );
  const wanted = (filter: string, version: number, lasting = true): Wanted => ({ filter, qos: 0, version, lasting });
  const nobody: Ticket = { settled: () => {} };

  /**
   * @param codes the answers to the first calls; there is none to the others
   * @param isWritten whether all is in rows that has to be before a call
   */
  function topicQueue(
    codes: readonly number[] = [],
    isWritten = () => true,
  ): { queue: TopicQueue; runtime: ReturnType<typeof stillRuntime>; calls: string[][] } {
    const runtime = stillRuntime();
    const calls: string[][] = [];
    const exchange = (batch: Uint8Array): Promise<Uint8Array> => {
      const code = codes[calls.length];
      const filters = filtersOf(batch);
      calls.push(filters);
      if (code === undefined) return new Promise(() => {});
      return Promise.resolve(
        encodeExchangeAnswer({ life: "first", codes: new Uint8Array(filters.length).fill(code), counts: [], late: [] }),
      );
    };
    const queue: TopicQueue = new TopicQueue({
      name: "n/session/0",
      shape: 1,
      runtime,
      exchange,
      events: () => 0,
      settled: () => isWritten() && queue.flush(),
      meter: createCallMeter(),
      faults: NO_FAULTS,
      ledger: new Ledger(1 << 30),
    });
    return { queue, runtime, calls };
  }

  test("nothing goes before what has to be in rows before it is: not with an answer, and with no timer", async () => {
    let isWritten = true;
    const { queue, runtime, calls } = topicQueue([0, 0], () => isWritten);
    queue.subscribe(wanted("a", 1), nobody);
    queue.flush();
    isWritten = false;
    for (const filter of ["b", "c"]) queue.subscribe(wanted(filter, 2), nobody);
    queue.unsubscribe("d", 3);
    await new Promise(setImmediate);
    runtime.run();
    await new Promise(setImmediate);
    expect(calls).toEqual([["+a"]]);
    queue.flush();
    runtime.run();
    queue.flush();
    expect(calls.flat()).toEqual(expect.arrayContaining(["+b", "+c", "-d"]));
  });

  test("what an earlier life of it may have had says so: a call that failed, and what was awaited from that life", async () => {
    const runtime = stillRuntime();
    const batches: { again: boolean; number: number; records: number }[] = [];
    let first: number | undefined;
    const outcomes = [
      () => Promise.reject(new Error("the call failed")),
      () => Promise.resolve(encodeExchangeAnswer({ life: "second", codes: undefined, counts: [], late: [] })),
      () => Promise.resolve(encodeExchangeAnswer({ life: "second", codes: new Uint8Array(1), counts: [], late: [] })),
      () => new Promise<Uint8Array>(() => {}),
    ];
    const queue: TopicQueue = new TopicQueue({
      name: "n/session/0",
      shape: 1,
      runtime,
      exchange: (batch) => {
        const { again, number, records } = decodeBatch(batch);
        // Counted from that of the first one on.
        first ??= number;
        batches.push({ again, number: number - first, records: records.length });
        return outcomes[batches.length - 1]!();
      },
      events: () => 0,
      settled: () => queue.flush(),
      meter: createCallMeter(),
      faults: NO_FAULTS,
      ledger: new Ledger(1 << 30),
    });
    const publish = (): void => {
      queue.add(new Request({ kind: RECORD_PUBLISH, message: messageTo("t", { qos: 2 }) }, undefined));
      queue.flush();
    };
    publish();
    for (let round = 0; round < 3; round += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      runtime.run();
    }
    publish();
    expect(batches).toEqual([
      { again: false, number: 0, records: 1 },
      { again: true, number: 0, records: 1 },
      { again: true, number: 1, records: 1 },
      { again: false, number: 2, records: 1 },
    ]);
  });

  test("what is not wanted any more rides with the next call, ahead of it", () => {
    const { queue, runtime, calls } = topicQueue();
    queue.unsubscribe("a", 1);
    queue.flush();
    expect(calls).toEqual([]);
    queue.subscribe(wanted("b", 2), nobody);
    queue.flush();
    runtime.run();
    expect(calls).toEqual([["-a", "+b"]]);
  });

  test("what is not wanted any more makes a call of its own when none comes", () => {
    const { queue, runtime, calls } = topicQueue();
    queue.unsubscribe("a", 1);
    queue.unsubscribe("b", 2);
    runtime.run();
    expect(calls).toEqual([["-a", "-b"]]);
  });

  test("what is wanted again before it was told that it is not is never told so", () => {
    const { queue, runtime, calls } = topicQueue();
    queue.unsubscribe("a", 1);
    queue.subscribe(wanted("a", 2), nobody);
    queue.flush();
    runtime.run();
    expect(calls).toEqual([["+a"]]);
  });

  test("what only sessions that are not kept want is told at once, and once more if it is wanted later: then it gets a row", async () => {
    const { queue, runtime, calls } = topicQueue([SUCCESS]);
    queue.subscribe(wanted("a", 1, false), nobody);
    queue.subscribe(wanted("b", 2, false), nobody);
    queue.flush();
    queue.unsubscribe("b", 3);
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toEqual([["a", "b"]]);
    runtime.run();
    expect(calls).toEqual([
      ["a", "b"],
      ["-b", "+a"],
    ]);
  });

  test("after a call with several requests the next one waits for more, after a single one it does not", async () => {
    const { queue, runtime, calls } = topicQueue([SUCCESS, SUCCESS]);
    const ask = (...filters: string[]): void => {
      for (const filter of filters) queue.subscribe(wanted(filter, 1), nobody);
      queue.flush();
    };
    ask("a");
    ask("b", "c");
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toEqual([["+a"], ["+b", "+c"]]);
    ask("d");
    ask("e");
    expect(calls).toHaveLength(2);
    runtime.run();
    expect(calls).toEqual([["+a"], ["+b", "+c"], ["+d", "+e"]]);
  });

  test("what could not be told once more is told later", async () => {
    const { queue, runtime, calls } = topicQueue([SUCCESS, IMPLEMENTATION_SPECIFIC_ERROR]);
    queue.subscribe(wanted("a", 1, false), nobody);
    queue.flush();
    for (let round = 0; round < 3; round += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      runtime.run();
    }
    expect(calls).toEqual([["a"], ["+a"], ["+a"]]);
  });

  const BUDGET = 64 << 20;

  /** Members of shared subscriptions as they were told, filter and number; the Topic object answers the first of them so. */
  function tellingMembers(codes: readonly number[]) {
    const runtime = stillRuntime();
    const told: string[] = [];
    const exchange = async (batch: Uint8Array): Promise<Uint8Array> => {
      const answer = decodeBatch(batch).records.map((record) =>
        record.kind === RECORD_SHARE ? (codes[told.push(`${record.filter} ${record.members}`) - 1] ?? SUCCESS) : SUCCESS,
      );
      return encodeExchangeAnswer({ life: "first", codes: new Uint8Array(answer), counts: [], late: [] });
    };
    const queue: TopicQueue = new TopicQueue({
      ...{ name: "n/session/0", shape: 1, runtime, exchange, events: () => 0, settled: () => queue.flush() },
      ...{ meter: createCallMeter(), faults: NO_FAULTS, ledger: new Ledger(BUDGET) },
    });
    const tell = (filter: string, members: number, version: number, ticket?: Ticket): void => {
      queue.share({ filter, members, online: members, version }, ticket);
      queue.flush();
    };
    const pass = async (): Promise<void> => {
      for (let round = 0; round < 5; round += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        runtime.run();
      }
    };
    return { queue, told, tell, pass };
  }

  /** Until nothing more is taken. */
  function fill(queue: TopicQueue): void {
    const message = messageTo("t", { payload: new Uint8Array(1 << 20) });
    while (queue.offer(new Request({ kind: RECORD_PUBLISH, message }, undefined), false));
    while (queue.offer(new Request({ kind: RECORD_UNSUBSCRIBE, filter: "t".repeat(1000), version: 1 }, undefined), false));
    while (queue.offer(new Request({ kind: RECORD_UNSUBSCRIBE, filter: "t", version: 1 }, undefined), false));
  }

  test("how many members a shared subscription has is told again where that failed, until it is known", async () => {
    const { told, tell, pass } = tellingMembers([IMPLEMENTATION_SPECIFIC_ERROR, IMPLEMENTATION_SPECIFIC_ERROR]);
    tell("$share/g/a", 2, 1);
    await pass();
    await pass();
    expect(told).toEqual(["$share/g/a 2", "$share/g/a 2", "$share/g/a 2"]);
  });

  test("nor is it given up where the call was, or where it found no room", async () => {
    const { queue, told, tell, pass } = tellingMembers([]);
    fill(queue);
    tell("$share/g/a", 2, 1);
    await pass();
    await pass();
    expect(told).toEqual(["$share/g/a 2"]);
  });

  test("what a session that ended has left has a place beyond what may wait, as long as memory has room", async () => {
    const { queue, pass } = tellingMembers([]);
    const outcomes: number[] = [];
    const handOn = (beyond: boolean): boolean => {
      const record = {
        kind: RECORD_REDISTRIBUTE,
        message: messageTo("t", { payload: new Uint8Array(1 << 20) }),
        filter: "$share/g/t",
      } as const;
      return queue.offer(new Request(record, { settled: (reasonCode) => void outcomes.push(reasonCode) }), beyond);
    };
    fill(queue);
    expect([handOn(false), handOn(true)]).toEqual([false, true]);
    let taken = 1;
    while (handOn(true)) taken += 1;
    expect(queue.heldBytes).toBeLessThan(BUDGET + (2 << 20));
    queue.flush();
    for (let round = 0; round < 10; round += 1) await pass();
    // One for each that was taken.
    expect(outcomes).toEqual(new Array(taken).fill(SUCCESS));
  });

  test("what is newer is told instead, and an older number not after it", async () => {
    const { queue, told, tell, pass } = tellingMembers([IMPLEMENTATION_SPECIFIC_ERROR]);
    tell("$share/g/a", 2, 1);
    tell("$share/g/a", 0, 2);
    await pass();
    await pass();
    expect(told).toEqual(["$share/g/a 2", "$share/g/a 0"]);
    tell("$share/g/b", 1, 3);
    queue.share({ filter: "$share/g/b", members: 3, online: 3, version: 4 }, undefined);
    await pass();
    expect(told.slice(2)).toEqual(["$share/g/b 1", "$share/g/b 3"]);
  });
});

test("a call that fails for too long is counted as given up, once; before that as made again", async () => {
  let now = 0;
  const runtime = { ...stillRuntime(), now: () => now };
  const meter = createCallMeter();
  const abandoned: number[] = [];
  const item = { size: 7, abandoned: () => void abandoned.push(now) };
  const queue = new CallQueue<typeof item, string>(runtime, {
    ledger: new Ledger(1 << 30),
    encode: () => new Uint8Array(0),
    call: () => Promise.reject(new Error("out of reach")),
    answered: () => {},
    meter,
    faults: NO_FAULTS,
  });
  queue.add(item);
  queue.flush();
  queue.add(item);
  expect(queue.bytes).toBe(7);
  for (const time of [0, RETRY_MS_TOTAL / 2, RETRY_MS_TOTAL]) {
    now = time;
    runtime.run();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([meter, abandoned.length, queue.bytes]).toEqual([{ repeated: 2, givenUp: 1 }, 2, 0]);
});

describe("packets that do not come whole", () => {
  /** A socket that remembers how it was closed. */
  class DeafSocket {
    readonly readyState = 1;
    closed: number | undefined;
    send(): void {}
    close(code: number): void {
      this.closed = code;
    }
    serializeAttachment(): void {}
  }

  function connect(host: SessionHost, clientId: string, password?: string): DeafSocket {
    const socket = new DeafSocket();
    host.adopt(socket as unknown as WebSocket, password === undefined ? { relayed: true, admission: NOBODY } : { relayed: false });
    const user = password === undefined ? undefined : "user";
    const rest = { keepAliveSeconds: 0, will: undefined, userName: user, password: password === undefined ? undefined : new Uint8Array(8) };
    receive(host, socket, encodePacket({ type: CONNECT, version: 4, clean: true, clientId, properties: NO_PROPERTIES, ...rest }, 4));
    return socket;
  }

  function receive(host: SessionHost, socket: DeafSocket, bytes: Uint8Array): void {
    host.receive(socket as unknown as WebSocket, bytes.slice().buffer as ArrayBuffer);
  }

  /** The beginning of a PUBLISH of a million bytes. */
  function begun(bytes: number): Uint8Array {
    const packet = new Uint8Array(bytes);
    packet.set([0x30, 0xc0, 0x84, 0x3d]);
    return packet;
  }

  test("are counted, and long ones are refused while memory is short", () => {
    const host = sessionHost(parseSettings({ SESSION_SHARDS: "1", ALLOW_ANONYMOUS: "true", OBJECT_BYTES_MAX: "1048576" }) as Settings);
    const sockets = ["a", "b", "c", "d"].map((clientId) => connect(host, clientId));
    const [first, second, third, fourth] = sockets as [DeafSocket, DeafSocket, DeafSocket, DeafSocket];
    receive(host, first, begun(280_000));
    receive(host, second, begun(280_000));
    expect(host.ledger.bytes.unfinished).toBe(560_000);
    receive(host, third, begun(60_000));
    receive(host, fourth, begun(280_000));
    host.flush();
    expect(sockets.map(({ closed }) => closed)).toEqual([undefined, undefined, undefined, 1013]);
    expect(host.ledger.bytes.unfinished).toBe(620_000);
    host.lost(first as unknown as WebSocket);
    expect(host.ledger.bytes.unfinished).toBe(340_000);
    expect(host.ledger.figures().refused.unfinished).toBe(1);
  });

  test("what comes before the answer to CONNECT is bounded", () => {
    const hash = Buffer.alloc(32, 1).toString("base64");
    const users = JSON.stringify([{ user: "user", password: `pbkdf2-sha256$4096$${hash}$${hash}`, publish: ["#"], subscribe: ["#"] }]);
    const host = sessionHost(parseSettings({ SESSION_SHARDS: "1", USERS: users }) as Settings);
    const socket = connect(host, "early", "password");
    for (let count = 0; count < 4; count += 1) receive(host, socket, begun(1_000_000));
    host.flush();
    expect(socket.closed).toBeUndefined();
    receive(host, socket, begun(1_000_000));
    host.flush();
    expect(socket.closed).toBe(1008);
    expect(host.ledger.bytes.unfinished).toBe(0);
  });
});

/** A socket whose client answers Close when the test says so. */
class SlowSocket {
  readyState = 1;
  readonly sent: Uint8Array[] = [];
  send(bytes: Uint8Array): void {
    this.sent.push(bytes.slice());
  }
  close(): void {
    this.readyState = 2;
  }
  serializeAttachment(): void {}
  deserializeAttachment(): null {
    return null;
  }
}

test("a socket that was closed and whose client has not answered counts as a connection until it goes", () => {
  const settings = parseSettings({ TOPOLOGY: "sharded", CONNECTIONS_MAX: "2" }) as Settings;
  const host = sessionHost(settings);
  const connect = (clientId: string): SlowSocket => {
    const socket = new SlowSocket();
    host.adopt(socket as unknown as WebSocket, { relayed: true, admission: NOBODY });
    host.receive(socket as unknown as WebSocket, encodePacket(connectPacket({ version: 4, clientId }), 4).slice().buffer);
    host.flush();
    return socket;
  };
  const held = host.ledger.bytes.connections;
  const [first, second] = [connect("a"), connect("b")];
  for (const socket of [first, second]) {
    // Malformed.
    host.receive(socket as unknown as WebSocket, Uint8Array.of(0x80, 0).buffer);
    host.flush();
    expect(socket.readyState).toBe(2);
  }
  expect([host.core.connections.size, host.core.closing.size]).toEqual([0, 2]);
  expect(host.ledger.bytes.connections - held).toBe(2 * MEMORY.connectionBytes);
  // Return code 3: it may come again.
  expect(connect("c").sent.at(-1)).toEqual(Uint8Array.of(0x20, 2, 0, 3));
  host.lost(first as unknown as WebSocket);
  host.lost(second as unknown as WebSocket);
  expect(connect("d").sent.at(-1)).toEqual(Uint8Array.of(0x20, 2, 0, 0));
});

test("a host that starts counts sockets that were closed before", () => {
  const socket = new SlowSocket();
  socket.close();
  const host = sessionHost(parseSettings({ TOPOLOGY: "sharded" }) as Settings, [socket as unknown as WebSocket]);
  expect(host.core.closing.size).toBe(1);
  host.lost(socket as unknown as WebSocket);
  expect(host.ledger.bytes.connections).toBe(0);
});
