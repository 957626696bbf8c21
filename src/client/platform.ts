/** What the client needs of the platform beside a socket: time and chance. Both can be replaced, so that tests decide about them. */

/** Time as the client sees it: what tells it, and what runs later. */
export interface Clock {
  /** Milliseconds, from any beginning. */
  now(): number;
  /** Runs something once, later. @returns what cancels it */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** 0 to 1, without 1. Not to be guessed: names and correlation are made of it. */
export function systemRandom(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}
