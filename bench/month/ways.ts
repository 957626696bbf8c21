/**
 * What messages share, by the broker's own rules. Calls on the ways between objects: how many are made, and how many of them are billed; where they
 * are dense, one object holds a target of the other, on which calls are not billed, and neither hibernates (src/objects/caller.ts). And rows.
 */

import { CALL_GATHER_MS, HOLD } from "../../src/limits.ts";
import { ROW_GATHER_CHANGES, ROW_GATHER_MS } from "../../src/storage-limits.ts";

/**
 * How many messages have a call or a row of their own, where what comes within a window after one waits for its end and shares the next one, and
 * what comes later does not wait. From one to the next it is the window, or longer if nothing came in it: the window + e^(-rate x window) / rate.
 */
export function unshared(perSecond: number, windowSeconds: number): number {
  const expected = perSecond * windowSeconds;
  return 1 / (expected + Math.exp(-expected));
}

/**
 * Rows of a message for kept sessions of an object that gets so many: what comes soon after a row waits for the next one, unless that is very much.
 * A commit that takes longer gathers more; that is not counted on.
 */
export function rowsOfMessage(messagesPerSecond: number): number {
  return Math.max(unshared(messagesPerSecond, ROW_GATHER_MS / 1000), 1 / ROW_GATHER_CHANGES);
}

/** One of several ways out of an object that are used alike. */
export interface WayOut {
  /** A second, billed or not. */
  readonly calls: number;
  readonly billed: number;
  /** The part of the time in which a target is held. */
  readonly held: number;
}

/** Who is on a way: so many on average, whom a hash has put there, or as many on each. */
export interface Crowd {
  readonly average: number;
  readonly hashed: boolean;
  /** Messages a second of each of them. */
  readonly perSecond: number;
}

/**
 * The average of the ways out of one object. A target is held once there were `HOLD.calls` calls in a second (`HOLD.callsAwake` where the object
 * holds another one), until there were fewer than the latter. Calls come at random times, so now and then there are as many although on average there
 * are fewer; and a hash puts more clients on some ways than on others.
 * @param ways that leave the same object
 */
export function wayOut(crowd: Crowd, ways: number): WayOut {
  const kinds = (crowd.hashed ? hashed(crowd.average) : [{ share: 1, count: crowd.average }]).map(({ share, count }) => {
    const perSecond = count * crowd.perSecond;
    const calls = perSecond * unshared(perSecond, CALL_GATHER_MS / 1000);
    return { share, calls, alone: atLeast(HOLD.calls, calls), beside: atLeast(HOLD.callsAwake, calls) };
  });
  const heldOf = ({ alone, beside }: (typeof kinds)[number], another: number): number => {
    const begins = alone * (1 - another) + beside * another;
    return begins === 0 ? 0 : begins / (begins + 1 - beside);
  };
  let another = 0;
  let held = 0;
  // What others of the object do makes it more likely, so until nothing changes any more; from nothing held, which is the dearer way.
  for (let round = 0; round < ROUNDS; round += 1) {
    held = kinds.reduce((sum, kind) => sum + kind.share * heldOf(kind, another), 0);
    another = 1 - (1 - held) ** Math.max(0, ways - 1);
  }
  const sum = (value: (kind: (typeof kinds)[number], held: number) => number): number =>
    kinds.reduce((all, kind) => all + kind.share * value(kind, heldOf(kind, another)), 0);
  return {
    calls: sum(({ calls }) => calls),
    // Until one is held calls are billed; and the one that brings it.
    billed: sum(({ calls, beside }, part) => (1 - part) * calls + part * (1 - beside)),
    held,
  };
}

const ROUNDS = 100;

/** Above this the numbers differ too little to matter. */
const EVEN_ABOVE = 400;

/** How many of many are on one of many ways. */
function hashed(average: number): { share: number; count: number }[] {
  if (average > EVEN_ABOVE) return [{ share: 1, count: average }];
  const kinds: { share: number; count: number }[] = [];
  let share = Math.exp(-average);
  for (let count = 0; count <= average + 8 * Math.sqrt(average) + 8; count += 1) {
    kinds.push({ share, count });
    share *= average / (count + 1);
  }
  return kinds;
}

/** That of events at random times at least so many come in a second in which so many are to be expected. */
export function atLeast(count: number, expected: number): number {
  if (expected > 20 * count) return 1;
  let term = Math.exp(-expected);
  let fewer = 0;
  for (let each = 0; each < count; each += 1) {
    fewer += term;
    term *= expected / (each + 1);
  }
  return Math.max(0, 1 - fewer);
}
