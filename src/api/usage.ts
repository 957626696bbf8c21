/** `/api/v5/metrics` and `/usage`: what objects have counted since they woke, by EMQX's names, and what is billed of them in each month. */

import * as z from "zod/mini";
import { stubs } from "../objects/env.ts";
import type { Figures } from "../objects/meter.ts";
import { objectsOf } from "../objects/names.ts";
import { DROP_REASONS, droppedTotal } from "../session/counters.ts";
import { BILLED, type Billed } from "../storage/sqlite-sample-store.ts";
import { BILL_MONTHS } from "../storage-limits.ts";
import { refuse } from "./problem.ts";
import { route } from "./route.ts";
import { about, FLAG, TEXT, told } from "./schema.ts";
import { answerOf, askedOf } from "./scrape.ts";

const COUNT = z.int();

const REASONS = Object.fromEntries(DROP_REASONS.map((reason) => [`delivery.dropped.${reason}`, COUNT])) as Record<
  `delivery.dropped.${(typeof DROP_REASONS)[number]}`,
  typeof COUNT
>;

const COUNTERS = {
  "messages.received": about("Messages that clients published, and wills.", COUNT),
  "messages.sent": about("PUBLISH packets that were sent to clients.", COUNT),
  "delivery.dropped": about("Messages that a session did not get.", COUNT),
  ...REASONS,
  "memory.bytes": about("What the object holds, by its own count.", COUNT),
  "billed.requests": about("Upgrades, calls, alarms, and a twentieth of WebSocket messages that came in.", z.number()),
  "billed.rows_read": COUNT,
  "billed.rows_written": COUNT,
};

const OF_OBJECT = told(() => ({ node: about("An object.", TEXT), up: about("Whether it answered in time.", FLAG), ...COUNTERS }));

const MONTH = told(() => ({
  month: about("Of UTC, such as 2026-11.", TEXT),
  requests: about("WebSocket upgrades that objects took.", COUNT),
  calls: about("Of objects, and of the Worker's.", COUNT),
  socket_messages: about("WebSocket messages that came in, of which 20 are billed as one request.", COUNT),
  alarms: COUNT,
  rows_read: COUNT,
  rows_written: COUNT,
  awake_seconds: about("How long objects were kept in memory by what they had to do, added up; an estimate.", z.number()),
  objects_missing: about("Objects that did not answer in time: what is billed of them is not in it.", COUNT),
}));

export const USAGE = [
  route({
    method: "GET",
    path: "/metrics",
    scope: "read",
    summary: "What each object has counted since it woke, or all of them together",
    query: { aggregate: z._default(FLAG, false) },
    answers: { 200: z.union([z.array(OF_OBJECT), told(() => COUNTERS)]) },
    handle: async ({ env, settings, namespace, query: { aggregate } }) => {
      const asked = await askedOf(env, settings, [namespace]);
      const all = asked.map(({ object, figures }) => ({
        node: object.slice(namespace.length + 1),
        up: figures !== undefined,
        ...countersOf(figures),
      }));
      return { status: 200, body: aggregate ? sumOf(all) : all };
    },
  }),
  route({
    method: "GET",
    path: "/usage",
    scope: "read",
    summary: `What is billed of the objects, in each of the last ${BILL_MONTHS} months, where MONITOR is true; the Worker's own requests are not in it`,
    answers: { 200: z.array(MONTH) },
    handle: async ({ env, settings, namespace }) => {
      if (!settings.monitor)
        return refuse("NOT_FOUND", "The broker does not keep what it counts. The operator lets it by the variable MONITOR.");
      const { sessions, topics } = objectsOf(settings, namespace);
      const [session, topic] = [stubs(env.SESSIONS), stubs(env.TOPICS)];
      const all = await Promise.all([
        ...sessions.map((object) => answerOf(() => session(object).billed())),
        ...topics.map((object) => answerOf(() => topic(object).billed())),
      ]);
      const known = all.filter((billed) => billed !== undefined);
      return { status: 200, body: monthsOf(known.flat()).map((month) => viewOf(month, all.length - known.length)) };
    },
  }),
];

type Counters = { readonly [Name in keyof typeof COUNTERS]: number };

function countersOf(figures: Figures | undefined): Counters {
  const counters = figures?.session?.counters;
  const usage = figures?.usage;
  const reasons = DROP_REASONS.map((reason) => [`delivery.dropped.${reason}`, counters?.messagesDropped[reason] ?? 0]);
  const bytes = Object.values(figures?.memory.bytes ?? {}).reduce((sum, each) => sum + each, 0);
  return {
    "messages.received": counters?.messagesReceived ?? 0,
    "messages.sent": counters?.messagesDelivered ?? 0,
    "delivery.dropped": counters === undefined ? 0 : droppedTotal(counters),
    ...Object.fromEntries(reasons),
    "memory.bytes": bytes,
    "billed.requests": usage === undefined ? 0 : usage.requests + usage.calls + usage.alarms + usage.socketMessages / 20,
    "billed.rows_read": usage?.rowsRead ?? 0,
    "billed.rows_written": usage?.rowsWritten ?? 0,
  } as Counters;
}

function sumOf(all: readonly Counters[]): Counters {
  const sum = (name: keyof Counters): number => all.reduce((total, each) => total + each[name], 0);
  return Object.fromEntries((Object.keys(COUNTERS) as (keyof Counters)[]).map((name) => [name, sum(name)])) as Counters;
}

/** Of all objects, the earliest first. */
function monthsOf(all: readonly Billed[]): Billed[] {
  const months = new Map<number, Billed>();
  for (const billed of all) {
    const known = months.get(billed.month);
    const sum = (field: (typeof BILLED)[number]): number => billed[field] + (known?.[field] ?? 0);
    months.set(billed.month, { month: billed.month, ...Object.fromEntries(BILLED.map((field) => [field, sum(field)])) } as Billed);
  }
  return [...months.values()].sort((a, b) => a.month - b.month);
}

function viewOf({ month, requests, calls, socketMessages, alarms, rowsRead, rowsWritten, awakeMs }: Billed, missing: number) {
  return {
    month: `${Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, "0")}`,
    requests,
    calls,
    socket_messages: socketMessages,
    alarms,
    rows_read: rowsRead,
    rows_written: rowsWritten,
    awake_seconds: Math.round(awakeMs / 1000),
    objects_missing: missing,
  };
}
