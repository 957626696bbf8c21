/** Time for tests of one host. */

import type { Runtime } from "../../src/runtime.ts";

/** Of an object that gives nobody a target. */
export const notHeld = (): Promise<never> => Promise.reject(new Error("there is none"));

/** Time stands still until timers are told to run: then it is as late as they are due. */
export function stillRuntime(): Runtime & { run(): void } {
  let now = 1_800_000_000_000;
  let waiting: { readonly at: number; readonly run: () => void }[] = [];
  return {
    now: () => now,
    after: (ms, run) => {
      const timer = { at: now + ms, run };
      waiting.push(timer);
      return {
        cancel: () => {
          waiting = waiting.filter((other) => other !== timer);
        },
      };
    },
    incarnation: () => "1",
    run: () => {
      for (const { at, run } of waiting.splice(0)) {
        now = Math.max(now, at);
        run();
      }
    },
  };
}
