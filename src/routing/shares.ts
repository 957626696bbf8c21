/**
 * Shared subscriptions as a Topic object sees them: for each `$share/{ShareName}/{filter}` the Session objects that have members, and
 * how many of those are connected. For each message one Session object is chosen, by those numbers, so that members get equal shares
 * wherever they are; which of its members gets it is decided there.
 */

import type { SharedStrategy } from "../choices.ts";
import type { Ledger } from "../ledger.ts";
import { MEMORY } from "../limits.ts";
import type { Message } from "../mqtt/message.ts";
import { splitShare } from "../topic/filter.ts";
import { FilterTree } from "../topic/filter-tree.ts";
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
  readonly filter: string;
  readonly sessionObject: string;
  /** Which member there, for strategies by which it is chosen here. */
  readonly key: number;
}

interface Members {
  readonly sessionObject: string;
  members: number;
  online: number;
  version: number;
  readonly account: Account;
}

interface Share extends Turns {
  readonly filter: string;
  readonly objects: Map<string, Members>;
  /** Those of whom one may be chosen; made anew after each change. */
  candidates: Candidates | undefined;
}

export class Shares {
  readonly #strategy: SharedStrategy;
  readonly #tree = new FilterTree<Share>();
  readonly #byFilter = new Map<string, Share>();

  readonly #ledger: Ledger;

  constructor(strategy: SharedStrategy, ledger: Ledger) {
    this.#strategy = strategy;
    this.#ledger = ledger;
  }

  get size(): number {
    return this.#byFilter.size;
  }

  /** @returns whether anything changed */
  update(change: ShareChange): boolean {
    const { filter, sessionObject, members, online, version } = change;
    const share = this.#byFilter.get(filter);
    const known = share?.objects.get(sessionObject);
    if (known !== undefined && known.version >= version) return false;
    if (share !== undefined) share.candidates = undefined;
    if (members === 0) {
      if (share === undefined || known === undefined) return false;
      share.objects.delete(sessionObject);
      this.#ledger.add("routes", -routeBytes(filter));
      if (share.objects.size === 0) this.#remove(filter);
      return true;
    }
    if (known === undefined) {
      this.#ledger.add("routes", routeBytes(filter));
      (share ?? this.#add(filter)).objects.set(sessionObject, {
        sessionObject,
        members,
        online,
        version,
        account: { credit: 0, flying: 0 },
      });
      return true;
    }
    const changed = known.members !== members || known.online !== online;
    known.members = members;
    known.online = online;
    known.version = version;
    return changed;
  }

  /** What they cost by a count of them all, bytes. */
  count(): number {
    let bytes = 0;
    for (const { filter, objects } of this.#byFilter.values()) bytes += objects.size * routeBytes(filter);
    return bytes;
  }

  #add(filter: string): Share {
    const share: Share = { filter, objects: new Map(), candidates: undefined, turn: 0, sticky: undefined };
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

  /** One Session object for each shared subscription that matches [5.0/4.8.2/one]. */
  match(message: Message, picked: (pick: SharePick) => void): void {
    if (this.#byFilter.size === 0) return;
    this.#tree.match(message.topic, (share) => {
      const pick = this.#pick(share, message, []);
      if (pick !== undefined) picked(pick);
    });
  }

  /** Another Session object for a message that the first one has no member for. */
  pickAgain(filter: string, message: Message, tried: readonly string[]): SharePick | undefined {
    const share = this.#byFilter.get(filter);
    return share && this.#pick(share, message, tried);
  }

  /** A message has arrived at the Session object it was picked for. */
  arrived({ filter, sessionObject }: SharePick): void {
    const members = this.#byFilter.get(filter)?.objects.get(sessionObject);
    if (members !== undefined) members.account.flying -= 1;
  }

  #pick(share: Share, message: Message, tried: readonly string[]): SharePick | undefined {
    if (tried.length === 0) share.candidates ??= candidatesOf(share, tried);
    const candidates = tried.length === 0 ? share.candidates : candidatesOf(share, tried);
    if (candidates === undefined) return undefined;
    const { chosen, key } = candidates.choose(this.#strategy, share, message);
    chosen.account.flying += 1;
    return { filter: share.filter, sessionObject: chosen.sessionObject, key };
  }
}

/** Only connected members while there is one; else those whose sessions keep it for later. */
function candidatesOf({ objects }: Share, tried: readonly string[]): Candidates | undefined {
  const all = [...objects.values()].filter(({ sessionObject }) => !tried.includes(sessionObject));
  const anyOnline = all.some(({ online }) => online > 0);
  const weighted = all
    .map(({ sessionObject, members, online, account }) => ({ sessionObject, weight: anyOnline ? online : members, account }))
    .filter(({ weight }) => weight > 0);
  return weighted.length === 0 ? undefined : new Candidates(weighted);
}

/** What it costs in memory that one Session object wants a filter. */
export function routeBytes(filter: string): number {
  return MEMORY.routeBytes + MEMORY.characterBytes * filter.length;
}
