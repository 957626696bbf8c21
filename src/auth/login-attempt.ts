/**
 * What one login takes of the rates of logins that fail, before it begins, and has back when it was right: of its user at its address for
 * each password that is looked at, and of its address for what costs much, a hash or a question.
 */

import { BoundedMap } from "../bounded-map.ts";
import { ADDRESSES_COUNTED_MAX, LOGIN_LEASE_MS } from "../login-limits.ts";
import { Buckets, type Rate } from "../rate.ts";
import type { Runtime } from "../runtime.ts";

/** How many have taken something that may come back. */
interface Open {
  readonly count: number;
  /** Milliseconds since the epoch: then they are gone. */
  readonly until: number;
}

/** Buckets, and who has taken from them what may come back. */
export class Counted {
  readonly #buckets: Buckets;
  readonly #open = new BoundedMap<string, Open>(ADDRESSES_COUNTED_MAX);
  readonly #runtime: Runtime;

  constructor(rate: Rate, runtime: Runtime) {
    this.#buckets = new Buckets(rate, ADDRESSES_COUNTED_MAX);
    this.#runtime = runtime;
  }

  has(key: string): boolean {
    return this.#buckets.has(key, 1, this.#runtime.now());
  }

  waitMs(key: string): number {
    return this.#buckets.waitMs(key, 1, this.#runtime.now());
  }

  /** For good. */
  take(key: string): boolean {
    return this.#buckets.take(key, 1, this.#runtime.now());
  }

  /** Until it is `closed`. */
  open(key: string): boolean {
    if (!this.take(key)) return false;
    this.#open.set(key, { count: this.#openOf(key) + 1, until: this.#runtime.now() + LOGIN_LEASE_MS }, 1);
    return true;
  }

  close(key: string, givesBack: boolean): void {
    if (givesBack) this.#buckets.giveBack(key, 1);
    const left = this.#openOf(key) - 1;
    if (left <= 0) this.#open.delete(key);
    else this.#open.set(key, { count: left, until: this.#open.get(key)!.until }, 1);
  }

  /** There is none now, and there may be one as soon as others are known to have been right. */
  mayComeBack(key: string): boolean {
    return this.#openOf(key) > 0;
  }

  #openOf(key: string): number {
    const open = this.#open.get(key);
    return open !== undefined && open.until > this.#runtime.now() ? open.count : 0;
  }
}

/** One that a login may take. */
class Hold {
  readonly #counted: Counted;
  readonly #key: string | undefined;
  #isTaken = false;

  /** @param key undefined: nothing is counted */
  constructor(counted: Counted, key: string | undefined) {
    this.#counted = counted;
    this.#key = key;
  }

  /** @returns whether it is taken now; once it is, it may be asked for again */
  take(): boolean {
    this.#isTaken ||= this.#key === undefined || this.#counted.open(this.#key);
    return this.#isTaken;
  }

  /** It is taken, or could be. */
  get isThere(): boolean {
    return this.#isTaken || this.#key === undefined || this.#counted.has(this.#key);
  }

  /** It is not taken, and one may come from others that are not over. */
  get mayComeBack(): boolean {
    return !this.#isTaken && this.#key !== undefined && this.#counted.mayComeBack(this.#key);
  }

  close(givesBack: boolean): void {
    if (this.#isTaken && this.#key !== undefined) this.#counted.close(this.#key, givesBack);
    this.#isTaken = false;
  }
}

/** What a password is beside one that was right before; `new` where none is known. */
export type Compared = "right" | "wrong" | "new";

export class Attempt {
  readonly #ofUser: Hold;
  readonly #ofAddress: Hold;
  #isOver = false;

  /** @param user undefined where addresses are not known: nobody may shut out a user for all */
  constructor(ofAddress: Counted, ofUser: Counted, address: string, user: string | undefined) {
    this.#ofAddress = new Hold(ofAddress, address);
    this.#ofUser = new Hold(ofUser, user);
  }

  /** The password is about to be compared with something. @returns whether it may; once it may, it may again */
  look(): boolean {
    return !this.#isOver && this.#ofUser.take();
  }

  /** Something that costs much, a hash or a question, is about to begin. @returns whether it may; once it may, it may again */
  begin(): boolean {
    return !this.#isOver && this.#ofAddress.take();
  }

  /**
   * Compares the password with what was right before. Another one than that is wrong, whether a hash will show it or not, and costs a look,
   * or what follows would be a way to guess.
   * @param isKnown whether there is something to compare with
   * @returns undefined where it may not be looked at
   */
  compare(isKnown: boolean, fits: () => boolean): Compared | undefined {
    if (!this.look()) return undefined;
    const compared = isKnown ? (fits() ? "right" : "wrong") : "new";
    if (compared !== "wrong") this.giveBack();
    return compared;
  }

  /** Nothing is lacking that `look` and `begin` take. */
  get couldBegin(): boolean {
    return !this.#isOver && this.#ofUser.isThere && this.#ofAddress.isThere;
  }

  /** What it lacks may come from others that are not over. */
  get isUndecided(): boolean {
    const lacking = this.#ofUser.isThere ? this.#ofAddress : this.#ofUser;
    return !this.#isOver && lacking.mayComeBack;
  }

  /** It was right, or nothing has been looked at. It may go on. */
  giveBack(): void {
    this.#close(true);
  }

  /** It was wrong, or nobody waits for the answer any more: it is over. */
  fail(): void {
    this.#close(false);
    this.#isOver = true;
  }

  #close(givesBack: boolean): void {
    this.#ofUser.close(givesBack);
    this.#ofAddress.close(givesBack);
  }
}
