/**
 * Answers of a hook that it has said may be kept (`Cache-Control: max-age`), each under a digest of the whole question by a key that never
 * leaves memory: neither passwords nor what can be tried against them are kept. Values, never promises: what one connection waits for is
 * no other's.
 */

import { HOOK_CACHE_BYTES_MAX, HOOK_CACHE_MS_MAX } from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";
import { toBase64 } from "./base64.ts";
import type { HttpAnswer } from "./http-ask.ts";
import type { HttpRequest } from "./http-template.ts";

interface Kept {
  readonly answer: HttpAnswer;
  readonly from: number;
  readonly until: number;
  readonly bytes: number;
}

/** What an entry takes beside its body. */
const ENTRY_BYTES = 300;

export class HookCache {
  readonly #runtime: Runtime;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;
  /** Made when first needed: a Worker has no randomness before its first request. */
  #key: CryptoKey | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  async nameOf({ method, url, headers, body }: HttpRequest): Promise<string> {
    this.#key ??= (await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"])) as CryptoKey;
    const question = new TextEncoder().encode(JSON.stringify([method, url, Object.entries(headers), body]));
    return toBase64(new Uint8Array(await crypto.subtle.sign("HMAC", this.#key, question)));
  }

  get(name: string): HttpAnswer | undefined {
    const kept = this.#kept.get(name);
    if (kept === undefined) return undefined;
    const now = this.#runtime.now();
    if (now >= kept.from && now < kept.until) return kept.answer;
    this.#forget(name, kept);
    return undefined;
  }

  keep(name: string, answer: HttpAnswer): void {
    const before = this.#kept.get(name);
    if (before !== undefined) this.#forget(name, before);
    if (answer.freshMs === 0) return;
    const from = this.#runtime.now();
    const kept = {
      answer,
      from,
      until: from + Math.min(answer.freshMs, HOOK_CACHE_MS_MAX),
      bytes: ENTRY_BYTES + (answer.body?.length ?? 0),
    };
    this.#kept.set(name, kept);
    this.#bytes += kept.bytes;
    for (const [oldest, each] of this.#kept) {
      if (this.#bytes <= HOOK_CACHE_BYTES_MAX) break;
      this.#forget(oldest, each);
    }
  }

  #forget(name: string, { bytes }: Kept): void {
    if (this.#kept.delete(name)) this.#bytes -= bytes;
  }
}
