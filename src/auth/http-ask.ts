/** One request to an HTTP service and its answer, bounded in time and size. Redirects are not followed. */

import { HOOK_ANSWER_BYTES_MAX } from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";
import type { Caller } from "../session/ports.ts";
import type { HttpRequest } from "./http-template.ts";
import { answerWithin, bodyOf, type Fetch } from "./outside.ts";

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
export function askHttp(
  request: HttpRequest,
  timeoutMs: number,
  fetch: Fetch,
  runtime: Runtime,
  whenGone: Caller["whenGone"],
): Promise<HttpAnswer | string> {
  return answerWithin({ timeoutMs, runtime, whenGone }, (signal) => answerOf(request, signal, fetch), {
    late: `did not answer within ${timeoutMs} ms`,
    failed: "could not be reached",
  });
}

async function answerOf({ url, method, headers, body }: HttpRequest, signal: AbortSignal, fetch: Fetch): Promise<HttpAnswer> {
  const init: RequestInit = { method, headers: { accept: "application/json", ...headers }, redirect: "manual", cache: "no-store", signal };
  // A redirect would take passwords to where the operator did not send them.
  const response = await fetch(url, body === undefined ? init : { ...init, body });
  const freshMs = freshMsOf(response.headers.get("cache-control") ?? "");
  return { status: response.status, body: await bodyOf(response, HOOK_ANSWER_BYTES_MAX), freshMs };
}

/** `max-age` of Cache-Control, unless another word there forbids to keep the answer. */
function freshMsOf(cacheControl: string): number {
  const words = cacheControl
    .toLowerCase()
    .split(",")
    .map((word) => word.trim());
  if (words.some((word) => /^(?:no-store|no-cache)(?:=|$)/.test(word))) return 0;
  const ages = words.flatMap((word) => /^max-age=(\d{1,9})$/.exec(word)?.[1] ?? []);
  return ages.length === 1 ? Number(ages[0]) * 1000 : 0;
}
