/** A TCP or TLS connection that behaves like the WebSocket that the client of this package runs over: each piece of the stream is a frame. */

import { connect as connectTcp, type Socket as NodeSocket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { CLOSE_MS } from "../client/limits.ts";
import { systemClock } from "../client/platform.ts";
import type { Socket, SocketEvent } from "../client/socket.ts";

type Listener = (event: SocketEvent) => void;

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

export class TcpSocket implements Socket {
  readyState = CONNECTING;
  readonly #socket: NodeSocket;
  readonly #listeners = new Map<string, Listener[]>();
  #cancel: () => void = () => {};

  /** @param tls undefined for plain TCP */
  constructor(host: string, port: number, tls: ConnectionOptions | undefined) {
    const socket = tls === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ...tls });
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      this.readyState = OPEN;
      this.#tell({ type: "open" });
    });
    socket.on("data", (data: Buffer) => this.#tell({ type: "message", data }));
    socket.on("error", ({ message, code }: NodeJS.ErrnoException) =>
      this.#tell({ type: "error", message: message || code || "it failed" }),
    );
    socket.once("close", () => {
      this.readyState = CLOSED;
      this.#cancel();
      this.#tell({ type: "close", code: 1006, reason: "" });
    });
  }

  get bufferedAmount(): number {
    return this.#socket.writableLength;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  #tell(event: SocketEvent): void {
    for (const listener of this.#listeners.get(event.type) ?? []) listener(event);
  }

  send(data: Uint8Array): void {
    this.#socket.write(data);
  }

  close(): void {
    if (this.readyState === CONNECTING) this.#socket.destroy();
    if (this.readyState !== OPEN) return;
    this.readyState = CLOSING;
    this.#socket.end();
    // Who does not close the other half does not hold the process.
    this.#cancel = systemClock.after(CLOSE_MS, () => this.#socket.destroy());
  }
}
