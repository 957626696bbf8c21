/**
 * Messages that a Worker's code makes, looked at before the broker takes one: whatever a hook returns is a message that a client could have
 * sent, or a sentence. It is judged by the codec itself, which writes it as a packet and reads that: what goes through this goes anywhere.
 */

import { problemOf } from "../fault.ts";
import type { Limits } from "../limits.ts";
import { EMPTY_BYTES, utf8Encode } from "../mqtt/bytes.ts";
import { decodePacket } from "../mqtt/decode.ts";
import { encodePacket } from "../mqtt/encode.ts";
import { NO_PROPERTIES, type Properties, PUBLISH, type Publish, type QoS } from "../mqtt/packet.ts";
import { VIOLATION } from "../mqtt/violation.ts";
import { isOfEvents } from "../topic/events.ts";
import { validateTopicName } from "../topic/name.ts";
import { isOfPresence } from "../topic/presence.ts";
import type { MessageProperties, MessageToPublish } from "./contract.ts";

export type DraftLimits = Pick<Limits, "packetBytesMax" | "topicBytesMax" | "topicLevelsMax">;

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string" && !/\0|\p{Surrogate}/u.test(value);

/** What each property must be; its range is the codec's to know. */
const PROPERTIES: { readonly [Name in keyof Required<MessageProperties>]: readonly [form: string, Check] } = {
  payloadFormatIndicator: ["0 or 1", (value) => value === 0 || value === 1],
  messageExpiryInterval: ["a whole number of seconds", Number.isInteger],
  contentType: ["a text without U+0000", isText],
  responseTopic: ["a Topic Name", (value) => isText(value) && value !== ""],
  correlationData: ["a Uint8Array", (value) => value instanceof Uint8Array],
  userProperties: [
    "a list of pairs of texts",
    (value) => Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isText)),
  ],
};

const FIELDS: { readonly [Name in keyof Required<MessageToPublish>]: readonly [form: string, Check] } = {
  topic: ["a text", isText],
  payload: ["a text, Uint8Array or ArrayBuffer", (value) => payloadOf(value) !== undefined],
  qos: ["0, 1 or 2", (value) => value === 0 || value === 1 || value === 2],
  retain: ["true or false", (value) => typeof value === "boolean"],
  properties: ["an object", isObject],
};

/** @returns what is wrong with the fields that are there, as a sentence; undefined when nothing is */
export function draftProblem(draft: unknown): string | undefined {
  if (!isObject(draft)) return `a message must be an object with ${Object.keys(FIELDS).join(", ")}`;
  return fieldProblem(draft, FIELDS, "a message", "") ?? fieldProblem(draft.properties ?? {}, PROPERTIES, "properties", "properties.");
}

/**
 * @param draft whose fields are what they must be; what is missing has its default
 * @returns the PUBLISH that a client would send, with bytes of its own; or what is wrong with it as a sentence
 */
export function publishOf(draft: MessageToPublish, limits: DraftLimits): Publish | string {
  const { topic, qos = 0, retain = false } = draft;
  for (const name of ["topic", "payload"] as const) if (draft[name] === undefined) return `${name} must be ${FIELDS[name][0]}`;
  const problem = validateTopicName(topic, limits);
  if (problem !== undefined) return problem.message;
  const { responseTopic } = draft.properties ?? {};
  // [MQTT5-3.3.2-14]
  const unfit = responseTopic === undefined ? undefined : validateTopicName(responseTopic, limits);
  if (unfit !== undefined) return `the Response Topic: ${unfit.message}`;
  const payload = payloadOf(draft.payload)!;
  const properties = (draft.properties ?? NO_PROPERTIES) as Properties;
  const packetId = qos === 0 ? 0 : 1;
  try {
    const packet: Publish = {
      type: PUBLISH,
      dup: false,
      qos: qos as QoS,
      retain,
      topic,
      packetId,
      properties,
      propertyBytes: EMPTY_BYTES,
      payload,
    };
    const bytes = encodePacket(packet, 5);
    if (bytes.length > limits.packetBytesMax)
      return `the message makes a packet of ${bytes.length} bytes; at most ${limits.packetBytesMax} are accepted`;
    // The writer may share its buffer with other packets; what is kept of this one must not.
    const read = decodePacket(bytes.slice(), 5);
    return read.type === VIOLATION ? read.message : (read as Publish);
  } catch (error) {
    // RangeError: a field is too long, a number out of its range.
    return problemOf(error);
  }
}

/** The same of a message that somebody wants to publish: what the broker tells of itself is nobody else's, and is no answer to anybody. */
export function ownPublishOf(draft: MessageToPublish, limits: DraftLimits): Publish | string {
  const publish = publishOf(draft, limits);
  if (typeof publish === "string") return publish;
  const problem = ofBroker(publish.topic);
  if (problem !== undefined) return `topics ${problem}`;
  const { responseTopic } = publish.properties;
  const ofResponse = responseTopic === undefined ? undefined : ofBroker(responseTopic);
  return ofResponse === undefined ? publish : `the Response Topic: those ${ofResponse}`;
}

/** @returns why nobody else than the broker publishes to a topic; undefined where others may */
export function ofBroker(topic: string): string | undefined {
  const level = isOfEvents(topic) ? "$events" : isOfPresence(topic) ? "$presence" : undefined;
  return level && `below ${level} are the broker's own`;
}

function fieldProblem<Fields extends object>(
  value: object,
  fields: { readonly [Name in keyof Fields]: readonly [form: string, Check] },
  what: string,
  prefix: string,
): string | undefined {
  for (const [name, field] of Object.entries(value)) {
    if (!Object.hasOwn(fields, name)) return `${what} has no ${name}; expected: ${Object.keys(fields).join(", ")}`;
    const [form, is] = fields[name as keyof Fields];
    if (field !== undefined && !is(field)) return `${prefix}${name} must be ${form}`;
  }
  return undefined;
}

function payloadOf(payload: unknown): Uint8Array | undefined {
  if (typeof payload === "string") return utf8Encode(payload);
  if (payload instanceof Uint8Array) return payload;
  return payload instanceof ArrayBuffer ? new Uint8Array(payload) : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
