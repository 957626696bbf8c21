/**
 * A raw MQTT client over a real WebSocket, for tests that see the broker from outside: it sends any bytes, right or wrong, and shows
 * every packet that comes back. It uses the codec of the project, never its state machines.
 *
 * Answers to the convenience calls (`subscribe`, `publish`, `unsubscribe`, `ping`) go to their callers; every other packet goes to the
 * inbox, in the order of arrival: `next`, `expect` and `message` take from it. No wait is longer than WAIT_MS.
 */

import { randomBytes } from "node:crypto";
import { type ClientOptions, WebSocket } from "ws";
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
  PINGREQ,
  PINGRESP,
  type Properties,
  type ProtocolVersion,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type Publish,
  type QoS,
  SUBACK,
  SUBSCRIBE,
  type Suback,
  type SubscriptionRequest,
  UNSUBACK,
  UNSUBSCRIBE,
  type Unsuback,
  type Will,
} from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { VIOLATION } from "../../src/mqtt/violation.ts";
import { topicShard } from "../../src/objects/names.ts";

export const WAIT_MS = 15_000;

export type PacketOf<T extends Packet["type"]> = T extends AcknowledgementType ? Acknowledgement : Extract<Packet, { type: T }>;

export interface OpenOptions {
  /** `["mqtt"]` by default; `[]` offers none. */
  readonly subprotocols?: readonly string[];
  /** Incoming QoS 1 and 2 messages are acknowledged by the client itself (default), or step by step by the test. */
  readonly autoAck?: boolean;
  /** Of the bytes until a CONNECT says it; 4 by default. */
  readonly version?: ProtocolVersion;
  /** The Client Identifier that `connect` uses if it is told none; a unique one by default. */
  readonly clientId?: string;
  /** How long the broker may take from its Close frame to the end of TCP; 30,000 by default. */
  readonly closeTimeoutMs?: number;
  /** Of the upgrade. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The address of this machine from which it connects; any by default. */
  readonly localAddress?: string;
}

export interface ConnectOptions {
  /** 4 (MQTT 3.1.1) by default. */
  readonly version?: ProtocolVersion;
  /** Sets bit 7 of the Protocol Level. */
  readonly bridge?: boolean;
  /** A unique one by default. */
  readonly clientId?: string;
  /** true by default. */
  readonly clean?: boolean;
  /** 0 (none) by default. */
  readonly keepAliveSeconds?: number;
  readonly will?: WillOptions | undefined;
  readonly userName?: string | undefined;
  readonly password?: string | Uint8Array | undefined;
  readonly properties?: Properties;
}

export interface WillOptions {
  readonly topic: string;
  readonly payload?: string | Uint8Array;
  readonly qos?: QoS;
  readonly retain?: boolean;
  readonly properties?: Properties;
}

export interface PublishOptions {
  readonly qos?: QoS;
  readonly retain?: boolean;
  readonly dup?: boolean;
  /** The next unused one by default. */
  readonly packetId?: number;
  readonly properties?: Properties;
}

export interface SubscribeOptions extends Partial<Omit<SubscriptionRequest, "filter">> {
  readonly packetId?: number;
  readonly properties?: Properties;
}

/** How a connection ended. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
  /** Every packet that had arrived and was not taken from the inbox. */
  readonly packetsBefore: readonly Packet[];
}

interface Waiter {
  readonly wants: (packet: Packet) => boolean;
  readonly resolve: (packet: Packet) => void;
  readonly reject: (error: Error) => void;
}

/** A name that no other test uses: for topics and Client Identifiers (20 characters at most, letters and digits). */
export function unique(prefix = "t"): string {
  return `${prefix}${randomBytes(6).toString("hex")}`;
}

export const toBytes = (data: string | Uint8Array): Uint8Array => (typeof data === "string" ? new TextEncoder().encode(data) : data);

export const textOf = (message: Publish): string => new TextDecoder().decode(message.payload);

/** Bytes of a hex string (blanks allowed) or of numbers. */
export function bytesFrom(bytes: Uint8Array | readonly number[] | string): Uint8Array {
  return typeof bytes === "string" ? Uint8Array.from(Buffer.from(bytes.replaceAll(/\s/g, ""), "hex")) : Uint8Array.from(bytes);
}

/** A CONNECT with defaults; encode it with `encodePacket` to change its bytes. */
export function connectPacket(options: ConnectOptions = {}): Connect {
  const { will, userName, password } = options;
  return {
    type: CONNECT,
    version: options.version ?? 4,
    ...(options.bridge ? { bridge: true } : {}),
    clean: options.clean ?? true,
    keepAliveSeconds: options.keepAliveSeconds ?? 0,
    clientId: options.clientId ?? unique("c"),
    will: will && willOf(will),
    userName,
    password: password === undefined ? undefined : toBytes(password),
    properties: options.properties ?? NO_PROPERTIES,
  };
}

function willOf({ topic, payload = "", qos = 0, retain = false, properties = NO_PROPERTIES }: WillOptions): Will {
  return { topic, payload: toBytes(payload), qos, retain, properties };
}

export function publishPacket(topic: string, payload: string | Uint8Array = "", options: PublishOptions = {}): Publish {
  const { qos = 0, retain = false, dup = false, packetId = qos === 0 ? 0 : 1, properties = NO_PROPERTIES } = options;
  return { type: PUBLISH, dup, qos, retain, topic, packetId, properties, propertyBytes: new Uint8Array(0), payload: toBytes(payload) };
}

export function request(filter: string, qos: QoS = 0, options: Partial<SubscriptionRequest> = {}): SubscriptionRequest {
  return { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0, ...options };
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export function acknowledgement(type: AcknowledgementType, packetId: number, reasonCode = 0): Acknowledgement {
  return { type, packetId, reasonCode, properties: NO_PROPERTIES };
}

export class MqttTestClient {
  readonly #socket: WebSocket;
  readonly #stream = new PacketStream(Number.POSITIVE_INFINITY);
  readonly #raw = new WeakMap<Packet, Uint8Array>();
  readonly #arrived: Packet[] = [];
  #inbox: Packet[] = [];
  #waiters: Waiter[] = [];
  #packetId = 0;
  #closing: Closing | undefined;
  #closed: Promise<Closing>;
  #failure: Error | undefined;
  #barriers = 0;
  version: ProtocolVersion;
  autoAck: boolean;
  /** Of the last `connect`, or what the next one uses. */
  clientId: string;
  /** The answer to the last `connect`. */
  connack: Connack | undefined;

  constructor(socket: WebSocket, options: OpenOptions) {
    this.#socket = socket;
    this.autoAck = options.autoAck ?? true;
    this.version = options.version ?? 4;
    this.clientId = options.clientId ?? unique("c");
    socket.binaryType = "nodebuffer";
    socket.on("message", (data: Buffer, isBinary) => this.#receive(data, isBinary));
    socket.on("error", () => {});
    this.#closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        this.#closing = { code, reason: reason.toString(), packetsBefore: this.#inbox };
        const waiters = this.#waiters;
        this.#waiters = [];
        for (const { reject } of waiters) reject(this.#problem("the connection ended while a packet was awaited"));
        resolve(this.#closing);
      });
    });
  }

  /**
   * Opens a socket; nothing is sent on it.
   * @throws Error with the HTTP status in its message when the upgrade is refused
   */
  static async open(mqttUrl: string, options: OpenOptions = {}): Promise<MqttTestClient> {
    const { subprotocols = ["mqtt"], closeTimeoutMs: closeTimeout = 30_000, headers = {}, localAddress } = options;
    const settings = { perMessageDeflate: false, closeTimeout, headers, localAddress } as ClientOptions;
    const socket = new WebSocket(mqttUrl, [...subprotocols], settings);
    const client = new MqttTestClient(socket, options);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    return client;
  }

  /** The subprotocol that the broker chose; empty when none was offered. */
  get subprotocol(): string {
    return this.#socket.protocol;
  }

  // What is sent.

  send(...packets: readonly Packet[]): void {
    for (const packet of packets) {
      if (packet.type === CONNECT) this.#speak(packet.version);
      this.#socket.send(encodePacket(packet, this.version));
    }
  }

  /** Sends each argument as one binary frame. */
  sendBytes(...frames: readonly (Uint8Array | readonly number[] | string)[]): void {
    for (const frame of frames) this.#socket.send(bytesFrom(frame));
  }

  /** Sends several packets in one frame. */
  sendTogether(...packets: readonly Packet[]): void {
    const connect = packets.find((packet) => packet.type === CONNECT);
    if (connect !== undefined) this.#speak(connect.version);
    this.#socket.send(Buffer.concat(packets.map((packet) => encodePacket(packet, this.version))));
  }

  /** Sends a text frame, which MQTT does not have. */
  sendText(text: string): void {
    this.#socket.send(text);
  }

  // What arrives.

  /** The next packet of the inbox. @throws after WAIT_MS, or when the connection has ended, with what had arrived */
  next(): Promise<Packet> {
    const packet = this.#inbox.shift();
    return packet === undefined ? this.#wait("a packet", () => true) : Promise.resolve(packet);
  }

  /** The next packet of the inbox, which must be of this type. */
  async expect<T extends Packet["type"]>(type: T): Promise<PacketOf<T>> {
    const packet = await this.next();
    if (packet.type !== type) throw this.#problem(`${PACKET_NAMES[type]} was expected, ${describe(packet)} came`);
    return packet as PacketOf<T>;
  }

  /** The next packet of the inbox, which must be a PUBLISH. */
  message(): Promise<Publish> {
    return this.expect(PUBLISH);
  }

  /** The next packets of the inbox, which must all be PUBLISH. */
  async messages(count: number): Promise<Publish[]> {
    const messages: Publish[] = [];
    while (messages.length < count) messages.push(await this.message());
    return messages;
  }

  /** The payloads of the next messages, as texts. */
  async texts(count: number): Promise<string[]> {
    return (await this.messages(count)).map(textOf);
  }

  /** The bytes of a packet that arrived. */
  rawOf(packet: Packet): Uint8Array {
    return this.#raw.get(packet)!;
  }

  /** Every packet that ever arrived, whether taken or not, answers to convenience calls included. */
  get arrived(): readonly Packet[] {
    return this.#arrived;
  }

  /** The end of the connection, by whichever side. @throws when it does not come within WAIT_MS */
  get closed(): Promise<Closing> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#problem("the connection was expected to end")), WAIT_MS);
    });
    return Promise.race([this.#closed, tooLate]).finally(() => clearTimeout(timer));
  }

  get isOpen(): boolean {
    return this.#closing === undefined && this.#socket.readyState === WebSocket.OPEN;
  }

  /**
   * Proves that nothing is in the inbox, nor on its way to it. Without `publisher`: by a round trip through this client's own
   * Session object (UNSUBSCRIBE of a filter that it does not have), behind which nothing can come that was acknowledged to its
   * publisher before. With `publisher`, who may be this client itself: by messages from there through every Topic object, behind all
   * that the publisher sent, at whatever QoS, and behind retained messages of earlier subscriptions.
   */
  async silence(publisher?: MqttTestClient): Promise<void> {
    await (publisher === undefined ? this.unsubscribe(unique("nothing")) : this.#barrier(publisher));
    if (this.#inbox.length > 0) throw this.#problem("nothing was expected to arrive");
  }

  async #barrier(publisher: MqttTestClient): Promise<void> {
    const topics = barrierTopics(unique("barrier"));
    await this.subscribe(topics.map((topic) => request(topic)));
    this.#barriers += 1;
    const passed = topics.map((topic) => this.#wait(`the barrier ${topic}`, (packet) => packet.type === PUBLISH && packet.topic === topic));
    await Promise.all([...topics.map((topic) => publisher.publish(topic, "", { qos: 1 })), ...passed]);
    this.#barriers -= 1;
    await this.unsubscribe(...topics);
  }

  // Conveniences.

  /** Sends CONNECT and returns CONNACK, whatever its code. */
  async connect(options: ConnectOptions = {}): Promise<Connack> {
    const packet = connectPacket({ clientId: this.clientId, ...options });
    this.send(packet);
    this.clientId = packet.clientId;
    this.connack = await this.expect(CONNACK);
    return this.connack;
  }

  /** Subscribes and returns SUBACK, whatever its codes. Options other than `packetId` and `properties` count for a single filter. */
  async subscribe(filters: string | readonly SubscriptionRequest[], options: SubscribeOptions = {}): Promise<Suback> {
    const { packetId = this.nextPacketId(), properties = NO_PROPERTIES, ...rest } = options;
    const subscriptions = typeof filters === "string" ? [request(filters, rest.qos, rest)] : filters;
    const answer = this.#wait("SUBACK", (packet) => packet.type === SUBACK && packet.packetId === packetId);
    this.send({ type: SUBSCRIBE, packetId, subscriptions, properties });
    return (await answer) as Suback;
  }

  async unsubscribe(...filters: readonly string[]): Promise<Unsuback> {
    const packetId = this.nextPacketId();
    const answer = this.#wait("UNSUBACK", (packet) => packet.type === UNSUBACK && packet.packetId === packetId);
    this.send({ type: UNSUBSCRIBE, packetId, filters, properties: NO_PROPERTIES });
    return (await answer) as Unsuback;
  }

  /**
   * Publishes and completes the handshake.
   * @returns PUBACK for QoS 1; for QoS 2 PUBCOMP, or PUBREC if that one refuses; undefined for QoS 0
   */
  async publish(topic: string, payload: string | Uint8Array = "", options: PublishOptions = {}): Promise<Acknowledgement | undefined> {
    const { qos = 0 } = options;
    const packetId = options.packetId ?? (qos === 0 ? 0 : this.nextPacketId());
    const packet = publishPacket(topic, payload, { ...options, packetId });
    if (qos === 0) {
      this.send(packet);
      return undefined;
    }
    const answer = this.acknowledged(qos === 1 ? PUBACK : PUBREC, packetId);
    this.send(packet);
    const received = await answer;
    if (qos === 1 || received.reasonCode >= 0x80) return received;
    const completed = this.acknowledged(PUBCOMP, packetId);
    this.send(acknowledgement(PUBREL, packetId));
    return completed;
  }

  /** The acknowledgement of this type and Packet Identifier, which does not go to the inbox then. Call it before it can arrive. */
  async acknowledged(type: AcknowledgementType, packetId: number): Promise<Acknowledgement> {
    const wants = (packet: Packet): boolean => packet.type === type && packet.packetId === packetId;
    return (await this.#wait(`${PACKET_NAMES[type]} ${packetId}`, wants)) as Acknowledgement;
  }

  /** PINGREQ and its PINGRESP. A relay answers it itself: use `silence` to wait for what an object sent. */
  async ping(): Promise<void> {
    const answer = this.#wait("PINGRESP", (packet) => packet.type === PINGRESP);
    this.send({ type: PINGREQ });
    await answer;
  }

  nextPacketId(): number {
    this.#packetId = (this.#packetId % 65_535) + 1;
    return this.#packetId;
  }

  /** Sends DISCONNECT and waits for the end of the connection. */
  async disconnect(reasonCode = 0, properties: Properties = NO_PROPERTIES): Promise<Closing> {
    this.send({ type: DISCONNECT, reasonCode, properties });
    return this.closed;
  }

  /** Ends the WebSocket properly, without DISCONNECT. */
  close(code = 1000): Promise<Closing> {
    this.#socket.close(code);
    return this.closed;
  }

  /** Destroys the TCP connection, as a network failure would. */
  terminate(): void {
    this.#socket.terminate();
  }

  #speak(version: ProtocolVersion): void {
    this.version = version;
    this.#stream.version = version;
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (!isBinary) this.#fail(`the broker sent a text frame: ${JSON.stringify(data.toString())}`);
    this.#stream.push(new Uint8Array(data));
    for (let bytes = this.#stream.next(); bytes !== undefined; bytes = this.#stream.next()) {
      const packet = bytes instanceof Uint8Array ? decodePacket(bytes, this.version) : bytes;
      if (packet.type === VIOLATION) {
        const hex = bytes instanceof Uint8Array ? Buffer.from(bytes).toString("hex") : "?";
        this.#fail(`the broker broke ${packet.clause} with ${hex}: ${packet.message}`);
        return;
      }
      // PINGRESP is one object for all: each arrival gets its own.
      const arrived = { ...packet };
      this.#raw.set(arrived, bytes as Uint8Array);
      this.#arrived.push(arrived);
      if (!this.#acknowledge(arrived)) this.#give(arrived);
    }
  }

  /** @returns whether the packet is only a step that the client answers itself */
  #acknowledge(packet: Packet): boolean {
    if (!this.autoAck || !this.isOpen) return false;
    if (packet.type === PUBLISH && packet.qos > 0) this.send(acknowledgement(packet.qos === 1 ? PUBACK : PUBREC, packet.packetId));
    if (packet.type !== PUBREL) return false;
    this.send(acknowledgement(PUBCOMP, packet.packetId));
    return true;
  }

  #give(packet: Packet): void {
    const index = this.#waiters.findIndex(({ wants }) => wants(packet));
    if (index === -1) this.#inbox.push(packet);
    else this.#waiters.splice(index, 1)[0]!.resolve(packet);
  }

  #wait(what: string, wants: (packet: Packet) => boolean): Promise<Packet> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined || this.#closing !== undefined) {
        reject(this.#failure ?? this.#problem(`${what} was awaited on a connection that has ended`));
        return;
      }
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((each) => each !== waiter);
        reject(this.#problem(`${what} was expected within ${WAIT_MS} ms`));
      }, WAIT_MS);
      const waiter: Waiter = {
        wants,
        resolve: (packet) => {
          clearTimeout(timer);
          resolve(packet);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  #fail(message: string): void {
    this.#failure ??= new Error(message);
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(this.#failure);
  }

  #problem(what: string): Error {
    if (this.#failure !== undefined) return this.#failure;
    const list = this.#arrived.slice(-20).map(describe).join(", ");
    const end =
      this.#closing === undefined ? "" : `; the connection ended with ${this.#closing.code} ${JSON.stringify(this.#closing.reason)}`;
    return new Error(`${what}; arrived so far: ${list === "" ? "nothing" : list}; not taken: ${this.#inbox.length}${end}`);
  }
}

/** One topic for each Topic object of the default shape, so that messages to all of them pass every way that there is. */
function barrierTopics(prefix: string): string[] {
  const byShard = new Map<number, string>();
  const shape = { topology: "sharded", sessionShards: 4, topicShards: 4, topicsWithObject: [] } as const;
  for (let i = 0; byShard.size < shape.topicShards; i += 1) byShard.set(topicShard(shape, `${prefix}/${i}`), `${prefix}/${i}`);
  return [...byShard.values()];
}

function describe(packet: Packet): string {
  const name = PACKET_NAMES[packet.type]!;
  switch (packet.type) {
    case PUBLISH: {
      const flags = `${packet.dup ? " DUP" : ""}${packet.retain ? " RETAIN" : ""}${packet.qos > 0 ? ` id ${packet.packetId}` : ""}`;
      return `${name} ${packet.topic.slice(0, 60)} QoS ${packet.qos}${flags} ${JSON.stringify(textOf(packet).slice(0, 60))}`;
    }
    case CONNACK:
    case DISCONNECT:
      return `${name} 0x${packet.reasonCode.toString(16).padStart(2, "0")} ${packet.properties.reasonString ?? ""}`.trim();
    default:
      return "packetId" in packet ? `${name} ${packet.packetId}` : name;
  }
}
