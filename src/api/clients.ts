/** `/api/v5/clients`: who is there, connected or with a session that waits, and to end a connection, in the form of EMQX. */

import * as z from "zod/mini";
import type { ClientView } from "../objects/calls.ts";
import { endingOf } from "../session/events.ts";
import type { Parted } from "../session/session.ts";
import { json } from "./body.ts";
import { BY_CURSOR, NEXT, nextOf, pageOf } from "./pages.ts";
import { orBadRequest, refuse } from "./problem.ts";
import { NOTHING, route } from "./route.ts";
import { about, FLAG, list, oneOf, TEXT, type Told, told } from "./schema.ts";

const TEXTS = z.optional(list(TEXT, "texts"));
const STATES = ["connected", "disconnected"] as const;
const VERSION = about("3: MQTT 3.1, 4: 3.1.1, 5: 5.0.", z.literal([3, 4, 5], { error: "3, 4 or 5" }));

/** Which of a query's fields leave out whom. Each may be there several times: any of its values will do. */
const FILTERS = {
  clientid: TEXTS,
  like_clientid: about("A part of the Client Identifier.", TEXTS),
  username: TEXTS,
  like_username: about("A part of the user name.", TEXTS),
  ip_address: TEXTS,
  conn_state: z.optional(list(oneOf(STATES), "texts")),
  proto_ver: z.optional(list(VERSION, "numbers")),
};

type Wanted = { readonly [Name in keyof typeof FILTERS]: z.output<(typeof FILTERS)[Name]> };

const MATCHES: { readonly [Name in keyof Wanted]: (client: ClientView, value: NonNullable<Wanted[Name]>[number]) => boolean } = {
  clientid: ({ clientId }, value) => clientId === value,
  like_clientid: ({ clientId }, value) => clientId.includes(value),
  username: ({ userName }, value) => userName === value,
  like_username: ({ userName = "" }, value) => userName.includes(value),
  ip_address: ({ address }, value) => address === value,
  conn_state: ({ connected }, value) => (connected ? "connected" : "disconnected") === value,
  proto_ver: ({ version }, value) => version === value,
};

/** Clients whose connections one request ends: each is a call to the object of its session. */
const KICKED_MAX = 40;

const PATH = { clientid: about("A Client Identifier.", TEXT) };
const CLIENT_ID = z.string({ error: "a client ID" }).check(z.minLength(1, { error: "a client ID" }));
const CLIENT_IDS = list(CLIENT_ID, `a list of at most ${KICKED_MAX} client IDs`, KICKED_MAX);

const CLIENT = told(() => ({
  clientid: TEXT,
  username: z.nullable(TEXT),
  ip_address: about("Null where it is not known.", z.nullable(TEXT)),
  connected: FLAG,
  connected_at: about(
    "While it is connected: since when, RFC 3339; not there where a connection is older than what keeps it.",
    z.optional(TEXT),
  ),
  proto_name: about("While it is connected.", z.optional(oneOf(["MQTT", "MQIsdp"]))),
  proto_ver: z.optional(VERSION),
  disconnected_at: about(
    "When its last connection was over, RFC 3339; not there where that is not known, as what follows.",
    z.optional(TEXT),
  ),
  reason: about("Why it was, as $events/client/disconnected has it.", z.optional(TEXT)),
  reason_code: about("The Reason Code of that; null for none.", z.optional(z.nullable(z.int()))),
  reason_string: about("A sentence, which may be empty.", z.optional(TEXT)),
  expires_at: about('While it is not connected: when its session ends, RFC 3339, or "infinity".', z.optional(TEXT)),
  keepalive: about("Seconds; while it is connected.", z.optional(z.int())),
  expiry_interval: about("Session Expiry Interval, seconds.", z.int()),
  subscriptions_cnt: z.int(),
  inflight_cnt: about("Messages of QoS 1 and 2 that were sent and that it has not acknowledged.", z.int()),
  mqueue_len: about("Those that wait to be sent.", z.int()),
  awaiting_rel_cnt: about("Its own messages of QoS 2 whose PUBREL has not come.", z.int()),
}));

export const CLIENTS = [
  route({
    method: "GET",
    path: "/clients",
    scope: "read",
    summary: "Sessions of clients, connected or not; a page may have few, or none, and not be the last",
    query: {
      ...BY_CURSOR,
      ...FILTERS,
    },
    answers: { 200: pageOf(CLIENT, { limit: z.int(), ...NEXT }) },
    handle: async ({ service, namespace, query: { limit, cursor, page: _one, ...wanted } }) => {
      const found = await orBadRequest(() => service.clients({ cursor, limit, namespace }));
      const data = found.clients.filter((client) => isWanted(client, wanted)).map(viewOf);
      return { status: 200, body: { data, meta: { limit, ...nextOf(found.cursor) } } };
    },
  }),
  route({
    method: "GET",
    path: "/clients/:clientid{.+}",
    scope: "read",
    summary: "One client",
    params: PATH,
    answers: { 200: CLIENT },
    problems: ["CLIENTID_NOT_FOUND"],
    handle: async ({ service, namespace, params: { clientid } }) => {
      const client = await service.client(clientid, { namespace });
      return client === undefined ? noClient() : { status: 200, body: viewOf(client) };
    },
  }),
  route({
    method: "DELETE",
    path: "/clients/:clientid{.+}",
    scope: "admin",
    summary: "Ends the connection of a client (0x98); its session stays",
    params: PATH,
    answers: { 204: NOTHING },
    problems: ["CLIENTID_NOT_FOUND"],
    handle: async ({ service, namespace, params: { clientid } }) =>
      (await service.disconnect(clientid, { namespace })) ? { status: 204 } : noClient(),
  }),
  route({
    method: "POST",
    path: "/clients/kickout/bulk",
    scope: "admin",
    summary: "Ends the connections of several clients",
    body: json(CLIENT_IDS),
    answers: { 204: NOTHING },
    handle: async ({ service, namespace, body }) => {
      await Promise.all(body.map((clientId) => service.disconnect(clientId, { namespace })));
      return { status: 204 };
    },
  }),
];

function isWanted(client: ClientView, wanted: Wanted): boolean {
  const isOne = <Name extends keyof Wanted>(name: Name): boolean => {
    const values: readonly NonNullable<Wanted[Name]>[number][] | undefined = wanted[name];
    return values === undefined || values.some((value) => MATCHES[name](client, value));
  };
  return (Object.keys(MATCHES) as (keyof Wanted)[]).every(isOne);
}

function noClient(): never {
  return refuse("CLIENTID_NOT_FOUND", "There is no such client.");
}

function partedView({ at, reasonCode, reason }: Parted) {
  const ending = { reason: endingOf(reasonCode), reason_code: reasonCode ?? null, reason_string: reason };
  return { disconnected_at: new Date(at).toISOString(), ...ending };
}

function viewOf(client: ClientView): Told<typeof CLIENT> {
  const { clientId, userName, address, connected, connectedAt, version, keepAlive, parted, expirySeconds, expiresAt } = client;
  const { subscriptions, waiting, queued, received } = client;
  return {
    clientid: clientId,
    username: userName ?? null,
    ip_address: address === "" ? null : address,
    connected,
    ...(connectedAt !== undefined && { connected_at: new Date(connectedAt).toISOString() }),
    ...(version !== undefined && { proto_name: version === 3 ? "MQIsdp" : "MQTT", proto_ver: version, keepalive: keepAlive }),
    ...(parted !== undefined && partedView(parted)),
    expiry_interval: expirySeconds,
    ...(expiresAt !== undefined && { expires_at: Number.isFinite(expiresAt) ? new Date(expiresAt).toISOString() : "infinity" }),
    subscriptions_cnt: subscriptions,
    inflight_cnt: waiting - queued,
    mqueue_len: queued,
    awaiting_rel_cnt: received,
  };
}
