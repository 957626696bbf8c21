/** The fixed header: names of the fifteen packet types, and the flag bits that are reserved [MQTT5-2.1.3-1] [MQTT311-2.2.2-1]. */

import { type ProtocolVersion, PUBREL, SUBSCRIBE, UNSUBSCRIBE } from "./packet.ts";

export const PACKET_NAMES: readonly string[] = [
  "packet type 0",
  "CONNECT",
  "CONNACK",
  "PUBLISH",
  "PUBACK",
  "PUBREC",
  "PUBREL",
  "PUBCOMP",
  "SUBSCRIBE",
  "SUBACK",
  "UNSUBSCRIBE",
  "UNSUBACK",
  "PINGREQ",
  "PINGRESP",
  "DISCONNECT",
  "AUTH",
];

const DUP = 0x08;

/** The flags that every packet but PUBLISH must have: 0010 for three types, else 0000. */
export function reservedFlags(type: number): number {
  return type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 0x02 : 0x00;
}

/** Whether the flags of a packet other than PUBLISH are what the version demands. */
export function flagsAllowed(type: number, flags: number, version: ProtocolVersion): boolean {
  const reserved = reservedFlags(type);
  if (flags === reserved) return true;
  // [3.1/fixed-header/dup]: 3.1 repeats PUBREL, SUBSCRIBE and UNSUBSCRIBE with DUP.
  return version === 3 && reserved !== 0 && flags === (reserved | DUP);
}
