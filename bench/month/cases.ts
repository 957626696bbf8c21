/** What people ask: so many clients that send so often. */

import type { Fleet, Way } from "./model.ts";

export interface Rate {
  readonly title: string;
  readonly perSecond: (clients: number) => number;
}

export const CLIENTS: readonly number[] = [10, 1000, 100_000];

export const RATES: readonly Rate[] = [
  { title: "each once a minute", perSecond: (clients) => clients / 60 },
  { title: "each once a second", perSecond: (clients) => clients },
  { title: "100 a second in all", perSecond: () => 100 },
];

export interface Case {
  readonly title: string;
  readonly clients: number;
  readonly messagesPerSecond: number;
  /** What one object takes, if not what the platform's rule of thumb says. */
  readonly eventsASecond?: number;
}

/** Far below what one took on workerd, a frame for each packet (docs/performance.md). */
const MORE_EVENTS_A_SECOND = 5000;

export const CASES: readonly Case[] = CLIENTS.flatMap((clients) =>
  RATES.flatMap(({ title, perSecond }) => {
    const messagesPerSecond = perSecond(clients);
    const usual: Case = { title: `${clients.toLocaleString("en-US")}, ${title}`, clients, messagesPerSecond };
    if (messagesPerSecond < 10_000) return [usual];
    // There it makes a difference.
    return [usual, { ...usual, title: "the same, on fewer objects", eventsASecond: MORE_EVENTS_A_SECOND }];
  }),
);

export const WAY_NAMES: Readonly<Record<Way, string>> = {
  compact: "compact",
  handed: "sharded, handed over",
  relayed: "sharded, relayed",
  each: "`SESSION_SHARDS=0`",
};

export function fleetOf({ clients, messagesPerSecond }: Case, kept: boolean): Fleet {
  return { clients, messagesPerSecond, kept };
}
