/** A call that is waited for so long and no longer. */

import type { Runtime, Timer } from "../runtime.ts";

/** @throws Error when the answer takes longer */
export async function inTime<Answer>(answer: Promise<Answer>, ms: number, runtime: Runtime): Promise<Answer> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = runtime.after(ms, () => reject(new Error(`no answer within ${ms} ms`)));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    timer?.cancel();
  }
}
