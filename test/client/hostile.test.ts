/** Servers that break the protocol, say nothing, or say it at the wrong time: the client tells why, harms nobody and goes on. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Client, type ConnectOptions, connect, type Disconnection, type MqttError } from "../../src/client/index.ts";
import {
  AUTH,
  CONNACK,
  DISCONNECT,
  NO_PROPERTIES,
  type Packet,
  PINGREQ,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBSCRIBE,
  UNSUBACK,
} from "../../src/mqtt/packet.ts";
import { acknowledgement, publishPacket } from "../support/mqtt-client.ts";
import { connected, type FakeConnection, FakeServer, settled, suback } from "./fake-server.ts";

/** How the next connection ends. */
function ending(client: Client): Promise<Disconnection> {
  return new Promise((resolve) => client.on("disconnected", resolve));
}

describe("what is no MQTT, or comes at the wrong time", () => {
  const wrong: [string, (connection: FakeConnection) => void, number, RegExp][] = [
    ["a packet type that there is not", (to) => to.sayBytes([0x00, 0x00]), 0x81, /packet type 0/],
    ["flags that are reserved", (to) => to.sayBytes([0x61, 0x02, 0, 1]), 0x81, /Flags of PUBREL/],
    ["a length of five bytes", (to) => to.sayBytes([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]), 0x81, /Remaining Length/],
    ["a packet larger than was allowed", (to) => to.sayBytes([0x30, 0xff, 0xff, 0x01]), 0x95, /at most 1000/],
    ["a text frame", (to) => to.tell({ type: "message", data: "hello" }), 0x82, /text frame/],
    ["PUBLISH of QoS 3", (to) => to.sayBytes([0x36, 0x06, 0, 1, 97, 0, 1, 0]), 0x81, /QoS/],
    ["CONNACK again", (to) => to.say({ type: CONNACK, sessionPresent: false, reasonCode: 0, properties: NO_PROPERTIES }), 0x82, /CONNACK/],
    ["CONNECT", (to) => to.sayBytes([0x10, 0x0d, 0, 4, 77, 81, 84, 84, 5, 2, 0, 0, 0, 0, 0]), 0x82, /CONNECT/],
    ["PINGREQ", (to) => to.say({ type: PINGREQ }), 0x82, /PINGREQ/],
    ["SUBSCRIBE", (to) => to.sayBytes([0x82, 0x07, 0, 1, 0, 0, 1, 97, 0]), 0x82, /SUBSCRIBE/],
    [
      "AUTH that nobody asked for",
      (to) => to.say({ type: AUTH, reasonCode: 0x18, properties: { authenticationMethod: "X" } }),
      0x82,
      /AUTH/,
    ],
    ["a Topic Alias that was not given", (to) => to.publish("", "x", 0, 0, { properties: { topicAlias: 3 } }), 0x94, /Topic Alias 3/],
    ["a Topic Alias above the maximum", (to) => to.publish("a", "x", 0, 0, { properties: { topicAlias: 9 } }), 0x94, /Topic Alias 9/],
    [
      "PUBREL before PUBREC",
      (to) => {
        to.publish("slow", "x", 2, 1);
        to.say(acknowledgement(PUBREL, 1));
      },
      0x82,
      /PUBREL 1/,
    ],
    [
      "more than the Receive Maximum",
      (to) => {
        for (const id of [1, 2, 3]) to.publish("slow", "x", 1, id);
      },
      0x93,
      /more than 2/,
    ],
  ];

  it.each(wrong)("%s: the server is told, the client connects again", async (_what, say, reasonCode, words) => {
    const options = { maximumPacketSize: 1000, receiveMaximum: 2, topicAliasMaximum: 8 };
    const { server, connection, client } = await connected(options);
    const subscribing = client.subscribe("slow", { qos: 2, onMessage: () => new Promise(() => {}) });
    connection.say(suback((await connection.expect(SUBSCRIBE)).packetId, 2));
    await subscribing;
    const end = ending(client);
    say(connection);
    const { error, willReconnect } = await end;
    expect(error).toMatchObject({ kind: "protocol", reasonCode, message: expect.stringMatching(words) });
    expect(willReconnect).toBe(true);
    expect(connection.inbox.at(-1)).toMatchObject({ type: DISCONNECT, reasonCode });
    expect(connection.readyState).toBe(3);
    const next = await server.again({ sessionPresent: true });
    const published = client.publish("a", "still there", { qos: 1 });
    next.say(acknowledgement(PUBACK, (await next.expect(PUBLISH)).packetId));
    expect(await published).toMatchObject({ reasonCode: 0 });
  });

  it("answers that are none to what was asked", async () => {
    for (const answer of [suback(0, 1, 1), { type: UNSUBACK, packetId: 0, reasonCodes: [0], properties: NO_PROPERTIES } as Packet]) {
      const { server, connection, client } = await connected();
      const subscribing = client.subscribe("a");
      const { packetId } = await connection.expect(SUBSCRIBE);
      const end = ending(client);
      connection.say({ ...answer, packetId } as Packet);
      expect((await end).error).toMatchObject({ kind: "protocol", message: expect.stringContaining("expected SUBACK with 1") });
      // It is asked again.
      const next = await server.again();
      next.say(suback((await next.expect(SUBSCRIBE)).packetId, 0));
      expect((await subscribing).granted).toEqual([{ filter: "a", qos: 0 }]);
    }
  });

  it("acknowledgements of another kind than was asked for", async () => {
    for (const [qos, type] of [
      [1, PUBREC],
      [2, PUBACK],
    ] as const) {
      const { connection, client } = await connected();
      void client.publish("a", "x", { qos });
      const { packetId } = await connection.expect(PUBLISH);
      const end = ending(client);
      connection.say(acknowledgement(type, packetId));
      expect((await end).error).toMatchObject({ kind: "protocol" });
    }
  });

  it("Packet Identifiers that nobody knows: passed over, or answered as unknown", async () => {
    const { connection, client } = await connected();
    connection.say(acknowledgement(PUBACK, 7), acknowledgement(PUBCOMP, 7), suback(7, 0));
    connection.say({ type: UNSUBACK, packetId: 7, reasonCodes: [0], properties: NO_PROPERTIES });
    connection.say(acknowledgement(PUBREC, 8), acknowledgement(PUBREL, 9), { type: PINGRESP });
    expect(await connection.next()).toMatchObject({ type: PUBREL, packetId: 8, reasonCode: 0x92 });
    expect(await connection.next()).toMatchObject({ type: PUBCOMP, packetId: 9, reasonCode: 0x92 });
    expect(client.isConnected).toBe(true);
  });

  it("whatever bytes it sends, cut anywhere, nothing is thrown and the client can be ended", async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 20 }))
        .map(([first, rest]) => Uint8Array.of(first, rest.length, ...rest)),
    );
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.constantFrom(3, 4, 5), fc.array(bytes, { maxLength: 6 }), async (isAccepted, version, chunks) => {
        const server = new FakeServer();
        const options = { clock: server.clock, version: version as 5, reconnect: false } as const;
        const connecting = connect(server.factory, options).catch((error: MqttError) => error);
        await Promise.resolve();
        await new Promise((resolve) => setImmediate(resolve));
        const { connection } = server;
        connection.open();
        connection.version = options.version;
        if (isAccepted) connection.say({ type: CONNACK, sessionPresent: false, reasonCode: 0, properties: NO_PROPERTIES });
        for (const chunk of chunks) connection.sayBytes(chunk);
        connection.drop();
        const client = await connecting;
        if ("end" in client) await client.end();
        else expect(client.name).toBe("MqttError");
      }),
      { numRuns: 500 },
    );
  });
});

describe("before CONNACK", () => {
  async function refused(
    answer: (connection: FakeConnection, server: FakeServer) => unknown,
    options: ConnectOptions = {},
  ): Promise<MqttError> {
    const server = new FakeServer();
    const failing = connect(server.factory, { clock: server.clock, ...options }).catch((error: MqttError) => error);
    await settled();
    server.connection.version = options.version ?? 5;
    await answer(server.connection, server);
    return (await failing) as MqttError;
  }

  const connack = (reasonCode: number, more: object = {}): Packet => ({
    type: CONNACK,
    sessionPresent: false,
    reasonCode,
    properties: NO_PROPERTIES,
    ...more,
  });

  const answered =
    (...packets: Packet[]) =>
    (connection: FakeConnection): void => {
      connection.open();
      connection.say(...packets);
    };

  it("a no is told with its reason, in 3.x too, and without anything secret", async () => {
    const secret = { userName: "ada", password: "hunter2" };
    const properties = { reasonString: "not today" };
    expect(await refused(answered(connack(0x87, { properties })), secret)).toMatchObject({
      kind: "refused",
      reasonCode: 0x87,
      message: "The server refused the connection: not authorized (0x87), not today",
    });
    for (const [returnCode, reasonCode] of [0x84, 0x85, 0x88, 0x86, 0x87].entries()) {
      const error = await refused(answered(connack(returnCode + 1)), { version: 4, ...secret });
      expect(error).toMatchObject({ kind: "refused", reasonCode });
      expect(JSON.stringify([error.message, error.stack, error])).not.toMatch(/hunter2|ada/);
    }
  });

  it("a server of 3.1.1 says that it does not know 5.0", async () => {
    const error = await refused((connection) => {
      connection.open();
      connection.sayBytes([0x20, 2, 0, 1]);
    });
    expect(error).toMatchObject({ kind: "refused", reasonCode: 0x84, message: expect.stringContaining("MQTT 5.0") });
  });

  it.each([
    ["a message", answered(publishPacket("a", "x")), "protocol"],
    ["[MQTT5-3.2.2-4] a session that was not asked for", answered(connack(0, { sessionPresent: true })), "protocol"],
    ["DISCONNECT", answered({ type: DISCONNECT, reasonCode: 0x89, properties: NO_PROPERTIES }), "disconnected"],
    ["the end of the socket", (connection: FakeConnection) => connection.drop(), "lost"],
    [
      "half a CONNACK and the end",
      (connection: FakeConnection) => {
        connection.open();
        connection.sayBytes([0x20, 3]);
        connection.drop();
      },
      "lost",
    ],
    [
      "nothing, with a socket",
      (connection: FakeConnection, server: FakeServer) => {
        connection.open();
        return server.clock.pass(30_000);
      },
      "timeout",
    ],
    ["nothing at all", (_connection: FakeConnection, server: FakeServer) => server.clock.pass(30_000), "timeout"],
  ] as const)("%s", async (_what, answer, kind) => {
    expect(await refused(answer)).toMatchObject({ name: "MqttError", kind });
  });

  it.each([
    ["Keep Alive", { keepAliveSeconds: 65_536 }],
    ["Keep Alive", { keepAliveSeconds: -1 }],
    ["Receive Maximum", { receiveMaximum: 0 }],
    ["NaN", { clientId: 5 as unknown as string }],
    ["signal", { will: { topic: "w", signal: AbortSignal.abort() } as object as { topic: string } }],
  ])("CONNECT that cannot be one is not sent: %s", async (words, options) => {
    const server = new FakeServer();
    const error = await connect(server.factory, { clock: server.clock, ...options }).catch((reason: MqttError) => reason);
    expect(error).toMatchObject({ kind: "invalid", message: expect.stringContaining(words) });
    expect(server.connections).toEqual([]);
  });

  it("an address that cannot be one is refused without repeating it", async () => {
    for (const url of ["mqtt://ada:hunter2@host", "host:1883?token=hunter2", "wss://[hunter2"]) {
      const error = await connect(url).catch((reason: MqttError) => reason);
      expect(error).toMatchObject({ kind: "invalid" });
      expect(String((error as MqttError).stack)).not.toContain("hunter2");
    }
  });
});

describe("silence", () => {
  it("[MQTT5-3.1.2-20] PINGREQ within the Keep Alive; without an answer the connection is given up", async () => {
    const { server, connection, client } = await connected({ keepAliveSeconds: 100 });
    const end = ending(client);
    await server.clock.pass(89_999);
    expect(connection.inbox).toEqual([]);
    await server.clock.pass(1);
    await connection.expect(PINGREQ);
    connection.say({ type: PINGRESP });
    await server.clock.pass(90_000);
    await connection.expect(PINGREQ);
    await server.clock.pass(45_000);
    expect((await end).error).toMatchObject({ kind: "timeout", message: expect.stringContaining("PINGREQ") });
  });

  it("[MQTT5-3.2.2-21] [MQTT5-3.1.2-21] the server's Keep Alive counts, and 0 means none", async () => {
    const server = new FakeServer();
    const connecting = connect(server.factory, { clock: server.clock });
    await settled();
    await server.connection.welcome({ properties: { serverKeepAlive: 10 } });
    const client = await connecting;
    expect(client.server.keepAliveSeconds).toBe(10);
    await server.clock.pass(9000);
    await server.connection.expect(PINGREQ);
    const { server: other, connection } = await connected({ keepAliveSeconds: 0 });
    await other.clock.pass(10_000_000);
    expect(connection.inbox).toEqual([]);
  });

  it("who only sends asks too whether anybody hears", async () => {
    const { server, connection, client } = await connected({ keepAliveSeconds: 100 });
    const end = ending(client);
    for (let second = 0; second < 91; second += 10) {
      void client.publish("a", "x");
      await server.clock.pass(10_000);
    }
    expect(connection.inbox.filter(({ type }) => type === PINGREQ)).toHaveLength(1);
    await server.clock.pass(45_000);
    expect((await end).error.kind).toBe("timeout");
  });

  it("SUBSCRIBE without SUBACK: an error that names the filter; a late answer harms nobody", async () => {
    const { server, connection, client } = await connected({ keepAliveSeconds: 0 });
    const failing = client.subscribe(["a", "b"]).catch((error: MqttError) => error);
    const { packetId } = await connection.expect(SUBSCRIBE);
    await server.clock.pass(30_000);
    expect(await failing).toMatchObject({ kind: "timeout", message: expect.stringContaining("a, b: no SUBACK within 30000 ms") });
    const next = client.subscribe("c");
    const second = await connection.expect(SUBSCRIBE);
    connection.say(suback(packetId, 0, 0), suback(second.packetId, 0));
    expect((await next).granted).toEqual([{ filter: "c", qos: 0 }]);
  });
});
