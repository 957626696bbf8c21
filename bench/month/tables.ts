/** The month as tables, for docs/costs.md and the terminal. */

import { holdRule } from "../../src/objects/caller.ts";
import { table } from "../tables.ts";
import { CASES, fleetOf, RATES, WAY_NAMES } from "./cases.ts";
import { awsMonth, emqxMonth } from "./elsewhere.ts";
import type { Measured } from "./measured.ts";
import { type Fleet, freePlanEnds, type Month, misfit, month, OBJECT_EVENTS_A_SECOND, type Reading, WAYS, type Way } from "./model.ts";
import { rowsOfMessage, wayOut } from "./ways.ts";

/** Dollars a month, of each way and elsewhere. */
export function monthTable(measured: Measured, kept: boolean): string {
  const rows = CASES.map((each) => monthRow(each.title, fleetOf(each, kept), measured, each.eventsASecond));
  return table(["clients, messages", ...WAYS.map((way) => WAY_NAMES[way]), "AWS IoT Core", "EMQX Serverless"], rows);
}

export function monthRow(title: string, fleet: Fleet, measured: Measured, eventsASecond?: number): string[] {
  const emqx = emqxMonth(fleet);
  return [
    title,
    ...WAYS.map((way) => misfit(fleet, way) ?? monthCell(month(fleet, way, measured, eventsASecond))),
    dollars(awsMonth(fleet)),
    emqx === undefined ? "not in it" : dollars(emqx),
  ];
}

/** What the price list says, and at most; with a mark where one object has more to do than the platform's rule of thumb. */
function monthCell({ dollars: found, eventsOfObject }: Month): string {
  return `${range(found, dollars)}${eventsOfObject > OBJECT_EVENTS_A_SECOND ? " †" : ""}`;
}

/** By the price list, and at most. */
export function range({ listed, most }: Readonly<Record<Reading, number>>, text: (value: number) => string): string {
  const [low, high] = [text(listed), text(most)];
  return low === high ? low : `${low} to ${high}`;
}

/** How the dollars come about, with clean sessions, where calls are made and where none is. */
export function partsTable(measured: Measured): string {
  const ways: readonly Way[] = ["compact", "relayed"];
  const rows = CASES.flatMap((each) =>
    ways
      .filter((way) => misfit(fleetOf(each, false), way) === undefined)
      .map((way) => {
        const { sessionObjects, topicObjects, units } = month(fleetOf(each, false), way, measured, each.eventsASecond);
        const { requests, rowsWritten, gigabyteSeconds } = units;
        const objects = way === "compact" ? "1" : `${sessionObjects} + ${topicObjects}`;
        return [each.title, WAY_NAMES[way], objects, millions(requests), millions(rowsWritten), range(gigabyteSeconds, millions)];
      }),
  );
  return table(["clients, messages", "", "objects", "requests, millions", "rows, millions", "GB-s, millions"], rows);
}

const FREE_IN_ALL_CLIENTS = 10;
/** Tenths of a message a second. */
const FREE_STEP = 10;

/** Where the free plan ends: the largest fleets with which it does. */
export function freeTable(measured: Measured): string {
  const ways: readonly Way[] = ["compact", "handed"];
  const [minute, second] = RATES;
  const rows = ways.flatMap((way) =>
    [false, true].map((kept) => {
      const most = (fleet: (count: number) => Fleet, bound: number, divisor: number): string => {
        const ends = (reading: Reading): string => (freePlanEnds(fleet, way, measured, reading, bound) / divisor).toLocaleString("en-US");
        const [listed, least] = [ends("listed"), ends("most")];
        return listed === least ? listed : `${listed} (${least})`;
      };
      const everyone = (rate: typeof minute) => (clients: number) => ({ clients, messagesPerSecond: rate!.perSecond(clients), kept });
      const inAll = (count: number): Fleet => ({ clients: FREE_IN_ALL_CLIENTS, messagesPerSecond: count / FREE_STEP, kept });
      return [
        `${WAY_NAMES[way]}, ${kept ? "kept" : "clean"} sessions`,
        most(everyone(minute), 5000, 1),
        most(everyone(second), 5000, 1),
        most(inAll, 10_000, FREE_STEP),
        most((clients) => ({ clients, messagesPerSecond: 0, kept }), 5000, 1),
      ];
    }),
  );
  const head = ["clients that send once a minute", "once a second", `messages a second in all, of ${FREE_IN_ALL_CLIENTS} clients`];
  return table(["the free plan does for", ...head, "clients that only ping"], rows);
}

/** As it was counted: pairs whose topics and Client Identifiers are hashed. */
export function billedOfMessage(messagesPerSecond: number, { shards, pairs }: Pick<Measured, "shards" | "pairs">): number {
  const ways = shards ** 2;
  const crowd = { average: pairs / ways, hashed: true, perSecond: messagesPerSecond / pairs };
  return (2 * ways * wayOut(crowd, shards, holdRule(shards, shards)).billed) / messagesPerSecond;
}

/** What was counted, and in brackets what the model makes of it. */
export function sharingTable(measured: Measured): string {
  const { shards } = measured;
  const rows = measured.paced
    .filter(({ way, kept }) => way !== "compact" || kept)
    .map(({ way, kept, messagesPerSecond, calls, rowsWritten }) => {
      const billed = way === "compact" ? 0 : billedOfMessage(messagesPerSecond, measured);
      const written = rowsOfMessage(messagesPerSecond / (way === "compact" ? 1 : shards));
      const cell = (isThere: boolean, counted: number, modelled: number): string =>
        isThere ? `${counted.toFixed(2)} (${modelled.toFixed(2)})` : "0";
      return [
        `${WAY_NAMES[way]}, ${kept ? "kept" : "clean"}`,
        messagesPerSecond.toLocaleString("en-US"),
        cell(way !== "compact", calls, billed),
        cell(kept, rowsWritten, written),
      ];
    });
  return table(["way, sessions", "messages a second", "calls billed for each", "rows for each"], rows);
}

export function dollars(value: number): string {
  if (value < 100) return value.toLocaleString("en-US", { minimumFractionDigits: 0, maximumFractionDigits: value < 10 ? 1 : 0 });
  return Number(value.toPrecision(3)).toLocaleString("en-US");
}

function millions(value: number): string {
  const count = value / 1e6;
  return Number(count.toPrecision(2)).toLocaleString("en-US", { maximumFractionDigits: 3 });
}
