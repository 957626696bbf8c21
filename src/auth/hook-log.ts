/** What a hook does wrong, for the log: each sentence once in a while, however many logins it meets. */

import { HOOK_SILENCE_MS } from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";

/** Of which it is known when they were told: an answer can be wrong in many places. */
const SENTENCES_MAX = 100;

export class HookLog {
  readonly #runtime: Runtime;
  readonly #failed: (problem: string) => void;
  readonly #told = new Map<string, number>();

  constructor(runtime: Runtime, failed: (problem: string) => void) {
    this.#runtime = runtime;
    this.#failed = failed;
  }

  tell(problem: string): void {
    const now = this.#runtime.now();
    const told = this.#told.get(problem);
    if (told !== undefined && now >= told && now < told + HOOK_SILENCE_MS) return;
    if (this.#told.size >= SENTENCES_MAX) this.#told.clear();
    this.#told.set(problem, now);
    this.#failed(problem);
  }
}
