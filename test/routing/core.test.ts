/** One Topic object: routes and their versions, fan-out and its outcome, retained messages. */

import { describe, expect, test } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { DEFAULT_LIMITS, type Limits, RETAINED_PAGE_BYTES, SHARES_CHARACTERS_MAX } from "../../src/limits.ts";
import type { Message } from "../../src/mqtt/message.ts";
import { RoutingCore } from "../../src/routing/core.ts";
import type { Addressed } from "../../src/routing/ports.ts";
import type { RetainedSlice } from "../../src/routing/retained.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { messageTo } from "../session/support.ts";
import { utf8 } from "../support/core-harness.ts";

interface Sent {
  readonly to: string;
  readonly message: Message;
  readonly addressed: Addressed;
  readonly done: ((reasonCode: number) => void) | undefined;
}

function setup(limits: Partial<Limits> = {}) {
  const meter = createRowMeter();
  const store = new MemoryRoutingStore(meter);
  const sent: Sent[] = [];
  let incarnation = 0;
  const open = (): RoutingCore => {
    incarnation += 1;
    return new RoutingCore({
      ledger: new Ledger(1 << 30),
      damaged: () => {},
      origin: `topic@${incarnation}`,
      limits: { ...DEFAULT_LIMITS, ...limits },
      sharedStrategy: "round_robin",
      store,
      delivery: { deliver: (to, message, addressed, done) => void sent.push({ to, message, addressed, done }) },
      owns: () => true,
      now: 1000,
    });
  };
  const core = open();
  const interest = (sessionObject: string, filter: string, qos: 0 | 1 | 2 = 1, version = 1): void =>
    core.subscribe({ sessionObject, filter, qos, version, lasting: true });
  const publish = (topic: string, fields: Parameters<typeof messageTo>[1] = {}, now = 1000): { codes: number[] } => {
    const outcome = { codes: [] as number[] };
    core.publish(messageTo(topic, fields), now, (code) => void outcome.codes.push(code));
    return outcome;
  };
  /** The retained payloads that a new subscription gets. */
  const retained = (filter: string, now = 1000, from = core): string[] => {
    return from.retainedSlice(filter, "", now).messages.map(({ payload }) => new TextDecoder().decode(payload));
  };
  return { core, store, meter, sent, open, interest, publish, retained };
}

/** The topics of each slice, until there are no more. */
function slices(core: RoutingCore, filter: string): string[][] {
  const all: string[][] = [];
  for (let from: string | undefined = ""; from !== undefined; ) {
    const { messages, next }: RetainedSlice = core.retainedSlice(filter, from, 1000);
    all.push(messages.map(({ topic }) => topic));
    from = next;
  }
  return all;
}

test("a message for very many long shared subscriptions goes in pieces, and is done when all of them are", () => {
  const { core, sent, publish, interest } = setup();
  interest("s", "t");
  const filters = [...Array(20).keys()].map((number) => `$share/${number}${"n".repeat(60_000)}/t`);
  for (const filter of filters) core.share({ sessionObject: "s", filter, members: 1, online: 1, version: 1 });
  const { codes } = publish("t");
  expect(sent.length).toBeGreaterThan(3);
  for (const { addressed } of sent)
    expect(addressed.shares.reduce((sum, { filter }) => sum + filter.length, 0)).toBeLessThanOrEqual(SHARES_CHARACTERS_MAX);
  expect(sent.flatMap(({ addressed }) => addressed.shares.map(({ filter }) => filter))).toEqual(filters);
  expect(sent.map(({ addressed }) => addressed.live)).toEqual([true, ...sent.slice(1).map(() => false)]);
  for (const { done } of sent.slice(1)) done!(0);
  expect(codes).toEqual([]);
  sent[0]!.done!(0x97);
  expect(codes).toEqual([0x97]);
});

describe("routes", () => {
  test("one that need not last has no row until it has to; it is used all the same", () => {
    const { core, store, meter, sent, interest, publish } = setup();
    core.subscribe({ sessionObject: "a", filter: "t", qos: 1, version: 1, lasting: false });
    publish("t");
    expect(sent.map(({ to }) => to)).toEqual(["a"]);
    core.unsubscribe("a", "t", 2);
    expect(meter.rowsWritten).toBe(0);
    core.subscribe({ sessionObject: "a", filter: "t", qos: 1, version: 3, lasting: false });
    interest("a", "t", 1, 3);
    expect(store.routes()).toEqual([{ sessionObject: "a", filter: "t", qos: 1, version: 3, members: 0, online: 0 }]);
    expect(meter.rowsWritten).toBe(1);
    core.subscribe({ sessionObject: "a", filter: "t", qos: 2, version: 4, lasting: false });
    expect(store.routes()[0]!.qos).toBe(1);
    core.unsubscribe("a", "t", 5);
    expect(store.routes()).toEqual([]);
  });

  test("only a word that is not older than what is known changes them", () => {
    const { core, store, interest } = setup();
    interest("a", "t", 1, 5);
    interest("a", "t", 2, 4);
    core.unsubscribe("a", "t", 4);
    expect(store.routes()).toMatchObject([{ qos: 1, version: 5 }]);
    core.unsubscribe("b", "t", 9);
    core.unsubscribe("a", "t", 5);
    expect(store.routes()).toEqual([]);
  });

  test("`nobody wants it` prunes what matches the topic and is not newer, and nothing of other objects", () => {
    const { core, store, interest } = setup();
    interest("a", "t/x", 1, 1);
    interest("a", "t/+", 1, 2);
    interest("a", "t/#", 1, 8);
    interest("a", "u", 1, 1);
    interest("b", "t/x", 1, 1);
    core.nobodyWants("a", "t/x", 5);
    expect(store.routes().map(({ filter, sessionObject }) => `${sessionObject} ${filter}`)).toEqual(["a t/#", "b t/x", "a u"]);
  });

  test("are known again after a restart", () => {
    const { open, sent, interest } = setup();
    interest("a", "t/+", 2, 3);
    const again = open();
    expect(again.routeCount).toBe(1);
    again.publish(messageTo("t/x"), 1000, undefined);
    expect(sent.map(({ to }) => to)).toEqual(["a"]);
    again.unsubscribe("a", "t/+", 3);
    expect(again.routeCount).toBe(0);
  });
});

describe("fan-out", () => {
  test("each Session object gets a message once, whatever filters of it match", () => {
    const { interest, publish, sent } = setup();
    interest("a", "t/x");
    interest("a", "t/+");
    interest("b", "#");
    interest("c", "other");
    publish("t/x");
    expect(sent.map(({ to, addressed }) => [to, addressed.live])).toEqual([
      ["a", true],
      ["b", true],
    ]);
  });

  test("is published once all have it; [5.0/3.4.2.1/no-match] 0x10 when there is nobody", () => {
    const { interest, publish, sent } = setup();
    expect(publish("t").codes).toEqual([0x10]);
    interest("a", "t");
    interest("b", "t");
    const { codes } = publish("t");
    sent[1]!.done!(0);
    expect(codes).toEqual([]);
    sent[0]!.done!(0);
    expect(codes).toEqual([0]);
  });

  test("one object out of reach: 0x83, after the others have answered", () => {
    const { interest, publish, sent } = setup();
    interest("a", "t");
    interest("b", "t");
    const { codes } = publish("t");
    sent[0]!.done!(0x83);
    expect(codes).toEqual([]);
    sent[1]!.done!(0);
    expect(codes).toEqual([0x83]);
  });

  test("who takes it at QoS 0 is not waited for", () => {
    const { interest, publish, sent } = setup();
    interest("zero", "t", 0);
    expect([publish("t").codes, sent[0]!.done]).toEqual([[0], undefined]);
    interest("one", "t", 1);
    const { codes } = publish("t");
    expect(codes).toEqual([]);
    sent.find(({ to, done }) => to === "one" && done !== undefined)!.done!(0);
    expect(codes).toEqual([0]);
  });

  test("deliveries that are done at once are as good", () => {
    const meter = createRowMeter();
    const core = new RoutingCore({
      ledger: new Ledger(1 << 30),
      damaged: () => {},
      origin: "topic@1",
      limits: DEFAULT_LIMITS,
      sharedStrategy: "round_robin",
      store: new MemoryRoutingStore(meter),
      delivery: { deliver: (_to, _message, _addressed, done) => done?.(0) },
      owns: () => true,
      now: 1000,
    });
    for (const sessionObject of ["a", "b"]) core.subscribe({ sessionObject, filter: "t", qos: 1, version: 1, lasting: true });
    const codes: number[] = [];
    core.publish(messageTo("t"), 1000, (code) => void codes.push(code));
    expect(codes).toEqual([0]);
  });
});

describe("retained messages", () => {
  test("[MQTT5-3.3.1-5] [MQTT5-3.3.1-6] [MQTT5-3.3.1-7] [MQTT5-3.3.1-8] [MQTT311-3.3.1-7] are set, replaced and cleared by RETAIN 1 alone", () => {
    const { publish, retained } = setup();
    publish("t", { payload: utf8("1"), retain: true });
    publish("t", { payload: utf8("2"), retain: true, qos: 0 });
    publish("t", { payload: utf8("live") });
    publish("t", { payload: utf8("") });
    expect(retained("t")).toEqual(["2"]);
    publish("t", { payload: utf8(""), retain: true });
    expect(retained("t")).toEqual([]);
  });

  test("[MQTT5-3.3.2-5] [5.0/3.3.1.3/expiry] expire; one that is expired when it comes replaces nothing it could be", () => {
    const { publish, retained } = setup();
    publish("t", { payload: utf8("x"), retain: true, expiresAt: 5000 });
    expect(retained("t", 4999)).toEqual(["x"]);
    expect(retained("t", 5000)).toEqual([]);
  });

  test("one that has expired on its way takes the place of an older one, and nothing is left", () => {
    const { publish, retained } = setup();
    publish("t", { payload: utf8("old"), retain: true });
    publish("t", { payload: utf8("new"), retain: true, expiresAt: 999 });
    expect(retained("t", 1000)).toEqual([]);
  });

  test("are named by this object and in the order of their topics", () => {
    const { core, publish } = setup();
    for (const topic of ["t/b", "t/a", "u"]) publish(topic, { payload: utf8(topic), retain: true, sequence: 77 });
    const { messages, next } = core.retainedSlice("t/+", "", 1000);
    expect(messages.map(({ topic, origin }) => [topic, origin])).toEqual([
      ["t/a", "topic@1"],
      ["t/b", "topic@1"],
    ]);
    expect(messages[1]!.sequence).toBe(messages[0]!.sequence + 1);
    expect(next).toBeUndefined();
  });

  test("come in slices of so many messages, of so many bytes, or of so many places looked at; together they are all, each once", () => {
    const many = setup();
    for (let index = 0; index < 150; index += 1) many.publish(`t/${String(index).padStart(4, "0")}`, { retain: true });
    const large = setup();
    for (const topic of ["t/a", "t/b", "t/c"]) large.publish(topic, { payload: new Uint8Array(RETAINED_PAGE_BYTES / 2), retain: true });
    const sparse = setup();
    for (let index = 0; index < 2000; index += 1) sparse.publish(`${index}/${index % 500 === 0 ? "x" : "y"}`, { retain: true });
    for (const [{ core }, filter, sizes] of [
      [many, "t/#", [64, 64, 22]],
      [large, "#", [2, 1]],
    ] as const) {
      expect(slices(core, filter).map(({ length }) => length)).toEqual(sizes);
    }
    const found = slices(sparse.core, "+/x");
    expect(found.flat().sort()).toEqual(["0/x", "1000/x", "1500/x", "500/x"]);
    expect(found.length).toBeGreaterThan(2);
  });

  test("one beyond the bound is delivered and not kept, 0x97; what is there can still be replaced and cleared", () => {
    const { interest, publish, retained, sent } = setup({ retainedMessagesMax: 2 });
    interest("a", "#", 0);
    publish("t/1", { retain: true });
    publish("t/2", { retain: true });
    sent.length = 0;
    expect(publish("t/3", { retain: true }).codes).toEqual([0x97]);
    expect(sent.length).toBe(1);
    expect(publish("t/2", { retain: true, payload: utf8("newer") }).codes).toEqual([0]);
    expect(retained("t/+")).toEqual(["payload", "newer"]);
    publish("t/1", { retain: true, payload: utf8("") });
    expect(publish("t/3", { retain: true }).codes).toEqual([0]);
    expect(retained("t/+").length).toBe(2);
  });

  test("that are expired go when they are met, and when another one needs their room", () => {
    const { store, publish, retained } = setup({ retainedMessagesMax: 2 });
    publish("t/1", { retain: true, expiresAt: 5000 });
    publish("t/2", { retain: true, expiresAt: 6000 });
    expect(retained("t/+", 5500)).toEqual(["payload"]);
    expect(store.holding().count).toBe(1);
    publish("t/3", { retain: true });
    expect(publish("t/4", { retain: true }, 5500).codes).toEqual([0x97]);
    expect(publish("t/4", { retain: true }, 6000).codes).toEqual([0x10]);
    expect(retained("t/+", 6000)).toEqual(["payload", "payload"]);
  });

  test("a row that can't be read is as good as none", () => {
    const { store, publish, retained } = setup();
    publish("t/a", { retain: true });
    store.putRetained({ topic: "t/b", message: new Uint8Array([99, 1, 2]), expiresAt: 0 });
    store.putRetained({ topic: "t/c", message: new Uint8Array([1, 5]), expiresAt: 0 });
    expect(retained("t/+")).toEqual(["payload"]);
  });

  test("keep everything but what belongs to one delivery", () => {
    const { core, publish } = setup();
    publish("t", { retain: true, qos: 2, publisher: "ada", propertyBytes: new Uint8Array([3, 0, 1, 0x61]), repeated: true });
    const [message] = core.retainedSlice("t", "", 1000).messages;
    expect(message).toMatchObject({ qos: 2, retain: true, publisher: "ada", repeated: false });
    expect(message!.propertyBytes).toEqual(new Uint8Array([3, 0, 1, 0x61]));
  });
});

test("also after a restart an older word does not undo a route: a call may run a second time, later", () => {
  const { interest, open } = setup();
  interest("a", "t", 1, 5);
  const again = open();
  again.unsubscribe("a", "t", 4);
  again.nobodyWants("a", "t", 4);
  expect(again.hasRoute("t", "a")).toBe(true);
  again.unsubscribe("a", "t", 5);
  expect(again.hasRoute("t", "a")).toBe(false);
});
