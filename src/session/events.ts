/**
 * Events of the broker (`topic/events.ts`): what happens to clients and to messages that they do not get, as messages of QoS 1 under `$events/`.
 *
 * Off until somebody wants one, which costs one look at a number. Where topics are in this object, that number is that of its routes; else Topic
 * objects tell it when somebody begins to want some, and it stays in a row, so that the object knows it when it wakes. Nobody tells it when that
 * is over: the event that nobody takes says so by its answer.
 *
 * What happens is told at the end of the tick, never in the midst of it, and no more than EVENT_RATE and EVENTS_UNDER_WAY_MAX: what is left out is
 * counted, and the next event says how many there were. Of what is dropped for somebody who hears of dropped messages nothing is told: so no
 * event makes another one.
 */

import { utf8Encode } from "../mqtt/bytes.ts";
import { Message, type Origin } from "../mqtt/message.ts";
import type { QoS, SubscriptionRequest } from "../mqtt/packet.ts";
import {
  ADMINISTRATIVE_ACTION,
  DISCONNECT_WITH_WILL_MESSAGE,
  IMPLEMENTATION_SPECIFIC_ERROR,
  KEEP_ALIVE_TIMEOUT,
  NO_MATCHING_SUBSCRIBERS,
  NORMAL_DISCONNECTION,
  NOT_AUTHORIZED,
  SESSION_TAKEN_OVER,
} from "../mqtt/reason-code.ts";
import { intact, RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import { Bucket } from "../rate.ts";
import { EVENT_LATE_MS, EVENT_RATE, EVENT_TEXT_CHARACTERS_MAX, EVENTS_UNDER_WAY_MAX } from "../share-limits.ts";
import {
  ALL_EVENTS,
  CLIENT_CONNECTED,
  CLIENT_DISCONNECTED,
  EVENT_KINDS,
  EVENT_PROPERTIES,
  EVENT_TOPICS,
  type EventKind,
  eventsOf,
  isOfEvents,
  MESSAGE_DROPPED,
  SESSION_SUBSCRIBED,
  SESSION_UNSUBSCRIBED,
} from "../topic/events.ts";
import type { DropReason, SessionCounters } from "./counters.ts";
import { Deque } from "./deque.ts";
import type { Failures } from "./failures.ts";
import type { Numbers } from "./numbers.ts";
import type { Beginning, ClientPort, Ended, Identity, RouterPort, SessionRow, SessionStore } from "./ports.ts";
import type { Session } from "./session.ts";

/** In the table of sessions, under a name that no client can have [MQTT5-1.5.4-2]. */
const ROW_NAME = "\u0000events";

/** No version of a session: older code leaves such a row alone. */
const ROW_VERSION = 0x45;

type Fields = Readonly<Record<string, string | number | boolean | null>>;

interface Happened {
  readonly kind: EventKind;
  readonly fields: Fields;
}

interface Connected {
  readonly identity: Identity;
  readonly clientId: string;
  readonly beginning: Beginning;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A message that somebody does not get, as far as it is known. */
export interface Dropped {
  readonly topic: string;
  readonly qos: QoS;
  /** The Client Identifier; empty: the broker's own code, or another Worker. */
  readonly publisher: string;
}

/** What it needs of the object. */
export interface EventsOptions {
  readonly router: Pick<RouterPort, "publish" | "wantedEvents" | "tells">;
  readonly store: Pick<SessionStore, "putSession" | "deleteSession">;
  readonly numbers: Numbers;
  readonly counters: SessionCounters;
  readonly failures: Failures;
  /** How a message of the broker's own is named. */
  readonly origin: () => Origin;
  /** Milliseconds since the epoch, of the event at hand. */
  readonly now: () => number;
  /** All clients here are one. */
  readonly isOneClients: boolean;
}

export class Events implements ClientPort {
  readonly #options: EventsOptions;
  #bucket: Bucket | undefined;
  /** What Topic objects have told that somebody wants. */
  #told = 0;
  /** How often they have told it, by kind. */
  readonly #toldTimes = new Map<number, number>();
  /** Of the row; 0 when there is none. */
  #number = 0;
  #isWritten = true;
  readonly #waiting = new Deque<Happened>();
  #underWay = 0;
  /** How many were left out since one was told. */
  #leftOut = 0;
  /** Of an object of one client: its connection, of which nobody was told. */
  #untold: Connected | undefined;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  /** Whether somebody wants events of this kind. */
  wants(kind: EventKind): boolean {
    return ((this.#options.router.wantedEvents ?? this.#told) & kind) !== 0;
  }

  /** Topic objects tell what somebody wants; the same may come again. */
  learn(events: number): void {
    for (const kind of EVENT_KINDS) if ((events & kind) !== 0) this.#toldTimes.set(kind, this.#timesTold(kind) + 1);
    this.#tell(this.#told | (events & ALL_EVENTS));
    const untold = this.#untold;
    if (untold === undefined || !this.wants(CLIENT_CONNECTED)) return;
    this.#untold = undefined;
    if (untold.at > this.#options.now() - EVENT_LATE_MS) this.#connected(untold);
  }

  #timesTold(kind: EventKind): number {
    return this.#toldTimes.get(kind) ?? 0;
  }

  #tell(events: number): void {
    if (events === this.#told) return;
    this.#told = events;
    this.#isWritten = false;
    this.#options.router.tells(events);
  }

  connected(identity: Identity, clientId: string, beginning: Beginning): void {
    const wanted = this.wants(CLIENT_CONNECTED);
    if (!wanted && !this.#options.isOneClients) return;
    const connected = { identity, clientId, beginning, at: this.#options.now() };
    if (wanted) this.#connected(connected);
    else this.#untold = connected;
  }

  #connected({ identity, clientId, beginning, at }: Connected): void {
    const { version, clean, sessionPresent, keepAliveSeconds, sessionExpirySeconds } = beginning;
    this.#add(CLIENT_CONNECTED, {
      ...client(identity, clientId),
      proto_name: version === 3 ? "MQIsdp" : "MQTT",
      proto_ver: version,
      keepalive: keepAliveSeconds,
      clean_start: clean,
      expiry_interval: sessionExpirySeconds,
      session_present: sessionPresent,
      connected_at: at,
    });
  }

  disconnected(identity: Identity, clientId: string, { reasonCode, reason }: Ended, willPublished: boolean): void {
    this.#untold = undefined;
    if (!this.wants(CLIENT_DISCONNECTED)) return;
    this.#add(CLIENT_DISCONNECTED, {
      ...client(identity, clientId),
      reason: endingOf(reasonCode),
      reason_code: reasonCode ?? null,
      reason_string: short(reason),
      will_published: willPublished,
      disconnected_at: this.#options.now(),
    });
  }

  subscribed(identity: Identity, clientId: string, request: SubscriptionRequest): void {
    if (!this.wants(SESSION_SUBSCRIBED)) return;
    const { filter, qos, noLocal, retainAsPublished, retainHandling } = request;
    const options = { qos, nl: noLocal ? 1 : 0, rap: retainAsPublished ? 1 : 0, rh: retainHandling };
    this.#add(SESSION_SUBSCRIBED, { ...client(identity, clientId), topic: short(filter), ...options });
  }

  unsubscribed(identity: Identity, clientId: string, filter: string): void {
    if (this.wants(SESSION_UNSUBSCRIBED)) this.#add(SESSION_UNSUBSCRIBED, { ...client(identity, clientId), topic: short(filter) });
  }

  /** @param session who does not get it; undefined: nobody does @param message undefined where it would have to be looked for */
  dropped(reason: DropReason, session: Session | undefined, message: Dropped | undefined): void {
    if (!this.wants(MESSAGE_DROPPED)) return;
    if ((message !== undefined && isOfEvents(message.topic)) || (session !== undefined && hearsOfDropped(session))) return;
    this.#add(MESSAGE_DROPPED, {
      ...(session === undefined ? NO_CLIENT : client(session.identity, session.clientId)),
      reason,
      topic: message === undefined ? null : short(message.topic),
      qos: message?.qos ?? null,
      from_clientid: message === undefined ? null : short(message.publisher),
    });
  }

  #add(kind: EventKind, fields: Fields): void {
    const { counters } = this.#options;
    const now = this.#options.now();
    this.#bucket ??= new Bucket(EVENT_RATE, now);
    if (this.#waiting.length + this.#underWay >= EVENTS_UNDER_WAY_MAX || !this.#bucket.take(1, now)) {
      counters.eventsLeftOut += 1;
      this.#leftOut += 1;
      return;
    }
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    this.#waiting.push({ kind, fields: { ...fields, timestamp: now, ...(leftOut === 0 ? {} : { left_out: leftOut }) } });
  }

  /** Something has happened that was not told. */
  get isLeft(): boolean {
    return this.#waiting.length > 0;
  }

  /** Tells the next of it. Not to be called in the midst of what the core does. */
  publishNext(): void {
    const happened = this.#waiting.shift();
    if (happened !== undefined) this.#publish(happened);
  }

  #publish({ kind, fields }: Happened): void {
    const { router, counters, failures, origin } = this.#options;
    const times = this.#timesTold(kind);
    this.#underWay += 1;
    let isUnderWay = true;
    const settled = (reasonCode: number): void => {
      if (!isUnderWay) return;
      isUnderWay = false;
      this.#underWay -= 1;
      // Unless somebody has begun to want it while it was on its way.
      if (reasonCode === NO_MATCHING_SUBSCRIBERS && times === this.#timesTold(kind)) this.#tell(this.#told & ~kind);
      else if (reasonCode >= 0x80) counters.eventsLeftOut += 1;
    };
    const payload = utf8Encode(JSON.stringify(fields));
    const fixed = { topic: EVENT_TOPICS[kind], qos: 1, retain: false, propertyBytes: EVENT_PROPERTIES, expiresAt: 0 } as const;
    const message = new Message({ ...fixed, payload, ...origin() });
    const isOn = failures.guard("telling an event", undefined, () => router.publish(message, { settled }, undefined));
    if (!isOn) settled(IMPLEMENTATION_SPECIFIC_ERROR);
  }

  get isUnwritten(): boolean {
    return !this.#isWritten;
  }

  write(): void {
    if (this.#isWritten) return;
    const { store, numbers } = this.#options;
    this.#isWritten = true;
    if (this.#told === 0) {
      if (this.#number !== 0) store.deleteSession(this.#number);
      this.#number = 0;
      return;
    }
    if (this.#number === 0) this.#number = numbers.next();
    const writer = new RecordWriter(8);
    writer.byte(ROW_VERSION);
    writer.integer(this.#told);
    store.putSession({ number: this.#number, clientId: ROW_NAME, state: writer.finish() });
  }

  /** @throws RecordError when the bytes are of another version or end too early: then they are told again, and nothing is left of the row */
  restore(row: SessionRow): void {
    this.#number = row.number;
    this.#isWritten = false;
    const reader = new RecordReader(intact(row).state);
    const version = reader.byte();
    if (version !== ROW_VERSION) throw new RecordError(`events of version ${version}, where ${ROW_VERSION} was expected`);
    const events = reader.integer();
    reader.end();
    this.#told = events & ALL_EVENTS;
    this.#isWritten = true;
    this.#options.router.tells(this.#told);
  }
}

export function isEventsRow({ clientId }: SessionRow): boolean {
  return clientId === ROW_NAME;
}

/** As EMQX says it. */
const REASONS: Readonly<Record<number, string>> = {
  [NORMAL_DISCONNECTION]: "normal",
  [DISCONNECT_WITH_WILL_MESSAGE]: "disconnect_with_will_message",
  [NOT_AUTHORIZED]: "not_authorized",
  [KEEP_ALIVE_TIMEOUT]: "keepalive_timeout",
  [SESSION_TAKEN_OVER]: "takenover",
  [ADMINISTRATIVE_ACTION]: "kicked",
};

/** What an ending is called that came with this Reason Code, or without any. */
export function endingOf(reasonCode: number | undefined): string {
  return reasonCode === undefined ? "socket_closed" : (REASONS[reasonCode] ?? "error");
}

const NO_CLIENT = { clientid: null, username: null, peerhost: null };

function client({ userName, address }: Identity, clientId: string): Fields {
  return {
    clientid: short(clientId),
    username: userName === undefined ? null : short(userName),
    peerhost: address === "" ? null : address,
  };
}

function short(text: string): string {
  return text.length <= EVENT_TEXT_CHARACTERS_MAX ? text : `${text.slice(0, EVENT_TEXT_CHARACTERS_MAX)}…`;
}

function hearsOfDropped({ subscriptions }: Session): boolean {
  for (const filter of subscriptions.keys()) if ((eventsOf(filter) & MESSAGE_DROPPED) !== 0) return true;
  return false;
}
