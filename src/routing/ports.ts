/**
 * What the routing core needs from outside: rows of routes and retained messages, and a way to the Session objects.
 */

import type { Message } from "../mqtt/message.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { StoredRow } from "../mqtt/record.ts";
import type { ShareDemand, ShareTarget } from "../mqtt/share-target.ts";
import type { TopicCursor } from "../topic/retained-scan.ts";

/** "This Session object wants this filter": one row, whatever the number of its clients. */
export interface RouteRow extends StoredRow {
  readonly filter: string;
  /** The name of the Session object. */
  readonly sessionObject: string;
  /** The highest QoS that any of its clients was granted. */
  readonly qos: QoS;
  /** The version of the interest, counted by the Session object. */
  readonly version: number;
  /** Of a shared subscription: how many members it has there, and how many of them are connected; 0 for other filters. */
  readonly members: number;
  readonly online: number;
}

export interface RetainedRow extends StoredRow {
  readonly topic: string;
  /** The message as bytes of `mqtt/message.ts`. */
  readonly message: Uint8Array;
  /** Milliseconds since the epoch; 0 = never. */
  readonly expiresAt: number;
  /** The user who published it, by a number; missing: nobody, as in rows of before it was kept. */
  readonly owner?: number;
}

/** A retained message without the message. */
export interface Kept {
  /** 0 = nobody. */
  readonly owner: number;
  readonly bytes: number;
}

/** What retained messages take together. */
export interface Holding {
  readonly count: number;
  readonly bytes: number;
}

/** Rows of one Topic object. Each `put` costs one row, each `delete` one if the row existed. Topics are ordered by UTF-8 bytes. */
export interface RoutingStore extends TopicCursor {
  routes(): RouteRow[];
  putRoute(row: RouteRow): void;
  deleteRoute(filter: string, sessionObject: string): void;
  /** The numbers of Topic objects that the rows are complete for (`lineageOf`) or were (`givenLineage`); undefined: none was ever put. */
  lineage(): string | undefined;
  putLineage(lineage: string): void;
  retained(topic: string): RetainedRow | undefined;
  /** The same without reading the message. */
  kept(topic: string): Kept | undefined;
  /** Of all. The first call reads every row, as the first one of `holdingOf` does. */
  holding(): Holding;
  /** Of those of one user. */
  holdingOf(owner: number): Holding;
  /** How many there are, if that needs no row to be read. */
  knownRetainedCount(): number | undefined;
  /** The same, if that needs no more rows to be read than `RETAINED_COUNTED_MAX` and one, and those only once. */
  fewRetainedCount(): number | undefined;
  putRetained(row: RetainedRow): void;
  /** @returns whether there was one */
  deleteRetained(topic: string): boolean;
  /** Deletes what expired before `now` (milliseconds since the epoch), at most `max` rows. @returns how many */
  deleteExpiredRetained(now: number, max: number): number;
}

/**
 * What became of a message that was sent to a Session object, as a 5.0 Reason Code: SUCCESS; QUOTA_EXCEEDED when somebody's queue was full
 * and did not take it; IMPLEMENTATION_SPECIFIC_ERROR when the object could not be reached in time.
 */
export type Delivered = (reasonCode: number) => void;

/** The way to the Session objects: first in, first out for each of them. */
export interface DeliveryPort {
  /**
   * @param addressed to whom there
   * @param done called once the Session object has stored it for its durable sessions and handed it to its connections
   */
  deliver(sessionObject: string, message: Message, addressed: Addressed, done: Delivered | undefined): void;
}

/** To whom in a Session object a message goes. */
export interface Addressed {
  /** To everyone whose subscriptions match. */
  readonly live: boolean;
  /** To one member of each of these shared subscriptions. */
  readonly shares: readonly ShareTarget[];
  /** Where it was offered before, if it is offered again to members of one shared subscription. */
  readonly attempt: Attempt | undefined;
}

/** Where a message of a shared subscription was offered, in vain. */
export interface Attempt {
  /** Session objects that had no member for it, whatever is known of them. */
  readonly without: readonly string[];
  /** Those that did not meet the demand that stands now. */
  readonly declined: readonly string[];
  readonly demand: ShareDemand;
}
