/** What the gateway itself says to a client, in the client's version: why there is no connection, and that it is stopping. */

import { encodePacket } from "../mqtt/encode.ts";
import { CONNACK, DISCONNECT, NO_PROPERTIES } from "../mqtt/packet.ts";
import {
  CLIENT_IDENTIFIER_NOT_VALID,
  CONNECTION_RATE_EXCEEDED,
  NOT_AUTHORIZED,
  returnCodeOf,
  SERVER_SHUTTING_DOWN,
  SERVER_UNAVAILABLE,
} from "../mqtt/reason-code.ts";
import type { First } from "./first-packet.ts";

/**
 * CONNACK with a Reason Code of 5.0, or with the Return Code of 3.x that means the same.
 * @param sentence for clients of 5.0
 * @returns undefined where the client's version is not known, or the client takes no packet of this size
 */
export function encodeRefusal({ version, packetBytesMax }: First, reasonCode: number, sentence: string): Uint8Array | undefined {
  if (version === undefined) return undefined;
  const connack = { type: CONNACK, sessionPresent: false, properties: NO_PROPERTIES } as const;
  if (version !== 5) return encodePacket({ ...connack, reasonCode: returnCodeOf(reasonCode) }, version);
  const explained = encodePacket({ ...connack, reasonCode, properties: { reasonString: sentence } }, 5);
  const packet = explained.length <= packetBytesMax ? explained : encodePacket({ ...connack, reasonCode }, 5);
  return packet.length <= packetBytesMax ? packet : undefined;
}

/** For clients of 5.0. */
export const SHUTTING_DOWN = encodePacket({ type: DISCONNECT, reasonCode: SERVER_SHUTTING_DOWN, properties: NO_PROPERTIES }, 5);

export interface Refused {
  /** Of the HTTP answer. */
  readonly status: number;
  /** The Client Identifier stood in the URL. */
  readonly isHandedOver: boolean;
  /** The gateway has signed something, which the broker may not believe. */
  readonly isSigned: boolean;
}

/** The Reason Code for a client whose WebSocket was refused. What is wrong with the gateway is not the client's fault: it may try again. */
export function reasonCodeOf({ status, isHandedOver, isSigned }: Refused): number {
  if (status === 400 && isHandedOver) return CLIENT_IDENTIFIER_NOT_VALID;
  if (status === 401) return isSigned ? SERVER_UNAVAILABLE : NOT_AUTHORIZED;
  if (status === 403) return NOT_AUTHORIZED;
  return status === 429 ? CONNECTION_RATE_EXCEEDED : SERVER_UNAVAILABLE;
}
