/**
 * A WebSocket that is cut at one packet: whatever goes through it, in both directions and over all connections, is counted packet by
 * packet, and the one that is meant never arrives. So a test goes through every step of an exchange.
 */

import type { Socket, SocketEvent, SocketFactory } from "../../src/client/index.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";

type Listener = (event: SocketEvent) => void;

export class Cut {
  /** Packets that came by. */
  count = 0;
  /** How often it was cut. */
  done = 0;
  readonly #at: ReadonlySet<number>;

  /** @param at the packets, counted from 1, at which it is cut */
  constructor(...at: readonly number[]) {
    this.#at = new Set(at);
  }

  /** @returns whether this packet gets through */
  pass(): boolean {
    this.count += 1;
    if (!this.#at.has(this.count)) return true;
    this.done += 1;
    return false;
  }

  factory(url: string): SocketFactory {
    return () => new CuttingSocket(url, this);
  }
}

class CuttingSocket implements Socket {
  readonly #socket: WebSocket;
  readonly #cut: Cut;
  readonly #out = new PacketStream(Number.POSITIVE_INFINITY);
  readonly #in = new PacketStream(Number.POSITIVE_INFINITY);
  readonly #listeners: Record<string, Listener[]> = {};
  #isOver = false;

  constructor(url: string, cut: Cut) {
    this.#cut = cut;
    this.#socket = new WebSocket(url, "mqtt");
    this.#socket.binaryType = "arraybuffer";
    this.#socket.addEventListener("open", () => this.#tell({ type: "open" }));
    this.#socket.addEventListener("message", ({ data }) => {
      this.#through(this.#in, new Uint8Array(data as ArrayBuffer), (packet) => this.#tell({ type: "message", data: packet }));
    });
    this.#socket.addEventListener("close", () => this.#end());
    this.#socket.addEventListener("error", () => this.#end());
  }

  get readyState(): number {
    return this.#socket.readyState;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners[type] = [...(this.#listeners[type] ?? []), listener];
  }

  #tell(event: SocketEvent): void {
    if (!this.#isOver) for (const listener of this.#listeners[event.type] ?? []) listener(event);
  }

  #through(stream: PacketStream, bytes: Uint8Array, pass: (packet: Uint8Array) => void): void {
    stream.push(bytes.slice());
    for (let packet = stream.next(); packet instanceof Uint8Array && !this.#isOver; packet = stream.next()) {
      if (this.#cut.pass()) pass(packet);
      else this.close();
    }
  }

  send(data: Uint8Array<ArrayBuffer>): void {
    this.#through(this.#out, data, (packet) => this.#socket.send(packet as Uint8Array<ArrayBuffer>));
  }

  close(): void {
    this.#socket.close();
    this.#end();
  }

  #end(): void {
    this.#tell({ type: "close", code: 1006 });
    this.#isOver = true;
  }
}
