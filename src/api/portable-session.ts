/** A session as a line of an export has it, and what such a line must be. */

import * as z from "zod/mini";
import { parseGrants } from "../auth/grants.ts";
import type { MessageProperties } from "../hooks/contract.ts";
import { type Limits, PACKET_ID_MAX } from "../limits.ts";
import { GRANTS_BYTES_MAX } from "../login-limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import { PUBLISH, type QoS, type Will } from "../mqtt/packet.ts";
import { decodeProperties } from "../mqtt/property.ts";
import type { MovingSubscription } from "../session/move.ts";
import type { PortableDelivery, PortableSession, PortableWill } from "../session/portable.ts";
import { parseFilter } from "../topic/filter.ts";
import { base64Of } from "./message.ts";
import { MESSAGE_FIELDS, MESSAGE_TOLD, propertiesView, publishIn, TIME, timeText } from "./portable-message.ts";
import { refuse } from "./problem.ts";
import { FLAG, fields, type Given, list, TEXT, type Told, told, wholeNumber } from "./schema.ts";

const EXPIRY_SECONDS_MAX = 0xffffffff;
const IDENTIFIER_MAX = 268_435_455;

const PACKET_ID = wholeNumber(1, PACKET_ID_MAX);
const IDENTIFIER = wholeNumber(1, IDENTIFIER_MAX);
const SECONDS = wholeNumber(0, EXPIRY_SECONDS_MAX);
const DELIVERED_QOS = z.literal([1, 2], { error: "1 or 2" });
const DELIVERED_RETAIN = z.union([z.boolean(), z.literal("as published")], { error: 'true, false or "as published"' });
const NOT = z._default(FLAG, false);

function listOf<Item extends z.ZodMiniType>(item: Item) {
  return z._default(list(item, "a list"), []);
}

const SUBSCRIPTION = fields(() => ({ filter: TEXT, options: wholeNumber(0, 0x2f), identifier: z._default(IDENTIFIER, 0) }));

const DELIVERY = fields(() => ({
  ...MESSAGE_FIELDS,
  packet_id: PACKET_ID,
  sent: NOT,
  delivered_qos: DELIVERED_QOS,
  delivered_retain: z._default(DELIVERED_RETAIN, false),
  identifiers: z.optional(list(IDENTIFIER, "a list")),
  share: z._default(TEXT, ""),
  owed: NOT,
  publisher: z._default(TEXT, ""),
  expires_at: z._default(TIME, 0),
}));

const WILL = fields(() => ({ ...MESSAGE_FIELDS, due_at: TIME, message_expiry_interval: z.optional(SECONDS) }));

/** A session as it comes. */
export const SESSION = fields(() => ({
  kind: z.optional(TEXT),
  client_id: TEXT,
  user: z.optional(TEXT),
  rights: z._default(TEXT, ""),
  expiry_seconds: wholeNumber(1, EXPIRY_SECONDS_MAX),
  expires_at: z._default(TIME, 0),
  next_packet_id: PACKET_ID,
  subscriptions: listOf(SUBSCRIPTION),
  owed: listOf(TEXT),
  released: listOf(PACKET_ID),
  received: listOf(PACKET_ID),
  will: z.optional(WILL),
  messages: listOf(DELIVERY),
}));

const TEXT_OR_NONE = z.optional(TEXT);

const SUBSCRIPTION_TOLD = told(() => ({ filter: TEXT, options: z.int(), identifier: z.optional(IDENTIFIER) }));

const DELIVERY_TOLD = told(() => ({
  packet_id: PACKET_ID,
  sent: FLAG,
  delivered_qos: DELIVERED_QOS,
  delivered_retain: DELIVERED_RETAIN,
  identifiers: z.optional(z.array(IDENTIFIER)),
  share: TEXT_OR_NONE,
  owed: z.optional(FLAG),
  ...MESSAGE_TOLD,
  retain: FLAG,
  publisher: TEXT,
  expires_at: TEXT_OR_NONE,
}));

const WILL_TOLD = told(() => ({ due_at: TEXT_OR_NONE, ...MESSAGE_TOLD, retain: FLAG, message_expiry_interval: z.optional(SECONDS) }));

/** The same as it is told of. */
export const SESSION_TOLD = told(() => ({
  kind: z.literal("session"),
  client_id: TEXT,
  user: TEXT_OR_NONE,
  rights: TEXT_OR_NONE,
  expiry_seconds: z.int(),
  expires_at: TEXT_OR_NONE,
  next_packet_id: PACKET_ID,
  subscriptions: z.array(SUBSCRIPTION_TOLD),
  owed: z.array(TEXT),
  released: z.array(PACKET_ID),
  received: z.array(PACKET_ID),
  will: z.optional(WILL_TOLD),
  messages: z.array(DELIVERY_TOLD),
}));

export function sessionView(session: PortableSession): Told<typeof SESSION_TOLD> {
  const { clientId, userName, grants, expirySeconds, expiresAt, nextPacketId, subscriptions, owed, released, received, will } = session;
  return {
    kind: "session",
    client_id: clientId,
    user: userName,
    rights: grants === "" ? undefined : grants,
    expiry_seconds: expirySeconds,
    expires_at: timeText(expiresAt),
    next_packet_id: nextPacketId,
    subscriptions: subscriptions.map(subscriptionView),
    owed,
    released,
    received,
    will: will && willView(will),
    messages: session.deliveries.map(deliveryView),
  };
}

function subscriptionView({ filter, options, identifier }: MovingSubscription): Told<typeof SUBSCRIPTION_TOLD> {
  return { filter, options, ...(identifier === 0 ? {} : { identifier }) };
}

function willView({ dueAt, will }: PortableWill): Told<typeof WILL_TOLD> {
  const { topic, payload, qos, retain, properties } = will;
  return {
    due_at: timeText(dueAt),
    topic,
    payload: base64Of(payload),
    qos,
    retain,
    properties: propertiesView(properties as MessageProperties),
    message_expiry_interval: properties.messageExpiryInterval,
  };
}

function deliveryView({ packetId, sent, qos, retain, identifiers, share, owed, message }: PortableDelivery): Told<typeof DELIVERY_TOLD> {
  const properties = decodeProperties(message.propertyBytes, PUBLISH);
  return {
    packet_id: packetId,
    sent,
    delivered_qos: qos,
    delivered_retain: retain,
    identifiers,
    share: share === "" ? undefined : share,
    owed: owed || undefined,
    topic: message.topic,
    payload: base64Of(message.payload),
    qos: message.qos,
    retain: message.retain,
    publisher: message.publisher,
    expires_at: timeText(message.expiresAt),
    properties: "type" in properties ? undefined : propertiesView(properties as MessageProperties),
  };
}

/** @returns the session of a line; a line that is none ends the request with a sentence */
export function sessionOf(given: Given<typeof SESSION>, limits: Limits): PortableSession {
  const { client_id: clientId, owed, released, received, will } = given;
  const bytes = utf8Length(clientId);
  if (bytes === 0 || bytes > limits.clientIdBytesMax || clientId.includes("\0"))
    refuse("BAD_REQUEST", `client_id must have 1 to ${limits.clientIdBytesMax} bytes.`);
  const subscriptions = given.subscriptions.map((each) => subscriptionOf(each, limits));
  const deliveries = given.messages.map((each) => deliveryOf(each, limits));
  expectDifferent(received);
  expectDifferent([...released, ...deliveries.map(({ packetId }) => packetId)]);
  return {
    clientId,
    userName: given.user,
    grants: grantsIn(given.rights),
    expirySeconds: given.expiry_seconds,
    expiresAt: given.expires_at,
    nextPacketId: given.next_packet_id,
    subscriptions,
    owed: owed.filter((filter) => subscriptions.some((each) => each.filter === filter)),
    released,
    received,
    will: will && willOf(will, limits),
    // Those that were sent come before those that were not.
    deliveries: [...deliveries.filter(({ sent }) => sent), ...deliveries.filter(({ sent }) => !sent)],
  };
}

function grantsIn(grants: string): string {
  if (grants !== "" && (utf8Length(grants) > GRANTS_BYTES_MAX || parseGrants(grants) === undefined))
    refuse("BAD_REQUEST", "rights must be those of a login.");
  return grants;
}

function expectDifferent(packetIds: readonly number[]): void {
  if (new Set(packetIds).size < packetIds.length) refuse("BAD_REQUEST", "A Packet Identifier is in use twice.");
}

function subscriptionOf(given: Given<typeof SUBSCRIPTION>, limits: Limits): MovingSubscription {
  const parsed = parseFilter(given.filter, limits);
  if (!("levels" in parsed)) return refuse("BAD_REQUEST", `A subscription: ${parsed.message}`);
  if ((given.options & 3) === 3) refuse("BAD_REQUEST", "options must be those of SUBSCRIBE.");
  return given;
}

function deliveryOf(given: Given<typeof DELIVERY>, limits: Limits): PortableDelivery {
  // Whoever listens to what the broker tells may have some of it waiting.
  const { topic, payload, qos, retain, propertyBytes } = publishIn(given, limits, true);
  return {
    packetId: given.packet_id,
    sent: given.sent,
    qos: given.delivered_qos,
    retain: given.delivered_retain,
    identifiers: given.identifiers,
    share: given.share,
    owed: given.owed,
    message: { topic, payload, qos, retain, propertyBytes, publisher: given.publisher, expiresAt: given.expires_at },
  };
}

function willOf(given: Given<typeof WILL>, limits: Limits): PortableWill {
  const { topic, payload, qos, retain, properties } = publishIn(given, limits);
  const { message_expiry_interval: seconds } = given;
  const expiry = seconds === undefined ? {} : { messageExpiryInterval: seconds };
  const will: Will = { topic, payload, qos: qos as QoS, retain, properties: { ...properties, ...expiry } };
  return { dueAt: given.due_at, will };
}
