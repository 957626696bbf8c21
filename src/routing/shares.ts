/**
 * Shared subscriptions as a Topic object sees them: for each `$share/{ShareName}/{filter}` the Session objects that have members, and
 * how many of those are connected. For each message one Session object is chosen, by those numbers, so that members get equal shares
 * wherever they are; which of its members gets it is decided there. One that has nobody with room says so: then others are asked, and it
 * is asked last for a moment. Of a QoS 2 message that its publisher repeats each of them is asked first whether a member was given it.
 */

import { isCertain, type SharedStrategy } from "../choices.ts";
import type { Ledger } from "../ledger.ts";
import { SHARE_BUSY_MS, SHARE_STUCK_MS } from "../limits.ts";
import { MEMORY } from "../memory-limits.ts";
import type { Message } from "../mqtt/message.ts";
import { ANY_QUEUE, AT_ONCE, IF_GIVEN, KEEPS_UP, SHORT_QUEUE, type ShareDemand, type ShareTarget } from "../mqtt/share-target.ts";
import { splitShare } from "../topic/filter.ts";
import { FilterTree } from "../topic/filter-tree.ts";
import type { Attempt } from "./ports.ts";
import { type Account, Candidates, type Turns } from "./share-choice.ts";

/** What a Session object announced about its members in one shared subscription. */
export interface ShareChange {
  readonly sessionObject: string;
  /** The whole filter, `$share/` included. */
  readonly filter: string;
  readonly members: number;
  readonly online: number;
  readonly version: number;
}

/** Where a message of a shared subscription goes. */
export interface SharePick {
  readonly sessionObject: string;
  readonly target: ShareTarget;
  /** What is to be known should it come back from there. */
  readonly attempt: Attempt;
}

/** What came of an announcement: nothing new, or something that its row is to say, or is to say if it is announced again. */
export type ShareUpdate = "known" | "to be written" | "to be told again";

interface Members {
  readonly sessionObject: string;
  members: number;
  online: number;
  version: number;
  /** What its row says; undefined where it has none. */
  row: { members: number; online: number } | undefined;
  /** It was announced in this life, so that nothing is left of what an earlier one was told and did not write. */
  isTold: boolean;
  readonly account: Account;
  /** Until these times, milliseconds since the epoch, others go first: nobody there met a demand, by its place in `DEMANDS`. */
  readonly declinedUntil: number[];
}

interface Share extends Turns {
  readonly filter: string;
  readonly objects: Map<string, Members>;
  /** Those of whom one may be chosen while none is busy; made anew after each change. */
  candidates: Candidates | undefined;
  /** The latest time of those of its objects. */
  busyUntil: number;
}

export class Shares {
  readonly #strategy: SharedStrategy;
  readonly #tree = new FilterTree<Share>();
  readonly #byFilter = new Map<string, Share>();
  /** Of Session objects without members any more to which messages are on their way: they may have some again before those arrive. */
  readonly #leaving = new Map<string, Account>();
  readonly #ledger: Ledger;

  constructor(strategy: SharedStrategy, ledger: Ledger) {
    this.#strategy = strategy;
    this.#ledger = ledger;
  }

  get size(): number {
    return this.#byFilter.size;
  }

  /** Whether a Session object has members in a shared subscription. */
  has(filter: string, sessionObject: string): boolean {
    return this.#byFilter.get(filter)?.objects.has(sessionObject) === true;
  }

  /** @param isRow it is what a row says */
  update(change: ShareChange, isRow = false): ShareUpdate {
    const { filter, sessionObject, members, online, version } = change;
    const share = this.#byFilter.get(filter);
    const known = share?.objects.get(sessionObject);
    if (known !== undefined && known.version > version) return "known";
    // Announced again as it was.
    if (known?.version === version) return known.isTold ? written(known) : "known";
    if (share !== undefined) share.candidates = undefined;
    if (members === 0) {
      if (share === undefined || known === undefined) return "known";
      share.objects.delete(sessionObject);
      if (known.account.flying > 0) this.#leaving.set(leavingKey(filter, sessionObject), known.account);
      this.#ledger.add("routes", -routeBytes(filter));
      if (share.objects.size === 0) this.#remove(filter);
      return "to be written";
    }
    if (known === undefined) {
      this.#ledger.add("routes", routeBytes(filter));
      (share ?? this.#add(filter)).objects.set(sessionObject, {
        sessionObject,
        members,
        online,
        version,
        row: { members, online },
        isTold: !isRow,
        account: this.#newAccount(filter, sessionObject),
        declinedUntil: DEMANDS.map(() => 0),
      });
      return "to be written";
    }
    const isToldAgain = known.isTold && known.members === members && known.online !== online;
    known.isTold = true;
    known.members = members;
    known.online = online;
    known.version = version;
    // Whoever came or went may have changed that.
    known.declinedUntil.fill(0);
    if (!isToldAgain) return written(known);
    return known.row?.members === members && known.row.online === online ? "known" : "to be told again";
  }

  #newAccount(filter: string, sessionObject: string): Account {
    const key = leavingKey(filter, sessionObject);
    const flying = this.#leaving.get(key)?.flying ?? 0;
    this.#leaving.delete(key);
    return { credit: 0, flying };
  }

  /** What they cost by a count of them all, bytes. */
  count(): number {
    let bytes = 0;
    for (const { filter, objects } of this.#byFilter.values()) bytes += objects.size * routeBytes(filter);
    return bytes;
  }

  /** How many there are that match a topic. */
  countOf(topic: string): number {
    let count = 0;
    if (this.#byFilter.size > 0) this.#tree.match(topic, () => (count += 1));
    return count;
  }

  #add(filter: string): Share {
    const share: Share = { filter, objects: new Map(), candidates: undefined, busyUntil: 0, turn: 0, sticky: undefined };
    this.#byFilter.set(filter, share);
    const { name, topicFilter } = splitShare(filter);
    this.#tree.add(topicFilter, name, share);
    return share;
  }

  #remove(filter: string): void {
    this.#byFilter.delete(filter);
    const { name, topicFilter } = splitShare(filter);
    this.#tree.remove(topicFilter, name);
  }

  /**
   * One Session object for each shared subscription that matches [5.0/4.8.2/one].
   * @param again an earlier life of this object may have handled the message
   */
  match(message: Message, now: number, again: boolean, picked: (pick: SharePick) => void): void {
    if (this.#byFilter.size === 0) return;
    this.#tree.match(message.topic, (share) => {
      const asked = mayBeGiven(share, message, again) ? FIRST_ATTEMPTS[IF_GIVEN] : undefined;
      const pick = this.#pick(share, message, asked, now);
      if (pick !== undefined) picked(pick);
    });
  }

  /** Another Session object for a message that the first one has no member for, or none with room. */
  pickAgain(filter: string, message: Message, attempt: Attempt | undefined, now: number): SharePick | undefined {
    const share = this.#byFilter.get(filter);
    return share && this.#pick(share, message, attempt, now);
  }

  /** A message has arrived at the Session object it was picked for. */
  arrived(sessionObject: string, filter: string): void {
    const members = this.#byFilter.get(filter)?.objects.get(sessionObject);
    if (members !== undefined) members.account.flying -= 1;
    else this.#arrivedLate(leavingKey(filter, sessionObject));
  }

  #arrivedLate(key: string): void {
    const account = this.#leaving.get(key);
    if (account === undefined) return;
    account.flying -= 1;
    if (account.flying === 0) this.#leaving.delete(key);
  }

  /** A Session object has no member that meets a demand. */
  declined(sessionObject: string, filter: string, demand: ShareDemand, now: number): void {
    const share = this.#byFilter.get(filter);
    const members = share?.objects.get(sessionObject);
    if (share === undefined || members === undefined || demand === ANY_QUEUE || demand === IF_GIVEN) return;
    share.busyUntil = now + SHARE_BUSY_MS;
    // Who does not meet one demand meets none of those before it.
    const place = DEMANDS.indexOf(demand);
    members.declinedUntil.fill(share.busyUntil, 0, place + 1);
    if (demand === KEEPS_UP) members.declinedUntil[place] = now + SHARE_STUCK_MS;
  }

  #pick(share: Share, message: Message, attempt: Attempt | undefined, now: number): SharePick | undefined {
    if (attempt?.demand !== IF_GIVEN) return this.#offer(share, message, attempt, now);
    return this.#ask(share, message, attempt) ?? this.#offer(share, message, undefined, now);
  }

  /** The next Session object, with members that are connected or without, that has not said yet whether it was given the message. */
  #ask(share: Share, message: Message, asked: Attempt): SharePick | undefined {
    const candidates = candidatesOf(besides([...share.objects.values()], asked.declined));
    if (candidates === undefined) return undefined;
    const { sticky } = share;
    const pick = this.#chosen(share, candidates, message, asked);
    share.sticky = sticky;
    return pick;
  }

  #offer(share: Share, message: Message, attempt: Attempt | undefined, now: number): SharePick | undefined {
    // Most messages find nobody busy.
    if (attempt === undefined && now >= share.busyUntil) {
      const there = share.candidates === undefined ? eligible(share, NOWHERE) : undefined;
      share.candidates ??= there && candidatesOf(there);
      if (share.candidates === undefined) return undefined;
      return this.#chosen(share, share.candidates, message, this.#firstAttempt(share.candidates, message));
    }
    const there = eligible(share, attempt?.without ?? NOWHERE);
    const all = candidatesOf(there);
    if (all === undefined) return undefined;
    let next: Attempt = attempt ?? this.#firstAttempt(all, message);
    for (;;) {
      const { declined, demand, without } = next;
      const candidates = candidatesOf(besides(there, declined).filter((each) => mayMeet(each, demand, message, now)));
      if (candidates !== undefined) return this.#chosen(share, candidates, message, next);
      if (demand === ANY_QUEUE) return undefined;
      next = { without, declined: NOWHERE, demand: DEMANDS[DEMANDS.indexOf(demand) + 1]! };
    }
  }

  /**
   * How much room is demanded at first. A message at QoS 2 is offered by its name: should it come again it finds the same queue. With
   * strategies that mean one certain member it waits for that one, too.
   */
  #firstAttempt({ length, anyOnline }: Candidates, { qos }: Message): Attempt {
    if (qos === 0 || length === 1) return FIRST_ATTEMPTS[ANY_QUEUE];
    return FIRST_ATTEMPTS[qos === 2 || !anyOnline || isCertain(this.#strategy) ? SHORT_QUEUE : AT_ONCE];
  }

  #chosen(share: Share, candidates: Candidates, message: Message, attempt: Attempt): SharePick {
    const { chosen, key } = candidates.choose(this.#strategy, share, message);
    chosen.account.flying += 1;
    return { sessionObject: chosen.sessionObject, target: { filter: share.filter, key, demand: attempt.demand }, attempt };
  }
}

function leavingKey(filter: string, sessionObject: string): string {
  return `${sessionObject}\0${filter}`;
}

/** Its row is to say what it has: whether that is something new. */
function written(known: Members): ShareUpdate {
  const { row, members, online } = known;
  if (row?.members === members && row.online === online) return "known";
  known.row = { members, online };
  return "to be written";
}

const NOWHERE: readonly string[] = [];

/** One after the other, until somebody takes it. */
const DEMANDS: readonly ShareDemand[] = [AT_ONCE, SHORT_QUEUE, KEEPS_UP, ANY_QUEUE];

const FIRST_ATTEMPTS: { readonly [demand in ShareDemand]: Attempt } = {
  [ANY_QUEUE]: { without: NOWHERE, declined: NOWHERE, demand: ANY_QUEUE },
  [AT_ONCE]: { without: NOWHERE, declined: NOWHERE, demand: AT_ONCE },
  [SHORT_QUEUE]: { without: NOWHERE, declined: NOWHERE, demand: SHORT_QUEUE },
  [KEEPS_UP]: { without: NOWHERE, declined: NOWHERE, demand: KEEPS_UP },
  [IF_GIVEN]: { without: NOWHERE, declined: NOWHERE, demand: IF_GIVEN },
};

/** A message of a shared subscription that nobody was offered before. */
export function firstAttempt(demand: ShareDemand): Attempt {
  return FIRST_ATTEMPTS[demand];
}

/** @param full it has members, but none with so much room as was demanded; else it has none */
export function nextAttempt({ without, declined, demand }: Attempt, sessionObject: string, full: boolean): Attempt {
  if (full) return { without, declined: [...declined, sessionObject], demand };
  return { without: [...without, sessionObject], declined, demand };
}

/**
 * Whether a member may have been given a message, by a choice that is forgotten or would fall otherwise now: its publisher repeats it, or
 * the Session object where it entered, which can't know what an earlier life of this object has done. The
 * Session object that has it knows it by its name; one that has it still on its way takes it first, or refuses it after that, for a call of
 * an earlier life of this object is late by then.
 */
function mayBeGiven({ objects }: Share, { repeated, settledBelow }: Message, again: boolean): boolean {
  return (repeated || again) && settledBelow > 0 && objects.size > 1;
}

/** Whether a Session object may meet a demand, as far as known. What has a name must find the same objects whenever it comes. */
function mayMeet({ declinedUntil }: Members, demand: ShareDemand, { qos }: Message, now: number): boolean {
  return qos === 2 || now >= declinedUntil[DEMANDS.indexOf(demand)]!;
}

/** Session objects with connected members while there is one; else those whose sessions keep a message for later. */
function eligible({ objects }: Share, without: readonly string[]): readonly Members[] {
  const all = besides([...objects.values()], without);
  return all.some(({ online }) => online > 0) ? all.filter(({ online }) => online > 0) : all;
}

/** Those that are not among these: with an object for each member there may be thousands of both. */
function besides(all: readonly Members[], names: readonly string[]): readonly Members[] {
  if (names.length === 0) return all;
  const left = new Set(names);
  return all.filter(({ sessionObject }) => !left.has(sessionObject));
}

function candidatesOf(all: readonly Members[]): Candidates | undefined {
  const anyOnline = all.some(({ online }) => online > 0);
  const weighted = all
    .map(({ sessionObject, members, online, account }) => ({ sessionObject, weight: anyOnline ? online : members, account }))
    .filter(({ weight }) => weight > 0);
  return weighted.length === 0 ? undefined : new Candidates(weighted, anyOnline);
}

/** What it costs in memory that one Session object wants a filter. */
export function routeBytes(filter: string): number {
  return MEMORY.routeBytes + MEMORY.characterBytes * filter.length;
}
