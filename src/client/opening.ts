/**
 * One connection from its socket to CONNACK, with the exchange of AUTH packets between them where there is one; afterwards what comes on
 * it is passed on. It fails or ends once.
 */

import { PACKET_NAMES } from "../mqtt/fixed-header.ts";
import { AUTH, type Auth, CONNACK, type Connack, type Connect, DISCONNECT, type Packet } from "../mqtt/packet.ts";
import { CONTINUE_AUTHENTICATION, NOT_AUTHORIZED } from "../mqtt/reason-code.ts";
import { OpenExchange } from "./authentication.ts";
import { MqttError, refusal } from "./error.ts";
import { connectPacket, refusalOf, serverOf } from "./handshake.ts";
import { CONNECT_MS, PACKET_BYTES_MAX } from "./limits.ts";
import { Link } from "./link.ts";
import type { ConnectOptions, Server } from "./options.ts";
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
  #exchange: OpenExchange | undefined;
  #isConnected = false;
  #isOver = false;
  /** What came while the end of the exchange was looked at. */
  #held: Packet[] | undefined;
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
      if (!this.#isOver) this.#use(await factory());
    } catch (error) {
      this.abort(error instanceof MqttError ? error : new MqttError("lost", "The connection could not be made", { cause: error }));
    }
  }

  #use(socket: Socket): void {
    const { maximumPacketSize = PACKET_BYTES_MAX } = this.#options;
    const connect = this.#connect!;
    const link = new Link(socket, connect.version, maximumPacketSize, this.#clock, {
      opened: () => this.#sendConnect(link),
      packet: (packet) => this.#packet(link, packet),
      drained: () => this.#events.drained(),
      closed: (error) => this.#ended(error),
    });
    this.#link = link;
    if (!this.#isOver) link.start();
    // It took too long.
    else link.fail(new MqttError("ended", "The connection is not wanted any more"));
  }

  #sendConnect(link: Link): void {
    try {
      link.send(this.#connect!);
    } catch (error) {
      // The codec names the field, not what is in it.
      link.fail(new MqttError("invalid", `CONNECT: ${(error as Error).message}`));
    }
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
    if (this.#held !== undefined) this.#held.push(packet);
    else if (this.#isConnected) this.#events.packet(link, packet);
    else if (packet.type === CONNACK) this.#acknowledged(link, packet);
    else if (packet.type === AUTH) this.#authenticate(link, packet);
    else if (packet.type === DISCONNECT) {
      link.fail(refusal("disconnected", "The server ended the connection", packet.reasonCode, packet.properties));
    } else link.violated(`${PACKET_NAMES[packet.type]} before CONNACK`);
  }

  #authenticate(link: Link, packet: Auth): void {
    if (this.#exchange?.accepts(packet) && packet.reasonCode === CONTINUE_AUTHENTICATION) {
      this.#exchange.answer(link, packet).catch((cause) => link.fail(unproved(cause)));
    } else link.violated("AUTH that was not asked for");
  }

  #acknowledged(link: Link, packet: Connack): void {
    const connect = this.#connect!;
    const refused = refusalOf(packet, connect.version);
    // [MQTT5-3.2.2-2] [MQTT311-3.2.2-1]
    const isWrong = (packet.sessionPresent && connect.clean) || (this.#exchange !== undefined && !this.#exchange.accepts(packet));
    if (refused !== undefined) link.fail(refused);
    else if (isWrong) link.violated("CONNACK that is none to this CONNECT");
    else this.#finish(link, packet, serverOf(packet, connect));
  }

  #finish(link: Link, packet: Connack, server: Server): void {
    const connected = (): void => {
      this.#isConnected = true;
      this.#cancel();
      this.#events.connected(link, server);
    };
    try {
      const proof = this.#exchange?.finish(packet);
      if (proof === undefined) connected();
      else this.#await(link, proof, connected);
    } catch (cause) {
      link.fail(unproved(cause));
    }
  }

  #await(link: Link, proof: Promise<void>, connected: () => void): void {
    this.#held = [];
    proof.then(
      () => {
        if (link.isOver) return;
        const held = this.#held!;
        this.#held = undefined;
        connected();
        for (const packet of held) if (!link.isOver) this.#events.packet(link, packet);
      },
      (cause) => link.fail(unproved(cause)),
    );
  }
}

function unproved(cause: unknown): MqttError {
  return new MqttError("protocol", "The server did not prove who it is", { reasonCode: NOT_AUTHORIZED, cause });
}
