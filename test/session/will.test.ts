/** Will Messages: when they are published, when not, and never twice. */

import { describe, expect, test } from "vitest";
import { RESTART_GRACE_MS, WILL_RETRY_MS_FIRST } from "../../src/limits.ts";
import type { Properties } from "../../src/mqtt/packet.ts";
import { QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { type TestClient, utf8, World } from "../support/core-harness.ts";

function listening(world: World): TestClient {
  const client = world.connect("listener", { at: world.sessions.length - 1 });
  client.subscribe("wills/#", 2);
  client.take();
  return client;
}

/** A client whose will has this delay, on a session that lasts for `expiry` seconds. */
function mortal(world: World, expiry = 0, delay = 0, clean = false, properties: Properties = {}): TestClient {
  return world.connect("mortal", {
    clean,
    properties: { sessionExpiryInterval: expiry },
    will: {
      topic: "wills/mortal",
      payload: utf8("gone"),
      qos: 1,
      properties: { ...properties, ...(delay > 0 ? { willDelayInterval: delay } : {}) },
    },
  });
}

describe.each(["direct", "batched"] as const)("%s", (wiring) => {
  test("[MQTT5-3.1.2-8] [MQTT311-3.1.2-8] a lost connection publishes it, once [MQTT5-3.1.2-10] [MQTT311-3.1.2-10]", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    for (const version of [5, 4, 3] as const) {
      const client = world.connect("c", { version, will: { topic: "wills/c", qos: 1 } });
      client.lose();
      client.lose();
      world.connect("c", { version }).lose();
      world.advance(100_000);
      expect(listener.messages().map(({ topic, qos }) => [topic, qos])).toEqual([["wills/c", 1]]);
    }
    expect(world.sessions[0]!.store.wills()).toEqual([]);
  });

  test("[MQTT5-3.14.4-3] [MQTT311-3.14.4-3] [MQTT5-3.1.2-10] DISCONNECT 0x00 drops it, row included", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    mortal(world, 100, 5).disconnect();
    world.connect("old", { version: 4, will: { topic: "wills/old" } }).disconnect();
    world.advance(200_000);
    expect(listener.messages()).toEqual([]);
    expect(world.sessions[0]!.store.wills()).toEqual([]);
  });

  test("[5.0/3.14.2.1/0x04] [MQTT5-3.14.4-3] DISCONNECT with any other code leaves it to be published", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    for (const reasonCode of [0x04, 0x80, 0x82, 0x99]) {
      mortal(world).disconnect(reasonCode);
      expect(listener.texts()).toEqual(["gone"]);
    }
  });

  test("[5.0/3.14.2.2.2/zero-to-nonzero] a DISCONNECT that would lengthen expiry 0 is an error: 0x82, and the will is published", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    const client = mortal(world, 0);
    client.take();
    client.disconnect(0, { sessionExpiryInterval: 5 });
    expect(client.take()).toMatchObject([{ type: 14, reasonCode: 0x82 }]);
    expect(listener.texts()).toEqual(["gone"]);
  });

  test("[5.0/3.1.3.2.2/min] after its delay, or with the end of the session if that comes first", () => {
    for (const [expiry, delay, after] of [
      [100, 10, 10],
      [10, 100, 10],
      [0, 100, 0],
      [100, 0, 0],
    ] as const) {
      const world = new World({ wiring });
      const listener = listening(world);
      mortal(world, expiry, delay).lose();
      if (after > 0) {
        world.advance(after * 1000 - 1);
        expect(listener.texts()).toEqual([]);
        world.advance(1);
      }
      expect(listener.texts()).toEqual(["gone"]);
    }
  });

  test("[5.0/3.14.2.2.2/replace] DISCONNECT 0x04 with Session Expiry Interval 0 ends the session and publishes it now", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    mortal(world, 100, 50).disconnect(0x04, { sessionExpiryInterval: 0 });
    expect(listener.texts()).toEqual(["gone"]);
    expect(mortal(world, 100).connack.sessionPresent).toBe(false);
  });

  test("[MQTT5-3.1.3-9] a client that comes back within the delay cancels it", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    mortal(world, 100, 10).lose();
    world.advance(9999);
    world.connect("mortal", { clean: false, properties: { sessionExpiryInterval: 100 } });
    world.advance(100_000);
    expect(listener.texts()).toEqual([]);
    expect(world.sessions[0]!.store.wills()).toEqual([]);
  });

  test("[5.0/3.1.3.2.2/takeover] the truth table: published if the delay is 0, the expiry is 0 or the new client starts clean", () => {
    for (const expiry of [0, 100]) {
      for (const delay of [0, 10]) {
        for (const clean of [false, true]) {
          const world = new World({ wiring });
          const listener = listening(world);
          mortal(world, expiry, delay);
          world.connect("mortal", { clean, properties: { sessionExpiryInterval: 100 } });
          expect([expiry, delay, clean, listener.texts().length]).toEqual([
            expiry,
            delay,
            clean,
            expiry === 0 || delay === 0 || clean ? 1 : 0,
          ]);
          world.advance(200_000);
          expect(listener.texts()).toEqual([]);
        }
      }
    }
  });

  test("[MQTT5-3.1.4-3] on takeover the will of the new connection is kept for its own end", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    mortal(world, 100, 10);
    const newer = world.connect("mortal", {
      clean: false,
      properties: { sessionExpiryInterval: 100 },
      will: { topic: "wills/new", payload: utf8("new") },
    });
    expect(listener.texts()).toEqual([]);
    newer.lose();
    expect(listener.texts()).toEqual(["new"]);
  });

  test("[5.0/3.1.3.2/props] [MQTT5-3.1.3-10] [5.0/3.1.3.2.4/will-expiry] its properties are those of the message; its expiry counts from its publication", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    const properties = {
      payloadFormatIndicator: 1,
      contentType: "text/plain",
      responseTopic: "r",
      correlationData: new Uint8Array([7]),
      userProperties: [
        ["b", "1"],
        ["a", "2"],
      ] as const,
    };
    const client = mortal(world, 1000, 20, false, { ...properties, messageExpiryInterval: 30 });
    world.advance(100_000);
    client.lose();
    world.advance(20_000);
    expect(listener.messages()[0]!.properties).toEqual({ ...properties, messageExpiryInterval: 30 });
  });

  test("[MQTT5-3.1.2-14] [MQTT5-3.1.2-15] [MQTT311-3.1.2-16] [MQTT311-3.1.2-17] Will Retain", () => {
    const world = new World({ wiring });
    for (const retain of [true, false]) world.connect(`c${retain}`, { will: { topic: `wills/${retain}`, retain } }).lose();
    const late = world.connect("late");
    late.subscribe("wills/+");
    expect(late.messages().map(({ topic }) => topic)).toEqual(["wills/true"]);
  });

  test("[MQTT311-3.1.2-12] no will, nothing published", () => {
    const world = new World({ wiring });
    const listener = listening(world);
    world.connect("c").lose();
    expect(listener.messages()).toEqual([]);
  });
});

describe("after a restart of the object", () => {
  test("the wills of clients that were connected wait for the grace, and go if nobody comes back", () => {
    const world = new World({ sessionObjects: 2 });
    const listener = listening(world);
    mortal(world);
    world.connect("other", { will: { topic: "wills/other", payload: utf8("other") }, properties: { sessionExpiryInterval: 1000 } });
    world.sessions[0]!.crash();
    world.advance(RESTART_GRACE_MS - 1);
    expect(listener.texts()).toEqual([]);
    world.advance(1);
    expect(listener.texts().sort()).toEqual(["gone", "other"]);
    expect(world.sessions[0]!.store.wills()).toEqual([]);
  });

  test("a client that comes back within the grace, clean or not, was never gone", () => {
    for (const clean of [true, false]) {
      const world = new World({ sessionObjects: 2 });
      const listener = listening(world);
      mortal(world, 100);
      world.sessions[0]!.crash();
      world.advance(RESTART_GRACE_MS - 1);
      world.connect("mortal", { clean });
      world.advance(200_000);
      expect(listener.texts()).toEqual([]);
    }
  });

  test("a delay that already ran goes on where it was, once", () => {
    const world = new World({ sessionObjects: 2 });
    const listener = listening(world);
    mortal(world, 1000, 100).lose();
    world.advance(60_000);
    world.sessions[0]!.crash();
    world.advance(39_998);
    expect(listener.texts()).toEqual([]);
    world.advance(1);
    expect(listener.texts()).toEqual(["gone"]);
    world.sessions[0]!.crash();
    world.advance(1_000_000);
    expect(listener.texts()).toEqual([]);
  });

  test("hibernation changes nothing: the will goes when the connection is lost", () => {
    const world = new World({ sessionObjects: 2 });
    const listener = listening(world);
    const client = mortal(world);
    world.sessions[0]!.hibernate();
    world.advance(100_000);
    expect(listener.texts()).toEqual([]);
    client.lose();
    expect(listener.texts()).toEqual(["gone"]);
  });

  describe.each(["goes on", "hibernates", "starts anew"] as const)("a will that no object took, where its object %s", (how) => {
    const lost = (): { world: World; listener: TestClient; forget: () => void; mend: () => void } => {
      const world = new World({ sessionObjects: 2, wiring: "batched" });
      const listener = listening(world);
      const [node] = world.sessions;
      const link = node!.links[0]!;
      link.broken = "request";
      mortal(world).lose();
      world.advance(70_000);
      expect(node!.store.wills().length).toBe(1);
      const forget = (): void => {
        if (how === "hibernates") node!.hibernate();
        else if (how === "starts anew") node!.crash();
      };
      const mend = (): void => {
        for (const each of [link, node!.links[0]!]) each.broken = undefined;
        forget();
        world.advance(2 * WILL_RETRY_MS_FIRST);
      };
      return { world, listener, forget, mend };
    };

    test("is tried again, and over when somebody has it", () => {
      const { world, listener, mend } = lost();
      mend();
      expect([listener.texts(), world.sessions[0]!.store.wills()]).toEqual([["gone"], []]);
    });

    test.each([
      ["without", undefined],
      ["with", { topic: "wills/next", payload: utf8("next"), qos: 1 } as const],
    ])("is still published when its client is back %s a will, whatever is forgotten then", (_how, will) => {
      const { world, listener, forget, mend } = lost();
      forget();
      const client = world.connect("mortal", { at: 0, ...(will && { will }) });
      mend();
      const texts = listener.texts();
      expect(texts[0]).toBe("gone");
      // The one that it has now is lost with the memory, or later.
      if (how !== "starts anew") client.lose();
      world.advance(10 * RESTART_GRACE_MS);
      expect([[...texts, ...listener.texts()], world.sessions[0]!.store.wills()]).toEqual([["gone", ...(will ? ["next"] : [])], []]);
    });

    test("is not that of its client's next connection, which has none", () => {
      const { world, listener, mend } = lost();
      const client = world.connect("mortal", { at: 0 });
      mend();
      expect([listener.texts(), world.sessions[0]!.store.wills()]).toEqual([["gone"], []]);
      if (how !== "starts anew") client.lose();
      world.sessions[0]!.crash();
      world.advance(10 * RESTART_GRACE_MS);
      expect(listener.texts()).toEqual([]);
    });
  });
});

test("a will that a full queue has refused leaves no row: the others have it, and a repeat would not help", () => {
  const world = new World();
  const client = world.connect("c", { will: { topic: "w", qos: 1 } });
  const { store, core } = client.node;
  core.router.publish = (_message, ticket) => ticket?.settled(QUOTA_EXCEEDED);
  expect(store.wills()).toHaveLength(1);
  client.lose();
  world.settle();
  expect(store.wills()).toEqual([]);
});

test("its row goes with the flush that writes it for those who wait for it: a crash before repeats it", () => {
  const world = new World({ auto: false });
  const [node] = world.sessions;
  const kept = { clean: false, properties: { sessionExpiryInterval: 3600 } };
  const waiting = world.connect("waiting", kept);
  waiting.subscribe("wills/#", 1);
  const client = mortal(world);
  node!.flush();
  client.lose();
  node!.crash();
  world.advance(RESTART_GRACE_MS);
  const again = world.connect("waiting", kept);
  world.settle();
  expect([again.texts(), node!.store.wills()]).toEqual([["gone"], []]);
});

test.each([[undefined], [{ topic: "wills/next", payload: utf8("next") }]])(
  "a will on its way when its object is reset is published, although its client is back at once: with the will %j",
  (will) => {
    const world = new World({ sessionObjects: 2, wiring: "batched" });
    const listener = listening(world);
    const [node] = world.sessions;
    node!.links[0]!.broken = "request";
    mortal(world).lose();
    world.connect("mortal", { at: 0, ...(will && { will }) });
    node!.crash();
    world.connect("mortal", { at: 0 });
    world.advance(10 * RESTART_GRACE_MS);
    expect([listener.texts(), node!.store.wills()]).toEqual([["gone"], []]);
  },
);

test.each([
  ["at once", 0],
  ["after its delay", 10],
])("a will on its way %s when its object is reset is due, though its client comes back to its session", (_how, delay) => {
  const world = new World({ sessionObjects: 2, wiring: "batched" });
  const listener = listening(world);
  const [node] = world.sessions;
  node!.links[0]!.broken = "request";
  mortal(world, 100, delay).lose();
  world.advance(delay * 1000);
  // Its client's return is what wakes the object.
  Object.assign(world, { auto: false });
  node!.crash();
  const back = world.connect("mortal", { clean: false, properties: { sessionExpiryInterval: 100 } });
  world.advance(10 * RESTART_GRACE_MS);
  expect([back.connack.sessionPresent, listener.texts(), node!.store.wills()]).toEqual([true, ["gone"], []]);
});
