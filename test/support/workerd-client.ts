/**
 * An MQTT client for tests that run inside the Workers runtime: it speaks over the WebSocket of a Response, sends what it is told and
 * shows every packet that comes back, in order. It acknowledges nothing by itself, so that a test may stop between any two steps.
 */

import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { PACKET_NAMES } from "../../src/mqtt/fixed-header.ts";
import {
  type Acknowledgement,
  type AcknowledgementType,
  CONNACK,
  CONNECT,
  type Connack,
  type Connect,
  DISCONNECT,
  NO_PROPERTIES,
  type Packet,
  type Properties,
  type ProtocolVersion,
  PUBLISH,
  type Publish,
  type QoS,
  SUBACK,
  SUBSCRIBE,
  type Suback,
  type SubscriptionRequest,
  UNSUBACK,
  UNSUBSCRIBE,
  type Will,
} from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { VIOLATION } from "../../src/mqtt/violation.ts";

export type PacketOf<T extends Packet["type"]> = T extends AcknowledgementType ? Acknowledgement : Extract<Packet, { type: T }>;

/** A wait that is longer than this fails its test. */
const WAIT_MS = 15_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface ConnectOptions {
  /** 4 by default. */
  readonly version?: ProtocolVersion;
  /** true by default. */
  readonly clean?: boolean;
  readonly keepAliveSeconds?: number;
  readonly will?: Will;
  readonly userName?: string;
  readonly password?: string;
  readonly properties?: Properties;
}

export class WorkerdClient {
  readonly clientId: string;
  readonly version: ProtocolVersion;
  /** Resolves when the socket has closed. */
  readonly closed: Promise<void>;
  sessionPresent = false;
  readonly #socket: WebSocket;
  readonly #inbox: Packet[] = [];
  readonly #stream = new PacketStream(1 << 28);
  #waiting: ((packet: Packet | undefined) => void) | undefined;
  #isClosed = false;

  /** @param upgrade answers an upgrade with 101 and a WebSocket */
  static async connect(upgrade: () => Promise<Response>, clientId: string, options: ConnectOptions = {}): Promise<WorkerdClient> {
    const { webSocket, status } = await upgrade();
    if (webSocket === null) throw new Error(`the upgrade was answered with ${status}`);
    const client = new WorkerdClient(webSocket, clientId, options.version ?? 4);
    const connect: Connect = {
      type: CONNECT,
      version: client.version,
      clean: options.clean ?? true,
      keepAliveSeconds: options.keepAliveSeconds ?? 0,
      clientId,
      will: options.will,
      userName: options.userName,
      password: options.password === undefined ? undefined : encoder.encode(options.password),
      properties: options.properties ?? NO_PROPERTIES,
    };
    client.send(connect);
    const connack: Connack = await client.expect(CONNACK);
    if (connack.reasonCode !== 0) throw new Error(`CONNACK with ${connack.reasonCode}`);
    client.sessionPresent = connack.sessionPresent;
    return client;
  }

  private constructor(socket: WebSocket, clientId: string, version: ProtocolVersion) {
    this.clientId = clientId;
    this.version = version;
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.accept();
    socket.addEventListener("message", ({ data }) => this.#receive(new Uint8Array(data as ArrayBuffer)));
    this.closed = new Promise((resolve) => {
      const end = (): void => {
        this.#isClosed = true;
        this.#waiting?.(undefined);
        resolve();
      };
      socket.addEventListener("close", () => {
        this.close(1000);
        end();
      });
      socket.addEventListener("error", end);
    });
  }

  #receive(bytes: Uint8Array): void {
    this.#stream.push(bytes);
    for (let whole = this.#stream.next(); whole !== undefined; whole = this.#stream.next()) {
      const packet = whole instanceof Uint8Array ? decodePacket(whole, this.version) : whole;
      if (packet.type === VIOLATION) throw new Error(`the broker sent what is not MQTT: ${packet.message}`);
      this.#inbox.push(packet as Packet);
    }
    if (this.#waiting !== undefined && this.#inbox.length > 0) this.#waiting(this.#inbox.shift());
  }

  /** What has come and was not taken yet. */
  get inbox(): readonly Packet[] {
    return this.#inbox;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends packets in one frame. */
  send(...packets: readonly Packet[]): void {
    this.sendBytes(joined(packets.map((packet) => encodePacket(packet, this.version))));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }

  /** The next packet; undefined when the connection ended first. @param waitMs Infinity: however long it takes */
  async next(waitMs = WAIT_MS): Promise<Packet | undefined> {
    const first = this.#inbox.shift();
    if (first !== undefined || this.#isClosed) return first;
    let timer: ReturnType<typeof setTimeout> | null = null;
    const packet = await new Promise<Packet | undefined>((resolve, reject) => {
      this.#waiting = resolve;
      if (waitMs < Number.POSITIVE_INFINITY) {
        timer = setTimeout(() => reject(new Error(`${this.clientId}: no packet within ${waitMs} ms`)), waitMs);
      }
    });
    clearTimeout(timer);
    this.#waiting = undefined;
    return packet;
  }

  /** The next packet, which has to be of this type. */
  async expect<T extends Packet["type"]>(type: T): Promise<PacketOf<T>> {
    const packet = await this.next();
    if (packet?.type === type) return packet as PacketOf<T>;
    const found = packet === undefined ? "the end of the connection" : `${PACKET_NAMES[packet.type]} ${JSON.stringify(packet)}`;
    throw new Error(`${this.clientId}: expected ${PACKET_NAMES[type]}, found ${found}`);
  }

  /** The next packet of this type; those before it stay in the inbox. */
  async #behind<T extends Packet["type"]>(type: T): Promise<PacketOf<T>> {
    const before: Packet[] = [];
    for (;;) {
      const packet = await this.next();
      if (packet === undefined) throw new Error(`${this.clientId}: the connection ended before ${PACKET_NAMES[type]}`);
      if (packet.type === type) {
        this.#inbox.unshift(...before);
        return packet as PacketOf<T>;
      }
      before.push(packet);
    }
  }

  /** SUBACK may come behind the first messages [5.0/3.8.4/before-suback]. */
  async subscribe(filter: string, qos: QoS, options: Partial<SubscriptionRequest> = {}, properties = NO_PROPERTIES): Promise<Suback> {
    const request = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 as const, ...options };
    this.send({ type: SUBSCRIBE, packetId: 60_001, subscriptions: [request], properties });
    return this.#behind(SUBACK);
  }

  async unsubscribe(filter: string): Promise<void> {
    this.send({ type: UNSUBSCRIBE, packetId: 60_002, filters: [filter], properties: NO_PROPERTIES });
    await this.#behind(UNSUBACK);
  }

  /** One trip to the Session object and back: everything that it had to say before has come then. */
  roundTrip(): Promise<void> {
    return this.unsubscribe("nobody/subscribed/to/this");
  }

  publish(fields: PublishFields): void {
    this.send(publishPacket(fields));
  }

  acknowledge(type: AcknowledgementType, packetId: number): void {
    this.send({ type, packetId, reasonCode: 0, properties: NO_PROPERTIES });
  }

  async disconnect(properties: Properties = NO_PROPERTIES): Promise<void> {
    this.send({ type: DISCONNECT, reasonCode: 0, properties });
    await this.closed;
  }

  /** Closes the socket without DISCONNECT. */
  async drop(): Promise<void> {
    this.close(1001);
    await this.closed;
  }

  /** Sends a Close frame, if none was sent, and does not wait. */
  close(code: number): void {
    try {
      this.#socket.close(code);
    } catch {
      // It is closed.
    }
  }
}

export interface PublishFields {
  readonly topic: string;
  readonly payload: string;
  readonly qos?: QoS;
  readonly packetId?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  readonly properties?: Properties;
}

export function publishPacket(fields: PublishFields): Publish {
  const defaults = { qos: 0, packetId: 0, retain: false, dup: false, properties: NO_PROPERTIES } as const;
  return { type: PUBLISH, ...defaults, ...fields, payload: encoder.encode(fields.payload), propertyBytes: new Uint8Array(0) };
}

export function text({ payload }: Pick<Publish, "payload">): string {
  return decoder.decode(payload);
}

function joined(packets: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(packets.reduce((sum, packet) => sum + packet.length, 0));
  let offset = 0;
  for (const packet of packets) {
    bytes.set(packet, offset);
    offset += packet.length;
  }
  return bytes;
}
