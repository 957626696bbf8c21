/** The gateway over real sockets, before a broker that the test plays: what passes, what does not, and how things end. */

import { randomBytes } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import {
  CONNECT_MS,
  LINGER_MS,
  OPENING_MAX,
  OPENING_MS,
  REPEATED_MS,
  SHUTDOWN_MS,
  STALLED_MS,
  UNFINISHED_BYTES_MAX,
  UNFINISHED_BYTES_SHORT,
} from "../../src/gateway/limits.ts";
import { EMPTY_BYTES } from "../../src/mqtt/bytes.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { NO_PROPERTIES, PUBLISH } from "../../src/mqtt/packet.ts";
import {
  CONNACK_V4,
  CONNACK_V5,
  CONNECT_BYTES,
  connectBytes,
  connected,
  gatewayAlone,
  hashOf,
  readAll,
  readBytes,
  type Setting,
  settled,
  tcp,
} from "./support.ts";

/** Writes a piece, and gives the other side time to read it by itself. */
async function written(socket: Socket, piece: Uint8Array): Promise<void> {
  await new Promise((resolve) => socket.write(piece, resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

const WILL = { topic: "t", payload: EMPTY_BYTES, qos: 0, retain: false, properties: NO_PROPERTIES } as const;

describe("what passes", () => {
  it("all bytes as they are, both ways, those behind CONNECT included, over one WebSocket with the subprotocol mqtt and without compression", async () => {
    const setting = await gatewayAlone();
    const sent = Buffer.concat([CONNECT_BYTES, randomBytes(3_000_000)]);
    const arriving = setting.broker.next();
    const client = tcp(setting.port);
    for (let from = 0; from < sent.length; from += 70_001) client.write(sent.subarray(from, from + 70_001));
    const arrived = await arriving;
    expect([arrived.socket.protocol, arrived.socket.extensions]).toEqual(["mqtt", ""]);
    expect(hashOf(await readBytes(arrived, sent.length))).toBe(hashOf(sent));

    const received = readAll(client);
    for (let from = 0; from < sent.length; from += 30_011) arrived.socket.send(sent.subarray(from, from + 30_011));
    arrived.socket.close();
    expect(hashOf(await received)).toBe(hashOf(sent));
    expect(setting.broker.arrived).toHaveLength(1);
    expect([setting.gateway.metrics.bytesIn, setting.gateway.metrics.bytesOut]).toEqual([sent.length, sent.length]);
  });

  it("a CONNECT in nine segments, then in one for each byte", async () => {
    const setting = await gatewayAlone();
    for (const size of [Math.ceil(CONNECT_BYTES.length / 9), 1]) {
      const arriving = setting.broker.next();
      const client = tcp(setting.port, { noDelay: true });
      for (let from = 0; from < CONNECT_BYTES.length; from += size) await written(client, CONNECT_BYTES.subarray(from, from + size));
      expect(await readBytes(await arriving, CONNECT_BYTES.length)).toEqual(CONNECT_BYTES);
    }
  });

  it("the Client Identifier in the URL, beside what is there; none where the client has none, or where the gateway does not hand over", async () => {
    const setting = await gatewayAlone();
    const { request } = await connected(setting, connectBytes({ clientId: "a b/ü&x=1" }));
    expect([...new URL(request.url!, "http://x").searchParams]).toEqual([["clientId", "a b/ü&x=1"]]);
    expect((await connected(setting, connectBytes({ clientId: "" }))).request.url).toBe("/mqtt");

    const { broker } = setting;
    const relayed = await gatewayAlone({}, { url: `${broker.url}?token=t`, handsOver: false });
    expect((await connected({ ...relayed, broker })).request.url).toBe("/mqtt?token=t");
    const handed = await gatewayAlone({}, { url: `${broker.url}?token=t` });
    expect((await connected({ ...handed, broker })).request.url).toBe("/mqtt?token=t&clientId=device");
  });

  it("a CONNECT that is malformed, or of a version that nobody knows: the broker says what is wrong", async () => {
    const setting = await gatewayAlone();
    const later = connectBytes();
    later[8] = 6;
    const { frames, request, client, socket } = await connected(setting, later);
    expect([frames, request.url]).toEqual([[later], "/mqtt"]);
    socket.send(Buffer.of(0x20, 3, 0, 0x84, 0));
    socket.close(1008);
    expect(await readAll(client)).toEqual(Buffer.of(0x20, 3, 0, 0x84, 0));
  });

  it("what is said of the client in headers", async () => {
    const setting = await gatewayAlone({}, { headersOf: async ({ address, userName }) => ({ "X-Client": `${address} ${userName}` }) });
    expect((await connected(setting)).request.headers["x-client"]).toBe("127.0.0.1 undefined");
  });
});

describe("what does not pass", () => {
  it.each([
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["a ClientHello", Buffer.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc)],
    ["a PROXY header, where none is asked for", Buffer.from("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")],
    ["PUBLISH", Buffer.of(0x30, 3, 0, 1, 0x61)],
    ["a length of five bytes", Buffer.of(0x10, 0xff, 0xff, 0xff, 0xff, 1)],
    ["a CONNECT of a megabyte", Buffer.of(0x10, 0x80, 0x80, 0x40)],
    ["zeros", Buffer.alloc(1000)],
  ])("%s: the connection is closed, and the broker hears nothing of it", async (_what, bytes) => {
    const { broker, gateway, port } = await gatewayAlone();
    const client = tcp(port);
    client.write(bytes);
    expect(await readAll(client)).toHaveLength(0);
    expect([broker.arrived.length, gateway.metrics.counted("protocol")]).toEqual([0, 1]);
  });

  it("a CONNECT that is not whole in time, and nothing at all", async () => {
    const { broker, gateway, port, clock } = await gatewayAlone();
    const clients = [EMPTY_BYTES, CONNECT_BYTES.subarray(0, 1), CONNECT_BYTES.subarray(0, -1)].map((bytes) => {
      const client = tcp(port);
      client.write(bytes);
      return client;
    });
    await expect.poll(() => gateway.metrics.connections).toBe(3);
    clock.advance(CONNECT_MS - 1);
    expect(await settled(() => gateway.metrics.connections)).toBe(3);
    const ends = clients.map(readAll);
    clock.advance(1);
    expect((await Promise.all(ends)).map(({ length }) => length)).toEqual([0, 0, 0]);
    expect([broker.arrived.length, gateway.metrics.counted("slow")]).toEqual([0, 3]);
  });

  it("more of unfinished CONNECTs than there is memory for, whoever they are", async () => {
    const { gateway, port } = await gatewayAlone();
    const part = Buffer.concat([Buffer.of(0x10, 0xfb, 0xff, 0x07), Buffer.alloc(130_000, 1)]);
    const most = Math.floor(UNFINISHED_BYTES_MAX / part.length);
    const clients = Array.from({ length: most + 20 }, () => tcp(port));
    for (const client of clients) client.write(part);
    await expect.poll(() => gateway.metrics.counted("full"), { timeout: 20_000 }).toBeGreaterThan(0);
    await expect.poll(() => gateway.metrics.accepted, { timeout: 20_000 }).toBe(most + 20);
    expect(await settled(() => gateway.metrics.connections)).toBeGreaterThanOrEqual(most - 20);
    // What they took is free when they have gone.
    for (const client of clients) client.destroy();
    await expect.poll(() => gateway.metrics.connections).toBe(0);
    const last = tcp(port);
    last.write(part);
    expect(await settled(() => gateway.metrics.connections)).toBe(1);
  });

  it("more of whole CONNECTs that wait for the broker than there is memory for; who says little waits", async () => {
    const { broker, clock, gateway, port } = await gatewayAlone();
    const { metrics } = gateway;
    const release: (() => void)[] = [];
    broker.judge = () => new Promise((resolve) => release.push(() => resolve(undefined)));
    const codes: number[] = [];
    const say = (password: number, payload = 0): void => {
      const client = tcp(port);
      client.once("data", (bytes) => codes.push((decodePacket(bytes as Buffer, 5) as { reasonCode: number }).reasonCode));
      client.write(connectBytes({ will: { ...WILL, payload: Buffer.alloc(payload) }, password: Buffer.alloc(password) }));
    };
    const most = Math.floor(UNFINISHED_BYTES_MAX / 120_100);
    const sayMuch = async (): Promise<void> => {
      const before = metrics.counted("full");
      for (let count = 0; count < most + 60; count++) say(60_000, 60_000);
      await expect.poll(() => metrics.counted("full") - before, { timeout: 20_000 }).toBeGreaterThan(40);
      expect((await settled(() => metrics.counted("full"))) - before).toBeLessThan(100);
    };
    await sayMuch();
    for (let count = 0; count < 20; count++) say(30_000);
    await expect.poll(() => codes.length).toBeGreaterThan(10);
    expect(new Set(codes)).toEqual(new Set([0x89]));
    const refused = await settled(() => metrics.counted("full"));
    for (let count = 0; count < 100; count++) say(UNFINISHED_BYTES_SHORT - 100);
    await expect.poll(() => metrics.accepted).toBe(most + 180);
    expect(await settled(() => metrics.counted("full"))).toBe(refused);
    // What they took is free when they are connected, and when they are refused.
    broker.judge = () => undefined;
    for (const each of release) each();
    await expect.poll(() => metrics.open, { timeout: 20_000 }).toBeGreaterThan(most - 40);
    broker.judge = () => new Promise(() => {});
    await sayMuch();
    clock.advance(OPENING_MS);
    await sayMuch();
  });

  it("more than there is memory for of what comes behind CONNECTs that wait", async () => {
    const { broker, gateway, port } = await gatewayAlone();
    broker.judge = () => new Promise(() => {});
    const piece = Buffer.alloc(60_000, "x");
    const most = Math.floor(UNFINISHED_BYTES_MAX / piece.length);
    const clients = Array.from({ length: most + 60 }, () => tcp(port));
    for (const client of clients) client.write(CONNECT_BYTES);
    await expect.poll(() => gateway.metricsText(), { timeout: 20_000 }).toContain(`_waiting ${most + 60 - OPENING_MAX}\n`);
    for (const client of clients) client.write(piece);
    await expect.poll(() => gateway.metrics.counted("full"), { timeout: 20_000 }).toBeGreaterThan(20);
    expect(await settled(() => gateway.metrics.counted("full"))).toBeLessThan(100);
  });

  it("a text of the broker", async () => {
    const { client, socket } = await connected(await gatewayAlone());
    const received = readAll(client);
    socket.send("hello");
    expect(await received).toHaveLength(0);
  });
});

describe("a broker that refuses", () => {
  const refusal = async (
    status: number,
    version: 3 | 4 | 5,
    said = "a sentence",
  ): Promise<{ packet: Buffer; lines: unknown[]; count: number }> => {
    const setting = await gatewayAlone();
    setting.broker.judge = () => ({ status, said });
    const client = tcp(setting.port);
    client.write(connectBytes({ version }));
    const packet = await readAll(client);
    await expect.poll(() => setting.lines.filter(({ kind }) => kind === "problem").length).toBe(1);
    const lines = setting.lines.filter(({ kind }) => kind === "problem").map(({ message, fields }) => ({ message, fields }));
    return { packet, lines, count: setting.gateway.metrics.counted("refused") };
  };

  it.each([
    [400, 0x85, 2],
    [401, 0x87, 5],
    [403, 0x87, 5],
    [404, 0x88, 3],
    [429, 0x9f, 3],
    [500, 0x88, 3],
    [503, 0x88, 3],
  ])(
    "with HTTP %d: a client of 5.0 hears %d, one of 3.x %d, and the operator the broker's words",
    async (status, reasonCode, returnCode) => {
      const { packet, lines, count } = await refusal(status, 5);
      const properties = { reasonString: `the broker refused the connection (HTTP ${status})` };
      expect(decodePacket(packet, 5)).toMatchObject({ reasonCode, properties });
      expect(lines).toEqual([{ message: `the broker refuses connections (HTTP ${status})`, fields: { said: "a sentence" } }]);
      expect(count).toBe(1);
      expect((await refusal(status, 4)).packet).toEqual(Buffer.of(0x20, 2, 0, returnCode));
      expect((await refusal(status, 3)).packet).toEqual(Buffer.of(0x20, 2, 0, returnCode));
    },
  );

  it("says no more in the log than a line of plain text", async () => {
    expect((await refusal(403, 4, `first\u001b[31m\nsecond${"x".repeat(10_000)}`)).lines).toMatchObject([
      { fields: { said: "first?[31m" } },
    ]);
  });

  it("or is not there: 0x88, and return code 3", async () => {
    const setting = await gatewayAlone();
    setting.broker.stop();
    for (const [version, expected] of [
      [5, { reasonCode: 0x88 }],
      [4, { reasonCode: 3 }],
    ] as const) {
      const client = tcp(setting.port);
      client.write(connectBytes({ version }));
      expect(decodePacket(await readAll(client), version)).toMatchObject(expected);
    }
    expect(setting.gateway.metrics.counted("unreachable")).toBe(2);
    const problems = setting.lines.filter(({ kind }) => kind === "problem");
    expect(problems).toMatchObject([{ message: "the broker cannot be reached", fields: { problem: "ECONNREFUSED" } }]);
    // What happened again meanwhile is told later, as a number.
    setting.clock.advance(REPEATED_MS);
    expect(setting.lines.filter(({ kind }) => kind === "problem").at(-1)).toMatchObject({ fields: { again: 1 } });
  });

  it("or does not answer: 0x88 when the time is over", async () => {
    const setting = await gatewayAlone();
    let asked = (): void => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    setting.broker.judge = () => {
      asked();
      return new Promise(() => {});
    };
    const client = tcp(setting.port);
    client.write(CONNECT_BYTES);
    await isAsked;
    const received = readAll(client);
    setting.clock.advance(OPENING_MS);
    expect(decodePacket(await received, 5)).toMatchObject({ reasonCode: 0x88 });
  });

  it("is asked for so many WebSockets at a time; the others wait, hear 0x89 when the time is over, and take no turn when they have left", async () => {
    const setting = await gatewayAlone();
    let asked = 0;
    const release: (() => void)[] = [];
    setting.broker.judge = () => {
      asked += 1;
      return new Promise((resolve) => release.push(() => resolve(undefined)));
    };
    const clients = Array.from({ length: OPENING_MAX + 3 }, () => tcp(setting.port));
    for (const client of clients) client.write(CONNECT_BYTES);
    await expect.poll(() => asked, { timeout: 20_000 }).toBe(OPENING_MAX);
    expect(await settled(() => asked)).toBe(OPENING_MAX);
    expect(setting.gateway.metricsText()).toContain("durable_mqtt_gateway_waiting 3\n");
    release[0]!();
    await expect.poll(() => asked).toBe(OPENING_MAX + 1);
    const received = clients.map(readAll);
    setting.clock.advance(OPENING_MS);
    const codes = (await Promise.all(received.slice(1))).map((bytes) => (decodePacket(bytes, 5) as { reasonCode: number }).reasonCode);
    expect(codes.filter((code) => code === 0x89)).toHaveLength(2);
    expect(codes.filter((code) => code === 0x88)).toHaveLength(OPENING_MAX);
    expect(setting.gateway.metricsText()).toContain("durable_mqtt_gateway_waiting 0\n");
  });
});

/** Reads so many bytes at least. */
function readBytesOf(client: Socket, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    let left = bytes;
    client.on("data", function take(chunk: Buffer) {
      left -= chunk.length;
      if (left > 0) return;
      client.off("data", take);
      resolve();
    });
  });
}

describe("a side that does not keep up", () => {
  const CHUNK = Buffer.alloc(1_000_000, "x");
  const CHUNKS = 60;

  it("a client that does not read: the broker is not read either, and nothing is lost when it goes on", async () => {
    const setting = await gatewayAlone();
    const { metrics } = setting.gateway;
    const { client, socket } = await connected(setting);
    client.pause();
    for (let n = 0; n < CHUNKS; n++) socket.send(CHUNK);
    expect(await settled(() => metrics.bytesOut)).toBeLessThan((CHUNKS / 2) * CHUNK.length);
    const all = readBytesOf(client, CHUNKS * CHUNK.length);
    client.resume();
    await all;
    // It has caught up: nobody waits for it to take more.
    setting.clock.advance(STALLED_MS);
    const rest = readAll(client);
    socket.send(CHUNK.subarray(0, 10));
    socket.close();
    expect((await rest).length).toBe(10);
  });

  it("a client that never reads again is cut, though it goes on sending; one that reads slowly is not", async () => {
    const setting = await gatewayAlone();
    const { clock, gateway } = setting;
    const { client, socket } = await connected(setting);
    client.pause();
    for (let n = 0; n < CHUNKS; n++) socket.send(CHUNK);
    await settled(() => gateway.metrics.bytesOut);
    for (let n = 0; n < 3; n++) {
      clock.advance(STALLED_MS - 1);
      // It takes some, which makes room for a slice at least.
      const some = readBytesOf(client, 4_000_000);
      client.resume();
      await some;
      client.pause();
      await settled(() => gateway.metrics.bytesOut);
    }
    expect([gateway.metrics.open, gateway.metrics.counted("stalled")]).toEqual([1, 0]);
    client.write(Buffer.of(0xc0, 0));
    const closed = once(socket, "close");
    clock.advance(STALLED_MS);
    expect((await closed)[0]).toBe(1006);
    expect([gateway.metrics.open, gateway.metrics.counted("stalled")]).toEqual([0, 1]);
  });

  it("a broker that does not read: the client is not read either, and nothing is lost when it goes on", async () => {
    const arrived = await connected(await gatewayAlone());
    const { client, socket } = arrived;
    socket.pause();
    let taken = 0;
    const sent = (async () => {
      for (; taken < CHUNKS; taken++) await new Promise((resolve) => client.write(CHUNK, resolve));
    })();
    expect(await settled(() => taken)).toBeLessThan(CHUNKS / 2);
    const all = readBytes(arrived, CONNECT_BYTES.length + CHUNKS * CHUNK.length);
    socket.resume();
    expect((await all).length).toBe(CONNECT_BYTES.length + CHUNKS * CHUNK.length);
    await sent;
  });

  it("a broker that never reads again ends the connection", async () => {
    const setting = await gatewayAlone();
    const { client, socket } = await connected(setting);
    socket.pause();
    for (let n = 0; n < CHUNKS; n++) client.write(CHUNK);
    await settled(() => client.bytesWritten - client.writableLength);
    const closed = new Promise((resolve) => client.once("close", resolve));
    setting.clock.advance(STALLED_MS);
    await closed;
    expect(setting.gateway.metrics.counted("stalled")).toBe(1);
  });
});

/** A client that is connected, with the gateway's own two sockets: to the client, and to the broker. */
async function seen(
  setting: Setting,
): Promise<Awaited<ReturnType<typeof connected>> & { readonly inner: Socket; readonly upstream: Socket }> {
  const sockets = new Set<Socket>();
  const see = (message: unknown): void => void sockets.add((message as { socket: Socket }).socket);
  const channels = ["net.server.socket", "net.client.socket"];
  for (const channel of channels) subscribe(channel, see);
  const arrived = await connected(setting);
  for (const channel of channels) unsubscribe(channel, see);
  const to = (port: number | undefined): Socket => [...sockets].find(({ remotePort }) => remotePort === port)!;
  return { ...arrived, inner: to(arrived.client.localPort), upstream: to(Number(new URL(setting.broker.url).port)) };
}

describe("ends", () => {
  it("a client that closes its side still gets what the broker answers", async () => {
    const arrived = await connected(await gatewayAlone());
    const { client, socket, frames } = arrived;
    socket.on("message", () => socket.send("answer", { binary: true }));
    const closed = once(socket, "close");
    client.end("question");
    expect(String(await readAll(client))).toBe("answer");
    expect((await closed)[0]).toBe(1005);
    expect(String(frames.at(-1))).toBe("question");
  });

  it("a client that says all and closes its side before there is a WebSocket: the broker gets all of it, in its order", async () => {
    const setting = await gatewayAlone();
    let open = (): void => {};
    setting.broker.judge = () => new Promise((resolve) => (open = () => resolve(undefined)));
    const pieces = Array.from({ length: 20 }, () => randomBytes(10_000));
    const client = tcp(setting.port, { noDelay: true });
    await written(client, CONNECT_BYTES);
    await expect.poll(() => open.name).toBe("open");
    for (const piece of pieces) await written(client, piece);
    client.end();
    await settled(() => client.bytesWritten - client.writableLength);
    const arriving = setting.broker.next();
    open();
    const arrived = await arriving;
    const closed = once(arrived.socket, "close");
    const all = Buffer.concat([CONNECT_BYTES, ...pieces]);
    expect(hashOf(await readBytes(arrived, all.length))).toBe(hashOf(all));
    expect((await closed)[0]).toBe(1005);
  });

  it("a reset by the client ends the WebSocket without a Close frame", async () => {
    const { client, socket } = await connected(await gatewayAlone());
    const closed = once(socket, "close");
    client.resetAndDestroy();
    expect((await closed)[0]).toBe(1006);
  });

  it("a reset after the client has said all takes nothing of it away", async () => {
    const { client, socket, frames, inner, upstream } = await seen(await gatewayAlone());
    const closed = once(socket, "close");
    upstream.cork();
    client.end("all that there is to say");
    await once(inner, "end");
    inner.destroy(new Error("reset"));
    await expect.poll(() => inner.closed).toBe(true);
    upstream.uncork();
    expect((await closed)[0]).toBe(1005);
    expect(String(frames.at(-1))).toBe("all that there is to say");
  });

  it("a reset while the gateway stops takes nothing away either", async () => {
    const setting = await gatewayAlone();
    const { client, socket, frames, inner, upstream } = await seen(setting);
    const closed = once(socket, "close");
    upstream.cork();
    client.write("so far");
    await expect.poll(() => setting.gateway.metrics.bytesIn).toBe(CONNECT_BYTES.length + 6);
    const stopped = setting.gateway.close();
    inner.destroy(new Error("reset"));
    await stopped;
    upstream.uncork();
    expect((await closed)[0]).toBe(1001);
    expect(String(frames.at(-1))).toBe("so far");
  });

  it("a client that has said all, reads nothing and is reset does not keep the broker waiting", async () => {
    const { client, socket, inner } = await seen(await gatewayAlone());
    client.pause();
    for (let n = 0; n < 60; n++) socket.send(Buffer.alloc(1_000_000));
    await settled(() => socket.bufferedAmount);
    const closed = once(socket, "close");
    client.end("all");
    await once(inner, "end");
    inner.destroy(new Error("reset"));
    expect((await closed)[0]).toBe(1005);
  });

  it("a client that leaves while its WebSocket is being opened takes that with it", async () => {
    const setting = await gatewayAlone();
    let open = (): void => {};
    setting.broker.judge = () => new Promise((resolve) => (open = () => resolve(undefined)));
    const client = tcp(setting.port);
    client.write(CONNECT_BYTES);
    await expect.poll(() => open.length === 0 && setting.gateway.metrics.connections).toBe(1);
    client.resetAndDestroy();
    const arriving = setting.broker.next();
    await expect.poll(() => setting.gateway.metrics.accepted).toBe(1);
    open();
    const { socket } = await arriving;
    if (socket.readyState !== socket.CLOSED) await once(socket, "close");
    await expect.poll(() => setting.gateway.metrics.connections).toBe(0);
  });

  it("a Close of the broker ends the client's connection after everything was flushed", async () => {
    const setting = await gatewayAlone();
    const { client, socket } = await connected(setting);
    const last = randomBytes(2_000_000);
    socket.send(last);
    socket.close(1000);
    expect(hashOf(await readAll(client))).toBe(hashOf(last));
    const closed = once(client, "close");
    client.end();
    await closed;
    await expect.poll(() => setting.gateway.metrics.connections).toBe(0);
  });

  it("a client that does not close its side then is cut", async () => {
    const setting = await gatewayAlone();
    const { client, socket } = await connected(setting);
    socket.close(1000);
    await readAll(client);
    expect(setting.gateway.metrics.connections).toBe(1);
    setting.clock.advance(LINGER_MS);
    await expect.poll(() => setting.gateway.metrics.connections).toBe(0);
  });

  it("a client that is sending when the broker closes gets an end, not a reset", async () => {
    const { client, socket } = await connected(await gatewayAlone());
    const errors: Error[] = [];
    client.on("error", (error) => errors.push(error));
    const ended = readAll(client);
    for (let n = 0; n < 200; n++) client.write(randomBytes(10_000));
    socket.close(1008);
    await ended;
    const closed = once(client, "close");
    client.end("and more");
    await closed;
    expect(errors).toEqual([]);
  });

  it("an abrupt end of the broker's side ends the client's, and no other connection is made for it", async () => {
    const setting = await gatewayAlone();
    const { client, socket } = await connected(setting);
    const received = readAll(client);
    socket.send(CONNACK_V5);
    await once(client, "data");
    socket.terminate();
    expect(await received).toEqual(CONNACK_V5);
    client.end();
    await expect.poll(() => setting.gateway.metrics.connections).toBe(0);
    expect(setting.broker.arrived).toHaveLength(1);
  });
});

describe("bounds", () => {
  it("there are no more connections than there may be, and one that ends makes room", async () => {
    const setting = await gatewayAlone({ connectionsMax: 2 });
    const { client } = await connected(setting);
    await connected(setting);
    expect(await readAll(tcp(setting.port))).toHaveLength(0);
    expect(setting.gateway.metrics.counted("full")).toBe(1);
    client.destroy();
    await expect.poll(() => setting.gateway.metrics.connections).toBe(1);
    await connected(setting);
  });

  it.runIf(process.platform === "linux")("an address has no more than it may have, and others have theirs", async () => {
    const setting = await gatewayAlone({ perAddressMax: 1 });
    const { client } = await connected(setting);
    expect(await readAll(tcp(setting.port))).toHaveLength(0);
    expect(setting.gateway.metrics.counted("address")).toBe(1);
    expect(setting.lines.filter(({ kind }) => kind === "problem")).toMatchObject([{ fields: { address: "127.0.0.1" } }]);
    const arriving = setting.broker.next();
    tcp(setting.port, { localAddress: "127.0.0.2" }).write(CONNECT_BYTES);
    await arriving;
    client.destroy();
    await expect.poll(() => setting.gateway.metrics.connections).toBe(1);
    await connected(setting);
  });

  it("an address that has several loses one place for each that it has left", async () => {
    const setting = await gatewayAlone({ perAddressMax: 2 });
    const { client } = await connected(setting);
    await connected(setting);
    client.destroy();
    await expect.poll(() => setting.gateway.metrics.connections).toBe(1);
    await connected(setting);
    expect(await readAll(tcp(setting.port))).toHaveLength(0);
    expect(setting.gateway.metrics.counted("address")).toBe(1);
  });
});

describe("stopping", () => {
  it("tells a client of 5.0 why, one of 3.x nothing, and the broker that its clients are lost", async () => {
    const setting = await gatewayAlone();
    const five = await connected(setting);
    const four = await connected(setting, connectBytes({ version: 4, clientId: "four" }));
    const early = await connected(setting, connectBytes({ clientId: "early" }));
    five.socket.send(CONNACK_V5);
    four.socket.send(CONNACK_V4);
    await Promise.all([once(five.client, "data"), once(four.client, "data")]);
    const closes = [five, four, early].map(({ socket }) => once(socket, "close"));
    const rests = [five, four, early].map(({ client }) => readAll(client));
    const closed = setting.gateway.close();
    expect(await Promise.all(rests)).toEqual([Buffer.of(0xe0, 1, 0x8b), Buffer.alloc(0), Buffer.alloc(0)]);
    expect((await Promise.all(closes)).map(([code]) => code)).toEqual([1001, 1001, 1001]);
    for (const { client } of [five, four, early]) client.end();
    await closed;
    const late = tcp(setting.port);
    const [error] = (await once(late, "error").catch((thrown: unknown) => [thrown])) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  });

  it("says nothing in the middle of a packet", async () => {
    const setting = await gatewayAlone();
    const { client, socket } = await connected(setting);
    const publish = encodePacket(
      {
        type: PUBLISH,
        dup: false,
        qos: 0,
        retain: false,
        topic: "a",
        packetId: 0,
        properties: NO_PROPERTIES,
        propertyBytes: EMPTY_BYTES,
        payload: Buffer.alloc(100),
      },
      5,
    );
    socket.send(Buffer.concat([CONNACK_V5, publish.subarray(0, 50)]));
    await once(client, "data");
    const rest = readAll(client);
    const closed = setting.gateway.close();
    expect(await rest).toHaveLength(0);
    client.end();
    await closed;
  });

  it("does not wait for who does not go", async () => {
    const setting = await gatewayAlone();
    const { client, socket } = await connected(setting);
    client.pause();
    socket.pause();
    const silent = tcp(setting.port);
    await once(silent, "connect");
    await expect.poll(() => setting.gateway.metrics.connections).toBe(2);
    const closed = setting.gateway.close();
    setting.clock.advance(SHUTDOWN_MS);
    await closed;
    expect(setting.gateway.metrics.connections).toBe(0);
  });
});

it("no line of the log has a password, a will or the URL of the broker in it", async () => {
  const setting = await gatewayAlone({}, { headersOf: () => ({ "X-Secret": "secret-of-header" }) });
  const secrets = connectBytes({
    userName: "secret-of-name",
    password: Buffer.from("secret-of-password"),
    will: { qos: 0, retain: false, topic: "secret-of-will", payload: Buffer.from("secret-of-payload"), properties: NO_PROPERTIES },
  });
  const { client, socket } = await connected(setting, secrets);
  socket.close();
  await readAll(client);
  client.end();
  setting.broker.judge = () => ({ status: 500, said: "no" });
  const refused = tcp(setting.port);
  refused.write(secrets);
  await readAll(refused);
  setting.broker.stop();
  const unreached = tcp(setting.port);
  unreached.write(secrets);
  await readAll(unreached);
  const said = JSON.stringify(setting.lines);
  expect(said).toContain('"connected"');
  expect(said).toContain("cannot be reached");
  expect(said).not.toMatch(/secret-of|ws:/);
});
