/** `/api/v5/mqtt/retainer`: retained messages, in the form of EMQX. */

import * as z from "zod/mini";
import type { HookMessage, MessageToPublish } from "../hooks/contract.ts";
import { ownPublishOf } from "../hooks/message-draft.ts";
import { ServiceError } from "../service/error.ts";
import { hasWildcard } from "../topic/filter.ts";
import { json } from "./body.ts";
import { base64Of, CONTENT, messageIn, PROPERTIES, PROPERTIES_VIEW, propertiesView, QOS } from "./message.ts";
import { CURSOR, NEXT, nextOf, pageOf } from "./pages.ts";
import { orBadRequest, refuse } from "./problem.ts";
import { NOT_TAKEN, refusalOf } from "./publishing.ts";
import { type Asked, NOTHING, route } from "./route.ts";
import { about, fields, TEXT, type Told, told } from "./schema.ts";

/** Payloads are asked for one by one. */
const ENTRY = { topic: TEXT, qos: QOS, properties: PROPERTIES_VIEW, payload_size: about("Bytes.", z.int()) };
const VIEW = told(() => ENTRY);
/** Without its topic, which is in the path. */
const SET = fields(() => ({
  payload: CONTENT.payload,
  payload_encoding: CONTENT.payload_encoding,
  qos: z._default(z.literal([1, 2], { error: "1 or 2" }), 1),
  properties: z.optional(PROPERTIES),
}));
const DELETED = told(() => ({
  deleted: z.int(),
  problems: about(
    "Those whose topics may not be published to any more, which stay.",
    z.optional(z.array(told(() => ({ topic: TEXT, message: TEXT })))),
  ),
  meta: told(() => NEXT),
}));
const PATH = { topic: about("A Topic Name.", TEXT) };

type Of = Pick<Asked, "service" | "namespace">;

export const RETAINED = [
  route({
    method: "GET",
    path: "/mqtt/retainer/messages",
    scope: "read",
    summary: "Retained messages, without their payloads; a page may have none, and not be the last",
    query: { topic: about("A Topic Filter.", z._default(TEXT, "#")), cursor: CURSOR },
    answers: { 200: pageOf(VIEW, NEXT) },
    handle: async ({ service, namespace, query: { topic, cursor } }) => {
      const page = await orBadRequest(() => service.retained(topic, { cursor, namespace }));
      return { status: 200, body: { data: page.messages.map(viewOf), meta: nextOf(page.cursor) } };
    },
  }),
  route({
    method: "GET",
    path: "/mqtt/retainer/message/:topic{.+}",
    scope: "read",
    summary: "One retained message",
    params: PATH,
    answers: { 200: told(() => ({ ...ENTRY, payload: about("Base64.", TEXT) })) },
    handle: async (asked) => {
      const message = await find(asked, asked.params.topic);
      return { status: 200, body: { ...viewOf(message), payload: base64Of(message.payload) } };
    },
  }),
  route({
    method: "PUT",
    path: "/mqtt/retainer/message/:topic{.+}",
    scope: "admin",
    summary: "Publishes a message that is retained; answered when it is safe",
    params: PATH,
    body: json(SET),
    answers: { 204: NOTHING, ...NOT_TAKEN },
    handle: async (asked) => {
      const { topic } = asked.params;
      const { payload, qos, properties } = messageIn({ ...asked.body, topic, retain: true });
      if (asked.body.payload === "") return refuse("BAD_REQUEST", "payload must not be empty: what deletes the message is DELETE.");
      return retain(asked, { topic, payload, qos, properties });
    },
  }),
  route({
    method: "DELETE",
    path: "/mqtt/retainer/messages",
    scope: "admin",
    summary: "Deletes a page of the retained messages that match, each as one of them is",
    query: { topic: about("A Topic Filter.", TEXT), cursor: CURSOR },
    answers: { 200: DELETED, ...NOT_TAKEN },
    handle: async ({ service, settings, namespace, query: { topic: filter, cursor } }) => {
      const found = await orBadRequest(() => service.retained(filter, { cursor, namespace }));
      const all = found.messages.map(({ topic }) => ({ topic, payload: "", qos: 1, retain: true }) as const);
      // Such as one that was retained under other limits: it must not hold up the rest.
      const problems = all.flatMap((message) => {
        const publish = ownPublishOf(message, settings.limits);
        return typeof publish === "string" ? [{ topic: message.topic, message: publish }] : [];
      });
      const stay = new Set(problems.map(({ topic }) => topic));
      const empty = all.filter(({ topic }) => !stay.has(topic));
      const outcomes = await service.publishAll(empty, { namespace });
      const failed = outcomes.find((outcome) => outcome instanceof ServiceError);
      if (failed !== undefined) {
        const { status, body } = refusalOf(failed);
        return { status, body: { ...body, message: `not all of them are deleted: ${body.message}` } };
      }
      const told = problems.length === 0 ? {} : { problems };
      return { status: 200, body: { deleted: empty.length, ...told, meta: nextOf(found.cursor) } };
    },
  }),
  route({
    method: "DELETE",
    path: "/mqtt/retainer/message/:topic{.+}",
    scope: "admin",
    summary: "Deletes a retained message, as a client does: by an empty message, which subscribers hear",
    params: PATH,
    answers: { 204: NOTHING, ...NOT_TAKEN },
    handle: async (asked) => {
      const { topic } = await find(asked, asked.params.topic);
      return retain(asked, { topic, payload: "", qos: 1 });
    },
  }),
];

async function retain({ service, namespace }: Of, { topic, payload, ...options }: MessageToPublish) {
  try {
    await orBadRequest(() => service.publish(topic, payload, { ...options, retain: true, namespace }));
    return { status: 204 } as const;
  } catch (error) {
    if (error instanceof ServiceError) return refusalOf(error);
    throw error;
  }
}

async function find({ service, namespace }: Of, topic: string): Promise<HookMessage> {
  if (hasWildcard(topic)) return refuse("BAD_REQUEST", "The topic must be a Topic Name, without wildcards.");
  const { messages } = await orBadRequest(() => service.retained(topic, { namespace }));
  return messages[0] ?? refuse("NOT_FOUND", "There is no retained message of this topic.");
}

function viewOf({ topic, payload, qos, properties }: HookMessage): Told<typeof VIEW> {
  return { topic, qos, properties: propertiesView(properties), payload_size: payload.length };
}
