/** Messages as lines of an export have them: payloads and bytes in Base64, properties by the names of the API, times as people read them. */

import * as z from "zod/mini";
import type { MessageProperties, MessageToPublish } from "../hooks/contract.ts";
import { draftProblem, ofBroker, publishOf } from "../hooks/message-draft.ts";
import type { Limits } from "../limits.ts";
import type { Publish } from "../mqtt/packet.ts";
import { base64Of, FORMAT, QOS, USER_PROPERTIES } from "./message.ts";
import { refuse } from "./problem.ts";
import { BASE64, FLAG, fields, type Given, list, readAs, TEXT, type Told, told } from "./schema.ts";

/** Milliseconds since the epoch. */
export const TIME = readAs(timeOf, "a time such as 2026-12-24T18:00:00.000Z, or never");

function timeOf(text: string): number | undefined {
  const time = text === "never" ? Number.POSITIVE_INFINITY : Date.parse(text);
  return time > 0 ? time : undefined;
}

/** @param time milliseconds since the epoch; 0 = none */
export function timeText(time: number): string | undefined {
  if (time === 0) return undefined;
  return time === Number.POSITIVE_INFINITY ? "never" : new Date(time).toISOString();
}

const PROPERTIES = fields(() => ({
  payload_format_indicator: z.optional(FORMAT),
  content_type: z.optional(TEXT),
  response_topic: z.optional(TEXT),
  correlation_data_base64: z.optional(BASE64),
  user_properties: z.optional(USER_PROPERTIES),
}));

/** Of a message, whatever else stands beside it. */
export const MESSAGE_FIELDS = {
  topic: TEXT,
  payload: BASE64,
  qos: z._default(QOS, 0),
  retain: z._default(FLAG, false),
  properties: z.optional(PROPERTIES),
};

const PROPERTIES_TOLD = told(() => ({
  payload_format_indicator: z.optional(FORMAT),
  content_type: z.optional(TEXT),
  response_topic: z.optional(TEXT),
  correlation_data_base64: z.optional(TEXT),
  user_properties: z.optional(list(z.tuple([TEXT, TEXT]), "a list")),
}));

/** The same in answers. */
export const MESSAGE_TOLD = { topic: TEXT, payload: TEXT, qos: QOS, properties: z.optional(PROPERTIES_TOLD) };

export function propertiesView(properties: MessageProperties): Told<typeof PROPERTIES_TOLD> | undefined {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  const view = {
    payload_format_indicator: payloadFormatIndicator,
    content_type: contentType,
    response_topic: responseTopic,
    correlation_data_base64: correlationData && base64Of(correlationData),
    user_properties: userProperties,
  };
  return Object.values(view).every((value) => value === undefined) ? undefined : view;
}

function propertiesOf(given: Given<typeof PROPERTIES>): MessageProperties {
  const named = {
    payloadFormatIndicator: given.payload_format_indicator,
    contentType: given.content_type,
    responseTopic: given.response_topic,
    correlationData: given.correlation_data_base64,
    userProperties: given.user_properties,
  };
  return Object.fromEntries(Object.entries(named).filter(([, property]) => property !== undefined)) as MessageProperties;
}

type GivenMessage = { readonly [Name in keyof typeof MESSAGE_FIELDS]?: Given<(typeof MESSAGE_FIELDS)[Name]> };

/**
 * @param mayBeOwn whether it may be what the broker tells of itself
 * @returns the PUBLISH that would bring it, which has been looked at as one of a client is
 */
export function publishIn(
  { topic, payload, qos, retain, properties = {} }: Required<Omit<GivenMessage, "properties">> & Pick<GivenMessage, "properties">,
  limits: Limits,
  mayBeOwn = false,
): Publish {
  const draft: MessageToPublish = { topic, payload, qos, retain, properties: propertiesOf(properties) };
  const publish = draftProblem(draft) ?? publishOf(draft, limits);
  const own = mayBeOwn ? undefined : ofBroker(topic);
  if (own !== undefined) return refuse("BAD_REQUEST", `A message: topics ${own}.`);
  return typeof publish === "string" ? refuse("BAD_REQUEST", `A message: ${publish}.`) : publish;
}
