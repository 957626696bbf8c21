/**
 * Why topics are hashed over some Topic objects, and not one object for each: what a month of the Topic objects costs in both ways, from
 * the model of the month. Not in it: what is the same in both, which is the Session objects, frames, and rows of retained messages; and, in
 * favour of an object for each topic, whoever would have to know which topics there are.
 *
 * The load: topics that each have one publisher and one subscriber, and a client that subscribes to all of them by a wildcard once an hour,
 * gets what is retained and goes after some seconds.
 */

import { RETAINED_PAGE_MESSAGES } from "../../src/limits.ts";
import { holdRule, holdRuleAlone } from "../../src/objects/caller.ts";
import { PAID } from "../prices.ts";
import { table } from "../tables.ts";
import type { Measured } from "./measured.ts";
import { awakeOrHeld, EVENT_SECONDS, MONTH_SECONDS, type Reading, shardsFor } from "./model.ts";
import { dollars, range } from "./tables.ts";
import { wayOut } from "./ways.ts";

const VISITS_A_SECOND = 1 / 3600;

/** What an object writes when it begins to store something, once. */
const ROWS_OF_TABLES = 17;

export interface Topics {
  readonly topics: number;
  /** Messages a second of each. */
  readonly perSecond: number;
}

export interface TopicsMonth {
  readonly objects: number;
  readonly calls: number;
  readonly rowsWritten: number;
  readonly gigabyteSeconds: Readonly<Record<Reading, number>>;
  /** Beyond what is included, which the rest of the broker uses up. */
  readonly dollars: Readonly<Record<Reading, number>>;
}

/** @param hashed over the Topic objects that carry it; otherwise each topic has its own */
export function topicsMonth({ topics, perSecond }: Topics, hashed: boolean, measured: Measured): TopicsMonth {
  const messages = topics * perSecond;
  const shards = shardsFor({ clients: topics, messagesPerSecond: messages, kept: false }, "relayed", measured);
  const objects = hashed ? shards.topic : topics;
  // An object for each has one way to it, and one out of it.
  const ways = hashed ? shards.session * shards.topic : topics;
  const crowd = { average: topics / ways, hashed, perSecond };
  const toTopics = hashed ? holdRule(objects, shards.session) : holdRuleAlone();
  const [into, out] = [wayOut(crowd, ways / shards.session, toTopics), wayOut(crowd, ways / objects, holdRule(shards.session, objects))];
  const held = 1 - (1 - into.held) ** (ways / objects) * (1 - out.held) ** (ways / objects);
  // What a filter costs in one object from its first call to its last.
  const filter = measured.visits.find(({ way, kept }) => way === "relayed" && !kept)!;
  // Hashed: for each page a call that asks and one that brings it. An object for each: as if the answer brought what is retained.
  const pages = hashed ? 2 * Math.ceil(topics / RETAINED_PAGE_MESSAGES) : 0;
  const visits = VISITS_A_SECOND * (objects * filter.calls + pages);
  const calls = ((into.billed + out.billed) * ways + visits) * MONTH_SECONDS;
  const rowsWritten = VISITS_A_SECOND * objects * filter.rowsWritten * MONTH_SECONDS + objects * ROWS_OF_TABLES;
  const gigabyteSeconds = (reading: Reading): number =>
    objects * awakeOrHeld((into.calls * ways + visits) / objects, EVENT_SECONDS[reading], held) * MONTH_SECONDS * PAID.gigabytesOfObject;
  const dollarsOf = (reading: Reading): number =>
    (calls * PAID.millionRequests + rowsWritten * PAID.millionRowsWritten + gigabyteSeconds(reading) * PAID.millionGigabyteSeconds) / 1e6;
  return {
    objects,
    calls,
    rowsWritten,
    gigabyteSeconds: { listed: gigabyteSeconds("listed"), most: gigabyteSeconds("most") },
    dollars: { listed: dollarsOf("listed"), most: dollarsOf("most") },
  };
}

const NUMBERS: readonly number[] = [10, 1000, 100_000];

const RATES = [
  { name: "busy, 1 message a second", perSecond: 1 },
  { name: "slow, 1 a minute", perSecond: 1 / 60 },
  { name: "resting, 1 a day", perSecond: 1 / 86_400 },
] as const;

export const TOPICS: readonly (Topics & { readonly title: string })[] = NUMBERS.flatMap((topics) =>
  RATES.map(({ name, perSecond }) => ({ title: `${topics.toLocaleString("en-US")}, ${name}`, topics, perSecond })),
);

export function topicsTable(measured: Measured): string {
  const rows = TOPICS.map(({ title, ...topics }) => {
    const cells = [true, false].flatMap((hashed) => {
      const found = topicsMonth(topics, hashed, measured);
      const { gigabyteSeconds } = found;
      return [
        ...(hashed ? [String(found.objects)] : []),
        millions(found.calls),
        millions(found.rowsWritten),
        range(gigabyteSeconds, millions),
        `**${range(found.dollars, dollars)}**`,
      ];
    });
    return [title, ...cells];
  });
  const units = ["calls", "rows", "GB-s", "$"];
  return table(["topics", "hashed over", ...units, ...units.map((unit) => `an object each: ${unit}`)], rows);
}

function millions(value: number): string {
  return Number((value / 1e6).toPrecision(2)).toLocaleString("en-US", { maximumFractionDigits: 4 });
}
