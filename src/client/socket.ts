/**
 * What the client runs over: anything that behaves like a WebSocket. The WebSockets of browsers, of Workers (both ends of a WebSocketPair
 * too), of Node and of the package `ws` all do.
 */

import { MqttError } from "./error.ts";

export interface SocketEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}

export interface Socket {
  binaryType?: string;
  readonly readyState: number;
  /** Bytes that were given to `send` and are not on their way yet, where the platform tells. */
  readonly bufferedAmount?: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  /** Of the sockets of Workers, which are silent before. */
  accept?(): void;
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: SocketEvent) => void): void;
}

export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

/** Opens the next connection: asked again for each. */
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
