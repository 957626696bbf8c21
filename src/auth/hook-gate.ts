/**
 * How many questions go to a hook at a time, and whether it is asked at all: a hook that does not answer is left alone for a while, and then
 * asked by one. Bounds what a slow hook holds up; a login that is refused here may come again.
 *
 * In a Worker each connection has a life of its own: a timer or a promise of one must not be what another waits for. So whoever waits
 * looks for itself, and one that is gone is forgotten after the time that it could have taken.
 */

import { limitedAs } from "../directory/network.ts";
import {
  HOOK_CALLS_MAX,
  HOOK_CALLS_PER_ADDRESS_MAX,
  HOOK_COOL_DOWN_MS,
  HOOK_FAILURES_MAX,
  HOOK_LEASE_MS,
  HOOK_LOOK_MS,
  HOOK_WAITING_MAX,
  HOOK_WAITING_PER_ADDRESS_MAX,
} from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";

interface Lease {
  /** Who counts as one (`limitedAs`). */
  readonly address: string;
  /** Milliseconds since the epoch: it is over, or its owner is gone. */
  readonly until: number;
}

export interface Pass {
  /**
   * Gives the place back; what is called after the first time is not heard.
   * @param reached whether the hook has answered, whatever; undefined = nobody has waited for that
   */
  leave(reached: boolean | undefined): void;
}

export class HookGate {
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;
  #asking: Lease[] = [];
  #waiting: Lease[] = [];
  /** In a row. */
  #failures = 0;
  /** Until then nobody asks. */
  #downUntil = Number.NEGATIVE_INFINITY;

  /** @param timeoutMs how long a question may take, and how long one may wait to ask it */
  constructor(runtime: Runtime, timeoutMs: number) {
    this.#runtime = runtime;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Waits until there is a place.
   * @param address where the client is; empty when that is not known
   */
  async enter(address: string): Promise<Pass | "busy" | "down"> {
    return this.#enter(limitedAs(address));
  }

  async #enter(address: string): Promise<Pass | "busy" | "down"> {
    const since = this.#runtime.now();
    if (this.#isDown(since)) return "down";
    if (!this.#hasRoom(address)) {
      // Those that are gone have nobody who takes them out.
      this.#waiting = this.#current(this.#waiting);
      if (this.#waiting.length >= HOOK_WAITING_MAX || of(this.#waiting, address) >= HOOK_WAITING_PER_ADDRESS_MAX) return "busy";
      const lease = { address, until: since + this.#timeoutMs + HOOK_LOOK_MS };
      this.#waiting.push(lease);
      while (!this.#hasRoom(address) && !this.#isDown(this.#runtime.now()) && this.#runtime.now() - since < this.#timeoutMs)
        await new Promise<void>((resolve) => void this.#runtime.after(HOOK_LOOK_MS, resolve));
      this.#waiting = this.#waiting.filter((each) => each !== lease);
      if (this.#isDown(this.#runtime.now())) return "down";
      if (!this.#hasRoom(address)) return "busy";
    }
    return this.#admit(address);
  }

  /** Who asks, waits, or is gone and not yet forgotten. */
  get size(): number {
    return this.#asking.length + this.#waiting.length;
  }

  /** Longer than a question takes: whoever has not left by then is gone. */
  get #leaseMs(): number {
    return this.#timeoutMs + HOOK_LEASE_MS;
  }

  #admit(address: string): Pass {
    const now = this.#runtime.now();
    const lease = { address, until: now + this.#leaseMs };
    let hasLeft = false;
    // One that was down is asked by one alone.
    if (this.#failures >= HOOK_FAILURES_MAX) this.#downUntil = lease.until;
    this.#asking = [...this.#current(this.#asking), lease];
    return {
      leave: (reached) => {
        if (hasLeft) return;
        hasLeft = true;
        this.#asking = this.#asking.filter((each) => each !== lease);
        if (reached === undefined) {
          // Another one is to try.
          if (this.#downUntil === lease.until) this.#downUntil = this.#runtime.now();
          return;
        }
        this.#failures = reached ? 0 : this.#failures + 1;
        if (reached) this.#downUntil = Number.NEGATIVE_INFINITY;
        else if (this.#failures >= HOOK_FAILURES_MAX) this.#downUntil = this.#runtime.now() + HOOK_COOL_DOWN_MS;
      },
    };
  }

  /** A clock that was set back must not keep it closed. */
  #isDown(now: number): boolean {
    return now < this.#downUntil && this.#downUntil - now <= Math.max(HOOK_COOL_DOWN_MS, this.#leaseMs);
  }

  #hasRoom(address: string): boolean {
    const asking = this.#current(this.#asking);
    return asking.length < HOOK_CALLS_MAX && of(asking, address) < HOOK_CALLS_PER_ADDRESS_MAX;
  }

  #current(leases: readonly Lease[]): Lease[] {
    const now = this.#runtime.now();
    return leases.filter(({ until }) => until > now);
  }
}

/** Where addresses are not known, on one's own machine, they can't be told apart. */
function of(leases: readonly Lease[], address: string): number {
  return address === "" ? 0 : leases.filter((each) => each.address === address).length;
}
