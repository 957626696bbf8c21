/**
 * One connection from its socket to CONNACK, with the exchange of AUTH packets between them where there is one; afterwards what comes on
 * it is passed on. It fails or ends once.
 */

import { EMPTY_BYTES } from "../mqtt/bytes.ts";
import { PACKET_NAMES } from "../mqtt/fixed-header.ts";
import { AUTH, CONNACK, type Connack, type Connect, DISCONNECT, type Packet } from "../mqtt/packet.ts";
import { OF_NONE, OpenExchange } from "./authentication.ts";
import { MqttError } from "./error.ts";
import { connectPacket, refusalOf, serverOf } from "./handshake.ts";
import { CONNECT_MS, PACKET_BYTES_MAX } from "./limits.ts";
import { Link } from "./link.ts";
import type { ConnectOptions, Server } from "./options.ts";
import { pack } from "./pack.ts";
import type { Clock } from "./platform.ts";
import type { Socket, SocketFactory } from "./socket.ts";

export interface OpeningEvents {
  connected(link: Link, server: Server): void;
  packet(link: Link, packet: Packet): void;
  drained(): void;
  closed(error: MqttError): void;
}

export class Opening {
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  readonly #events: OpeningEvents;
  #link: Link | undefined;
  #connect: Connect | undefined;
  #bytes = EMPTY_BYTES;
  #exchange: OpenExchange | undefined;
  #isConnected = false;
  #isOver = false;
  #cancel: () => void = () => {};

  constructor(options: ConnectOptions, clock: Clock, events: OpeningEvents) {
    this.#options = options;
    this.#clock = clock;
    this.#events = events;
  }

  async start(factory: SocketFactory, clientId: string, clean: boolean): Promise<void> {
    const { connectTimeoutMs = CONNECT_MS, version = 5 } = this.#options;
    const late = (): void => this.abort(new MqttError("timeout", `The connection could not be made within ${connectTimeoutMs} ms`));
    this.#cancel = this.#clock.after(connectTimeoutMs, late);
    try {
      // Before the socket: a server gives it little time for CONNECT.
      const { password: given, authentication } = this.#options;
      const password = typeof given === "function" ? await given() : given;
      if (authentication !== undefined) this.#exchange = new OpenExchange(authentication.method, await authentication.begin());
      this.#connect = connectPacket(this.#options, { version, clientId, clean, password, exchange: this.#exchange });
      this.#bytes = pack("CONNECT", this.#connect, version, undefined);
      if (!this.#isOver) this.#use(await factory());
    } catch (error) {
      this.abort(error instanceof MqttError ? error : new MqttError("lost", "The connection could not be made", { cause: error }));
    }
  }

  #use(socket: Socket): void {
    const { maximumPacketSize = PACKET_BYTES_MAX } = this.#options;
    const connect = this.#connect!;
    const link = new Link(socket, connect.version, maximumPacketSize, this.#clock, {
      opened: () => link.sendBytes(this.#bytes),
      packet: (packet) => this.#packet(link, packet),
      drained: () => this.#events.drained(),
      closed: (error) => this.#ended(error),
    });
    this.#link = link;
    if (!this.#isOver) link.start();
    // It took too long.
    else link.fail(new MqttError("ended", "The connection is not wanted any more"));
  }

  /** Ends it, in whatever state it is. */
  abort(error: MqttError): void {
    if (this.#link === undefined) this.#ended(error);
    else this.#link.fail(error);
  }

  #ended(error: MqttError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancel();
    this.#events.closed(error);
  }

  #packet(link: Link, packet: Packet): void {
    if (this.#isConnected) this.#events.packet(link, packet);
    else if (packet.type === CONNACK) this.#acknowledged(link, packet);
    else if (packet.type === AUTH && this.#exchange !== undefined) this.#exchange.take(link, packet, () => link.violated(OF_NONE));
    else if (packet.type === DISCONNECT) link.disconnected(packet);
    else link.violated(`${PACKET_NAMES[packet.type]} before CONNACK`);
  }

  #acknowledged(link: Link, packet: Connack): void {
    const connect = this.#connect!;
    const refused = refusalOf(packet, connect.version);
    if (refused !== undefined) link.fail(refused);
    // [MQTT5-3.2.2-2] [MQTT5-3.2.2-4] [MQTT311-3.2.2-1]
    else if (packet.sessionPresent && connect.clean) link.violated("a session, where none was to be there");
    else if (this.#exchange === undefined) this.#connected(link, packet);
    else this.#exchange.take(link, packet, () => this.#connected(link, packet));
  }

  #connected(link: Link, packet: Connack): void {
    this.#isConnected = true;
    this.#cancel();
    this.#events.connected(link, serverOf(packet, this.#connect!));
  }
}
