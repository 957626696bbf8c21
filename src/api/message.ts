/** Messages in requests and answers of the API: JSON as EMQX has it, and raw bodies with headers as AWS IoT has them. */

import * as z from "zod/mini";
import type { HookMessage, MessageProperties, MessageToPublish } from "../hooks/contract.ts";
import type { QoS, UserProperty } from "../mqtt/packet.ts";
import { refuse } from "./problem.ts";
import { about, BASE64, bytesOf, FLAG, fields, type Given, list, oneOf, readAs, TEXT, type Told, told, wholeNumber } from "./schema.ts";

export const QOS = z.literal([0, 1, 2], { error: "0, 1 or 2" });
export const FORMAT = about("1 says that the payload is UTF-8.", z.literal([0, 1], { error: "0 or 1" }));
export const SECONDS = wholeNumber(0, 0xffffffff, "a whole number of seconds");
export const ENCODING = oneOf(["plain", "base64"]);

/** Text becomes UTF-8. */
const CORRELATION = z.pipe(
  TEXT,
  z.transform((text: string) => new TextEncoder().encode(text)),
);

/** An object, or a list of pairs, in which a name may come again. */
export const USER_PROPERTIES = z.pipe(
  z.transform((value: unknown) => (typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : value)),
  z.custom<UserProperty[]>(arePairs, { error: "an object of texts, or a list of pairs of texts" }),
);

export const PROPERTIES = fields(() => ({
  payload_format_indicator: z.optional(FORMAT),
  message_expiry_interval: z.optional(SECONDS),
  response_topic: z.optional(TEXT),
  correlation_data: z.optional(CORRELATION),
  user_properties: z.optional(USER_PROPERTIES),
  content_type: z.optional(TEXT),
}));

/** What a message has in JSON besides its properties. */
export const CONTENT = {
  topic: about("A Topic Name.", TEXT),
  payload: TEXT,
  payload_encoding: z._default(ENCODING, "plain"),
};

export const MESSAGE = fields(() => ({
  ...CONTENT,
  qos: z._default(QOS, 0),
  retain: z._default(FLAG, false),
  properties: z.optional(PROPERTIES),
}));

type Message = MessageToPublish & { readonly qos: QoS };

/** @param place of the message among others, for sentences; empty where it is the only one */
export function messageIn({ topic, qos, retain, properties = {}, ...content }: Given<typeof MESSAGE>, place = ""): Message {
  return { topic, payload: payloadIn(content, place), qos, retain, properties: propertiesIn(properties) };
}

/** @param place such as `request.` */
export function payloadIn(
  { payload, payload_encoding: encoding }: { readonly payload: string; readonly payload_encoding: Given<typeof ENCODING> },
  place = "",
): string | Uint8Array {
  if (encoding === "plain") return payload;
  return bytesOf(payload) ?? refuse("BAD_REQUEST", `${place}payload must be Base64.`);
}

export function propertiesIn(given: Given<typeof PROPERTIES>): MessageProperties {
  return known({
    payloadFormatIndicator: given.payload_format_indicator,
    messageExpiryInterval: given.message_expiry_interval,
    contentType: given.content_type,
    responseTopic: given.response_topic,
    correlationData: given.correlation_data,
    userProperties: given.user_properties,
  });
}

function arePairs(value: unknown): boolean {
  const isPair = (pair: unknown): boolean => Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === "string");
  return Array.isArray(value) && value.every(isPair);
}

/** Of a header of AWS IoT. */
const FORMATS = { UNSPECIFIED_BYTES: 0, UTF8_DATA: 1 } as const;

/** What `POST /topics/{topic}` brings of a message besides its payload. */
export const RAW_QUERY = {
  qos: z._default(QOS, 0),
  retain: z._default(FLAG, false),
  contentType: z.optional(TEXT),
  responseTopic: z.optional(TEXT),
  messageExpiry: z.optional(SECONDS),
};

export const RAW_HEADERS = {
  "x-amz-mqtt5-user-properties": about(
    'Base64 of a JSON list of objects such as [{"name": "value"}].',
    z.optional(readAs(userPropertiesOf, 'Base64 of a JSON list of objects such as [{"name": "value"}]')),
  ),
  "x-amz-mqtt5-payload-format-indicator": z.optional(oneOf(["UNSPECIFIED_BYTES", "UTF8_DATA"])),
  "x-amz-mqtt5-correlation-data": about("Base64.", z.optional(BASE64)),
};

type RawOf<Fields extends typeof RAW_QUERY | typeof RAW_HEADERS> = { readonly [Name in keyof Fields]: z.output<Fields[Name]> };

/** A message as `POST /topics/{topic}` brings it: the body is the payload. */
export function rawMessage(
  topic: string,
  payload: Uint8Array,
  query: RawOf<typeof RAW_QUERY>,
  headers: RawOf<typeof RAW_HEADERS>,
): Message {
  const format = headers["x-amz-mqtt5-payload-format-indicator"];
  return {
    topic,
    payload,
    qos: query.qos,
    retain: query.retain,
    properties: known({
      payloadFormatIndicator: format && FORMATS[format],
      messageExpiryInterval: query.messageExpiry,
      contentType: query.contentType,
      responseTopic: query.responseTopic,
      correlationData: headers["x-amz-mqtt5-correlation-data"],
      userProperties: headers["x-amz-mqtt5-user-properties"],
    }),
  };
}

/** Base64 of a JSON list of objects with one field each: `[{"name": "value"}, ...]`. */
function userPropertiesOf(text: string): UserProperty[] | undefined {
  try {
    const given: unknown = JSON.parse(new TextDecoder().decode(bytesOf(text)));
    const pairs = Array.isArray(given) ? given.flatMap((each: object) => Object.entries(each)) : undefined;
    return arePairs(pairs) ? (pairs as UserProperty[]) : undefined;
  } catch {
    return undefined;
  }
}

/** Without what is undefined. */
function known(properties: { readonly [Name in keyof MessageProperties]: MessageProperties[Name] | undefined }): MessageProperties {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}

export const PROPERTIES_VIEW = told(() => ({
  payload_format_indicator: z.optional(FORMAT),
  message_expiry_interval: z.optional(SECONDS),
  content_type: z.optional(TEXT),
  response_topic: z.optional(TEXT),
  correlation_data: about("Where it is a text.", z.optional(TEXT)),
  correlation_data_base64: about("Where it is none.", z.optional(TEXT)),
  user_properties: z.optional(list(z.tuple([TEXT, TEXT]), "a list")),
}));

export const MESSAGE_VIEW = told(() => ({
  topic: TEXT,
  payload: TEXT,
  payload_encoding: about("base64 where the payload is no text.", ENCODING),
  qos: QOS,
  retain: FLAG,
  properties: PROPERTIES_VIEW,
}));

/** A message as answers have it. */
export function messageView({ topic, payload, qos, retain, properties }: HookMessage): Told<typeof MESSAGE_VIEW> {
  return { topic, ...payloadView(payload), qos, retain, properties: propertiesView(properties) };
}

/** As text where it is one, and otherwise in Base64. */
export function payloadView(payload: Uint8Array): Pick<Told<typeof MESSAGE_VIEW>, "payload" | "payload_encoding"> {
  const text = utf8Decode(payload);
  return text === undefined ? { payload: base64Of(payload), payload_encoding: "base64" } : { payload: text, payload_encoding: "plain" };
}

function correlationView(data: Uint8Array): Pick<Told<typeof PROPERTIES_VIEW>, "correlation_data" | "correlation_data_base64"> {
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

export function propertiesView(properties: MessageProperties): Told<typeof PROPERTIES_VIEW> {
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
