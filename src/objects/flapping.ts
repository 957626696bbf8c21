/** Clients that connect too often: counted in memory, where their sessions are, in windows that begin with their first connection. */

import type { Flapping } from "../auth/directory-settings.ts";
import { FLAPPING_COUNTED_MAX } from "../login-limits.ts";

interface Window {
  readonly beganAt: number;
  count: number;
}

export class FlappingCounter {
  readonly #settings: Flapping;
  /** In the order in which they began. */
  readonly #windows = new Map<string, Window>();

  constructor(settings: Flapping) {
    this.#settings = settings;
  }

  /**
   * A client connects.
   * @returns whether that was once too often
   */
  counts(clientId: string, now: number): boolean {
    const { count, windowMs } = this.#settings;
    if (count === 0) return false;
    this.#forget(now - windowMs);
    const window = this.#windows.get(clientId);
    if (window === undefined) {
      if (this.#windows.size < FLAPPING_COUNTED_MAX) this.#windows.set(clientId, { beganAt: now, count: 1 });
      return false;
    }
    window.count += 1;
    if (window.count <= count) return false;
    this.#windows.delete(clientId);
    return true;
  }

  #forget(before: number): void {
    for (const [clientId, { beganAt }] of this.#windows) {
      if (beganAt > before) return;
      this.#windows.delete(clientId);
    }
  }
}
