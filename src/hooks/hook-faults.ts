/** What hooks do wrong, for the log of their object: which hook, for which client, why. The same once in a while, and never more than somebody reads. */

import { problemOf } from "../fault.ts";
import { HOOK_LINES_MAX, HOOK_SILENCE_MS } from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";
import type { BrokerHooks } from "./contract.ts";

export interface HookFault {
  readonly hook: keyof BrokerHooks | "publish" | "onMessages";
  readonly client: string;
  readonly problem: string;
  /** Faults since the last line that had none of their own. */
  readonly others: number;
}

export class HookFaults {
  readonly #runtime: Runtime;
  readonly #tell: (fault: HookFault) => void;
  /** What was told since. */
  #since = Number.NEGATIVE_INFINITY;
  readonly #told = new Set<string>();
  #others = 0;

  constructor(runtime: Runtime, tell: (fault: HookFault) => void) {
    this.#runtime = runtime;
    this.#tell = tell;
  }

  /** @param error what was thrown, or a sentence that says what is wrong with the answer */
  caught(hook: HookFault["hook"], error: unknown, client: string): void {
    const problem = problemOf(error);
    const now = this.#runtime.now();
    if (now < this.#since || now >= this.#since + HOOK_SILENCE_MS) {
      this.#since = now;
      this.#told.clear();
    }
    const name = `${hook} ${problem}`;
    if (this.#told.has(name) || this.#told.size >= HOOK_LINES_MAX) {
      this.#others += 1;
      return;
    }
    this.#told.add(name);
    this.#tell({ hook, client, problem, others: this.#others });
    this.#others = 0;
  }
}
