/**
 * Long jobs for which nobody waits: what of one is more than a share has its turns for shares of work, one job after the other, between
 * whatever else happens. In memory alone: whatever a job is about stands in rows, and a start does it anew or finds nothing left to do.
 */

import type { SessionCore } from "./core.ts";

/** Does a share of a job at once, and the rest in turns. @param chore does a little with each step, and counts what that has cost into `core.work` */
export function begin(core: SessionCore, chore: Iterator<unknown>): void {
  if (!goesOn(core, chore, core.work + core.slices.share)) return;
  core.chores.push(chore);
}

/** Goes on with what is left of the first jobs until so much work has been done. */
export function goOnWithChores(core: SessionCore, end: number): void {
  while (core.work < end) {
    const chore = core.chores.shift();
    if (chore === undefined) return;
    // What throws has ended its job, and no other.
    core.failures.guard("going on with a long job", undefined, () => {
      if (goesOn(core, chore, end)) core.chores.unshift(chore);
    });
  }
}

/** @returns whether something of it is left */
function goesOn(core: SessionCore, chore: Iterator<unknown>, end: number): boolean {
  while (core.work < end) if (chore.next().done) return false;
  return true;
}
