/** A session as a line of an export has it, and what such a line must be. */

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
import { type Fields, fieldsOf, requiredText, textOf } from "./body.ts";
import { base64Of } from "./message.ts";
import { propertiesView, publishIn, timeOf, timeText } from "./portable-message.ts";
import { refuse } from "./problem.ts";

const EXPIRY_SECONDS_MAX = 0xffffffff;
const IDENTIFIER_MAX = 268_435_455;

export function sessionView(session: PortableSession): object {
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

function subscriptionView({ filter, options, identifier }: MovingSubscription): object {
  return { filter, options, ...(identifier === 0 ? {} : { identifier }) };
}

function willView({ dueAt, will }: PortableWill): object {
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

function deliveryView({ packetId, sent, qos, retain, identifiers, share, owed, message }: PortableDelivery): object {
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

const FIELDS = [
  ...[
    "kind",
    "client_id",
    "user",
    "rights",
    "expiry_seconds",
    "expires_at",
    "next_packet_id",
    "subscriptions",
    "owed",
    "released",
    "received",
  ],
  ...["will", "messages"],
];
const MESSAGE = ["topic", "payload", "qos", "retain", "properties"];
const DELIVERY = [
  ...MESSAGE,
  ...["packet_id", "sent", "delivered_qos", "delivered_retain", "identifiers", "share", "owed", "publisher", "expires_at"],
];
const WILL = [...MESSAGE, "due_at", "message_expiry_interval"];

/** @returns the session of a line; a line that is none ends the request with a sentence */
export function sessionOf(value: unknown, limits: Limits): PortableSession {
  const fields = fieldsOf(value, FIELDS, "A session");
  const clientId = requiredText(fields, "client_id");
  const bytes = utf8Length(clientId);
  if (bytes === 0 || bytes > limits.clientIdBytesMax || clientId.includes("\0"))
    refuse("BAD_REQUEST", `client_id must have 1 to ${limits.clientIdBytesMax} bytes.`);
  const subscriptions = listOf(fields, "subscriptions").map((each) => subscriptionOf(each, limits));
  const released = packetIdsOf(fields, "released");
  const deliveries = listOf(fields, "messages").map((each) => deliveryOf(each, limits));
  expectDifferent([...released, ...deliveries.map(({ packetId }) => packetId)]);
  return {
    clientId,
    userName: textOf(fields, "user"),
    grants: grantsOf(fields),
    expirySeconds: numberOf(fields, "expiry_seconds", 1, EXPIRY_SECONDS_MAX),
    expiresAt: timeOf(fields, "expires_at"),
    nextPacketId: numberOf(fields, "next_packet_id", 1, PACKET_ID_MAX),
    subscriptions,
    owed: listOf(fields, "owed").filter((filter): filter is string => subscriptions.some((each) => each.filter === filter)),
    released,
    received: packetIdsOf(fields, "received"),
    will: fields.will === undefined ? undefined : willOf(fields.will, limits),
    // Those that were sent come before those that were not.
    deliveries: [...deliveries.filter(({ sent }) => sent), ...deliveries.filter(({ sent }) => !sent)],
  };
}

function grantsOf(fields: Fields): string {
  const grants = textOf(fields, "rights") ?? "";
  if (grants !== "" && (utf8Length(grants) > GRANTS_BYTES_MAX || parseGrants(grants) === undefined))
    refuse("BAD_REQUEST", "rights must be those of a login.");
  return grants;
}

function listOf(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name] ?? [];
  return Array.isArray(value) ? value : refuse("BAD_REQUEST", `${name} must be a list.`);
}

function numberOf(fields: Fields, name: string, least: number, most: number): number {
  const value = fields[name];
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  return refuse("BAD_REQUEST", `${name} must be a whole number from ${least} to ${most}.`);
}

function packetIdsOf(fields: Fields, name: string): number[] {
  const ids = listOf(fields, name).map((id) => numberOf({ [name]: id }, name, 1, PACKET_ID_MAX));
  expectDifferent(ids);
  return ids;
}

function expectDifferent(packetIds: readonly number[]): void {
  if (new Set(packetIds).size < packetIds.length) refuse("BAD_REQUEST", "A Packet Identifier is in use twice.");
}

function flagOf(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  return typeof value === "boolean" ? value : refuse("BAD_REQUEST", `${name} must be true or false.`);
}

function subscriptionOf(value: unknown, limits: Limits): MovingSubscription {
  const fields = fieldsOf(value, ["filter", "options", "identifier"], "A subscription");
  const filter = requiredText(fields, "filter");
  const parsed = parseFilter(filter, limits);
  if (!("levels" in parsed)) return refuse("BAD_REQUEST", `A subscription: ${parsed.message}`);
  const options = numberOf(fields, "options", 0, 0x2f);
  if ((options & 3) === 3) refuse("BAD_REQUEST", "options must be those of SUBSCRIBE.");
  return { filter, options, identifier: fields.identifier === undefined ? 0 : numberOf(fields, "identifier", 1, IDENTIFIER_MAX) };
}

function deliveryOf(value: unknown, limits: Limits): PortableDelivery {
  const fields = fieldsOf(value, DELIVERY, "A message");
  const { topic, payload, qos, retain, propertyBytes } = publishIn(only(fields, MESSAGE), limits);
  const identifiers = fields.identifiers === undefined ? undefined : listOf(fields, "identifiers");
  return {
    packetId: numberOf(fields, "packet_id", 1, PACKET_ID_MAX),
    sent: flagOf(fields, "sent"),
    qos: numberOf(fields, "delivered_qos", 1, 2) as 1 | 2,
    retain: fields.delivered_retain === "as published" ? "as published" : flagOf(fields, "delivered_retain"),
    identifiers: identifiers?.map((each) => numberOf({ identifiers: each }, "identifiers", 1, IDENTIFIER_MAX)),
    share: textOf(fields, "share") ?? "",
    owed: flagOf(fields, "owed"),
    message: {
      topic,
      payload,
      qos,
      retain,
      propertyBytes,
      publisher: textOf(fields, "publisher") ?? "",
      expiresAt: timeOf(fields, "expires_at"),
    },
  };
}

function willOf(value: unknown, limits: Limits): PortableWill {
  const fields = fieldsOf(value, WILL, "will");
  const { topic, payload, qos, retain, properties } = publishIn(only(fields, MESSAGE), limits);
  const { message_expiry_interval: seconds } = fields;
  const expiry = seconds === undefined ? {} : { messageExpiryInterval: numberOf(fields, "message_expiry_interval", 0, EXPIRY_SECONDS_MAX) };
  const will: Will = { topic, payload, qos: qos as QoS, retain, properties: { ...properties, ...expiry } };
  return { dueAt: timeOf(fields, "due_at") || refuse("BAD_REQUEST", "due_at is missing."), will };
}

function only(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(names.map((name) => [name, fields[name]]));
}
