/**
 * What one session is still owed of retained messages: a cursor for each of its subscriptions and each Topic object concerned, by name and by
 * filter, in the order in which they are asked for. With some hundred Topic objects there are as many for each filter, so that whoever looks for
 * one, or for what is to be asked or written next, looks at none of the others.
 */

import type { Account, Ledger } from "../ledger.ts";
import { MEMORY } from "../memory-limits.ts";

/** Retained messages that a subscription is owed: a place among the topics of one Topic object. */
export interface RetainedCursor {
  readonly filter: string;
  /** Never given twice within an object. */
  readonly id: number;
  /** Whose topics (`RouterPort.places`). */
  readonly place: string;
  /** Those before this topic were given. */
  readonly from: string;
  /** A subscription with No Local was owed it, which one without has replaced since: the client's own messages are not among it. */
  readonly withoutOwn: boolean;
  /** A page was asked for and has not come; in memory only. */
  readonly asked: boolean;
  /** Its subscription was acknowledged: a stored session has it in a row. */
  readonly promised: boolean;
  /** A subscription that is not acknowledged yet is to take the place of its own; in memory only. Nobody is asked for it meanwhile. */
  superseded: boolean;
  /** `from` as a row of its own has it; undefined when it has none. */
  readonly storedFrom: string | undefined;
}

type Changing = { -readonly [Name in keyof RetainedCursor]: RetainedCursor[Name] };

/** Of what is empty there are many thousands: those share one. Nothing is ever put in. */
const NONE = new Map<number, RetainedCursor>();

/** Of more there is an index: most sessions are owed little, and for a moment. */
const LOOKED_THROUGH_MAX = 32;

interface Index {
  readonly byFilter: Map<string, RetainedCursor[]>;
  /** Those of which no row of their own says how far they are. */
  readonly unwritten: Set<RetainedCursor>;
}

export class OwedCursors {
  readonly #account: Account;
  #byId = NONE;
  #index: Index | undefined;
  /** Of their filters, places and topics. */
  #characters = 0;
  #asked = 0;
  #promised = 0;
  #withoutOwn = 0;

  constructor(ledger: Ledger) {
    this.#account = ledger.account("subscriptions");
  }

  get size(): number {
    return this.#byId.size;
  }

  /** For how many of them a page was asked that has not come. */
  get asked(): number {
    return this.#asked;
  }

  get isAnyPromised(): boolean {
    return this.#promised > 0;
  }

  get isAnyWithoutOwn(): boolean {
    return this.#withoutOwn > 0;
  }

  /** What they take, bytes. */
  get memoryBytes(): number {
    return MEMORY.cursorBytes * this.#byId.size + MEMORY.characterBytes * this.#characters;
  }

  /** What they take in the row of their session, about. */
  get rowBytes(): number {
    return 16 * this.#byId.size + this.#characters;
  }

  get(id: number): RetainedCursor | undefined {
    return this.#byId.get(id);
  }

  /** Those of one filter, as they are now. */
  of(filter: string): readonly RetainedCursor[] {
    if (this.#index !== undefined) return this.#index.byFilter.get(filter)?.slice() ?? [];
    return [...this.#byId.values()].filter((cursor) => cursor.filter === filter);
  }

  get filters(): readonly string[] {
    return this.#index === undefined
      ? [...new Set([...this.#byId.values()].map(({ filter }) => filter))]
      : [...this.#index.byFilter.keys()];
  }

  [Symbol.iterator](): MapIterator<RetainedCursor> {
    return this.#byId.values();
  }

  add(cursor: RetainedCursor): void {
    if (this.#byId === NONE) this.#byId = new Map();
    this.#byId.set(cursor.id, cursor);
    this.#count(cursor, 1);
    if (this.#index !== undefined) enter(this.#index, cursor);
    else if (this.#byId.size > LOOKED_THROUGH_MAX) this.#index = indexOf(this.#byId.values());
  }

  /** @returns whether a page was asked for that has not come */
  delete(cursor: RetainedCursor): boolean {
    if (this.#byId.get(cursor.id) !== cursor) return false;
    this.#byId.delete(cursor.id);
    this.#count(cursor, -1);
    if (this.#index !== undefined) leave(this.#index, cursor);
    if (this.#byId.size === 0) {
      this.#byId = NONE;
      this.#index = undefined;
    }
    const { asked } = cursor;
    (cursor as Changing).asked = false;
    return asked;
  }

  /** It is to be asked for behind all others. */
  putBehind(cursor: RetainedCursor): void {
    if (this.#byId.get(cursor.id) !== cursor) return;
    this.#byId.delete(cursor.id);
    this.#byId.set(cursor.id, cursor);
  }

  #count({ filter, place, from, asked, promised, withoutOwn }: RetainedCursor, by: 1 | -1): void {
    const characters = filter.length + place.length + from.length;
    this.#account.add(by * (MEMORY.cursorBytes + MEMORY.characterBytes * characters));
    this.#characters += by * characters;
    if (asked) this.#asked += by;
    if (promised) this.#promised += by;
    if (withoutOwn) this.#withoutOwn += by;
  }

  #change(cursor: RetainedCursor, change: Partial<RetainedCursor>): void {
    this.#count(cursor, -1);
    Object.assign(cursor as Changing, change);
    this.#count(cursor, 1);
    if (isUnwritten(cursor)) this.#index?.unwritten.add(cursor);
  }

  /** A page is asked for, or has come, or will not. */
  setAsked(cursor: RetainedCursor, asked: boolean): void {
    this.#change(cursor, { asked });
  }

  promise(cursor: RetainedCursor): void {
    if (!cursor.promised) this.#change(cursor, { promised: true });
  }

  leaveOutOwn(cursor: RetainedCursor): void {
    this.#change(cursor, { withoutOwn: true });
  }

  /** Those before this topic were given. */
  goOn(cursor: RetainedCursor, from: string): void {
    this.#change(cursor, { from });
  }

  /** Takes out those whose rows are to be written: they are about to be. */
  takeUnwritten(): readonly RetainedCursor[] {
    const unwritten = [...(this.#index?.unwritten ?? this.#byId.values())].filter(isUnwritten);
    this.#index?.unwritten.clear();
    for (const cursor of unwritten) (cursor as Changing).storedFrom = cursor.from;
    return unwritten;
  }
}

function isUnwritten({ promised, from, storedFrom }: RetainedCursor): boolean {
  return promised && from !== storedFrom;
}

function indexOf(cursors: Iterable<RetainedCursor>): Index {
  const index: Index = { byFilter: new Map(), unwritten: new Set() };
  for (const cursor of cursors) enter(index, cursor);
  return index;
}

function enter({ byFilter, unwritten }: Index, cursor: RetainedCursor): void {
  const ofFilter = byFilter.get(cursor.filter);
  if (ofFilter === undefined) byFilter.set(cursor.filter, [cursor]);
  else ofFilter.push(cursor);
  if (isUnwritten(cursor)) unwritten.add(cursor);
}

function leave({ byFilter, unwritten }: Index, cursor: RetainedCursor): void {
  const ofFilter = byFilter.get(cursor.filter)!;
  if (ofFilter.length === 1) byFilter.delete(cursor.filter);
  else ofFilter.splice(ofFilter.indexOf(cursor), 1);
  unwritten.delete(cursor);
}
