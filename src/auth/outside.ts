/** Questions to others (an HTTP service, an identity provider, another Worker), bounded in time and size. Nothing is thrown. */

import { concatenate } from "../mqtt/bytes.ts";
import type { Runtime } from "../runtime.ts";
import type { Caller } from "../session/ports.ts";

/** A network that anybody may listen to and change is no way for passwords and keys: TLS, or this machine alone. */
export function isSafeWay({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}

/** As the platform's. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

interface Patience {
  readonly timeoutMs: number;
  readonly runtime: Runtime;
  /** Has something run when nobody waits for the answer any longer. */
  readonly whenGone?: Caller["whenGone"];
}

/**
 * Asks, and waits for the answer so long and no longer.
 * @param ask its signal tells that nobody waits any more
 * @returns the answer; `late` when there was none in time; `failed` when asking threw: what it throws may have anything in it
 */
export async function answerWithin<Answer, Otherwise>(
  { timeoutMs, runtime, whenGone }: Patience,
  ask: (signal: AbortSignal) => Promise<Answer>,
  { late, failed }: { readonly late: Otherwise; readonly failed: Otherwise },
): Promise<Answer | Otherwise> {
  const abort = new AbortController();
  const tooLate = new Promise<Otherwise>((resolve) => abort.signal.addEventListener("abort", () => resolve(late)));
  const timer = runtime.after(timeoutMs, () => abort.abort());
  whenGone?.(() => abort.abort());
  const answer = ask(abort.signal);
  try {
    return await Promise.race([answer, tooLate]);
  } catch {
    return failed;
  } finally {
    timer.cancel();
    // What is still to come of it is nobody's any more.
    answer.catch(() => {});
  }
}

/** @returns undefined when it is larger than it may be */
export async function bodyOf(response: Response, bytesMax: number): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let left = bytesMax;
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
