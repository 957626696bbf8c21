/**
 * The one alarm of an object. Setting it costs a row and its firing a request, so it is only ever set earlier, never later: one that
 * fires too soon finds nothing due and is set again. Where storage refuses to set it, the object stays awake and tries again: asleep, it
 * would miss what is due.
 */

import { ALARM_MS_MAX, ALARM_RETRY_MS } from "../limits.ts";
import type { Runtime, Timer } from "../runtime.ts";
import type { Meter } from "./meter.ts";

/** The object's one alarm, as the platform has it. */
export interface AlarmStorage {
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
}

export interface AlarmClockOptions {
  readonly storage: AlarmStorage;
  readonly runtime: Runtime;
  readonly meter: Pick<Meter, "rowsWritten">;
  /** When the object has to wake, milliseconds since the epoch; Infinity: it need not. */
  readonly wakeAt: () => number;
  /** Is told that it could not be set and will be tried again. */
  readonly failed: (error: unknown) => void;
}

export class AlarmClock {
  readonly #options: AlarmClockOptions;
  /** Milliseconds since the epoch; Infinity when none is set; undefined until storage was asked. */
  #setFor: number | undefined;
  /** Runs until it is tried again. */
  #again: Timer | undefined;

  constructor(options: AlarmClockOptions) {
    this.#options = options;
  }

  /** The alarm fired: none is set any more. */
  fired(): void {
    this.#setFor = Number.POSITIVE_INFINITY;
  }

  /** Makes sure that the object wakes in time. Resolves when that is so, or is to be tried again; nobody need wait for it. */
  async keep(): Promise<void> {
    try {
      await this.set();
    } catch (error) {
      const { runtime, failed } = this.#options;
      failed(error);
      this.#again ??= runtime.after(ALARM_RETRY_MS, () => {
        this.#again = undefined;
        this.keep();
      });
    }
  }

  /** Whether nothing is to be done; as after nearly every event. */
  get isSet(): boolean {
    return this.#isSetFor(this.#options.wakeAt());
  }

  /** The same, for who waits for it, and has it done again when it fails. @throws what storage throws */
  async set(): Promise<void> {
    const { storage, runtime, meter, wakeAt } = this.#options;
    const at = wakeAt();
    if (this.#isSetFor(at)) return;
    if (this.#setFor === undefined) {
      const found = (await storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
      // Another call may have set it meanwhile.
      this.#setFor ??= found;
    }
    if (at >= this.#setFor) return;
    const now = runtime.now();
    this.#setFor = Math.min(at, now + ALARM_MS_MAX);
    try {
      await storage.setAlarm(Math.max(this.#setFor, now + 1));
    } catch (error) {
      // What is set is not known any more.
      this.#setFor = undefined;
      throw error;
    }
    meter.rowsWritten += 1;
  }

  #isSetFor(at: number): boolean {
    return at === Number.POSITIVE_INFINITY || (this.#setFor !== undefined && at >= this.#setFor);
  }
}
