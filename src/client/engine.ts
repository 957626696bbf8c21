/**
 * The life of a client: one connection after the other over what outlives them (what was published, received and subscribed). Decides
 * when there is a connection and when there is to be another one; what packets mean is decided by those it hands them to.
 */

import { PACKET_NAMES } from "../mqtt/fixed-header.ts";
import {
  AUTH,
  DISCONNECT,
  type Packet,
  PINGRESP,
  type Properties,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBACK,
  UNSUBACK,
} from "../mqtt/packet.ts";
import { SUCCESS } from "../mqtt/reason-code.ts";
import { OpenExchange } from "./authentication.ts";
import { Emitter } from "./emitter.ts";
import { MqttError } from "./error.ts";
import { KeepAlive } from "./keep-alive.ts";
import { CLOSE_MS, END_MS, QUEUE_MAX, RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM } from "./limits.ts";
import type { Link } from "./link.ts";
import { Opening } from "./opening.ts";
import type { ConnectOptions, EndOptions, Server } from "./options.ts";
import { PacketIds } from "./packet-ids.ts";
import { type Clock, systemClock, systemRandom } from "./platform.ts";
import { Publisher } from "./publisher.ts";
import { Reauthentication } from "./reauthentication.ts";
import { Receiver } from "./receiver.ts";
import { Requests } from "./requests.ts";
import { Retry } from "./retry.ts";
import type { SocketFactory } from "./socket.ts";
import { Subscriber } from "./subscriber.ts";

interface Start {
  readonly resolve: () => void;
  readonly reject: (error: MqttError) => void;
}

const ENDED = "The client was ended";

export class Engine {
  readonly options: ConnectOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly emitter = new Emitter();
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;
  readonly requests: Requests;
  clientId: string;
  /** Of the connection of now, or the last one. */
  server: Server | undefined;
  readonly #receiver: Receiver;
  readonly #reauthentication = new Reauthentication();
  readonly #retry: Retry;
  readonly #factory: SocketFactory;
  readonly #reconnects: boolean;
  #opening: Opening | undefined;
  #link: Link | undefined;
  #keepAlive: KeepAlive | undefined;
  /** Of the one thing that is waited for: the next attempt, or the end. */
  #cancelWait: () => void = () => {};
  #start: Start | undefined;
  /** The first connection was made: from then on the session is this client's. */
  #hasSession = false;
  #ending: Promise<void> | undefined;
  #closing: (() => void) | undefined;
  #closed: MqttError | undefined;

  /** @param canReconnect the factory makes more than one socket */
  constructor(options: ConnectOptions, factory: SocketFactory, canReconnect: boolean) {
    const { clock = systemClock, random = systemRandom, reconnect = {}, on = {} } = options;
    this.options = options;
    this.clock = clock;
    this.random = random;
    this.#factory = factory;
    this.#reconnects = canReconnect && reconnect !== false;
    this.#retry = new Retry(reconnect || {}, typeof options.password === "function", clock, random);
    this.clientId = options.clientId ?? `c${Math.floor(random() * 2 ** 32).toString(36)}${Math.floor(random() * 2 ** 32).toString(36)}`;
    const ids = new PacketIds(random);
    this.publisher = new Publisher(ids, options.queueMax ?? QUEUE_MAX);
    this.subscriber = new Subscriber(ids, clock, options.onMessage, {
      failed: (error, message) => {
        if (!this.emitter.emit("failed", error, message)) void Promise.reject(error);
      },
      unclaimed: (message) => this.emitter.emit("unclaimed", message),
      subscribed: (filters) => this.emitter.emit("subscribed", filters),
    });
    this.#receiver = new Receiver(
      (arrival, identifiers) => this.subscriber.route(arrival, identifiers),
      options.receiveMaximum ?? RECEIVE_MAXIMUM,
      options.topicAliasMaximum ?? TOPIC_ALIAS_MAXIMUM,
    );
    this.requests = new Requests(clock, random);
    for (const [name, listener] of Object.entries(on)) this.emitter.on(name as "closed", listener as () => void);
  }

  get isConnected(): boolean {
    return this.#link !== undefined;
  }

  /** Makes the first connection. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#start = { resolve, reject };
      this.#open();
    });
  }

  /** @throws MqttError when nothing more is taken */
  expectOpen(): void {
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#ending !== undefined) throw new MqttError("ended", ENDED);
  }

  #open(): void {
    const { clean = true, version = 5 } = this.options;
    this.#opening = new Opening(this.options, this.clock, {
      connected: (link, server) => this.#connected(link, server),
      packet: (link, packet) => this.#packet(link, packet),
      drained: () => this.publisher.flush(),
      closed: (error) => this.#lost(error),
    });
    // In 3.x a session that began clean cannot be resumed.
    void this.#opening.start(this.#factory, this.clientId, clean && !(this.#hasSession && version === 5));
  }

  #connected(link: Link, server: Server): void {
    const isFirst = !this.#hasSession;
    this.#hasSession = true;
    this.#link = link;
    this.server = server;
    this.clientId = server.clientId;
    this.#retry.connected();
    this.#keepAlive = new KeepAlive(this.clock, link, server.keepAliveSeconds);
    this.#receiver.attach(link, server.sessionPresent);
    this.subscriber.attach(link, server, isFirst);
    this.publisher.attach(link, server);
    this.#start?.resolve();
    this.#start = undefined;
    this.emitter.emit("connected", server);
  }

  #packet(link: Link, packet: Packet): void {
    switch (packet.type) {
      case PUBLISH:
        this.#receiver.published(link, packet);
        return;
      case PUBACK:
      case PUBREC:
      case PUBCOMP:
        this.publisher.acknowledged(link, packet);
        return;
      case PUBREL:
        this.#receiver.released(link, packet);
        return;
      case SUBACK:
      case UNSUBACK:
        this.subscriber.answered(link, packet);
        return;
      case PINGRESP:
        return;
      case AUTH:
        this.#reauthentication.packet(link, packet);
        return;
      case DISCONNECT:
        // 3.x knows it from clients only.
        if (link.version !== 5) link.violated("DISCONNECT");
        else link.disconnected(packet);
        return;
      default:
        link.violated(`${PACKET_NAMES[packet.type]}, which only clients send, or only once`);
    }
  }

  /** The connection is gone, or the attempt at one has failed. */
  #lost(error: MqttError): void {
    const wasConnected = this.#link !== undefined;
    this.#opening = undefined;
    this.#link = undefined;
    this.#keepAlive?.stop();
    this.#receiver.detach();
    this.subscriber.detach();
    this.publisher.detach();
    this.#reauthentication.close(error);
    this.#retry.ended(wasConnected);
    const isEnding = this.#ending !== undefined;
    const willReconnect = !isEnding && this.#hasSession && this.#reconnects && this.#retry.wants(error);
    if (!isEnding && (wasConnected || willReconnect)) this.emitter.emit("disconnected", { error, willReconnect });
    if (!willReconnect) this.#close(isEnding ? undefined : error);
    // A listener may have ended the client.
    else if (this.#closed === undefined) this.#wait();
  }

  #wait(): void {
    const next = this.#retry.next();
    this.#cancelWait = this.clock.after(next.delayMs, () => this.#open());
    this.emitter.emit("reconnecting", next);
  }

  /** For good. @param error undefined when it was ended */
  #close(error: MqttError | undefined): void {
    if (this.#closed !== undefined) return;
    const reason = error ?? new MqttError("ended", ENDED);
    this.#closed = reason;
    this.#cancelWait();
    this.publisher.close(reason);
    this.subscriber.close(reason, error !== undefined);
    this.requests.close(reason);
    this.#start?.reject(reason);
    this.#closing?.();
    this.emitter.emit("closed", error);
  }

  async reauthenticate(): Promise<void> {
    this.expectOpen();
    const { authentication } = this.options;
    if (authentication === undefined) throw new MqttError("invalid", "Reauthenticate: expected authentication");
    const exchange = new OpenExchange(authentication.method, await authentication.begin());
    if (this.#link === undefined) throw new MqttError("lost", "Reauthenticate: expected a connection");
    await this.#reauthentication.begin(this.#link, exchange);
  }

  end(options: EndOptions): Promise<void> {
    // Not within this call: what a socket tells at once has to find that this is the end.
    this.#ending ??= Promise.resolve().then(() => this.#end(options));
    return this.#ending;
  }

  async #end({ timeoutMs = END_MS, ...options }: EndOptions): Promise<void> {
    if (this.#closed !== undefined) return;
    const closed = new Promise<void>((resolve) => {
      this.#closing = resolve;
    });
    if (this.#link !== undefined && timeoutMs > 0) {
      const late = new Promise<void>((resolve) => {
        this.#cancelWait = this.clock.after(timeoutMs, resolve);
      });
      await Promise.race([this.publisher.idle(), late, closed]);
      this.#cancelWait();
    }
    const link = this.#link;
    if (link === undefined) {
      this.#close(undefined);
      this.#opening?.abort(new MqttError("ended", ENDED));
    } else {
      const { reasonCode = SUCCESS } = options;
      // In 3.x DISCONNECT always means that there is to be no will.
      if (reasonCode === SUCCESS || link.version === 5) link.send({ type: DISCONNECT, reasonCode, properties: this.#farewell(options) });
      this.#cancelWait = this.clock.after(CLOSE_MS, () => link.fail(new MqttError("ended", ENDED)));
      link.close();
    }
    await closed;
  }

  /** A session that nobody asked the server to keep ends with the client. */
  #farewell({ sessionExpirySeconds, reasonString }: EndOptions): Properties {
    const { clean = true, sessionExpirySeconds: asked } = this.options;
    const seconds = sessionExpirySeconds ?? (clean && asked === undefined ? 0 : undefined);
    return { sessionExpiryInterval: seconds, reasonString } as Properties;
  }
}
