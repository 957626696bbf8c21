/** `/api/v5/connections/{clientid}/messages`, as AWS IoT has it: a message for one connected client, which need not be subscribed to it. */

import * as z from "zod/mini";
import { ACKNOWLEDGED_MS_MAX } from "../code-limits.ts";
import type { SendOutcome } from "../objects/calls.ts";
import { ServiceError } from "../service/error.ts";
import { BYTES } from "./body.ts";
import { QOS, RAW_HEADERS, RAW_QUERY, rawMessage } from "./message.ts";
import { ONCE, publishedId } from "./once.ts";
import { orBadRequest, refuse, sentenceOf } from "./problem.ts";
import { route } from "./route.ts";
import { about, FLAG, TEXT, told, wholeNumber } from "./schema.ts";

const SECONDS_MAX = ACKNOWLEDGED_MS_MAX / 1000;
const { retain: _retain, ...query } = RAW_QUERY;

export const CONNECTIONS = [
  route({
    method: "POST",
    path: "/connections/:clientid{.+}/messages",
    scope: "publish",
    summary: "Sends the body to one connected client, whatever it is subscribed to",
    params: { clientid: about("A Client Identifier.", TEXT) },
    query: {
      ...query,
      topic: about("A Topic Name.", TEXT),
      qos: about("0; with confirmation 1.", z.optional(QOS)),
      confirmation: about("Whether the answer waits for the client's acknowledgement.", z._default(FLAG, false)),
      timeout: about("How long, seconds.", z._default(wholeNumber(1, SECONDS_MAX, `whole seconds, 1 to ${SECONDS_MAX}`), 10)),
    },
    headers: { ...ONCE, ...RAW_HEADERS },
    body: BYTES,
    answers: { 200: told(() => ({ message: TEXT, id: TEXT })) },
    problems: ["CLIENTID_NOT_FOUND", "NOT_TAKEN", "SERVICE_UNAVAILABLE", "TIMEOUT"],
    handle: async ({ service, namespace, once, params: { clientid }, query, headers, body }) => {
      const { topic, confirmation, timeout, qos = confirmation ? 1 : 0, ...rest } = query;
      if (confirmation && qos === 0) return refuse("BAD_REQUEST", "confirmation needs qos 1 or 2: at 0 nothing is acknowledged.");
      const message = rawMessage(topic, body, { ...rest, qos, retain: false }, headers);
      const wait = confirmation ? { timeoutMs: timeout * 1000, signal: undefined } : undefined;
      switch (await orBadRequest(() => orUnavailable(service.send(clientid, message, { wait, once, namespace })))) {
        case "away":
          return refuse("CLIENTID_NOT_FOUND", "The client is not connected.");
        case "not_authorized":
          return refuse("FORBIDDEN", "The client has no right to messages of this topic.");
        case "full":
          return refuse("SERVICE_UNAVAILABLE", "The client's queue is full.");
        case "over":
          return refuse(
            "NOT_TAKEN",
            "The client has refused the message, or it is larger than the client accepts, or its session has ended.",
          );
        case "pending":
          return refuse("TIMEOUT", `The client has not acknowledged the message within ${timeout} s; it may still do so.`);
        default:
          return { status: 200, body: { message: "OK", id: await publishedId(once) } };
      }
    },
  }),
];

/** It may have happened. */
async function orUnavailable(sending: Promise<SendOutcome>): Promise<SendOutcome> {
  try {
    return await sending;
  } catch (error) {
    if (error instanceof ServiceError) return refuse("SERVICE_UNAVAILABLE", sentenceOf(error.message.replace(/^send: /, "")));
    throw error;
  }
}
