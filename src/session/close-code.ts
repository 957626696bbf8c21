/** Why a WebSocket is closed, for clients that see no more than that: the code that goes with a Reason Code, and a sentence that fits. */

import { CLOSE_REASON_BYTES_MAX } from "../limits.ts";
import { cutUtf8 } from "../mqtt/bytes.ts";
import {
  IMPLEMENTATION_SPECIFIC_ERROR,
  MALFORMED_PACKET,
  PACKET_TOO_LARGE,
  PROTOCOL_ERROR,
  QUOTA_EXCEEDED,
  RECEIVE_MAXIMUM_EXCEEDED,
  SERVER_BUSY,
  SERVER_UNAVAILABLE,
  SESSION_TAKEN_OVER,
  TOPIC_ALIAS_INVALID,
  UNSPECIFIED_ERROR,
} from "../mqtt/reason-code.ts";

/** WebSocket close codes (RFC 6455 7.4.1, and its registry). */
export const CLOSE_NORMAL = 1000;
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_PROTOCOL_ERROR = 1002;
export const CLOSE_UNSUPPORTED_DATA = 1003;
export const CLOSE_POLICY = 1008;
export const CLOSE_TOO_BIG = 1009;
export const CLOSE_INTERNAL_ERROR = 1011;
export const CLOSE_TRY_AGAIN = 1013;

/** Why a client is disconnected that much was sent to and that does not show that it has read it. */
export const UNREAD_REASON = "much was sent, and the client does not show that it reads: it answers no PUBREL";

/** Why load is refused that there is no memory for. */
export const MEMORY_SHORT = "memory is short here; try again later";

/** What a client is told that a fault of ours happened to. */
export const FAILED = "the broker failed; connect again";

/** The close code that goes with a Reason Code, for clients that only see the WebSocket. */
export function closeCodeOf(reasonCode: number): number {
  switch (reasonCode) {
    case SESSION_TAKEN_OVER:
      return CLOSE_NORMAL;
    case PACKET_TOO_LARGE:
      return CLOSE_TOO_BIG;
    case MALFORMED_PACKET:
    case PROTOCOL_ERROR:
    case TOPIC_ALIAS_INVALID:
    case RECEIVE_MAXIMUM_EXCEEDED:
      return CLOSE_PROTOCOL_ERROR;
    case SERVER_UNAVAILABLE:
    case SERVER_BUSY:
    case QUOTA_EXCEEDED:
    case IMPLEMENTATION_SPECIFIC_ERROR:
      return CLOSE_TRY_AGAIN;
    case UNSPECIFIED_ERROR:
      return CLOSE_INTERNAL_ERROR;
    default:
      return CLOSE_POLICY;
  }
}

/** Cuts a sentence to what a WebSocket close frame can carry. */
export function closeReason(message: string): string {
  return cutUtf8(message, CLOSE_REASON_BYTES_MAX);
}
