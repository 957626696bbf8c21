/**
 * Shortens a run that failed: leaves out clients, steps and faults, many at once and then ever fewer, as long as the same promise stays
 * broken, and tells what is left.
 */

import type { Happening } from "./chance.ts";
import { type RunOptions, type RunResult, run } from "./run.ts";

export interface Shortened {
  /** What has to happen, in order. */
  readonly steps: readonly Happening[];
  readonly problems: readonly string[];
  readonly trace: readonly string[];
}

/** Runs that are tried at most. */
const RUNS_MAX = 2000;

/** What a problem is about, without names and numbers. */
function kindOf(problem: string): string {
  return problem.replace(/\([^)]*\)|".*|\d+/g, "").slice(0, 60);
}

/** What kind of thing a happening is. */
function categoryOf({ id }: Happening): string {
  return id.slice(0, id.search(/[: ]/));
}

/** @param failed the result of a run with these options */
export async function shorten(options: RunOptions, failed: RunResult): Promise<Shortened> {
  const kind = kindOf(failed.problems[0]!);
  let best = failed;
  let runs = 0;
  /** Tries without some; keeps to it if the promise is broken all the same. */
  const without = async (left: ReadonlySet<string>): Promise<boolean> => {
    runs += 1;
    const kept = new Set(best.happened.map(({ id }) => id).filter((id) => !left.has(id)));
    const result = await run({ ...options, kept });
    if (!result.problems.some((problem) => kindOf(problem) === kind)) return false;
    best = result;
    return true;
  };
  for (const category of new Set(best.happened.map(categoryOf))) {
    if (category === "client") continue;
    await without(new Set(best.happened.filter((each) => categoryOf(each) === category).map(({ id }) => id)));
  }
  const clients = best.happened.flatMap(({ id }) => /^client (.*)/.exec(id)?.[1] ?? []);
  for (const client of clients) {
    const isOf = ({ id, text }: Happening): boolean => id.includes(client) || text.includes(client);
    await without(new Set(best.happened.filter(isOf).map(({ id }) => id)));
  }
  for (let size = Math.ceil(best.happened.length / 2); size >= 1 && runs < RUNS_MAX; ) {
    let isShorter = false;
    // From the end on: what comes late matters least to what comes before.
    for (let end = best.happened.length; end > 0 && runs < RUNS_MAX; end -= size) {
      const part = best.happened.slice(Math.max(0, end - size), end);
      if (part.length > 0 && (await without(new Set(part.map(({ id }) => id))))) isShorter = true;
    }
    if (size === 1 && !isShorter) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return { steps: best.happened, problems: best.problems, trace: best.trace };
}

/** The list as one reads it. */
export function listOf({ steps }: Shortened): string[] {
  return steps.map(({ at, text }) => `${(at / 1000).toFixed(3).padStart(9)} s  ${text}`);
}
