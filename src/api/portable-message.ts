/** Messages as lines of an export have them: payloads and bytes in Base64, properties by the names of the API, times as people read them. */

import type { MessageProperties } from "../hooks/contract.ts";
import { draftProblem, publishOf } from "../hooks/message-draft.ts";
import type { Limits } from "../limits.ts";
import type { Publish } from "../mqtt/packet.ts";
import { type Fields, fieldsOf, textOf } from "./body.ts";
import { base64Of, bytesOf } from "./message.ts";
import { refuse } from "./problem.ts";

/** Milliseconds since the epoch; 0 = none. */
export function timeText(time: number): string | undefined {
  if (time === 0) return undefined;
  return time === Number.POSITIVE_INFINITY ? "never" : new Date(time).toISOString();
}

/** @returns milliseconds since the epoch; 0 where there is none */
export function timeOf(fields: Fields, name: string): number {
  const text = textOf(fields, name);
  if (text === undefined) return 0;
  const time = text === "never" ? Number.POSITIVE_INFINITY : Date.parse(text);
  return time > 0 ? time : refuse("BAD_REQUEST", `${name} must be a time such as 2026-12-24T18:00:00.000Z, or never.`);
}

export function propertiesView(properties: MessageProperties): object | undefined {
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

const PROPERTIES = ["payload_format_indicator", "content_type", "response_topic", "correlation_data_base64", "user_properties"];

/** What is wrong with its values `publishOf` says. */
function propertiesOf(value: unknown): MessageProperties {
  if (value === undefined) return {};
  const fields = fieldsOf(value, PROPERTIES, "properties");
  const named = {
    payloadFormatIndicator: fields.payload_format_indicator,
    contentType: fields.content_type,
    responseTopic: fields.response_topic,
    correlationData: fields.correlation_data_base64 === undefined ? undefined : bytesIn(fields, "correlation_data_base64"),
    userProperties: fields.user_properties,
  };
  return Object.fromEntries(Object.entries(named).filter(([, property]) => property !== undefined)) as MessageProperties;
}

function bytesIn(fields: Fields, name: string): Uint8Array {
  return bytesOf(textOf(fields, name) ?? refuse("BAD_REQUEST", `${name} is missing.`), name);
}

/** @returns the PUBLISH that would bring it, which has been looked at as one of a client is */
export function publishIn(fields: Fields, limits: Limits): Publish {
  const { topic, qos, retain } = fields;
  const payload = bytesIn(fields, "payload");
  const draft = { topic, payload, qos, retain, properties: propertiesOf(fields.properties) };
  const publish = draftProblem(draft) ?? publishOf(draft as Parameters<typeof publishOf>[0], limits);
  return typeof publish === "string" ? refuse("BAD_REQUEST", `A message: ${publish}.`) : publish;
}
