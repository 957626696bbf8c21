/** Calls that fail after they ran, and objects that restart in the middle: nothing acknowledged is lost, QoS 2 is not repeated. */

import { describe, expect, test } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { REPEAT_WINDOW_MS } from "../../src/limits.ts";
import { MEMORY } from "../../src/memory-limits.ts";
import { PUBACK, PUBREC } from "../../src/mqtt/packet.ts";
import { RecordReader, RecordWriter } from "../../src/mqtt/record.ts";
import { Fence } from "../../src/routing/fence.ts";
import { Repeats } from "../../src/session/repeats.ts";
import { CHUNK_OVERHEAD_BYTES_MAX, RECIPIENT_BYTES_MAX } from "../../src/storage-limits.ts";
import { messageTo } from "../session/support.ts";
import { type SessionNode, type TestClient, type TopicNode, World } from "../support/core-harness.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

describe("Repeats", () => {
  test("recognise what came before by the same way, and only that", () => {
    const repeats = new Repeats();
    const at = (sequence: number, via = "t1", origin = "a@1"): boolean => repeats.isRepeat(messageTo("t", { sequence, origin }), via, 0);
    expect([at(5), at(6), at(6), at(5), at(7)]).toEqual([false, false, true, true, false]);
    expect([at(5, "t2"), at(5, "t1", "a@2"), at(5, "t1", "b@1")]).toEqual([false, false, false]);
  });

  /** A QoS 2 message of a stored session, which its publisher may repeat until its object says that it is settled. */
  const exchange = (repeats: Repeats, sequence: number, origin: string, repeated: boolean, settledBelow: number): boolean =>
    repeats.isRepeat(messageTo("t", { qos: 2, sequence, origin, repeated, settledBelow }), "t1", 0);

  test("recognise a QoS 2 message that its publisher repeats after its object restarted, whatever else came since", () => {
    const repeats = new Repeats();
    expect(exchange(repeats, 5, "a@1", false, 5)).toBe(false);
    expect(exchange(repeats, 9, "a@1", false, 5)).toBe(false);
    expect(exchange(repeats, 5, "a@2", true, 5)).toBe(true);
    // One that never came is not taken for one that did, although later ones were here; its own repeats are.
    expect(exchange(repeats, 7, "a@2", true, 5)).toBe(false);
    expect(exchange(repeats, 7, "a@2", true, 5)).toBe(true);
    expect(exchange(repeats, 5, "b@1", true, 5)).toBe(false);
  });

  test("forget of very many ways and objects those that were used longest ago, in memory and in a chunk", () => {
    const repeats = new Repeats();
    const at = (sequence: number, origin: string): boolean => repeats.isRepeat(messageTo("t", { sequence, origin }), "t1", 0);
    exchange(repeats, 5, "busy@1", false, 5);
    for (let index = 1; index <= 5000; index += 1) {
      at(index, "busy@1");
      exchange(repeats, 4 + index, "busy@1", false, 5);
      at(1, `${index}@1`);
      exchange(repeats, 1, `${index}@1`, false, 1);
    }
    const writer = new RecordWriter(64);
    repeats.write(writer);
    const again = new Repeats();
    again.read(new RecordReader(writer.finish()));
    for (const each of [repeats, again]) {
      expect(each.isRepeat(messageTo("t", { sequence: 5000, origin: "busy@1" }), "t1", 0)).toBe(true);
      expect(exchange(each, 5004, "busy@2", true, 5)).toBe(true);
    }
    expect(at(1, "1@1")).toBe(false);
  });

  test("remember such messages however long their publisher is away, and none that is settled", () => {
    const repeats = new Repeats();
    exchange(repeats, 5, "a@1", false, 5);
    exchange(repeats, 6, "a@1", false, 5);
    expect(repeats.remembersExchanges).toBe(true);
    repeats.forget(1000 * REPEAT_WINDOW_MS);
    expect(exchange(repeats, 5, "a@2", true, 5)).toBe(true);
    exchange(repeats, 9, "a@2", false, 9);
    const writer = new RecordWriter();
    repeats.write(writer);
    const again = new Repeats();
    again.read(new RecordReader(writer.finish()));
    expect(exchange(again, 9, "a@3", true, 9)).toBe(true);
    expect(exchange(again, 10, "a@3", false, 10)).toBe(false);
    // What comes of a settled exchange is a late copy.
    expect(exchange(again, 6, "a@1", false, 5)).toBe(true);
  });

  test("tell which shared subscriptions were given such a message, also after a restart, until it is settled", () => {
    const repeats = new Repeats();
    const of = (sequence: number, settledBelow: number) => messageTo("t", { qos: 2, sequence, origin: "a@1", settledBelow });
    const given = (from: Repeats): boolean[] =>
      ["$share/g/t", "$share/h/t"].flatMap((filter) => [5, 6].map((sequence) => from.wasShared(of(sequence, 5), filter, true)));
    for (const sequence of [5, 6]) repeats.isRepeat(of(sequence, 5), "t1", 0);
    repeats.shared(of(5, 5), "$share/g/t");
    repeats.shared(of(6, 5), "$share/h/t");
    expect(given(repeats)).toEqual([true, false, false, true]);
    const writer = new RecordWriter();
    repeats.write(writer);
    const again = new Repeats();
    again.read(new RecordReader(writer.finish()));
    expect(given(again)).toEqual([true, false, false, true]);
    // What comes of a settled one is a late copy.
    again.isRepeat(of(9, 9), "t1", 0);
    expect(given(again)).toEqual([true, true, true, true]);
  });

  test("are forgotten when no Topic object repeats any more", () => {
    const repeats = new Repeats();
    repeats.isRepeat(messageTo("t", { sequence: 5 }), "t1", 1000);
    repeats.forget(1000 + REPEAT_WINDOW_MS);
    expect(repeats.isRepeat(messageTo("t", { sequence: 5 }), "t1", 2000)).toBe(true);
    repeats.forget(1001 + REPEAT_WINDOW_MS);
    expect(repeats.isRepeat(messageTo("t", { sequence: 5 }), "t1", 2000)).toBe(false);
  });

  test("are bounded: the origin that was seen longest ago is forgotten first", () => {
    const repeats = new Repeats();
    for (let number = 0; number <= 4096; number += 1) repeats.isRepeat(messageTo("t", { origin: `o${number}@1` }), "t1", number);
    expect(repeats.isRepeat(messageTo("t", { origin: "o4096@1" }), "t1", 5000)).toBe(true);
    expect(repeats.isRepeat(messageTo("t", { origin: "o1@1" }), "t1", 5000)).toBe(true);
    expect(repeats.isRepeat(messageTo("t", { origin: "o0@1" }), "t1", 5000)).toBe(false);
  });

  test("are bounded and counted: of each share the latest messages are known, however many shares there are and however long their names", () => {
    const ledger = new Ledger(1 << 30);
    const repeats = new Repeats(ledger);
    const of = (sequence: number, settledBelow: number) => messageTo("t", { sequence, settledBelow, qos: settledBelow > 0 ? 2 : 1 });
    const known = (filter: string, sequence: number, settledBelow: number) => repeats.wasShared(of(sequence, settledBelow), filter, true);
    const mostNames = 2 * (32 * 1024 + 16) * MEMORY.numberBytes;
    for (const settledBelow of [0, 1]) {
      for (let sequence = 1; sequence <= 100; sequence += 1) {
        for (let share = 0; share < 1000; share += 1) repeats.shared(of(sequence, settledBelow), `$share/${share}/t`);
        repeats.shared(of(sequence, settledBelow), "$share/other/t");
      }
      expect(ledger.bytes.exchanges).toBe(repeats.memoryBytes);
      for (const share of ["other", "0", "999"])
        expect([known(`$share/${share}/t`, 100, settledBelow), known(`$share/${share}/t`, 101, settledBelow)]).toEqual([true, false]);
    }
    // Those of QoS 2 have 64 names each at the least, and what each share costs by itself.
    expect(ledger.bytes.exchanges).toBeGreaterThan(1001 * 64 * MEMORY.numberBytes);
    expect(ledger.bytes.exchanges).toBeLessThan(mostNames + 3 * 64 * 1024 * MEMORY.numberBytes);
    const before = ledger.bytes.exchanges;
    const long = (number: number): string => `$share/${number}${"x".repeat(60_000)}/t`;
    for (let number = 0; number < 50; number += 1) {
      repeats.shared(of(7, 1), long(number));
      repeats.leftShare(long(number));
    }
    expect(ledger.bytes.exchanges).toBe(repeats.memoryBytes);
    expect(ledger.bytes.exchanges - before).toBeLessThan(1.1 * 1024 * 1024);
    expect([known(long(49), 7, 1), known(long(0), 7, 1), known("$share/other/t", 100, 1)]).toEqual([true, false, true]);
    // All is settled.
    repeats.isRepeat(of(200, 200), "t1", 0);
    expect(ledger.bytes.exchanges).toBeLessThan(mostNames + 1.1 * 1024 * 1024);
  });

  test("fit the room that a chunk has for them, however much there is", () => {
    const repeats = new Repeats();
    const name = (number: number): string => `session/${"n".repeat(64)}/${"c".repeat(256)}${number}`;
    for (let number = 0; number < 300; number += 1) {
      for (let sequence = 1; sequence <= 100; sequence += 1) {
        exchange(repeats, 1_800_000_000_000_000 + sequence, `${name(number)}@${"u".repeat(36)}`, false, 1);
        const message = messageTo("t", {
          qos: 2,
          sequence: 1_800_000_000_000_000 + sequence,
          origin: `${name(number)}@u`,
          settledBelow: 1,
        });
        repeats.shared(message, `$share/${"s".repeat(sequence)}/t`);
      }
    }
    const writer = new RecordWriter();
    repeats.write(writer);
    expect(writer.length).toBeGreaterThan(100_000);
    expect(writer.length).toBeLessThan(CHUNK_OVERHEAD_BYTES_MAX - RECIPIENT_BYTES_MAX);
  });
});

/** A publisher's object, a Topic object and an object with two subscribers, one of them durable. */
function chain() {
  const world = new World({ wiring: "batched", sessionObjects: 2, auto: false });
  const [here, there] = world.sessions as [SessionNode, SessionNode];
  const [topic] = world.topics as [TopicNode];
  const durable = world.connect("durable", { ...DURABLE, at: 1 });
  const clean = world.connect("clean", { at: 1 });
  durable.subscribe("t", 2);
  clean.subscribe("t", 2);
  const publisher = world.connect("publisher", DURABLE);
  world.settle();
  for (const client of [durable, clean, publisher]) client.take();
  const inward = here.linkTo(topic);
  const outward = topic.linkTo(there.name);
  return { world, here, there, topic, durable, clean, publisher, inward, outward };
}

/** Everything the two subscribers and the publisher see until all is quiet, calls repeated included. */
function settled({ world, durable, clean, publisher }: Pick<ReturnType<typeof chain>, "world" | "durable" | "clean" | "publisher">) {
  world.settle();
  world.advance(10_000);
  return {
    durable: durable.texts(),
    clean: clean.texts(),
    answers: publisher.take().map((packet) => [packet.type, "reasonCode" in packet ? packet.reasonCode : undefined]),
  };
}

describe.each([1, 2] as const)("QoS %i", (qos) => {
  const answer = qos === 1 ? PUBACK : PUBREC;

  test("a call to the Topic object that fails before it ran, or after it", () => {
    for (const when of ["request", "answer"] as const) {
      const all = chain();
      all.inward.broken = when;
      all.publisher.publish("t", "x", { qos });
      all.world.settle();
      all.inward.broken = undefined;
      expect(settled(all)).toEqual({ durable: ["x"], clean: ["x"], answers: [[answer, 0]] });
    }
  });

  test("a call to the Session object that fails before it ran, or after it", () => {
    for (const when of ["request", "answer"] as const) {
      const all = chain();
      all.outward.broken = when;
      all.publisher.publish("t", "x", { qos });
      all.world.settle();
      expect(all.publisher.take()).toEqual([]);
      all.outward.broken = undefined;
      expect(settled(all)).toEqual({ durable: ["x"], clean: ["x"], answers: [[answer, 0]] });
    }
  });

  test("a restart of the Topic object at any step", () => {
    for (let steps = 0; steps < 6; steps += 1) {
      const all = chain();
      all.publisher.publish("t", "x", { qos });
      for (let step = 0; step < steps; step += 1)
        all.world
          .links()
          .find((link) => link.steps().length > 0)
          ?.step();
      all.topic.crash();
      expect([steps, settled(all)]).toEqual([steps, { durable: ["x"], clean: ["x"], answers: [[answer, 0]] }]);
    }
  });

  test("a restart of the subscribers' object at any step loses nothing for the durable one", () => {
    for (let steps = 0; steps < 6; steps += 1) {
      const all = chain();
      all.publisher.publish("t", "x", { qos });
      for (let step = 0; step < steps; step += 1)
        all.world
          .links()
          .find((link) => link.steps().length > 0)
          ?.step();
      all.there.crash();
      const again = all.world.connect("durable", { ...DURABLE, at: 1 });
      const { answers } = settled({ ...all, durable: again });
      expect([steps, answers]).toEqual([steps, [[answer, 0]]]);
      // Stored once, whatever was repeated: a second copy would be a second delivery.
      expect(again.connection.session.outstanding).toBe(1);
    }
  });
});

test("QoS 2: a restart of the publisher's object at any step, and a publisher that repeats: exactly once", () => {
  for (let steps = 0; steps < 7; steps += 1) {
    const all = chain();
    all.publisher.publish("t", "x", { qos: 2, packetId: 9 });
    all.here.flush();
    for (let step = 0; step < steps; step += 1)
      all.world
        .links()
        .find((link) => link.steps().length > 0)
        ?.step();
    all.here.crash();
    const again: TestClient = all.world.connect("publisher", DURABLE);
    all.world.settle();
    again.take();
    again.publish("t", "x", { qos: 2, packetId: 9, dup: true });
    const seen = settled({ ...all, publisher: again });
    // What had already arrived at the Topic object is delivered once, whether or not the publisher repeats it.
    expect([steps, seen]).toEqual([steps, { durable: ["x"], clean: ["x"], answers: [[PUBREC, 0]] }]);
  }
});

describe.each([
  ["a session that is kept", DURABLE],
  ["one that is not", {}],
] as const)("QoS 2: a call that was not answered, and its receiver sleeps before it comes again; the publisher has %s", (_, options) => {
  test.each(["t", "$share/g/t"])("clients at %s whose sessions are not kept get it once, and the next one", (filter) => {
    const world = new World({ wiring: "batched", sessionObjects: 2, auto: false });
    const [, there] = world.sessions as [SessionNode, SessionNode];
    const [topic] = world.topics as [TopicNode];
    const clients = ["one", "other"].map((id) => world.connect(id, { at: 1 }));
    for (const client of clients) client.subscribe(filter, 2);
    const publisher = world.connect("publisher", options);
    world.settle();
    for (const client of clients) client.take();
    const outward = topic.linkTo(there.name);
    outward.broken = "answer";
    publisher.publish("t", "x", { qos: 2 });
    world.settle();
    const first = clients.map((client) => client.texts());
    expect(first.flat()).toEqual(filter === "t" ? ["x", "x"] : ["x"]);
    there.hibernate();
    there.hibernate();
    outward.broken = undefined;
    world.settle();
    world.advance(10_000);
    expect(clients.flatMap((client) => client.texts())).toEqual([]);
    publisher.publish("t", "y", { qos: 2, packetId: 2 });
    world.settle();
    world.advance(10_000);
    expect(clients.flatMap((client) => client.texts())).toEqual(first.flat().map(() => "y"));
  });
});

test("QoS 2: what an object knows by an attachment hides from a shared subscription nothing that was never given to it", () => {
  const world = new World({ wiring: "batched", sessionObjects: 2, auto: false });
  const [, there] = world.sessions as [SessionNode, SessionNode];
  const [topic] = world.topics as [TopicNode];
  const client = world.connect("one", { at: 1 });
  client.subscribe("t", 2);
  const publisher = world.connect("publisher");
  world.settle();
  client.take();
  topic.linkTo(there.name).broken = "answer";
  publisher.publish("t", "x", { qos: 2 });
  world.settle();
  expect(client.texts()).toEqual(["x"]);
  there.hibernate();
  // The Topic object is asked again when it has lost its memory, and by then there is a member.
  const member = world.connect("member", { at: 1 });
  member.subscribe("$share/g/t", 2);
  world.settle();
  topic.linkTo(there.name).broken = undefined;
  topic.crash();
  world.settle();
  world.advance(10_000);
  expect([client.texts(), member.texts()]).toEqual([[], ["x"]]);
});

describe.each(["round_robin", "sticky", "hash_topic"] as const)(
  "QoS 2, shared, %s: a message that its publisher repeats",
  (sharedStrategy) => {
    /** Two members in two objects, of whom one got a message whose publisher has no answer. */
    function given() {
      const world = new World({ wiring: "batched", sessionObjects: 3, auto: false, choices: { sharedStrategy } });
      const [here] = world.sessions as [SessionNode];
      const [topic] = world.topics as [TopicNode];
      const members = [1, 2].map((at) => world.connect(`member ${at}`, { ...DURABLE, at }));
      for (const member of members) member.subscribe("$share/g/t", 2);
      const publisher = world.connect("publisher", DURABLE);
      world.settle();
      for (const client of [...members, publisher]) client.take();
      here.linkTo(topic).broken = "answer";
      publisher.publish("t", "x", { qos: 2, packetId: 9 });
      world.settle();
      const texts = members.map((member) => member.texts());
      expect(texts.flat()).toEqual(["x"]);
      const place = texts.findIndex((each) => each.length > 0);
      const [has, other] = place === 0 ? [members[0]!, members[1]!] : [members[1]!, members[0]!];
      // From now on the choice falls on the other one.
      has.lose();
      here.crash();
      world.settle();
      return { world, topic, other, has };
    }

    function repeat({ world }: ReturnType<typeof given>): void {
      const again = world.connect("publisher", DURABLE);
      world.settle();
      again.take();
      again.publish("t", "x", { qos: 2, packetId: 9, dup: true });
      world.settle();
      world.advance(10_000);
      expect(again.take().map(({ type }) => type)).toEqual([PUBREC]);
    }

    test.each([false, true])("is with the member that has it, whatever the Topic object remembers (which is lost: %s)", (isLost) => {
      const all = given();
      if (isLost) all.topic.crash();
      repeat(all);
      expect(all.other.texts()).toEqual([]);
      expect(all.has.connection.session.outstanding).toBe(1);
    });

    test("or its object, because the Topic object was reset before it answered", () => {
      const world = new World({ wiring: "batched", sessionObjects: 3, auto: false, choices: { sharedStrategy } });
      const [here] = world.sessions as [SessionNode];
      const [topic] = world.topics as [TopicNode];
      const members = [1, 2].map((at) => world.connect(`member ${at}`, { ...DURABLE, at }));
      for (const member of members) member.subscribe("$share/g/t", 2);
      const publisher = world.connect("publisher", DURABLE);
      world.settle();
      for (const client of [...members, publisher]) client.take();
      here.linkTo(topic).broken = "answer";
      publisher.publish("t", "x", { qos: 2 });
      world.settle();
      const texts = members.map((member) => member.texts());
      expect(texts.flat()).toEqual(["x"]);
      const place = texts.findIndex((each) => each.length > 0);
      // From now on the choice falls on the other one.
      members[place]!.lose();
      topic.crash();
      here.linkTo(topic).broken = undefined;
      world.settle();
      world.advance(10_000);
      expect([members[1 - place]!.texts(), publisher.take().map(({ type }) => type)]).toEqual([[], [PUBREC]]);
    });

    test("goes to a member where none was given it", () => {
      const world = new World({ wiring: "batched", sessionObjects: 3, auto: false, choices: { sharedStrategy } });
      const [here] = world.sessions as [SessionNode];
      const [topic] = world.topics as [TopicNode];
      const members = [1, 2].map((at) => world.connect(`member ${at}`, { ...DURABLE, at }));
      for (const member of members) member.subscribe("$share/g/t", 2);
      const publisher = world.connect("publisher", DURABLE);
      world.settle();
      for (const client of [...members, publisher]) client.take();
      here.linkTo(topic).broken = "request";
      publisher.publish("t", "x", { qos: 2, packetId: 9 });
      here.flush();
      world.settle();
      here.crash();
      const again = world.connect("publisher", DURABLE);
      world.settle();
      again.publish("t", "x", { qos: 2, packetId: 9, dup: true });
      world.settle();
      world.advance(10_000);
      expect(members.flatMap((member) => member.texts())).toEqual(["x"]);
    });
  },
);

test("QoS 2: later messages of the same publisher do not hide an earlier one that is repeated late", () => {
  const all = chain();
  all.inward.broken = "request";
  all.publisher.publish("t", "lost with its object", { qos: 2, packetId: 1 });
  all.here.flush();
  all.world.settle();
  all.here.crash();
  const again = all.world.connect("publisher", DURABLE);
  all.world.settle();
  again.publish("t", "later", { qos: 2, packetId: 2 });
  all.world.settle();
  again.publish("t", "lost with its object", { qos: 2, packetId: 1, dup: true });
  all.world.settle();
  expect(all.durable.texts()).toEqual(["later", "lost with its object"]);
});

test("QoS 2: what is new is taken for new although the publisher's clock was set back over a restart", () => {
  const all = chain();
  all.publisher.publish("t", "before", { qos: 2, packetId: 1 });
  all.world.settle();
  all.publisher.pubrel(1);
  all.world.settle();
  all.world.now -= 50_000_000;
  all.here.crash();
  const again = all.world.connect("publisher", DURABLE);
  all.world.settle();
  again.publish("t", "after", { qos: 2, packetId: 1 });
  all.world.settle();
  all.world.advance(20_000);
  expect(all.durable.texts()).toEqual(["before", "after"]);
});

test("a call of an object's earlier life that arrives after one of its next life is kept out", () => {
  const fence = new Fence();
  expect([fence.admits("a", 5, 1000), fence.admits("a", 5, 1001), fence.admits("b", 1, 1001)]).toEqual([true, true, true]);
  expect([fence.admits("a", 6, 2000), fence.admits("a", 5, 2001), fence.admits("a", 6, 2002)]).toEqual([true, false, true]);
  // A clock that was set back must not keep an object out for good.
  expect([fence.admits("a", 3, 12_001), fence.admits("a", 3, 12_002)]).toEqual([false, true]);
  expect(fence.admits("a", 2, 1)).toBe(true);
});

test("of very many objects that call once each only those are remembered whose earlier lives may still speak", () => {
  const fence = new Fence();
  const at = (number: number): number => 1_000_000 + 10 * number;
  for (let number = 0; number < 20_000; number += 1) {
    expect(fence.admits(`${number}`, 2, at(number))).toBe(true);
    if (number > 100) expect(fence.admits(`${number - 100}`, 1, at(number))).toBe(false);
    // Of ten seconds a thousand, and as many until the next look.
    expect(fence.size).toBeLessThanOrEqual(2002);
  }
});

test("QoS 2: exactly once although the publisher comes back long after both objects lost their memory", () => {
  const all = chain();
  all.publisher.publish("t", "x", { qos: 2, packetId: 9 });
  all.here.flush();
  for (const step of ["send", "arrive"] as const) all.inward.step(step);
  for (const step of ["send", "arrive"] as const) all.outward.step(step);
  // It has been delivered; that it was, no row of the publisher's object says.
  all.here.crash();
  all.durable.pubrec(1);
  all.durable.pubcomp(1);
  all.world.settle();
  all.world.advance(5 * REPEAT_WINDOW_MS);
  all.there.crash();
  const durable = all.world.connect("durable", { ...DURABLE, at: 1 });
  const publisher = all.world.connect("publisher", DURABLE);
  all.world.settle();
  publisher.take();
  publisher.publish("t", "x", { qos: 2, packetId: 9, dup: true });
  expect(settled({ ...all, durable, publisher })).toEqual({ durable: [], clean: ["x"], answers: [[PUBREC, 0]] });
});

test("messages stay in order through failures", () => {
  const all = chain();
  const texts = [...Array(20).keys()].map(String);
  for (const [index, text] of texts.entries()) {
    all.outward.broken = index % 3 === 0 ? "answer" : undefined;
    all.inward.broken = index % 4 === 0 ? "request" : undefined;
    all.publisher.publish("t", text, { qos: 1 });
    all.world.settle();
    all.world.advance(20);
  }
  all.outward.broken = undefined;
  all.inward.broken = undefined;
  const { durable, clean } = settled(all);
  expect([durable, clean]).toEqual([texts, texts]);
});

test("a full outbox: the message is refused 0x83 and can be repeated", () => {
  const world = new World({ wiring: "batched", auto: false });
  const client = world.connect("c");
  world.settle();
  client.take();
  const link = world.sessions[0]!.links[0]!;
  const payload = new Uint8Array(1_000_000);
  let accepted = 0;
  while (world.sessions[0]!.links[0]!.outbox.bytes + 1_000_100 <= 32 * 1024 * 1024) {
    client.publish("t", payload, { qos: 1 });
    accepted += 1;
  }
  client.publish("t", payload, { qos: 1, packetId: 999 });
  expect(link.outbox.length).toBe(accepted);
  world.settle();
  const answers = client.take();
  expect(answers.length).toBe(accepted + 1);
  expect(answers.at(-1)).toMatchObject({ type: PUBACK, packetId: 999, reasonCode: 0x83 });
});
