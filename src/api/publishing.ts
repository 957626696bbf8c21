/**
 * To publish by HTTP: `/publish` and `/publish/bulk` as EMQX has them, `/topics/{topic}` as AWS IoT has it, and `/request`, which is answered with
 * what a client responds. QoS 1 and 2 are answered when the message is as safe as PUBACK would say.
 */

import { Hono } from "hono";
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
import type { PublishReceipt } from "../service/contract.ts";
import { ServiceError } from "../service/error.ts";
import { validateTopicName } from "../topic/name.ts";
import { needs } from "./access.ts";
import { bodyBytes, bodyFields, bodyJson, fieldsOf, textOf } from "./body.ts";
import type { ApiContext } from "./context.ts";
import { messageIn, messageView, rawMessage } from "./message.ts";
import { orBadRequest, problem, refuse, sentenceOf } from "./problem.ts";

type Settings = ApiContext["Variables"]["settings"];

/** Of one message: what it is answered with. */
interface Answer {
  readonly status: 200 | 202 | 400 | 403 | 503;
  readonly body: object;
}

const DEFAULT_TIMEOUT = "5s";
const REQUEST_FIELDS = ["topic", "response_topic", "payload", "payload_encoding", "qos", "content_type", "user_properties"];

/** A message that was not published because another one beside it is none. */
const NOT_PUBLISHED: Answer = { status: 400, body: { reason_code: UNSPECIFIED_ERROR, message: "not_published" } };

/** Of what the broker does not take; all else is worth another try, 503. */
const STATUS: Readonly<Record<number, Answer["status"]>> = {
  [NOT_AUTHORIZED]: 403,
  [TOPIC_NAME_INVALID]: 400,
  [PAYLOAD_FORMAT_INVALID]: 400,
};

export const publishing = new Hono<ApiContext>()
  .post("/publish", needs("publish"), async (context) => {
    const message = messageIn(await bodyJson(context.req.raw), "The body");
    const { status, body } = await publishOne(context.var, message);
    return context.json(body, status);
  })
  .post("/publish/bulk", needs("publish"), async (context) => {
    const list = await bodyJson(context.req.raw);
    if (!Array.isArray(list) || list.length > API_MESSAGES_MAX)
      return refuse("BAD_REQUEST", `The body must be a JSON list of at most ${API_MESSAGES_MAX} messages.`);
    const { settings, namespace, service } = context.var;
    const messages = list.map((each, index) => messageIn(each, `[${index}]`));
    const wrong = messages.map((message) => invalidTopic(settings, message));
    // Nothing is published where one of them can't be.
    const answers = wrong.some((each) => each !== undefined)
      ? wrong.map((each) => each ?? NOT_PUBLISHED)
      : (await orBadRequest(() => service.publishAll(messages, { namespace }))).map(answerTo);
    const status = Math.max(200, ...answers.map((each) => each.status)) as Answer["status"];
    return context.json(
      answers.map(({ body }) => body),
      status,
    );
  })
  .post("/topics/:topic{.+}", needs("publish"), async (context) => {
    const payload = await bodyBytes(context.req.raw);
    const message = rawMessage(context.req.param("topic"), payload, new URL(context.req.url).searchParams, context.req.raw.headers);
    const { status, body } = await publishOne(context.var, message);
    return context.json(status === 200 ? { message: "OK", ...body } : body, status);
  })
  .post("/request", needs("publish"), async (context) => {
    const { timeout = DEFAULT_TIMEOUT, request } = await bodyFields(context.req.raw, ["timeout", "request"]);
    const timeoutMs = timeoutOf(timeout);
    const { response_topic, qos = 1, content_type, user_properties, ...rest } = fieldsOf(request, REQUEST_FIELDS, "request");
    const asked = messageIn({ ...rest, qos, properties: { content_type, user_properties } }, "request");
    const { settings, service, namespace } = context.var;
    const wrong = invalidTopic(settings, asked);
    if (wrong !== undefined) return context.json(wrong.body, wrong.status);
    const responseTopic = textOf({ response_topic }, "response_topic");
    const { topic, payload, retain: _none, ...options } = asked;
    try {
      const response = await orBadRequest(() => service.request(topic, payload, { ...options, responseTopic, timeoutMs, namespace }));
      return context.json(messageView(response));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      if (error.name === "TimeoutError") return problem("TIMEOUT", sentenceOf(error.message));
      const { status, body } = answerTo(error);
      return context.json(body, error.reasonCode === NO_MATCHING_SUBSCRIBERS ? 404 : status);
    }
  });

async function publishOne(
  { settings, namespace, service }: Pick<ApiContext["Variables"], "settings" | "namespace" | "service">,
  message: MessageToPublish,
): Promise<Answer> {
  const wrong = invalidTopic(settings, message);
  if (wrong !== undefined) return wrong;
  const { topic, payload, ...options } = message;
  try {
    return answerTo(await orBadRequest(() => service.publish(topic, payload, { ...options, namespace })));
  } catch (error) {
    if (error instanceof ServiceError) return answerTo(error);
    throw error;
  }
}

function invalidTopic({ limits }: Settings, { topic }: MessageToPublish): Answer | undefined {
  if (validateTopicName(topic, limits) === undefined) return undefined;
  return { status: 400, body: { reason_code: TOPIC_NAME_INVALID, message: "topic_name_invalid" } };
}

function answerTo(outcome: PublishReceipt | ServiceError): Answer {
  if (outcome instanceof ServiceError) {
    const { reasonCode = SERVER_UNAVAILABLE, message } = outcome;
    return { status: STATUS[reasonCode] ?? 503, body: { reason_code: reasonCode, message: message.replace(/^publish: /, "") } };
  }
  if (outcome.matched === false) return { status: 202, body: { reason_code: NO_MATCHING_SUBSCRIBERS, message: "no_matching_subscribers" } };
  return { status: 200, body: { id: crypto.randomUUID().replaceAll("-", "") } };
}

/** @returns milliseconds */
function timeoutOf(text: unknown): number {
  const ms = typeof text === "string" ? durationMs(text) : Number.NaN;
  return ms <= REQUEST_MS_MAX ? ms : refuse("BAD_REQUEST", `timeout must be a time such as 5s, at most ${REQUEST_MS_MAX / 1000}s.`);
}
