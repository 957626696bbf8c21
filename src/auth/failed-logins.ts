/**
 * Logins that fail, counted by address: above the rate, whoever would have to be hashed for is refused before that, whatever the password.
 * Whoever needs no hash, because the same password was right before, is still let in from there, so that one guest of a network does
 * not shut out the others; but of one user at one address no more passwords are looked at than the rate allows, right or wrong: the
 * refusal must not be a fast way to guess.
 *
 * In memory of one isolate or object: another one, and a later life, counts for itself.
 */

import { limitedAs } from "../directory/network.ts";
import { ADDRESSES_COUNTED_MAX, REFUSED_LOGINS_TOLD_MS } from "../login-limits.ts";
import { CONNECTION_RATE_EXCEEDED } from "../mqtt/reason-code.ts";
import { Buckets, type Rate } from "../rate.ts";
import type { Runtime } from "../runtime.ts";
import type { Refusal } from "../session/ports.ts";

/** A 3.x connection gets return code 3. */
export const TOO_MANY_FAILED: Refusal = {
  reasonCode: CONNECTION_RATE_EXCEEDED,
  message: "Too many logins from this address have failed; try again later.",
};

export class FailedLogins {
  readonly #runtime: Runtime;
  readonly #tell: (address: string) => void;
  readonly #ofAddress: Buckets;
  readonly #ofUser: Buckets;
  #toldAt = 0;

  /** @param tell called now and then with an address whose logins are refused */
  constructor(rate: Rate, runtime: Runtime, tell: (address: string) => void) {
    this.#runtime = runtime;
    this.#tell = tell;
    this.#ofAddress = new Buckets(rate, ADDRESSES_COUNTED_MAX);
    this.#ofUser = new Buckets(rate, ADDRESSES_COUNTED_MAX);
  }

  /** Whether so many passwords of this user have failed there that none is looked at. */
  isShut(address: string, userName: string): boolean {
    const isShut = address !== "" && !this.#ofUser.has(userAt(address, userName), 1, this.#runtime.now());
    if (isShut) this.#refused(address);
    return isShut;
  }

  /** For how long that is so, milliseconds. */
  shutMs(address: string, userName: string): number {
    return this.#ofUser.waitMs(userAt(address, userName), 1, this.#runtime.now());
  }

  /** Whether something that costs much, a hash, may be begun for an address; asked when it is about to begin. */
  mayTry(address: string): boolean {
    if (this.#ofAddress.has(limitedAs(address), 1, this.#runtime.now())) return true;
    this.#refused(address);
    return false;
  }

  /** A password of this user, or what stands for one, was wrong. */
  failed(address: string, userName: string): void {
    this.guessed(address, userName);
    this.#ofAddress.take(limitedAs(address), 1, this.#runtime.now());
  }

  /** A password was looked at and not found to be right, without a hash. */
  guessed(address: string, userName: string): void {
    // Where addresses are not known, nobody may shut out a user for all.
    if (address !== "") this.#ofUser.take(userAt(address, userName), 1, this.#runtime.now());
  }

  #refused(address: string): void {
    const now = this.#runtime.now();
    if (Math.abs(now - this.#toldAt) < REFUSED_LOGINS_TOLD_MS) return;
    this.#toldAt = now;
    this.#tell(address);
  }
}

function userAt(address: string, userName: string): string {
  return `${limitedAs(address)} ${userName}`;
}
