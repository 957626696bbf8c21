/** The bars, and whether they were held. */

import type { PairFigures, PairReport } from "./options.ts";
import type { AttackResult } from "./result.ts";

/** What a pair is allowed during an attack and after it: so many times what it takes in quiet. */
export const LATENCY_FACTOR = 3;

/** What memory may be after an attack: so many times what it was. */
export const MEMORY_FACTOR = 1.1;

/** In quiet, or at the same time on the broker that was left alone, whichever is more: p99, milliseconds. */
function quietOf({ before }: AttackResult, { calm }: PairReport): number {
  return Math.max(before.attacked.p99, calm.p99);
}

/** How many times what it takes in quiet the pair took. */
function factorOf(result: AttackResult, report: PairReport): number {
  return report.attacked.p99 / quietOf(result, report);
}

/** What no machine explains. */
function harm(figures: readonly PairFigures[]): string[] {
  const sum = (value: (each: PairFigures) => number): number => figures.map(value).reduce((all, each) => all + each);
  const [lost, unacknowledged, ended] = [sum((each) => each.lost), sum((each) => each.unacknowledged), sum((each) => each.ended)];
  return [
    ...(ended > 0 ? ["connections of the pair ended"] : []),
    ...(lost > 0 ? [`${lost} messages of the pair did not arrive`] : []),
    ...(unacknowledged > 0 ? [`${unacknowledged} were not acknowledged`] : []),
  ];
}

/** The bars that were missed, each in a few words. */
export function missesOf(result: AttackResult): string[] {
  const { during, after, memory } = result;
  const late = (name: string, report: PairReport): string[] => {
    const factor = factorOf(result, report);
    return factor > LATENCY_FACTOR ? [`p99 ${name} ${factor.toFixed(factor < 10 ? 1 : 0)} times that in quiet`] : [];
  };
  const grown = memory.before !== undefined && memory.after !== undefined ? memory.after / memory.before : 1;
  return [
    ...late("during", during),
    ...late("after", after),
    ...harm([during.attacked, after.attacked]),
    ...(grown > MEMORY_FACTOR ? [`memory ${Math.round((grown - 1) * 100)} % above before`] : []),
    ...(result.count === 0 ? ["the attack did not take place"] : []),
  ];
}

/** The one that missed fewer bars, or the one in which the pair felt less. */
export function better(one: AttackResult, other: AttackResult): AttackResult {
  const [a, b] = [missesOf(one).length, missesOf(other).length];
  if (a !== b) return a < b ? one : other;
  return factorOf(one, one.during) <= factorOf(other, other.during) ? one : other;
}
