/**
 * What the client runs over: anything that behaves like a WebSocket. The WebSockets of browsers, of Workers (both ends of a WebSocketPair
 * too), of Node and of the package `ws` all do.
 */

import { MqttError } from "./error.ts";

/** What a socket tells its listeners. */
export interface SocketEvent {
  /** `open`, `message`, `close` or `error`. */
  readonly type: string;
  /** Of `message`: an ArrayBuffer or a view of one. */
  readonly data?: unknown;
  /** Of `close`: the status code of the WebSocket. */
  readonly code?: number;
  /** Of `close`. */
  readonly reason?: string;
  /** Of `error`, where the platform says why. */
  readonly message?: string;
}

/** As much of a WebSocket as the client uses. */
export interface Socket {
  /** Set to `arraybuffer`. */
  binaryType?: string;
  /** 0: is being opened, 1: open, 2: is being closed, 3: closed. */
  readonly readyState: number;
  /** Bytes that were given to `send` and are not on their way yet, where the platform tells. */
  readonly bufferedAmount?: number;
  /** Sends a binary frame. May throw when the socket is not open. */
  send(data: Uint8Array<ArrayBuffer>): void;
  /** `close` follows, now or later; with one that never comes the connection is over all the same. */
  close(code?: number, reason?: string): void;
  /** Of the sockets of Workers, which are silent before. */
  accept?(): void;
  /** Listeners stay as long as the socket. */
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: SocketEvent) => void): void;
}

/** The class of a WebSocket: that of the platform, or one that takes its arguments. */
export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

/** Opens a socket for the next connection: asked again for each. What it throws is a connection that could not be made. */
export type SocketFactory = () => Socket | Promise<Socket>;

/** `readyState` of a WebSocket that is open. */
export const OPEN = 1;

/**
 * @param target a URL: `wss://`, `ws://`, or `https://` and `http://` for the same
 * @returns what opens a socket to it; undefined for a socket, which cannot be opened again
 */
export function factoryOf(
  target: string | Socket | SocketFactory,
  subprotocol: string,
  Given: SocketConstructor | undefined,
): SocketFactory | undefined {
  if (typeof target === "function") return target;
  if (typeof target !== "string") return undefined;
  const url = target.replace(/^http/i, "ws");
  // It may hold a token: no message repeats it.
  const wrong = new MqttError("invalid", "URL of the server: expected wss:// or ws://");
  if (!/^wss?:\/\//i.test(url)) throw wrong;
  return () => {
    const Constructor = Given ?? (globalThis as { WebSocket?: unknown }).WebSocket;
    if (Constructor === undefined) throw new MqttError("invalid", "WebSocket: expected that of the platform, or the option");
    try {
      return new (Constructor as SocketConstructor)(url, [subprotocol]);
    } catch {
      throw wrong;
    }
  };
}

/** The bytes of a frame; undefined for a text, which MQTT does not have. */
export function bytesOf(data: unknown): Uint8Array | undefined {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return undefined;
}
