/** Packets as bytes for a server: what cannot be encoded, or is more than the server takes, is told in an error and not sent. */

import { type ClientPacket, encodeClientPacket } from "../mqtt/encode-client.ts";
import type { ProtocolVersion } from "../mqtt/packet.ts";
import { PACKET_TOO_LARGE } from "../mqtt/reason-code.ts";
import { MqttError, refusal } from "./error.ts";

/**
 * @param what it is, for the error
 * @param bytesMax the server's Maximum Packet Size [MQTT5-3.2.2-15]
 * @throws MqttError
 */
export function pack(what: string, packet: ClientPacket, version: ProtocolVersion, bytesMax: number | undefined): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = encodeClientPacket(packet, version);
  } catch (error) {
    // The codec names the field, not what is in it.
    throw new MqttError("invalid", `${what}: ${(error as Error).message}`);
  }
  if (bytesMax === undefined || bytes.length <= bytesMax) return bytes;
  throw refusal("invalid", `${what}, ${bytes.length} bytes where the server takes ${bytesMax}`, PACKET_TOO_LARGE);
}
