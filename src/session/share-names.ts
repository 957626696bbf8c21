/**
 * Which messages shared subscriptions were given, or declined, by the names of those. A filter may be long and is remembered with very many
 * messages: so each has a number, and its text is here once. It is the text of a subscription while the share has members here; of those
 * that were left as many are remembered as have room. What an object remembers is counted in its ledger.
 */

import type { Account, Ledger } from "../ledger.ts";
import { MEMORY } from "../memory-limits.ts";
import { type Message, type MessageName, objectOf } from "../mqtt/message.ts";
import type { ShareDemand } from "../mqtt/share-target.ts";

/** Messages of other kinds that are remembered one by one: at least so many, and at most twice as many. */
const NAMES_MAX = 32 * 1024;

/** Characters of filters of shares that have no members any more. */
const LEFT_CHARACTERS_MAX = 512 * 1024;

/** QoS 2 messages that may be repeated are remembered by object and share: so many sets of them, and so many messages of all at about. */
const SETS_MAX = 16 * 1024;
const GIVEN_MAX = 64 * 1024;

/** However many sets there are, each may have so many. */
const SET_LEAST = 16;

/** The numbers of the filters. */
class ShareNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #filters = new Map<number, string>();
  /** Those without members here, in the order in which they were left. */
  readonly #left = new Set<string>();
  readonly #account: Account;
  #leftCharacters = 0;
  #last = 0;

  constructor(account: Account) {
    this.#account = account;
  }

  of(filter: string): number | undefined {
    return this.#numbers.get(filter);
  }

  filterOf(number: number): string | undefined {
    return this.#filters.get(number);
  }

  /** @param filter the text that is in memory anyway, of a share that has members here */
  ofMembers(filter: string): number {
    const known = this.#numbers.get(filter);
    if (known !== undefined && !this.#left.has(filter)) return known;
    const number = known ?? ++this.#last;
    if (known !== undefined) {
      this.#count(-filter.length);
      this.#left.delete(filter);
      // The text that it had was its own.
      this.#numbers.delete(filter);
    }
    this.#numbers.set(filter, number);
    this.#filters.set(number, filter);
    return number;
  }

  /** The share has no members here any more. */
  leave(filter: string): void {
    if (!this.#numbers.has(filter) || this.#left.has(filter)) return;
    this.#left.add(filter);
    this.#count(filter.length);
    for (const oldest of this.#left) {
      if (this.#leftCharacters <= LEFT_CHARACTERS_MAX) return;
      this.#left.delete(oldest);
      this.#count(-oldest.length);
      this.#filters.delete(this.#numbers.get(oldest)!);
      this.#numbers.delete(oldest);
    }
  }

  #count(characters: number): void {
    this.#leftCharacters += characters;
    this.#account.add(MEMORY.characterBytes * characters);
  }

  get memoryBytes(): number {
    return [...this.#left].reduce((bytes, { length }) => bytes + MEMORY.characterBytes * length, 0);
  }
}

/** Messages of one object, by their numbers, with what is known of each. */
type Numbered<Value> = Map<number, Value>;

/** Some of the names, by share and object. */
interface Half<Value> {
  readonly shares: Map<number, Map<string, Numbered<Value>>>;
  /** How many names there are, where each Map of them counts as MAP_NAMES. */
  size: number;
}

const MAP_NAMES = 8;

/** A cache of names in two halves, as BoundedMap: when the younger one is full, the older one goes as a whole. */
class Names<Value> {
  #recent: Half<Value> = { shares: new Map(), size: 0 };
  #former: Half<Value> = { shares: new Map(), size: 0 };
  readonly #account: Account;

  constructor(account: Account) {
    this.#account = account;
  }

  get(share: number, { origin, sequence }: MessageName): Value | undefined {
    const object = objectOf(origin);
    const { shares } = this.#recent;
    return shares.get(share)?.get(object)?.get(sequence) ?? this.#former.shares.get(share)?.get(object)?.get(sequence);
  }

  set(share: number, { origin, sequence }: MessageName, value: Value): void {
    if (this.#recent.size >= NAMES_MAX) {
      this.#account.add(-MEMORY.numberBytes * this.#former.size);
      this.#former = this.#recent;
      this.#recent = { shares: new Map(), size: 0 };
    }
    const object = objectOf(origin);
    const { shares, size } = this.#recent;
    const objects = shares.get(share) ?? new Map<string, Numbered<Value>>();
    shares.set(share, objects);
    const numbered = objects.get(object);
    if (numbered === undefined) {
      objects.set(object, new Map([[sequence, value]]));
      this.#recent.size += MAP_NAMES + 1;
    } else {
      if (!numbered.has(sequence)) this.#recent.size += 1;
      numbered.set(sequence, value);
    }
    this.#account.add(MEMORY.numberBytes * (this.#recent.size - size));
  }

  get memoryBytes(): number {
    return MEMORY.numberBytes * (namesIn(this.#recent) + namesIn(this.#former));
  }
}

function namesIn<Value>({ shares }: Half<Value>): number {
  let names = 0;
  for (const objects of shares.values()) for (const numbered of objects.values()) names += MAP_NAMES + numbered.size;
  return names;
}

/** Those of QoS 2 that may be repeated: they are remembered until they are settled. */
class GivenShares {
  readonly #byObject = new Map<string, Map<number, Set<number>>>();
  readonly #account: Account;
  #sets = 0;

  constructor(account: Account) {
    this.#account = account;
  }

  get size(): number {
    return this.#sets;
  }

  has(object: string, share: number, sequence: number): boolean {
    return this.#byObject.get(object)?.get(share)?.has(sequence) === true;
  }

  /** The sets of one object, by share. */
  of(object: string): Iterable<[share: number, sequences: Set<number>]> {
    return this.#byObject.get(object) ?? [];
  }

  add(object: string, share: number, sequence: number): void {
    const sets = this.#byObject.get(object) ?? new Map<number, Set<number>>();
    let sequences = sets.get(share);
    if (sequences === undefined) {
      if (this.#sets >= SETS_MAX) this.#forgetOne(object);
      sequences = new Set();
      sets.set(share, sequences);
      // Also where the one that was forgotten was its last.
      this.#byObject.set(object, sets);
      this.#sets += 1;
      this.#account.add(MEMORY.shareBytes);
    }
    if (sequences.has(sequence)) return;
    sequences.add(sequence);
    this.#account.add(MEMORY.numberBytes);
    // One client's messages may match a thousand shares: each share has its part, and no others' are forgotten for those.
    const most = Math.max(SET_LEAST, GIVEN_MAX / this.#sets);
    for (const oldest of sequences) {
      if (sequences.size <= most) return;
      this.#forget(sequences, oldest);
    }
  }

  /** One of the object at hand, or of another one. */
  #forgetOne(object: string): void {
    const own = this.#byObject.get(object);
    for (const [of, sets] of own === undefined ? this.#byObject : [[object, own] as const]) {
      for (const [share, sequences] of sets) {
        this.#drop(of, sets, share, sequences);
        return;
      }
    }
  }

  #forget(sequences: Set<number>, sequence: number): void {
    if (sequences.delete(sequence)) this.#account.add(-MEMORY.numberBytes);
  }

  #drop(object: string, sets: Map<number, Set<number>>, share: number, sequences: Set<number>): void {
    sets.delete(share);
    this.#sets -= 1;
    this.#account.add(-MEMORY.shareBytes - MEMORY.numberBytes * sequences.size);
    if (sets.size === 0) this.#byObject.delete(object);
  }

  /** Those with smaller numbers are settled. */
  settle(object: string, settledBelow: number): void {
    this.#forgetWhere(object, (sequence) => sequence < settledBelow);
  }

  forget(object: string, sequence: number): void {
    for (const [share, sequences] of this.of(object)) {
      this.#forget(sequences, sequence);
      if (sequences.size === 0) this.#drop(object, this.#byObject.get(object)!, share, sequences);
    }
  }

  forgetObject(object: string): void {
    this.#forgetWhere(object, () => true);
  }

  #forgetWhere(object: string, isOver: (sequence: number) => boolean): void {
    const sets = this.#byObject.get(object);
    if (sets === undefined) return;
    for (const [share, sequences] of sets) {
      for (const sequence of sequences) if (isOver(sequence)) this.#forget(sequences, sequence);
      if (sequences.size === 0) this.#drop(object, sets, share, sequences);
    }
  }

  get memoryBytes(): number {
    let bytes = 0;
    for (const sets of this.#byObject.values())
      for (const sequences of sets.values()) bytes += MEMORY.shareBytes + MEMORY.numberBytes * sequences.size;
    return bytes;
  }
}

export class ShareNames {
  readonly #numbers: ShareNumbers;
  /** Messages that can't be repeated by their publishers, in this life. */
  readonly #given: Names<true>;
  /** QoS 2 messages that may be repeated, and the greatest demand that nobody here met for them in this life. */
  readonly #declined: Names<ShareDemand>;
  readonly #exchanges: GivenShares;

  constructor(ledger: Ledger) {
    const account = ledger.account("exchanges");
    this.#numbers = new ShareNumbers(account);
    this.#given = new Names(account);
    this.#declined = new Names(account);
    this.#exchanges = new GivenShares(account);
  }

  /** The share has no members here any more. */
  leave(filter: string): void {
    this.#numbers.leave(filter);
  }

  /** Whether a message was given to the share that can't be repeated by its publisher. */
  wasGiven(message: Message, filter: string): boolean {
    const share = this.#numbers.of(filter);
    return share !== undefined && this.#given.get(share, message) !== undefined;
  }

  /** @param filter the text that the share itself has */
  gave(message: Message, filter: string): void {
    this.#given.set(this.#numbers.ofMembers(filter), message, true);
  }

  /** Of one that may be repeated. */
  wasExchanged({ origin, sequence }: MessageName, filter: string): boolean {
    const share = this.#numbers.of(filter);
    return share !== undefined && this.#exchanges.has(objectOf(origin), share, sequence);
  }

  exchanged({ origin, sequence }: MessageName, filter: string): void {
    this.#exchanges.add(objectOf(origin), this.#numbers.ofMembers(filter), sequence);
  }

  /** In an earlier life. */
  restoreExchanged(object: string, sequence: number, filter: string): void {
    const isNew = this.#numbers.of(filter) === undefined;
    this.#exchanges.add(object, isNew ? this.#numbers.ofMembers(filter) : this.#numbers.of(filter)!, sequence);
    // Nobody has told yet whether it has members in this life.
    if (isNew) this.#numbers.leave(filter);
  }

  declined(message: Message, filter: string, demand: ShareDemand): void {
    this.#declined.set(this.#numbers.ofMembers(filter), message, demand);
  }

  declinedDemand(message: Message, filter: string): ShareDemand | undefined {
    const share = this.#numbers.of(filter);
    return share === undefined ? undefined : this.#declined.get(share, message);
  }

  settle(object: string, settledBelow: number): void {
    this.#exchanges.settle(object, settledBelow);
  }

  forget(object: string, sequence: number): void {
    this.#exchanges.forget(object, sequence);
  }

  forgetObject(object: string): void {
    this.#exchanges.forgetObject(object);
  }

  /** Whether any is remembered that may be repeated. */
  get remembersExchanges(): boolean {
    return this.#exchanges.size > 0;
  }

  /** Which messages of an object that may be repeated were given to which shares. */
  *exchangesOf(object: string): Generator<{ readonly filter: string; readonly sequences: ReadonlySet<number> }> {
    for (const [share, sequences] of this.#exchanges.of(object)) {
      const filter = this.#numbers.filterOf(share);
      if (filter !== undefined) yield { filter, sequences };
    }
  }

  /** What the ledger is to say, by a count, bytes. */
  get memoryBytes(): number {
    return this.#numbers.memoryBytes + this.#given.memoryBytes + this.#declined.memoryBytes + this.#exchanges.memoryBytes;
  }
}
