/**
 * What objects may be asked by others: the methods of each Durable Object class that are meant to be called. The classes implement it, and
 * bindings are typed by it, so that who calls need not know them.
 */

import type { RetainedRow, RouteRow } from "../routing/ports.ts";
import type { MoveReason, MovingPart, Offer } from "../session/move.ts";
import type { Identity } from "../session/ports.ts";
import type { Adopter } from "./adoption.ts";
import type { Figures, Usage } from "./meter.ts";

export interface SessionCalls extends Rpc.DurableObjectBranded {
  /** A batch of messages from a Topic object (`mqtt/batch.ts`). @returns its answer, once everything in it is safe */
  deliver(batch: Uint8Array): Promise<Uint8Array>;
  /** The Session object that owns a client now asks for its session, which may be here (`session/move.ts`). */
  offerSession(asker: string, clientId: string, reason: MoveReason, by: Pick<Identity, "userName"> | undefined): Promise<Offer>;
  /** A part of the session, which stays here until it is let go. */
  exportSession(asker: string, clientId: string, from: number, last: boolean): Promise<MovingPart | undefined>;
  /** The session is with who asked for it. */
  letGo(asker: string, clientId: string): Promise<void>;
  /** Puts its database back to an earlier moment (`recovery.ts`). @returns a bookmark to undo that */
  recover(to: number | string): Promise<string>;
  /** What `/metrics` tells of this object. */
  figures(): Figures;
  /** What this object did that is billed, since it woke. */
  usage(): Usage;
}

export interface TopicCalls extends Rpc.DurableObjectBranded {
  /** A batch of publishes and interests from a Session object (`mqtt/batch.ts`). @returns one Reason Code for each record */
  exchange(batch: Uint8Array): Promise<Uint8Array>;
  /** Another Topic object asks for routes: the number of Topic objects has changed. */
  routesFor(adopter: Adopter): RouteRow[];
  /** Another Topic object asks for retained messages that it owns now. */
  retainedFor(adopter: Adopter, from: string, stored: readonly string[]): RetainedRow[];
  /** Puts its database back to an earlier moment (`recovery.ts`). @returns a bookmark to undo that */
  recover(to: number | string): Promise<string>;
  /** What `/metrics` tells of this object. */
  figures(): Figures;
  /** What this object did that is billed, since it woke. */
  usage(): Usage;
}
