/** One request to an HTTP service and its answer, bounded in time and size. Nothing is thrown, and redirects are not followed. */

import { HOOK_ANSWER_BYTES_MAX } from "../login-limits.ts";
import { concatenate } from "../mqtt/bytes.ts";
import type { Runtime } from "../runtime.ts";
import type { Caller } from "../session/ports.ts";
import type { HttpRequest } from "./http-template.ts";
import type { Fetch } from "./jwk-set.ts";

export interface HttpAnswer {
  readonly status: number;
  /** Undefined when it is too large. */
  readonly body: Uint8Array | undefined;
  /** How long it may be kept, milliseconds; 0 = not at all. */
  readonly freshMs: number;
}

/**
 * @param whenGone has something run when nobody waits for the answer any longer
 * @returns the answer, or why there is none, as the end of a sentence
 */
export async function askHttp(
  request: HttpRequest,
  timeoutMs: number,
  fetch: Fetch,
  runtime: Runtime,
  whenGone: Caller["whenGone"],
): Promise<HttpAnswer | string> {
  const abort = new AbortController();
  const late = new Promise<string>((resolve) => {
    abort.signal.addEventListener("abort", () => resolve(`did not answer within ${timeoutMs} ms`));
  });
  const timer = runtime.after(timeoutMs, () => abort.abort());
  whenGone?.(() => abort.abort());
  const answer = answerOf(request, abort.signal, fetch);
  try {
    return await Promise.race([answer, late]);
  } catch {
    return "could not be reached";
  } finally {
    timer.cancel();
    // What is still to come of it is nobody's any more.
    answer.catch(() => {});
  }
}

async function answerOf({ url, method, headers, body }: HttpRequest, signal: AbortSignal, fetch: Fetch): Promise<HttpAnswer> {
  const init: RequestInit = { method, headers: { accept: "application/json", ...headers }, redirect: "manual", cache: "no-store", signal };
  // A redirect would take passwords to where the operator did not send them.
  const response = await fetch(url, body === undefined ? init : { ...init, body });
  return { status: response.status, body: await bodyOf(response), freshMs: freshMsOf(response.headers.get("cache-control") ?? "") };
}

/** @returns undefined when it is larger than an answer may be */
async function bodyOf(response: Response): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let left = HOOK_ANSWER_BYTES_MAX;
  const reader = response.body?.getReader();
  for (let piece = await reader?.read(); piece !== undefined && !piece.done; piece = await reader!.read()) {
    left -= piece.value.length;
    if (left < 0) {
      // Whether the other side hears of it is its own affair.
      reader!.cancel().catch(() => {});
      return undefined;
    }
    pieces.push(piece.value);
  }
  return concatenate(pieces);
}

/** `max-age` of Cache-Control, unless another word there forbids to keep the answer. */
export function freshMsOf(cacheControl: string): number {
  const words = cacheControl
    .toLowerCase()
    .split(",")
    .map((word) => word.trim());
  if (words.some((word) => /^(?:no-store|no-cache)(?:=|$)/.test(word))) return 0;
  const ages = words.flatMap((word) => /^max-age=(\d{1,9})$/.exec(word)?.[1] ?? []);
  return ages.length === 1 ? Number(ages[0]) * 1000 : 0;
}
