/**
 * The first packet of a Network Connection, read the same way by the edge that relays and by the object that was handed the socket:
 * either a CONNECT that is well-formed and allowed by its own words, or what to say before closing.
 */

import type { Limits } from "../limits.ts";
import { decodePacket } from "../mqtt/decode.ts";
import { connectLevel, connectPacketBytesMax, connectVersion } from "../mqtt/decode-connect.ts";
import { encodePacket } from "../mqtt/encode.ts";
import { CONNECT, type Connect } from "../mqtt/packet.ts";
import { PACKET_TOO_LARGE, TOPIC_NAME_INVALID, UNSUPPORTED_PROTOCOL_VERSION } from "../mqtt/reason-code.ts";
import { VIOLATION, type Violation } from "../mqtt/violation.ts";
import { CLOSE_POLICY, CLOSE_PROTOCOL_ERROR, CLOSE_TOO_BIG, closeReason } from "../session/close-code.ts";
import { encodeRefusal, refusalPacket, validateConnect } from "../session/connect.ts";
import { encodeFor } from "../session/connection-facts.ts";
import type { Refusal } from "../session/ports.ts";

/** What to send, if anything, before the socket is closed. */
export interface Farewell {
  readonly bytes: Uint8Array | undefined;
  readonly closeCode: number;
  readonly closeReason: string;
}

/**
 * Reads the first packet.
 * @param bytes one whole packet, or the violation that its stream ended with
 * @returns the CONNECT, or the farewell [MQTT5-3.1.0-1] [MQTT311-3.1.0-1] [MQTT5-3.1.4-1] [MQTT311-3.1.4-1]
 */
export function readConnect(bytes: Uint8Array | Violation, limits: Limits): Connect | Farewell {
  if (!(bytes instanceof Uint8Array)) return violated(bytes, undefined);
  if (bytes[0]! >> 4 !== CONNECT)
    return { bytes: undefined, closeCode: CLOSE_PROTOCOL_ERROR, closeReason: "the first packet must be CONNECT" };
  const packet = decodePacket(bytes, 5);
  if (packet.type === VIOLATION) return violated(packet, bytes);
  const connect = packet as Connect;
  const refusal = validateConnect(connect, limits);
  return refusal === undefined ? connect : refused(refusal, connect);
}

/** The farewell of a CONNECT that is understood but not allowed. */
export function refused(refusal: Refusal, connect: Connect): Farewell {
  // [MQTT311-3.2.2-6]: none of the Return Codes says that a Topic Name is not taken.
  const bytes = connect.version !== 5 && refusal.reasonCode === TOPIC_NAME_INVALID ? undefined : encodeRefusal(refusal, connect);
  return { bytes, closeCode: CLOSE_POLICY, closeReason: closeReason(refusal.message) };
}

export function isFarewell(answer: object): answer is Farewell {
  return "closeCode" in answer;
}

function violated(violation: Violation, bytes: Uint8Array | undefined): Farewell {
  const closeCode = violation.reasonCode === PACKET_TOO_LARGE ? CLOSE_TOO_BIG : CLOSE_PROTOCOL_ERROR;
  return { bytes: bytes && violationReply(violation, bytes), closeCode, closeReason: closeReason(violation.message) };
}

/**
 * A 5.0 client is told the Reason Code; a 3.x client only that its version is not served [MQTT311-3.1.2-2] [MQTT311-3.1.4-1]. Who asks
 * for a later version, or for level 5 of another protocol, understands a CONNACK of 5.0 [MQTT5-3.1.2-1] [MQTT5-3.1.2-2].
 */
function violationReply({ reasonCode, message }: Violation, bytes: Uint8Array): Uint8Array | undefined {
  const unsupported = reasonCode === UNSUPPORTED_PROTOCOL_VERSION;
  const version = unsupported && (connectLevel(bytes) ?? 0) >= 5 ? 5 : connectVersion(bytes);
  const packetBytesMax = connectPacketBytesMax(bytes);
  if (version === 5) return encodeFor(refusalPacket({ reasonCode, message }, 5), { version, packetBytesMax, problemInformation: true });
  return unsupported ? encodePacket(refusalPacket({ reasonCode, message }, 4), 4) : undefined;
}
