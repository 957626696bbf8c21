/** Messages in requests and answers of the API: JSON as EMQX has it, and raw bodies with headers as AWS IoT has them. */

import type { HookMessage, MessageProperties, MessageToPublish } from "../hooks/contract.ts";
import type { QoS, UserProperty } from "../mqtt/packet.ts";
import { type Fields, fieldsOf, requiredText, textOf } from "./body.ts";
import { refuse } from "./problem.ts";

const ENCODINGS = ["plain", "base64"];
const FIELDS = ["topic", "payload", "payload_encoding", "qos", "retain", "properties"];
const PROPERTIES = [
  "payload_format_indicator",
  "message_expiry_interval",
  "response_topic",
  "correlation_data",
  "user_properties",
  "content_type",
];
/** Of a header of AWS IoT. */
const FORMATS: Readonly<Record<string, 0 | 1>> = { UNSPECIFIED_BYTES: 0, UTF8_DATA: 1 };

type Message = MessageToPublish & { readonly qos: QoS };

/** @param what names it in sentences */
export function messageIn(value: unknown, what: string): Message {
  const fields = fieldsOf(value, FIELDS, what);
  return {
    topic: requiredText(fields, "topic"),
    payload: payloadIn(fields),
    qos: qosIn(fields.qos ?? 0),
    retain: booleanIn(fields, "retain"),
    properties: propertiesIn(fieldsOf(fields.properties ?? {}, PROPERTIES, `properties of ${what.toLowerCase()}`)),
  };
}

export function payloadIn(fields: Fields): string | Uint8Array {
  const payload = requiredText(fields, "payload");
  const encoding = textOf(fields, "payload_encoding") ?? "plain";
  if (!ENCODINGS.includes(encoding)) return refuse("BAD_REQUEST", `payload_encoding must be one of ${ENCODINGS.join(", ")}.`);
  return encoding === "plain" ? payload : bytesOf(payload, "payload");
}

export function qosIn(value: unknown): QoS {
  return value === 0 || value === 1 || value === 2 ? value : refuse("BAD_REQUEST", "qos must be 0, 1 or 2.");
}

function booleanIn(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  return typeof value === "boolean" ? value : refuse("BAD_REQUEST", `${name} must be true or false.`);
}

function propertiesIn(fields: Fields): MessageProperties {
  const correlation = textOf(fields, "correlation_data");
  const { payload_format_indicator: format, message_expiry_interval: expiry } = fields;
  if (format !== undefined && format !== 0 && format !== 1) return refuse("BAD_REQUEST", "payload_format_indicator must be 0 or 1.");
  if (expiry !== undefined && !isSeconds(expiry))
    return refuse("BAD_REQUEST", "message_expiry_interval must be a whole number of seconds.");
  return known({
    payloadFormatIndicator: format,
    messageExpiryInterval: expiry,
    contentType: textOf(fields, "content_type"),
    responseTopic: textOf(fields, "response_topic"),
    correlationData: correlation === undefined ? undefined : new TextEncoder().encode(correlation),
    userProperties: fields.user_properties === undefined ? undefined : userPropertiesIn(fields.user_properties, "user_properties"),
  });
}

/** An object, or a list of pairs, in which a name may come again. */
function userPropertiesIn(value: unknown, name: string): UserProperty[] {
  const pairs = Array.isArray(value) ? value : typeof value === "object" && value !== null ? Object.entries(value) : [undefined];
  const isPair = (pair: unknown): pair is UserProperty =>
    Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === "string");
  return pairs.every(isPair) ? pairs : refuse("BAD_REQUEST", `${name} must be an object of texts, or a list of pairs of texts.`);
}

/** A message as `POST /topics/{topic}` brings it: the body is the payload. */
export function rawMessage(topic: string, payload: Uint8Array, query: URLSearchParams, headers: Headers): Message {
  const expiry = query.get("messageExpiry");
  const format = headers.get("x-amz-mqtt5-payload-format-indicator");
  const correlation = headers.get("x-amz-mqtt5-correlation-data");
  const user = headers.get("x-amz-mqtt5-user-properties");
  if (expiry !== null && !isSeconds(Number(expiry || "x")))
    return refuse("BAD_REQUEST", "messageExpiry must be a whole number of seconds.");
  if (format !== null && FORMATS[format] === undefined)
    return refuse("BAD_REQUEST", `x-amz-mqtt5-payload-format-indicator must be one of ${Object.keys(FORMATS).join(", ")}.`);
  return {
    topic,
    payload,
    qos: qosIn(Number(query.get("qos") ?? 0)),
    retain: flagIn(query, "retain"),
    properties: known({
      payloadFormatIndicator: format === null ? undefined : FORMATS[format],
      messageExpiryInterval: expiry === null ? undefined : Number(expiry),
      contentType: query.get("contentType") ?? undefined,
      responseTopic: query.get("responseTopic") ?? undefined,
      correlationData: correlation === null ? undefined : bytesOf(correlation, "x-amz-mqtt5-correlation-data"),
      userProperties: user === null ? undefined : userPropertiesOfHeader(user),
    }),
  };
}

/** Base64 of a JSON list of objects with one field each: `[{"name": "value"}, ...]`. */
function userPropertiesOfHeader(text: string): UserProperty[] {
  const name = "x-amz-mqtt5-user-properties";
  try {
    const list: unknown = JSON.parse(new TextDecoder().decode(bytesOf(text, name)));
    if (Array.isArray(list))
      return userPropertiesIn(
        list.flatMap((each: object) => Object.entries(each)),
        name,
      );
  } catch {
    // Said below.
  }
  return refuse("BAD_REQUEST", `${name} must be Base64 of a JSON list of objects such as [{"name": "value"}].`);
}

function flagIn(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? "false";
  return text === "true" || text === "1" || (text !== "false" && text !== "0" && refuse("BAD_REQUEST", `${name} must be true or false.`));
}

function isSeconds(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffffffff;
}

export function bytesOf(base64: string, name: string): Uint8Array {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return refuse("BAD_REQUEST", `${name} must be Base64.`);
  }
}

/** Without what is undefined. */
function known(properties: MessageProperties): MessageProperties {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}

/** A message as answers have it. */
export function messageView({ topic, payload, qos, retain, properties }: HookMessage): object {
  return { topic, ...payloadView(payload), qos, retain, properties: propertiesView(properties) };
}

/** As text where it is one, and otherwise in Base64. */
function payloadView(payload: Uint8Array): object {
  const text = utf8Decode(payload);
  return text === undefined ? { payload: base64Of(payload), payload_encoding: "base64" } : { payload: text, payload_encoding: "plain" };
}

function correlationView(data: Uint8Array): object {
  const text = utf8Decode(data);
  return text === undefined ? { correlation_data_base64: base64Of(data) } : { correlation_data: text };
}

/** @returns undefined for bytes that are no text */
function utf8Decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Bytes that become text at once: arguments of a call are not unlimited. */
const AT_ONCE = 0x8000;

export function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (let from = 0; from < bytes.length; from += AT_ONCE) text += String.fromCharCode(...bytes.subarray(from, from + AT_ONCE));
  return btoa(text);
}

function propertiesView(properties: MessageProperties): object {
  const { payloadFormatIndicator, messageExpiryInterval, contentType, responseTopic, correlationData, userProperties } = properties;
  return {
    payload_format_indicator: payloadFormatIndicator,
    message_expiry_interval: messageExpiryInterval,
    content_type: contentType,
    response_topic: responseTopic,
    ...(correlationData && correlationView(correlationData)),
    user_properties: userProperties,
  };
}
