/**
 * A client that keeps the rules of MQTT as seen from its side, whatever happens to its connection: it repeats what was not
 * acknowledged, in order, and takes a QoS 2 message once. It writes down what it was promised and what it got.
 */

import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  type Acknowledgement,
  CONNACK,
  CONNECT,
  DISCONNECT,
  NO_PROPERTIES,
  type Packet,
  PINGREQ,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type Publish,
  type QoS,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { sessionObjectName } from "../../src/objects/names.ts";
import { SimulatedSocket, type World } from "./world.ts";

/** One Application Message of a run. */
export interface Published {
  readonly number: number;
  readonly publisher: string;
  readonly topic: string;
  readonly qos: QoS;
  readonly sentAt: number;
  /** The broker took it on: PUBACK or PUBREC with success. */
  acknowledged: boolean;
  /** What it may have become since its session was lost is not known. */
  abandoned: boolean;
}

export interface Got {
  readonly number: number;
  readonly qos: QoS;
  readonly dup: boolean;
  readonly at: number;
  /** Counts the sessions of the client: a message may come again in a new one. */
  readonly session: number;
}

export interface Held {
  readonly filter: string;
  readonly qos: QoS;
  /** Milliseconds: SUBACK came. */
  since: number | undefined;
  /** Milliseconds: UNSUBSCRIBE was sent. */
  until: number | undefined;
}

interface Outgoing {
  readonly published: Published;
  phase: "publish" | "release";
  sent: boolean;
}

export class SimulatedClient {
  readonly id: string;
  readonly version: 4 | 5;
  readonly durable: boolean;
  readonly held: Held[] = [];
  readonly got: Got[] = [];
  readonly problems: string[] = [];
  /** How long it takes to acknowledge, at most. */
  readonly #slowMs: number;
  readonly #world: World;
  readonly #all: Published[];
  #socket: SimulatedSocket | undefined;
  #stream = new PacketStream(1 << 20);
  #connected = false;
  #hasSession = false;
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #incoming = new Set<number>();
  readonly #subscribing = new Map<number, Held[]>();
  #packetId = 0;
  #session = 0;
  #generation = 0;

  constructor(world: World, id: string, version: 4 | 5, durable: boolean, slowMs: number, all: Published[]) {
    this.#world = world;
    this.id = id;
    this.version = version;
    this.durable = durable;
    this.#slowMs = slowMs;
    this.#all = all;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Everything it sent was acknowledged, everything it got was answered. */
  get quiet(): boolean {
    return this.#outgoing.size === 0 && this.#subscribing.size === 0;
  }

  /** Opens a connection; an older one of the same client is taken over or dropped. */
  connect(): void {
    const generation = ++this.#generation;
    this.#world.note(`${this.id} connects${this.durable ? "" : ", clean"}`);
    this.#connected = false;
    this.#subscribing.clear();
    this.#stream = new PacketStream(1 << 20);
    if (!this.durable) this.#loseSession();
    const world = this.#world;
    const object = world.object(sessionObjectName(world.settings, "n", this.id));
    const current = (run: () => void) => (): void => {
      if (this.#generation === generation) run();
    };
    const socket = new SimulatedSocket(
      world,
      object,
      (bytes) => current(() => this.#receive(bytes))(),
      () => current(() => this.#closed())(),
    );
    this.#socket = socket;
    world.after(world.delay(), async () => {
      await object.accept(socket);
      if (this.#generation !== generation) return;
      this.#send({
        type: CONNECT,
        version: this.version,
        clean: !this.durable,
        keepAliveSeconds: 60,
        clientId: this.id,
        will: undefined,
        userName: undefined,
        password: undefined,
        properties: this.version === 5 && this.durable ? { sessionExpiryInterval: 100_000 } : NO_PROPERTIES,
      });
    });
    // A CONNACK that does not come in time: the client tries anew.
    world.after(
      15_000,
      current(() => {
        if (!this.#connected && this.#socket === socket) this.drop();
      }),
    );
  }

  /** Ends the connection without a word. */
  drop(): void {
    this.#world.note(`${this.id} drops its connection`);
    this.#generation += 1;
    this.#socket?.clientGone();
    this.#socket = undefined;
    this.#connected = false;
    if (!this.durable) this.#loseSession();
  }

  disconnect(): void {
    if (!this.#connected) return;
    this.#send({ type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES });
    this.drop();
  }

  ping(): void {
    if (this.#connected) this.#send({ type: PINGREQ });
  }

  publish(topic: string, qos: QoS): void {
    if (!this.#connected || this.#outgoing.size >= 20) return;
    const published: Published = {
      number: this.#all.length,
      publisher: this.id,
      topic,
      qos,
      sentAt: this.#world.now,
      acknowledged: false,
      abandoned: false,
    };
    this.#all.push(published);
    this.#world.note(`${this.id} publishes ${published.number} to ${topic} at QoS ${qos}`);
    if (qos === 0) {
      this.#sendPublish(published, 0, false);
      return;
    }
    const packetId = this.#nextPacketId();
    this.#outgoing.set(packetId, { published, phase: "publish", sent: true });
    this.#sendPublish(published, packetId, false);
  }

  subscribe(filter: string, qos: QoS): void {
    if (!this.#connected) return;
    // Until SUBACK comes nobody knows which of the two stands.
    for (const other of this.held) if (other.filter === filter) other.until ??= this.#world.now;
    const held: Held = { filter, qos, since: undefined, until: undefined };
    this.held.push(held);
    const packetId = this.#nextPacketId();
    this.#subscribing.set(packetId, [held]);
    const request = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.#send({ type: SUBSCRIBE, packetId, subscriptions: [request], properties: NO_PROPERTIES });
  }

  unsubscribe(filter: string): void {
    if (!this.#connected) return;
    this.#world.note(`${this.id} unsubscribes from ${filter}`);
    for (const held of this.held) if (held.filter === filter) held.until ??= this.#world.now;
    const packetId = this.#nextPacketId();
    this.#subscribing.set(packetId, []);
    this.#send({ type: UNSUBSCRIBE, packetId, filters: [filter], properties: NO_PROPERTIES });
  }

  #nextPacketId(): number {
    do this.#packetId = (this.#packetId % 60_000) + 1;
    while (this.#outgoing.has(this.#packetId) || this.#subscribing.has(this.#packetId));
    return this.#packetId;
  }

  #loseSession(): void {
    this.#session += 1;
    this.#hasSession = false;
    for (const { published } of this.#outgoing.values()) published.abandoned = true;
    this.#outgoing.clear();
    this.#incoming.clear();
    for (const held of this.held) held.until ??= this.#world.now;
  }

  #sendPublish(published: Published, packetId: number, dup: boolean): void {
    const payload = new TextEncoder().encode(`${published.number} ${"x".repeat(published.number % 40)}`);
    const packet: Publish = {
      type: PUBLISH,
      dup,
      qos: published.qos,
      retain: false,
      topic: published.topic,
      packetId,
      properties: NO_PROPERTIES,
      propertyBytes: new Uint8Array(0),
      payload,
    };
    this.#send(packet);
  }

  #send(packet: Packet): void {
    this.#socket?.receive(encodePacket(packet, this.version));
  }

  #answer(type: Acknowledgement["type"], packetId: number): void {
    const socket = this.#socket;
    const send = (): void => {
      if (this.#socket === socket) this.#send({ type, packetId, reasonCode: 0, properties: NO_PROPERTIES });
    };
    if (this.#slowMs === 0) send();
    else this.#world.after(this.#slowMs, send);
  }

  #closed(): void {
    this.#world.note(`${this.id} sees its connection closed`);
    this.#socket = undefined;
    this.#connected = false;
    if (!this.durable) this.#loseSession();
  }

  #receive(bytes: Uint8Array): void {
    this.#stream.push(bytes);
    for (let frame = this.#stream.next(); frame !== undefined; frame = this.#stream.next()) {
      if (!(frame instanceof Uint8Array)) {
        this.problems.push(`the broker sent bytes that can't be read: ${frame.message}`);
        return;
      }
      const packet = decodePacket(frame, this.version);
      if (packet.type === 0) this.problems.push(`the broker sent a packet that can't be read: ${packet.message}`);
      else this.#handle(packet);
    }
  }

  #handle(packet: Packet): void {
    switch (packet.type) {
      case CONNACK:
        this.#handleConnack(packet.reasonCode, packet.sessionPresent);
        return;
      case PUBLISH:
        this.#handlePublish(packet);
        return;
      case PUBREL:
        this.#incoming.delete(packet.packetId);
        this.#answer(PUBCOMP, packet.packetId);
        return;
      case PUBACK:
      case PUBREC: {
        const outgoing = this.#outgoing.get(packet.packetId);
        if (outgoing === undefined || outgoing.phase !== "publish") {
          if (packet.type === PUBREC) this.#answer(PUBREL, packet.packetId);
          return;
        }
        if (packet.reasonCode < 0x80) outgoing.published.acknowledged = true;
        this.#world.note(`${this.id} hears of ${outgoing.published.number}: ${packet.reasonCode}`);
        if (packet.type === PUBACK || packet.reasonCode >= 0x80) this.#outgoing.delete(packet.packetId);
        else {
          outgoing.phase = "release";
          this.#send({ type: PUBREL, packetId: packet.packetId, reasonCode: 0, properties: NO_PROPERTIES });
        }
        return;
      }
      case PUBCOMP:
        this.#outgoing.delete(packet.packetId);
        return;
      case SUBACK:
        for (const [index, held] of (this.#subscribing.get(packet.packetId) ?? []).entries()) {
          this.#world.note(`${this.id} is subscribed to ${held.filter} at QoS ${held.qos}: ${packet.reasonCodes[index]}`);
          if (packet.reasonCodes[index]! < 0x80) held.since = this.#world.now;
          else held.until ??= this.#world.now;
        }
        this.#subscribing.delete(packet.packetId);
        return;
      case UNSUBACK:
        this.#subscribing.delete(packet.packetId);
        return;
      default:
    }
  }

  #handleConnack(reasonCode: number, sessionPresent: boolean): void {
    if (reasonCode !== 0) {
      this.#world.note(`${this.id} was refused: ${reasonCode}`);
      return;
    }
    this.#connected = true;
    this.#world.note(`${this.id} is connected, Session Present ${sessionPresent}`);
    if (this.#hasSession && !sessionPresent) this.problems.push("the broker lost a durable session");
    if (!this.#hasSession && sessionPresent && !this.durable) this.problems.push("the broker resumed a session after Clean Session");
    if (this.durable) this.#hasSession = true;
    // A SUBSCRIBE whose SUBACK never came counts for nothing: it is asked again.
    for (const held of this.held) if (held.since === undefined) held.until ??= this.#world.now;
    for (const [packetId, { published, phase }] of this.#outgoing) {
      if (phase === "publish") this.#sendPublish(published, packetId, true);
      else this.#send({ type: PUBREL, packetId, reasonCode: 0, properties: NO_PROPERTIES });
    }
  }

  #handlePublish(packet: Publish): void {
    const number = Number(new TextDecoder().decode(packet.payload).split(" ")[0]);
    this.#world.note(`${this.id} gets ${number} at QoS ${packet.qos}${packet.dup ? " DUP" : ""} as ${packet.packetId}`);
    const take = (): void => void this.got.push({ number, qos: packet.qos, dup: packet.dup, at: this.#world.now, session: this.#session });
    if (packet.qos === 2) {
      if (!this.#incoming.has(packet.packetId)) take();
      this.#incoming.add(packet.packetId);
      this.#answer(PUBREC, packet.packetId);
      return;
    }
    take();
    if (packet.qos === 1) this.#answer(PUBACK, packet.packetId);
  }
}
