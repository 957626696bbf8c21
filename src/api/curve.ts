/** What all objects of a namespace have counted, minute by minute, as one curve. Knows samples, not how they are fetched. */

import type { Sample } from "../storage/sqlite-sample-store.ts";

/**
 * @param all of each object, in the order of their minutes, and one before the first where there is one: an object that had nothing to do has
 *   none, and is as it was
 * @param step minutes that one point stands for; it is named by the first of them
 */
export function curveOf(all: readonly (readonly Sample[])[], since: number, until: number, step: number): Sample[] {
  const points: { -readonly [Field in keyof Sample]: number }[] = [];
  for (let minute = since; minute <= until; minute += step)
    points.push({ minute, received: 0, sent: 0, dropped: 0, connections: 0, sessions: 0, subscriptions: 0 });
  for (const samples of all) {
    let next = 0;
    let last: Sample | undefined;
    for (const point of points) {
      for (; next < samples.length && samples[next]!.minute < point.minute + step; next += 1) {
        last = samples[next]!;
        if (last.minute < since) continue;
        point.received += last.received;
        point.sent += last.sent;
        point.dropped += last.dropped;
      }
      if (last === undefined) continue;
      point.connections += last.connections;
      point.sessions += last.sessions;
      point.subscriptions += last.subscriptions;
    }
  }
  return points;
}
