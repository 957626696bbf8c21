/**
 * A client that need not keep any rule: sends whatever bytes, reads or does not read, and may never answer. Costs little, so that what
 * is measured is the broker: what comes is cut into packets and dropped unless somebody waits for it.
 */

import { type ClientOptions, WebSocket } from "ws";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  CONNACK,
  NO_PROPERTIES,
  type Packet,
  PUBACK,
  PUBLISH,
  type Publish,
  SUBACK,
  SUBSCRIBE,
  type SubscriptionRequest,
} from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { type ConnectOptions, connectPacket, publishPacket } from "../../test/support/mqtt-client.ts";
import type { Target } from "./options.ts";

/** Bytes that wait in this process for a broker that does not take them; what comes beyond them is not sent. */
const WAITING_BYTES_MAX = 4 * 2 ** 20;

/** The upgrade, and the answer to CONNECT, each: later the connection is given up, as clients do. */
const OPEN_MS_MAX = 10_000;

export const VERSION = 5;

export function encode(packet: Packet): Uint8Array {
  return encodePacket(packet, VERSION);
}

export function subscribeBytes(filters: readonly (string | SubscriptionRequest)[], packetId = 1): Uint8Array {
  const subscriptions = filters.map((filter) =>
    typeof filter === "string" ? ({ filter, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const) : filter,
  );
  return encode({ type: SUBSCRIBE, packetId, subscriptions, properties: NO_PROPERTIES });
}

export function publishBytes(...packet: Parameters<typeof publishPacket>): Uint8Array {
  return encode(publishPacket(...packet));
}

export function connectBytes(options: ConnectOptions): Uint8Array {
  return encode(connectPacket({ ...options, version: VERSION }));
}

export function urlOf({ url, idInUrl }: Target, clientId: string): string {
  return idInUrl ? `${url}?clientId=${encodeURIComponent(clientId)}` : url;
}

export class Client {
  /** QoS 1 messages are acknowledged as they come. */
  acknowledges = true;
  received: (message: Publish) => void = () => {};
  acknowledged: () => void = () => {};
  readonly #socket: WebSocket;
  readonly #stream = new PacketStream(Number.POSITIVE_INFINITY);
  readonly #waiting = new Map<number, ((packet: Packet | undefined) => void)[]>();
  readonly #closed: Promise<void>;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "nodebuffer";
    socket.on("message", (data: Buffer) => this.#receive(data));
    socket.on("error", () => {});
    this.#closed = new Promise((resolve) => {
      socket.once("close", () => {
        for (const waiters of this.#waiting.values()) for (const tell of waiters.splice(0)) tell(undefined);
        resolve();
      });
    });
  }

  /** @returns undefined when the upgrade was refused, or not answered in time */
  static async open(target: Target, clientId: string): Promise<Client | undefined> {
    const options: ClientOptions = { perMessageDeflate: false, handshakeTimeout: OPEN_MS_MAX };
    const socket = new WebSocket(urlOf(target, clientId), ["mqtt"], options);
    const client = new Client(socket);
    const opened = new Promise<boolean>((resolve) => {
      socket.once("open", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    return (await opened) ? client : undefined;
  }

  /** @returns undefined as well when CONNECT was refused */
  static async connect(target: Target, options: ConnectOptions & { readonly clientId: string }): Promise<Client | undefined> {
    const client = await Client.open(target, options.clientId);
    if (client === undefined) return undefined;
    client.send(connectBytes(options));
    const late = setTimeout(() => client.terminate(), OPEN_MS_MAX);
    const connack = await client.next(CONNACK);
    clearTimeout(late);
    if (connack?.type === CONNACK && connack.reasonCode === 0) return client;
    client.terminate();
    return undefined;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Resolves when the connection has ended, whoever ended it. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** @returns whether the bytes were taken: not after the end, nor while too many wait */
  send(bytes: Uint8Array): boolean {
    if (!this.isOpen || this.#socket.bufferedAmount > WAITING_BYTES_MAX) return false;
    this.#socket.send(bytes);
    return true;
  }

  /** The next packet of this type. @returns undefined when the connection ends before */
  next(type: Packet["type"]): Promise<Packet | undefined> {
    if (!this.isOpen) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const waiters = this.#waiting.get(type);
      if (waiters === undefined) this.#waiting.set(type, [resolve]);
      else waiters.push(resolve);
    });
  }

  /** @returns whether SUBACK came, whatever it says */
  async subscribe(filters: readonly (string | SubscriptionRequest)[]): Promise<boolean> {
    const suback = this.next(SUBACK);
    this.send(subscribeBytes(filters));
    return (await suback) !== undefined;
  }

  /** Reads nothing more: what comes waits in the network, then in the broker. */
  stopReading(): void {
    this.#socket.pause();
  }

  /** Destroys the TCP connection. */
  terminate(): void {
    this.#socket.terminate();
  }

  #receive(data: Buffer): void {
    this.#stream.push(new Uint8Array(data));
    for (let bytes = this.#stream.next(); bytes instanceof Uint8Array; bytes = this.#stream.next()) this.#take(bytes);
  }

  #take(bytes: Uint8Array): void {
    const type = bytes[0]! >> 4;
    if (type === PUBACK) this.acknowledged();
    const waiting = this.#waiting.get(type)?.shift();
    if (waiting === undefined && type !== PUBLISH) return;
    const packet = decodePacket(bytes, VERSION);
    if (typeof packet.type !== "number") {
      waiting?.(undefined);
      return;
    }
    waiting?.(packet as Packet);
    if (packet.type !== PUBLISH) return;
    if (packet.qos === 1 && this.acknowledges) {
      this.send(encode({ type: PUBACK, packetId: packet.packetId, reasonCode: 0, properties: NO_PROPERTIES }));
    }
    this.received(packet);
  }
}
