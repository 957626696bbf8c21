/**
 * A client that keeps the rules of MQTT as seen from its side, whatever happens to its connection: it repeats what was not
 * acknowledged, in order, and takes a QoS 2 message once. It writes down what it was promised and what it got.
 */

import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  type Acknowledgement,
  AUTH,
  type Auth,
  CONNACK,
  CONNECT,
  type Connect,
  DISCONNECT,
  NO_PROPERTIES,
  type Packet,
  PINGREQ,
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
  type Will,
} from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { LOGIN_ENDED } from "../../src/session/rights.ts";
import { SCRAM_SHA_256, ScramClient } from "../support/scram-client.ts";
import { contentOf, emptyContent, numberOf } from "./content.ts";
import { wrongReceipt } from "./receipt.ts";
import type { Got, Held, Life, Published } from "./records.ts";
import { RELAY_GONE } from "./relayed.ts";
import type { Line } from "./socket.ts";
import { mayUse, tokenOf, type UserName } from "./users.ts";
import { NO_FAULTS, type World } from "./world.ts";
import { WRONG_PACKETS, type WrongPacket } from "./wrong-packets.ts";

export interface ClientOptions {
  readonly id: string;
  readonly version: ProtocolVersion;
  /** How long its session outlives a connection, seconds; 0 = it does not. Only 5.0 clients choose anything but a long time. */
  readonly expirySeconds: number;
  readonly keepAliveSeconds: number;
  /** How long it takes to acknowledge, milliseconds. */
  readonly slowMs: number;
  /** For 5.0 clients; undefined = as many as the broker likes. */
  readonly receiveMaximum: number | undefined;
  /** What comes with every CONNECT. */
  readonly will: WillOptions | undefined;
  /** Every seventh message is long. */
  readonly long: boolean;
  /** A Worker stands between it and its object. */
  readonly relayed?: boolean;
  /** It uses Topic Aliases. */
  readonly aliases?: boolean;
  /** How many it lets the broker use. */
  readonly aliasesTaken?: number;
  /** Maximum Packet Size; 0 = none. */
  readonly packetBytesMax?: number;
  /** As whom it begins. */
  readonly user?: UserName;
  /** It proves who it is by SCRAM. */
  readonly scram?: boolean;
  /** Instead by tokens, which are over soon. */
  readonly tokens?: boolean;
}

export interface WillOptions {
  readonly qos: QoS;
  readonly delaySeconds: number;
  readonly retain?: boolean;
  readonly expirySeconds?: number;
}

/** What a subscription asks for besides its filter and QoS; 5.0 only. */
export type SubscriptionOptions = Partial<Pick<Held, "identifier" | "noLocal" | "retainAsPublished" | "retainHandling">>;

export interface PublishOptions {
  readonly kind?: Published["kind"];
  readonly expirySeconds?: number;
  /** Before CONNACK, if that has not come. */
  readonly early?: boolean;
}

/** A session of 3.x lasts this long, and one of 5.0 may. */
export const LONG_SECONDS = 100_000;

/** What is on its way through relay and objects may take so long. */
const ON_ITS_WAY_MS = 8_000;

/** A login is over in time, but for what delays alarms. */
const LOGIN_LATE_MS = 240_000;

/** What a CONNECT that was given up may still do to a session is done after so long. */
const ATTEMPT_MS = 60_000;

/** The answers to who says a Client Identifier that is another user's. */
const IDENTIFIER_REFUSED: readonly number[] = [0x85, 2];

/** Return codes and Reason Codes for a wrong password and for what is not allowed. */
const REFUSED_RIGHTS: readonly number[] = [4, 5, 0x86, 0x87];

/** A client that hears nothing for so long after a question takes its connection for dead. */
const PATIENCE_MS = 15_000;

const encoder = new TextEncoder();

interface Outgoing {
  readonly published: Published;
  phase: "publish" | "release";
  /** On which connection it was sent last. */
  connection: number;
}

export class SimulatedClient {
  readonly options: ClientOptions;
  readonly held: Held[] = [];
  readonly got: Got[] = [];
  /** What the broker has told it of others. */
  readonly events: { readonly topic: string; readonly clientid: unknown }[] = [];
  readonly problems: string[] = [];
  readonly lives: Life[] = [];
  /** Milliseconds: its session had ended, or it could not tell. */
  readonly sessionsLost: number[] = [];
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
  #user: UserName;
  /** Whose its session is. */
  #sessionUser: UserName;
  /** As whom it has tried to connect lately, and when; the last one is the latest. */
  #attempts: { readonly user: UserName; readonly at: number }[] = [];
  #scram: ScramClient | undefined;
  #authenticating = false;
  /** When the token that it showed last is over, and the one that was accepted, milliseconds since the epoch. */
  #tokenUntil = Number.POSITIVE_INFINITY;
  #loginUntil = Number.POSITIVE_INFINITY;
  /** Seconds that its session lasts without a connection, as the broker was told last. */
  #lastsSeconds: number;
  /** Topics by the aliases that the broker gave. */
  readonly #given = new Map<number, string>();
  /** Milliseconds: the broker said something. */
  #heardAt = 0;
  /** Milliseconds: it opened a connection. */
  #openedAt = 0;
  #contested = false;
  /** Topic Aliases of this connection, by topic. */
  readonly #aliases = new Map<string, number>();
  readonly #subscribing = new Map<number, (Held | undefined)[]>();
  #packetId = 0;
  #session = 0;
  #generation = 0;
  /** Packet Identifiers that the broker has in flight on this connection. */
  readonly #inflight = new Set<number>();

  constructor(world: World, options: ClientOptions, all: Published[]) {
    this.#world = world;
    this.options = options;
    this.#all = all;
    this.#user = options.user;
    this.#lastsSeconds = options.expirySeconds;
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
    return this.#outgoing.size === 0 && this.#subscribing.size === 0 && !this.#authenticating;
  }

  /** How long its session lasts from the end of its last connection on, as far as it knows: seconds. */
  get lastsSeconds(): number {
    return this.#lastsSeconds;
  }

  get user(): UserName {
    return this.#user;
  }

  /**
   * Opens a connection; an older one of the same client is taken over or dropped.
   * @param user as whom, from now on
   */
  connect(user: UserName = this.#user): void {
    const generation = ++this.#generation;
    this.#user = user;
    this.#attempts.push({ user, at: this.#world.now });
    this.#authenticating = false;
    this.#given.clear();
    if (this.#line !== undefined) this.#older.push(this.#line);
    this.#world.note(`${this.id} connects${this.durable ? "" : ", clean"}`);
    this.#ended("replaced");
    this.#subscribing.clear();
    this.#inflight.clear();
    this.#stream = new PacketStream(1 << 20);
    const { version, keepAliveSeconds } = this.options;
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
      ...this.#credentials(),
      properties: version === 5 ? this.#connectProperties() : NO_PROPERTIES,
    });
    // A CONNACK that does not come in time: the client tries anew.
    world.after(
      PATIENCE_MS,
      current(() => {
        if (!this.#connected && this.#line === line) this.drop();
      }),
    );
  }

  get #usesScram(): boolean {
    return this.options.scram === true && !this.#usesTokens && this.#user !== undefined;
  }

  get #usesTokens(): boolean {
    return this.options.tokens === true && this.#user !== undefined;
  }

  /** User name and password, where those say who it is. */
  #credentials(): Pick<Connect, "userName" | "password"> {
    const isAsked = this.#usesScram || (this.#usesTokens && this.options.version === 5);
    if (isAsked || this.#user === undefined) return { userName: undefined, password: undefined };
    return { userName: this.#user, password: this.#usesTokens ? this.#token() : encoder.encode(this.#user) };
  }

  /** In peace, and where clocks are not right, it lasts. */
  #token(): Uint8Array {
    const world = this.#world;
    const seconds = world.faults === NO_FAULTS || world.clocksJump ? LONG_SECONDS : 20 + world.chance.now(`token of ${this.id}`).below(100);
    const until = Math.ceil(world.now / 1000) + seconds;
    this.#tokenUntil = until * 1000;
    return encoder.encode(tokenOf(this.#user!, until));
  }

  #connectProperties(): Properties {
    const { expirySeconds, receiveMaximum, packetBytesMax = 0, aliasesTaken = 0 } = this.options;
    return {
      ...(this.durable ? { sessionExpiryInterval: expirySeconds } : {}),
      ...(receiveMaximum === undefined ? {} : { receiveMaximum }),
      ...(packetBytesMax === 0 ? {} : { maximumPacketSize: packetBytesMax }),
      ...(aliasesTaken === 0 ? {} : { topicAliasMaximum: aliasesTaken }),
      ...this.#authenticationBegins(),
    };
  }

  #authenticationBegins(): Properties {
    if (this.#usesTokens) return { authenticationMethod: "JWT", authenticationData: this.#token() };
    if (!this.#usesScram) return {};
    this.#scram = new ScramClient(this.#user!, this.#user!, { nonce: `${this.id}-${this.#generation}-${this.#world.now}` });
    return { authenticationMethod: SCRAM_SHA_256, authenticationData: this.#scram.first() };
  }

  /** Says again who it is, on its live connection. */
  reauthenticate(): void {
    const properties = this.options.version === 5 && this.#connected && !this.#authenticating ? this.#authenticationBegins() : {};
    if (properties.authenticationMethod === undefined) return;
    this.#authenticating = true;
    this.#send({ type: AUTH, reasonCode: 0x19, properties });
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

  /** 5.0: says how long its session is to last from now on. */
  disconnectFor(seconds: number): void {
    if (!this.#connected || this.options.version !== 5 || !this.durable) return;
    this.#send({ type: DISCONNECT, reasonCode: 0, properties: { sessionExpiryInterval: seconds } });
    this.#lastsSeconds = seconds;
    this.#ended("disconnect");
    // What is published from now on may find no session.
    for (const held of this.held) held.until ??= this.#world.now;
    this.drop();
  }

  /** 5.0: leaves, and has its will published all the same. */
  disconnectWithWill(): void {
    if (!this.#connected || this.options.version !== 5) return;
    this.#send({ type: DISCONNECT, reasonCode: 4, properties: NO_PROPERTIES });
    this.drop();
  }

  /** Connects once more to end its session, and then leaves. */
  endSession(): void {
    this.#leaves = true;
    this.#loseSession();
    this.connect();
  }

  /** Sends what no client may send. */
  misbehave({ what, bytes }: WrongPacket = WRONG_PACKETS[0]!): void {
    if (!this.#connected) return;
    this.#world.note(`${this.id} sends ${what}`);
    this.#life!.rude = true;
    this.#line?.send(bytes);
  }

  /** Sends what makes no sense, and ends nothing. */
  mumble({ what, bytes }: WrongPacket): void {
    if (!this.#connected) return;
    this.#world.note(`${this.id} sends ${what}`);
    this.#line?.send(bytes);
  }

  /** Asks for a sign of life; without one it gives the connection up. */
  ping(): void {
    if (!this.#connected) return;
    const { now } = this.#world;
    if (now > this.#loginUntil + LOGIN_LATE_MS) this.problems.push("its login is over, and it is still connected");
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

  publish(topic: string, qos: QoS, { kind = "message", expirySeconds = 0, early = false }: PublishOptions = {}): void {
    // Before CONNACK only where nothing older is to be repeated first.
    const may = this.#connected || (early && this.#line !== undefined && this.#outgoing.size === 0 && !this.#usesScram);
    if (!may || this.#outgoing.size >= 20) return;
    const isRetained = kind === "retained" || kind === "clearing";
    const published = this.#begin(topic, qos, kind, this.options.version === 5 ? expirySeconds : 0, isRetained);
    this.#world.note(`${this.id} publishes ${published.number} to ${topic} at QoS ${qos}${kind === "message" ? "" : `, ${kind}`}`);
    if (qos === 0) {
      this.#sendPublish(published, 0, false);
      return;
    }
    const packetId = this.#nextPacketId();
    this.#outgoing.set(packetId, { published, phase: "publish", connection: this.#generation });
    this.#sendPublish(published, packetId, false);
  }

  /**
   * @param early before CONNACK, if that has not come
   * @param beside so many other filters are in the packet, half of them before it: more than are taken at once
   */
  subscribe(filter: string, qos: QoS, options: SubscriptionOptions = {}, early = false, beside = 0): void {
    if (!this.#connected && !(early && this.#line !== undefined && !this.#usesScram)) return;
    // Until SUBACK comes nobody knows which of the two stands.
    for (const other of this.held) if (other.filter === filter) other.until ??= this.#world.now;
    const { identifier = 0, noLocal = false, retainAsPublished = false, retainHandling = 0 } = this.options.version === 5 ? options : {};
    const asked = { filter, qos, identifier, noLocal, retainAsPublished, retainHandling, connection: this.#generation };
    const held: Held = { ...asked, since: undefined, until: undefined, ended: undefined };
    this.held.push(held);
    const packetId = this.#nextPacketId();
    const request = { filter, qos, noLocal, retainAsPublished, retainHandling } as const;
    const subscriptions: SubscriptionRequest[] = Array.from({ length: beside }, (_, index) => ({
      ...request,
      filter: `beside/${index}`,
      noLocal: false,
    }));
    const place = beside >> 1;
    subscriptions.splice(place, 0, request);
    this.#subscribing.set(
      packetId,
      subscriptions.map((each) => (each === request ? held : undefined)),
    );
    const properties = identifier === 0 ? NO_PROPERTIES : { subscriptionIdentifiers: [identifier] };
    this.#send({ type: SUBSCRIBE, packetId, subscriptions, properties });
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

  #begin(topic: string, qos: QoS, kind: Published["kind"], expirySeconds: number, retain: boolean): Published {
    const number = this.#all.length;
    const look = { ...this.options, random: this.#world.chance.now(`message of ${this.id}`) };
    const published: Published = {
      number,
      retain,
      content: kind === "clearing" ? emptyContent(number, look) : contentOf(number, look),
      forbidden: !mayUse(this.#user, topic),
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
    const { expirySeconds = 0, retain = false, qos } = will ?? { qos: 0 };
    return will && this.#begin(`w/${this.id}`, qos, "will", this.options.version === 5 ? expirySeconds : 0, retain);
  }

  #willPacket({ topic, qos, retain, expirySeconds, content: { payload, properties } }: Published): Will {
    const { version, will } = this.options;
    if (version !== 5) return { topic, qos, retain, payload, properties };
    const delay = will!.delaySeconds > 0 ? { willDelayInterval: will!.delaySeconds } : {};
    const expiry = expirySeconds > 0 ? { messageExpiryInterval: expirySeconds } : {};
    return { topic, qos, retain, payload, properties: { ...properties, ...delay, ...expiry } };
  }

  /** The connection is over, in one way or another. */
  #ended(how: NonNullable<Life["end"]>): void {
    this.#connected = false;
    this.#authenticating = false;
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

  /** @param but what was asked and sent on this connection stays */
  #loseSession(but?: number): void {
    this.#session += 1;
    this.sessionsLost.push(this.#world.now);
    this.#hasSession = false;
    for (const [packetId, { connection }] of this.#outgoing) if (connection !== but) this.#outgoing.delete(packetId);
    this.#incoming.clear();
    for (const held of this.held) {
      if (held.connection === but) continue;
      held.until ??= this.#world.now;
      // What was asked before a CONNACK that never came may still be granted: its connection may only be late.
      if (held.since !== undefined) held.ended ??= this.#world.now;
    }
  }

  #sendPublish(published: Published, packetId: number, dup: boolean): void {
    const { retain, expirySeconds, content } = published;
    if (dup) published.repeated = true;
    const { topic, alias } = this.#aliasOf(published.topic);
    const properties = {
      ...content.properties,
      ...(expirySeconds === 0 ? NO_PROPERTIES : { messageExpiryInterval: expirySeconds }),
      ...(alias === undefined ? NO_PROPERTIES : { topicAlias: alias }),
    };
    const packet: Publish = {
      type: PUBLISH,
      dup,
      qos: published.qos,
      retain,
      topic,
      packetId,
      properties,
      propertyBytes: new Uint8Array(0),
      payload: content.payload,
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
    if (this.#connected && this.#world.operator?.mustHaveEnded(this.id)) this.problems.push("it is banned, and its connection goes on");
    this.#stream.push(bytes);
    for (let frame = this.#stream.next(); frame !== undefined; frame = this.#stream.next()) {
      if (!(frame instanceof Uint8Array)) {
        this.problems.push(`the broker sent bytes that can't be read: ${frame.message}`);
        return;
      }
      const { packetBytesMax = 0 } = this.options;
      if (packetBytesMax > 0 && frame.length > packetBytesMax) this.problems.push(`the broker sent a packet of ${frame.length} bytes`);
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
      case AUTH:
        void this.#handleAuth(packet);
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
        const isTaken = packet.reasonCode < 0x80;
        const { published } = outgoing;
        if (isTaken && !published.forbidden) published.acknowledgedAt = this.#world.now;
        if (published.forbidden && isTaken === (this.options.version === 5))
          this.problems.push(`PUBLISH of ${published.number}, which is not allowed, was answered with ${packet.reasonCode}`);
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
        this.#checkCodes(packet);
        for (const [index, held] of (this.#subscribing.get(packet.packetId) ?? []).entries()) {
          if (held === undefined) continue;
          const reasonCode = packet.reasonCodes[index]!;
          this.#world.note(`${this.id} is subscribed to ${held.filter} at QoS ${held.qos}: ${reasonCode}`);
          if (reasonCode < 0x80 && mayUse(this.#user, held.filter)) this.#stands(held);
          else held.until ??= this.#world.now;
          this.#checkGranted(held, reasonCode);
        }
        this.#subscribing.delete(packet.packetId);
        return;
      case UNSUBACK:
        for (const held of this.#subscribing.get(packet.packetId) ?? []) {
          if (held === undefined) continue;
          // What was asked on another connection and not answered may be late, and be granted behind this.
          if (held.since !== undefined || held.connection === this.#generation) held.ended ??= this.#world.now;
        }
        this.#subscribing.delete(packet.packetId);
        return;
      case DISCONNECT:
        if (packet.properties.reasonString === LOGIN_ENDED && this.#world.now < this.#loginUntil) {
          this.problems.push("its login ended before its token did");
        }
        return;
      default:
    }
  }

  /** A CONNECT as another user, which may have come late, has ended the session: this may be one that was begun behind it. */
  get wasTakenOver(): boolean {
    return this.#isAnyones && this.#attempts.some(({ user }) => user !== this.#user);
  }

  get #isAnyones(): boolean {
    return this.#world.settings.choices.clientIdOwner === "anyone";
  }

  /** The session is another user's, as whom it has been here: it tries those in turn. */
  #refusedIdentifier(reasonCode: number): void {
    const others = [{ user: this.#sessionUser }, ...this.#attempts].filter(({ user }) => user !== this.#user);
    if (this.#isAnyones || others.length === 0) this.problems.push(`${this.#user ?? "nobody"} is refused with ${reasonCode}`);
    const triedAt = (tried: UserName): number => this.#attempts.findLastIndex(({ user }) => user === tried);
    this.#user = others.sort((a, b) => triedAt(a.user) - triedAt(b.user))[0]?.user;
  }

  #handleConnack(reasonCode: number, sessionPresent: boolean): void {
    const world = this.#world;
    if (reasonCode !== 0) {
      world.note(`${this.id} was refused: ${reasonCode}`);
      if (IDENTIFIER_REFUSED.includes(reasonCode)) this.#refusedIdentifier(reasonCode);
      else if (REFUSED_RIGHTS.includes(reasonCode) && world.now < this.#tokenUntil && !world.operator?.mayBan(this.id, this.#openedAt))
        this.problems.push(`${this.#user ?? "nobody"} is refused with ${reasonCode}`);
      return;
    }
    if (world.operator?.mustRefuse(this.id, this.#openedAt)) this.problems.push("it is banned, and is let in");
    this.#connected = true;
    this.#loginUntil = this.#tokenUntil;
    // 3.1 does not tell.
    const isPresent = this.options.version === 3 ? this.#hasSession : sessionPresent;
    world.note(`${this.id} is connected, Session Present ${isPresent}`);
    const previous = this.lives.at(-1);
    if (previous !== undefined) {
      previous.backAt ??= world.now;
      previous.resumed ||= isPresent && !this.wasTakenOver;
    }
    this.#meetSession(isPresent, previous === undefined ? 0 : world.now - previous.heardAt);
    if (this.durable) this.#hasSession = true;
    this.#sessionUser = this.#user;
    this.#attempts = this.#attempts.filter(({ at }) => at > world.now - ATTEMPT_MS);
    this.#lastsSeconds = this.options.expirySeconds;
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
    for (const held of this.held) if (held.since === undefined && held.connection !== this.#generation) held.until ??= world.now;
    for (const [packetId, outgoing] of this.#outgoing) {
      if (outgoing.connection === this.#generation) continue;
      outgoing.connection = this.#generation;
      if (outgoing.phase === "publish") this.#sendPublish(outgoing.published, packetId, true);
      else this.#send({ type: PUBREL, packetId, reasonCode: 0, properties: NO_PROPERTIES });
    }
  }

  /** Whether the session that it finds is the one that it had. */
  #meetSession(isPresent: boolean, awayMs: number): void {
    const world = this.#world;
    if (!this.#hasSession) {
      if (isPresent && !this.durable) this.problems.push("the broker resumed a session after Clean Session");
      return;
    }
    const lastsSeconds = Math.min(this.#lastsSeconds, this.options.expirySeconds);
    const isForeign = this.#sessionUser !== this.#user;
    const mayBeGone = this.wasTakenOver || (world.clocksJump ? lastsSeconds < LONG_SECONDS : awayMs >= lastsSeconds * 1000 - ON_ITS_WAY_MS);
    if (isForeign) {
      if (!this.#isAnyones && !mayBeGone) this.problems.push("another user has taken a session that lives");
      const earlier = this.#attempts.slice(0, -1).some(({ user }) => user === this.#user);
      if (isPresent && !earlier && this.options.version !== 3) this.problems.push("a session was resumed by another user");
      this.#loseSession(this.#generation);
      return;
    }
    if (!isPresent) {
      if (!mayBeGone) this.problems.push("the broker lost a durable session");
      this.#loseSession(this.#generation);
    } else if (mayBeGone) {
      // It may be a new one, which another CONNECT began whose CONNACK did not come.
      this.#session += 1;
      this.#incoming.clear();
      for (const { published } of this.#outgoing.values()) published.inDoubt = true;
      for (const held of this.held) if (held.connection !== this.#generation) held.until ??= world.now;
    }
  }

  async #handleAuth({ reasonCode, properties }: Auth): Promise<void> {
    const scram = this.#scram;
    const generation = this.#generation;
    if (reasonCode === 0) {
      this.#authenticating = false;
      this.#loginUntil = this.#tokenUntil;
      if (!this.#usesTokens && scram?.verify(properties.authenticationData) !== true)
        this.problems.push("the broker did not prove that it knows the password");
      return;
    }
    const authenticationData = await scram!.final(properties.authenticationData);
    if (this.#generation !== generation) return;
    this.#send({ type: AUTH, reasonCode: 0x18, properties: { authenticationMethod: SCRAM_SHA_256, authenticationData } });
  }

  /** SUBACK came with success: what stood on the filter before is over. */
  #stands(held: Held): void {
    const { now } = this.#world;
    held.since = now;
    for (const other of this.held) {
      if (other === held) return;
      if (other.filter !== held.filter) continue;
      if (other.since !== undefined) other.ended ??= now;
      // The connection on which that was asked may only be late, and the same be granted once more.
      else if (other.connection !== held.connection) held.until ??= now;
    }
  }

  /** One answer for each SUBSCRIBE, with a code for each filter. */
  #checkCodes({ packetId, reasonCodes }: Suback): void {
    const asked = this.#subscribing.get(packetId)?.length ?? 0;
    if (reasonCodes.length !== asked) this.problems.push(`${asked} filters were answered with ${reasonCodes.length} codes`);
  }

  #checkGranted({ filter, qos }: Held, reasonCode: number): void {
    const { version } = this.options;
    const refused = version === 5 ? 0x87 : version === 4 ? 0x80 : qos;
    const isRight = mayUse(this.#user, filter) ? reasonCode === qos || reasonCode >= 0x80 : reasonCode === refused;
    if (!isRight) this.problems.push(`SUBSCRIBE to ${filter} at QoS ${qos} was answered with ${reasonCode}`);
  }

  #handlePublish(packet: Publish): void {
    const world = this.#world;
    const { packetId, qos, dup, retain } = packet;
    const topic = this.#topicOf(packet);
    if (topic?.startsWith("$events/")) {
      const { clientid } = JSON.parse(new TextDecoder().decode(packet.payload)) as { clientid: unknown };
      this.events.push({ topic, clientid });
      if (qos > 0) this.#answer(PUBACK, packetId);
      return;
    }
    const number = numberOf(packet.payload);
    this.#checkReceipt(packet, topic, number);
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

  /** An alias stands for what it was given with. */
  #topicOf({ topic, properties: { topicAlias } }: Publish): string | undefined {
    if (topicAlias === undefined) return topic;
    const { aliasesTaken = 0 } = this.options;
    if (topicAlias > aliasesTaken) this.problems.push(`the Topic Alias ${topicAlias}, where ${aliasesTaken} are taken`);
    if (topic === "") return this.#given.get(topicAlias);
    this.#given.set(topicAlias, topic);
    return topic;
  }

  #checkReceipt(packet: Publish, topic: string | undefined, number: number | undefined): void {
    if (number === undefined) {
      const isCleared = this.#all.some((each) => each.topic === topic && each.kind === "clearing");
      if (!isCleared) this.problems.push(`an empty message on ${topic}, which nobody published`);
      return;
    }
    const published = this.#all[number];
    if (published === undefined) return;
    const { id, version } = this.options;
    const { now, clocksJump } = this.#world;
    const receiver = { id, version, held: this.held, now, timely: !clocksJump };
    for (const problem of wrongReceipt(published, packet, topic, receiver)) if (this.problems.length < 20) this.problems.push(problem);
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
