/**
 * What the routing core needs from outside: rows of routes and retained messages, and a way to the Session objects.
 */

import type { Message } from "../mqtt/message.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { TopicCursor } from "../topic/retained-scan.ts";

/** "This Session object wants this filter": one row, whatever the number of its clients. */
export interface RouteRow {
  readonly filter: string;
  /** The name of the Session object. */
  readonly sessionObject: string;
  /** The highest QoS that any of its clients was granted. */
  readonly qos: QoS;
  /** The version of the interest, counted by the Session object. */
  readonly version: number;
}

export interface RetainedRow {
  readonly topic: string;
  /** The message as bytes of `mqtt/message.ts`. */
  readonly message: Uint8Array;
  /** Milliseconds since the epoch; 0 = never. */
  readonly expiresAt: number;
}

/** Rows of one Topic object. Each `put` costs one row, each `delete` one if the row existed. Topics are ordered by UTF-8 bytes. */
export interface RoutingStore extends TopicCursor {
  routes(): RouteRow[];
  putRoute(row: RouteRow): void;
  deleteRoute(filter: string, sessionObject: string): void;
  retained(topic: string): RetainedRow | undefined;
  retainedCount(): number;
  putRetained(row: RetainedRow): void;
  /** @returns whether there was one */
  deleteRetained(topic: string): boolean;
  /** Deletes what expired before `now` (milliseconds since the epoch), at most `max` rows. @returns how many */
  deleteExpiredRetained(now: number, max: number): number;
}

/** The way to the Session objects: first in, first out for each of them. */
export interface DeliveryPort {
  /**
   * @param retained the subscription that asked for this retained message; undefined for a live message
   * @param done called once the Session object has stored it for its durable sessions and handed it to its connections;
   *   `delivered` is false if it could not be reached in time
   */
  deliver(
    sessionObject: string,
    message: Message,
    retained: RetainedTarget | undefined,
    done: ((delivered: boolean) => void) | undefined,
  ): void;
}

export interface RetainedTarget {
  readonly clientId: string;
  readonly filter: string;
}
