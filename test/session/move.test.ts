/** A session on its way between Session objects; the whole way, with its calls, is simulated and killed elsewhere. */

import { expect, test } from "vitest";
import { BATCH_BYTES_MAX, REPEAT_WINDOW_MS } from "../../src/limits.ts";
import type { Message } from "../../src/mqtt/message.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import { beginArrival, completeArrival, subscribeArriving } from "../../src/session/arrive.ts";
import type { SessionCore } from "../../src/session/core.ts";
import { exportSession, letGo, offerSession } from "../../src/session/depart.ts";
import { SessionMachine } from "../../src/session/machine.ts";
import type { MovingSubscription } from "../../src/session/move.ts";
import { World } from "../support/core-harness.ts";
import { deliveriesOf } from "../support/deliveries.ts";
import { messageTo } from "./support.ts";

const VIA = "n/topic/0";

/** As a host does with a message from a Topic object. */
function arrive(core: SessionCore, message: Message, now: number): void {
  const machine = new SessionMachine(core);
  if (core.repeats.isRepeat(message, VIA, now)) machine.deliverRepeat(message, now);
  else machine.deliver(message, now);
}

/** A kept session that wants something, where it is, and the other object. */
function kept(filter: string, qos: QoS) {
  const world = new World({ auto: false, sessionObjects: 2 });
  const client = world.connect("s", { clean: false, properties: { sessionExpiryInterval: 1000 } });
  client.subscribe(filter, qos);
  world.settle();
  const from = world.sessions.find(({ core }) => core.sessions.has("s"))!;
  const { core } = world.sessions.find((node) => node !== from)!;
  return { world, client, from, core };
}

/** It begins to move. */
function begin(from: SessionCore, to: SessionCore) {
  const subscriptions = offerSession(from, "s", "resume", undefined) as readonly MovingSubscription[];
  const session = beginArrival(to, "s");
  subscribeArriving(to, session, subscriptions, { settled: () => {} });
  return { subscriptions, session };
}

/** A session in two parts moves from one object to another; a QoS 2 message comes to both between the parts. */
function movedInParts(): { world: World; to: SessionCore; between: Message } {
  const world = new World({ auto: false, sessionObjects: 2, limits: { queueBytesMax: 2 * BATCH_BYTES_MAX } });
  const client = world.connect("s", { clean: false, properties: { sessionExpiryInterval: 1000 } });
  client.subscribe("t", 2);
  world.settle();
  const from = world.sessions.find(({ core }) => core.sessions.has("s"))!;
  const to = world.sessions.find((node) => node !== from)!;
  const { now } = world;
  for (const sequence of [1, 2, 3, 4, 5]) {
    arrive(from.core, messageTo("t", { qos: 2, sequence, settledBelow: 1, payload: new Uint8Array(BATCH_BYTES_MAX / 4) }), now);
    from.flush();
  }
  const subscriptions = offerSession(from.core, "s", "resume", undefined) as readonly MovingSubscription[];
  const session = beginArrival(to.core, "s");
  subscribeArriving(to.core, session, subscriptions, { settled: () => {} });
  const first = exportSession(from.core, "s", 0)!;
  const between = messageTo("t", { qos: 2, sequence: 6, settledBelow: 1 });
  for (const { core } of [from, to]) arrive(core, between, now);
  from.flush();
  const last = exportSession(from.core, "s", first.next!)!;
  completeArrival(to.core, session, { from: from.name, subscriptions, parts: [first, last] });
  letGo(from.core, "s");
  return { world, to: to.core, between };
}

test("a message that comes between two parts of a session is in the second one, once", () => {
  const { to } = movedInParts();
  expect(deliveriesOf(to, to.sessions.get("s")!).map(({ message }) => message!.sequence)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("who speaks for a session comes with it", () => {
  const world = new World({ auto: false, sessionObjects: 2 });
  const identity = { userName: "ada", address: "192.0.2.1", grants: "{}", expiresAt: 1_900_000_000_000 };
  world.connect("s", { clean: false, properties: { sessionExpiryInterval: 1000 }, identity }).lose();
  world.settle();
  const from = world.sessions.find(({ core }) => core.sessions.has("s"))!;
  const { core } = world.sessions.find((node) => node !== from)!;
  const { subscriptions, session } = begin(from.core, core);
  completeArrival(core, session, { from: from.name, subscriptions, parts: [exportSession(from.core, "s", 0)!] });
  expect(session.identity).toEqual(identity);
});

test("and when its publisher repeats it, the session has had it", () => {
  const { world, to, between } = movedInParts();
  arrive(to, messageTo("t", { ...between, repeated: true }), world.now);
  expect(to.sessions.get("s")!.outstanding).toBe(6);
});

test("a message that was lost on its way to the former owner reaches the session, once, although later ones were here", () => {
  const { world, from, core } = kept("t", 1);
  const { subscriptions, session } = begin(from.core, core);
  const come = (sequence: number, now: number): void => arrive(core, messageTo("t", { qos: 1, sequence }), now);
  come(6, world.now);
  completeArrival(core, session, { from: from.name, subscriptions, parts: [exportSession(from.core, "s", 0)!] });
  // A Topic object that has lost its memory gets the fifth again, and now it knows this object.
  for (const _copy of [1, 2]) come(5, world.now);
  const waiting = (): number[] => deliveriesOf(core, session).map(({ message }) => message!.sequence);
  expect(waiting()).toEqual([6, 5]);
  come(4, world.now + REPEAT_WINDOW_MS);
  expect(waiting()).toEqual([6, 5]);
  expect(core.moved.size).toBe(0);
});

test("[MQTT5-4.8.2-5] of a session that ends where it was when it may be elsewhere, messages at QoS 1 go to another member, those at QoS 2 to nobody", () => {
  const world = new World();
  const filter = "$share/g/t";
  const client = world.connect("s", { clean: false, properties: { sessionExpiryInterval: 10 } });
  client.subscribe(filter, 2);
  client.lose();
  const publisher = world.connect("p");
  for (const qos of [1, 2] as const) publisher.publish("t", `at QoS ${qos}`, { qos });
  const other = world.connect("other");
  other.subscribe(filter, 2);
  other.take();
  const { core } = world.sessions[0]!;
  exportSession(core, "s", 0);
  world.advance(11_000);
  expect(core.sessions.has("s")).toBe(false);
  expect(other.texts()).toEqual(["at QoS 1"]);
});

test("of an owner that had it twice, what the session brought along is not asked for as what came late", () => {
  const world = new World({ auto: false, sessionObjects: 2 });
  const client = world.connect("s", { clean: false, properties: { sessionExpiryInterval: 1000 } });
  client.subscribe("t", 2);
  world.settle();
  client.lose();
  world.settle();
  const from = world.sessions.find(({ core }) => core.sessions.has("s"))!;
  const { core } = world.sessions.find((node) => node !== from)!;
  arrive(from.core, messageTo("t", { qos: 2, sequence: 1, settledBelow: 1 }), world.now);
  from.flush();
  // It was reset before its row could say that the others know.
  from.core.sessions.get("s")!.cameFrom = [
    { object: from.name, through: 0 },
    { object: "n/session/9", through: 3 },
  ];
  const { subscriptions, session } = begin(from.core, core);
  const part = exportSession(from.core, "s", 0)!;
  completeArrival(core, session, { from: from.name, subscriptions, parts: [part] });
  expect(part.through).toBeGreaterThan(0);
  expect(session.cameFrom).toEqual([
    { object: "n/session/9", through: 3 },
    { object: from.name, through: part.through },
  ]);
});

test("what comes again while a session arrives, behind newer ones, waits in the order in which it was published", () => {
  const { world, from, core } = kept("t", 2);
  const come = (qos: 1 | 2, sequence: number): void =>
    arrive(core, messageTo("t", { qos, sequence, settledBelow: qos === 2 ? 1 : 0 }), world.now);
  // The first two come before the session is expected.
  come(2, 1);
  come(1, 2);
  const { subscriptions, session } = begin(from.core, core);
  come(2, 3);
  come(1, 4);
  // Their Topic object has lost its memory.
  come(2, 1);
  come(1, 2);
  completeArrival(core, session, { from: from.name, subscriptions, parts: [exportSession(from.core, "s", 0)!] });
  expect(deliveriesOf(core, session).map(({ message }) => message!.sequence)).toEqual([1, 2, 3, 4]);
});

test("what one client publishes to one topic waits in its order, though it repeats what it began at another object, and other topics' come between", () => {
  const { world, from, core } = kept("#", 2);
  const come = (topic: string, fields: Partial<Message>): void => arrive(core, messageTo(topic, { ...fields, settledBelow: 1 }), world.now);
  const begun = { qos: 2, origin: "former@1", sequence: 5, repeated: true } as const;
  // It comes before the session is expected.
  come("early", begun);
  const { subscriptions, session } = begin(from.core, core);
  come("other", { qos: 2, origin: "now@1", sequence: 8 });
  come("t", { ...begun, sequence: 6 });
  come("t", { qos: 2, origin: "now@1", sequence: 7 });
  come("early", { qos: 2, origin: "now@1", sequence: 9 });
  // Its Topic object has lost its memory.
  come("early", begun);
  completeArrival(core, session, { from: from.name, subscriptions, parts: [exportSession(from.core, "s", 0)!] });
  const waiting = deliveriesOf(core, session).map(({ message }) => `${message!.topic} ${message!.sequence}`);
  expect(waiting).toEqual(["other 8", "t 6", "t 7", "early 5", "early 9"]);
});

test("a client's exchange that was begun elsewhere is older than all that it publishes from then on", () => {
  const world = new World({ auto: false, sessionObjects: 2 });
  const client = world.connect("s", { clean: false, properties: { sessionExpiryInterval: 1000 } });
  world.settle();
  const from = world.sessions.find(({ core }) => core.sessions.has("s"))!;
  const { core } = world.sessions.find((node) => node !== from)!;
  from.core.numbers.raise(core.numbers.last + 1_000_000);
  client.publish("t", "begun", { qos: 2 });
  const { subscriptions, session } = begin(from.core, core);
  completeArrival(core, session, { from: from.name, subscriptions, parts: [exportSession(from.core, "s", 0)!] });
  const [exchange] = session.received.values();
  expect(core.numbers.next()).toBeGreaterThan(exchange!.sequence);
});

test("a repeat that ends the doubt about one session that moved is not given again to those that have it", () => {
  const { world, to } = movedInParts();
  const other = world.connect("other", {
    clean: false,
    properties: { sessionExpiryInterval: 1000 },
    at: world.sessions.findIndex(({ core }) => core === to),
  });
  other.subscribe("t", 2);
  world.settle();
  const moved = to.sessions.get("s")!;
  const later = messageTo("t", { qos: 2, sequence: 7, settledBelow: 7 });
  arrive(to, later, world.now);
  const waiting = [moved.outstanding, to.sessions.get("other")!.outstanding];
  // After a restart it is long ago that it moved.
  moved.movedAt = 0;
  moved.had.add([{ object: "elsewhere", sequences: [6] }]);
  arrive(to, messageTo("t", { ...later, repeated: true }), world.now);
  expect(to.moved.size).toBe(0);
  expect([moved.outstanding, to.sessions.get("other")!.outstanding]).toEqual(waiting);
});

test("an exchange that was begun here is not called settled when the copy of its session expires that was offered to another object", () => {
  const world = new World({ auto: false, sessionObjects: 2, wiring: "batched" });
  const client = world.connect("s", { clean: false, properties: { sessionExpiryInterval: 10 } });
  world.settle();
  const from = world.sessions.find(({ core }) => core.sessions.has("s"))!;
  client.publish("t", "x", { qos: 2 });
  from.flush();
  const [begun] = from.core.openExchanges.keys();
  client.lose();
  offerSession(from.core, "s", "resume", undefined);
  exportSession(from.core, "s", 0);
  from.flush();
  // Its Topic object was out of reach.
  from.crash();
  world.now += 60_000;
  from.flush();
  expect([from.core.sessions.has("s"), from.core.settledBelow]).toEqual([false, begun]);
  from.crash();
  expect(from.core.settledBelow).toBe(begun);
});
