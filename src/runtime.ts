/**
 * Time as hosts see it: the clock, timers, and names that no earlier life of an object had. The platform's in production; a
 * simulation brings its own and so can stop, turn and repeat time.
 */

/** A timer that can be cancelled. */
export interface Timer {
  cancel(): void;
}

export interface Runtime {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs something later, once; 0 = in the next tick. While it waits, the platform does not hibernate the object. */
  after(ms: number, run: () => void): Timer;
  /** Something that no earlier incarnation of any object had; it has no @. */
  incarnation(): string;
}

export const PLATFORM: Runtime = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  incarnation: () => crypto.randomUUID(),
};
