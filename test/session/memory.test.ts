/** What an object refuses as its memory fills, sort by sort, and that what is counted is counted out again. */

import { describe, expect, test } from "vitest";
import { LOADS, type Load } from "../../src/ledger.ts";
import { QUEUE_BYTES_SHORT, QUEUE_MESSAGES_SHORT, REFUSED_ABOVE } from "../../src/memory-limits.ts";
import { CONNACK, DISCONNECT, NO_PROPERTIES, SUBACK } from "../../src/mqtt/packet.ts";
import { QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import type { TestClient } from "../support/core-client.ts";
import { World, type WorldOptions } from "../support/core-harness.ts";
import { miscounted, recountSessions } from "../support/recount.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 1000 } };

/** A broker with one Session object, of whose memory something else can take as much as a test likes. */
class Crowded {
  readonly world: World;
  #taken = 0;

  constructor(options: WorldOptions = {}) {
    this.world = new World(options);
  }

  get core() {
    return this.world.sessions[0]!.core;
  }

  /** Fills memory just beyond where a sort of load is refused. */
  beyond(load: Load): void {
    this.#take(this.core.ledger.budget * REFUSED_ABOVE[load] + 1);
  }

  /** Fills memory just not so far. */
  below(load: Load): void {
    this.#take(this.core.ledger.budget * REFUSED_ABOVE[load] - 200_000);
  }

  #take(total: number): void {
    const { ledger } = this.core;
    const more = Math.ceil(total - ledger.total);
    ledger.add("outboxes", more);
    this.#taken += more;
  }

  clear(): void {
    this.core.ledger.add("outboxes", -this.#taken);
    this.#taken = 0;
  }
}

function codesOf(client: TestClient): readonly number[] {
  return client.take().flatMap((packet) => (packet.type === SUBACK ? packet.reasonCodes : []));
}

describe("as memory fills", () => {
  test("the order in which load is refused is that of the table", () => {
    const shares = LOADS.map((load) => REFUSED_ABOVE[load]);
    expect(shares).toEqual([...shares].sort((one, other) => one - other));
    expect(shares.at(-1)).toBe(1);
  });

  test("new subscriptions are refused: 5.0 0x97, 3.1.1 0x80; one that is there may change and go", () => {
    const crowded = new Crowded();
    const clients = [5, 4].map((version) => crowded.world.connect(`v${version}`, { version: version as 4 | 5 }));
    for (const client of clients) client.subscribe("there", 1);
    crowded.below("subscriptions");
    for (const client of clients) client.subscribe("more/+", 1);
    expect(clients.map(codesOf)).toEqual([
      [1, 1],
      [1, 1],
    ]);
    crowded.beyond("subscriptions");
    for (const client of clients) client.subscribe("even/more", 1);
    expect(clients.map(codesOf)).toEqual([[QUOTA_EXCEEDED], [0x80]]);
    for (const client of clients) client.subscribe("there", 0);
    expect(clients.map(codesOf)).toEqual([[0], [0]]);
    for (const client of clients) client.unsubscribe("there", "more/+");
    crowded.clear();
    for (const client of clients) client.subscribe("even/more", 1);
    expect(clients.map(codesOf)).toEqual([[1], [1]]);
  });

  test("first of all large packets are refused, and large wills: 0x97, in 3.x return code 3", () => {
    const crowded = new Crowded();
    const codes = (): number[] =>
      ([5, 4] as const).flatMap((version) =>
        [65_535, 1000].map((bytes) => {
          const will = { topic: "gone", payload: new Uint8Array(bytes), qos: 0, retain: false, properties: NO_PROPERTIES } as const;
          return crowded.world.connect(`${version}-${bytes}`, { version, will }).connack.reasonCode;
        }),
      );
    crowded.beyond("unfinished");
    expect(codes()).toEqual([QUOTA_EXCEEDED, 0, 3, 0]);
    crowded.clear();
    expect(codes()).toEqual([0, 0, 0, 0]);
  });

  test("then sessions are begun no more, and one that is there is resumed: 0x97, in 3.x return code 3; at last nobody is let in", () => {
    const crowded = new Crowded();
    crowded.world.connect("known", KEPT).lose();
    crowded.beyond("sessions");
    const codes = (): number[] => [
      crowded.world.connect("new", {}).connack.reasonCode,
      crowded.world.connect("old", { version: 4 }).connack.reasonCode,
    ];
    expect(codes()).toEqual([QUOTA_EXCEEDED, 3]);
    const known = crowded.world.connect("known", KEPT);
    expect(known.connack).toMatchObject({ type: CONNACK, reasonCode: 0, sessionPresent: true });
    known.lose();
    crowded.beyond("connections");
    expect(crowded.world.connect("known", KEPT).connack.reasonCode).toBe(QUOTA_EXCEEDED);
    crowded.clear();
    expect(codes()).toEqual([0, 0]);
  });

  for (const queuePolicy of ["drop_oldest", "reject_new"] as const) {
    test(`then long queues go by the policy ${queuePolicy}, and short ones go on`, () => {
      const crowded = new Crowded({ choices: { queuePolicy } });
      const { world } = crowded;
      for (const name of ["long", "large", "short"]) {
        const client = world.connect(name, KEPT);
        client.subscribe(name, 1);
        client.lose();
      }
      const publisher = world.connect("publisher");
      for (let count = 0; count < 300; count += 1) publisher.publish("long", `${count}`, { qos: 1 });
      for (let count = 0; count < 90; count += 1) publisher.publish("large", new Uint8Array(1000), { qos: 1 });
      for (const topic of ["long", "large", "short", "short"]) {
        // What goes leaves room again.
        crowded.beyond("queues");
        publisher.publish(topic, "last", { qos: 1 });
      }
      const waiting = ["long", "large", "short"].map((name) => crowded.core.sessions.get(name)!);
      if (queuePolicy === "reject_new") {
        expect(waiting.map((session) => session.waiting)).toEqual([300, 90, 2]);
      } else {
        expect(waiting.map((session) => session.waiting)).toEqual([QUEUE_MESSAGES_SHORT, Math.floor(QUEUE_BYTES_SHORT / 1005) + 1, 2]);
      }
      expect(crowded.core.ledger.figures().refused.queues).toBeGreaterThan(0);
    });
  }

  test("then no new Topic Aliases: the connection ends with 0x97, one that is known goes on", () => {
    const crowded = new Crowded();
    const client = crowded.world.connect("client", { properties: { topicAliasMaximum: 10 } });
    client.subscribe("t");
    client.publish("t", "1", { properties: { topicAlias: 1 } });
    crowded.beyond("aliases");
    for (let count = 2; count < 5; count += 1) client.publish("", `${count}`, { properties: { topicAlias: 1 } });
    expect(client.messages().map(({ properties }) => properties.topicAlias)).toEqual([undefined, undefined, undefined, undefined]);
    crowded.beyond("aliases");
    client.publish("t", "x", { properties: { topicAlias: 2 } });
    expect(client.take()).toMatchObject([{ type: DISCONNECT, reasonCode: QUOTA_EXCEEDED }]);
  });

  test("the broker gives none either, before anybody is refused anything but a subscription", () => {
    const crowded = new Crowded();
    const client = crowded.world.connect("client", { properties: { topicAliasMaximum: 10 } });
    client.subscribe("+");
    for (const topic of ["known", "known", "seen"]) client.publish(topic, "x");
    client.take();
    crowded.beyond("subscriptions");
    for (const topic of ["known", "seen", "seen", "seen"]) client.publish(topic, "x");
    expect(client.messages().map(({ topic, properties }) => [topic, properties.topicAlias])).toEqual([
      ["", 1],
      ["seen", undefined],
      ["seen", undefined],
      ["seen", undefined],
    ]);
    expect([...client.connection.ownAliases.topics()]).toEqual(["known"]);
  });

  test("at last messages of QoS 1 and 2 are refused unacknowledged, and nothing that was acknowledged is touched", () => {
    const crowded = new Crowded();
    const { world } = crowded;
    const away = world.connect("away", KEPT);
    away.subscribe("t", 2);
    away.lose();
    const live = world.connect("live");
    live.subscribe("t", 2);
    const publisher = world.connect("publisher");
    const old = world.connect("old", { version: 4 });
    publisher.publish("t", "kept", { qos: 2 });
    publisher.take();
    crowded.beyond("messages");
    publisher.publish("t", "refused", { qos: 1 });
    publisher.publish("t", "refused", { qos: 2 });
    publisher.publish("t", "taken", { qos: 0 });
    old.publish("t", "refused", { qos: 1 });
    expect(publisher.take()).toMatchObject([{ reasonCode: QUOTA_EXCEEDED }, { reasonCode: QUOTA_EXCEEDED }]);
    expect([old.closed !== undefined, old.take().map(({ type }) => type)]).toEqual([true, [CONNACK]]);
    expect(live.texts()).toEqual(["kept", "taken"]);
    crowded.clear();
    expect(world.connect("away", KEPT).texts()).toEqual(["kept"]);
  });

  test("what comes from elsewhere is not taken where it would have to wait", () => {
    const world = new World({ wiring: "batched", sessionObjects: 2 });
    const away = world.connect("away", { ...KEPT, at: 1 });
    away.subscribe("t", 1);
    away.lose();
    const publisher = world.connect("publisher");
    const { core } = world.sessions[1]!;
    core.ledger.add("outboxes", core.ledger.budget);
    publisher.publish("t", "x", { qos: 1 });
    expect(core.counters.messagesDropped.memory).toBe(1);
    expect(core.sessions.get("away")!.outstanding).toBe(0);
  });
});

describe("the ledger", () => {
  test("has each message once, however many it waits for, and nothing when all are gone", () => {
    const { core, world } = new Crowded();
    const names = [...Array(10).keys()].map((number) => `client-${number}`);
    const connected: TestClient[] = [];
    for (const name of names) {
      const client = world.connect(name, {
        ...KEPT,
        will: { topic: "w", payload: new Uint8Array(500), properties: { willDelayInterval: 900 } },
      });
      client.subscribe("t/+", 2);
      client.subscribe("$share/g/s", 1);
      client.publish("a", "x", { properties: { topicAlias: 1 } });
      client.publish("b", "x", { qos: 2 });
      // Half of them are away, the others don't acknowledge.
      if (name < "client-5") client.lose();
      else connected.push(client);
    }
    const publisher = world.connect("publisher");
    publisher.publish("t/1", new Uint8Array(100_000), { qos: 2 });
    for (let count = 0; count < 20; count += 1) publisher.publish("s", "shared", { qos: 1 });
    expect(miscounted(core.ledger, recountSessions(core))).toEqual([]);
    const { bytes } = core.ledger;
    expect(bytes.messages).toBeGreaterThan(100_000);
    expect(bytes.messages).toBeLessThan(200_000);
    expect(bytes.wills).toBeGreaterThan(5000);
    for (const client of [publisher, ...names.map((name) => world.connect(name)), ...connected]) {
      client.disconnect();
      client.lose();
    }
    world.settle();
    expect(Object.values(core.ledger.bytes).filter((held) => held !== 0)).toEqual([]);
    expect(core.ledger.total).toBe(0);
  });
});
