/**
 * Decodes one Control Packet of MQTT 3.1, 3.1.1 or 5.0, whoever sends it: what servers send by decode-server.ts, what only clients send
 * here.
 */

import { connectVersion, decodeConnect } from "./decode-connect.ts";
import { type ClientPackets, decodeServerPacket } from "./decode-server.ts";
import { decodeSubscribe, decodeUnsubscribe } from "./decode-subscription.ts";
import { PACKET_NAMES } from "./fixed-header.ts";
import { CONNECT, type Packet, PINGREQ, type ProtocolVersion, SUBSCRIBE, UNSUBSCRIBE } from "./packet.ts";
import type { Reader } from "./reader.ts";
import type { Violation } from "./violation.ts";

export { connectLevel, connectPacketBytesMax, connectVersion } from "./decode-connect.ts";

const PINGREQ_PACKET = { type: PINGREQ } as const;

/**
 * Decodes one packet.
 * @param bytes exactly one whole packet with its fixed header
 * @param version that of the Network Connection; ignored for CONNECT, which carries its own
 * @returns the packet, with views into `bytes`, or the first violation found; never throws
 */
export function decodePacket(bytes: Uint8Array, version: ProtocolVersion): Packet | Violation {
  return decodeServerPacket(bytes, version, CLIENT_PACKETS);
}

const CLIENT_PACKETS: ClientPackets = { versionOf: connectVersion, decode: decodeClientPacket };

function decodeClientPacket(type: number, reader: Reader, bytes: Uint8Array, offset: number): Packet | Violation {
  switch (type) {
    case CONNECT:
      return decodeConnect(bytes, offset);
    case SUBSCRIBE:
      return decodeSubscribe(reader);
    case UNSUBSCRIBE:
      return decodeUnsubscribe(reader);
    default:
      reader.expectEnd(PACKET_NAMES[type]);
      return reader.violation ?? PINGREQ_PACKET;
  }
}
