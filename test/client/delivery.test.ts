/** What the client sends and when, packet by packet, against a server that a test plays: windows, repeats, aliases, waits, and authentication. */

import { describe, expect, it } from "vitest";
import { type ConnectOptions, connect, type Message, MqttError } from "../../src/client/index.ts";
import {
  AUTH,
  CONNACK,
  CONNECT,
  DISCONNECT,
  NO_PROPERTIES,
  type Packet,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from "../../src/mqtt/packet.ts";
import { acknowledgement, textOf } from "../support/mqtt-client.ts";
import { connected, type FakeConnection, FakeServer, settled, suback, subscribed } from "./fake-server.ts";

describe("what is published", () => {
  it("keeps the Receive Maximum of the server, and its order", async () => {
    const { connection, client } = await connected({}, { receiveMaximum: 2 });
    const publishing = ["1", "2", "3", "4"].map((text, index) => client.publish("a", text, { qos: index === 1 ? 2 : 1 }));
    const [first, second] = await connection.messages(2);
    await settled();
    expect(connection.inbox).toEqual([]);
    connection.say(acknowledgement(PUBREC, second!.packetId));
    await connection.expect(PUBREL);
    expect(connection.inbox).toEqual([]);
    connection.say(acknowledgement(PUBACK, first!.packetId));
    const [third] = await connection.messages(1);
    connection.say(acknowledgement(PUBCOMP, second!.packetId), acknowledgement(PUBACK, third!.packetId));
    const [fourth] = await connection.messages(1);
    connection.say(acknowledgement(PUBACK, fourth!.packetId));
    await Promise.all(publishing);
    expect([first, second, third, fourth].map((packet) => textOf(packet!))).toEqual(["1", "2", "3", "4"]);
  });

  it("is asked for a response also after the subscription to responses could not be made anew", async () => {
    const { server, connection, client } = await connected({}, { responseInformation: "r" });
    client.on("failed", () => {});
    const request = async (at: FakeConnection, reasonCode: number): Promise<void> => {
      const requesting = client.request("q", "x");
      const { packetId } = await at.expect(SUBSCRIBE);
      at.say(suback(packetId, reasonCode));
      const [asked] = await at.messages(1);
      const { correlationData } = asked!.properties;
      at.say(acknowledgement(PUBACK, asked!.packetId));
      at.publish("r", "here", 0, 0, { properties: { ...NO_PROPERTIES, correlationData: correlationData! } });
      expect((await requesting).text()).toBe("here");
    };
    await request(connection, 1);
    connection.drop();
    const again = await server.again({ properties: { responseInformation: "r" } });
    const { packetId } = await again.expect(SUBSCRIBE);
    again.say(suback(packetId, 0x97));
    await settled();
    await request(again, 1);
  });

  it("goes out in one frame where it was published in one moment", async () => {
    const { connection, client } = await connected();
    const before = connection.frames;
    for (let count = 0; count < 100; count += 1) void client.publish("a", String(count));
    expect(await connection.messages(100)).toHaveLength(100);
    expect(connection.frames - before).toBe(1);
  });

  it("[MQTT5-4.6.0-1] [MQTT5-4.4.0-1] [MQTT311-4.4.0-1] is repeated with DUP under its number, in order, within the new Receive Maximum; what has PUBREC is released", async () => {
    const { server, connection, client } = await connected();
    const publishing = ["1", "2", "3", "4", "5"].map((text, index) => client.publish("a", text, { qos: index % 2 === 0 ? 1 : 2 }));
    const sent = await connection.messages(5);
    connection.say(acknowledgement(PUBREC, sent[1]!.packetId), acknowledgement(PUBACK, sent[2]!.packetId));
    await connection.expect(PUBREL);
    connection.drop();
    void client.publish("a", "6", { qos: 1 }).catch(() => {});
    const again = await server.again({ sessionPresent: true, properties: { receiveMaximum: 3 } });
    expect(await again.next()).toMatchObject({ type: PUBREL, packetId: sent[1]!.packetId });
    const repeated = await again.messages(2);
    expect(repeated.map(({ packetId, dup }) => [packetId, dup])).toEqual([
      [sent[0]!.packetId, true],
      [sent[3]!.packetId, true],
    ]);
    await settled();
    expect(again.inbox).toEqual([]);
    again.say(acknowledgement(PUBCOMP, sent[1]!.packetId), acknowledgement(PUBACK, sent[0]!.packetId));
    const rest = await again.messages(2);
    expect(rest.map((packet) => [textOf(packet), packet.dup])).toEqual([
      ["5", true],
      ["6", false],
    ]);
    again.say(acknowledgement(PUBREC, sent[3]!.packetId), acknowledgement(PUBACK, rest[0]!.packetId));
    again.say(acknowledgement(PUBCOMP, sent[3]!.packetId));
    await Promise.all(publishing);
  });

  it("[MQTT5-3.2.2-5] begins anew where the server has lost the session: QoS 1 again as new, of QoS 2 it says that it is not known", async () => {
    const { server, connection, client } = await connected();
    const publishing = [1, 2, 2].map((qos) => client.publish("a", String(qos), { qos: qos as 1 }));
    const outcomes = Promise.allSettled(publishing);
    const sent = await connection.messages(3);
    connection.say(acknowledgement(PUBREC, sent[2]!.packetId));
    connection.drop();
    const again = await server.again();
    const [repeated] = await again.messages(1);
    expect(repeated).toMatchObject({ dup: false, qos: 1 });
    again.say(acknowledgement(PUBACK, repeated!.packetId));
    const [first, second, third] = await outcomes;
    expect(first!.status).toBe("fulfilled");
    for (const outcome of [second!, third!]) expect(outcome).toMatchObject({ status: "rejected", reason: { kind: "unknown" } });
    expect(again.inbox).toEqual([]);
  });

  it("tells what the server said of it, at QoS 2 in PUBREC", async () => {
    const { connection, client } = await connected();
    for (const [qos, type] of [
      [1, PUBACK],
      [2, PUBREC],
    ] as const) {
      const publishing = client.publish("a", "x", { qos });
      const { packetId } = await connection.expect(PUBLISH);
      const said = { reasonCode: 0x10, properties: { reasonString: "nobody" } };
      connection.say({ type, packetId, ...said });
      if (qos === 2) {
        await connection.expect(PUBREL);
        connection.say(acknowledgement(PUBCOMP, packetId));
      }
      expect(await publishing).toEqual(said);
    }
  });

  it("tells why the server refused it, and refuses what this server cannot take", async () => {
    const pair = await connected({}, { maximumQoS: 1, retainAvailable: 0, maximumPacketSize: 60 });
    const { connection, client } = pair;
    const refused = client.publish("a", "x", { qos: 1 }).catch((error: MqttError) => error);
    const { packetId } = await connection.expect(PUBLISH);
    connection.say({ type: PUBACK, packetId, reasonCode: 0x97, properties: { reasonString: "enough" } });
    expect(await refused).toMatchObject({
      kind: "refused",
      reasonCode: 0x97,
      message: "Publish to a was refused: quota exceeded (0x97), enough",
    });
    await expect(client.publish("a", "x", { qos: 2 })).rejects.toMatchObject({ kind: "invalid", reasonCode: 0x9b });
    await expect(client.publish("a", "x", { retain: true })).rejects.toMatchObject({ kind: "invalid", reasonCode: 0x9a });
    await expect(client.publish("a", "x".repeat(100))).rejects.toMatchObject({ kind: "invalid", reasonCode: 0x95 });
    await expect(client.publish("a", "x", { contentTyp: "typo" } as object)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("contentTyp"),
    });
    await expect(client.subscribe("x".repeat(100))).rejects.toMatchObject({ kind: "invalid", reasonCode: 0x95 });
    await settled();
    expect(connection.inbox).toEqual([]);
  });

  it("refuses subscriptions of a kind that this server has not", async () => {
    const { client } = await connected({}, { wildcardSubscriptionAvailable: 0, sharedSubscriptionAvailable: 0 });
    await expect(client.subscribe("a/#")).rejects.toMatchObject({ reasonCode: 0xa2, filter: "a/#" });
    await expect(client.subscribe("$share/g/a")).rejects.toMatchObject({ reasonCode: 0x9e, filter: "$share/g/a" });
  });

  it("has a payload of text or bytes, and nothing else", async () => {
    const { connection, client } = await connected();
    for (const payload of ["ab", Uint8Array.of(97, 98), Uint8Array.of(97, 98).buffer]) await client.publish("a", payload);
    expect((await connection.messages(3)).map(textOf)).toEqual(["ab", "ab", "ab"]);
    for (const payload of [5, null, { a: 1 }, [1, 2]]) {
      await expect(client.publish("a", payload as unknown as string)).rejects.toMatchObject({
        kind: "invalid",
        message: expect.stringContaining("text or bytes"),
      });
    }
    await settled();
    expect(connection.inbox).toEqual([]);
  });

  it("waits while there is no connection, up to a bound", async () => {
    const { server, connection, client } = await connected({ queueMax: 3 });
    connection.drop();
    const waiting = ["1", "2", "3"].map((text) => client.publish("a", text));
    await expect(client.publish("a", "4")).rejects.toMatchObject({ kind: "full" });
    const again = await server.again({ sessionPresent: true });
    await Promise.all(waiting);
    expect((await again.messages(3)).map(textOf)).toEqual(["1", "2", "3"]);
  });

  it("waits while the socket has more than enough to do", async () => {
    const { server, connection, client } = await connected();
    connection.bufferedAmount = 2 ** 21;
    await client.publish("a", "1");
    let isSent = false;
    const second = client.publish("a", "2").then(() => {
      isSent = true;
    });
    await server.clock.pass(100);
    expect([(await connection.messages(1)).map(textOf), isSent]).toEqual([["1"], false]);
    connection.bufferedAmount = 0;
    await server.clock.pass(10);
    await second;
    expect((await connection.messages(1)).map(textOf)).toEqual(["2"]);
  });

  it("uses Topic Aliases from the second time on, anew on each connection", async () => {
    const { server, connection, client } = await connected({}, { topicAliasMaximum: 1 });
    for (const topic of ["a", "a", "a", "b", "b", "a"]) void client.publish(topic, "x");
    const sent = await connection.messages(6);
    expect(sent.map(({ topic, properties }) => [topic, properties.topicAlias])).toEqual([
      ["a", undefined],
      ["a", 1],
      ["", 1],
      ["b", undefined],
      ["b", undefined],
      ["", 1],
    ]);
    connection.drop();
    const again = await server.again({ sessionPresent: true, properties: { topicAliasMaximum: 1 } });
    void client.publish("a", "x");
    expect(await again.messages(1)).toMatchObject([{ topic: "a", properties: {} }]);
  });
});

describe("what comes", () => {
  it("is acknowledged when the handler is done, in the order in which it came, one at a time for each subscription", async () => {
    const pair = await connected();
    const { connection } = pair;
    const begun: string[] = [];
    const done = new Map<string, () => void>();
    const onMessage = (message: Message): Promise<void> => {
      begun.push(message.text());
      return new Promise((resolve) => done.set(message.text(), resolve));
    };
    await subscribed(pair, "a", onMessage);
    await subscribed(pair, "b", onMessage);
    connection.publish("a", "a1", 1, 1);
    connection.publish("b", "b1", 2, 2);
    connection.publish("a", "a2", 1, 3);
    connection.publish("b", "b0");
    await settled();
    expect(begun).toEqual(["a1", "b1"]);
    done.get("b1")!();
    await settled();
    // QoS 0 is in line too; b1 waits for a1 with its PUBREC.
    expect([begun, connection.inbox]).toEqual([["a1", "b1", "b0"], []]);
    done.get("a1")!();
    expect(await connection.next()).toMatchObject({ type: PUBACK, packetId: 1 });
    expect(await connection.next()).toMatchObject({ type: PUBREC, packetId: 2 });
    expect(begun).toEqual(["a1", "b1", "b0", "a2"]);
    connection.say(acknowledgement(PUBREL, 2));
    expect(await connection.next()).toMatchObject({ type: PUBCOMP, packetId: 2, reasonCode: 0 });
  });

  it("a handler that fails: the server is told, with the handler's own Reason Code where there is one, and the client goes on", async () => {
    const pair = await connected();
    const { connection, client } = pair;
    const failed: unknown[] = [];
    client.on("failed", (error, message) => failed.push([(error as Error).message, message?.text()]));
    await subscribed(pair, "a", async (message) => {
      if (message.text() === "bad") throw new Error("bad one");
      throw new MqttError("invalid", "no such format", { reasonCode: 0x99 });
    });
    await subscribed(pair, "b", () => {
      throw new MqttError("invalid", "at once", { reasonCode: 0x05 });
    });
    connection.publish("a", "bad", 1, 1);
    connection.publish("a", "worse", 2, 2);
    connection.publish("b", "sync", 1, 3);
    for (const [type, packetId, reasonCode] of [
      [PUBACK, 1, 0x80],
      [PUBREC, 2, 0x99],
      [PUBACK, 3, 0x80],
    ]) {
      expect(await connection.next()).toMatchObject({ type, packetId, reasonCode });
    }
    expect(failed).toEqual([
      ["at once", "sync"],
      ["bad one", "bad"],
      ["no such format", "worse"],
    ]);
    // Refused: the number may be used for another message.
    connection.publish("a", "new", 2, 2);
    expect(await connection.next()).toMatchObject({ type: PUBREC, packetId: 2, reasonCode: 0x99 });
  });

  it("QoS 2 is handed over once, while it is handled and after it, over connections; a new session forgets", async () => {
    const pair = await connected();
    const { server, connection } = pair;
    const begun: string[] = [];
    const done: (() => void)[] = [];
    await subscribed(pair, "a", (message) => {
      begun.push(message.text());
      return new Promise<void>((resolve) => done.push(resolve));
    });
    connection.publish("a", "1", 2, 7);
    await settled();
    connection.drop();
    let again = await server.again({ sessionPresent: true });
    again.publish("a", "1", 2, 7, { dup: true });
    await settled();
    expect([begun, again.inbox]).toEqual([["1"], []]);
    done[0]!();
    expect(await again.next()).toMatchObject({ type: PUBREC, packetId: 7, reasonCode: 0 });
    again.drop();
    again = await server.again({ sessionPresent: true });
    again.publish("a", "1", 2, 7, { dup: true });
    expect(await again.next()).toMatchObject({ type: PUBREC, packetId: 7 });
    again.say(acknowledgement(PUBREL, 7));
    expect(await again.next()).toMatchObject({ type: PUBCOMP, packetId: 7, reasonCode: 0 });
    again.publish("a", "2", 2, 7);
    await settled();
    expect(begun).toEqual(["1", "2"]);
    again.drop();
    again = await server.again();
    const { packetId } = await again.expect(SUBSCRIBE);
    again.say({ type: SUBACK, packetId, reasonCodes: [2], properties: NO_PROPERTIES });
    done[1]!();
    again.publish("a", "3", 2, 7);
    await settled();
    expect(begun).toEqual(["1", "2", "3"]);
  });

  it("QoS 1 that nobody has begun with is left to the repeat of the server", async () => {
    const pair = await connected();
    const { server, connection } = pair;
    const begun: string[] = [];
    const done: (() => void)[] = [];
    await subscribed(pair, "a", (message) => {
      begun.push(message.text() + (message.dup ? " again" : ""));
      return new Promise<void>((resolve) => done.push(resolve));
    });
    connection.publish("a", "1", 1, 1);
    connection.publish("a", "2", 1, 2);
    await settled();
    connection.drop();
    const again = await server.again({ sessionPresent: true });
    again.publish("a", "1", 1, 1, { dup: true });
    again.publish("a", "2", 1, 2, { dup: true });
    for (let index = 0; index < 3; index += 1) {
      await settled();
      done[index]!();
    }
    await settled();
    expect(begun).toEqual(["1", "1 again", "2 again"]);
    expect(again.inbox.map((packet) => [packet.type, (packet as { packetId: number }).packetId])).toEqual([
      [PUBACK, 1],
      [PUBACK, 2],
    ]);
  });
});

describe("a loop", () => {
  it("that asks for several at once is done with all but the last when they come", async () => {
    const { connection, client } = await connected();
    const subscribing = client.subscribe("a", { qos: 1 });
    connection.say(suback((await connection.expect(SUBSCRIBE)).packetId, 1));
    const messages = (await subscribing)[Symbol.asyncIterator]();
    const asked = [messages.next(), messages.next(), messages.next()];
    for (const id of [1, 2, 3, 4]) connection.publish("a", String(id), 1, id);
    expect((await Promise.all(asked)).map(({ value }) => value?.text())).toEqual(["1", "2", "3"]);
    for (const packetId of [1, 2]) expect(await connection.next()).toMatchObject({ type: PUBACK, packetId });
    expect(connection.inbox).toEqual([]);
    expect((await messages.next()).value?.text()).toBe("4");
    expect(await connection.next()).toMatchObject({ type: PUBACK, packetId: 3 });
  });
});

describe("the session", () => {
  it("is clean once, resumed afterwards; subscriptions are made again only where it is lost, in their order", async () => {
    const pair = await connected({ clientId: "c", sessionExpirySeconds: 60 });
    await subscribed(pair, "a", () => {}, 1);
    await subscribed(pair, "b/#", () => {}, 2);
    pair.connection.drop();
    const kept = await pair.server.again({ sessionPresent: true });
    await settled();
    expect(kept.inbox).toEqual([]);
    kept.drop();
    const lost = await pair.server.again();
    for (const [filter, qos] of [
      ["a", 1],
      ["b/#", 2],
    ] as const) {
      const packet = await lost.expect(SUBSCRIBE);
      expect(packet.subscriptions).toMatchObject([{ filter, qos }]);
      lost.say({ type: SUBACK, packetId: packet.packetId, reasonCodes: [qos], properties: NO_PROPERTIES });
    }
    expect(lost.inbox).toEqual([]);
  });

  it("CONNECT says what the options say, and a clean start only the first time", async () => {
    const server = new FakeServer();
    const will = { topic: "w", payload: "gone", qos: 1, retain: true, willDelayInterval: 3, contentType: "text/plain" } as const;
    const options = {
      clientId: "c",
      userName: "u",
      password: "p",
      will,
      keepAliveSeconds: 7,
      maximumPacketSize: 500,
      userProperties: [["a", "b"]],
    } as const;
    const passwords = ["first", "second"];
    void connect(server.factory, { clock: server.clock, ...options, password: async () => passwords.shift()! });
    await settled();
    const first = await server.connection.welcome();
    expect(first).toMatchObject({ clean: true, clientId: "c", userName: "u", keepAliveSeconds: 7, version: 5 });
    expect(first.will).toMatchObject({ topic: "w", qos: 1, retain: true, properties: { willDelayInterval: 3, contentType: "text/plain" } });
    expect(first.properties).toEqual({
      sessionExpiryInterval: 300,
      receiveMaximum: 256,
      topicAliasMaximum: 64,
      maximumPacketSize: 500,
      userProperties: [["a", "b"]],
    });
    server.connection.drop();
    await server.clock.pass(server.clock.nextMs!);
    await settled();
    server.connection.open();
    const second = await server.connection.expect(CONNECT);
    expect([second.clean, second.password]).toEqual([false, new TextEncoder().encode("second")]);
  });

  it("a subscription that cannot be made again ends with an error, and is told", async () => {
    const pair = await connected();
    const { client, connection, server } = pair;
    const failed: unknown[] = [];
    client.on("failed", (error) => failed.push(error));
    const subscribing = client.subscribe("a");
    const { packetId } = await connection.expect(SUBSCRIBE);
    connection.say({ type: SUBACK, packetId, reasonCodes: [0], properties: NO_PROPERTIES });
    const loop = (await subscribing)[Symbol.asyncIterator]().next();
    const ended = expect(loop).rejects.toMatchObject({ kind: "refused", reasonCode: 0x87, filter: "a" });
    connection.drop();
    const again = await server.again();
    const renewed = await again.expect(SUBSCRIBE);
    again.say({ type: SUBACK, packetId: renewed.packetId, reasonCodes: [0x87], properties: NO_PROPERTIES });
    await ended;
    expect(failed).toMatchObject([{ message: "Subscribe to a: not authorized (0x87)" }]);
  });

  it("tells which filters the server has granted, for the first time and again", async () => {
    const { server, client, connection } = await connected();
    const told: (string | readonly string[])[] = [];
    client.on("connected", ({ sessionPresent }) => told.push(sessionPresent ? "known" : "new"));
    client.on("subscribed", (filters) => told.push(filters));
    const answer = async (of: typeof connection): Promise<void> => {
      const { packetId } = await of.expect(SUBSCRIBE);
      of.say({ type: SUBACK, packetId, reasonCodes: [0], properties: NO_PROPERTIES });
      await settled();
    };
    void client.subscribe("a");
    await answer(connection);
    connection.drop();
    // The session is lost, and so is the SUBSCRIBE that makes it again.
    const second = await server.again();
    await second.expect(SUBSCRIBE);
    second.drop();
    const third = await server.again({ sessionPresent: true });
    expect(told).toEqual([["a"], "new", "known"]);
    await answer(third);
    third.drop();
    const fourth = await server.again({ sessionPresent: true });
    // What has ended before the answer is none.
    const leaving = new AbortController();
    client.subscribe("b", { signal: leaving.signal }).catch(() => {});
    const { packetId } = await fourth.expect(SUBSCRIBE);
    leaving.abort();
    fourth.say({ type: SUBACK, packetId, reasonCodes: [0], properties: NO_PROPERTIES });
    await settled();
    expect(told).toEqual([["a"], "new", "known", ["a"], "known"]);
  });

  it("one filter of several that is refused: none is subscribed, and the error names it", async () => {
    const { client, connection } = await connected();
    const failing = client.subscribe(["a", "b", "c"]).catch((error: MqttError) => error);
    const { packetId } = await connection.expect(SUBSCRIBE);
    connection.say({ type: SUBACK, packetId, reasonCodes: [1, 0x87, 0], properties: NO_PROPERTIES });
    expect(await failing).toMatchObject({ kind: "refused", reasonCode: 0x87, filter: "b" });
    expect((await connection.expect(UNSUBSCRIBE)).filters).toEqual(["a", "c"]);
  });

  it("what was asked and not answered is asked again", async () => {
    const { server, client, connection } = await connected();
    const subscribing = client.subscribe("a");
    await connection.expect(SUBSCRIBE);
    connection.drop();
    const again = await server.again({ sessionPresent: true });
    const { packetId } = await again.expect(SUBSCRIBE);
    again.say({ type: SUBACK, packetId, reasonCodes: [0], properties: NO_PROPERTIES });
    const ending = (await subscribing).end();
    await again.expect(UNSUBSCRIBE);
    again.drop();
    const third = await server.again({ sessionPresent: true });
    const unsubscribe = await third.expect(UNSUBSCRIBE);
    third.say({ type: UNSUBACK, packetId: unsubscribe.packetId, reasonCodes: [0], properties: NO_PROPERTIES });
    await ending;
  });
});

describe("connecting again", () => {
  it("waits longer each time, shortened by chance, and from the beginning after a good connection", async () => {
    const { server, client, connection } = await connected({ reconnect: { minMs: 100, maxMs: 1000 } });
    const waits: number[] = [];
    client.on("reconnecting", ({ delayMs }) => waits.push(delayMs));
    connection.drop();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await server.clock.pass(server.clock.nextMs!);
      server.connection.drop();
    }
    expect(waits).toEqual([50, 100, 200, 400, 500, 500]);
    const good = await server.again({ sessionPresent: true });
    await server.clock.pass(9000);
    good.drop();
    (await server.again({ sessionPresent: true })).say();
    await server.clock.pass(11_000);
    server.connection.drop();
    expect(waits.slice(6)).toEqual([500, 50]);
  });

  it.each([
    [0x8e, false],
    [0x8b, true],
    [0x9d, false],
    [0x8d, true],
    [0x87, false],
  ])("after DISCONNECT 0x%s: %s", async (reasonCode, willReconnect) => {
    const { client, connection } = await connected();
    const told: unknown[] = [];
    client.on("disconnected", (event) => told.push(event.willReconnect));
    client.on("closed", (error) => told.push(error?.reasonCode));
    connection.say({ type: DISCONNECT, reasonCode, properties: NO_PROPERTIES });
    expect(told).toEqual(willReconnect ? [true] : [false, reasonCode]);
    await client.end();
  });

  it("not where it was told not to, nor over a socket that it was given", async () => {
    const { client, connection } = await connected({ reconnect: { when: () => false } });
    const closed = new Promise((resolve) => client.on("closed", resolve));
    const publishing = client.publish("a", "x", { qos: 1 });
    connection.drop();
    expect(await closed).toMatchObject({ kind: "lost" });
    await expect(publishing).rejects.toMatchObject({ kind: "lost" });

    const server = new FakeServer();
    server.factory();
    const connecting = connect(server.connection, { clock: server.clock });
    await settled();
    await server.connection.welcome();
    const other = await connecting;
    const end = new Promise((resolve) => other.on("closed", resolve));
    server.connection.drop();
    expect(await end).toMatchObject({ kind: "lost" });
  });
});

describe("the end", () => {
  it("comes when everything is acknowledged; the session goes with it; what comes later is refused", async () => {
    const { server, client, connection } = await connected();
    const publishing = client.publish("a", "x", { qos: 1 });
    const ending = client.end();
    await expect(client.publish("a", "y")).rejects.toMatchObject({ kind: "ended" });
    const { packetId } = await connection.expect(PUBLISH);
    await settled();
    expect(connection.inbox).toEqual([]);
    connection.say(acknowledgement(PUBACK, packetId));
    // Nothing is left that would keep a process from ending.
    await ending;
    expect(server.clock.nextMs).toBeUndefined();
    expect(await connection.expect(DISCONNECT)).toMatchObject({ reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
    await Promise.all([publishing, ending]);
  });

  it("has the will published where it is asked to: in 3.1.1, whose DISCONNECT forbids it, without one", async () => {
    for (const version of [4, 5] as const) {
      const { client, connection } = await connected({ version, will: { topic: "w" } });
      await client.end({ reasonCode: 4 });
      expect(connection.inbox).toMatchObject(version === 4 ? [] : [{ type: DISCONNECT, reasonCode: 4 }]);
      expect(connection.readyState).toBe(3);
    }
  });

  it("comes in time whatever the server does, and rejects what is not acknowledged", async () => {
    const { server, client, connection } = await connected({ sessionExpirySeconds: 60 });
    const publishing = expect(client.publish("a", "x", { qos: 1 })).rejects.toMatchObject({ kind: "ended" });
    connection.close = () => {};
    const ending = client.end({ reasonCode: 4 });
    await connection.expect(PUBLISH);
    await server.clock.pass(5000);
    expect(await connection.expect(DISCONNECT)).toMatchObject({ reasonCode: 4, properties: {} });
    await server.clock.pass(2000);
    await Promise.all([publishing, ending]);
  });

  it("comes at once while there is no connection, also before the next attempt", async () => {
    const { server, client, connection } = await connected();
    connection.drop();
    await client.end();
    const closing = await connected();
    closing.connection.drop();
    await closing.server.clock.pass(closing.server.clock.nextMs!);
    await closing.client.end();
    expect(closing.server.connection.readyState).toBe(3);
    expect(server.connections).toHaveLength(1);
  });
});

describe("AUTH", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

  function authenticator(ends: string[], isProved = true): NonNullable<ConnectOptions["authentication"]> {
    let begun = 0;
    return {
      method: "M",
      begin() {
        begun += 1;
        return {
          data: bytes(`first ${begun}`),
          next: async (data) => bytes(`re: ${text(data)}`),
          end: (data) => {
            if (!isProved) throw new Error("not the server");
            ends.push(text(data));
          },
        };
      },
    };
  }

  const auth = (reasonCode: number, data: string): Packet => ({
    type: AUTH,
    reasonCode,
    properties: { authenticationMethod: "M", authenticationData: bytes(data) },
  });

  const accepted = {
    type: CONNACK,
    sessionPresent: false,
    reasonCode: 0,
    properties: { authenticationMethod: "M", authenticationData: bytes("proof") },
  } as const;

  it("is exchanged before CONNACK and anew when it is asked for", async () => {
    const ends: string[] = [];
    const server = new FakeServer();
    const messages: Message[] = [];
    const connecting = connect(server.factory, {
      clock: server.clock,
      authentication: authenticator(ends),
      onMessage: (message) => messages.push(message),
    });
    await settled();
    const { connection } = server;
    connection.open();
    const { properties } = await connection.expect(CONNECT);
    expect([properties.authenticationMethod, text(properties.authenticationData)]).toEqual(["M", "first 1"]);
    connection.say(auth(0x18, "challenge"));
    const answer = await connection.expect(AUTH);
    expect([answer.reasonCode, text(answer.properties.authenticationData)]).toEqual([0x18, "re: challenge"]);
    connection.say(accepted);
    connection.publish("a", "at once");
    const client = await connecting;
    expect([ends, messages.length]).toEqual([["proof"], 1]);

    const again = client.reauthenticate();
    const begun = await connection.expect(AUTH);
    expect([begun.reasonCode, text(begun.properties.authenticationData)]).toEqual([0x19, "first 2"]);
    connection.say(auth(0x18, "more"));
    await connection.expect(AUTH);
    connection.say(auth(0, "proof 2"));
    await again;
    expect(ends).toEqual(["proof", "proof 2"]);
    const refused = expect(client.reauthenticate()).rejects.toMatchObject({ kind: "disconnected", reasonCode: 0x87 });
    await connection.expect(AUTH);
    connection.say({ type: DISCONNECT, reasonCode: 0x87, properties: NO_PROPERTIES });
    await refused;
  });

  it("a server that did not prove itself is left, and nothing is taken from it", async () => {
    const server = new FakeServer();
    const messages: Message[] = [];
    const options = {
      clock: server.clock,
      authentication: authenticator([], false),
      onMessage: (message: Message) => messages.push(message),
    };
    const failing = connect(server.factory, options).catch((error: MqttError) => error);
    await settled();
    server.connection.open();
    await server.connection.expect(CONNECT);
    server.connection.say(accepted);
    server.connection.publish("a", "from a stranger");
    expect(messages).toEqual([]);
    expect(await failing).toMatchObject({ kind: "protocol", message: expect.stringContaining("did not prove") });
  });
});
