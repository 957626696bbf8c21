/**
 * What a session without rows was given at QoS 2 lately. A Topic object whose call was not answered makes it again, and this object may
 * have slept meanwhile: then it knows the message by what is attached to the socket. Of a session with rows the log says it. With a reset
 * both are gone, the connection too.
 */

import { REPEAT_WINDOW_MS } from "../limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import type { Message } from "../mqtt/message.ts";
import type { RecordReader, RecordWriter } from "../mqtt/record.ts";
import { GIVEN_BYTES_MAX, GIVEN_MAX } from "../storage-limits.ts";
import { checkNumber } from "../topic/stored-message.ts";
import { type Repeats, type Seen, shareKey } from "./repeats.ts";

/** How it is stored. */
export interface StoredGiven {
  /** How far messages had come of the origins and by the Topic objects that the session was given one by. */
  readonly seen: readonly Seen[];
  /** Messages of shared subscriptions, by their names. */
  readonly shared: readonly string[];
}

export class Given {
  /** The latest last. */
  readonly #seen: Seen[] = [];
  readonly #shared: string[] = [];

  /** By which way a message came. */
  cameBy(seen: Seen): void {
    if (this.#seen.at(-1) === seen) return;
    const known = this.#seen.indexOf(seen);
    if (known >= 0) this.#seen.splice(known, 1);
    else if (this.#seen.length === GIVEN_MAX) this.#seen.shift();
    this.#seen.push(seen);
  }

  /** It came through a shared subscription. @param name of message and subscription */
  shared(name: string): void {
    // Of the longest filters one alone finds no room.
    if (utf8Length(name) > GIVEN_BYTES_MAX) return;
    if (this.#shared.length === GIVEN_MAX) this.#shared.shift();
    this.#shared.push(name);
  }

  /** The latest first, as far as there is room for them, and as long as anybody repeats them. */
  write(writer: RecordWriter, now: number): void {
    let room = GIVEN_BYTES_MAX;
    const fits = (name: string): boolean => {
      room -= utf8Length(name);
      return room >= 0;
    };
    const seen = this.#seen.toReversed().filter(({ key, at }) => now - at <= REPEAT_WINDOW_MS && fits(key));
    writer.integer(seen.length);
    for (const { key, through, at } of seen) {
      writer.string(key);
      writer.integer(through);
      writer.integer(at);
    }
    const shared = seen.length === 0 ? [] : this.#shared.toReversed().filter(fits);
    writer.integer(shared.length);
    for (const name of shared) writer.string(name);
  }
}

export function readGiven(reader: RecordReader): StoredGiven {
  const seen = reader.list(() => {
    const key = reader.string();
    const through = reader.integer();
    checkNumber(through);
    return { key, through, at: reader.integer() };
  });
  return { seen, shared: reader.list(() => reader.string()) };
}

/**
 * A session without rows is given a message at QoS 2.
 * @param given what it was given before
 * @param share the whole filter of its shared subscription, or ""
 */
export function noted(given: Given | undefined, repeats: Repeats, message: Message, share: string): Given | undefined {
  const seen = repeats.latestOf(message);
  // Where Topic objects are functions of this object nobody repeats anything.
  if (seen === undefined) return given;
  const all = given ?? new Given();
  all.cameBy(seen);
  if (share === "") return all;
  if (message.formerly !== undefined) all.shared(shareKey(message.formerly, share));
  all.shared(shareKey(message, share));
  return all;
}

/** The same after the object has slept: it is recognised again. */
export function givenBefore(repeats: Repeats, { seen, shared }: StoredGiven, now: number): Given {
  const given = new Given();
  for (const stored of seen.toReversed()) if (now - stored.at <= REPEAT_WINDOW_MS) given.cameBy(repeats.restoreSeen(stored));
  for (const name of shared.toReversed()) {
    repeats.restoreShared(name);
    given.shared(name);
  }
  return given;
}
