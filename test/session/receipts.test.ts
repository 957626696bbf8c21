/** Who takes a message whose publisher wants to know, and what comes of the acknowledgements, one session and one way at a time. */

import { describe, expect, test } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { SLOW_MS_MAX } from "../../src/limits.ts";
import { MEMORY } from "../../src/memory-limits.ts";
import type { MessageFields } from "../../src/mqtt/message.ts";
import { Receipt } from "../../src/mqtt/receipt.ts";
import { handOn } from "../../src/session/consume.ts";
import type { SessionCore } from "../../src/session/core.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { Receipts } from "../../src/session/receipts.ts";
import { Session } from "../../src/session/session.ts";
import { World } from "../support/core-harness.ts";
import { messageTo } from "./support.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };
const ALONE = { wiring: "direct", sessionObjects: 1 } as const;

let sequence = 0;

/** Publishes a message with a receipt. @returns the receipt, and the outcome that its publisher is told */
function publish(world: World, topic: string, { waitMs = 1000, ...fields }: Partial<MessageFields> & { waitMs?: number } = {}) {
  const { core } = world.sessions[0]!;
  sequence += 1;
  const message = messageTo(topic, { origin: core.nextOrigin("").origin, sequence: core.numbers.next(), publisher: "", ...fields });
  const receipt = new Receipt({ object: "n/session/9", number: sequence, waitMs });
  message.receipt = receipt;
  const codes: number[] = [];
  core.now = world.now;
  handOn(core, message, { settled: (code) => void codes.push(code) }, undefined);
  world.settle();
  const { sessions, awaited, away } = receipt;
  return { counts: { sessions, awaited, away }, codes, number: sequence };
}

/** What has come of messages since it was asked last, by the number of their receipts. */
function fates(core: SessionCore): Record<number, object> {
  const changed = [...core.receipts.takeChanged()];
  return Object.fromEntries(changed.map(({ number, acknowledged, over, away }) => [number, { acknowledged, over, away }]));
}

const ACKNOWLEDGED = { acknowledged: 1, over: 0, away: 0 };
const OVER = { acknowledged: 0, over: 1, away: 0 };
const AWAY = { acknowledged: 0, over: 0, away: 1 };

describe("counts", () => {
  test("sessions by QoS and by whether their clients are there; nobody is 0x10, also where a route is stale", () => {
    const world = new World(ALONE);
    for (const [name, qos] of [
      ["zero", 0],
      ["one", 1],
      ["two", 2],
    ] as const)
      world.connect(name, KEPT).subscribe("t/+", qos);
    for (const [name, qos] of [
      ["zero gone", 0],
      ["one gone", 1],
    ] as const) {
      const client = world.connect(name, KEPT);
      client.subscribe("t/#", qos);
      client.lose();
    }
    expect(publish(world, "t/a", { qos: 2 })).toMatchObject({ counts: { sessions: 4, awaited: 2, away: 1 }, codes: [0] });
    expect(publish(world, "t/a", { qos: 1 })).toMatchObject({ counts: { sessions: 4, awaited: 2, away: 1 }, codes: [0] });
    expect(publish(world, "none")).toMatchObject({ counts: { sessions: 0, awaited: 0, away: 0 }, codes: [0x10] });
    // A Topic object that has not heard it yet believes that somebody wants it.
    world.topics[0]!.core.subscribe({ sessionObject: world.sessions[0]!.name, filter: "stale", qos: 1, version: 1, lasting: false });
    expect(publish(world, "stale")).toMatchObject({ counts: { sessions: 0 }, codes: [0x10] });
  });

  test("of a shared subscription one member counts, wherever it was offered before", () => {
    const world = new World({ wiring: "batched", sessionObjects: 2 });
    const [first, second] = world.sessions;
    const member = world.connect("m", { at: 1 });
    member.subscribe("$share/g/t", 1);
    // The Topic object believes that there is a member in the first one, which says that there is none.
    world.topics[0]!.core.share({ sessionObject: first!.name, filter: "$share/g/t", members: 5, online: 5, version: 1 });
    const delivered: number[] = [];
    for (let count = 0; count < 4; count += 1) {
      publish(world, "t");
      delivered.push(member.messages().length);
      const tracked = second!.core.receipts.until;
      expect(tracked === undefined, `message ${count}`).toBe(false);
      for (const packetId of [...second!.core.sessions.get("m")!.deliveries.keys()]) member.puback(packetId);
      expect(fates(second!.core)).toEqual({ [sequence]: ACKNOWLEDGED });
    }
    expect(delivered).toEqual([1, 1, 1, 1]);
  });

  test("what is too large for its client, has expired, or found a full queue is with nobody", () => {
    const world = new World({ ...ALONE, choices: { queuePolicy: "reject_new" }, limits: { queueMessagesMax: 1, inflightMax: 1 } });
    const small = world.connect("small", { properties: { maximumPacketSize: 30 } });
    small.subscribe("small", 1);
    expect(publish(world, "small", { payload: new Uint8Array(50) })).toMatchObject({ counts: { sessions: 0 }, codes: [0x10] });
    expect(publish(world, "small", { expiresAt: world.now - 1 })).toMatchObject({ counts: { sessions: 0 }, codes: [0x10] });
    world.connect("full", KEPT).subscribe("full", 1);
    expect([1, 2, 3].map(() => publish(world, "full"))).toMatchObject([
      { counts: { sessions: 1, awaited: 1 } },
      { counts: { sessions: 1, awaited: 1 } },
      { counts: { sessions: 0, awaited: 0 } },
    ]);
  });

  test("a session that arrives from another object counts where it was", () => {
    const world = new World(ALONE);
    const { core } = world.sessions[0]!;
    const client = world.connect("moving", KEPT);
    client.subscribe("t", 1);
    core.sessions.get("moving")!.arriving = true;
    expect(publish(world, "t")).toMatchObject({ counts: { sessions: 0 } });
  });

  test("nothing is followed where nobody wants to hear of acknowledgements", () => {
    const world = new World(ALONE);
    const { core } = world.sessions[0]!;
    world.connect("c").subscribe("t", 1);
    expect(publish(world, "t", { waitMs: 0 })).toMatchObject({ counts: { sessions: 1, awaited: 1 } });
    expect([core.receipts.until, core.receipts.bytes]).toEqual([undefined, 0]);
  });
});

describe("fates", () => {
  const setup = (options: Partial<ConstructorParameters<typeof World>[0]> = {}, clientOptions: object = KEPT) => {
    const world = new World({ ...ALONE, ...options });
    const client = world.connect("c", clientOptions);
    client.subscribe("t", 2);
    client.take();
    return { world, client, core: world.sessions[0]!.core };
  };

  test("PUBACK and PUBREC acknowledge, unless they refuse", () => {
    const { world, client, core } = setup();
    for (const [qos, reasonCode, fate] of [
      [1, 0, ACKNOWLEDGED],
      [1, 0x10, ACKNOWLEDGED],
      [1, 0x83, OVER],
      [2, 0, ACKNOWLEDGED],
      [2, 0x99, OVER],
    ] as const) {
      const { number } = publish(world, "t", { qos });
      const { packetId } = client.messages()[0]!;
      expect(fates(core)).toEqual({});
      if (qos === 1) client.puback(packetId, reasonCode);
      else client.pubrec(packetId, reasonCode);
      expect(fates(core)).toEqual({ [number]: fate });
      if (qos === 2 && reasonCode === 0) client.pubcomp(packetId);
      expect([fates(core), core.receipts.bytes]).toEqual([{}, 0]);
    }
  });

  test("a client that leaves while its session stays: away; one whose session ends: over", () => {
    for (const [options, fate] of [
      [KEPT, AWAY],
      [{}, OVER],
    ] as const) {
      const { world, client, core } = setup({}, options);
      const { number } = publish(world, "t");
      client.lose();
      expect(fates(core)).toEqual({ [number]: fate });
      // What it acknowledges later is not heard any more.
      const again = world.connect("c", options);
      for (const { packetId } of again.messages()) again.puback(packetId);
      expect([fates(core), core.receipts.until]).toEqual([{}, undefined]);
    }
  });

  test("a session that is taken over with Clean Start, and what a full queue drops: over", () => {
    const { world, core } = setup();
    const { number } = publish(world, "t");
    world.connect("c", { clean: true });
    expect(fates(core)).toMatchObject({ [number]: { acknowledged: 0 } });
    const full = setup({ limits: { queueMessagesMax: 1, inflightMax: 1 } });
    const [sent, first, second] = [1, 2, 3].map(() => publish(full.world, "t", { qos: 1 }).number);
    expect(fates(full.core)).toEqual({});
    // Their publishers wait no longer.
    full.world.now += SLOW_MS_MAX + 1;
    full.world.settle();
    expect(fates(full.core)).toEqual({ [first!]: OVER });
    for (const { packetId } of full.client.messages()) full.client.puback(packetId);
    expect(fates(full.core)).toEqual({ [sent!]: ACKNOWLEDGED });
    for (const { packetId } of full.client.messages()) full.client.puback(packetId);
    expect(fates(full.core)).toEqual({ [second!]: ACKNOWLEDGED });
  });

  test("one that expires in the queue: over", () => {
    const { world, client, core } = setup({ limits: { inflightMax: 1 } });
    publish(world, "t");
    const { number } = publish(world, "t", { expiresAt: world.now + 500 });
    world.now += 1000;
    client.puback(client.messages()[0]!.packetId);
    expect(fates(core)[number]).toEqual(OVER);
  });

  test("what another member of a shared subscription takes over is over, and counts once", () => {
    const world = new World(ALONE);
    const { core } = world.sessions[0]!;
    const first = world.connect("first");
    first.subscribe("$share/g/t", 1);
    const { number, counts } = publish(world, "t");
    expect(counts).toEqual({ sessions: 1, awaited: 1, away: 0 });
    const second = world.connect("second");
    second.subscribe("$share/g/t", 1);
    second.take();
    first.lose();
    const [message] = second.messages();
    expect(message).toBeDefined();
    second.puback(message!.packetId);
    expect([fates(core), core.receipts.until]).toEqual([{ [number]: OVER }, undefined]);
  });

  test("several sessions add up; what is over in time is forgotten", () => {
    const world = new World(ALONE);
    const { core } = world.sessions[0]!;
    const clients = ["a", "b", "c", "d"].map((name) => world.connect(name, KEPT));
    for (const client of clients) client.subscribe("t", 1);
    const { number, counts } = publish(world, "t", { waitMs: 1000 });
    expect(counts).toEqual({ sessions: 4, awaited: 4, away: 0 });
    expect(core.receipts.bytes).toBe(4 * MEMORY.numberBytes);
    const [a, b, c] = clients;
    a!.puback(a!.messages()[0]!.packetId);
    expect(fates(core)).toEqual({ [number]: ACKNOWLEDGED });
    b!.puback(b!.messages()[0]!.packetId, 0x83);
    c!.lose();
    expect(fates(core)).toEqual({ [number]: { acknowledged: 1, over: 1, away: 1 } });
    expect(core.receipts.until).toBe(world.now + 1000);
    core.receipts.forget(world.now + 999);
    expect(core.receipts.bytes).toBe(MEMORY.numberBytes);
    core.receipts.forget(world.now + 1000);
    expect([core.receipts.bytes, core.receipts.until]).toEqual([0, undefined]);
  });
});

test("no more is followed than fits, and what is not followed is counted all the same", () => {
  const ledger = new Ledger(1000 * MEMORY.numberBytes);
  const receipts = new Receipts(ledger);
  const receipt = new Receipt({ object: "n/session/9", number: 1, waitMs: 1000 });
  const session = new Session("c", 1, NOBODY, new Ledger(1 << 30));
  Object.assign(session, { connection: { open: true, reading: { isAsked: () => false } } });
  for (let count = 0; count < 1000; count += 1) {
    const packetId = session.allocatePacketId();
    const due = { qos: 1, retain: false, identifiers: undefined, share: "", owed: false } as const;
    session.deliveries.set(packetId, { ...due, packetId, message: undefined, sequence: 0, size: 0, flags: 0, sent: true });
    receipts.given(session, receipt, 0);
  }
  expect(receipt.awaited).toBe(1000);
  // As of everything that is not finished: six tenths of the budget.
  expect(receipts.bytes).toBe(601 * MEMORY.numberBytes);
  expect(ledger.figures().refused.unfinished).toBe(399);
});
