import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { listenTcp, type TcpListener } from "../../scripts/local/tcp-listener.ts";

/** The broker's side of a bridge is a WebSocket server that the test plays. */
let server: WebSocketServer;
let listener: TcpListener;

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: true, handleProtocols: (names) => [...names][0] ?? false });
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  listener = await listenTcp({ host: "127.0.0.1", port: 0, mqttUrl: `ws://127.0.0.1:${port}/mqtt`, token: "t" });
});

afterEach(async () => {
  await listener.close();
  for (const socket of server.clients) socket.terminate();
  server.close();
});

async function bridge(): Promise<{ client: Socket; broker: WebSocket }> {
  const connection = once(server, "connection") as Promise<[WebSocket]>;
  const client = connect({ port: listener.port, host: "127.0.0.1", allowHalfOpen: true });
  // What happens to the connection is what the tests look at; a reset is no failure of the test.
  client.on("error", () => {});
  const [broker] = await connection;
  return { client, broker };
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Everything that the client receives until its end. */
async function readAll(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  client.on("data", (chunk) => chunks.push(chunk as Buffer));
  await once(client, "end");
  return Buffer.concat(chunks);
}

/** Everything that the broker receives until it has that many bytes. */
function read(broker: WebSocket, size: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let received = 0;
  return new Promise((resolve) => {
    broker.on("message", (chunk: Buffer, isBinary) => {
      if (!isBinary) throw new Error("a text frame");
      chunks.push(chunk);
      received += chunk.length;
      if (received >= size) resolve(Buffer.concat(chunks));
    });
  });
}

/** Waits until a number stays the same for a while: what still can move has moved. */
async function settled(value: () => number): Promise<number> {
  for (let last = Number.NaN, same = 0; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = value();
    same = now === last ? same + 1 : 0;
    last = now;
    if (same === 10) return now;
  }
}

describe("bytes", () => {
  it("connects with the subprotocol mqtt and without compression", async () => {
    const { broker } = await bridge();
    expect(broker.protocol).toBe("mqtt");
    expect(broker.extensions).toBe("");
  });

  it("passes them on unaltered, both ways, those before the WebSocket is open included", async () => {
    const sent = randomBytes(3_000_000);
    const connection = once(server, "connection") as Promise<[WebSocket]>;
    const client = connect({ port: listener.port, host: "127.0.0.1" });
    client.write(sent.subarray(0, 5));
    for (let from = 5; from < sent.length; from += 70_001) client.write(sent.subarray(from, from + 70_001));
    const [broker] = await connection;
    expect(hashOf(await read(broker, sent.length))).toBe(hashOf(sent));

    const received = readAll(client);
    for (let from = 0; from < sent.length; from += 30_011) broker.send(sent.subarray(from, from + 30_011));
    broker.close();
    expect(hashOf(await received)).toBe(hashOf(sent));
  });
});

describe("backpressure", () => {
  const CHUNK = Buffer.alloc(1_000_000, "x");
  const CHUNKS = 60;

  it("does not read the broker for a client that does not read, and loses nothing", async () => {
    const { client, broker } = await bridge();
    client.pause();
    for (let n = 0; n < CHUNKS; n++) broker.send(CHUNK);
    // What is not in the buffers of sockets between the two stays with the broker.
    expect(await settled(() => broker.bufferedAmount)).toBeGreaterThan((CHUNKS / 2) * CHUNK.length);
    broker.close();
    expect((await readAll(client.resume())).length).toBe(CHUNKS * CHUNK.length);
  });

  it("does not read a client when the broker does not keep up, and loses nothing", async () => {
    const { client, broker } = await bridge();
    broker.pause();
    let taken = 0;
    const written = (async () => {
      for (; taken < CHUNKS; taken++) await new Promise((resolve) => client.write(CHUNK, resolve));
    })();
    expect(await settled(() => taken)).toBeLessThan(CHUNKS / 2);
    const all = read(broker, CHUNKS * CHUNK.length);
    broker.resume();
    expect((await all).length).toBe(CHUNKS * CHUNK.length);
    await written;
  });
});

describe("ends", () => {
  it("a client that closes its side still gets what the broker answers", async () => {
    const { client, broker } = await bridge();
    const said: string[] = [];
    broker.on("message", (bytes) => {
      said.push(String(bytes));
      broker.send("answer");
    });
    const closed = once(broker, "close");
    client.end("question");
    expect(String(await readAll(client))).toBe("answer");
    expect((await closed)[0]).toBe(1005);
    expect(said).toEqual(["question"]);
  });

  it("a reset by the client ends the WebSocket without a Close frame", async () => {
    const { client, broker } = await bridge();
    const closed = once(broker, "close");
    client.resetAndDestroy();
    expect((await closed)[0]).toBe(1006);
  });

  it("a Close of the broker ends the client's connection after everything was flushed", async () => {
    const { client, broker } = await bridge();
    const last = randomBytes(2_000_000);
    broker.send(last);
    broker.close(1000);
    expect(hashOf(await readAll(client))).toBe(hashOf(last));
    const closed = once(client, "close");
    client.end();
    await closed;
  });

  it("a client that is sending when the broker closes gets an end, not a reset", async () => {
    const { client, broker } = await bridge();
    const errors: Error[] = [];
    client.on("error", (error) => errors.push(error));
    const ended = readAll(client);
    for (let n = 0; n < 200; n++) client.write(randomBytes(10_000));
    broker.close(1008);
    await ended;
    const closed = once(client, "close");
    client.end("and more");
    await closed;
    expect(errors).toEqual([]);
  });

  it("an abrupt end of the broker's side ends the client's", async () => {
    const { client, broker } = await bridge();
    const received = readAll(client);
    broker.terminate();
    expect(await received).toHaveLength(0);
  });

  it("without a broker a client is closed at once", async () => {
    server.close();
    const client = connect({ port: listener.port, host: "127.0.0.1" });
    expect(await readAll(client)).toHaveLength(0);
  });

  it("closing the listener cuts its connections", async () => {
    const { client, broker } = await bridge();
    const ends = Promise.all([once(client, "close"), once(broker, "close")]);
    client.resume().once("end", () => client.end());
    await listener.close();
    await ends;
  });
});
