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
  type Will,
} from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import type { Got, Held, Life, Published } from "./records.ts";
import { RELAY_GONE } from "./relayed.ts";
import type { Line } from "./socket.ts";
import type { World } from "./world.ts";

export interface ClientOptions {
  readonly id: string;
  readonly version: 4 | 5;
  /** How long its session outlives a connection, seconds; 0 = it does not. Only 5.0 clients choose anything but a long time. */
  readonly expirySeconds: number;
  readonly keepAliveSeconds: number;
  /** How long it takes to acknowledge, milliseconds. */
  readonly slowMs: number;
  /** For 5.0 clients; undefined = as many as the broker likes. */
  readonly receiveMaximum: number | undefined;
  /** What comes with every CONNECT. */
  readonly will: { readonly qos: QoS; readonly delaySeconds: number } | undefined;
  /** Every seventh message is long. */
  readonly long: boolean;
  /** A Worker stands between it and its object. */
  readonly relayed?: boolean;
  /** It uses Topic Aliases. */
  readonly aliases?: boolean;
}

export interface PublishOptions {
  readonly kind?: Published["kind"];
  readonly expirySeconds?: number;
}

/** A session of 3.x lasts this long, and one of 5.0 may. */
export const LONG_SECONDS = 100_000;

/** What is on its way through relay and objects may take so long. */
const ON_ITS_WAY_MS = 8_000;

/** A client that hears nothing for so long after a question takes its connection for dead. */
const PATIENCE_MS = 15_000;

const encoder = new TextEncoder();

interface Outgoing {
  readonly published: Published;
  phase: "publish" | "release";
  sent: boolean;
}

export class SimulatedClient {
  readonly options: ClientOptions;
  readonly held: Held[] = [];
  readonly got: Got[] = [];
  readonly problems: string[] = [];
  readonly lives: Life[] = [];
  #life: Life | undefined;
  readonly #world: World;
  readonly #all: Published[];
  /** It ends its session with its next connection. */
  #leaves = false;
  #line: Line | undefined;
  /** Connections that it opened before and that the broker may not have taken over yet. */
  readonly #older: Line[] = [];
  #stream = new PacketStream(1 << 20);
  #connected = false;
  #hasSession = false;
  readonly #outgoing = new Map<number, Outgoing>();
  /** QoS 2 messages that were not released, by Packet Identifier. */
  readonly #incoming = new Map<number, number | undefined>();
  #pendingWill: Published | undefined;
  /** Milliseconds: the broker said something. */
  #heardAt = 0;
  /** Milliseconds: it opened a connection. */
  #openedAt = 0;
  #contested = false;
  /** Topic Aliases of this connection, by topic. */
  readonly #aliases = new Map<string, number>();
  readonly #subscribing = new Map<number, Held[]>();
  #packetId = 0;
  #session = 0;
  #generation = 0;
  /** Packet Identifiers that the broker has in flight on this connection. */
  readonly #inflight = new Set<number>();

  constructor(world: World, options: ClientOptions, all: Published[]) {
    this.#world = world;
    this.options = options;
    this.#all = all;
  }

  get id(): string {
    return this.options.id;
  }

  get durable(): boolean {
    return this.options.expirySeconds > 0 && !this.#leaves;
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
    if (this.#line !== undefined) this.#older.push(this.#line);
    this.#world.note(`${this.id} connects${this.durable ? "" : ", clean"}`);
    this.#ended("replaced");
    this.#subscribing.clear();
    this.#inflight.clear();
    this.#stream = new PacketStream(1 << 20);
    const { version, expirySeconds, keepAliveSeconds, receiveMaximum } = this.options;
    const will = this.#will();
    const world = this.#world;
    const current = (run: () => void) => (): void => {
      if (this.#generation === generation) run();
    };
    this.#contested = world.now - this.#openedAt < ON_ITS_WAY_MS;
    this.#openedAt = world.now;
    const previous = this.lives.at(-1);
    if (previous !== undefined) previous.nextAt ??= world.now;
    this.#aliases.clear();
    this.#pendingWill = will;
    const line = world.connect(this.id, `${this.id} (${generation})`, this.options.relayed === true, {
      receive: (bytes) => current(() => this.#receive(bytes))(),
      closed: (code) => current(() => this.#closed(code))(),
    });
    this.#line = line;
    this.#send({
      type: CONNECT,
      version,
      clean: !this.durable,
      keepAliveSeconds,
      clientId: this.id,
      will: will && this.#willPacket(will),
      userName: undefined,
      password: undefined,
      properties:
        version === 4
          ? NO_PROPERTIES
          : { ...(this.durable ? { sessionExpiryInterval: expirySeconds } : {}), ...(receiveMaximum ? { receiveMaximum } : {}) },
    });
    // A CONNACK that does not come in time: the client tries anew.
    world.after(
      PATIENCE_MS,
      current(() => {
        if (!this.#connected && this.#line === line) this.drop();
      }),
    );
  }

  /** Ends the connection without a word. */
  drop(): void {
    this.#world.note(`${this.id} drops its connection`);
    this.#generation += 1;
    for (const older of this.#older.splice(0)) older.drop();
    this.#line?.drop();
    this.#line = undefined;
    this.#ended("drop");
  }

  disconnect(): void {
    if (!this.#connected) return;
    this.#send({ type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES });
    this.#ended("disconnect");
    this.drop();
  }

  /** Connects once more to end its session, and then leaves. */
  endSession(): void {
    this.#leaves = true;
    this.#loseSession();
    this.connect();
  }

  /** Sends what no client may send. */
  misbehave(): void {
    if (!this.#connected) return;
    this.#world.note(`${this.id} sends a packet that does not exist`);
    this.#life!.rude = true;
    this.#line?.send(Uint8Array.of(0x0f, 0));
  }

  /** Asks for a sign of life; without one it gives the connection up. */
  ping(): void {
    if (!this.#connected) return;
    const { now } = this.#world;
    const generation = this.#generation;
    this.#send({ type: PINGREQ });
    this.#world.after(PATIENCE_MS, () => {
      if (this.#generation === generation && this.#connected && this.#heardAt < now) this.drop();
    });
  }

  /** The Worker that relays its connection, if one does, is gone. */
  breakRelay(): void {
    if (this.#line?.breakRelay() && this.#life !== undefined) this.#life.rude = true;
  }

  publish(topic: string, qos: QoS, { kind = "message", expirySeconds = 0 }: PublishOptions = {}): void {
    if (!this.#connected || this.#outgoing.size >= 20) return;
    const published = this.#begin(topic, qos, kind, this.options.version === 5 ? expirySeconds : 0);
    this.#world.note(`${this.id} publishes ${published.number} to ${topic} at QoS ${qos}${kind === "message" ? "" : `, ${kind}`}`);
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
    const held: Held = { filter, qos, since: undefined, until: undefined, ended: undefined };
    this.held.push(held);
    const packetId = this.#nextPacketId();
    this.#subscribing.set(packetId, [held]);
    const request = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.#send({ type: SUBSCRIBE, packetId, subscriptions: [request], properties: NO_PROPERTIES });
  }

  unsubscribe(filter: string): void {
    if (!this.#connected) return;
    this.#world.note(`${this.id} unsubscribes from ${filter}`);
    const ending = this.held.filter((held) => held.filter === filter);
    for (const held of ending) held.until ??= this.#world.now;
    const packetId = this.#nextPacketId();
    this.#subscribing.set(packetId, ending);
    this.#send({ type: UNSUBSCRIBE, packetId, filters: [filter], properties: NO_PROPERTIES });
  }

  #begin(topic: string, qos: QoS, kind: Published["kind"], expirySeconds: number): Published {
    const published: Published = {
      number: this.#all.length,
      publisher: this.id,
      topic,
      qos,
      kind,
      expirySeconds,
      sentAt: this.#world.now,
      acknowledgedAt: undefined,
      repeated: false,
      inDoubt: false,
    };
    this.#all.push(published);
    return published;
  }

  #will(): Published | undefined {
    const { will } = this.options;
    return will && this.#begin(`w/${this.id}`, will.qos, "will", 0);
  }

  #willPacket({ topic, qos, number }: Published): Will {
    const { version, will } = this.options;
    const properties = version === 5 && will!.delaySeconds > 0 ? { willDelayInterval: will!.delaySeconds } : NO_PROPERTIES;
    return { topic, qos, retain: false, payload: encoder.encode(`${number} `), properties };
  }

  /** The connection is over, in one way or another. */
  #ended(how: NonNullable<Life["end"]>): void {
    this.#connected = false;
    if (this.#life !== undefined) {
      this.#life.end = how;
      this.#life.endAt = this.#world.now;
      this.#life.heardAt = this.#heardAt;
      if (this.#life.will !== undefined) this.#life.will.sentAt = this.#world.now;
    }
    this.#life = undefined;
    if (!this.durable) this.#loseSession();
  }

  #nextPacketId(): number {
    do this.#packetId = (this.#packetId % 60_000) + 1;
    while (this.#outgoing.has(this.#packetId) || this.#subscribing.has(this.#packetId));
    return this.#packetId;
  }

  #loseSession(): void {
    this.#session += 1;
    this.#hasSession = false;
    this.#outgoing.clear();
    this.#incoming.clear();
    for (const held of this.held) {
      held.until ??= this.#world.now;
      held.ended ??= this.#world.now;
    }
  }

  #sendPublish(published: Published, packetId: number, dup: boolean): void {
    const { number, kind, expirySeconds } = published;
    if (dup) published.repeated = true;
    const padding = this.options.long && number % 7 === 0 ? 3_000 : number % 40;
    const payload = kind === "clearing" ? new Uint8Array(0) : encoder.encode(`${number} ${"x".repeat(padding)}`);
    const { topic, alias } = this.#aliasOf(published.topic);
    const properties = {
      ...(expirySeconds === 0 ? NO_PROPERTIES : { messageExpiryInterval: expirySeconds }),
      ...(alias === undefined ? NO_PROPERTIES : { topicAlias: alias }),
    };
    const packet: Publish = {
      type: PUBLISH,
      dup,
      qos: published.qos,
      retain: kind === "retained" || kind === "clearing",
      topic,
      packetId,
      properties,
      propertyBytes: new Uint8Array(0),
      payload,
    };
    this.#send(packet);
  }

  /** What stands for a topic on this connection: itself, with an alias for later, or the alias alone. */
  #aliasOf(topic: string): { topic: string; alias: number | undefined } {
    if (!this.options.aliases) return { topic, alias: undefined };
    const known = this.#aliases.get(topic);
    if (known !== undefined) return { topic: "", alias: known };
    if (this.#aliases.size >= this.#world.settings.limits.topicAliasMaximum) return { topic, alias: undefined };
    this.#aliases.set(topic, this.#aliases.size + 1);
    return { topic, alias: this.#aliases.size };
  }

  #send(packet: Packet): void {
    this.#line?.send(encodePacket(packet, this.options.version));
  }

  #answer(type: Acknowledgement["type"], packetId: number): void {
    const line = this.#line;
    const send = (): void => {
      if (this.#line !== line) return;
      if (type === PUBACK || type === PUBCOMP) this.#inflight.delete(packetId);
      this.#send({ type, packetId, reasonCode: 0, properties: NO_PROPERTIES });
    };
    const { slowMs } = this.options;
    if (slowMs === 0) send();
    else this.#world.after(slowMs, send);
  }

  #closed(code: number): void {
    this.#world.note(`${this.id} sees its connection closed with ${code}`);
    this.#line = undefined;
    // A relay passes on that its object was reset as 1001.
    this.#ended(code === RELAY_GONE ? "drop" : code === 1006 || code === 1001 ? "cut" : "closed");
  }

  #receive(bytes: Uint8Array): void {
    this.#heardAt = this.#world.now;
    this.#stream.push(bytes);
    for (let frame = this.#stream.next(); frame !== undefined; frame = this.#stream.next()) {
      if (!(frame instanceof Uint8Array)) {
        this.problems.push(`the broker sent bytes that can't be read: ${frame.message}`);
        return;
      }
      const packet = decodePacket(frame, this.options.version);
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
        this.#takesOn(packet.packetId);
        this.#answer(PUBCOMP, packet.packetId);
        return;
      case PUBACK:
      case PUBREC: {
        const outgoing = this.#outgoing.get(packet.packetId);
        if (outgoing === undefined || outgoing.phase !== "publish") {
          if (packet.type === PUBREC) this.#answer(PUBREL, packet.packetId);
          return;
        }
        if (packet.reasonCode < 0x80) outgoing.published.acknowledgedAt = this.#world.now;
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
        for (const held of this.#subscribing.get(packet.packetId) ?? []) held.ended ??= this.#world.now;
        this.#subscribing.delete(packet.packetId);
        return;
      default:
    }
  }

  #handleConnack(reasonCode: number, sessionPresent: boolean): void {
    const world = this.#world;
    if (reasonCode !== 0) {
      world.note(`${this.id} was refused: ${reasonCode}`);
      return;
    }
    this.#connected = true;
    world.note(`${this.id} is connected, Session Present ${sessionPresent}`);
    const previous = this.lives.at(-1);
    if (previous !== undefined) {
      previous.backAt ??= world.now;
      previous.resumed ||= sessionPresent;
    }
    const awayMs = previous === undefined ? 0 : world.now - previous.heardAt;
    const mayBeGone = world.clocksJump
      ? this.options.expirySeconds < LONG_SECONDS
      : awayMs >= this.options.expirySeconds * 1000 - ON_ITS_WAY_MS;
    if (this.#hasSession && !sessionPresent) {
      if (!mayBeGone) this.problems.push("the broker lost a durable session");
      this.#loseSession();
    } else if (this.#hasSession && mayBeGone) {
      // It may be a new one, which another CONNECT began whose CONNACK did not come.
      this.#session += 1;
      this.#incoming.clear();
      for (const { published } of this.#outgoing.values()) published.inDoubt = true;
      for (const held of this.held) held.until ??= world.now;
    }
    if (!this.#hasSession && sessionPresent && !this.durable) this.problems.push("the broker resumed a session after Clean Session");
    if (this.durable) this.#hasSession = true;
    this.#life = {
      will: this.#pendingWill,
      willDelaySeconds: this.options.version === 5 ? (this.options.will?.delaySeconds ?? 0) : 0,
      since: world.now,
      end: undefined,
      endAt: 0,
      heardAt: 0,
      nextAt: undefined,
      backAt: undefined,
      resumed: false,
      contested: this.#contested,
      rude: false,
    };
    this.lives.push(this.#life);
    // A SUBSCRIBE whose SUBACK never came counts for nothing: it is asked again.
    for (const held of this.held) if (held.since === undefined) held.until ??= world.now;
    for (const [packetId, { published, phase }] of this.#outgoing) {
      if (phase === "publish") this.#sendPublish(published, packetId, true);
      else this.#send({ type: PUBREL, packetId, reasonCode: 0, properties: NO_PROPERTIES });
    }
  }

  #handlePublish(packet: Publish): void {
    const world = this.#world;
    const { packetId, qos, dup, retain } = packet;
    // Clearing a retained message leaves nothing to tell it by.
    const number = packet.payload.length === 0 ? undefined : Number(new TextDecoder().decode(packet.payload).split(" ")[0]);
    world.note(`${this.id} gets ${number ?? "nothing"} at QoS ${qos}${dup ? " DUP" : ""}${retain ? " RETAIN" : ""} as ${packetId}`);
    if (qos > 0) {
      if (this.#inflight.has(packetId)) this.problems.push(`PUBLISH with Packet Identifier ${packetId}, which is in use`);
      this.#takesOn(packetId);
    }
    const take = (): void => {
      if (number === undefined) return;
      this.got.push({ number, qos, dup, retain, at: world.now, session: this.#session });
      this.#checkExpiry(number, dup);
    };
    if (qos === 2) {
      if (!this.#incoming.has(packetId)) take();
      else if (this.#incoming.get(packetId) !== number) {
        this.problems.push(`message ${number} with the Packet Identifier of ${this.#incoming.get(packetId)}, which was not released`);
      }
      this.#incoming.set(packetId, number);
      this.#answer(PUBREC, packetId);
      return;
    }
    take();
    if (qos === 1) this.#answer(PUBACK, packetId);
  }

  /** One more exchange is under way on this connection. */
  #takesOn(packetId: number): void {
    this.#inflight.add(packetId);
    const window = Math.min(this.#world.settings.limits.inflightMax, this.options.receiveMaximum ?? 65_535);
    if (this.#inflight.size > window) this.problems.push(`${this.#inflight.size} messages in flight, where ${window} are allowed`);
  }

  #checkExpiry(number: number, dup: boolean): void {
    const world = this.#world;
    const published = this.#all[number];
    // What was stored before the run is nobody's here.
    if (published === undefined) return;
    const { expirySeconds, sentAt, repeated } = published;
    if (expirySeconds === 0 || dup || repeated || world.clocksJump) return;
    const lateMs = world.now - sentAt - expirySeconds * 1000;
    if (lateMs > ON_ITS_WAY_MS) this.problems.push(`message ${number} came ${lateMs} ms after its expiry`);
  }
}
