/** `/api/v5/stats`, `/monitor` and `/monitor_current`: how much there is, and was, in the form of EMQX. */

import * as z from "zod/mini";
import { stubs } from "../objects/env.ts";
import type { Figures } from "../objects/meter.ts";
import { objectsOf } from "../objects/names.ts";
import { PLATFORM } from "../runtime.ts";
import type { Sample } from "../storage/sqlite-sample-store.ts";
import { RETAINED_COUNTED_MAX, SAMPLE_MINUTES } from "../storage-limits.ts";
import { curveOf } from "./curve.ts";
import { refuse } from "./problem.ts";
import { type Asked, route } from "./route.ts";
import { about, FLAG, TEXT, type Told, told, wholeNumber } from "./schema.ts";
import { answerOf, askedOf } from "./scrape.ts";

const MINUTE_MS = 60_000;
const LATEST_MAX = SAMPLE_MINUTES * 60;
/** Minutes that one point stands for, where more than an hour is asked for. */
const COARSE_MINUTES = 5;

const COUNT = z.int();
const RATE = about("Messages a second in the last whole minute, where MONITOR is true.", z.optional(z.number()));

const FIGURES = {
  "sessions.count": about("Of clients that are connected, and of others.", COUNT),
  "live_connections.count": COUNT,
  "subscriptions.count": COUNT,
  "retained.count": about(
    `Left out where an object has more than ${RETAINED_COUNTED_MAX} and has not counted them since it woke.`,
    z.optional(COUNT),
  ),
  "mqueue.count": about("Messages that wait to be sent.", COUNT),
  "inflight.count": about("Messages that were sent and are not acknowledged.", COUNT),
};

type Name = keyof typeof FIGURES;
/** Undefined: it is not known. */
type Counts = { readonly [Each in Name]: Each extends "retained.count" ? number | undefined : number };

const OF_OBJECT = told(() => ({ node: about("An object.", TEXT), up: about("Whether it answered in time.", FLAG), ...FIGURES }));

const POINT = told(() => ({
  time_stamp: about("When it begins, milliseconds since the epoch.", COUNT),
  received: about("Messages that clients published in that time.", COUNT),
  sent: COUNT,
  dropped: COUNT,
  connections: about("Sessions, at its end.", COUNT),
  live_connections: COUNT,
  subscriptions: COUNT,
}));

const CURRENT = told(() => ({
  connections: about("Sessions.", COUNT),
  live_connections: COUNT,
  subscriptions: COUNT,
  retained_msg_count: FIGURES["retained.count"],
  received_msg_rate: RATE,
  sent_msg_rate: RATE,
  dropped_msg_rate: RATE,
}));

export const STATS = [
  route({
    method: "GET",
    path: "/stats",
    scope: "read",
    summary: "How much each object has now, or all of them together; where each client has an object of its own, of Topic objects alone",
    query: { aggregate: z._default(FLAG, false) },
    answers: { 200: z.union([z.array(OF_OBJECT), told(() => FIGURES)]) },
    handle: async (asked) => {
      const all = await countedOf(asked);
      return { status: 200, body: asked.query.aggregate ? sumOf(all) : all };
    },
  }),
  route({
    method: "GET",
    path: "/monitor",
    scope: "read",
    summary: "What was counted in each minute of the last hour, or in each five of a longer time, where MONITOR is true",
    query: {
      latest: about("Of so many seconds.", z._default(wholeNumber(60, LATEST_MAX, `seconds, 60 to ${LATEST_MAX}`), 3600)),
    },
    answers: { 200: z.array(POINT) },
    handle: async (asked) => {
      const { latest } = asked.query;
      if (!asked.settings.monitor)
        return refuse("NOT_FOUND", "The broker does not keep what it counts. The operator lets it by the variable MONITOR.");
      const until = Math.floor(PLATFORM.now() / MINUTE_MS);
      const since = until - Math.ceil(latest / 60) + 1;
      const curve = curveOf(await samplesOf(asked, since), since, until, latest > 3600 ? COARSE_MINUTES : 1);
      return { status: 200, body: curve.map(pointOf) };
    },
  }),
  route({
    method: "GET",
    path: "/monitor_current",
    scope: "read",
    summary: "How much there is now, and the rates of the last whole minute",
    answers: { 200: CURRENT },
    handle: async (asked) => {
      const now = sumOf(await countedOf(asked));
      const current = {
        connections: now["sessions.count"],
        live_connections: now["live_connections.count"],
        subscriptions: now["subscriptions.count"],
        retained_msg_count: now["retained.count"],
      };
      if (!asked.settings.monitor) return { status: 200, body: current };
      const minute = Math.floor(PLATFORM.now() / MINUTE_MS) - 1;
      const [last] = curveOf(await samplesOf(asked, minute), minute, minute, 1);
      const { received, sent, dropped } = last!;
      const rates = { received_msg_rate: rateOf(received), sent_msg_rate: rateOf(sent), dropped_msg_rate: rateOf(dropped) };
      return { status: 200, body: { ...current, ...rates } };
    },
  }),
];

type Whose = Pick<Asked, "env" | "settings" | "namespace">;

async function countedOf({ env, settings, namespace }: Whose) {
  const { topics } = objectsOf(settings, namespace);
  return (await askedOf(env, settings, [namespace])).map(({ object, figures }) => {
    const ownsTopics = topics.length === 0 || topics.includes(object);
    return { node: object.slice(namespace.length + 1), up: figures !== undefined, ...countsOf(figures, ownsTopics) };
  });
}

function countsOf(figures: Figures | undefined, ownsTopics: boolean): Counts {
  const session = figures?.session;
  return {
    "sessions.count": session?.sessions ?? 0,
    "live_connections.count": session?.connections ?? 0,
    "subscriptions.count": session?.subscriptions ?? 0,
    "retained.count": figures === undefined || !ownsTopics ? 0 : figures.retainedMessages,
    "mqueue.count": session?.queuedMessages ?? 0,
    "inflight.count": session?.inflightMessages ?? 0,
  };
}

function sumOf(all: readonly Counts[]): Counts {
  // Of what one does not know there is no sum.
  const sum = (name: Name): number | undefined =>
    all.reduce<number | undefined>((total, { [name]: each }) => (total === undefined || each === undefined ? undefined : total + each), 0);
  return Object.fromEntries((Object.keys(FIGURES) as Name[]).map((name) => [name, sum(name)])) as Counts;
}

async function samplesOf({ env, settings, namespace }: Whose, minute: number) {
  const sessions = stubs(env.SESSIONS);
  const { sessions: objects } = objectsOf(settings, namespace);
  return Promise.all(objects.map(async (object) => (await answerOf(() => sessions(object).samplesSince(minute))) ?? []));
}

/** A second, of what came in a minute. */
function rateOf(count: number): number {
  return Math.round((count / 60) * 100) / 100;
}

function pointOf({ minute, received, sent, dropped, connections, sessions, subscriptions }: Sample): Told<typeof POINT> {
  const counted = { received, sent, dropped };
  return { time_stamp: minute * MINUTE_MS, ...counted, connections: sessions, live_connections: connections, subscriptions };
}
