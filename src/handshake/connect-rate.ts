/**
 * How often an address may ask for a WebSocket (`ADDRESS_CONNECT_RATE`): an isolate of the Worker counts what it is asked, before anything is
 * read or woken for it, and a Session object what is handed over to it, from wherever that came.
 */

import { limitedAs } from "../directory/network.ts";
import { ADDRESSES_COUNTED_MAX } from "../login-limits.ts";
import { Buckets, isLimited, type Rate } from "../rate.ts";

export class ConnectRate {
  readonly #buckets: Buckets;

  readonly #isLimited: boolean;

  constructor(rate: Rate) {
    this.#isLimited = isLimited(rate);
    this.#buckets = new Buckets(rate, ADDRESSES_COUNTED_MAX);
  }

  /** @returns the answer to an address that asks too often; undefined for one that does not, which counts as one connection */
  refusal(address: string, now: number): Response | undefined {
    if (!this.#isLimited) return undefined;
    const key = limitedAs(address);
    if (this.#buckets.take(key, 1, now)) return undefined;
    const seconds = Math.ceil(this.#buckets.waitMs(key, 1, now) / 1000);
    const headers = { "Content-Type": "text/plain; charset=utf-8", "Retry-After": String(seconds) };
    return new Response("Too many connections were asked for from this address. Try again later.\n", { status: 429, headers });
  }
}
