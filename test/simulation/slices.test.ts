/**
 * What one event would do for very many is done in slices, and whatever else happens in between is served: messages for thousands, batches
 * full of them, thousands of sessions that end in the same second. What ends an object between two slices loses nothing.
 */

import { beforeEach, describe, expect, test, vi } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { DEADLINE_COARSE_MS, LATER_MS, LATER_REQUESTS_MAX } from "../../src/limits.ts";
import { type BatchRecord, BatchWriter, decodeBatch, RECORD_LIVE, RECORD_SHARE, RECORD_SUBSCRIBE } from "../../src/mqtt/batch.ts";
import { decodeDeliveryAnswer } from "../../src/mqtt/delivery-answer.ts";
import { encodeExchangeAnswer } from "../../src/mqtt/exchange-answer.ts";
import { PUBLISH, SUBACK } from "../../src/mqtt/packet.ts";
import { Arrivals } from "../../src/objects/arrivals.ts";
import { Meter } from "../../src/objects/meter.ts";
import { sessionObjectName, shapeNumber } from "../../src/objects/names.ts";
import { Outgoing } from "../../src/objects/outgoing.ts";
import { RemoteRouter } from "../../src/objects/remote-router.ts";
import type { Router } from "../../src/objects/router.ts";
import { SessionHost } from "../../src/objects/session-host.ts";
import type { SocketWire } from "../../src/objects/socket-wire.ts";
import type { Runtime } from "../../src/runtime.ts";
import { addSubscription, interestIn } from "../../src/session/interest.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { Session } from "../../src/session/session.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { DEADLINE_WORK, FILTER_WORK, FILTERS_UNDER_WAY_WORK, LEFT_ALARM_MS, SLICES, type Slices } from "../../src/work-limits.ts";
import { messageTo } from "../session/support.ts";
import { Stage, type StageClient } from "./stage.ts";
import { notHeld, stillRuntime } from "./still-runtime.ts";

/** On a machine that is busy with others. */
const SLOW = { timeout: 60_000 };

/** One thing at a time. */
const SMALL: Slices = { share: 1, tick: 1, many: 0, frames: 1, attachments: 1 };

/** The most that grows in one event of an object while something runs. */
async function mostAtOnce(stage: Stage, measure: () => number, run: () => Promise<void>): Promise<number> {
  let most = 0;
  let before = measure();
  const step = (): void => {
    const after = measure();
    most = Math.max(most, after - before);
    before = after;
  };
  stage.stepped = step;
  await run();
  step();
  stage.stepped = () => {};
  return most;
}

/** A Session object with nothing around it. */
function hostOf(settings: Settings, name: string, runtime: Runtime, router: Router, slices = SLICES): SessionHost {
  return new SessionHost({
    state: {
      storage: { getAlarm: async () => null, setAlarm: async () => {} },
      getWebSockets: () => [],
      abort: () => {},
      acceptWebSocket: () => {},
    },
    store: new MemorySessionStore(new Meter()),
    ...{ settings, name, meter: new Meter(), runtime, slices },
    router: () => router,
    peers: () => {
      throw new Error("there are no others");
    },
  });
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, count) => all + count, 0);
}

describe.each(["compact", "sharded"])("messages for a thousand sessions, %s", (topology) => {
  const LISTENERS = 1000;
  let stage: Stage;
  let publisher: StageClient;
  let neighbour: StageClient;
  let friend: StageClient;
  let listeners: StageClient[];
  let object: string;

  beforeEach(async () => {
    stage = new Stage({ TOPOLOGY: topology, SESSION_SHARDS: "1", TOPIC_SHARDS: "1", UNHEARD_BYTES_MAX: "0" });
    object = sessionObjectName(stage.settings, "default", "a");
    [publisher, neighbour, friend] = [await stage.connect("a", true), await stage.connect("b", true), await stage.connect("c", true)];
    friend.subscribe("y", 0);
    listeners = [];
    for (let index = 0; index < LISTENERS; index += 1) listeners.push(await stage.connect(`listener-${index}`, true));
    for (const listener of listeners) listener.subscribe("x", 1);
    await stage.advance(3000);
    before = delivered();
  });

  let before = 0;
  const delivered = (): number => stage.session(object).core.counters.messagesDelivered;
  const arrived = (): number => sum(listeners.map(({ texts }) => texts.length));

  test("a burst of them: a few are given out at once, a neighbour's message goes in between, and order is kept", SLOW, async () => {
    const texts = Array.from({ length: 60 }, (_, index) => `${index}`);
    const most = await mostAtOnce(stage, delivered, async () => {
      publisher.publishTogether("x", texts);
      neighbour.publish("y", 0, 0, "between");
      await stage.advanceUntil(() => friend.texts.includes("between"));
      // Sharded, what comes from one Topic object comes in its order.
      if (topology === "compact") expect(delivered() - before).toBeLessThan((texts.length * LISTENERS) / 2);
      await stage.advance(5000);
    });
    // Of a message for so many eight make a tick; turns end with a message, and one more came with the frame.
    expect(most).toBeLessThanOrEqual((SLICES.tick / 125 + 4) * LISTENERS);
    for (const listener of [listeners[0]!, listeners.at(-1)!]) expect(listener.texts).toEqual(texts);
    expect(arrived()).toBe(texts.length * LISTENERS);
  });

  test("one of them: its frames leave in slices, and nobody else's frame stands behind them", SLOW, async () => {
    const most = await mostAtOnce(stage, arrived, async () => {
      publisher.publish("x", 1, 1, "for all");
      await stage.advanceUntil(() => arrived() > 0);
      const before = arrived();
      neighbour.publish("y", 0, 0, "between");
      await stage.advanceUntil(() => friend.texts.includes("between"));
      if (topology === "compact") expect(arrived() - before).toBeLessThanOrEqual(3 * SLICES.frames);
      await stage.advance(1000);
    });
    expect(most).toBeLessThanOrEqual(2 * SLICES.frames);
    expect(arrived()).toBe(LISTENERS);
    // What is attached to the sockets is written in slices too; the object does not sleep before.
    expect([stage.timers, stage.session(object).core.changes.attachments + stage.session(object).core.changes.lateAttachments]).toEqual([
      0, 0,
    ]);
  });

  test("what a socket is sent besides leaves with the next flush, behind what waited for it", SLOW, async () => {
    const last = listeners.at(-1)!;
    publisher.publish("x", 0, 0, "for all");
    await stage.advanceUntil(() => arrived() > 0);
    expect(last.texts).toEqual([]);
    last.subscribe("z", 0);
    await stage.advanceUntil(() => last.count(SUBACK) > 1);
    expect(last.packets.slice(-2).map(({ type }) => type)).toEqual([PUBLISH, SUBACK]);
    if (topology === "compact") expect(arrived()).toBeLessThan(LISTENERS);
    await stage.advance(1000);
    expect(arrived()).toBe(LISTENERS);
  });
});

describe("frames that leave in turn", () => {
  test("a socket has one place among them, however often it is sent something besides", () => {
    const core = { isForMany: false, slices: { ...SLICES, frames: 1 } };
    const outgoing = new Outgoing(core);
    const sent: string[] = [];
    const wires = ["a", "b", "c"].map((name) =>
      outgoing.wire({ send: (frame: Uint8Array) => sent.push(`${name}${frame}`) } as unknown as WebSocket),
    );
    const send = (wire: SocketWire): void => wire.flush();
    const gather = (isForMany: boolean, byte: number): void => {
      core.isForMany = isForMany;
      for (const wire of wires) wire.send(new Uint8Array([byte]));
      core.isForMany = false;
    };
    for (let round = 0; round < 3; round += 1) {
      gather(true, 1);
      gather(false, 2);
      outgoing.flush(send);
    }
    expect(sent.splice(0)).toEqual([1, 2, 3].flatMap(() => ["a1,2", "b1,2", "c1,2"]));
    gather(true, 3);
    for (const name of ["a", "b", "c"]) {
      expect(outgoing.isLeft).toBe(true);
      outgoing.flushSlice(send);
      expect(sent.splice(0)).toEqual([`${name}3`]);
    }
    expect(outgoing.isLeft).toBe(false);
  });
});

describe("a batch from a Topic object", () => {
  const settings = parseSettings({ TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true" }) as Settings;
  let runtime: ReturnType<typeof stillRuntime>;
  let host: SessionHost;
  let writer: BatchWriter;

  beforeEach(() => {
    runtime = stillRuntime();
    writer = new BatchWriter("n/topic/0", 1, shapeNumber(settings), 0);
    const router = { serve: () => {}, flush: () => {}, subscribe: () => {} } as unknown as Router;
    host = hostOf(settings, "n/session/0", runtime, router, SMALL);
    subscribe("a");
  });

  function subscribe(filter: string): void {
    const { core } = host;
    const session = new Session(`of ${filter}`, core.numbers.next(), NOBODY, core.ledger);
    session.expirySeconds = 1000;
    core.sessions.set(session.clientId, session);
    const request = { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    addSubscription(core, session, { session, request, identifier: 0 });
    interestIn(core, session.subscriptions.get(filter)!, false, { settled: () => {} });
  }

  function batch(from: number, topics: readonly string[]): Uint8Array {
    writer.begin();
    for (const [index, topic] of topics.entries())
      writer.add({ kind: RECORD_LIVE, message: messageTo(topic, { qos: 1, sequence: from + index, origin: "n/session/1@1" }) });
    return writer.finish();
  }

  /** The numbers of the messages that wait for the session, in order. */
  function waiting(): number[] {
    const { core } = host;
    const session = core.sessions.get("of a")!;
    return [...session.backlog].map((each) => core.log.find(each, session.number)!.message.sequence);
  }

  /** Runs what waits until something is so. */
  async function until(isSo: () => boolean): Promise<void> {
    for (let round = 0; !isSo(); round += 1) {
      expect(round).toBeLessThan(1000);
      runtime.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  test("is taken in slices, in order, and answered when all of it is in rows; one that comes again meanwhile has the same answer", async () => {
    const bytes = batch(1, ["a", "a", "a", "a"]);
    let answer: Uint8Array | undefined;
    const [first, again] = [host.deliver(bytes), host.deliver(bytes)];
    void first.then((came) => {
      answer = came;
    });
    for (let taken = 1; taken < 4; taken += 1) {
      await until(() => waiting().length >= taken);
      expect([waiting().length, answer]).toEqual([taken, undefined]);
    }
    await until(() => answer !== undefined);
    expect([waiting(), host.core.log.unwritten]).toEqual([[1, 2, 3, 4], 0]);
    expect(await again).toBe(await first);
  });

  test("is taken before the next one of the same sender, also where that has given it up", async () => {
    const answers = Promise.all([host.deliver(batch(1, ["a", "a", "a"])), host.deliver(batch(4, ["a", "a"]))]);
    let areAnswered = false;
    void answers.then(() => {
      areAnswered = true;
    });
    await until(() => areAnswered);
    expect(waiting()).toEqual([1, 2, 3, 4, 5]);
  });

  test("tells of what nobody wanted by a version that is older than what somebody subscribed to while it was taken", async () => {
    let answer: Uint8Array | undefined;
    void host.deliver(batch(1, ["b", "a", "a"])).then((came) => {
      answer = came;
    });
    await until(() => waiting().length === 1);
    subscribe("b");
    await until(() => answer !== undefined);
    const { version, unwanted } = decodeDeliveryAnswer(answer!);
    expect(unwanted.map(({ record }) => record)).toEqual([0]);
    expect(version).toBeLessThan(host.core.interests.get("b")!.version);
  });
});

describe.each(["compact", "sharded"])("thousands of sessions that expire in the same second, %s", (topology) => {
  const SESSIONS = 1000;
  let stage: Stage;
  let neighbour: StageClient;
  let friend: StageClient;
  let object: string;
  const core = () => stage.session(object).core;
  const away = (): number => core().sessions.size - core().connections.size;

  beforeEach(async () => {
    const env = { TOPOLOGY: topology, SESSION_SHARDS: "1", TOPIC_SHARDS: "1", SESSION_EXPIRY_SECONDS_V3: "60" };
    stage = new Stage(env);
    object = sessionObjectName(stage.settings, "default", "a");
    const clients = [];
    for (let index = 0; index < SESSIONS; index += 1) clients.push(await stage.connect(`client-${index}`, false));
    [neighbour, friend] = [await stage.connect("b", true), await stage.connect("c", true)];
    friend.subscribe("y", 0);
    for (const client of clients) client.vanish();
    await stage.advance(59_000);
    expect(away()).toBe(SESSIONS);
  });

  /** The next thing that wakes the object, when they are over. */
  async function fallDue(): Promise<void> {
    await stage.advance(2000);
    expect(away()).toBe(SESSIONS);
    neighbour.publish("y", 0, 0, "wakes it");
    await stage.advanceUntil(() => away() < SESSIONS);
  }

  test("end in slices, and a message of somebody else comes in between", SLOW, async () => {
    const ended = (): number => SESSIONS - away();
    const most = await mostAtOnce(stage, ended, async () => {
      await fallDue();
      neighbour.publish("y", 0, 0, "between");
      await stage.advanceUntil(() => friend.texts.includes("between"));
      if (topology === "compact") expect(away()).toBeGreaterThan(SESSIONS / 2);
      await stage.advance(1000);
    });
    expect(most).toBeLessThanOrEqual(SLICES.share / DEADLINE_WORK);
    expect([away(), core().store.sessions().length, stage.timers]).toEqual([0, 0, 0]);
  });

  test("none of them is resumed that had no turn yet", SLOW, async () => {
    await fallDue();
    const left = [...core().sessions.values()].find(({ connection }) => connection === undefined)!;
    const { number } = left;
    await stage.connect(left.clientId, false);
    expect(core().sessions.get(left.clientId)!.number).not.toBe(number);
  });

  test("those that are left when the object is reset end all the same, by its alarm", SLOW, async () => {
    let left = SESSIONS;
    stage.stepped = () => {
      const isUnderWay = left < SESSIONS;
      left = away();
      if (!isUnderWay) return;
      stage.stepped = () => {};
      stage.end(object);
    };
    // Nothing else wakes it.
    await stage.advance(DEADLINE_COARSE_MS + LEFT_ALARM_MS + 5000);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(SESSIONS);
    expect(stage.storedSessions(object)).toBe(0);
  });
});

describe("what Topic objects are told", () => {
  const settings = parseSettings({ TOPOLOGY: "sharded", TOPIC_SHARDS: "1", ALLOW_ANONYMOUS: "true" }) as Settings;
  const many = Array.from({ length: 100 }, (_, index) => `$share/g/${index}`);

  test("of the members of very many shared subscriptions goes some with each call, the latest numbers, and soon", async () => {
    const runtime = stillRuntime();
    const calls: (readonly BatchRecord[])[] = [];
    const exchange = async (bytes: Uint8Array): Promise<Uint8Array> => {
      const { records } = decodeBatch(bytes);
      calls.push(records);
      return encodeExchangeAnswer({ life: "1", codes: new Uint8Array(records.length), late: [], counts: [] });
    };
    const topics = () => ({ exchange, hold: notHeld });
    const router = new RemoteRouter(settings, "n/session/0", topics, runtime, new Ledger(1 << 30), () => router.flush());
    let version = 0;
    const tell = (online: number): void => {
      for (const filter of many) router.share(filter, 1, online, ++version, undefined);
      router.flush();
    };
    tell(1);
    const settled: number[] = [];
    router.subscribe({ filter: "plain", qos: 0, version: ++version, lasting: true }, { settled: (code) => settled.push(code) });
    router.flush();
    // Before most of that has left it is not so any more.
    tell(0);
    const beganAt = runtime.now();
    for (let round = 0; calls.flat().length < many.length + 2 * LATER_REQUESTS_MAX + 1; round += 1) {
      expect(round).toBeLessThan(100);
      await new Promise((resolve) => setImmediate(resolve));
      runtime.run();
    }
    for (const records of calls) expect(records.length).toBeLessThanOrEqual(LATER_REQUESTS_MAX + 1);
    expect(
      calls
        .slice(0, 2)
        .flat()
        .some(({ kind }) => kind === RECORD_SUBSCRIBE),
    ).toBe(true);
    expect(settled).toEqual([0]);
    const last = new Map(calls.flat().flatMap((record) => (record.kind === RECORD_SHARE ? [[record.filter, record.online] as const] : [])));
    expect([last.size, new Set(last.values())]).toEqual([many.length, new Set([0])]);
    // Those that had left with the first call and before the subscription were told twice, the others once.
    expect(calls.flat().filter(({ kind }) => kind === RECORD_SHARE).length).toBe(many.length + 2 * LATER_REQUESTS_MAX);
    expect(runtime.now() - beganAt).toBeLessThan(LATER_MS);
  });

  test("of what a session that moves subscribes to goes some with each step", async () => {
    const underWay: number[] = [];
    let waiting: (() => void)[] = [];
    const router = {
      subscribe: (_wanted: unknown, ticket: { settled(code: number): void }) => waiting.push(() => ticket.settled(0)),
      places: () => [],
      unsubscribe: () => {},
      barrier: (_object: string, ticket: { settled(code: number): void }) => ticket.settled(0),
    } as unknown as Router;
    const moved = parseSettings({ TOPOLOGY: "sharded", SESSION_SHARDS: "2", TOPIC_SHARDS: "1", PREVIOUS_SHAPES: "1+1" }) as Settings;
    const clientId = [..."abcdefgh"].find((each) => sessionObjectName(moved, "n", each).endsWith("/1"))!;
    const { core } = hostOf(moved, sessionObjectName(moved, "n", clientId), stillRuntime(), router);
    const subscriptions = many.map((_, index) => ({ filter: `f/${index}`, options: 1, identifier: 0 }));
    const arrivals = new Arrivals({
      ...{ core, settings: moved, name: sessionObjectName(moved, "n", clientId), router },
      written: async () => {
        underWay.push(waiting.length);
        const settle = waiting;
        waiting = [];
        for (const each of settle) each();
      },
      peers: () => ({ offerSession: async () => subscriptions, exportSession: async () => undefined, letGo: async () => {} }),
    });
    vi.spyOn(console, "log").mockImplementation(() => {});
    await expect(arrivals.fetch(clientId, false, NOBODY)).rejects.toThrow("ended while it was fetched");
    vi.restoreAllMocks();
    expect(sum(underWay)).toBe(many.length);
    expect(Math.max(...underWay)).toBeLessThanOrEqual(FILTERS_UNDER_WAY_WORK / FILTER_WORK);
    expect([core.sessions.size, core.deaf.size, core.subscriptions.size]).toEqual([0, 0, 0]);
  });
});
