/**
 * Which Session object of a shared subscription gets a message. Those that may be chosen are put in order when an announcement changes
 * them, not for each message. A message at QoS 2 is given by its name, whatever the strategy but those that look at nothing else: should
 * it come again to a Topic object that has lost its memory, it goes where it went before.
 */

import type { SharedStrategy } from "../choices.ts";
import { type Message, objectOf } from "../mqtt/message.ts";
import { hash } from "../topic/hash.ts";

/** A Session object with members. */
export interface Weighted {
  readonly sessionObject: string;
  /** Members that may be chosen there. */
  readonly weight: number;
  readonly account: Account;
}

/** What is remembered of a Session object for as long as it has members. */
export interface Account {
  /** The smooth weighted round robin's account. */
  credit: number;
  /** Messages on their way there. */
  flying: number;
}

export interface Choice {
  readonly chosen: Weighted;
  /** Which member there, for strategies by which it is chosen here. */
  readonly key: number;
}

/** What a shared subscription remembers besides. */
export interface Turns {
  turn: number;
  sticky: string | undefined;
}

/** The Session objects of a shared subscription of which one may be chosen. */
export class Candidates {
  readonly #weighted: readonly Weighted[];
  readonly #byName: ReadonlyMap<string, Weighted>;
  readonly #isEven: boolean;
  /** In the order of their names, each with the number behind its last member; made when first needed. */
  #numbered: readonly (readonly [object: Weighted, end: number])[] | undefined;

  /** Their members are those that are connected. */
  readonly anyOnline: boolean;

  /** @param weighted in the order in which they came; at least one */
  constructor(weighted: readonly Weighted[], anyOnline: boolean) {
    this.anyOnline = anyOnline;
    this.#weighted = weighted;
    this.#byName = new Map(weighted.map((each) => [each.sessionObject, each]));
    this.#isEven = weighted.every(({ weight }) => weight === weighted[0]!.weight);
  }

  /** How many there are. */
  get length(): number {
    return this.#weighted.length;
  }

  choose(strategy: SharedStrategy, turns: Turns, message: Message): Choice {
    switch (strategy) {
      case "hash_client":
        return this.#byNumber(hash(message.publisher));
      case "hash_topic":
        return this.#byNumber(hash(message.topic));
      case "sticky": {
        const stuck = (turns.sticky === undefined ? undefined : this.#byName.get(turns.sticky)) ?? this.#byNumber(0).chosen;
        turns.sticky = stuck.sessionObject;
        return { chosen: stuck, key: 0 };
      }
      case "random":
        return this.#byNumber(nameOf(message));
      case "round_robin":
        return message.qos === 2 ? this.#byNumber(nameOf(message)) : { chosen: this.#next(turns), key: 0 };
      case "least_inflight":
        return message.qos === 2 ? this.#byNumber(nameOf(message)) : { chosen: this.#leastLoaded(), key: 0 };
    }
  }

  /** Where all have as many members, one after the other; else the smooth weighted round robin. */
  #next(turns: Turns): Weighted {
    if (!this.#isEven) return nextInTurn(this.#weighted);
    const chosen = this.#weighted[turns.turn % this.#weighted.length]!;
    turns.turn = (turns.turn + 1) % this.#weighted.length;
    return chosen;
  }

  #leastLoaded(): Weighted {
    const load = ({ account, weight }: Weighted): number => account.flying / weight;
    let least = Number.POSITIVE_INFINITY;
    for (const each of this.#weighted) least = Math.min(least, load(each));
    return nextInTurn(this.#weighted.filter((each) => load(each) === least));
  }

  /** The member of this number, counted through all Session objects in the order of their names. */
  #byNumber(number: number): Choice {
    if (this.#numbered === undefined) {
      let end = 0;
      const sorted = [...this.#weighted].sort((a, b) => (a.sessionObject < b.sessionObject ? -1 : 1));
      this.#numbered = sorted.map((each) => {
        end += each.weight;
        return [each, end] as const;
      });
    }
    const numbered = this.#numbered;
    const wanted = number % numbered.at(-1)![1];
    let low = 0;
    let high = numbered.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (wanted < numbered[middle]![1]) high = middle;
      else low = middle + 1;
    }
    const [chosen, end] = numbered[low]!;
    return { chosen, key: wanted - (end - chosen.weight) };
  }
}

/** The same for every copy of a message, also of one that its publisher repeated after its object had lost its memory. */
function nameOf({ origin, sequence }: Message): number {
  return hash(`${objectOf(origin)} ${sequence}`);
}

/** Smooth weighted round robin: everybody gains its weight, the richest pays for all. */
function nextInTurn(weighted: readonly Weighted[]): Weighted {
  let total = 0;
  let richest = weighted[0]!;
  for (const each of weighted) {
    each.account.credit += each.weight;
    total += each.weight;
    if (each.account.credit > richest.account.credit) richest = each;
  }
  richest.account.credit -= total;
  return richest;
}
