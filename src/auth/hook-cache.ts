/**
 * Answers of a hook that it has said may be kept (`Cache-Control: max-age`), each under a digest of the whole question by a key that never
 * leaves memory: neither passwords nor what can be tried against them are kept. Values, never promises: what one connection waits for is
 * no other's.
 */

import { BoundedMap } from "../bounded-map.ts";
import { HOOK_CACHE_BYTES_MAX, HOOK_CACHE_MS_MAX } from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";
import { toBase64 } from "./base64.ts";
import type { HttpAnswer } from "./http-ask.ts";
import type { HttpRequest } from "./http-template.ts";

interface Kept {
  readonly answer: HttpAnswer;
  /** Milliseconds since the epoch; a clock that was set back ends it too. */
  readonly from: number;
  readonly until: number;
}

/** What an entry takes beside its body. */
const ENTRY_BYTES = 300;

export class HookCache {
  readonly #runtime: Runtime;
  readonly #kept = new BoundedMap<string, Kept>(HOOK_CACHE_BYTES_MAX);
  /** Made when first needed: a Worker has no randomness before its first request. */
  #key: CryptoKey | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  async nameOf({ method, url, headers, body }: HttpRequest): Promise<string> {
    // Of several that come first one key counts.
    const made = this.#key ?? ((await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"])) as CryptoKey);
    this.#key ??= made;
    const question = new TextEncoder().encode(JSON.stringify([method, url, Object.entries(headers), body]));
    return toBase64(new Uint8Array(await crypto.subtle.sign("HMAC", this.#key, question)));
  }

  get(name: string): HttpAnswer | undefined {
    const now = this.#runtime.now();
    const kept = this.#kept.get(name);
    return kept !== undefined && now >= kept.from && now < kept.until ? kept.answer : undefined;
  }

  keep(name: string, answer: HttpAnswer): void {
    if (answer.freshMs === 0) return;
    const from = this.#runtime.now();
    const until = from + Math.min(answer.freshMs, HOOK_CACHE_MS_MAX);
    this.#kept.set(name, { answer, from, until }, ENTRY_BYTES + (answer.body?.length ?? 0));
  }
}
