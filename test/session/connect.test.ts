/** CONNECT: sessions begun and resumed, takeover, refusals, what CONNACK announces; and what ends a connection. */

import { describe, expect, test } from "vitest";
import { PUBLISH } from "../../src/mqtt/packet.ts";
import { validateConnect } from "../../src/session/connect.ts";
import { World } from "../support/core-harness.ts";
import { ALL_RIGHTS } from "../support/rights.ts";
import { plain } from "./support.ts";

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

describe("Session Present", () => {
  test("[MQTT5-3.2.2-2] [MQTT5-3.2.2-3] [MQTT5-3.1.2-6] [MQTT5-3.1.4-5] [5.0/4.1/empty] 1 exactly when an unexpired session is resumed", () => {
    const world = new World();
    const present = (options: Parameters<World["connect"]>[1]): boolean => {
      const client = world.connect("c", options);
      expect(client.connack.reasonCode).toBe(0);
      client.disconnect();
      return client.connack.sessionPresent;
    };
    expect(present(DURABLE)).toBe(false);
    expect(present(DURABLE)).toBe(true);
    expect(present({ clean: true, properties: DURABLE.properties })).toBe(false);
    expect(present({ clean: false })).toBe(true);
    // [5.0/3.1.2.11.2/default] that one ended with its connection.
    expect(present(DURABLE)).toBe(false);
    world.advance(3_600_000);
    expect(present(DURABLE)).toBe(false);
  });

  test("[MQTT311-3.2.2-1] [MQTT311-3.2.2-2] [MQTT311-3.2.2-3] [MQTT311-3.1.2-6] 3.1.1 by Clean Session", () => {
    const world = new World();
    const seen = [false, false, true, false].map((clean) => {
      const client = world.connect("c", { version: 4, clean });
      client.disconnect();
      return client.connack.sessionPresent;
    });
    expect(seen).toEqual([false, true, false, false]);
  });

  test("[3.1/connack/flags] 3.1 has no such flag", () => {
    const world = new World();
    world.connect("c", { version: 3, clean: false }).disconnect();
    const again = world.connect("c", { version: 3, clean: false });
    expect(plain(again.take())).toEqual([{ type: 2, sessionPresent: false, reasonCode: 0 }]);
  });

  test("[MQTT5-3.1.3-2] [MQTT311-3.1.3-2] sessions are told apart by their Client Identifiers", () => {
    const world = new World();
    world.connect("a", DURABLE).disconnect();
    expect(world.connect("A", DURABLE).connack.sessionPresent).toBe(false);
    expect(world.connect("a", DURABLE).connack.sessionPresent).toBe(true);
  });

  test("a session is not resumed by another user: what that one subscribed to is not for this one", () => {
    const world = new World();
    const client = world.connect("c", { ...DURABLE, userName: "alice" });
    client.subscribe("alice/secret", 1);
    client.lose();
    world.connect("p").publish("alice/secret", "x", { qos: 1 });
    const other = world.connect("c", { ...DURABLE, userName: "bob" });
    expect(other.connack.sessionPresent).toBe(false);
    world.connect("q").publish("alice/secret", "y", { qos: 1 });
    expect(other.messages()).toEqual([]);
  });
});

describe("takeover", () => {
  test("[MQTT5-3.1.4-3] [MQTT311-3.1.4-2] the older connection ends, with 0x8E in 5.0; the session goes on", () => {
    const world = new World();
    const older = world.connect("c", DURABLE);
    older.subscribe("t", 1);
    older.take();
    const newer = world.connect("c", DURABLE);
    expect(plain(older.take())).toMatchObject([{ type: 14, reasonCode: 0x8e }]);
    expect(older.closed?.code).toBe(1000);
    expect(newer.connack.sessionPresent).toBe(true);
    // [MQTT5-3.14.4-1] Nothing more is sent to the older one, and nothing that it sends counts.
    older.publish("t", "ghost", { qos: 1 });
    world.connect("p").publish("t", "x", { qos: 1 });
    expect([older.take(), newer.texts()]).toEqual([[], ["x"]]);
  });

  test("the close event of the older socket does not end the newer connection", () => {
    const world = new World();
    const older = world.connect("c", DURABLE);
    const newer = world.connect("c", DURABLE);
    older.lose();
    newer.take();
    newer.send({ type: 12 });
    expect(newer.take().map(({ type }) => type)).toEqual([13]);
    expect(newer.connection.session.connection).toBe(newer.connection);
  });

  test("takeover without a session to keep begins a new one", () => {
    const world = new World();
    const older = world.connect("c");
    older.subscribe("t");
    const newer = world.connect("c", { clean: false });
    expect([older.closed !== undefined, newer.connack.sessionPresent]).toEqual([true, false]);
    world.connect("p").publish("t", "x");
    expect(newer.messages()).toEqual([]);
  });
});

describe("CONNACK", () => {
  test("announces what is enforced, and what was changed", () => {
    const world = new World({
      limits: { receiveMaximum: 9, packetBytesMax: 1000, sessionExpirySecondsMax: 60, sessionExpirySecondsV3: 60 },
    });
    const properties = world.connect("c", { properties: { sessionExpiryInterval: 61 } }).connack.properties;
    // [5.0/3.2.2.3.2/override]
    expect(properties).toMatchObject({ receiveMaximum: 9, maximumPacketSize: 1000, sessionExpiryInterval: 60 });
    expect(world.connect("d", { properties: { sessionExpiryInterval: 60 } }).connack.properties.sessionExpiryInterval).toBeUndefined();
    // [MQTT5-3.2.2-9] [5.0/3.2.2.3.4/never2]
    expect(properties.maximumQoS).toBeUndefined();
  });

  test("[MQTT5-3.2.0-2] comes first and once", () => {
    const world = new World();
    const client = world.connect("c", DURABLE);
    client.subscribe("t", 1);
    client.lose();
    world.connect("p").publish("t", "x", { qos: 1 });
    const again = world.connect("c", DURABLE);
    expect(again.take().map(({ type }) => type)).toEqual([2, PUBLISH]);
  });
});

describe("refusals", () => {
  test("[MQTT5-3.1.4-2] [MQTT5-3.2.2-6] [MQTT5-3.2.2-7] [MQTT311-3.2.2-4] [MQTT311-3.2.2-5] a will that its client may not publish", () => {
    const authorizer = { ...ALL_RIGHTS, mayPublish: () => false };
    for (const [version, reasonCode] of [
      [5, 0x87],
      [4, 5],
      [3, 5],
    ] as const) {
      const world = new World({ authorizer });
      const client = world.connect("c", { version, will: { topic: "w" } });
      expect(client.connack).toMatchObject({ sessionPresent: false, reasonCode });
      expect(client.closed).toBeDefined();
      expect(world.sessions[0]!.core.sessions.size).toBe(0);
      // [MQTT5-3.1.4-6] [MQTT311-3.1.4-5]
      client.subscribe("t");
      expect(client.take().length).toBe(1);
    }
  });

  test("a refused CONNECT leaves the session and the connection of that Client Identifier alone", () => {
    const authorizer = { ...ALL_RIGHTS, mayPublish: () => false };
    const world = new World({ authorizer });
    const client = world.connect("c", DURABLE);
    world.connect("c", { will: { topic: "w" } });
    expect(client.closed).toBeUndefined();
    client.take();
    client.send({ type: 12 });
    expect(client.take().length).toBe(1);
  });

  test("[MQTT311-3.1.3-8] [MQTT311-3.1.3-9] an empty Client Identifier needs Clean Session 1 in 3.1.1, and is refused in 3.1", () => {
    const { limits } = new World();
    const base = {
      type: 1,
      keepAliveSeconds: 0,
      clientId: "",
      will: undefined,
      userName: undefined,
      password: undefined,
      properties: {},
    } as const;
    const code = (version: 3 | 4 | 5, clean: boolean): number | undefined =>
      validateConnect({ ...base, version, clean }, limits)?.reasonCode;
    expect([code(5, false), code(5, true), code(4, true)]).toEqual([undefined, undefined, undefined]);
    expect([code(4, false), code(3, true)]).toEqual([0x85, 0x85]);
  });
});

describe("packets that end a connection", () => {
  test("[MQTT5-3.1.0-2] [MQTT311-3.1.0-2] a second CONNECT", () => {
    for (const version of [5, 4] as const) {
      const world = new World();
      const client = world.connect("c", { version });
      client.take();
      client.send({
        type: 1,
        version,
        clean: true,
        keepAliveSeconds: 0,
        clientId: "c",
        will: undefined,
        userName: undefined,
        password: undefined,
        properties: {},
      });
      expect(plain(client.take()).map(({ reasonCode }) => reasonCode)).toEqual(version === 5 ? [0x82] : []);
      expect(client.closed?.code).toBe(1002);
    }
  });

  test("[5.0/2.1.2/type0] [3.1.1/2.2.1/types] packets that only a Server may send", () => {
    const packets = [
      { type: 2, sessionPresent: false, reasonCode: 0, properties: {} },
      { type: 9, packetId: 1, reasonCodes: [0], properties: {} },
      { type: 13 },
    ] as const;
    for (const packet of packets) {
      for (const version of [5, 4] as const) {
        const client = new World().connect("c", { version });
        client.take();
        client.send(packet);
        // [3.1.1/3.14/server]
        expect(plain(client.take()).map(({ type, reasonCode }) => [type, reasonCode])).toEqual(version === 5 ? [[14, 0x82]] : []);
        expect(client.closed).toBeDefined();
      }
    }
  });

  test("[MQTT5-4.13.1-1] [MQTT311-4.8.0-1] [5.0/4.13/isolation] a malformed packet ends its own connection and no other, and publishes the will", () => {
    const world = new World();
    const other = world.connect("other");
    other.subscribe("w");
    other.take();
    const client = world.connect("c", { will: { topic: "w", payload: new Uint8Array([0x77]) } });
    client.take();
    client.sendBytes(new Uint8Array([0x36, 5, 0, 1, 0x74, 0, 1]), new Uint8Array([0xc0, 0]));
    expect(plain(client.take())).toMatchObject([{ type: 14, reasonCode: 0x81 }]);
    expect(other.texts()).toEqual(["w"]);
    other.send({ type: 12 });
    expect(other.take().map(({ type }) => type)).toEqual([13]);
  });

  test("[MQTT5-3.14.4-2] [MQTT311-3.14.4-2] what follows DISCONNECT has no effect", () => {
    const world = new World();
    const listener = world.connect("l");
    listener.subscribe("#");
    listener.take();
    const client = world.connect("c");
    client.take();
    client.disconnect();
    client.publish("t", "x", { qos: 1 });
    expect([client.take(), client.closed?.code, listener.take()]).toEqual([[], 1000, []]);
  });
});
