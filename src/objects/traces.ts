/**
 * Who watches the packets of a client: over a socket of the Worker's own, which outlives the object's sleep and keeps nothing awake. What is
 * told is bounded for each socket, and a packet that nobody watches costs one look.
 */

import type { Runtime } from "../runtime.ts";
import type { SessionCore } from "../session/core.ts";
import { TRACES_MAX } from "../work-limits.ts";
import type { SocketWire } from "./socket-wire.ts";
import { Tap, Watcher } from "./tap.ts";

/** Says whose packets a socket is told of. Only the Worker reaches an object, and it passes no header of this name on. */
export const TRACE_HEADER = "Durable-MQTT-Trace";

/** What a socket that watches has attached. */
interface Watching {
  readonly trace: string;
}

function watchedBy(socket: WebSocket): string | undefined {
  const attachment = socket.deserializeAttachment() as Partial<Watching> | null;
  return attachment instanceof Uint8Array ? undefined : attachment?.trace;
}

export interface TracesOptions {
  readonly core: () => SessionCore;
  readonly runtime: Runtime;
  readonly acceptWebSocket: (socket: WebSocket) => void;
}

export class Traces {
  readonly #options: TracesOptions;
  readonly #taps = new Map<string, Tap>();
  #count = 0;

  constructor(options: TracesOptions) {
    this.#options = options;
  }

  /** For the packets of a client that connects; undefined when nobody watches it. */
  of(clientId: string): Tap | undefined {
    return this.#count === 0 ? undefined : this.#taps.get(clientId);
  }

  /** After a sleep, when its clients are there again. @returns whether the socket is one that watches */
  restore(socket: WebSocket): boolean {
    const clientId = watchedBy(socket);
    if (clientId !== undefined) this.#add(socket, clientId);
    return clientId !== undefined;
  }

  /** The answer to a request for a socket that watches a client. */
  accept(clientId: string): Response {
    if (this.#count >= TRACES_MAX) return new Response(null, { status: 503 });
    const { 0: outer, 1: inner } = new WebSocketPair();
    this.#options.acceptWebSocket(inner);
    inner.serializeAttachment({ trace: clientId } satisfies Watching);
    this.#add(inner, clientId);
    return new Response(null, { status: 101, webSocket: outer });
  }

  /** A socket has closed. */
  lost(socket: WebSocket): void {
    const clientId = this.#count === 0 ? undefined : watchedBy(socket);
    const tap = clientId === undefined ? undefined : this.#taps.get(clientId);
    if (!tap?.watchers.delete(socket)) return;
    this.#count -= 1;
    if (tap.watchers.size > 0) return;
    this.#taps.delete(clientId!);
    const wire = this.#wireOf(clientId!);
    if (wire !== undefined) wire.tap = undefined;
  }

  #add(socket: WebSocket, clientId: string): void {
    const { core, runtime } = this.#options;
    const tap = this.#taps.get(clientId) ?? new Tap(() => runtime.now());
    this.#taps.set(clientId, tap);
    tap.watchers.set(socket, new Watcher(socket));
    this.#count += 1;
    const connection = core().sessions.get(clientId)?.connection;
    if (connection === undefined) return;
    tap.speaks(connection.version);
    (connection.wire as SocketWire).tap = tap;
  }

  #wireOf(clientId: string): SocketWire | undefined {
    return this.#options.core().sessions.get(clientId)?.connection?.wire as SocketWire | undefined;
  }
}
