/**
 * What messages share, by the broker's own rules. Calls on the ways between objects, and how many of them are billed; where they
 * are dense, one object holds a target of the other, on which calls are not billed, and neither hibernates (src/objects/caller.ts). And rows.
 */

import type { HoldRule } from "../../src/objects/caller.ts";
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
 * The average of the ways out of one object. Targets are held once there were `rule.calls` calls to all objects in a moment, of those with
 * `rule.callsOfWay`; each until there were fewer than `rule.callsHeld` or `rule.callsOfWayHeld`. Calls come at random times, so now and then there are
 * as many although on average there are fewer; and a hash puts more clients on some ways than on others. Each message counts with a call of its
 * own: they share calls only where several come closely together, which is where calls are not billed.
 * @param ways that leave the same object
 */
export function wayOut(crowd: Crowd, ways: number, rule: HoldRule): WayOut {
  const seconds = rule.ms / 1000;
  const kinds = (crowd.hashed ? hashed(crowd.average) : [{ share: 1, count: crowd.average }]).map(({ share, count }) => {
    const perSecond = count * crowd.perSecond;
    return {
      share,
      calls: perSecond,
      begins: atLeast(rule.callsOfWay, perSecond * seconds),
      stays: atLeast(rule.callsOfWayHeld, perSecond * seconds),
    };
  });
  const sum = (value: (kind: (typeof kinds)[number]) => number): number => kinds.reduce((all, kind) => all + kind.share * value(kind), 0);
  const calls = sum((kind) => kind.calls);
  const ofObject = (least: number): number => atLeast(least, calls * ways * seconds);
  // Of the time in which there are enough calls in all: ways are held or not together, and a way with few of them not even then.
  const [enough, few] = [ofObject(rule.calls) * (1 - sum((kind) => 1 - kind.begins) ** ways), 1 - ofObject(rule.callsHeld)];
  const dense = enough === 0 ? 0 : enough / (enough + few);
  const heldOf = ({ begins, stays }: (typeof kinds)[number]): number => (begins === 0 ? 0 : (dense * begins) / (begins + 1 - stays));
  return {
    calls,
    // Until one is held calls are billed; and the one that brings it.
    billed: sum((kind) => {
      const held = heldOf(kind);
      return (1 - held) * kind.calls + (held * (1 - kind.stays * (1 - few))) / seconds;
    }),
    held: sum(heldOf),
  };
}

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
