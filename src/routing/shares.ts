/**
 * Shared subscriptions as a Topic object sees them: for each `$share/{ShareName}/{filter}` the Session objects that have members, and
 * how many of those are connected. For each message one Session object is chosen, by those numbers, so that members get equal shares
 * wherever they are; which of its members gets it is decided there.
 */

import type { SharedStrategy } from "../choices.ts";
import type { Message } from "../mqtt/message.ts";
import { splitShare } from "../topic/filter.ts";
import { FilterTree } from "../topic/filter-tree.ts";
import { hash } from "../topic/hash.ts";

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
  /** The smooth weighted round robin's account. */
  credit: number;
  /** Messages on their way there. */
  flying: number;
}

interface Share {
  readonly filter: string;
  readonly objects: Map<string, Members>;
  sticky: string | undefined;
}

export class Shares {
  readonly #strategy: SharedStrategy;
  readonly #tree = new FilterTree<Share>();
  readonly #byFilter = new Map<string, Share>();

  constructor(strategy: SharedStrategy) {
    this.#strategy = strategy;
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
    if (members === 0) {
      if (share === undefined || known === undefined) return false;
      share.objects.delete(sessionObject);
      if (share.objects.size === 0) this.#remove(filter);
      return true;
    }
    if (known === undefined) {
      (share ?? this.#add(filter)).objects.set(sessionObject, { sessionObject, members, online, version, credit: 0, flying: 0 });
      return true;
    }
    const changed = known.members !== members || known.online !== online;
    known.members = members;
    known.online = online;
    known.version = version;
    return changed;
  }

  #add(filter: string): Share {
    const share: Share = { filter, objects: new Map(), sticky: undefined };
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
    if (members !== undefined) members.flying -= 1;
  }

  #pick(share: Share, message: Message, tried: readonly string[]): SharePick | undefined {
    const all = [...share.objects.values()].filter(({ sessionObject }) => !tried.includes(sessionObject));
    // Only connected members while there is one; else one whose session keeps it for later.
    const anyOnline = all.some(({ online }) => online > 0);
    const weighted = all
      .map((object) => ({ object, weight: anyOnline ? object.online : object.members }))
      .filter(({ weight }) => weight > 0);
    if (weighted.length === 0) return undefined;
    const { object, key } = choose(this.#strategy, share, weighted, message);
    object.flying += 1;
    return { filter: share.filter, sessionObject: object.sessionObject, key };
  }
}

interface Weighted {
  readonly object: Members;
  readonly weight: number;
}

function choose(strategy: SharedStrategy, share: Share, weighted: readonly Weighted[], message: Message): { object: Members; key: number } {
  switch (strategy) {
    case "round_robin":
      return { object: nextInTurn(weighted), key: 0 };
    case "random":
      return byNumber(weighted, hash(`${message.origin} ${message.sequence}`));
    case "hash_client":
      return byNumber(weighted, hash(message.publisher));
    case "hash_topic":
      return byNumber(weighted, hash(message.topic));
    case "sticky": {
      const stuck = weighted.find(({ object }) => object.sessionObject === share.sticky) ?? weighted[0]!;
      share.sticky = stuck.object.sessionObject;
      return { object: stuck.object, key: 0 };
    }
    case "least_inflight": {
      const load = ({ object, weight }: Weighted): number => object.flying / weight;
      const least = Math.min(...weighted.map(load));
      return { object: nextInTurn(weighted.filter((each) => load(each) === least)), key: 0 };
    }
  }
}

/** Smooth weighted round robin: everybody gains its weight, the richest pays for all. */
function nextInTurn(weighted: readonly Weighted[]): Members {
  let total = 0;
  let richest = weighted[0]!.object;
  for (const { object, weight } of weighted) {
    object.credit += weight;
    total += weight;
    if (object.credit > richest.credit) richest = object;
  }
  richest.credit -= total;
  return richest;
}

/** The member of this number, counted through all Session objects in the order of their names. */
function byNumber(weighted: readonly Weighted[], number: number): { object: Members; key: number } {
  const sorted = [...weighted].sort((a, b) => (a.object.sessionObject < b.object.sessionObject ? -1 : 1));
  let rest = number % sorted.reduce((sum, { weight }) => sum + weight, 0);
  for (const { object, weight } of sorted) {
    if (rest < weight) return { object, key: rest };
    rest -= weight;
  }
  return { object: sorted[0]!.object, key: 0 };
}
