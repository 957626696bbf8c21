/**
 * The one alarm of an object. Setting it costs a row and its firing a request, so it is only ever set earlier, never later: one that
 * fires too soon finds nothing due and is set again.
 */

import { ALARM_MS_MAX } from "../limits.ts";
import type { Runtime } from "../runtime.ts";

/** The object's one alarm, as the platform has it. */
export interface AlarmStorage {
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
}

export class AlarmClock {
  readonly #storage: AlarmStorage;
  readonly #runtime: Runtime;
  /** Milliseconds since the epoch; Infinity when none is set; undefined until storage was asked. */
  #setFor: number | undefined;

  constructor(storage: AlarmStorage, runtime: Runtime) {
    this.#runtime = runtime;
    this.#storage = storage;
  }

  /** The alarm fired: none is set any more. */
  fired(): void {
    this.#setFor = Number.POSITIVE_INFINITY;
  }

  /** Whether it is set already for an object that has to wake at this time; Infinity: it need not. After nearly every event it is. */
  isSetFor(at: number): boolean {
    return at === Number.POSITIVE_INFINITY || (this.#setFor !== undefined && at >= this.#setFor);
  }

  /** Makes sure that the object wakes at this time. @returns whether a row was written */
  async wakeAt(at: number): Promise<boolean> {
    if (this.isSetFor(at)) return false;
    if (this.#setFor === undefined) {
      const found = (await this.#storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
      // Another call may have set it meanwhile.
      this.#setFor ??= found;
    }
    if (at >= this.#setFor) return false;
    const now = this.#runtime.now();
    this.#setFor = Math.min(at, now + ALARM_MS_MAX);
    try {
      await this.#storage.setAlarm(Math.max(this.#setFor, now + 1));
    } catch (error) {
      // What is set is not known any more.
      this.#setFor = undefined;
      throw error;
    }
    return true;
  }
}
