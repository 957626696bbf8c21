/**
 * A server that does what a test says, right or wrong, over sockets that are no network, and a clock that stands still until it is told: what
 * takes a minute for users takes no time here.
 */

import {
  type Client,
  type Clock,
  type ConnectOptions,
  connect,
  type Message,
  type Socket,
  type SocketEvent,
  type SocketFactory,
} from "../../src/client/index.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { PACKET_NAMES } from "../../src/mqtt/fixed-header.ts";
import {
  CONNACK,
  CONNECT,
  type Connack,
  NO_PROPERTIES,
  type Packet,
  type Properties,
  type ProtocolVersion,
  PUBLISH,
  type Publish,
  type QoS,
  SUBACK,
  SUBSCRIBE,
} from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { type PacketOf, publishPacket } from "../support/mqtt-client.ts";

/** Everything that is to be done at once is done when this resolves. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeClock implements Clock {
  #now = 0;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** How long until the next timer runs; undefined when there is none. */
  get nextMs(): number | undefined {
    return this.#timers.length === 0 ? undefined : Math.min(...this.#timers.map(({ at }) => at)) - this.#now;
  }

  /** Lets time pass, timer by timer. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
    await settled();
  }
}

/** The server's end of one connection. */
export class FakeConnection implements Socket {
  readyState = 0;
  bufferedAmount = 0;
  /** What the client has sent and nobody has looked at. */
  readonly inbox: Packet[] = [];
  /** Frames in which it came. */
  frames = 0;
  closedWith: number | undefined;
  version: ProtocolVersion = 5;
  readonly #stream = new PacketStream(Number.POSITIVE_INFINITY);
  readonly #listeners: Record<string, ((event: SocketEvent) => void)[]> = {};

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.#listeners[type] = [...(this.#listeners[type] ?? []), listener];
  }

  tell(event: SocketEvent): void {
    for (const listener of this.#listeners[event.type] ?? []) listener(event);
  }

  open(): void {
    this.readyState = 1;
    this.tell({ type: "open" });
  }

  send(data: Uint8Array<ArrayBuffer>): void {
    this.frames += 1;
    this.#stream.push(data);
    for (let bytes = this.#stream.next(); bytes instanceof Uint8Array; bytes = this.#stream.next()) {
      const packet = decodePacket(bytes, this.version);
      if (packet.type === 0) throw new Error(`the client sent what is not MQTT: ${packet.message}`);
      if (packet.type === CONNECT) this.version = packet.version;
      this.inbox.push(packet);
    }
  }

  close(code?: number): void {
    this.closedWith = code;
    this.drop();
  }

  /** The connection is gone. */
  drop(code = 1006): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.tell({ type: "close", code });
  }

  say(...packets: readonly Packet[]): void {
    for (const packet of packets) this.sayBytes(encodePacket(packet, this.version));
  }

  sayBytes(bytes: Uint8Array | readonly number[]): void {
    this.tell({ type: "message", data: Uint8Array.from(bytes).buffer });
  }

  publish(topic: string, text: string, qos: QoS = 0, packetId = 0, more: { dup?: boolean; properties?: Properties } = {}): void {
    this.say(publishPacket(topic, text, { qos, packetId, ...more }));
  }

  /** The next packet that the client has sent. */
  async next(): Promise<Packet> {
    await settled();
    const packet = this.inbox.shift();
    if (packet === undefined) throw new Error("the client has sent nothing more");
    return packet;
  }

  async expect<T extends Packet["type"]>(type: T): Promise<PacketOf<T>> {
    const packet = await this.next();
    if (packet.type !== type) throw new Error(`${PACKET_NAMES[type]} was expected, ${PACKET_NAMES[packet.type]} came`);
    return packet as PacketOf<T>;
  }

  async messages(count: number): Promise<Publish[]> {
    const messages: Publish[] = [];
    while (messages.length < count) messages.push(await this.expect(PUBLISH));
    return messages;
  }

  /** Takes CONNECT and answers. @returns the CONNECT */
  async welcome(more: Partial<Connack> = {}): Promise<PacketOf<typeof CONNECT>> {
    if (this.readyState === 0) this.open();
    const connect = await this.expect(CONNECT);
    this.say({ type: CONNACK, sessionPresent: false, reasonCode: 0, properties: NO_PROPERTIES, ...more });
    await settled();
    return connect;
  }
}

export class FakeServer {
  readonly clock = new FakeClock();
  readonly connections: FakeConnection[] = [];

  readonly factory: SocketFactory = () => {
    const connection = new FakeConnection();
    this.connections.push(connection);
    return connection;
  };

  /** The newest connection. */
  get connection(): FakeConnection {
    return this.connections.at(-1)!;
  }

  /** The client's next connection, accepted, however long it waits before it makes one. */
  async again(more: Partial<Connack> = {}): Promise<FakeConnection> {
    const before = this.connections.length;
    while (this.connections.length === before) await this.clock.pass(this.clock.nextMs!);
    await this.connection.welcome(more);
    return this.connection;
  }
}

/** A client and the server that has accepted it. */
export interface Pair {
  readonly server: FakeServer;
  /** Their first connection. */
  readonly connection: FakeConnection;
  readonly client: Client;
}

/**
 * Connects a client without Keep Alive, whose chance is no chance.
 * @param properties those of CONNACK
 */
export async function connected(options: ConnectOptions = {}, properties: Properties = NO_PROPERTIES): Promise<Pair> {
  const server = new FakeServer();
  const connecting = connect(server.factory, { clock: server.clock, random: () => 0.5, keepAliveSeconds: 0, ...options });
  await settled();
  await server.connection.welcome({ properties });
  return { server, connection: server.connection, client: await connecting };
}

export async function subscribed(
  { client, connection }: Pair,
  filter: string,
  onMessage: (message: Message) => unknown,
  qos: QoS = 2,
): Promise<void> {
  const subscribing = client.subscribe(filter, { qos, onMessage });
  const { packetId } = await connection.expect(SUBSCRIBE);
  connection.say(suback(packetId, qos));
  await subscribing;
}

export const suback = (packetId: number, ...reasonCodes: number[]): Packet => ({
  type: SUBACK,
  packetId,
  reasonCodes,
  properties: NO_PROPERTIES,
});
