/**
 * Who is there under a filter, for those who watch it (`topic/presence.ts`): what the object does that has the filter. Session objects with the filter
 * tell it who comes and goes, once it has asked them to; it tells the watchers, with how many there are, and lists them to who begins to watch.
 *
 * What it knows it knows in memory. When it has forgotten, the first who comes, goes or watches has it ask again all Session objects that want the
 * filter; what they say then is no news. Where what has changed is not known one by one, or is too much, the watchers are told all that are there
 * instead: so a watcher is right again after each such message, whatever he has missed. A report is answered at once, so that none that comes again
 * after a reset is older than one that does not.
 */

import { type FaultPort, guarded } from "../fault.ts";
import { utf8Encode } from "../mqtt/bytes.ts";
import type { Message } from "../mqtt/message.ts";
import { NO_MATCHING_SUBSCRIBERS, SUCCESS } from "../mqtt/reason-code.ts";
import { Bucket } from "../rate.ts";
import type { RoutingCore } from "../routing/core.ts";
import { type Listing, PresenceRoom, type RoomChange } from "../routing/presence-room.ts";
import type { Runtime, Timer } from "../runtime.ts";
import { PRESENCE_ASK_MS, PRESENCE_AT_ONCE_MAX, PRESENCE_FRESH_MS, PRESENCE_RATE, PRESENCE_STATE_MS } from "../share-limits.ts";
import { decodeReport, filterOfPresence, isOfPresence, type Member, presenceTopic } from "../topic/presence.ts";

export interface PresenceTellingOptions {
  readonly routing: () => RoutingCore;
  readonly runtime: Runtime;
  readonly faults: FaultPort;
  readonly publish: (message: Message) => void;
  /** Has a Session object tell who is there under a filter, now and from now on. @param done is told its outcome */
  readonly watch: (sessionObject: string, filter: string, done: (reasonCode: number) => void) => void;
  /** Called when something was told in a tick of its own. */
  readonly told: () => void;
}

/** What is to be told of one client. */
interface Told {
  readonly event: "join" | "leave";
  readonly member: Member;
}

/** A filter that somebody watches. */
interface Watched {
  readonly filter: string;
  readonly room: PresenceRoom;
  /** Milliseconds since the epoch. */
  askedAt: number;
  /** Runs while Session objects are awaited. */
  patience: Timer | undefined;
  /** Who waits until all have told. */
  waiting: (() => void)[];
  /** What has happened and is not told. */
  pending: Told[];
  /** More has happened than is known one by one. */
  isUnclear: boolean;
  readonly bucket: Bucket;
  /** Runs until all that are there are told. */
  state: Timer | undefined;
}

export class PresenceTelling {
  readonly #options: PresenceTellingOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #listing: Listing = { listed: 0 };

  constructor(options: PresenceTellingOptions) {
    this.#options = options;
  }

  /** Whether a message is what a Session object says of those that it has. */
  isReport({ topic }: Message): boolean {
    return isOfPresence(topic);
  }

  /** A Session object wants a filter, or says so again. @param isNew no other one did */
  wanted(sessionObject: string, filter: string, isNew: boolean): void {
    if (isOfPresence(filter) && !this.#watched.has(filterOfPresence(filter))) this.#begin(filterOfPresence(filter), isNew);
    if (!this.#isWatched(filter)) return;
    const watched = this.#watched.get(filter);
    if (watched === undefined) this.#begin(filter, false);
    else if (!watched.room.told.has(sessionObject)) this.#ask(watched, sessionObject);
  }

  /** It wants it no more. */
  unwanted(sessionObject: string, filter: string): void {
    const watched = this.#watched.get(filter);
    if (watched !== undefined) this.#happened(watched, watched.room.drop(sessionObject));
    if (isOfPresence(filter) && !this.#options.routing().isWanted(filter)) this.#end(filterOfPresence(filter));
  }

  /** @returns the outcome of the message: NO_MATCHING_SUBSCRIBERS when nobody watches the filter any more */
  report(sessionObject: string, { topic, payload }: Message): number {
    const filter = filterOfPresence(topic);
    if (!this.#isWatched(filter)) {
      this.#end(filter);
      return NO_MATCHING_SUBSCRIBERS;
    }
    const report = decodeReport(payload);
    const watched = this.#watched.get(filter) ?? this.#begin(filter, false);
    this.#happened(watched, watched.room.take(sessionObject, report));
    return SUCCESS;
  }

  /** Tells who is there, once all Session objects have told it, or it has taken them too long; nothing where nobody watches the filter. */
  whenKnown(filter: string, tell: (state: Message | undefined) => void): void {
    if (!this.#isWatched(filter)) {
      tell(undefined);
      return;
    }
    const watched = this.#watched.get(filter) ?? this.#begin(filter, false);
    const { room, askedAt } = watched;
    const age = this.#options.runtime.now() - askedAt;
    if (room.awaited.size === 0 && (age < 0 || age > PRESENCE_FRESH_MS)) this.#askAll(watched);
    const isThere = (): boolean => this.#watched.get(filter) === watched;
    if (room.awaited.size > 0) watched.waiting.push(() => tell(isThere() ? this.#stateOf(watched, true) : undefined));
    else tell(this.#stateOf(watched, true));
  }

  #isWatched(filter: string): boolean {
    return this.#options.routing().isWanted(presenceTopic(filter));
  }

  /** @param isNew nobody has watched it before */
  #begin(filter: string, isNew: boolean): Watched {
    const now = this.#options.runtime.now();
    const watched: Watched = {
      ...{
        filter,
        room: new PresenceRoom(isNew, this.#listing),
        askedAt: now,
        bucket: new Bucket(PRESENCE_RATE, now),
        waiting: [],
        pending: [],
      },
      ...{ isUnclear: false, patience: undefined, state: undefined },
    };
    this.#watched.set(filter, watched);
    this.#askAll(watched);
    return watched;
  }

  #askAll(watched: Watched): void {
    const { filter, room } = watched;
    const { routing, runtime } = this.#options;
    watched.askedAt = runtime.now();
    const all = [...routing().wanting(filter)];
    for (const sessionObject of all) room.awaited.add(sessionObject);
    for (const sessionObject of all) this.#ask(watched, sessionObject);
    if (room.awaited.size === 0) return;
    watched.patience = runtime.after(PRESENCE_ASK_MS, () => {
      room.giveUp();
      this.#known(watched);
      this.#options.told();
    });
  }

  #ask(watched: Watched, sessionObject: string): void {
    const { room, filter } = watched;
    room.told.add(sessionObject);
    this.#options.watch(sessionObject, filter, (reasonCode) => {
      // It will be asked with what it wants next.
      if (reasonCode >= 0x80) room.told.delete(sessionObject);
    });
  }

  #end(filter: string): void {
    const watched = this.#watched.get(filter);
    if (watched === undefined) return;
    this.#watched.delete(filter);
    watched.room.end();
    watched.patience?.cancel();
    watched.state?.cancel();
    for (const run of watched.waiting.splice(0)) run();
  }

  #happened(watched: Watched, { came, left, isUnclear }: RoomChange): void {
    for (const member of left) watched.pending.push({ event: "leave", member });
    for (const member of came) watched.pending.push({ event: "join", member });
    watched.isUnclear ||= isUnclear;
    this.#known(watched);
  }

  /** Tells what is pending, if all is known that is to be. */
  #known(watched: Watched): void {
    const { room, waiting, pending, bucket, filter } = watched;
    if (room.awaited.size > 0) {
      this.#bound(watched);
      return;
    }
    watched.patience?.cancel();
    watched.patience = undefined;
    const now = this.#options.runtime.now();
    if (watched.isUnclear || pending.length > PRESENCE_AT_ONCE_MAX || !bucket.take(pending.length, now)) this.#tellAllSoon(watched);
    else {
      const messages = pending.splice(0).map(({ event, member }) => {
        const fields = { event, filter, ...member, count: room.count, timestamp: now };
        return this.#message(filter, fields, false);
      });
      this.#send(messages);
    }
    for (const run of waiting.splice(0)) run();
  }

  /** All will be told instead. */
  #bound(watched: Watched): void {
    if (watched.pending.length <= PRESENCE_AT_ONCE_MAX) return;
    watched.pending = [];
    watched.isUnclear = true;
  }

  #tellAllSoon(watched: Watched): void {
    watched.pending = [];
    watched.isUnclear = true;
    watched.state ??= this.#options.runtime.after(PRESENCE_STATE_MS, () => {
      watched.state = undefined;
      // Else when they have.
      if (watched.room.awaited.size > 0) return;
      watched.isUnclear = false;
      this.#send([this.#stateOf(watched, false)]);
      this.#options.told();
    });
  }

  #stateOf({ filter, room }: Watched, retain: boolean): Message {
    const members = [...room.members()];
    const fields = { event: "state", filter, count: room.count, complete: room.isComplete, members };
    return this.#message(filter, { ...fields, timestamp: this.#options.runtime.now() }, retain);
  }

  #send(messages: readonly Message[]): void {
    const { publish, faults } = this.#options;
    for (const message of messages) guarded(faults, "telling who is there", undefined, () => publish(message));
  }

  #message(filter: string, fields: object, retain: boolean): Message {
    return this.#options.routing().names.message(presenceTopic(filter), utf8Encode(JSON.stringify(fields)), retain);
  }
}
