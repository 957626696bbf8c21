/**
 * The fifteen Control Packets as one discriminated union, the same for MQTT 3.1 (version 3), 3.1.1 (4) and 5.0 (5).
 * Fields that a version does not have hold their neutral value: `properties` is NO_PROPERTIES, `reasonCode` 0x00.
 */

/** 3 = MQTT 3.1, 4 = 3.1.1, 5 = 5.0. */
export type ProtocolVersion = 3 | 4 | 5;
/** At most once, at least once, exactly once. */
export type QoS = 0 | 1 | 2;

export const CONNECT = 1;
export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBREL = 6;
export const PUBCOMP = 7;
export const SUBSCRIBE = 8;
export const SUBACK = 9;
export const UNSUBSCRIBE = 10;
export const UNSUBACK = 11;
export const PINGREQ = 12;
export const PINGRESP = 13;
export const DISCONNECT = 14;
export const AUTH = 15;

/** A User Property: name and value; the order and repeats of a list of them are part of the message (MQTT5-3.3.2-18). */
export type UserProperty = readonly [name: string, value: string];

/** All properties of MQTT 5.0 by the specification's names; absent means absent on the wire. Intervals are in seconds. */
export interface Properties {
  readonly payloadFormatIndicator?: number;
  readonly messageExpiryInterval?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  /** One in SUBSCRIBE; any number in a PUBLISH from the Server. */
  readonly subscriptionIdentifiers?: readonly number[];
  readonly sessionExpiryInterval?: number;
  readonly assignedClientIdentifier?: string;
  readonly serverKeepAlive?: number;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
  readonly requestProblemInformation?: number;
  readonly willDelayInterval?: number;
  readonly requestResponseInformation?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly reasonString?: string;
  readonly receiveMaximum?: number;
  readonly topicAliasMaximum?: number;
  readonly topicAlias?: number;
  readonly maximumQoS?: number;
  readonly retainAvailable?: number;
  readonly userProperties?: readonly UserProperty[];
  readonly maximumPacketSize?: number;
  readonly wildcardSubscriptionAvailable?: number;
  readonly subscriptionIdentifierAvailable?: number;
  readonly sharedSubscriptionAvailable?: number;
}

export const NO_PROPERTIES: Properties = Object.freeze({});

export interface Will {
  readonly qos: QoS;
  readonly retain: boolean;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: Properties;
}

export interface Connect {
  readonly type: typeof CONNECT;
  readonly version: ProtocolVersion;
  /** Bit 7 of the Protocol Level, with which other brokers say in 3.x that they are a bridge; absent for none. */
  readonly bridge?: boolean;
  /** Clean Start in 5.0, Clean Session in 3.x. */
  readonly clean: boolean;
  readonly keepAliveSeconds: number;
  readonly clientId: string;
  readonly will: Will | undefined;
  readonly userName: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly properties: Properties;
}

export interface Connack {
  readonly type: typeof CONNACK;
  readonly sessionPresent: boolean;
  /** Reason Code in 5.0, Return Code (0 to 5) in 3.x. */
  readonly reasonCode: number;
  readonly properties: Properties;
}

export interface Publish {
  readonly type: typeof PUBLISH;
  readonly dup: boolean;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Empty only in 5.0 together with a Topic Alias. */
  readonly topic: string;
  /** 0 when QoS is 0. */
  readonly packetId: number;
  readonly properties: Properties;
  /** The property section as it stood on the wire, without its length; empty for 3.x. A view into the decoded bytes. */
  readonly propertyBytes: Uint8Array;
  /** A view into the decoded bytes. */
  readonly payload: Uint8Array;
}

export type AcknowledgementType = typeof PUBACK | typeof PUBREC | typeof PUBREL | typeof PUBCOMP;

/** PUBACK, PUBREC, PUBREL and PUBCOMP have one shape. */
export interface Acknowledgement {
  readonly type: AcknowledgementType;
  readonly packetId: number;
  readonly reasonCode: number;
  readonly properties: Properties;
}

export interface SubscriptionRequest {
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0: send retained messages; 1: only if the subscription is new; 2: don't. */
  readonly retainHandling: 0 | 1 | 2;
}

export interface Subscribe {
  readonly type: typeof SUBSCRIBE;
  readonly packetId: number;
  readonly subscriptions: readonly SubscriptionRequest[];
  readonly properties: Properties;
}

export interface Suback {
  readonly type: typeof SUBACK;
  readonly packetId: number;
  readonly reasonCodes: readonly number[];
  readonly properties: Properties;
}

export interface Unsubscribe {
  readonly type: typeof UNSUBSCRIBE;
  readonly packetId: number;
  readonly filters: readonly string[];
  readonly properties: Properties;
}

export interface Unsuback {
  readonly type: typeof UNSUBACK;
  readonly packetId: number;
  /** Empty in 3.x, which has no payload here. */
  readonly reasonCodes: readonly number[];
  readonly properties: Properties;
}

export interface Pingreq {
  readonly type: typeof PINGREQ;
}

export interface Pingresp {
  readonly type: typeof PINGRESP;
}

export interface Disconnect {
  readonly type: typeof DISCONNECT;
  readonly reasonCode: number;
  readonly properties: Properties;
}

export interface Auth {
  readonly type: typeof AUTH;
  readonly reasonCode: number;
  readonly properties: Properties;
}

export type Packet =
  | Connect
  | Connack
  | Publish
  | Acknowledgement
  | Subscribe
  | Suback
  | Unsubscribe
  | Unsuback
  | Pingreq
  | Pingresp
  | Disconnect
  | Auth;
