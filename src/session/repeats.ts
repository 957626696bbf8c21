/**
 * Recognises messages that come a second time because a call between objects failed after it ran. A message is named by the object
 * where it entered the broker and its number there. What comes from one origin through one Topic object comes in the order of its
 * numbers, so one number per pair is enough; a QoS 2 message that its publisher repeats after its origin lost its memory comes out of
 * order, so those are also remembered one by one; a PUBLISH that its publisher repeats after a crash of the origin comes late and is
 * looked up by itself.
 */

import { REPEAT_WINDOW_MS } from "../limits.ts";
import type { Message } from "../mqtt/message.ts";
import type { RecordReader, RecordWriter } from "../mqtt/record.ts";

interface Seen {
  through: number;
  at: number;
}

/** Origins remembered at once: with an object for each client ID there may be many. The oldest are forgotten first. */
const ORIGINS_MAX = 4096;

/** Pairs written with each chunk of the log. */
const STORED_MAX = 256;

/** QoS 2 messages remembered one by one. The oldest are forgotten first. */
const EXCHANGES_MAX = 10_000;

export class Repeats {
  /** By "origin through Topic object", oldest first. */
  readonly #seen = new Map<string, Seen>();
  /** QoS 2 messages by "origin number", with the time when they came, oldest first. */
  readonly #exchanges = new Map<string, number>();

  /**
   * @param via the Topic object that sent it
   * @returns whether it was here before; if not, it is remembered
   */
  isRepeat(message: Message, via: string, now: number): boolean {
    if (message.qos === 2) {
      const exchange = exchangeKey(message);
      if (message.repeated && this.#exchanges.has(exchange)) return true;
      this.#noteExchange(exchange, now);
      if (message.repeated) return false;
    }
    const key = `${message.origin} ${via}`;
    const seen = this.#seen.get(key);
    if (seen !== undefined && message.sequence <= seen.through) return true;
    if (seen === undefined) {
      if (this.#seen.size >= ORIGINS_MAX) this.#seen.delete(this.#seen.keys().next().value!);
      this.#seen.set(key, { through: message.sequence, at: now });
    } else {
      seen.through = message.sequence;
      seen.at = now;
    }
    return false;
  }

  /** A message that a restart found in the log. */
  noteStored(message: Message, now: number): void {
    if (message.qos === 2) this.#noteExchange(exchangeKey(message), now);
  }

  #noteExchange(exchange: string, now: number): void {
    if (this.#exchanges.size >= EXCHANGES_MAX) this.#exchanges.delete(this.#exchanges.keys().next().value!);
    this.#exchanges.set(exchange, now);
  }

  /** Forgets what no sender repeats any more. */
  forget(now: number): void {
    for (const [key, seen] of this.#seen) if (now - seen.at > REPEAT_WINDOW_MS) this.#seen.delete(key);
    for (const [exchange, at] of this.#exchanges) {
      if (now - at <= REPEAT_WINDOW_MS) break;
      this.#exchanges.delete(exchange);
    }
  }

  /** Writes the latest pairs: after a crash, senders repeat what they sent last. */
  write(writer: RecordWriter): void {
    const latest = [...this.#seen].sort(([, a], [, b]) => b.at - a.at).slice(0, STORED_MAX);
    writer.integer(latest.length);
    for (const [key, seen] of latest) {
      writer.string(key);
      writer.integer(seen.through);
      writer.integer(seen.at);
    }
  }

  /** Merges what a chunk remembers. */
  read(reader: RecordReader): void {
    for (let count = reader.integer(); count > 0; count -= 1) {
      const key = reader.string();
      const through = reader.integer();
      const at = reader.integer();
      const seen = this.#seen.get(key);
      if (seen === undefined || seen.through < through) this.#seen.set(key, { through, at });
    }
  }
}

/** The object without its incarnation: a repeat comes from a later one. */
function exchangeKey({ origin, sequence }: Message): string {
  const at = origin.lastIndexOf("@");
  return `${at < 0 ? origin : origin.slice(0, at)} ${sequence}`;
}
