/**
 * The Reason Codes of MQTT 5.0 and the Return Codes of 3.x, by the specification's names, and which of them each packet may carry.
 */

import { AUTH, CONNACK, DISCONNECT, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, UNSUBACK } from "./packet.ts";

export const SUCCESS = 0x00;
export const NORMAL_DISCONNECTION = 0x00;
export const GRANTED_QOS_0 = 0x00;
export const GRANTED_QOS_1 = 0x01;
export const GRANTED_QOS_2 = 0x02;
export const DISCONNECT_WITH_WILL_MESSAGE = 0x04;
export const NO_MATCHING_SUBSCRIBERS = 0x10;
export const NO_SUBSCRIPTION_EXISTED = 0x11;
export const CONTINUE_AUTHENTICATION = 0x18;
export const REAUTHENTICATE = 0x19;
export const UNSPECIFIED_ERROR = 0x80;
export const MALFORMED_PACKET = 0x81;
export const PROTOCOL_ERROR = 0x82;
export const IMPLEMENTATION_SPECIFIC_ERROR = 0x83;
export const UNSUPPORTED_PROTOCOL_VERSION = 0x84;
export const CLIENT_IDENTIFIER_NOT_VALID = 0x85;
export const BAD_USER_NAME_OR_PASSWORD = 0x86;
export const NOT_AUTHORIZED = 0x87;
export const SERVER_UNAVAILABLE = 0x88;
export const SERVER_BUSY = 0x89;
export const BANNED = 0x8a;
export const SERVER_SHUTTING_DOWN = 0x8b;
export const BAD_AUTHENTICATION_METHOD = 0x8c;
export const KEEP_ALIVE_TIMEOUT = 0x8d;
export const SESSION_TAKEN_OVER = 0x8e;
export const TOPIC_FILTER_INVALID = 0x8f;
export const TOPIC_NAME_INVALID = 0x90;
export const PACKET_IDENTIFIER_IN_USE = 0x91;
export const PACKET_IDENTIFIER_NOT_FOUND = 0x92;
export const RECEIVE_MAXIMUM_EXCEEDED = 0x93;
export const TOPIC_ALIAS_INVALID = 0x94;
export const PACKET_TOO_LARGE = 0x95;
export const MESSAGE_RATE_TOO_HIGH = 0x96;
export const QUOTA_EXCEEDED = 0x97;
export const ADMINISTRATIVE_ACTION = 0x98;
export const PAYLOAD_FORMAT_INVALID = 0x99;
export const RETAIN_NOT_SUPPORTED = 0x9a;
export const QOS_NOT_SUPPORTED = 0x9b;
export const USE_ANOTHER_SERVER = 0x9c;
export const SERVER_MOVED = 0x9d;
export const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9e;
export const CONNECTION_RATE_EXCEEDED = 0x9f;
export const MAXIMUM_CONNECT_TIME = 0xa0;
export const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xa1;
export const WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xa2;

/** CONNACK Return Codes of 3.x. */
export const RETURN_ACCEPTED = 0;
export const RETURN_UNACCEPTABLE_PROTOCOL_VERSION = 1;
export const RETURN_IDENTIFIER_REJECTED = 2;
export const RETURN_SERVER_UNAVAILABLE = 3;
export const RETURN_BAD_USER_NAME_OR_PASSWORD = 4;
export const RETURN_NOT_AUTHORIZED = 5;

/** The one failure code of a 3.1.1 SUBACK. */
export const SUBACK_FAILURE = 0x80;

const PUBLISH_ANSWERS = new Set([0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]);
const RELEASE_ANSWERS = new Set([0x00, 0x92]);
const DISCONNECT_BOTH = [0x00, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
const DISCONNECT_SERVER_ONLY = [0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2];

/** Per packet type the Reason Codes that 5.0 allows in it, whoever sends it. */
export const REASON_CODES: { readonly [packetType: number]: ReadonlySet<number> } = {
  // [MQTT5-3.2.2-8]
  [CONNACK]: new Set([
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
  ]),
  // [MQTT5-3.4.2-1]
  [PUBACK]: PUBLISH_ANSWERS,
  // [MQTT5-3.5.2-1]
  [PUBREC]: PUBLISH_ANSWERS,
  // [MQTT5-3.6.2-1]
  [PUBREL]: RELEASE_ANSWERS,
  // [MQTT5-3.7.2-1]
  [PUBCOMP]: RELEASE_ANSWERS,
  // [MQTT5-3.9.3-2]
  [SUBACK]: new Set([0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]),
  // [MQTT5-3.11.3-2]
  [UNSUBACK]: new Set([0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]),
  // [MQTT5-3.14.2-1]
  [DISCONNECT]: new Set([...DISCONNECT_BOTH, DISCONNECT_WITH_WILL_MESSAGE, ...DISCONNECT_SERVER_ONLY]),
  // [MQTT5-3.15.2-1]
  [AUTH]: new Set([SUCCESS, CONTINUE_AUTHENTICATION, REAUTHENTICATE]),
};

/** What a Client may send in DISCONNECT; the codec cannot know the direction, the session core does. */
export const CLIENT_DISCONNECT_CODES: ReadonlySet<number> = /* @__PURE__ */ new Set([...DISCONNECT_BOTH, DISCONNECT_WITH_WILL_MESSAGE]);

/** What a Client may send in AUTH. */
export const CLIENT_AUTH_CODES: ReadonlySet<number> = new Set([CONTINUE_AUTHENTICATION, REAUTHENTICATE]);

/**
 * The 3.x CONNACK Return Code for a 5.0 CONNACK Reason Code.
 * @returns 0 to 5; what 3.x has no word for is "server unavailable"
 */
export function returnCodeOf(reasonCode: number): number {
  switch (reasonCode) {
    case SUCCESS:
      return RETURN_ACCEPTED;
    case UNSUPPORTED_PROTOCOL_VERSION:
      return RETURN_UNACCEPTABLE_PROTOCOL_VERSION;
    case CLIENT_IDENTIFIER_NOT_VALID:
      return RETURN_IDENTIFIER_REJECTED;
    case BAD_USER_NAME_OR_PASSWORD:
      return RETURN_BAD_USER_NAME_OR_PASSWORD;
    case NOT_AUTHORIZED:
    case BANNED:
    case BAD_AUTHENTICATION_METHOD:
      return RETURN_NOT_AUTHORIZED;
    default:
      return RETURN_SERVER_UNAVAILABLE;
  }
}
