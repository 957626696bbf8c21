/**
 * What a Topic object is to be told once more, by filter: it has it in no row yet, or has not heard it. Where it refuses again the pause grows,
 * so that one that is misplaced or out of reach for long costs few calls; once something is heard, or there is something new to tell, what is left
 * is told soon. Nothing here has to survive: the timer keeps the object awake for as long as something is left.
 */

import { LATER_NEXT_MS, LATER_REQUESTS_MAX, SHARE_AGAIN_MS, SHARE_AGAIN_MS_MAX } from "../limits.ts";
import type { Runtime, Timer } from "../runtime.ts";

interface Told {
  readonly filter: string;
  readonly version: number;
}

export class ToldAgain<Item extends Told> {
  readonly #runtime: Runtime;
  readonly #tell: (item: Item) => void;
  readonly #told: () => void;
  readonly #left = new Map<string, Item>();
  /** Those of them that were there when time was up last. */
  readonly #due = new Map<string, Item>();
  #timer: Timer | undefined;
  /** When it runs out, milliseconds since the epoch. */
  #at = 0;
  #pauseMs = SHARE_AGAIN_MS;

  /** @param told called after some were told */
  constructor(runtime: Runtime, tell: (item: Item) => void, told: () => void) {
    this.#runtime = runtime;
    this.#tell = tell;
    this.#told = told;
  }

  add(item: Item): void {
    this.#left.set(item.filter, item);
    this.#arm(this.#pauseMs);
  }

  /** Of what is left; 0: nothing is. */
  versionOf(filter: string): number {
    return this.#left.get(filter)?.version ?? 0;
  }

  delete(filter: string): void {
    this.#left.delete(filter);
    if (this.#left.size > 0) return;
    this.#due.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The pause is short again. */
  anew(): void {
    if (this.#pauseMs === SHARE_AGAIN_MS) return;
    this.#pauseMs = SHARE_AGAIN_MS;
    if (this.#timer !== undefined) this.#arm(SHARE_AGAIN_MS);
  }

  #arm(afterMs: number): void {
    const at = this.#runtime.now() + afterMs;
    if (this.#timer !== undefined && this.#at <= at) return;
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = this.#runtime.after(afterMs, () => this.#ripe());
  }

  /** What has stood for a while is told; of very much some with each call. */
  #ripe(): void {
    this.#timer = undefined;
    let count = 0;
    for (const [filter, item] of this.#due) {
      if (count === LATER_REQUESTS_MAX) break;
      count += 1;
      this.#due.delete(filter);
      // Something newer may have been told since.
      if (this.#left.get(filter) !== item) continue;
      this.#left.delete(filter);
      this.#tell(item);
    }
    if (this.#due.size > 0) this.#arm(LATER_NEXT_MS);
    else {
      // Until it is heard.
      if (count > 0) this.#pauseMs = Math.min(2 * this.#pauseMs, SHARE_AGAIN_MS_MAX);
      for (const [filter, item] of this.#left) this.#due.set(filter, item);
      if (this.#due.size > 0) this.#arm(this.#pauseMs);
    }
    if (count > 0) this.#told();
  }
}
