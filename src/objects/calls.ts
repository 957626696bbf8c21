/**
 * What objects may be asked by others: the methods of each Durable Object class that are meant to be called. The classes implement it, and
 * bindings are typed by it, so that who calls need not know them.
 */

import type { Ban, BanKind } from "../directory/bans.ts";
import type { PutMode, PutResult, UserEntry } from "../directory/core.ts";
import type { Looked, News, Presence } from "../directory/news.ts";
import type { MessageToPublish } from "../hooks/contract.ts";
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
  /**
   * The directory of the namespace tells of changes, which hold here from now on.
   * @returns whether somebody is connected here
   */
  learn(news: News): Promise<boolean>;
  /** A message of the Worker's own code. @returns once all who are to keep it have it in rows @throws Error with a sentence for what is none */
  publish(message: MessageToPublish): Promise<void>;
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

/** A user as it is told to people: without its password. */
export interface UserView {
  readonly user: string;
  /** JSON. */
  readonly rights: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly changedAt: number;
}

export interface DirectoryCalls extends Rpc.DurableObjectBranded {
  /** What has to be known before a login. @param knownBans the version of the bans that the asker has; -1 for none */
  look(userName: string | undefined, knownBans: number): Promise<Looked>;
  /** What a Session object has to know that has just woken. */
  recent(): Promise<News>;
  /** The same for one that the directory could not find by itself. */
  enter(presence: Presence): Promise<News>;
  /** @returns one result for each, when Session objects have been told or are out of reach */
  putUsers(entries: readonly UserEntry[], mode: PutMode): Promise<PutResult[]>;
  /** @returns whether it was there */
  removeUser(user: string): Promise<boolean>;
  user(name: string): Promise<UserView | undefined>;
  /** @param from the name behind which, or the place from 0 at which it begins */
  users(from: string | number, most: number): Promise<{ readonly users: readonly UserView[]; readonly count: number }>;
  bans(): Promise<readonly Ban[]>;
  /** @returns why that can't be, in a sentence */
  putBan(ban: Ban): Promise<string | undefined>;
  /** @returns whether it was there */
  removeBan(kind: BanKind, who: string): Promise<boolean>;
  /** Puts its database back to an earlier moment (`recovery.ts`). @returns a bookmark to undo that */
  recover(to: number | string): Promise<string>;
  /** What this object did that is billed, since it woke. */
  usage(): Promise<Usage>;
}
