/**
 * The retained messages of a Topic object's topics: at most one for each, in a row of its own and nowhere else. One is kept, takes the place
 * of another or is deleted as messages are published, and who subscribes is given those that match, in slices of bounded cost.
 */

import { type Limits, RETAINED_LOOKS, RETAINED_PAGE_BYTES, RETAINED_PAGE_MESSAGES } from "../limits.ts";
import { type Message, writeMessage } from "../mqtt/message.ts";
import { intact, RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import type { Room } from "../room.ts";
import { RETAINED_BYTES_SHARED, RETAINED_BYTES_SMALL } from "../share-limits.ts";
import { nextTopic } from "../topic/order.ts";
import { allTopics, scanTopics } from "../topic/retained-scan.ts";
import { SlicedCursor } from "../topic/sliced-cursor.ts";
import { readStoredMessage } from "../topic/stored-message.ts";
import type { Kept, RetainedRow, RoutingStore } from "./ports.ts";

const RETAINED_VERSION = 1;

/** Retained messages that can't be read and are told of in one life. */
const TOLD_MAX = 1000;

/** Expired retained messages that are deleted at once when there is no room for another one. */
const EXPIRED_MAX = 1000;

/** Some of the retained messages that match a filter. */
export interface RetainedSlice {
  readonly messages: readonly Message[];
  /** The topic at which the next slice begins; undefined when there are no more. */
  readonly next: string | undefined;
  /** What it cost: places looked at, messages and KiB. */
  readonly work: number;
}

export interface RetainedOptions {
  readonly limits: Limits;
  readonly store: RoutingStore;
  readonly room: Room;
  /** Whether a topic is one of this object; rows of others may be left from another number of Topic objects. */
  readonly owns: (topic: string) => boolean;
  /** Is told in a sentence of each row that can't be read. */
  readonly damaged: (problem: string) => void;
  /** The message under the object's own name. */
  readonly renamed: (message: Message) => Message;
  /** The part that one user may have; 1 = all. */
  readonly userShare: number;
}

export class RetainedMessages {
  readonly #limits: Limits;
  readonly #store: RoutingStore;
  readonly #room: Room;
  readonly #owns: (topic: string) => boolean;
  readonly #damaged: (problem: string) => void;
  readonly #renamed: (message: Message) => Message;
  readonly #userShare: number;
  /** Topics whose retained message can't be read, as far as that was told: once in a life is enough. */
  readonly #told = new Set<string>();

  constructor({ limits, store, room, owns, damaged, renamed, userShare }: RetainedOptions) {
    this.#limits = limits;
    this.#store = store;
    this.#room = room;
    this.#owns = owns;
    this.#damaged = damaged;
    this.#renamed = renamed;
    this.#userShare = userShare;
  }

  /** Undefined until this life has counted them. */
  get knownCount(): number | undefined {
    return this.#store.knownRetainedCount();
  }

  /** The same, where few are counted for it. */
  get fewCount(): number | undefined {
    return this.#store.fewRetainedCount();
  }

  /** [MQTT5-3.3.1-5..8] [MQTT311-3.3.1-5] [MQTT311-3.3.1-10..12]. @returns false when there is no room for it */
  retain(message: Message, now: number, owner?: number): boolean {
    const { topic } = message;
    // One that has expired takes the place of the one before as well, and is gone at once.
    if (message.payload.length === 0 || (message.expiresAt !== 0 && message.expiresAt <= now)) {
      this.#store.deleteRetained(topic);
      return true;
    }
    if (this.#room.isFull) return false;
    const previous = this.#store.kept(topic);
    if (previous === undefined && !this.#hasRoom(now)) return false;
    if (owner !== undefined && !this.#isWithinShare(owner, message.size, previous, now)) return false;
    const writer = new RecordWriter(message.size + 128);
    writer.byte(RETAINED_VERSION);
    writeMessage(writer, message);
    this.#store.putRetained({ topic, message: writer.finish(), expiresAt: message.expiresAt, ...(owner === undefined ? {} : { owner }) });
    return true;
  }

  /** Keeps one that was retained by another broker. @returns whether it did; undefined when its topic has one here, which it does not replace */
  keep(message: Message, replaces: boolean, now: number): boolean | undefined {
    const row = replaces ? undefined : this.#store.retained(message.topic);
    if (row !== undefined && (row.expiresAt === 0 || row.expiresAt > now)) return undefined;
    return this.retain(message, now);
  }

  /** Whether one more topic can be retained: counting reads the whole table once after each start, so only a new topic asks. */
  #hasRoom(now: number): boolean {
    const { retainedMessagesMax } = this.#limits;
    if (this.#store.holding().count < retainedMessagesMax) return true;
    return this.#deletesExpired(now) && this.#store.holding().count < retainedMessagesMax;
  }

  #deletesExpired(now: number): boolean {
    return this.#store.deleteExpiredRetained(now, EXPIRED_MAX) > 0;
  }

  /**
   * Whether the user may have this one. Nothing is counted for one that takes the place of another one of his, as most do, unless it is
   * large and larger; and nobody's share is looked at as long as all together have less.
   */
  #isWithinShare(owner: number, bytes: number, previous: Kept | undefined, now: number): boolean {
    const replaced = previous?.owner === owner ? previous.bytes : undefined;
    if (replaced !== undefined && bytes <= Math.max(replaced, RETAINED_BYTES_SMALL)) return true;
    const countMax = this.#userShare * this.#limits.retainedMessagesMax;
    const bytesMax = this.#userShare * RETAINED_BYTES_SHARED;
    const isWithin = (): boolean => {
      const all = this.#store.holding();
      if (all.count < countMax && all.bytes + bytes <= bytesMax) return true;
      const own = this.#store.holdingOf(owner);
      return (replaced !== undefined || own.count < countMax) && own.bytes - (replaced ?? 0) + bytes <= bytesMax;
    };
    return this.#userShare === 1 || isWithin() || (this.#deletesExpired(now) && isWithin());
  }

  /** @returns whether one look shows that none matches, as it does for most new subscriptions; false says nothing */
  matchesNone(filter: string): boolean {
    const cursor = new SlicedCursor(this.#store, "", 1);
    for (const _topic of scanTopics(filter, cursor)) return false;
    return cursor.stoppedAt === undefined;
  }

  /**
   * A slice of the retained messages that match a filter. Its cost is bounded: a page of messages, or as many places looked at. What it
   * has goes the way of live messages, so that an older value never comes after a newer one.
   * @param filter undefined: of all topics
   * @param from topics before it were in earlier slices
   */
  slice(filter: string | undefined, from: string, now: number): RetainedSlice {
    const cursor = new SlicedCursor(this.#store, from, RETAINED_LOOKS);
    const expired: string[] = [];
    const messages: Message[] = [];
    let bytes = 0;
    let next: string | undefined;
    for (const topic of filter === undefined ? allTopics(cursor) : scanTopics(filter, cursor)) {
      const row = this.#owns(topic) ? this.#store.retained(topic) : undefined;
      if (row === undefined) continue;
      // [MQTT5-3.3.2-5] [5.0/3.3.1.3/expiry]
      if (row.expiresAt !== 0 && row.expiresAt <= now) {
        expired.push(topic);
        continue;
      }
      const message = this.#decode(row);
      if (message === undefined) continue;
      messages.push(this.#renamed(message));
      bytes += message.size;
      if (messages.length < RETAINED_PAGE_MESSAGES && bytes < RETAINED_PAGE_BYTES) continue;
      next = nextTopic(topic);
      break;
    }
    for (const topic of expired) this.#store.deleteRetained(topic);
    const work = 1 + cursor.looks + messages.length + bytes / 1024;
    return { messages, next: next ?? cursor.stoppedAt, work };
  }

  /** @returns undefined for bytes that are no message: such a row is as good as none, until its topic gets another one */
  #decode(row: RetainedRow): Message | undefined {
    const { topic } = row;
    try {
      const reader = new RecordReader(intact(row).message);
      const version = reader.byte();
      if (version !== RETAINED_VERSION) throw new RecordError(`version ${version}, where ${RETAINED_VERSION} was expected`);
      const retained = readStoredMessage(reader);
      reader.end();
      if (retained.topic !== topic) throw new RecordError(`a message for ${JSON.stringify(retained.topic)}`);
      return retained;
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      if (this.#told.size < TOLD_MAX && !this.#told.has(topic))
        this.#damaged(`retained message of ${JSON.stringify(topic)}: ${error.message}`);
      if (this.#told.size < TOLD_MAX) this.#told.add(topic);
      return undefined;
    }
  }
}
