/**
 * MQTT over TCP and TLS in front of a broker that speaks WebSocket: takes connections within bounds, and ends them in an orderly way when it
 * stops. What becomes of one is in connection.ts. Knows nothing of the command line.
 */

import type { Socket } from "node:net";
import { type Clock, systemClock } from "../client/platform.ts";
import { limitedAs } from "../directory/network.ts";
import { type Client, Connection, type Shared } from "./connection.ts";
import { Journal, type Line } from "./journal.ts";
import { OPENING_MAX, SHUTDOWN_MS } from "./limits.ts";
import { type Entrance, Listener, type ListenerOptions } from "./listener.ts";
import { Metrics } from "./metrics.ts";
import { GatewayProblem } from "./problem.ts";
import { Turns } from "./turns.ts";
import type { Broker } from "./upstream.ts";

export interface GatewayOptions {
  readonly listeners: readonly ListenerOptions[];
  readonly broker: Broker;
  /** Connections at a time; no bound without it. */
  readonly connectionsMax?: number | undefined;
  /** Connections of one address (IPv6: of a /64) at a time; no bound without it. */
  readonly perAddressMax?: number | undefined;
  readonly log: (line: Line) => void;
  readonly clock?: Clock;
}

export interface Gateway {
  /** Of its listeners, in their order. */
  readonly ports: readonly number[];
  readonly metrics: Metrics;
  /** @returns the metrics as Prometheus reads them */
  metricsText(): string;
  /** Reads certificates anew; what is wrong with them is logged, and nothing changes then. */
  reload(): void;
  /** Takes no more connections, tells clients of 5.0 why, and ends all within so many milliseconds, SHUTDOWN_MS by default. */
  close(withinMs?: number): Promise<void>;
}

/** @throws GatewayProblem when a port can't be had */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const gateway = new Running(options);
  await gateway.listen();
  return gateway;
}

class Running implements Gateway, Entrance {
  readonly metrics = new Metrics();
  readonly #options: GatewayOptions;
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #turns = new Turns(OPENING_MAX);
  readonly #shared: Shared;
  readonly #listeners: readonly Listener[];
  /** Those that speak MQTT, and before that sockets alone. */
  readonly #connections = new Set<Connection>();
  readonly #sockets = new Set<Socket>();
  readonly #ofAddress = new Map<string, number>();
  #isClosing = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: GatewayOptions) {
    const { broker, listeners, clock = systemClock, log } = options;
    this.#options = options;
    this.#clock = clock;
    this.#journal = new Journal(log, clock);
    const { metrics } = this;
    this.#shared = { broker, turns: this.#turns, metrics, journal: this.#journal, clock, unfinished: { bytes: 0 } };
    const services = { entrance: this, metrics, journal: this.#journal, clock };
    this.#listeners = listeners.map((each) => new Listener(each, services));
  }

  async listen(): Promise<void> {
    try {
      for (const listener of this.#listeners) await listener.listen();
    } catch (error) {
      for (const listener of this.#listeners) listener.close();
      throw error;
    }
  }

  get ports(): readonly number[] {
    return this.#listeners.map(({ port }) => port);
  }

  metricsText(): string {
    return this.metrics.text(this.#turns.waiting);
  }

  reload(): void {
    try {
      for (const listener of this.#listeners) listener.reload();
      this.#journal.notice("certificates were read anew");
    } catch (error) {
      if (!(error instanceof GatewayProblem)) throw error;
      this.#journal.problem("certificates stay as they were", { problem: error.message });
    }
  }

  enter(socket: Socket): boolean {
    const { metrics } = this;
    metrics.accepted += 1;
    if (this.#isClosing || metrics.connections >= (this.#options.connectionsMax ?? Number.POSITIVE_INFINITY)) return false;
    metrics.connections += 1;
    this.#sockets.add(socket);
    socket.once("close", () => {
      metrics.connections -= 1;
      this.#sockets.delete(socket);
      if (metrics.connections === 0) this.#whenEmpty?.();
    });
    return true;
  }

  admit(socket: Socket, address: string): boolean {
    const { perAddressMax } = this.#options;
    if (perAddressMax === undefined) return true;
    const key = limitedAs(address);
    const count = this.#ofAddress.get(key) ?? 0;
    if (count >= perAddressMax) return false;
    this.#ofAddress.set(key, count + 1);
    socket.once("close", () => {
      const left = this.#ofAddress.get(key)! - 1;
      if (left > 0) this.#ofAddress.set(key, left);
      else this.#ofAddress.delete(key);
    });
    return true;
  }

  begin(socket: Socket, client: Client): void {
    const connection = new Connection(socket, client, this.#shared);
    this.#connections.add(connection);
    socket.once("close", () => this.#connections.delete(connection));
  }

  async close(withinMs: number = SHUTDOWN_MS): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#connections) connection.shutDown();
    if (this.metrics.connections > 0) await this.#emptied(withinMs);
    this.#journal.close();
  }

  /** All have gone, or the time is over and they are ended. */
  #emptied(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(withinMs, () => {
        for (const connection of this.#connections) connection.destroy();
        for (const socket of this.#sockets) socket.destroy();
      });
      this.#whenEmpty = () => {
        cancel();
        resolve();
      };
    });
  }
}
