/** `/api/v5/clients/{clientid}/mqueue_messages` and `/inflight_messages`: what waits for a client, in the form of EMQX. */

import * as z from "zod/mini";
import { PACKET_ID_MAX } from "../limits.ts";
import type { WaitingMessage } from "../objects/calls.ts";
import { base64Of, ENCODING, payloadView, QOS } from "./message.ts";
import { LIMIT, pageOf } from "./pages.ts";
import { orBadRequest, refuse } from "./problem.ts";
import { type Asked, route } from "./route.ts";
import { about, FLAG, oneOf, TEXT, type Told, told, wholeNumber } from "./schema.ts";

const VIEW = told(() => ({
  msgid: about("Its Packet Identifier.", z.int()),
  topic: TEXT,
  qos: QOS,
  retain: FLAG,
  from_clientid: about("Empty where it is not known.", TEXT),
  payload_size: about("Bytes.", z.int()),
  payload: z.optional(TEXT),
  payload_encoding: z.optional(ENCODING),
}));

const PARAMS = { clientid: about("A Client Identifier.", TEXT) };
const QUERY = {
  limit: LIMIT,
  position: about("What the page before said.", z._default(wholeNumber(0, PACKET_ID_MAX, "that of the page before"), 0)),
  payload: about("How payloads are told: plain is text where it is one.", z._default(oneOf(["base64", "plain", "none"]), "base64")),
};
const PAGE = pageOf(VIEW, { limit: z.int(), hasnext: FLAG, position: about("Of the next page.", z.optional(z.int())) });

export const WAITING = [
  route({
    method: "GET",
    path: "/clients/:clientid{.+}/mqueue_messages",
    scope: "read",
    summary: "Messages of QoS 1 and 2 that wait to be sent to a client",
    params: PARAMS,
    query: QUERY,
    answers: { 200: PAGE },
    problems: ["CLIENTID_NOT_FOUND"],
    handle: (asked) => pageFor(asked, false),
  }),
  route({
    method: "GET",
    path: "/clients/:clientid{.+}/inflight_messages",
    scope: "read",
    summary: "Messages of QoS 1 and 2 that were sent to a client, which has not acknowledged them",
    params: PARAMS,
    query: QUERY,
    answers: { 200: PAGE },
    problems: ["CLIENTID_NOT_FOUND"],
    handle: (asked) => pageFor(asked, true),
  }),
];

async function pageFor({ service, namespace, params: { clientid }, query }: Asked<typeof PARAMS, typeof QUERY>, sent: boolean) {
  const { limit, position, payload } = query;
  const page = await orBadRequest(() => service.waitingOf(clientid, { sent, behind: position, most: limit }, { namespace }));
  const { messages, next } = page ?? refuse("CLIENTID_NOT_FOUND", "There is no such client.");
  const meta = { limit, hasnext: next !== undefined, ...(next !== undefined && { position: next }) };
  return { status: 200, body: { data: messages.map((each) => viewOf(each, payload)), meta } } as const;
}

function viewOf({ packetId, publisher, message }: WaitingMessage, payload: "base64" | "plain" | "none"): Told<typeof VIEW> {
  const { topic, qos, retain, payload: bytes } = message;
  const shown = payload === "plain" ? payloadView(bytes) : ({ payload: base64Of(bytes), payload_encoding: "base64" } as const);
  return { msgid: packetId, topic, qos, retain, from_clientid: publisher, payload_size: bytes.length, ...(payload !== "none" && shown) };
}
