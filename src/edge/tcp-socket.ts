/**
 * A TCP socket that another Worker or a container has opened, as the relay knows sockets: each piece of the stream is a frame. Bounded: the next
 * piece is read when the relay has had a tick for the last, and a client that takes nothing of much that waits for it is cut off. The
 * platform ends both directions when the other side has ended its own, so that who has said all and closes hears no more.
 */

import { TCP_LINGER_MS, TCP_UNSENT_BYTES_MAX } from "../limits.ts";
import type { Runtime, Timer } from "../runtime.ts";
import type { RelayedSocket } from "./relay.ts";

type Listener = (event: { readonly data?: ArrayBuffer; readonly code?: number }) => void;

/** What is used of the platform's. */
export type RawSocket = Pick<Socket, "readable" | "writable" | "close">;

export class TcpSocket {
  /** What frames are, whatever is asked for. */
  binaryType = "arraybuffer" as const;
  /** Resolves when the connection is over, and all is sent that can be. */
  readonly over: Promise<void>;
  readonly #runtime: Runtime;
  readonly #socket: RawSocket;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #listeners = new Map<string, Listener[]>();
  #unsentBytes = 0;
  #isClosing = false;
  #isOver = false;
  #linger: Timer | undefined;
  #ended: () => void = () => {};

  constructor(socket: RawSocket, runtime: Runtime) {
    this.#runtime = runtime;
    this.#socket = socket;
    this.#reader = socket.readable.getReader();
    this.#writer = socket.writable.getWriter();
    this.over = new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  /** For the relay: what it uses of a WebSocket is here. */
  asRelayed(): RelayedSocket {
    return this as unknown as RelayedSocket;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  #tell(type: "message" | "close" | "error", event: Parameters<Listener>[0]): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }

  accept(): void {
    void this.#read();
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done || this.#isClosing) break;
        // A copy: the platform may use its buffer again.
        if (value.length > 0) this.#tell("message", { data: value.slice().buffer });
        await new Promise<void>((resolve) => void this.#runtime.after(0, resolve));
      }
      if (!this.#isClosing) this.#tell("close", { code: 1000 });
    } catch {
      this.#fail();
    }
  }

  send(data: ArrayBuffer | Uint8Array): void {
    if (this.#isClosing) return;
    const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
    this.#unsentBytes += bytes.length;
    if (this.#unsentBytes > TCP_UNSENT_BYTES_MAX) {
      this.#fail();
      return;
    }
    this.#writer.write(bytes).then(
      () => {
        this.#unsentBytes -= bytes.length;
      },
      () => this.#fail(),
    );
  }

  /** The connection is lost: nothing more can be sent. */
  #fail(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#tell("error", {});
    this.#end();
  }

  /** Sends what waits, for so long, and ends both directions. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#linger = this.#runtime.after(TCP_LINGER_MS, () => this.#end());
    this.#writer.close().then(
      () => this.#end(),
      () => this.#end(),
    );
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#linger?.cancel();
    this.#reader.cancel().catch(() => {});
    this.#socket.close().catch(() => {});
    this.#ended();
  }
}
