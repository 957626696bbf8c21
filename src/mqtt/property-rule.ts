/**
 * The 27 properties of MQTT 5.0 as one table: which packet may carry which property, its type, whether it may repeat, and the values
 * that are a Protocol Error. Knows nothing of how they are read and written (property.ts).
 */

import { VARIABLE_BYTE_INTEGER_MAX } from "./bytes.ts";
import {
  AUTH,
  CONNACK,
  CONNECT,
  DISCONNECT,
  type Properties,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from "./packet.ts";
import { PROTOCOL_ERROR, TOPIC_ALIAS_INVALID } from "./reason-code.ts";

/** Where a property section stands: a packet type, or the Will Properties in CONNECT's payload. */
export const WILL = 0;

export type PropertyType = "byte" | "uint16" | "uint32" | "variable" | "string" | "binary" | "pair";

export interface PropertyRule {
  readonly id: number;
  readonly name: keyof Properties;
  /** The specification's name, for messages. */
  readonly title: string;
  readonly type: PropertyType;
  /** One bit for each place (packet type, or WILL) that may carry it. */
  readonly places: number;
  /** One bit for each place where it may stand more than once. */
  readonly repeats: number;
  /** Numbers outside min to max are a violation with this Reason Code and clause. */
  readonly min: number;
  readonly max: number;
  readonly rangeReasonCode: number;
  readonly rangeClause: string;
}

const MAX_OF: Record<PropertyType, number> = {
  byte: 0xff,
  uint16: 0xffff,
  uint32: 0xffff_ffff,
  variable: VARIABLE_BYTE_INTEGER_MAX,
  string: 0,
  binary: 0,
  pair: 0,
};

const places = (list: readonly number[]): number => list.reduce((bits, place) => bits | (1 << place), 0);
const MESSAGE = [PUBLISH, WILL];
const ANSWERS = [CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH];

/** `topicAlias` is Topic Alias, `maximumQoS` Maximum QoS. */
const titleOf = (name: string): string => name[0]!.toUpperCase() + name.slice(1).replace(/[A-Z](?!$)/g, " $&");

function rule(
  id: number,
  name: keyof Properties,
  type: PropertyType,
  where: readonly number[],
  options: { title?: string; min?: number; max?: number; repeats?: readonly number[]; reasonCode?: number; clause?: string } = {},
): PropertyRule {
  return {
    id,
    name,
    title: options.title ?? titleOf(name),
    type,
    places: places(where),
    repeats: places(options.repeats ?? []),
    min: options.min ?? 0,
    max: options.max ?? MAX_OF[type],
    rangeReasonCode: options.reasonCode ?? PROTOCOL_ERROR,
    rangeClause: options.clause ?? "5.0/2.2.2.2/invalid",
  };
}

const BOOLEAN = { max: 1 };
const EVERYWHERE = [...ANSWERS, ...MESSAGE, CONNECT, SUBSCRIBE, UNSUBSCRIBE];

/** Table 2-4 of the specification, with the ranges that section 3 adds. */
export const PROPERTY_RULES: readonly PropertyRule[] = [
  rule(0x01, "payloadFormatIndicator", "byte", MESSAGE, BOOLEAN),
  rule(0x02, "messageExpiryInterval", "uint32", MESSAGE),
  // [MQTT5-3.3.2-19]
  rule(0x03, "contentType", "string", MESSAGE),
  // [MQTT5-3.3.2-13]
  rule(0x08, "responseTopic", "string", MESSAGE),
  rule(0x09, "correlationData", "binary", MESSAGE),
  // [5.0/3.3.2.3.8/zero] Several in a PUBLISH from the Server only: the session core refuses any from a Client [MQTT5-3.3.4-6].
  rule(0x0b, "subscriptionIdentifiers", "variable", [PUBLISH, SUBSCRIBE], {
    title: "Subscription Identifier",
    min: 1,
    repeats: [PUBLISH],
    clause: "5.0/3.3.2.3.8/zero",
  }),
  rule(0x11, "sessionExpiryInterval", "uint32", [CONNECT, CONNACK, DISCONNECT]),
  rule(0x12, "assignedClientIdentifier", "string", [CONNACK]),
  rule(0x13, "serverKeepAlive", "uint16", [CONNACK]),
  rule(0x15, "authenticationMethod", "string", [CONNECT, CONNACK, AUTH]),
  rule(0x16, "authenticationData", "binary", [CONNECT, CONNACK, AUTH]),
  // [5.0/3.1.2.11.6/range]
  rule(0x17, "requestProblemInformation", "byte", [CONNECT], { max: 1, clause: "5.0/3.1.2.11.6/range" }),
  rule(0x18, "willDelayInterval", "uint32", [WILL]),
  rule(0x19, "requestResponseInformation", "byte", [CONNECT], { max: 1, clause: "5.0/3.1.2.11.6/range" }),
  rule(0x1a, "responseInformation", "string", [CONNACK]),
  rule(0x1c, "serverReference", "string", [CONNACK, DISCONNECT]),
  rule(0x1f, "reasonString", "string", ANSWERS),
  // [5.0/3.1.2.11.3/zero]
  rule(0x21, "receiveMaximum", "uint16", [CONNECT, CONNACK], { min: 1, clause: "5.0/3.1.2.11.3/zero" }),
  rule(0x22, "topicAliasMaximum", "uint16", [CONNECT, CONNACK]),
  // [MQTT5-3.3.2-8]
  rule(0x23, "topicAlias", "uint16", [PUBLISH], { min: 1, reasonCode: TOPIC_ALIAS_INVALID, clause: "MQTT5-3.3.2-8" }),
  // [5.0/3.2.2.3.4/never2]
  rule(0x24, "maximumQoS", "byte", [CONNACK], { max: 1, clause: "5.0/3.2.2.3.4/never2" }),
  rule(0x25, "retainAvailable", "byte", [CONNACK], BOOLEAN),
  rule(0x26, "userProperties", "pair", EVERYWHERE, { title: "User Property", repeats: EVERYWHERE }),
  // [5.0/3.1.2.11.4/zero]
  rule(0x27, "maximumPacketSize", "uint32", [CONNECT, CONNACK], { min: 1, clause: "5.0/3.1.2.11.4/zero" }),
  rule(0x28, "wildcardSubscriptionAvailable", "byte", [CONNACK], BOOLEAN),
  rule(0x29, "subscriptionIdentifierAvailable", "byte", [CONNACK], BOOLEAN),
  rule(0x2a, "sharedSubscriptionAvailable", "byte", [CONNACK], BOOLEAN),
];

/** By Property Identifier. */
export const RULE_BY_ID: (PropertyRule | undefined)[] = new Array(0x2b).fill(undefined);

/** By the name in Properties. */
export const RULE_BY_NAME = new Map<string, PropertyRule>();
for (const each of PROPERTY_RULES) {
  RULE_BY_ID[each.id] = each;
  RULE_BY_NAME.set(each.name, each);
}
