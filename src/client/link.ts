/**
 * One Network Connection: packets in and out over one socket. What is sent in one moment leaves in one frame. It ends exactly once, and
 * nothing is told after that. Knows nothing of what packets mean.
 */

import { concatenate } from "../mqtt/bytes.ts";
import { decodeServerPacket } from "../mqtt/decode-server.ts";
import { type ClientPacket, encodeClientPacket } from "../mqtt/encode-client.ts";
import { CONNACK, DISCONNECT, type Disconnect, NO_PROPERTIES, type Packet, type ProtocolVersion } from "../mqtt/packet.ts";
import { PacketStream } from "../mqtt/packet-stream.ts";
import { PROTOCOL_ERROR, UNSUPPORTED_PROTOCOL_VERSION } from "../mqtt/reason-code.ts";
import { VIOLATION, type Violation } from "../mqtt/violation.ts";
import { MqttError, refusal } from "./error.ts";
import { BUFFERED_BYTES_MAX, BUFFERED_LOOK_MS, FRAME_BYTES } from "./limits.ts";
import type { Clock } from "./platform.ts";
import { bytesOf, OPEN, type Socket, type SocketEvent } from "./socket.ts";

export interface LinkEvents {
  opened(): void;
  packet(packet: Packet): void;
  /** What waited in the socket is on its way. */
  drained(): void;
  closed(error: MqttError): void;
}

export class Link {
  readonly version: ProtocolVersion;
  /** Whether anything was sent and heard since whoever looks last looked. */
  sent = false;
  heard = false;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #stream: PacketStream;
  #frame: Uint8Array[] = [];
  #frameBytes = 0;
  #isCongested = false;
  #isOpen = false;
  #isOver = false;
  #problem = "";

  constructor(socket: Socket, version: ProtocolVersion, packetBytesMax: number, clock: Clock, events: LinkEvents) {
    this.version = version;
    this.#socket = socket;
    this.#clock = clock;
    this.#events = events;
    this.#stream = new PacketStream(packetBytesMax);
    this.#stream.version = version;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#open());
    socket.addEventListener("message", (event) => this.#receive(event));
    socket.addEventListener("error", ({ message }) => {
      // Some platforms say why; a URL in it may hold a token.
      if (typeof message === "string" && !message.includes("://")) this.#problem = message;
    });
    socket.addEventListener("close", (event) => this.#closed(event));
  }

  /** Begins, where the socket was opened before too. */
  start(): void {
    const { readyState } = this.#socket;
    try {
      this.#socket.accept?.();
    } catch {
      // It was accepted before.
    }
    if (readyState === OPEN) this.#open();
    else if (readyState > OPEN) this.#closed({ type: "close" });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Messages had better wait: the socket has more than enough to do. */
  get isCongested(): boolean {
    return this.#isCongested;
  }

  #open(): void {
    if (this.#isOpen || this.#isOver) return;
    this.#isOpen = true;
    this.#events.opened();
  }

  send(packet: ClientPacket): void {
    this.sendBytes(encodeClientPacket(packet, this.version));
  }

  sendBytes(bytes: Uint8Array): void {
    this.sent = true;
    this.#frame.push(bytes);
    this.#frameBytes += bytes.length;
    if (this.#frameBytes >= FRAME_BYTES) this.#flush();
    else if (this.#frame.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    if (this.#frame.length === 0) return;
    const frame = concatenate(this.#frame);
    this.#frame = [];
    this.#frameBytes = 0;
    if (this.#isOver) return;
    try {
      this.#socket.send(frame as Uint8Array<ArrayBuffer>);
    } catch {
      this.fail(new MqttError("lost", "The connection was lost: its socket takes nothing more"));
      return;
    }
    if (!this.#isCongested && this.#isFull) this.#lookLater();
  }

  get #isFull(): boolean {
    return (this.#socket.bufferedAmount ?? 0) > BUFFERED_BYTES_MAX;
  }

  /** No platform tells when a socket has room again. */
  #lookLater(): void {
    this.#isCongested = true;
    this.#clock.after(BUFFERED_LOOK_MS, () => {
      if (this.#isOver) return;
      if (this.#isFull) this.#lookLater();
      else {
        this.#isCongested = false;
        this.#events.drained();
      }
    });
  }

  #receive({ data }: SocketEvent): void {
    if (this.#isOver) return;
    this.heard = true;
    const bytes = bytesOf(data);
    if (bytes === undefined) {
      this.violated("a text frame, where MQTT has binary ones", PROTOCOL_ERROR);
      return;
    }
    this.#stream.push(bytes);
    while (!this.#isOver) {
      const whole = this.#stream.next();
      if (whole === undefined) return;
      const packet = whole instanceof Uint8Array ? decodeServerPacket(whole, this.version) : whole;
      if (packet.type === VIOLATION) this.#refuse(packet, whole);
      else this.#events.packet(packet);
    }
  }

  #refuse({ message, reasonCode }: Violation, whole: Uint8Array | Violation): void {
    // A server of 3.x answers 5.0 in its own form: the CONNACK of four bytes with the Return Code 1.
    if (this.version === 5 && whole instanceof Uint8Array && whole.length === 4 && whole[0] === CONNACK << 4 && whole[3] === 1) {
      this.fail(refusal("refused", "The server refused MQTT 5.0", UNSUPPORTED_PROTOCOL_VERSION, NO_PROPERTIES));
    } else this.violated(message, reasonCode);
  }

  /** The server sent what it must not: the connection ends, and in 5.0 the server is told why. */
  violated(what: string, reasonCode: number = PROTOCOL_ERROR): void {
    if (this.version === 5 && this.#isOpen) this.send({ type: DISCONNECT, reasonCode, properties: NO_PROPERTIES });
    this.fail(new MqttError("protocol", `The server broke the protocol: ${what}`, { reasonCode }));
  }

  /** The server has said that it ends the connection, and why. */
  disconnected({ reasonCode, properties }: Disconnect): void {
    this.fail(refusal("disconnected", "The server ended the connection", reasonCode, properties));
  }

  /** Sends what waits and closes the socket. `closed` follows when the other side has closed it too. */
  close(): void {
    this.#flush();
    this.#closeSocket();
  }

  /** The connection is over at once, whatever the other side does. */
  fail(error: MqttError): void {
    if (this.#isOver) return;
    if (this.#isOpen) this.#flush();
    // Sending may have found the end already.
    if (this.#isOver) return;
    this.#isOver = true;
    this.#frame = [];
    this.#stream.clear();
    this.#closeSocket();
    this.#events.closed(error);
  }

  #closeSocket(): void {
    try {
      this.#socket.close(1000);
    } catch {
      // It is closed, or was never open.
    }
  }

  #closed({ code, reason }: SocketEvent): void {
    if (this.#isOver) return;
    const what = this.#isOpen ? "The connection was lost" : "The connection could not be made";
    const why = this.#problem || reason || (code === undefined || code < 1000 ? "" : `the socket was closed with ${code}`);
    this.fail(new MqttError("lost", why === "" ? what : `${what}: ${why}`));
  }
}
