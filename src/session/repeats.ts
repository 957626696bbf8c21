/**
 * Recognises messages that come a second time because a call between objects failed after it ran. A message is named by the object
 * where it entered the broker and its number there. What comes from one origin through one Topic object comes in the order of its
 * numbers, so one number per pair is enough. A QoS 2 message of a stored session may come again much later, out of order, when its
 * publisher repeats it because its origin lost its memory before it had written that it was safe: those are remembered one by one,
 * until the origin says that they are settled, and with them the shared subscriptions here that were given them, also under a name that
 * another object gave them later. (That a message was given by its first name says nothing of one that comes under a later one: it may be back
 * here for a member who has come since.) What is remembered is
 * written with every chunk of the log; of sessions without rows what they were given is attached to their sockets (`given.ts`).
 */

import { BoundedMap } from "../bounded-map.ts";
import { type Account, Ledger } from "../ledger.ts";
import { FENCE_MS, OPEN_EXCHANGES_MAX, REPEAT_WINDOW_MS } from "../limits.ts";
import { MEMORY } from "../memory-limits.ts";
import { type Message, type MessageName, objectOf } from "../mqtt/message.ts";
import type { RecordReader, RecordWriter } from "../mqtt/record.ts";
import { ANY_QUEUE, type ShareDemand, type ShareTarget } from "../mqtt/share-target.ts";
import { checkNumber } from "../topic/stored-message.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import { ShareNames } from "./share-names.ts";

/** What was seen of one origin through one Topic object. */
export interface Seen {
  /** "origin through Topic object". */
  readonly key: string;
  /** All through this number. */
  through: number;
  /** When, milliseconds since the epoch. */
  at: number;
}

/** Origins remembered at once: with an object for each client ID there may be many. The oldest are forgotten first. */
const ORIGINS_MAX = 4096;

/** Pairs written with each chunk of the log. */
const STORED_MAX = 256;

/** QoS 2 messages remembered one by one for each origin: what it may have open, and once more what it had before it lost its memory. */
const EXCHANGES_MAX = 2 * OPEN_EXCHANGES_MAX;

/** QoS 2 messages of all origins that are written with each chunk of the log. */
const EXCHANGES_STORED_MAX = 8 * 1024;

/** Filters of shared subscriptions that are written with each chunk of the log, characters. */
const FILTERS_STORED_MAX = 8 * 1024;

/** Between an object and a filter of a shared subscription where both are written as one name; neither can have it. */
const GIVEN = "\0";

/** Begins the names of lives that are kept out where they are written beside origins; no origin does. */
const LIFE = "\0life ";

/** Messages given to shared subscriptions that sockets remembered for a life that slept: of some 2,000 sockets at least. */
const RESTORED_MAX = 64 * 1024;

/** What is known of one origin's QoS 2 messages. */
interface Exchanges {
  /** Every one below is over: what comes of them is late. */
  settledBelow: number;
  /** Those that were here, oldest first. */
  readonly sequences: Set<number>;
}

/** What is written of them under one name. */
interface StoredExchanges {
  readonly name: string;
  readonly settledBelow: number;
  readonly sequences: ReadonlySet<number>;
}

export class Repeats {
  /** By "origin through Topic object". */
  readonly #seen = new Map<string, Seen>();
  /** The one of `#seen` that was used last. */
  #latest: { readonly origin: string; readonly via: string; readonly seen: Seen } | undefined;
  /** QoS 2 messages that may be repeated, by origin without its incarnation. */
  readonly #exchanges = new Map<string, Exchanges>();
  /** What was given to members of shared subscriptions: of QoS 2 messages that may be repeated, and of what came under another name. */
  readonly #shares: ShareNames;
  /** The same of other kinds in an earlier life, which slept: by names as `shareKey` makes them. */
  #restored: BoundedMap<string, true> | undefined;
  /** The greatest number of each origin, without its incarnation, that an earlier life has seen. */
  readonly #before = new Map<string, number>();

  /** Counts QoS 2 messages as well. */
  readonly #account: Account;

  constructor(ledger = new Ledger(0)) {
    this.#account = ledger.account("exchanges");
    this.#shares = new ShareNames(ledger);
  }

  /**
   * @param via the Topic object that sent it
   * @returns whether it was here before; if not, it is remembered
   */
  isRepeat(message: Message, via: string, now: number): boolean {
    if (message.settledBelow > 0) {
      const known = this.#isKnownExchange(message);
      if (known || message.repeated) return known;
    }
    const seen = this.#seenOf(message.origin, via, now);
    if (message.sequence <= seen.through) return true;
    seen.through = message.sequence;
    seen.at = now;
    return false;
  }

  /** What was seen of one origin through one Topic object. Most messages of a batch have the origin of the one before. */
  #seenOf(origin: string, via: string, now: number): Seen {
    if (this.#latest?.origin === origin && this.#latest.via === via) return this.#latest.seen;
    const key = `${origin} ${via}`;
    const seen = this.#seen.get(key) ?? { key, through: 0, at: now };
    // Behind all others: the one that was seen longest ago is the first that is forgotten.
    this.#seen.delete(key);
    if (this.#seen.size >= ORIGINS_MAX) this.#seen.delete(this.#seen.keys().next().value!);
    this.#seen.set(key, seen);
    this.#latest = { origin, via, seen };
    return seen;
  }

  /** By which way a message came that was looked at just now; undefined when none did. */
  latestOf({ origin }: Message): Seen | undefined {
    return this.#latest?.origin === origin ? this.#latest.seen : undefined;
  }

  /** What an earlier life had seen, which slept: all that came of it was written. */
  restoreSeen({ key, through, at }: Seen): Seen {
    const seen = this.#seen.get(key) ?? { key, through, at };
    seen.through = Math.max(seen.through, through);
    this.#seen.set(key, seen);
    return seen;
  }

  /** A member of a shared subscription was given a message in an earlier life, which slept. @param name as `shareKey` makes it */
  restoreShared(name: string): void {
    this.#restored ??= new BoundedMap(RESTORED_MAX);
    this.#restored.set(name, true, 1);
  }

  /**
   * Whether this shared subscription was given a message. It may have been here without that, for others, and come again: passed on by
   * an object without a member, or by a Topic object that has lost its memory and chooses anew.
   * @param known it was here before
   */
  wasShared(message: Message, filter: string, known: boolean): boolean {
    if (this.#restored !== undefined && (this.#restored.has(shareKey(message, filter)) || this.#shares.wasGiven(message, filter)))
      return true;
    if (message.settledBelow > 0) {
      const { settledBelow } = this.#exchangesOf(objectOf(message.origin));
      return message.sequence < settledBelow || this.#shares.wasExchanged(message, filter);
    }
    if (!known) return false;
    if (this.#shares.wasGiven(message, filter)) return true;
    // What an earlier life gave to whom is not known: at QoS 1 it is better to give it twice, else not at all.
    return message.qos !== 1 && message.sequence <= (this.#before.get(objectOf(message.origin)) ?? 0);
  }

  /** A member of the shared subscription has the message; it is known by each of its names. @param filter the text that the share itself has */
  shared(message: Message, filter: string): void {
    if (message.formerly !== undefined) this.#gave(message.formerly, filter);
    if (message.settledBelow > 0) this.#gave(message, filter);
    else this.#shares.gave(message, filter);
  }

  #gave(name: MessageName, filter: string): void {
    // Of what came under another name nobody here may hear that it is settled.
    if (name.sequence >= this.#exchangesOf(objectOf(name.origin)).settledBelow) this.#shares.exchanged(name, filter);
  }

  /** A shared subscription has no members here any more. */
  leftShare(filter: string): void {
    this.#shares.leave(filter);
  }

  /** Nobody here met a demand for a message of a shared subscription: others are offered it after that. @param filter the share's own text */
  declined(message: Message, filter: string, demand: ShareDemand): void {
    if (message.settledBelow > 0) this.#shares.declined(message, filter, demand);
  }

  /** Whether a QoS 2 message that comes again is to be declined again: one of those that were offered it after that may have it. */
  wasDeclined(message: Message, { filter, demand }: ShareTarget, known: boolean): boolean {
    return known && demand !== ANY_QUEUE && demand <= (this.#shares.declinedDemand(message, filter) ?? ANY_QUEUE);
  }

  #isKnownExchange({ origin, sequence, settledBelow }: Message): boolean {
    const object = objectOf(origin);
    const exchanges = this.#exchangesOf(object);
    const { sequences } = exchanges;
    if (settledBelow > exchanges.settledBelow) {
      exchanges.settledBelow = settledBelow;
      for (const settled of sequences) if (settled < settledBelow) this.#forget(sequences, settled);
      this.#shares.settle(object, settledBelow);
    }
    if (sequence < exchanges.settledBelow || sequences.has(sequence)) return true;
    if (sequences.size >= EXCHANGES_MAX) {
      const oldest = sequences.values().next().value!;
      this.#forget(sequences, oldest);
      this.#shares.forget(object, oldest);
    }
    this.#remember(sequences, sequence);
    return false;
  }

  #remember(sequences: Set<number>, sequence: number): void {
    if (sequences.has(sequence)) return;
    sequences.add(sequence);
    this.#account.add(MEMORY.numberBytes);
  }

  #forget(sequences: Set<number>, sequence: number): void {
    if (sequences.delete(sequence)) this.#account.add(-MEMORY.numberBytes);
  }

  #exchangesOf(object: string): Exchanges {
    const exchanges = this.#exchanges.get(object) ?? { settledBelow: 0, sequences: new Set() };
    this.#exchanges.delete(object);
    if (this.#exchanges.size >= ORIGINS_MAX) {
      const [oldest, { sequences }] = this.#exchanges.entries().next().value!;
      this.#account.add(-MEMORY.numberBytes * sequences.size);
      this.#exchanges.delete(oldest);
      this.#shares.forgetObject(oldest);
    }
    this.#exchanges.set(object, exchanges);
    return exchanges;
  }

  /**
   * A Topic object was told that nobody here was given a message, and others may get it now: what an earlier life of that Topic object has sent
   * must not be taken any more, also in later lives of this object.
   */
  keepOutBefore(sender: string, epoch: number, now: number): void {
    this.#seen.delete(LIFE + sender);
    this.#seen.set(LIFE + sender, { key: LIFE + sender, through: epoch, at: now });
  }

  /** Whether a life of a Topic object is one of those. */
  isKeptOut(sender: string, epoch: number, now: number): boolean {
    const later = this.#seen.get(LIFE + sender);
    return later !== undefined && epoch < later.through && Math.abs(now - later.at) < FENCE_MS;
  }

  /** The QoS 2 messages that were here and may be repeated. */
  openExchanges(): OpenExchanges[] {
    const all = [...this.#exchanges].map(([object, { sequences }]) => ({ object, sequences: [...sequences] }));
    return all.filter(({ sequences }) => sequences.length > 0);
  }

  /** For each object: QoS 2 messages that entered there with smaller numbers are not repeated any more. */
  settledBelow(): Map<string, number> {
    return new Map([...this.#exchanges].map(([object, { settledBelow }]) => [object, settledBelow]));
  }

  /** Whether a message may still be repeated that must be recognised then. */
  get remembersExchanges(): boolean {
    for (const { sequences } of this.#exchanges.values()) if (sequences.size > 0) return true;
    return this.#shares.remembersExchanges;
  }

  /** When something came last that may come again, milliseconds since the epoch. */
  get lastAt(): number {
    return [...this.#seen.values()].reduce((last, { at }) => Math.max(last, at), 0);
  }

  /** Forgets what no Topic object repeats any more. */
  forget(now: number): void {
    this.#latest = undefined;
    for (const [key, seen] of this.#seen) if (now - seen.at > REPEAT_WINDOW_MS) this.#seen.delete(key);
  }

  /**
   * Writes the latest pairs, because after a crash senders repeat what they sent last, and the latest exchanges, in a bounded size.
   * @returns whether that was all
   */
  write(writer: RecordWriter): boolean {
    const latest = [...this.#seen].slice(-STORED_MAX);
    writer.integer(latest.length);
    for (const [key, seen] of latest) {
      writer.string(key);
      writer.integer(seen.through);
      writer.integer(seen.at);
    }
    const { stored: exchanges, whole: wholeList } = this.#storedExchanges();
    let whole = wholeList && latest.length === this.#seen.size;
    writer.integer(exchanges.length);
    let room = EXCHANGES_STORED_MAX;
    for (const { name, settledBelow, sequences } of exchanges) {
      const written = room === 0 ? [] : [...sequences].slice(-room);
      room -= written.length;
      whole &&= written.length === sequences.size;
      writer.string(name);
      writer.integer(settledBelow);
      writer.integer(written.length);
      for (const sequence of written) writer.integer(sequence);
    }
    return whole;
  }

  /** What was here, by object, and as far as there is room what of it was given to shared subscriptions, by object and filter. */
  #storedExchanges(): { readonly stored: readonly StoredExchanges[]; readonly whole: boolean } {
    const objects = [...this.#exchanges].slice(-STORED_MAX);
    const stored: StoredExchanges[] = objects.map(([name, { settledBelow, sequences }]) => ({ name, settledBelow, sequences }));
    let whole = objects.length === this.#exchanges.size;
    let room = FILTERS_STORED_MAX;
    // Of an origin that says nothing more names stay for good: they stand behind those of others.
    for (const [object, { settledBelow }] of objects.toReversed()) {
      for (const { filter, sequences } of this.#shares.exchangesOf(object)) {
        if (stored.length >= STORED_MAX || filter.length > room) {
          whole = false;
          continue;
        }
        room -= filter.length;
        stored.push({ name: `${object}${GIVEN}${filter}`, settledBelow, sequences });
      }
    }
    return { stored, whole };
  }

  /** Merges what a chunk remembers. */
  read(reader: RecordReader): void {
    for (let count = reader.integer(); count > 0; count -= 1) {
      const key = reader.string();
      const through = reader.integer();
      const at = reader.integer();
      checkNumber(through);
      const seen = this.#seen.get(key);
      if (seen === undefined || seen.through < through) this.#seen.set(key, { key, through, at });
      this.#wasBefore(objectOf(key), through);
    }
    for (let count = reader.integer(); count > 0; count -= 1) {
      const [object, filter] = reader.string().split(GIVEN) as [string, string?];
      const exchanges = this.#exchangesOf(object);
      const settledBelow = reader.integer();
      checkNumber(settledBelow);
      exchanges.settledBelow = Math.max(exchanges.settledBelow, settledBelow);
      for (let more = reader.integer(); more > 0; more -= 1) {
        const sequence = reader.integer();
        if (filter === undefined) this.#remember(exchanges.sequences, sequence);
        else this.#shares.restoreExchanged(object, sequence, filter);
        this.#wasBefore(object, sequence);
      }
    }
  }

  /** What the ledger is to say of it, by a count, bytes. */
  get memoryBytes(): number {
    let bytes = this.#shares.memoryBytes;
    for (const { sequences } of this.#exchanges.values()) bytes += MEMORY.numberBytes * sequences.size;
    return bytes;
  }

  #wasBefore(object: string, sequence: number): void {
    this.#before.set(object, Math.max(sequence, this.#before.get(object) ?? 0));
  }
}

/** The same for a message that its publisher repeated after its object had lost its memory. */
export function shareKey({ origin, sequence }: MessageName, filter: string): string {
  return `${objectOf(origin)} ${sequence} ${filter}`;
}
