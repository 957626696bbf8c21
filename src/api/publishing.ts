/**
 * To publish by HTTP: `/publish` and `/publish/bulk` as EMQX has them, `/topics/{topic}` as AWS IoT has it, and `/request`, which is answered with
 * what a client responds. QoS 1 and 2 are answered when the message is as safe as PUBACK would say.
 */

import * as z from "zod/mini";
import { durationMs } from "../auth/directory-settings.ts";
import { REQUEST_MS_MAX } from "../code-limits.ts";
import type { MessageToPublish } from "../hooks/contract.ts";
import { API_MESSAGES_MAX } from "../login-limits.ts";
import {
  NO_MATCHING_SUBSCRIBERS,
  NOT_AUTHORIZED,
  PAYLOAD_FORMAT_INVALID,
  SERVER_UNAVAILABLE,
  TOPIC_NAME_INVALID,
  UNSPECIFIED_ERROR,
} from "../mqtt/reason-code.ts";
import type { Once } from "../objects/calls.ts";
import type { PublishReceipt } from "../service/contract.ts";
import { ServiceError } from "../service/error.ts";
import { SHARE_PREFIX } from "../topic/filter.ts";
import { validateTopicName } from "../topic/name.ts";
import { BYTES, json } from "./body.ts";
import { isFor } from "./context.ts";
import {
  CONTENT,
  MESSAGE,
  MESSAGE_VIEW,
  messageIn,
  messageView,
  QOS,
  RAW_HEADERS,
  RAW_QUERY,
  rawMessage,
  USER_PROPERTIES,
} from "./message.ts";
import { ONCE, publishedId } from "./once.ts";
import { orBadRequest, refuse, sentenceOf } from "./problem.ts";
import { type Asked, route } from "./route.ts";
import { about, fields, list, readAs, TEXT, told } from "./schema.ts";

const REASON = told(() => ({ reason_code: about("Of MQTT 5.0.", z.int()), message: TEXT }));
const PUBLISHED = told(() => ({ id: TEXT }));

/** Of one message: what it is answered with. */
type Answer =
  | { readonly status: 200; readonly body: z.output<typeof PUBLISHED> }
  | { readonly status: 202 | 400 | 403 | 503; readonly body: z.output<typeof REASON> };

const TIMEOUT = readAs(timeoutOf, `a time such as 5s, at most ${REQUEST_MS_MAX / 1000}s`);
const TIMEOUT_MS = 5000;

/** It is subscribed to. */
const RESPONSE_TOPIC = readAs(
  (text) => (text.startsWith(SHARE_PREFIX) ? undefined : text),
  `a Topic Name, and none that begins with ${SHARE_PREFIX}`,
);

const REQUEST = fields(() => ({
  timeout: about("How long the response may take, such as 5s, which is the default.", z.optional(TIMEOUT)),
  request: fields(() => ({
    ...CONTENT,
    qos: z._default(QOS, 1),
    response_topic: about(
      "Where the response comes: needs the scope read, too. A topic of its own by default.",
      z.optional(RESPONSE_TOPIC),
    ),
    content_type: z.optional(TEXT),
    user_properties: z.optional(USER_PROPERTIES),
  })),
}));

/** A message that was not published because another one beside it is none. */
const NOT_PUBLISHED: Answer = { status: 400, body: { reason_code: UNSPECIFIED_ERROR, message: "not_published" } };

/** Of what the broker does not take; all else is worth another try, 503. */
const STATUS: Readonly<Record<number, 400 | 403 | undefined>> = {
  [NOT_AUTHORIZED]: 403,
  [TOPIC_NAME_INVALID]: 400,
  [PAYLOAD_FORMAT_INVALID]: 400,
};

/** What a message is answered with that the broker does not take. */
export const NOT_TAKEN = { 400: REASON, 403: REASON, 503: REASON };
const REFUSED = { 202: REASON, ...NOT_TAKEN };
const EITHER = list(z.union([PUBLISHED, REASON]), "a list");

export const PUBLISHING = [
  route({
    method: "POST",
    path: "/publish",
    scope: "publish",
    summary: "Publishes a message",
    headers: ONCE,
    body: json(MESSAGE),
    answers: { 200: PUBLISHED, ...REFUSED },
    handle: (asked) => publishOne(asked, messageIn(asked.body)),
  }),
  route({
    method: "POST",
    path: "/publish/bulk",
    scope: "publish",
    summary: "Publishes messages; the status is that of the worst, and where one of them is no message nothing is published",
    headers: ONCE,
    body: json(list(MESSAGE, `a list of at most ${API_MESSAGES_MAX} messages`, API_MESSAGES_MAX)),
    answers: { 200: EITHER, 202: EITHER, 400: EITHER, 403: EITHER, 503: EITHER },
    handle: async ({ settings, namespace, service, once, body }) => {
      const messages = body.map((each, index) => messageIn(each, `[${index}].`));
      const wrong = messages.map((message) => invalidTopic(settings, message));
      // Nothing is published where one of them can't be.
      const answers = wrong.some((each) => each !== undefined)
        ? wrong.map((each) => each ?? NOT_PUBLISHED)
        : await Promise.all(
            (await orBadRequest(() => service.publishAll(messages, { namespace }, { once }))).map((each) => answerTo(each, once)),
          );
      const status = Math.max(200, ...answers.map((each) => each.status)) as Answer["status"];
      return { status, body: answers.map((each) => each.body) };
    },
  }),
  route({
    method: "POST",
    path: "/topics/:topic{.+}",
    scope: "publish",
    summary: "Publishes the body as it is",
    params: { topic: about("A Topic Name.", TEXT) },
    query: RAW_QUERY,
    headers: { ...ONCE, ...RAW_HEADERS },
    body: BYTES,
    answers: { 200: told(() => ({ message: TEXT, id: TEXT })), ...REFUSED },
    handle: async (asked) => {
      const answer = await publishOne(asked, rawMessage(asked.params.topic, asked.body, asked.query, asked.headers));
      return answer.status === 200 ? { status: 200, body: { message: "OK", ...answer.body } } : answer;
    },
  }),
  route({
    method: "POST",
    path: "/request",
    scope: "publish",
    summary: "Publishes a request, and answers with what a client responds",
    body: json(REQUEST),
    answers: { 200: MESSAGE_VIEW, 400: REASON, 403: REASON, 404: REASON, 503: REASON },
    problems: ["TIMEOUT"],
    handle: async ({ settings, service, namespace, scopes, body }) => {
      const { response_topic: responseTopic, content_type, user_properties, ...request } = body.request;
      // What comes there first is the answer, whoever publishes it: that is to listen.
      if (responseTopic !== undefined && !isFor({ scopes }, "read"))
        return refuse("FORBIDDEN", "response_topic needs a token with the scope read, too.");
      const { topic, payload, ...options } = messageIn(
        { ...request, retain: false, properties: { content_type, user_properties } },
        "request.",
      );
      const wrong = invalidTopic(settings, { topic, payload });
      if (wrong !== undefined) return wrong;
      const { qos, properties } = options;
      try {
        const asked = { qos, properties, responseTopic, timeoutMs: body.timeout ?? TIMEOUT_MS, namespace };
        const response = await orBadRequest(() => service.request(topic, payload, asked));
        return { status: 200, body: messageView(response) };
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        if (error.name === "TimeoutError") return refuse("TIMEOUT", sentenceOf(error.message));
        const { status, body: said } = refusalOf(error);
        return { status: error.reasonCode === NO_MATCHING_SUBSCRIBERS ? 404 : status, body: said };
      }
    },
  }),
];

async function publishOne(
  { settings, namespace, service, once }: Pick<Asked, "settings" | "namespace" | "service" | "once">,
  message: MessageToPublish,
): Promise<Answer> {
  const wrong = invalidTopic(settings, message);
  if (wrong !== undefined) return wrong;
  const { topic, payload, ...options } = message;
  try {
    return await answerTo(await orBadRequest(() => service.publish(topic, payload, { ...options, namespace }, { once })), once);
  } catch (error) {
    if (error instanceof ServiceError) return refusalOf(error);
    throw error;
  }
}

function invalidTopic({ limits }: Asked["settings"], { topic }: MessageToPublish) {
  if (validateTopicName(topic, limits) === undefined) return undefined;
  return { status: 400, body: { reason_code: TOPIC_NAME_INVALID, message: "topic_name_invalid" } } as const;
}

async function answerTo(outcome: PublishReceipt | ServiceError, once: Once | undefined): Promise<Answer> {
  if (outcome instanceof ServiceError) return refusalOf(outcome);
  if (outcome.matched === false) return { status: 202, body: { reason_code: NO_MATCHING_SUBSCRIBERS, message: "no_matching_subscribers" } };
  return { status: 200, body: { id: await publishedId(once) } };
}

export function refusalOf({ reasonCode = SERVER_UNAVAILABLE, message }: ServiceError) {
  return { status: STATUS[reasonCode] ?? 503, body: { reason_code: reasonCode, message: message.replace(/^publish: /, "") } } as const;
}

/** @returns milliseconds */
function timeoutOf(text: string): number | undefined {
  const ms = durationMs(text);
  return ms <= REQUEST_MS_MAX ? ms : undefined;
}
