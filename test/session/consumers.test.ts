/** Consumers: what comes to them, in which order, how often, and what a reset, a full queue and a handler that fails do to that. */

import { describe, expect, test } from "vitest";
import {
  CONSUMER_BATCH_BYTES,
  CONSUMER_RETRY_MS_FIRST,
  CONSUMER_RETRY_MS_MAX,
  CONSUMER_TOGETHER,
  CONSUMER_WATCH_MS,
} from "../../src/code-limits.ts";
import { REPEAT_WINDOW_MS, SLOW_MS_MAX } from "../../src/limits.ts";
import type { Message } from "../../src/mqtt/message.ts";
import { PUBACK, PUBREC } from "../../src/mqtt/packet.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, QUOTA_EXCEEDED, SUCCESS } from "../../src/mqtt/reason-code.ts";
import type { Consumer, ConsumerPlan } from "../../src/session/consumer.ts";
import { type TestClient, World, type WorldOptions } from "../support/core-harness.ts";
import { miscounted, recountSessions } from "../support/recount.ts";

const PLAN: ConsumerPlan = { name: "all", filter: "t/#", attemptsMax: 4 };

function scene(options: WorldOptions = {}) {
  const world = new World({ consumers: [PLAN], ...options });
  const publisher = world.connect("publisher", { clean: false, properties: { sessionExpiryInterval: 3600 } });
  publisher.take();
  return { world, node: world.sessions[0]!, publisher };
}

function consumerOf(world: World, name = "all"): Consumer {
  return world.sessions[0]!.core.consumers!.named(name)!;
}

const text = (message: Message): string => new TextDecoder().decode(message.payload);

/** What the handler is given. */
function take(world: World, most = 100, name = "all"): string[] | undefined {
  const node = world.sessions[0]!;
  const batch = node.machine.takeBatch(consumerOf(world, name), most, world.now);
  node.flush();
  return batch?.messages.map(text);
}

function end(world: World, isHandled: boolean, name = "all"): void {
  const node = world.sessions[0]!;
  node.machine.consumed(consumerOf(world, name), isHandled, world.now);
  node.flush();
  world.settle();
}

/** Everything that it is given from now on, each batch handled; time passes as it has to. */
function drain(world: World, most = 100): string[][] {
  const all: string[][] = [];
  for (let idle = 0; idle < 2; ) {
    const batch = take(world, most);
    if (batch === undefined) {
      idle += 1;
      world.advance(CONSUMER_RETRY_MS_MAX);
      continue;
    }
    all.push(batch);
    end(world, true);
  }
  return all;
}

function publish(publisher: TestClient, payloads: readonly string[], qos: 0 | 1 | 2 = 1): void {
  for (const payload of payloads) publisher.publish("t/1", payload, { qos });
}

/** The outcomes that a publisher has heard of since the last call. */
function heard(publisher: TestClient): number[] {
  return publisher.take().flatMap((packet) => (packet.type === PUBACK || packet.type === PUBREC ? [packet.reasonCode] : []));
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

describe("what it is given", () => {
  test("all of its filter, whole, in order, and nothing else", () => {
    const { world, publisher } = scene();
    publisher.publish("other", "no");
    const properties = {
      payloadFormatIndicator: 1,
      contentType: "text/plain",
      responseTopic: "r",
      correlationData: new Uint8Array([1, 2]),
      userProperties: [
        ["a", "1"],
        ["a", "2"],
      ] as [string, string][],
      messageExpiryInterval: 60,
    };
    publisher.publish("t/1", "first", { qos: 1, retain: true, properties });
    publisher.publish("t/2", "second", { qos: 2 });
    publisher.publish("t", "third", { qos: 0 });
    const subscriber = world.connect("subscriber");
    const node = world.sessions[0]!;
    const batch = node.machine.takeBatch(consumerOf(world), 100, world.now)!;
    expect(batch.messages.map(({ topic, qos, retain, publisher: by }) => ({ topic, qos, retain, by }))).toEqual([
      { topic: "t/1", qos: 1, retain: true, by: "publisher" },
      { topic: "t/2", qos: 2, retain: false, by: "publisher" },
      { topic: "t", qos: 0, retain: false, by: "publisher" },
    ]);
    expect(batch.messages[0]!.expiresAt).toBe(world.now + 60_000);
    // As a subscriber gets them.
    subscriber.subscribe("t/1", 1);
    const [retained] = subscriber.messages();
    expect(retained!.propertyBytes.subarray(5)).toEqual(batch.messages[0]!.propertyBytes);
  });

  test("wills too", () => {
    const { world } = scene();
    const client = world.connect("client", {
      will: { topic: "t/will", payload: new TextEncoder().encode("gone"), qos: 1, retain: false, properties: {} },
    });
    client.lose();
    expect(take(world)).toEqual(["gone"]);
  });

  test("one batch at a time, within its bounds", () => {
    const { world, publisher } = scene();
    publish(publisher, numbers(1, 5));
    expect(take(world, 2)).toEqual(["1", "2"]);
    expect(take(world, 2)).toBeUndefined();
    end(world, true);
    expect(drain(world, 2)).toEqual([["3", "4"], ["5"]]);
  });

  test("a batch ends with the message that reaches its bytes", () => {
    const { world, publisher } = scene();
    const large = "x".repeat(CONSUMER_BATCH_BYTES / 2);
    publish(publisher, [large, large, large]);
    expect(take(world)!.length).toBe(2);
  });

  test("each consumer has its own", () => {
    const { world, publisher } = scene({ consumers: [PLAN, { name: "one", filter: "t/1", attemptsMax: 4 }] });
    publish(publisher, ["1"]);
    expect([take(world), take(world, 1, "one")]).toEqual([["1"], ["1"]]);
    end(world, false);
    end(world, true, "one");
    world.advance(CONSUMER_RETRY_MS_FIRST);
    expect([take(world), take(world, 1, "one")]).toEqual([["1"], undefined]);
  });

  test("one that expired is not among them", () => {
    const { world, publisher } = scene();
    publisher.publish("t/1", "late", { qos: 1, properties: { messageExpiryInterval: 1 } });
    publisher.publish("t/1", "later", { qos: 0, properties: { messageExpiryInterval: 1 } });
    publish(publisher, ["stays"]);
    world.advance(1000);
    expect(take(world)).toEqual(["stays"]);
    expect(consumerOf(world).counters.dropped.expired).toBe(2);
  });

  test("what has expired is over for good: no start finds it again, and nothing wakes for it", () => {
    const { world, node, publisher } = scene();
    publish(publisher, ["stays"]);
    for (const payload of ["a", "b"]) publisher.publish("t/1", payload, { qos: 1, properties: { messageExpiryInterval: 1 } });
    world.advance(1000);
    expect(drain(world)).toEqual([["stays"]]);
    publisher.publish("t/1", "c", { qos: 1, properties: { messageExpiryInterval: 1 } });
    world.advance(1000);
    expect(take(world)).toBeUndefined();
    node.crash();
    expect(consumerOf(world).waiting).toBe(0);
  });

  test("QoS 0 among the others, in order, once", () => {
    const { world, publisher } = scene();
    publish(publisher, ["1"]);
    publish(publisher, ["2"], 0);
    publish(publisher, ["3"]);
    publish(publisher, ["4"], 0);
    expect(take(world)).toEqual(["1", "2", "3", "4"]);
    end(world, false);
    world.advance(CONSUMER_RETRY_MS_FIRST);
    publish(publisher, ["5"], 0);
    expect(drain(world)).toEqual([["1", "3"], ["5"]]);
    expect(consumerOf(world).counters.dropped.qos0).toBe(2);
  });
});

describe("a reset", () => {
  test.each([1, 2] as const)("after PUBACK or PUBREC nothing of QoS %i is lost", (qos) => {
    const { world, node, publisher } = scene();
    publish(publisher, numbers(1, 3), qos);
    expect(heard(publisher)).toEqual([SUCCESS, SUCCESS, SUCCESS]);
    node.crash();
    expect(drain(world).flat()).toEqual(["1", "2", "3"]);
    node.crash();
    expect(take(world)).toBeUndefined();
  });

  test("between the handler's success and its acknowledgement repeats the batch", () => {
    const { world, node, publisher } = scene();
    publish(publisher, numbers(1, 3));
    expect(take(world)).toEqual(["1", "2", "3"]);
    node.machine.consumed(consumerOf(world), true, world.now);
    node.crash();
    expect(take(world)).toEqual(["1", "2", "3"]);
    end(world, true);
    node.crash();
    expect(take(world)).toBeUndefined();
  });

  test("before the rows are written, the publisher hears nothing", () => {
    const { world, node } = scene({ auto: false });
    const publisher = world.connect("another");
    world.settle();
    publisher.take();
    publisher.publish("t/1", "1", { qos: 1 });
    expect(consumerOf(world).waiting).toBe(1);
    node.crash();
    world.settle();
    expect([heard(publisher), consumerOf(world).waiting]).toEqual([[], 0]);
  });

  test("keeps what is owed to a handler that fails: how often, and when", () => {
    const { world, node, publisher } = scene();
    publish(publisher, ["1", "2"]);
    take(world);
    end(world, false);
    node.crash();
    expect(take(world)).toBeUndefined();
    world.advance(CONSUMER_RETRY_MS_FIRST);
    expect(take(world)).toEqual(["1", "2"]);
    expect(consumerOf(world).attempts).toBe(2);
  });

  test("by the handler itself: each message no more than once too often", () => {
    const { world, node, publisher } = scene();
    publish(publisher, ["poison", "2"]);
    let given = 0;
    for (let round = 0; round < 20; round += 1) {
      const batch = take(world);
      if (batch === undefined) break;
      if (batch.includes("poison")) {
        given += 1;
        node.crash();
      } else {
        expect(batch).toEqual(["2"]);
        end(world, true);
      }
    }
    // What it was given first is not on record.
    expect(given).toBe(PLAN.attemptsMax + 1);
    expect(consumerOf(world).waiting).toBe(0);
    expect(consumerOf(world).givenUp).toEqual([{ topic: "t/1", publisher: "publisher", attempts: PLAN.attemptsMax }]);
  });

  test("after a clock was set back loses nothing", () => {
    const { world, node, publisher } = scene();
    publish(publisher, numbers(1, 20));
    drain(world);
    publisher.disconnect();
    world.advance(24 * REPEAT_WINDOW_MS);
    expect(node.store.chunkHeads(0, 10)).toEqual([]);
    world.now -= 100 * REPEAT_WINDOW_MS;
    node.crash();
    publish(world.connect("another"), ["new"]);
    node.crash();
    expect(take(world)).toEqual(["new"]);
  });

  test("whatever its row says: one that can't be read costs a repeat", () => {
    const { world, node, publisher } = scene();
    publish(publisher, ["1"]);
    take(world);
    end(world, true);
    publish(publisher, ["2"]);
    const row = node.store.sessions().find(({ clientId }) => clientId.startsWith("\0"))!;
    node.store.putSession({ ...row, state: Uint8Array.of(1, 2, 3) });
    node.crash();
    expect(node.problems.length).toBe(1);
    expect(drain(world).flat()).toEqual(["2"]);
  });
});

describe("a handler that fails", () => {
  test("gets the same batch again, after times that grow, then each message alone, so often and no more", () => {
    const { world, publisher } = scene();
    publish(publisher, ["bad", "2", "3"]);
    const calls: { at: number; batch: string[] }[] = [];
    const start = world.now;
    for (let ms = 0; ms < 60_000; ms += 250) {
      const batch = take(world);
      if (batch === undefined) {
        world.advance(250);
        continue;
      }
      if (calls.length === 0) publish(publisher, ["4"]);
      calls.push({ at: world.now - start, batch });
      end(world, !batch.includes("bad"));
    }
    expect(calls).toEqual([
      { at: 0, batch: ["bad", "2", "3"] },
      { at: 1000, batch: ["bad", "2", "3"] },
      { at: 3000, batch: ["bad"] },
      { at: 7000, batch: ["bad"] },
      { at: 7000, batch: ["2"] },
      { at: 7000, batch: ["3"] },
      { at: 7000, batch: ["4"] },
    ]);
    expect(CONSUMER_TOGETHER).toBe(2);
    const { counters, givenUp } = consumerOf(world);
    expect(givenUp).toEqual([{ topic: "t/1", publisher: "publisher", attempts: 4 }]);
    expect([counters.handled, counters.failed, counters.dropped.attempts]).toEqual([3, 4, 1]);
  });

  test("what expires between its attempts does not count for the next", () => {
    const { world, publisher } = scene();
    publisher.publish("t/1", "passes", { qos: 1, properties: { messageExpiryInterval: 5 } });
    publish(publisher, ["stays"]);
    const given: string[][] = [];
    for (let ms = 0; ms < 60_000; ms += 250) {
      const batch = take(world);
      if (batch === undefined) {
        world.advance(250);
        continue;
      }
      given.push(batch);
      end(world, false);
    }
    expect(given).toEqual([["passes", "stays"], ["passes", "stays"], ["passes"], ["stays"], ["stays"]]);
  });

  test.each([1, 2, 3])("with %i attempts no message is given more often", (attemptsMax) => {
    const { world, publisher } = scene({ consumers: [{ ...PLAN, attemptsMax }] });
    publish(publisher, numbers(1, 4));
    const times = new Map<string, number>();
    for (let round = 0; round < 100; round += 1) {
      const batch = take(world, 3);
      for (const each of batch ?? []) times.set(each, (times.get(each) ?? 0) + 1);
      if (batch === undefined) world.advance(1000);
      else end(world, false);
    }
    expect(Object.fromEntries(times)).toEqual({ 1: attemptsMax, 2: attemptsMax, 3: attemptsMax, 4: attemptsMax });
    expect(consumerOf(world).waiting).toBe(0);
  });

  test("has the object woken for the next attempt; a reset in between has it woken too, and nothing when all is handled", () => {
    const { world, node, publisher } = scene();
    const wakeIn = (): number => node.core.deadlines.wakeAt() - world.now;
    publish(publisher, ["1"]);
    expect(wakeIn()).toBeLessThanOrEqual(2 * CONSUMER_WATCH_MS);
    take(world);
    end(world, false);
    expect(wakeIn()).toBe(CONSUMER_RETRY_MS_FIRST);
    node.crash();
    expect(wakeIn()).toBeLessThanOrEqual(CONSUMER_RETRY_MS_FIRST);
    expect(drain(world)).toEqual([["1"]]);
    const again = world.connect("publisher", { clean: true });
    publish(again, ["2"]);
    again.disconnect();
    // Nothing else ever wakes it.
    for (let round = 0; round < 3; round += 1) {
      node.crash();
      world.advance(3 * CONSUMER_WATCH_MS);
      expect(wakeIn()).toBeLessThanOrEqual(2 * CONSUMER_WATCH_MS);
    }
    drain(world);
    world.advance(4 * CONSUMER_WATCH_MS);
    world.advance(4 * CONSUMER_WATCH_MS);
    expect(wakeIn()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a full queue", () => {
  const limits = { queueMessagesMax: 4 };

  test("slows publishers down until it is handled", () => {
    const { world, publisher } = scene({ limits });
    publish(publisher, numbers(1, 6));
    expect(heard(publisher)).toEqual([SUCCESS, SUCCESS]);
    expect(take(world, 3)).toEqual(["1", "2", "3"]);
    end(world, true);
    expect(heard(publisher).length).toBe(3);
    expect(drain(world).flat()).toEqual(["4", "5", "6"]);
    expect(heard(publisher).length).toBe(1);
  });

  test("slows them once; then the oldest go, but for what the handler has", () => {
    const { world, publisher } = scene({ limits });
    publish(publisher, ["1"]);
    take(world);
    publish(publisher, numbers(2, 8));
    world.advance(SLOW_MS_MAX);
    expect(heard(publisher).length).toBe(8);
    publish(publisher, ["9"]);
    expect(heard(publisher)).toEqual([SUCCESS]);
    expect(consumerOf(world).counters.dropped.queue_full).toBe(4);
    end(world, false);
    expect(drain(world)).toEqual([["1"], ["6", "7", "8", "9"]]);
    // Who has handled something is waited for again.
    publish(publisher, numbers(10, 13));
    expect(heard(publisher)).toEqual([SUCCESS, SUCCESS]);
  });

  test("what it drops does not make others wait less or be given up sooner", () => {
    const { world, publisher } = scene({ limits });
    publish(publisher, numbers(1, 8));
    // Nobody waits for it any more.
    world.advance(SLOW_MS_MAX);
    expect(take(world)).toEqual(["5", "6", "7", "8"]);
    end(world, false);
    publish(publisher, ["9"]);
    world.advance(CONSUMER_RETRY_MS_FIRST - 1);
    expect(take(world)).toBeUndefined();
    world.advance(1);
    expect(take(world)).toEqual(["6", "7", "8"]);
    expect(consumerOf(world).attempts).toBe(1);
    end(world, false);
    publish(publisher, numbers(10, 12));
    world.advance(CONSUMER_RETRY_MS_MAX);
    expect(take(world)).toEqual(["9", "10", "11", "12"]);
    expect(consumerOf(world).attempts).toBe(0);
  });

  test("with reject_new it takes nothing, and the publisher hears that", () => {
    const { world, publisher } = scene({ limits, choices: { queuePolicy: "reject_new" } });
    publish(publisher, numbers(1, 6));
    world.advance(SLOW_MS_MAX);
    expect(heard(publisher)).toEqual([SUCCESS, SUCCESS, QUOTA_EXCEEDED, QUOTA_EXCEEDED, SUCCESS, SUCCESS].sort());
    expect(drain(world).flat()).toEqual(["1", "2", "3", "4"]);
  });

  test("QoS 0 takes no place of others, and has no more than they", () => {
    const { world, publisher } = scene({ limits });
    publish(publisher, numbers(1, 9), 0);
    expect([take(world), consumerOf(world).counters.dropped.queue_full]).toEqual([["1", "2", "3", "4"], 5]);
    end(world, true);
    consumerOf(world).counters.dropped.queue_full = 0;
    publish(publisher, ["a", "b", "c"], 0);
    publish(publisher, numbers(1, 4));
    publish(publisher, ["d"], 0);
    world.advance(SLOW_MS_MAX);
    expect(drain(world).flat()).toEqual(["1", "2", "3", "4"]);
    expect(consumerOf(world).counters.dropped.queue_full).toBe(4);
  });

  test("a reset brings back what was with the handler, and all that waited behind it", () => {
    const { world, node, publisher } = scene({ limits });
    publish(publisher, numbers(1, 3));
    expect(take(world)).toEqual(["1", "2", "3"]);
    publish(publisher, numbers(4, 7));
    world.advance(SLOW_MS_MAX);
    expect(heard(publisher).length).toBe(7);
    node.crash();
    expect(drain(world).flat()).toEqual(numbers(1, 7));
  });
});

describe("other code", () => {
  test("without the consumer ends it: its rows go, and its messages", () => {
    const { world, node, publisher } = scene();
    publish(publisher, ["1", "2"]);
    world.consumers = [];
    node.crash();
    expect(node.endedConsumers).toEqual([{ name: "all", messages: 2 }]);
    expect(node.store.sessions().filter(({ clientId }) => clientId.startsWith("\0"))).toEqual([]);
    node.crash();
    expect(node.endedConsumers).toEqual([]);
    world.consumers = [PLAN];
    node.crash();
    expect(take(world)).toBeUndefined();
  });

  test("with another filter under the same name leaves it what waited", () => {
    const { world, node, publisher } = scene();
    publish(publisher, ["1"]);
    world.consumers = [{ ...PLAN, filter: "u" }];
    node.crash();
    const again = world.connect("again");
    again.publish("t/1", "not any more", { qos: 1 });
    again.publish("u", "2", { qos: 1 });
    expect(drain(world).flat()).toEqual(["1", "2"]);
  });
});

test("a fault that happens to one consumer is nothing to others; the publisher hears that not everyone has its message", () => {
  const caught: string[] = [];
  const faults = { caught: (_error: unknown, doing: string) => void caught.push(doing) };
  const { world, publisher } = scene({ consumers: [PLAN, { name: "one", filter: "t/1", attemptsMax: 4 }], faults });
  consumerOf(world).backlog.push = () => {
    throw new Error("a fault");
  };
  publish(publisher, ["1"]);
  expect(heard(publisher)).toEqual([IMPLEMENTATION_SPECIFIC_ERROR]);
  expect(take(world, 100, "one")).toEqual(["1"]);
  expect(caught).toEqual(["giving a message to the consumer all"]);
});

test("nobody sees or is a consumer", () => {
  const { world, node, publisher } = scene();
  publish(publisher, ["1"]);
  expect([...node.core.sessions.keys()]).toEqual(["publisher"]);
  node.crash();
  expect([...node.core.sessions.keys()]).toEqual(["publisher"]);
  expect(consumerOf(world).waiting).toBe(1);
});

test("the ledger knows what waits", () => {
  const { world, node, publisher } = scene();
  publish(publisher, numbers(1, 50));
  publish(publisher, numbers(51, 60), 0);
  expect(miscounted(node.core.ledger, recountSessions(node.core))).toEqual([]);
  take(world, 30);
  end(world, true);
  publish(publisher, ["x"], 0);
  expect(miscounted(node.core.ledger, recountSessions(node.core))).toEqual([]);
  drain(world);
  expect(miscounted(node.core.ledger, recountSessions(node.core))).toEqual([]);
});

test("a message costs a row, and one more for all of a batch that is handled", () => {
  const { world, node, publisher } = scene();
  publish(publisher, ["1"]);
  drain(world);
  const before = node.meter.rowsWritten;
  publish(publisher, ["2"]);
  expect(node.meter.rowsWritten - before).toBe(1);
  take(world);
  end(world, true);
  expect(node.meter.rowsWritten - before).toBe(2);
});

test("QoS 0 costs no row", () => {
  const { world, node, publisher } = scene();
  const before = node.meter.rowsWritten;
  publish(publisher, ["1"], 0);
  expect(take(world)).toEqual(["1"]);
  end(world, false);
  expect(node.meter.rowsWritten).toBe(before);
});
