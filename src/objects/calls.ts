/**
 * What objects may be asked by others: the methods of each Durable Object class that are meant to be called. The classes implement it, and
 * bindings are typed by it, so that who calls need not know them.
 */

import type { Ban, BanKind } from "../directory/bans.ts";
import type { PutMode, PutResult, UserEntry } from "../directory/core.ts";
import type { Looked, News, Presence } from "../directory/news.ts";
import type { HookMessage, MessageToPublish } from "../hooks/contract.ts";
import type { QoS, SubscriptionRequest } from "../mqtt/packet.ts";
import type { RetainedRow, RouteRow } from "../routing/ports.ts";
import type { MoveReason, MovingPart, Offer } from "../session/move.ts";
import type { PortableMessage, PortableSession } from "../session/portable.ts";
import type { Claimant } from "../session/ports.ts";
import type { Parted } from "../session/session.ts";
import type { Reported } from "../session/system-totals.ts";
import type { Billed, Sample } from "../storage/sqlite-sample-store.ts";
import type { Member } from "../topic/presence.ts";
import type { Adopter } from "./adoption.ts";
import type { Figures, Usage } from "./meter.ts";

/** What takes batches of one other object for as long as that holds it. */
export interface HeldCalls extends Rpc.RpcTargetBranded {
  take(batch: Uint8Array): Promise<Uint8Array>;
}

export interface SessionCalls extends Rpc.DurableObjectBranded {
  /** A batch of messages from a Topic object (`mqtt/batch.ts`). @returns its answer, once everything in it is safe */
  deliver(batch: Uint8Array): Promise<Uint8Array>;
  /** Takes more of them as this call's own (`caller.ts`). */
  hold(): HeldCalls;
  /** The Session object that owns a client now asks for its session, which may be here (`session/move.ts`). */
  offerSession(asker: string, clientId: string, reason: MoveReason, by: Claimant | undefined): Promise<Offer>;
  /** A part of the session, which stays here until it is let go. */
  exportSession(asker: string, clientId: string, from: number, last: boolean): Promise<MovingPart | undefined>;
  /** The session is with who asked for it. */
  letGo(asker: string, clientId: string): Promise<void>;
  /**
   * The directory of the namespace tells of changes, which hold here from now on.
   * @returns whether there is any session here
   */
  learn(news: News): Promise<boolean>;
  /** A message of the Worker's own code. @returns once all who are to keep it have it in rows @throws Error with a sentence for what is none */
  publish(message: MessageToPublish): Promise<void>;
  /**
   * A message of another Worker.
   * @returns once all who are to keep it have it in rows, and what it is to wait for besides has come
   * @throws TypeError with a sentence for what is none
   */
  put(message: MessageToPublish, wait?: AcknowledgedWait, once?: Once): Promise<PutOutcome | Unanswered>;
  /** The same for several, in their order; of none is more waited for than that it is in rows. */
  putAll(messages: readonly MessageToPublish[], once?: Once): Promise<{ readonly outcomes: readonly PutOutcome[] } | Unanswered>;
  /** Another Session object tells what there was of acknowledgements of messages that entered here. */
  acknowledged(object: string, all: readonly Acknowledged[]): Promise<void>;
  /** Another Session object tells of itself: this is the one that sums it up. */
  report(object: string, reported: Reported): Promise<void>;
  /** Its sessions in the order of their Client Identifiers, behind this one; at most so many. */
  clientsAfter(clientId: string, most: number): ClientPage;
  /** A client, connected or with a session that waits; undefined: it has none. */
  client(clientId: string): ClientView | undefined;
  /** Ends the connection of a client (0x98). @returns whether it had one, once what follows is in rows, and sent */
  disconnect(clientId: string): Promise<boolean>;
  /** Subscriptions of all its sessions, in the order of Client Identifiers and filters, behind this place; at most so many. */
  subscriptionsAfter(from: string, most: number): SubscriptionPage;
  /** Those of one session; undefined: there is none. */
  subscriptionsOf(clientId: string): readonly SubscriptionView[] | undefined;
  /** Filters that anybody here is subscribed to, each once, in their order, behind this one; at most so many. */
  filtersAfter(filter: string, most: number): FilterPage;
  /** Who is connected and subscribed to this very filter, in the order of Client Identifiers, behind this one; at most so many. */
  membersAfter(filter: string, clientId: string, most: number): MemberPage;
  /** Messages of a session that its client has not acknowledged: those that were sent, or the others; undefined: there is no session. */
  waitingOf(clientId: string, ask: WaitingAsk): WaitingPage | undefined;
  /** Subscribes a connected client. @returns once that is in rows; undefined: it is not connected */
  subscribeClient(clientId: string, request: SubscriptionRequest): Promise<ActOutcome | undefined>;
  /** Ends a subscription of a connected client. @returns whether there was one, once it is gone from rows; undefined: it is not connected */
  unsubscribeClient(clientId: string, filter: string): Promise<boolean | undefined>;
  /**
   * A message for one connected client, whatever it is subscribed to.
   * @returns once it is in rows, and acknowledged where that is waited for
   * @throws TypeError with a sentence for what is none
   */
  send(
    clientId: string,
    message: MessageToPublish,
    wait?: AcknowledgedWait,
    once?: Once,
  ): Promise<{ readonly outcome: SendOutcome } | Unanswered>;
  /** Its sessions for another broker, behind this Client Identifier: some, each as a whole. */
  sessionsAfter(clientId: string): Promise<PortablePage>;
  /**
   * A session of another broker is to be here from now on.
   * @param replaces instead of one that is here, unless its client is connected
   * @returns once it is in rows, or why it is not
   */
  takeSession(told: PortableSession, replaces: boolean): Promise<TakenSession>;
  /** Of the one object of a namespace: as of a Topic object. */
  retainedFrom(filter: string | undefined, from: string): RetainedMessages;
  keepRetained(messages: readonly PortableMessage[], replaces: boolean): TakenRetained[];
  /** Puts its database back to an earlier moment (`recovery.ts`). @returns a bookmark to undo that */
  recover(to: number | string): Promise<string>;
  /** What it has counted in each minute since this one (since the epoch), and the last one before; nothing where that is not kept. */
  samplesSince(minute: number): readonly Sample[];
  /** What is billed of it, in each of the last months; nothing where that is not kept (`MONITOR`). */
  billed(): readonly Billed[];
  /** What `/metrics` tells of this object. */
  figures(): Figures;
  /** What this object did that is billed, since it woke. */
  usage(): Usage;
}

/** By which something that is asked for again is recognised, and done once (`answers.ts`). */
export interface Once {
  readonly key: string;
  /** Of all that is asked for. */
  readonly digest: string;
}

/**
 * Why something that was asked for with a key is not done, and has no answer. `other`: something else was asked for with the key; `unknown`: it was
 * begun, and nobody knows what became of it; `full`: there is no room for more keys.
 */
export interface Unanswered {
  readonly unanswered: "other" | "unknown" | "full";
}

/** What became of a message of another Worker. */
export interface PutOutcome {
  /** Those from 0x80 on say that not everyone has it. */
  readonly reasonCode: number;
  /** Why it goes nowhere, which may be empty; undefined: it went on. */
  readonly refusal: string | undefined;
  /** Undefined where it went on at QoS 0, or not at all. */
  readonly taken: PutCounts | undefined;
}

export interface PutCounts {
  /** Sessions that have it. */
  readonly sessions: number;
  /** Those of them that are to acknowledge it and whose clients are away. */
  readonly away: number;
  /** Those of them that have acknowledged it, and those whose clients are connected and have not; undefined where nobody has waited for that. */
  readonly acknowledged: number | undefined;
  readonly pending: number | undefined;
}

/** For how long acknowledgements are waited for, at most. */
export interface AcknowledgedWait {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What there was in all of the acknowledgements of one message that were awaited of one object. */
export interface Acknowledged {
  /** Of its receipt. */
  readonly number: number;
  readonly acknowledged: number;
  /** They will never come. */
  readonly over: number;
  /** Their clients are gone. */
  readonly away: number;
}

/** A session, and its client if that is connected. */
export interface ClientView {
  readonly clientId: string;
  /** Undefined for an anonymous client. */
  readonly userName: string | undefined;
  /** Where the client is, or was; empty when that is not known. */
  readonly address: string;
  readonly connected: boolean;
  /** Since when, milliseconds since the epoch; undefined while it is not, or where that is not known. */
  readonly connectedAt: number | undefined;
  /** 3: MQTT 3.1, 4: 3.1.1, 5: 5.0; undefined while it is not connected. */
  readonly version: 3 | 4 | 5 | undefined;
  /** How its last connection ended; undefined where that is not known. */
  readonly parted: Parted | undefined;
  /** When the session ends if its client does not come back, milliseconds since the epoch; undefined while it is connected, Infinity: never. */
  readonly expiresAt: number | undefined;
  readonly subscriptions: number;
  /** Messages of QoS 1 and 2 that it has not acknowledged, sent or not. */
  readonly waiting: number;
  /** Those of them that were not sent. */
  readonly queued: number;
  /** Its messages of QoS 2 whose PUBREL has not come. */
  readonly received: number;
  /** Seconds; 0: none. Undefined while it is not connected. */
  readonly keepAlive: number | undefined;
  /** Session Expiry Interval, seconds. */
  readonly expirySeconds: number;
}

export interface ClientPage {
  readonly clients: readonly ClientView[];
  /** There are more behind the last of them. */
  readonly more: boolean;
}

/** A subscription of a session. */
export interface SubscriptionView {
  readonly clientId: string;
  /** As the client has sent it. */
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: number;
}

export interface SubscriptionPage {
  readonly subscriptions: readonly SubscriptionView[];
  /** Behind which there are more; undefined when there are none. */
  readonly next: string | undefined;
}

export interface FilterPage {
  readonly filters: readonly string[];
  /** There are more behind the last of them. */
  readonly more: boolean;
}

export interface MemberPage {
  readonly members: readonly Member[];
  /** There are more behind the last of them. */
  readonly more: boolean;
}

/** Which messages of a session are asked for. */
export interface WaitingAsk {
  /** Those that were sent and are not acknowledged, or those that wait to be sent. */
  readonly sent: boolean;
  /** The Packet Identifier behind which it begins; 0: with the first. */
  readonly behind: number;
  readonly most: number;
}

export interface WaitingMessage {
  readonly packetId: number;
  /** The Client Identifier of who published it; empty where that is not known. */
  readonly publisher: string;
  /** At the QoS at which it is delivered. */
  readonly message: HookMessage;
}

export interface WaitingPage {
  readonly messages: readonly WaitingMessage[];
  /** The Packet Identifier behind which there are more; undefined when there are none. */
  readonly next: number | undefined;
}

/** What became of what an operator does on behalf of a client. */
export interface ActOutcome {
  /** From 0x80 on it was refused. */
  readonly reasonCode: number;
  /** Why, in words; may be empty. */
  readonly reason: string;
}

/**
 * What became of a message for one client. `sent`: it was given to the client, or waits for its turn; `acknowledged`, `pending` and `over`, where
 * that is waited for: it has acknowledged it, has not in time, or never will: it has refused it, or it was too large for it.
 */
export type SendOutcome = "sent" | "acknowledged" | "pending" | "over" | "away" | "not_authorized" | "full";

export interface PortablePage {
  readonly sessions: readonly PortableSession[];
  /** Client Identifiers of those among them that are too large to be told of. */
  readonly tooLarge: readonly string[];
  /** The Client Identifier behind which there are more; undefined when there are none. */
  readonly next: string | undefined;
}

/** What became of a session that was to be taken: there was one with its Client Identifier already, which stays what it is; or why it can't be. */
export type TakenSession = "taken" | "there" | { readonly problem: string };

/** The same of a retained message and its topic. */
export type TakenRetained = TakenSession;

/** Some of the retained messages of one object. */
export interface RetainedMessages {
  readonly messages: readonly HookMessage[];
  /** The topic at which the next ones begin; undefined when there are no more. */
  readonly next: string | undefined;
}

export interface TopicCalls extends Rpc.DurableObjectBranded {
  /** A batch of publishes and interests from a Session object (`mqtt/batch.ts`). @returns one Reason Code for each record */
  exchange(batch: Uint8Array): Promise<Uint8Array>;
  /** Takes more of them as this call's own (`caller.ts`). */
  hold(): HeldCalls;
  /** Another Topic object asks for routes: there were other Topic objects before. */
  giveRoutes(adopter: Adopter): RouteRow[] | string;
  /** Another Topic object asks for retained messages that it owns now. */
  giveRetained(adopter: Adopter, from: string, stored: readonly string[]): RetainedRow[];
  /** Retained messages whose topics match, or all where there is no filter, from this topic on: as many as are found at a bounded cost, which may be none. */
  retainedFrom(filter: string | undefined, from: string): Promise<RetainedMessages>;
  /** The names of Session objects that want this very filter, in their order, behind this one; at most so many. */
  sessionsWanting(filter: string, object: string, most: number): Promise<readonly string[]>;
  /**
   * Keeps what another broker has retained; who is subscribed is not given it.
   * @param replaces also where there is something
   * @returns what became of each
   */
  keepRetained(messages: readonly PortableMessage[], replaces: boolean): Promise<TakenRetained[]>;
  /** Puts its database back to an earlier moment (`recovery.ts`). @returns a bookmark to undo that */
  recover(to: number | string): Promise<string>;
  /** What is billed of it, in each of the last months; nothing where that is not kept (`MONITOR`). */
  billed(): readonly Billed[];
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
  /** What a Session object has to know that has just woken. @param after the user behind whom it goes on; "" at first */
  recent(after: string): Promise<News>;
  /** The same for one that the directory could not find by itself. */
  enter(presence: Presence): Promise<News>;
  /**
   * A session is about to be put into such an object, or has been, by somebody other than its client: what a client says of itself stands.
   * @param instead it goes where it is still this, of a time before the session was there
   * @returns what stands of the object
   */
  expect(presence: Presence, instead: Presence | undefined): Promise<Presence>;
  /**
   * Session objects that have said that they are there, where each client has its own: in the order of their names, behind this one, at most
   * so many. Their sessions may be over.
   */
  presentAfter(object: string, most: number): Promise<readonly string[]>;
  /** @returns one result for each, when Session objects have been told or are out of reach */
  putUsers(entries: readonly UserEntry[], mode: PutMode): Promise<PutResult[]>;
  /** @returns whether it was there */
  removeUser(user: string): Promise<boolean>;
  user(name: string): Promise<UserView | undefined>;
  /** @param from the name behind which, or the place from 0 at which it begins */
  users(from: string | number, most: number): Promise<{ readonly users: readonly UserView[]; readonly count: number }>;
  /** Users with the hashes of their passwords, for another broker: in the order of their names, behind this one, at most so many. */
  entriesAfter(user: string, most: number): Promise<readonly UserEntry[]>;
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
