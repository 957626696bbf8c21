/** What tests of the gateway have around it: a WebSocket server that plays the broker, clients over TCP, and time that stands still. */

import { createHash } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import { afterEach } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import type { Clock } from "../../src/client/platform.ts";
import { type Gateway, type GatewayOptions, startGateway } from "../../src/gateway/gateway.ts";
import type { Line } from "../../src/gateway/journal.ts";
import type { Broker } from "../../src/gateway/upstream.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { CONNACK, CONNECT, type Connect, NO_PROPERTIES } from "../../src/mqtt/packet.ts";

/** What is undone after a test, the latest first. */
const undone: (() => unknown)[] = [];

afterEach(async () => {
  for (const undo of undone.splice(0).reverse()) await undo();
});

export function afterwards(undo: () => unknown): void {
  undone.push(undo);
}

/** Time that goes on when it is told to. */
export class StillClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  advance(ms: number): void {
    this.#now += ms;
    const due = [...this.#timers].filter(({ at }) => at <= this.#now).sort((one, other) => one.at - other.at);
    for (const timer of due) if (this.#timers.delete(timer)) timer.run();
  }
}

export interface Arrived {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  /** In the order in which they came. */
  readonly frames: Buffer[];
}

/** Answers an upgrade with a status and a text instead of a WebSocket; undefined lets it through; a promise keeps it waiting. */
export type Judge = (request: IncomingMessage) => { status: number; said: string } | undefined | Promise<undefined>;

/** The broker's side, which the test plays. */
export class PlayedBroker {
  readonly url: string;
  readonly arrived: Arrived[] = [];
  judge: Judge = () => undefined;
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as { port: number }).port}/mqtt`;
  }

  static async start(): Promise<PlayedBroker> {
    let broker: PlayedBroker | undefined;
    const server = new WebSocketServer({
      port: 0,
      host: "127.0.0.1",
      perMessageDeflate: true,
      handleProtocols: (names) => [...names][0] ?? false,
      verifyClient: async (
        { req }: { req: IncomingMessage },
        answer: (ok: boolean, status?: number, said?: string, headers?: Record<string, string>) => void,
      ) => {
        const refused = await broker!.judge(req);
        if (refused === undefined) answer(true);
        else answer(false, refused.status, refused.said, { "Content-Type": "text/plain; charset=utf-8" });
      },
    });
    await once(server, "listening");
    broker = new PlayedBroker(server);
    server.on("connection", (socket, request) => {
      const frames: Buffer[] = [];
      socket.on("message", (data: Buffer, isBinary) => {
        if (!isBinary) throw new Error("a text frame");
        frames.push(data);
      });
      broker!.arrived.push({ socket, request, frames });
    });
    afterwards(() => broker!.stop());
    return broker;
  }

  /** The next connection that comes. */
  async next(): Promise<Arrived> {
    const count = this.arrived.length;
    await once(this.#server, "connection");
    return this.arrived[count]!;
  }

  stop(): void {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
  }
}

export interface Setting {
  readonly broker: PlayedBroker;
  readonly gateway: Gateway;
  readonly lines: Line[];
  readonly clock: StillClock;
  readonly port: number;
}

/** A gateway on one port in front of a broker that is played, in time that stands still. */
export async function gatewayAlone(options: Partial<GatewayOptions> = {}, upstream: Partial<Broker> = {}): Promise<Setting> {
  const broker = await PlayedBroker.start();
  const clock = new StillClock();
  const lines: Line[] = [];
  const gateway = await startGateway({
    listeners: [{ host: "127.0.0.1", port: 0 }],
    broker: { url: broker.url, handsOver: true, isSigned: false, headersOf: () => ({}), ...upstream },
    log: (line) => lines.push(line),
    clock,
    ...options,
  });
  afterwards(async () => {
    const closed = gateway.close();
    clock.advance(60_000);
    await closed;
  });
  return { broker, gateway, lines, clock, port: gateway.ports[0]! };
}

/** A client; what happens to its connection is what tests look at. */
export function tcp(port: number, options: Partial<TcpNetConnectOpts> = {}): Socket {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, ...options });
  socket.on("error", () => {});
  afterwards(() => socket.destroy());
  return socket;
}

const BASE: Connect = {
  type: CONNECT,
  version: 5,
  clean: true,
  keepAliveSeconds: 0,
  clientId: "device",
  will: undefined,
  userName: undefined,
  password: undefined,
  properties: NO_PROPERTIES,
};

export function connectBytes(connect: Partial<Connect> = {}): Buffer {
  const packet = { ...BASE, ...connect };
  return Buffer.from(encodePacket(packet, packet.version));
}

export const CONNECT_BYTES = connectBytes();

/** What lets a client of 5.0 in, or one of 3.1.1. */
export const CONNACK_V5 = Buffer.from(encodePacket({ type: CONNACK, sessionPresent: false, reasonCode: 0, properties: NO_PROPERTIES }, 5));
export const CONNACK_V4 = Buffer.of(0x20, 2, 0, 0);

/** A client whose CONNECT has come to the broker. */
export async function connected({ broker, port }: Setting, bytes: Buffer = CONNECT_BYTES): Promise<Arrived & { readonly client: Socket }> {
  const arriving = broker.next();
  const client = tcp(port);
  client.write(bytes);
  const arrived = await arriving;
  if (arrived.frames.length === 0) await once(arrived.socket, "message");
  return { ...arrived, client };
}

/** Everything that comes until the end, or the reset. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!socket.readableEnded && !socket.destroyed) await Promise.race([once(socket, "end"), once(socket, "close")]);
  return Buffer.concat(chunks);
}

/** So many bytes that the broker gets, from the first on. */
export async function readBytes({ socket, frames }: Arrived, size: number): Promise<Buffer> {
  while (frames.reduce((sum, { length }) => sum + length, 0) < size) await once(socket, "message");
  return Buffer.concat(frames);
}

export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Waits until a number stays the same for a while: what still can move has moved. */
export async function settled(value: () => number): Promise<number> {
  for (let last = Number.NaN, same = 0; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = value();
    same = now === last ? same + 1 : 0;
    last = now;
    if (same === 25) return now;
  }
}
