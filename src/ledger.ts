/**
 * What an object holds in memory, in bytes, by kind: one ledger for each object, into which everything goes that clients can make large,
 * and a budget above which new load is refused, sort by sort. Who lets something in counts it, who lets it go counts it out again; the
 * collections below do that by themselves. Knows nothing of what it counts.
 */

import { REFUSED_ABOVE } from "./memory-limits.ts";

export const MEMORY_KINDS = [
  "connections",
  "sessions",
  "subscriptions",
  "messages",
  "aliases",
  "wills",
  "exchanges",
  "routes",
  "outboxes",
  "unfinished",
  "unsent",
] as const;

export type MemoryKind = (typeof MEMORY_KINDS)[number];

/** A sort of load that is refused when memory is short. */
export type Load = keyof typeof REFUSED_ABOVE;

export const LOADS = Object.keys(REFUSED_ABOVE) as readonly Load[];

/** What an object tells of its memory. */
export interface MemoryFigures {
  readonly bytes: Readonly<Record<MemoryKind, number>>;
  readonly budget: number;
  /** How often each sort of load was refused since the object woke. */
  readonly refused: Readonly<Record<Load, number>>;
}

function zeros<Key extends string>(keys: readonly Key[]): Record<Key, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;
}

/** What is held of one kind. Whoever counts often keeps it: to find it by its name each time costs more than to count. */
export class Account {
  #bytes = 0;
  readonly #ledger: { total: number };

  constructor(ledger: { total: number }) {
    this.#ledger = ledger;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param bytes negative when it goes */
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#ledger.total += bytes;
  }
}

export class Ledger {
  readonly budget: number;
  readonly #sum = { total: 0 };
  readonly #accounts = new Map(MEMORY_KINDS.map((kind) => [kind, new Account(this.#sum)]));
  readonly #refused = zeros(LOADS);

  /** @param budget bytes */
  constructor(budget: number) {
    this.budget = budget;
  }

  get total(): number {
    return this.#sum.total;
  }

  /** Bytes of each kind. */
  get bytes(): Readonly<Record<MemoryKind, number>> {
    return Object.fromEntries(MEMORY_KINDS.map((kind) => [kind, this.account(kind).bytes])) as Record<MemoryKind, number>;
  }

  account(kind: MemoryKind): Account {
    return this.#accounts.get(kind)!;
  }

  figures(): MemoryFigures {
    return { bytes: this.bytes, budget: this.budget, refused: { ...this.#refused } };
  }

  /** @param bytes negative when it goes */
  add(kind: MemoryKind, bytes: number): void {
    this.account(kind).add(bytes);
  }

  /** Whether there is so much that this sort of load is refused. */
  isShortFor(load: Load): boolean {
    return this.total > this.budget * REFUSED_ABOVE[load];
  }

  /** Whether one more of this sort is taken; counts those that are not. */
  takes(load: Load): boolean {
    if (!this.isShortFor(load)) return true;
    this.refuse(load);
    return false;
  }

  refuse(load: Load): void {
    this.#refused[load] += 1;
  }
}

/** Of what is empty there are many thousands: those share one. Nothing is ever put in. */
const NO_ENTRIES = new Map<unknown, unknown>();
const NO_MEMBERS = new Set<unknown>();

/** A Map whose entries are counted, and which takes next to nothing while it has none. What an entry costs must not change while it is in. */
export class CountedMap<Key, Value> {
  readonly #account: Account;
  readonly #taken: (key: Key, value: Value) => number;
  readonly #left: (key: Key, value: Value) => number;
  #entries = NO_ENTRIES as Map<Key, Value>;

  /**
   * @param taken what an entry adds; called once as it comes in
   * @param left what goes with it; called once as it leaves
   */
  constructor(ledger: Ledger, kind: MemoryKind, taken: (key: Key, value: Value) => number, left = taken) {
    this.#account = ledger.account(kind);
    this.#taken = taken;
    this.#left = left;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  /** As with any Map, an entry that is replaced keeps its place in the order. */
  set(key: Key, value: Value): this {
    const previous = this.#entries.get(key);
    if (previous !== undefined) this.#account.add(-this.#left(key, previous));
    this.#account.add(this.#taken(key, value));
    if (this.#entries === NO_ENTRIES) this.#entries = new Map();
    this.#entries.set(key, value);
    return this;
  }

  delete(key: Key): boolean {
    const value = this.#entries.get(key);
    if (value === undefined) return false;
    this.#account.add(-this.#left(key, value));
    return this.#entries.delete(key);
  }

  /** Whoever goes through it just then finds nothing more. */
  clear(): void {
    if (this.#entries === NO_ENTRIES) return;
    for (const [key, value] of this.#entries) this.#account.add(-this.#left(key, value));
    this.#entries.clear();
    this.#entries = NO_ENTRIES as Map<Key, Value>;
  }

  keys(): MapIterator<Key> {
    return this.#entries.keys();
  }

  values(): MapIterator<Value> {
    return this.#entries.values();
  }

  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.#entries[Symbol.iterator]();
  }
}

/** A Set whose members are counted, each at the same price, and which takes next to nothing while it has none. */
export class CountedSet<Member> {
  readonly #account: Account;
  readonly #bytesEach: number;
  #members = NO_MEMBERS as Set<Member>;

  constructor(ledger: Ledger, kind: MemoryKind, bytesEach: number) {
    this.#account = ledger.account(kind);
    this.#bytesEach = bytesEach;
  }

  get size(): number {
    return this.#members.size;
  }

  has(member: Member): boolean {
    return this.#members.has(member);
  }

  add(member: Member): this {
    if (this.#members.has(member)) return this;
    this.#account.add(this.#bytesEach);
    if (this.#members === NO_MEMBERS) this.#members = new Set();
    this.#members.add(member);
    return this;
  }

  delete(member: Member): boolean {
    if (!this.#members.delete(member)) return false;
    this.#account.add(-this.#bytesEach);
    return true;
  }

  clear(): void {
    if (this.#members === NO_MEMBERS) return;
    this.#account.add(-this.#bytesEach * this.#members.size);
    this.#members.clear();
    this.#members = NO_MEMBERS as Set<Member>;
  }

  values(): SetIterator<Member> {
    return this.#members.values();
  }

  [Symbol.iterator](): SetIterator<Member> {
    return this.#members[Symbol.iterator]();
  }
}
