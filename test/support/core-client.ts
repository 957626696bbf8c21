/**
 * The client's side of the core harness: a socket that keeps the platform's limits and what reached the client, and a client that
 * speaks through the codec. Knows no rules of MQTT: tests send what they like.
 */

import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  CONNECT,
  type Connack,
  type Connect,
  DISCONNECT,
  NO_PROPERTIES,
  type Packet,
  type Properties,
  type ProtocolVersion,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type Publish,
  type QoS,
  SUBSCRIBE,
  type SubscriptionRequest,
  UNSUBSCRIBE,
  type Will,
} from "../../src/mqtt/packet.ts";
import { encodeProperties } from "../../src/mqtt/property.ts";
import { encodeRefusal, validateConnect } from "../../src/session/connect.ts";
import type { Wire } from "../../src/session/ports.ts";
import { type Identity, NOBODY } from "../../src/session/ports.ts";
import type { Connection } from "../../src/session/session.ts";
import { SHARE_WORK } from "../../src/work-limits.ts";
import type { SessionNode, World } from "./core-harness.ts";

/** The platform's limits of a socket, as it enforces them. */
const ATTACHMENT_BYTES_LIMIT = 16_384;
const CLOSE_REASON_BYTES_LIMIT = 123;

/** A socket: what was sent reaches the client when the host flushes; its attachment outlives the object's memory. */
export class FakeWire implements Wire {
  version: ProtocolVersion = 5;
  /** Everything that reached the client, decoded, oldest first. */
  readonly packets: Packet[] = [];
  /** What reached the client since it was last taken. */
  readonly #fresh: Packet[] = [];
  attachment: Uint8Array | undefined;
  closed: { readonly code: number; readonly reason: string } | undefined;
  #gathered: Uint8Array[] = [];
  #closing: { readonly code: number; readonly reason: string } | undefined;
  /** Frames that left: each costs. */
  frames = 0;

  send(bytes: Uint8Array): void {
    this.#gathered.push(bytes.slice());
  }

  close(code: number, reason: string): void {
    if (new TextEncoder().encode(reason).length > CLOSE_REASON_BYTES_LIMIT) throw new Error(`close reason too long: ${reason}`);
    this.#closing ??= { code, reason };
  }

  attach(state: Uint8Array): void {
    if (state.length > ATTACHMENT_BYTES_LIMIT) throw new Error(`an attachment of ${state.length} bytes`);
    this.attachment = state.slice();
  }

  /** What was gathered and has not left: a crash now loses it. */
  get gathered(): number {
    return this.#gathered.length;
  }

  flush(): void {
    if (this.closed !== undefined) return;
    if (this.#gathered.length > 0) this.frames += 1;
    for (const bytes of this.#gathered) {
      const packet = decodePacket(bytes, this.version);
      if (packet.type === 0) throw new Error(`the broker sent a packet that breaks ${packet.clause}: ${packet.message}`);
      this.packets.push(packet);
      this.#fresh.push(packet);
    }
    this.#gathered = [];
    this.closed = this.#closing;
  }

  /** The packets since the last call. */
  take(): Packet[] {
    return this.#fresh.splice(0);
  }

  /** The object died: what was gathered is lost, the socket is closed without a word unless it outlives hibernation. */
  crash(): void {
    this.#gathered = [];
    this.closed ??= { code: 1006, reason: "" };
  }

  /** Hibernation: the socket lives, only what the object had in memory is gone. Nothing may be gathered then. */
  hibernate(): void {
    if (this.#gathered.length > 0) throw new Error("an object with unsent packets does not hibernate");
  }
}

export interface ConnectOptions {
  readonly version?: ProtocolVersion;
  readonly bridge?: boolean;
  /** Which Session object; default 0. */
  readonly at?: number;
  readonly clean?: boolean;
  readonly keepAliveSeconds?: number;
  readonly properties?: Properties;
  readonly will?: Partial<Will> & { readonly topic: string };
  readonly userName?: string;
  /** What is known of who it is besides. */
  readonly identity?: Partial<Identity>;
  readonly relayed?: boolean;
}

const encoder = new TextEncoder();

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** One connection of a client. What it sends goes through the codec; what it is sent is in `wire`. */
export class TestClient {
  readonly wire = new FakeWire();
  readonly node: SessionNode;
  readonly version: ProtocolVersion;
  readonly clientId: string;
  readonly #world: World;
  #nextPacketId = 1;
  /** What it sent and was not handled yet. */
  readonly #behind: Uint8Array[] = [];

  constructor(world: World, clientId: string, options: ConnectOptions) {
    this.#world = world;
    this.clientId = clientId;
    this.version = options.version ?? 5;
    this.wire.version = this.version;
    this.node = world.sessions[options.at ?? 0]!;
    this.node.wires.add(this.wire);
    const sent: Connect = {
      type: CONNECT,
      version: this.version,
      ...(options.bridge ? { bridge: true } : {}),
      clean: options.clean ?? true,
      keepAliveSeconds: options.keepAliveSeconds ?? 0,
      clientId,
      will: options.will && { qos: 0, retain: false, payload: utf8("gone"), properties: NO_PROPERTIES, ...options.will },
      userName: undefined,
      password: undefined,
      properties: options.properties ?? NO_PROPERTIES,
    };
    this.#connect(sent, options);
    this.#moved();
  }

  #connect(sent: Connect, { userName, identity, relayed = false }: ConnectOptions): void {
    const { machine } = this.node;
    const connect = decodePacket(encodePacket(sent, this.version), this.version);
    if (connect.type !== CONNECT) throw new Error(`CONNECT does not decode: ${JSON.stringify(connect)}`);
    const refusal = validateConnect(connect, this.#world.limits);
    if (refusal !== undefined) {
      const bytes = encodeRefusal(refusal, connect);
      if (bytes !== undefined) this.wire.send(bytes);
      this.wire.close(1008, "");
      return;
    }
    const connection = machine.connect(
      this.wire,
      connect,
      { ...NOBODY, userName, ...identity },
      { assigned: false, relayed, authenticationData: undefined },
      this.#world.now,
    );
    if (connection !== undefined) this.node.connections.set(this.wire, connection);
  }

  #moved(): void {
    if (this.#world.auto) this.#world.settle();
  }

  get connack(): Connack {
    return this.wire.packets[0] as Connack;
  }

  get connection(): Connection {
    return this.node.connections.get(this.wire)!;
  }

  get closed(): FakeWire["closed"] {
    return this.wire.closed;
  }

  /** What it was sent since the last call; the first call includes CONNACK. */
  take(): Packet[] {
    return this.wire.take();
  }

  /** The PUBLISH packets since the last call. */
  messages(): Publish[] {
    return this.take().filter((packet) => packet.type === PUBLISH);
  }

  /** The payloads as text of the PUBLISH packets since the last call. */
  texts(): string[] {
    return this.messages().map(({ payload }) => new TextDecoder().decode(payload));
  }

  /** Sends packets in one frame. */
  send(...packets: Packet[]): void {
    this.sendBytes(...packets.map((packet) => encodePacket(packet, this.version)));
  }

  sendBytes(...packets: Uint8Array[]): void {
    this.#behind.push(...packets);
    this.#read();
    this.#moved();
  }

  /** As hosts do: what comes behind a packet that is half taken waits. */
  #read(): void {
    const { machine, connections } = this.node;
    const { now } = this.#world;
    for (;;) {
      const connection = connections.get(this.wire);
      if (connection?.taking?.waits) {
        connection.taking.whenReady(() => this.#read());
        return;
      }
      if (connection?.taking?.isOpen) {
        machine.goOn(connection, SHARE_WORK, now);
        continue;
      }
      const bytes = this.#behind.shift();
      if (bytes === undefined) return;
      if (connection !== undefined) machine.handle(connection, decodePacket(bytes, this.version), now, bytes.length);
    }
  }

  /** @returns the Packet Identifier, 0 at QoS 0 */
  publish(topic: string, payload: string | Uint8Array = "", options: Partial<Omit<Publish, "type" | "topic" | "payload">> = {}): number {
    const qos = options.qos ?? 0;
    const packetId = qos === 0 ? 0 : (options.packetId ?? this.#nextPacketId++);
    const properties = options.properties ?? NO_PROPERTIES;
    const propertyBytes = this.version === 5 ? encodeProperties(properties, PUBLISH) : new Uint8Array(0);
    this.send({
      type: PUBLISH,
      dup: options.dup ?? false,
      qos,
      retain: options.retain ?? false,
      topic,
      packetId,
      properties,
      propertyBytes,
      payload: typeof payload === "string" ? utf8(payload) : payload,
    });
    return packetId;
  }

  /** Subscribes to one filter. @returns the Packet Identifier */
  subscribe(filter: string, qos: QoS = 0, options: Partial<SubscriptionRequest> & { readonly identifier?: number } = {}): number {
    const { identifier, ...request } = options;
    const packetId = this.#nextPacketId++;
    this.send({
      type: SUBSCRIBE,
      packetId,
      subscriptions: [{ filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0, ...request }],
      properties: identifier === undefined ? NO_PROPERTIES : { subscriptionIdentifiers: [identifier] },
    });
    return packetId;
  }

  unsubscribe(...filters: string[]): number {
    const packetId = this.#nextPacketId++;
    this.send({ type: UNSUBSCRIBE, packetId, filters, properties: NO_PROPERTIES });
    return packetId;
  }

  puback(packetId: number, reasonCode = 0): void {
    this.send({ type: PUBACK, packetId, reasonCode, properties: NO_PROPERTIES });
  }

  pubrec(packetId: number, reasonCode = 0): void {
    this.send({ type: PUBREC, packetId, reasonCode, properties: NO_PROPERTIES });
  }

  pubrel(packetId: number, reasonCode = 0): void {
    this.send({ type: PUBREL, packetId, reasonCode, properties: NO_PROPERTIES });
  }

  pubcomp(packetId: number, reasonCode = 0): void {
    this.send({ type: PUBCOMP, packetId, reasonCode, properties: NO_PROPERTIES });
  }

  /** Says DISCONNECT. */
  disconnect(reasonCode = 0, properties: Properties = NO_PROPERTIES): void {
    this.send({ type: DISCONNECT, reasonCode, properties });
  }

  /** The network fails: the object hears that the socket is gone. */
  lose(): void {
    this.wire.crash();
    this.node.wires.delete(this.wire);
    const connection = this.node.connections.get(this.wire);
    if (connection !== undefined) {
      this.node.machine.lost(connection, this.#world.now);
      this.node.machine.gone(connection);
    }
    this.#moved();
  }
}
