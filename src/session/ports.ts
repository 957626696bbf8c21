/**
 * What the session core needs from outside. Every port answers at once: the core never awaits. What takes time leaves through a
 * port and comes back as an event (`SessionCore.settled`). Rows are written before bytes are sent; the host keeps that order by
 * flushing the core before its sockets.
 */

import type { RetainedAsk } from "../mqtt/batch.ts";
import type { Message } from "../mqtt/message.ts";
import type { Connect, Disconnect, ProtocolVersion, Publish, QoS, SubscriptionRequest, Will } from "../mqtt/packet.ts";
import type { StoredRow } from "../mqtt/record.ts";

/** Who a Network Connection speaks for, decided when it connected or authenticated anew. */
export interface Identity {
  /** The authenticated user, or undefined for an anonymous client. */
  readonly userName: string | undefined;
  /** Where the client is, as the platform tells it; empty when that is not known. */
  readonly address: string;
  /**
   * Rights that came with the login, as a text that is the authorizer's own; at most GRANTS_BYTES_MAX. Empty: what the settings give to the
   * user name at the time.
   */
  readonly grants: string;
  /** When the login ends and the connection with it, milliseconds since the epoch; Infinity = never. */
  readonly expiresAt: number;
}

/** Of a session that nobody speaks for. */
export const NOBODY: Identity = { userName: undefined, address: "", grants: "", expiresAt: Number.POSITIVE_INFINITY };

/** `Identity.grants` of a connection that the broker makes to itself for other Workers: a text that no login can have, for those are JSON. */
export const SERVICE_GRANTS = "service";

/** Only the Worker hands over a socket with an identity; whoever else comes has to log in. */
export function isService({ grants }: Pick<Identity, "grants">): boolean {
  return grants === SERVICE_GRANTS;
}

/** Who says a Client Identifier, and may be another one than whose session has it. */
export interface Claimant {
  readonly userName: string | undefined;
  /** A connection of the broker to itself: with no user name either, it is nobody else. Builds before did not say it. */
  readonly isService?: boolean;
}

export function claimantOf(identity: Pick<Identity, "userName" | "grants">): Claimant {
  return { userName: identity.userName, isService: isService(identity) };
}

export function isSameClaimant(one: Claimant, other: Claimant): boolean {
  return one.userName === other.userName && (one.isService ?? false) === (other.isService ?? false);
}

/** What is known of a client besides its CONNECT. */
export interface Caller {
  /** The namespace that it wants to. */
  readonly namespace: string;
  /** Where the client is, as the platform tells it; empty when that is not known. */
  readonly address: string;
  /** The `token` of the URL, a secret; empty when there is none. */
  readonly token: string;
  /** Whom its certificate names, as a gateway says that is believed: it is let in as that user and no other. */
  readonly certifiedUserName?: string;
  /** Has something run when the client is gone, so that nobody waits for the answer any longer. */
  readonly whenGone?: (run: () => void) => void;
  /** What hooks in the Worker's code are given where it is asked about. */
  readonly context?: object;
}

/** An identity that is let in. */
export interface Admission extends Identity {
  /** The Client Identifier that the client has, whatever its CONNECT says; undefined = that of CONNECT. */
  readonly clientId?: string;
}

/**
 * Decides whether a CONNECT is let in. It may take time (hashing, a call to another service): hosts await it before the core sees CONNECT. Who
 * knows at once says it at once: where nothing else is configured nobody waits for a promise.
 */
export interface Authenticator {
  /**
   * @param connect the CONNECT packet; its `clientId` may be empty
   * @returns the identity; or a refusal with a 5.0 Reason Code (0x86 bad user name or password, 0x87 not authorized ...) and a sentence
   *   that is safe to show to the client; or undefined when this is not for it to decide: then the next one is asked, and where there
   *   is none the client is refused
   */
  authenticate(connect: Connect, caller: Caller): Soon<Admission | Refusal | undefined>;
}

/** At once, or when it is known. */
export type Soon<Value> = Value | Promise<Value>;

/**
 * Enhanced authentication (MQTT 5.0, 4.12): methods in which both sides say something several times. Hosts run the exchange of a
 * CONNECT before the core sees it; that of a live connection leaves the core through a ReauthenticationPort.
 */
export interface EnhancedAuthenticator {
  /** The Authentication Methods that `begin` knows, for messages. */
  readonly methods: readonly string[];
  /**
   * @param clientId of CONNECT; may be empty
   * @returns undefined when the method is not known
   */
  begin(method: string, clientId: string, caller: Caller): AuthenticationExchange | undefined;
}

/** One exchange with one client, from its beginning to its success or refusal. */
export interface AuthenticationExchange {
  /**
   * Takes what the client says and tells the answer. One call at a time, and none after a success or a refusal.
   * @param data Authentication Data; empty when the client's packet has none
   */
  step(data: Uint8Array): Promise<AuthenticationStep>;
}

export type AuthenticationStep =
  /** The broker says this and the client has to answer it. */
  | { readonly kind: "continue"; readonly data: Uint8Array }
  /** @property data what the broker says last, if anything */
  | { readonly kind: "success"; readonly identity: Admission; readonly data: Uint8Array | undefined }
  | Refusal;

/** Runs the exchanges of clients that authenticate anew on a live connection, and gives each of them a bounded time. */
export interface ReauthenticationPort {
  /** @returns undefined when the method is not known, for example not any longer */
  begin(method: string, clientId: string, address: string, listener: ReauthenticationListener): Reauthentication | undefined;
}

export interface Reauthentication {
  /** The client said this; the answer comes to the listener. */
  step(data: Uint8Array): void;
  /** Its connection is gone: nothing more comes to the listener. */
  cancel(): void;
}

export interface ReauthenticationListener {
  /** @param now milliseconds since the epoch */
  answered(step: AuthenticationStep, now: number): void;
}

export interface Refusal {
  readonly reasonCode: number;
  readonly message: string;
}

/** Decides at once, on every publish, subscribe and will, what an identity may do. */
export interface Authorizer {
  mayPublish(identity: Identity, clientId: string, topic: string, qos: QoS, retain: boolean): boolean;
  /**
   * Whether it may have all that the filter can match.
   * @param topicFilter without `$share/{name}/`
   */
  maySubscribe(identity: Identity, clientId: string, topicFilter: string, qos: QoS): boolean;
  /** Whether it may go on having a subscription that it was granted before; where this is missing: what `maySubscribe` says. */
  readonly mayKeep?: ((identity: Identity, clientId: string, topicFilter: string, qos: QoS) => boolean) | undefined;
  /** Whether what comes for it is looked at one by one, by `mayReceive`. */
  limitsReceive(identity: Identity, clientId: string): boolean;
  /** Whether it may be given this: it is not denied, and a subscription that brings it may be allowed. */
  mayReceive(identity: Identity, clientId: string, topic: string): boolean;
}

/** What the Worker's code makes of a message; undefined: it goes as it is. */
export type PublishVerdict =
  | undefined
  /** It goes like this, under the topic that stands in it. */
  | { readonly publish: Publish }
  /** It goes nowhere. */
  | {
      readonly reasonCode: number;
      /** For a 5.0 client; empty = none. */
      readonly reason: string;
      /** Nobody has meant that: the code has failed, and a repeat may find it well. */
      readonly isFault: boolean;
    };

/** The code has been asked and takes its time: nothing has happened to the packet, which is to come again when the code has answered. */
export const HELD = "held";

/** Asks the Worker's code about the PUBLISH packets of one connection, in their order. */
export interface PublishAsker {
  /** @param topic the Topic Name, which a Topic Alias may stand for in the packet */
  ask(publish: Publish, topic: string): PublishVerdict | typeof HELD;
}

/** Asks it about Will Messages when they are published. */
export interface WillAsker {
  /** @param decided called once, at once or later, in an event of its own then */
  askWill(identity: Identity, clientId: string, will: Will, decided: (verdict: PublishVerdict, now: number) => void): void;
}

/** Why a connection is over. */
export interface Ended {
  /** Of the DISCONNECT that came or was sent, or would have been in 5.0; undefined: its socket was closed or lost without one. */
  readonly reasonCode: number | undefined;
  /** For people; may be empty. */
  readonly reason: string;
}

/** Is told what happens to clients, after it has happened. Never throws. */
export interface ClientPort {
  connected(identity: Identity, clientId: string, beginning: Beginning): void;
  /** @param willPublished its Will Message went out with that; false as well where it has none, or where that is still to come */
  disconnected(identity: Identity, clientId: string, ended: Ended, willPublished: boolean): void;
  /** A subscription was granted, new or in the place of another one of the same filter. */
  subscribed(identity: Identity, clientId: string, request: SubscriptionRequest): void;
  /** A subscription ended before its session has: by UNSUBSCRIBE, or because its client may not have it any more. */
  unsubscribed(identity: Identity, clientId: string, filter: string): void;
}

/** How a connection begins. */
export interface Beginning {
  readonly version: ProtocolVersion;
  /** Clean Start, or Clean Session. */
  readonly clean: boolean;
  readonly sessionPresent: boolean;
  /** 0 = none. */
  readonly keepAliveSeconds: number;
  readonly sessionExpirySeconds: number;
}

/**
 * A session that outlives memory: one row. Written when it begins, when its connection ends, and when state changes that must not
 * repeat (QoS 2); acknowledgements of QoS 1 ride along.
 */
export interface SessionRow extends StoredRow {
  /** Names the session in chunks and subscriptions; never reused within an object. */
  readonly number: number;
  readonly clientId: string;
  /** What the session is for and how far it is: versioned bytes of `session/codec.ts`. */
  readonly state: Uint8Array;
}

export interface SubscriptionRow extends StoredRow {
  readonly sessionNumber: number;
  readonly filter: string;
  /** QoS, No Local, Retain As Published, Retain Handling as the byte of SUBSCRIBE. */
  readonly options: number;
  /** 0 when it has none. */
  readonly subscriptionIdentifier: number;
}

/** A Will Message of a connected client, or of one that is gone and whose Will Delay runs. */
export interface WillRow extends StoredRow {
  readonly clientId: string;
  /** The will as versioned bytes of `session/codec.ts`, with the time it is due. */
  readonly will: Uint8Array;
}

/** A page of the incoming QoS 2 exchanges of a session that has many. */
export interface ExchangeRow extends StoredRow {
  readonly sessionNumber: number;
  readonly page: number;
  /** Versioned bytes of `session/received.ts`. */
  readonly exchanges: Uint8Array;
}

/** Retained messages that a subscription is owed by one Topic object. */
export interface OwedRow extends StoredRow {
  readonly sessionNumber: number;
  /** Never given twice within an object. */
  readonly id: number;
  readonly filter: string;
  readonly place: string;
  /** Those before this topic were given. */
  readonly from: string;
}

/** A Topic Alias of a live connection whose aliases have no room in its attachment. */
export interface AliasRow extends StoredRow {
  readonly connectionNumber: number;
  readonly alias: number;
  readonly topic: string;
}

/** What a start has to know of a piece of the message log. */
export interface ChunkHeads extends StoredRow {
  readonly number: number;
  /** Versioned bytes of `session/chunk-heads.ts`, or no such: all is in the records alone. */
  readonly heads: Uint8Array;
}

/** A piece of the message log: records of messages and who still has to get them. */
export interface ChunkRecords extends StoredRow {
  readonly number: number;
  /** Versioned bytes of `session/chunk.ts`. */
  readonly records: Uint8Array;
}

export type ChunkRow = ChunkHeads & ChunkRecords;

/** Rows of one Session object. Each `put` costs one row whether it inserts or replaces; each `delete` one per row that existed. */
export interface SessionStore {
  sessions(): SessionRow[];
  subscriptions(): SubscriptionRow[];
  /** In the order in which their clients first had one. */
  wills(): WillRow[];
  /** The first of the chunks with numbers above `after`, at most so many, in order of their numbers. */
  chunkHeads(after: number, most: number): ChunkHeads[];
  chunk(number: number): ChunkRecords | undefined;
  exchanges(): ExchangeRow[];
  aliases(): AliasRow[];
  owed(): OwedRow[];
  putSession(row: SessionRow): void;
  /** Deletes the session, its subscriptions, its exchanges and what it is owed. */
  deleteSession(number: number): void;
  putSubscription(row: SubscriptionRow): void;
  deleteSubscription(sessionNumber: number, filter: string): void;
  putExchanges(row: ExchangeRow): void;
  deleteExchanges(sessionNumber: number, page: number): void;
  putOwed(row: OwedRow): void;
  deleteOwed(sessionNumber: number, id: number): void;
  putAlias(row: AliasRow): void;
  /** Deletes those of one connection. */
  deleteAliases(connectionNumber: number): void;
  putWill(row: WillRow): void;
  deleteWill(clientId: string): void;
  putChunk(row: ChunkRow): void;
  deleteChunk(number: number): void;
}

/** A delivery to the routing side that will be answered: the core recognises its own object when it comes back. */
export interface Ticket {
  /**
   * @param reasonCode the 5.0 Reason Code of the outcome; 0x80 and above: it was not done, and nothing may be acknowledged
   */
  settled(reasonCode: number): void;
}

/** A filter that a Session object wants. */
export interface Wanted {
  readonly filter: string;
  /** The highest QoS of its clients. */
  readonly qos: QoS;
  /** Of the interest; a Topic object forgets an interest only by the word of a version that is not older. */
  readonly version: number;
  /** A session that is kept wants it: it is to be in rows before the ticket is settled. */
  readonly lasting: boolean;
}

/** The way to the objects that own topics. Calls of one core arrive there in the order in which they were made, per Topic object. */
export interface RouterPort {
  /**
   * @param ticket undefined when nobody waits for the outcome (QoS 0)
   * @param owner the user whom it counts for while it is retained; undefined: nobody
   */
  publish(message: Message, ticket: Ticket | undefined, owner: number | undefined): void;
  /**
   * This Session object wants the filter from now on.
   * @param ticket settled once all Topic objects concerned have it
   */
  subscribe(wanted: Wanted, ticket: Ticket): void;
  /** Nobody here wants the filter any longer. */
  unsubscribe(filter: string, version: number): void;
  /** The events (`topic/events.ts`) that somebody wants, where that is known here at any time; undefined where Topic objects tell of it. */
  readonly wantedEvents: number | undefined;
  /** The events that this Session object tells from now on. */
  tells(events: number): void;
  /** The Topic objects that have topics which a filter may match; other ones when their number has changed. */
  places(filter: string): readonly string[];
  /**
   * Asks for retained messages, from one of the `places` of their filter.
   * @param ticket settled once the page has come (`takePage`), with NOTHING_RETAINED instead of an empty one, or when it can't be had
   */
  ask(place: string, ask: RetainedAsk, ticket: Ticket): void;
  /**
   * The members that this Session object has in a shared subscription.
   * @param filter the whole filter, `$share/` included
   * @param members 0 = none any longer
   * @param online how many of them are connected
   */
  share(filter: string, members: number, online: number, version: number, ticket: Ticket | undefined): void;
  /**
   * A message that a member of a shared subscription did not acknowledge before its session ended, or has no place for: for a member elsewhere.
   * @param ticket settled once one has it, with NO_MATCHING_SUBSCRIBERS where none is left
   * @param isLeft nobody here keeps it any more: it has a place on the way beyond what may wait there
   * @returns false when there is nowhere else, or no place on the way: then its ticket is not settled
   */
  redistribute(message: Message, filter: string, ticket: Ticket | undefined, isLeft: boolean): boolean;
}

/** What came over a connection and was not handled yet: it waits behind a packet that takes its time, or for its turn. */
export interface Unhandled {
  /**
   * The connection is over, and what waits is given up.
   * @returns the DISCONNECT in it, if there is one: unlike the others its client does not send that one again
   */
  takeDisconnect(): Disconnect | undefined;
}

/** One socket of the host. Bytes are gathered and leave when the host flushes, after the rows. */
export interface Wire {
  send(bytes: Uint8Array): void;
  /** Sends what was gathered, then closes. @param code a WebSocket close code @param reason at most 123 bytes, may be shown to people */
  close(code: number, reason: string): void;
  /** What must survive hibernation with the socket, versioned bytes of `session/codec.ts`; at most ATTACHMENT_BYTES_MAX. */
  attach(state: Uint8Array): void;
}
