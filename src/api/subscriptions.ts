/** `/api/v5/subscriptions` and `/topics`: what clients are subscribed to, and to change that on their behalf, in the form of EMQX. */

import * as z from "zod/mini";
import type { QoS, SubscriptionRequest } from "../mqtt/packet.ts";
import { NOT_AUTHORIZED, TOPIC_FILTER_INVALID } from "../mqtt/reason-code.ts";
import type { ActOutcome, SubscriptionView } from "../objects/calls.ts";
import { hasWildcard, matches, splitShare, topicFilterOf } from "../topic/filter.ts";
import { json } from "./body.ts";
import { QOS } from "./message.ts";
import { BY_CURSOR, NEXT, nextOf, pageOf } from "./pages.ts";
import { orBadRequest, type ProblemCode, refuse, sentenceOf } from "./problem.ts";
import { type Asked, NOTHING, route } from "./route.ts";
import { about, fields, type Given, list, TEXT, type Told, told } from "./schema.ts";

/** Filters that one request subscribes to: each is a call to the object of the session. */
const FILTERS_MAX = 40;
const FILTERS_ERROR = `a list of 1 to ${FILTERS_MAX} filters`;

const BIT = z.literal([0, 1], { error: "0 or 1" });
const HANDLING = z.literal([0, 1, 2], { error: "0, 1 or 2" });
const FILTER = about("A Topic Filter.", TEXT);

const OPTIONS = {
  nl: about("No Local.", BIT),
  rap: about("Retain As Published.", BIT),
  rh: about("Retain Handling.", HANDLING),
};
const VIEW = told(() => ({ clientid: TEXT, topic: FILTER, qos: QOS, ...OPTIONS }));

const REQUEST = fields(() => ({
  topic: FILTER,
  qos: z._default(QOS, 0),
  nl: z._default(OPTIONS.nl, 0),
  rap: z._default(OPTIONS.rap, 0),
  rh: z._default(OPTIONS.rh, 0),
}));
const END = fields(() => ({ topic: FILTER }));

const PATH = { clientid: about("A Client Identifier.", TEXT) };
const REFUSED = told(() => ({ topic: FILTER, code: TEXT, message: TEXT }));

/** Which of a query's fields leave out what. */
const FILTERS = {
  topic: z.optional(FILTER),
  match_topic: about("A Topic Name: of subscriptions that get its messages.", z.optional(TEXT)),
  qos: z.optional(QOS),
  share_group: z.optional(TEXT),
};

type Wanted = { readonly [Name in keyof typeof FILTERS]: Given<(typeof FILTERS)[Name]> };

export const SUBSCRIPTIONS = [
  route({
    method: "GET",
    path: "/subscriptions",
    scope: "read",
    summary: "Subscriptions of all clients; a page may have few, or none, and not be the last",
    query: { ...BY_CURSOR, clientid: z.optional(TEXT), ...FILTERS },
    answers: { 200: pageOf(VIEW, { limit: z.int(), ...NEXT }) },
    handle: async ({ service, namespace, query: { limit, cursor, page: _one, clientid, ...wanted } }) => {
      if (wanted.match_topic !== undefined && hasWildcard(wanted.match_topic))
        return refuse("BAD_REQUEST", "match_topic must be a Topic Name, without wildcards.");
      const found = await orBadRequest(async () =>
        clientid === undefined
          ? service.subscriptions({ cursor, limit, namespace })
          : { subscriptions: (await service.subscriptionsOf(clientid, { namespace })) ?? [], cursor: undefined },
      );
      const data = found.subscriptions.filter((each) => isWanted(each, wanted)).map(viewOf);
      return { status: 200, body: { data, meta: { limit, ...nextOf(found.cursor) } } };
    },
  }),
  route({
    method: "GET",
    path: "/topics",
    scope: "read",
    summary: "Filters that clients are subscribed to, with the object that has them; a page may have few, or none, and not be the last",
    query: { ...BY_CURSOR, topic: z.optional(FILTER) },
    answers: {
      200: pageOf(
        told(() => ({ topic: FILTER, node: TEXT })),
        { limit: z.int(), ...NEXT },
      ),
    },
    handle: async ({ service, namespace, query: { limit, cursor, topic } }) => {
      const found = await orBadRequest(() => service.filters({ cursor, limit, namespace }));
      const wanted = found.filters.filter(({ filter }) => topic === undefined || filter === topic);
      const data = wanted.map(({ filter, object }) => ({ topic: filter, node: object.slice(namespace.length + 1) }));
      return { status: 200, body: { data, meta: { limit, ...nextOf(found.cursor) } } };
    },
  }),
  route({
    method: "GET",
    path: "/clients/:clientid{.+}/subscriptions",
    scope: "read",
    summary: "What a client is subscribed to",
    params: PATH,
    answers: { 200: z.array(VIEW) },
    problems: ["CLIENTID_NOT_FOUND"],
    handle: async ({ service, namespace, params: { clientid } }) => {
      const found = await orBadRequest(() => service.subscriptionsOf(clientid, { namespace }));
      return { status: 200, body: (found ?? refuse("CLIENTID_NOT_FOUND", "There is no such client.")).map(viewOf) };
    },
  }),
  route({
    method: "POST",
    path: "/clients/:clientid{.+}/subscribe",
    scope: "admin",
    summary: "Subscribes a connected client, within its rights and limits",
    params: PATH,
    body: json(REQUEST),
    answers: { 200: VIEW },
    problems: ["CLIENTID_NOT_FOUND", "SERVICE_UNAVAILABLE"],
    handle: async (asked) => {
      const outcome = await subscribe(asked, asked.body);
      if ("code" in outcome) return refuse(outcome.code, outcome.message);
      return { status: 200, body: outcome };
    },
  }),
  route({
    method: "POST",
    path: "/clients/:clientid{.+}/subscribe/bulk",
    scope: "admin",
    summary: "Subscribes a connected client to several filters; each is answered by itself",
    params: PATH,
    body: json(list(REQUEST, FILTERS_ERROR, FILTERS_MAX).check(z.minLength(1, { error: FILTERS_ERROR }))),
    answers: { 200: z.array(z.union([VIEW, REFUSED])) },
    problems: ["CLIENTID_NOT_FOUND"],
    handle: async (asked) => ({ status: 200, body: await Promise.all(asked.body.map((each) => subscribe(asked, each))) }),
  }),
  route({
    method: "POST",
    path: "/clients/:clientid{.+}/unsubscribe",
    scope: "admin",
    summary: "Ends a subscription of a connected client",
    params: PATH,
    body: json(END),
    answers: { 204: NOTHING },
    problems: ["CLIENTID_NOT_FOUND"],
    handle: async (asked) => {
      await unsubscribe(asked, asked.body);
      return { status: 204 };
    },
  }),
  route({
    method: "POST",
    path: "/clients/:clientid{.+}/unsubscribe/bulk",
    scope: "admin",
    summary: "Ends several subscriptions of a connected client",
    params: PATH,
    body: json(list(END, FILTERS_ERROR, FILTERS_MAX).check(z.minLength(1, { error: FILTERS_ERROR }))),
    answers: { 204: NOTHING },
    problems: ["CLIENTID_NOT_FOUND"],
    handle: async (asked) => {
      await Promise.all(asked.body.map((each) => unsubscribe(asked, each)));
      return { status: 204 };
    },
  }),
];

type OfClient = Pick<Asked<typeof PATH>, "service" | "namespace" | "params">;

async function subscribe({ service, namespace, params: { clientid } }: OfClient, wanted: Given<typeof REQUEST>) {
  const { topic, qos, nl, rap, rh } = wanted;
  const request: SubscriptionRequest = { filter: topic, qos, noLocal: nl === 1, retainAsPublished: rap === 1, retainHandling: rh };
  const outcome = await orBadRequest(() => service.subscribeClient(clientid, request, { namespace }));
  if (outcome === undefined) return notConnected();
  if (outcome.reasonCode >= 0x80) return { topic, ...refusalOf(outcome) };
  return viewOf({ ...request, clientId: clientid, qos: outcome.reasonCode as QoS });
}

async function unsubscribe({ service, namespace, params: { clientid } }: OfClient, { topic }: Given<typeof END>): Promise<void> {
  const was = await orBadRequest(() => service.unsubscribeClient(clientid, topic, { namespace }));
  if (was === undefined) notConnected();
}

function notConnected(): never {
  return refuse("CLIENTID_NOT_FOUND", "The client is not connected.");
}

function refusalOf({ reasonCode, reason }: ActOutcome): { readonly code: ProblemCode; readonly message: string } {
  const message = sentenceOf(reason);
  if (reasonCode === TOPIC_FILTER_INVALID) return { code: "BAD_REQUEST", message };
  return { code: reasonCode === NOT_AUTHORIZED ? "FORBIDDEN" : "SERVICE_UNAVAILABLE", message };
}

function isWanted({ filter, qos }: SubscriptionView, wanted: Wanted): boolean {
  if (wanted.topic !== undefined && filter !== wanted.topic) return false;
  if (wanted.match_topic !== undefined && !matches(topicFilterOf(filter), wanted.match_topic)) return false;
  if (wanted.share_group !== undefined && splitShare(filter).name !== wanted.share_group) return false;
  return wanted.qos === undefined || qos === wanted.qos;
}

function viewOf({ clientId, filter, qos, noLocal, retainAsPublished, retainHandling }: SubscriptionView): Told<typeof VIEW> {
  const rh = retainHandling as Told<typeof HANDLING>;
  return { clientid: clientId, topic: filter, qos, nl: noLocal ? 1 : 0, rap: retainAsPublished ? 1 : 0, rh };
}
