/**
 * Logins that fail, counted by address: above the rate, whoever would have to be hashed for, or asked about, is refused before that, whatever
 * the password. Whoever needs neither, because the same password was right before, is still let in from there, so that one guest of a network
 * does not shut out the others; but of one user at one address no more passwords are looked at than the rate allows, right or wrong: the
 * refusal must not be a fast way to guess.
 *
 * What a login may cost is taken before it begins and given back when it was right: so many that come at once are no more guesses than the
 * same one after the other, and whoever leaves before the answer has guessed. Those behind wait until it is known whether anything comes back.
 *
 * In memory of one isolate or object: another one, and a later life, counts for itself.
 */

import { limitedAs } from "../directory/network.ts";
import {
  LOGIN_LOOK_MS,
  LOGIN_PATIENCE_MS,
  LOGINS_WAITING_MAX,
  LOGINS_WAITING_PER_ADDRESS_MAX,
  NAME_COUNTED_CHARACTERS_MAX,
  REFUSED_LOGINS_TOLD_MS,
} from "../login-limits.ts";
import { CONNECTION_RATE_EXCEEDED, SERVER_BUSY } from "../mqtt/reason-code.ts";
import type { Rate } from "../rate.ts";
import type { Runtime } from "../runtime.ts";
import type { Refusal } from "../session/ports.ts";
import { hash } from "../topic/hash.ts";
import { Attempt, Counted } from "./login-attempt.ts";

/** A 3.x connection gets return code 3. */
export const TOO_MANY_FAILED: Refusal = {
  reasonCode: CONNECTION_RATE_EXCEEDED,
  message: "Too many logins from this address have failed; try again later.",
};

/** A 3.x connection gets return code 3. */
const TOO_MANY_AT_ONCE: Refusal = { reasonCode: SERVER_BUSY, message: "Too many clients log in from this address at once; try again." };

interface Waiter {
  readonly address: string;
  /** Milliseconds since the epoch: it has looked for the last time, or is gone. */
  readonly until: number;
}

export class FailedLogins {
  readonly #runtime: Runtime;
  readonly #tell: (address: string) => void;
  readonly #ofAddress: Counted;
  readonly #ofUser: Counted;
  #waiting: Waiter[] = [];
  #toldAt = 0;

  /** @param tell called now and then with an address whose logins are refused */
  constructor(rate: Rate, runtime: Runtime, tell: (address: string) => void) {
    this.#runtime = runtime;
    this.#tell = tell;
    this.#ofAddress = new Counted(rate, runtime);
    this.#ofUser = new Counted(rate, runtime);
  }

  /** Whether so many passwords of this user have failed there that none is looked at. */
  isShut(address: string, userName: string): boolean {
    const isShut = address !== "" && !this.#ofUser.has(userAt(address, userName));
    if (isShut) this.#refused(address);
    return isShut;
  }

  /** For how long that is so, milliseconds. */
  shutMs(address: string, userName: string): number {
    return this.#ofUser.waitMs(userAt(address, userName));
  }

  /** Whether something that costs much might begin for an address now. */
  mayTry(address: string): boolean {
    return this.#ofAddress.has(limitedAs(address));
  }

  /** A login begins: nothing of it is taken yet. */
  attempt(address: string, userName: string): Attempt {
    return new Attempt(this.#ofAddress, this.#ofUser, limitedAs(address), address === "" ? undefined : userAt(address, userName));
  }

  /**
   * Waits where it depends on others who are not over whether a login may go on.
   * @param goes takes what it needs, and tells whether that was there: asked again and again
   * @returns why it may not; undefined when it goes
   */
  async admit(address: string, attempt: Attempt, goes: () => boolean): Promise<Refusal | undefined> {
    if (goes()) return undefined;
    const since = this.#runtime.now();
    const waiter = attempt.isUndecided ? this.#wait(limitedAs(address), since) : undefined;
    let hasGone = false;
    while (waiter !== undefined && attempt.isUndecided && this.#runtime.now() - since < LOGIN_PATIENCE_MS) {
      await new Promise<void>((resolve) => void this.#runtime.after(LOGIN_LOOK_MS, resolve));
      hasGone = goes();
      if (hasGone) break;
    }
    this.#waiting = this.#waiting.filter((each) => each !== waiter);
    if (hasGone) return undefined;
    if (attempt.isUndecided) return TOO_MANY_AT_ONCE;
    this.#refused(address);
    return TOO_MANY_FAILED;
  }

  /** @returns undefined where too many wait */
  #wait(address: string, now: number): Waiter | undefined {
    // Those that are gone have nobody who takes them out.
    this.#waiting = this.#waiting.filter(({ until }) => until > now);
    const others = address === "" ? 0 : this.#waiting.filter((each) => each.address === address).length;
    if (this.#waiting.length >= LOGINS_WAITING_MAX || others >= LOGINS_WAITING_PER_ADDRESS_MAX) return undefined;
    const waiter = { address, until: now + LOGIN_PATIENCE_MS + LOGIN_LOOK_MS };
    this.#waiting.push(waiter);
    return waiter;
  }

  /** What was right before is right no more. */
  failed(address: string, userName: string): void {
    this.guessed(address, userName);
    this.#ofAddress.take(limitedAs(address));
  }

  /** Something was looked at and not found to be right, which has cost nothing. */
  guessed(address: string, userName: string): void {
    if (address !== "") this.#ofUser.take(userAt(address, userName));
  }

  #refused(address: string): void {
    const now = this.#runtime.now();
    if (Math.abs(now - this.#toldAt) < REFUSED_LOGINS_TOLD_MS) return;
    this.#toldAt = now;
    this.#tell(address);
  }
}

/**
 * Of a long name its hash stands for it: anybody may give one of 64 KiB, and many of them. Whoever finds two names with one hash shuts them out
 * together, where it could shut out each.
 */
function userAt(address: string, userName: string): string {
  const name = userName.length <= NAME_COUNTED_CHARACTERS_MAX ? userName : `${hash(userName)} of ${userName.length}`;
  return `${limitedAs(address)} ${name}`;
}
