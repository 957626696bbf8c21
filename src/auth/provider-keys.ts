/**
 * The keys behind one URL of JWT_JWKS_URLS, as an isolate knows them. Asked for when they are old, and at once, but for a cool-down,
 * when a token names one that is not known. While they can't be had, those that are known go on.
 *
 * In a Worker each connection has a life of its own: a promise of one must not be what another waits for. So whoever finds that keys have to
 * be had asks itself, one at a time; the others look now and then whether they have come, and one that is gone is passed over.
 */

import { JWKS_COOL_DOWN_MS, JWKS_FRESH_MS, JWKS_LOOK_MS, JWKS_LOOK_MS_MAX, JWKS_LOOKING_FEW, JWKS_TIMEOUT_MS } from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";
import { fetchKeySet, type ProviderKey } from "./jwk-set.ts";
import type { Fetch } from "./outside.ts";

export interface ProviderServices {
  readonly fetch: Fetch;
  readonly runtime: Runtime;
  /** Called when keys could not be had, with a sentence for the log. */
  readonly failed: (problem: string) => void;
}

/** Longer than asking takes: whoever asks and has not told anything by then is gone. */
const LEASE_MS = JWKS_TIMEOUT_MS + 1000;

export class ProviderKeys {
  readonly #url: string;
  readonly #services: ProviderServices;
  #keys: readonly ProviderKey[] = [];
  /** The last time of asking went well. */
  #reached = false;
  /** Milliseconds since the epoch: until then the keys are good as they are. */
  #freshUntil = Number.NEGATIVE_INFINITY;
  /** Until then nobody asks. */
  #coolUntil = Number.NEGATIVE_INFINITY;
  /** Until then somebody is asking, or is gone. */
  #leaseUntil = Number.NEGATIVE_INFINITY;
  /** How many have begun to wait since then. */
  #waiting = 0;

  constructor(url: string, services: ProviderServices) {
    this.#url = url;
    this.#services = services;
  }

  /** Those that are known. */
  get keys(): readonly ProviderKey[] {
    return this.#keys;
  }

  /** What is known was told by the provider when it was asked last. */
  get reached(): boolean {
    return this.#reached;
  }

  /** Sees to it that the keys are not old, without waiting for others. */
  async refresh(): Promise<void> {
    const now = this.#services.runtime.now();
    if (now >= this.#freshUntil && now >= this.#coolUntil && now >= this.#leaseUntil) await this.#ask();
  }

  /** A key is not known: asks for the keys, or waits until somebody has, unless they have just been had. */
  async seek(): Promise<void> {
    const { runtime } = this.#services;
    this.#waiting += 1;
    while (runtime.now() >= this.#coolUntil) {
      if (runtime.now() >= this.#leaseUntil) await this.#ask();
      else await new Promise<void>((resolve) => void runtime.after(this.#lookMs, resolve));
    }
  }

  /** The more wait, the less often each looks: a crowd costs no more than so many looks a second. */
  get #lookMs(): number {
    return Math.min(JWKS_LOOK_MS_MAX, JWKS_LOOK_MS * (1 + this.#waiting / JWKS_LOOKING_FEW));
  }

  async #ask(): Promise<void> {
    const { fetch, runtime, failed } = this.#services;
    this.#leaseUntil = runtime.now() + LEASE_MS;
    this.#waiting = 0;
    const answer = await fetchKeySet(this.#url, fetch, runtime);
    const now = runtime.now();
    this.#leaseUntil = Number.NEGATIVE_INFINITY;
    this.#coolUntil = now + JWKS_COOL_DOWN_MS;
    this.#reached = typeof answer !== "string";
    if (typeof answer === "string") {
      const { origin, pathname } = new URL(this.#url);
      failed(`the keys of ${origin}${pathname} could not be had: ${answer}`);
      return;
    }
    this.#keys = answer;
    this.#freshUntil = now + JWKS_FRESH_MS;
  }
}
